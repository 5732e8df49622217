"""Store the ids of transformers' fast tokenizers, for folders of every layout.

    python4 scripts/make_token_reference.py make WORK        trains, lays folders out, saves some as tokenizer.json too
    python4 scripts/make_token_reference.py expect WORK v4   the ids of every text by the transformers of this Python
    python5 scripts/make_token_reference.py expect WORK v5
    python4 scripts/make_token_reference.py store WORK       tests/reference_tokens

python4 has transformers 4.46.3, python5 5.23.0.

Needs transformers, tokenizers, sentencepiece and protobuf.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

from token_folders import fast_folders, odd_folders, slow_folders
from token_texts import PAIRS, TEXTS

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "tests" / "reference_tokens"
# These are saved by the library as a tokenizer.json: alone, and beside the older files.
FAST = ["bert", "bert-cased", "gpt2-prefix", "roberta", "clip", "albert", "xlnet", "llama-legacy", "llama-new"]
FAST += ["yi", "xlm_roberta", "deberta_v2", "gemma", "camembert", "mbart-de"]
# Published folders of these kinds hold both: transformers 4 builds the tokenizer from the older file again.
KEPT = dict.fromkeys(("llama-legacy", "llama-new", "yi"), ("tokenizer.model",))


def lay_out(folder: Path, files: dict[str, Any], models: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if isinstance(content, str) and content.startswith("@"):
            (folder / name).write_bytes(models[content[1:]])
        else:
            (folder / name).write_text(json.dumps(content))


def make(work: Path) -> None:
    from token_vocabularies import all_models
    from transformers import AutoTokenizer

    shutil.rmtree(work, ignore_errors=True)
    models = all_models()
    (work / "models").mkdir(parents=True)
    for name, data in models.items():
        (work / "models" / name).write_bytes(data)
    for name, files in {**slow_folders(), **odd_folders()}.items():
        lay_out(work / "folders" / name, files, models)
    for name, (base, files) in fast_folders().items():
        folder = work / "folders" / name
        lay_out(folder, {"config.json": slow_folders()[base]["config.json"], **files}, models)
        tokenizer = AutoTokenizer.from_pretrained(work / "folders" / base)
        tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    for name in FAST:
        tokenizer = AutoTokenizer.from_pretrained(work / "folders" / name)
        saved = work / "folders" / f"{name}-json"
        tokenizer.save_pretrained(saved)
        for file in saved.iterdir():
            if file.name not in ("tokenizer.json", "tokenizer_config.json"):
                file.unlink()
        for file in (work / "folders" / name).iterdir():
            if file.name == "config.json" or file.name in KEPT.get(name, ()):
                shutil.copy(file, saved / file.name)


def expect(work: Path, key: str) -> None:
    from transformers import AutoTokenizer

    found: dict[str, Any] = {}
    for folder in sorted((work / "folders").iterdir()):
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder)
            if not tokenizer.is_fast and not folder.name.startswith(("marian", "m2m")):
                raise ValueError("no fast tokenizer")
            found[folder.name] = [tokenizer(text)["input_ids"] for text in TEXTS]
            found[folder.name] += [tokenizer(*pair)["input_ids"] for pair in PAIRS]
        except Exception as error:
            print(folder.name, type(error).__name__, " ".join(str(error).split())[:150])
            found[folder.name] = None
    (work / f"{key}.json").write_text(json.dumps(found))


def store(work: Path) -> None:
    """Store each vocabulary once, folders as lists of them, ids of version 4, and of version 5 where they differ."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    (OUTPUT / "files").mkdir(parents=True)
    known = {path.read_bytes(): path.name for path in sorted((work / "models").iterdir())}
    folders: dict[str, dict[str, Any]] = {}
    used = set()
    for folder in sorted((work / "folders").iterdir()):
        folders[folder.name] = {}
        for path in sorted(folder.iterdir()):
            data = path.read_bytes()
            if path.name == "tokenizer.json":
                known.setdefault(data, f"{folder.name}.tokenizer")
            if data in known:
                used.add(data)
                folders[folder.name][path.name] = f"@{known[data]}"
            else:
                folders[folder.name][path.name] = json.loads(data)
    for data in used:
        (OUTPUT / "files" / known[data]).write_bytes(_compact(known[data], data))
    four, five = (json.loads((work / f"{key}.json").read_text()) for key in ("v4", "v5"))
    apart = {name: _differing(four[name], five[name]) for name in folders if five[name] is not None}
    _write("folders.json", folders)
    known_ids: dict[str, str] = {}  # ids equal to another folder's are stored as its name
    said = {name: known_ids.setdefault(json.dumps(four[name]), name) for name in folders}
    four = {name: four[name] if said[name] == name else said[name] for name in folders}
    _write("expected.json", {"texts": TEXTS, "pairs": PAIRS, "v4": four, "v5_where_it_differs": apart})


def _compact(name: str, data: bytes) -> bytes:
    is_json = name.endswith((".tokenizer", ".json"))
    return json.dumps(json.loads(data), ensure_ascii=False, separators=(",", ":")).encode() if is_json else data


def _differing(four: list[Any], five: list[Any]) -> dict[str, Any]:
    return {str(i): b for i, (a, b) in enumerate(zip(four, five, strict=True)) if a != b}


def _write(name: str, found: dict[str, Any]) -> None:
    lines = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in found.items()]
    (OUTPUT / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    command, place, *rest = sys.argv[1:]
    {"make": make, "expect": expect, "store": store}[command](Path(place), *rest)
