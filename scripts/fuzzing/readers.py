"""Each reader of files: real files to start from, how they are changed, and what is done with the result.

A reader is called with a separate folder, which holds the mutant and the files that belong to it.
"""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from fuzzing import mutate

TESTS = Path(__file__).parents[2] / "tests"
TEXT = "The animal didn't cross the street because it was too tired"

Files = dict[str, bytes]
Mutation = Callable[[bytes, Random], bytes]


@dataclass(frozen=True)
class Reader:
    """begin: folders of original files. changes: file name, or its extension -> mutation. read: the function to try."""

    begin: Callable[[], list[Files]]
    changes: dict[str, Mutation]
    read: Callable[[Path], object]

    def mutant(self, folders: list[Files], rng: Random) -> Files:
        """One folder with one of its files changed."""
        files = dict(rng.choice(folders))
        wanted = [name for name in files if self._change(name) is not None]
        name = rng.choice(sorted(wanted))
        change = self._change(name)
        assert change is not None
        files[name] = change(files[name], rng)
        return files

    def _change(self, name: str) -> Mutation | None:
        return self.changes.get(name) or self.changes.get("." + name.rpartition(".")[2])


def _bytes(*paths: str) -> list[bytes]:
    return [(TESTS / path).read_bytes() for path in paths]


def _read_all(path: Path) -> object:
    """Read a checkpoint's digest, and all its small tensors."""
    from attnviz.checkpoints import open_checkpoint

    with open_checkpoint(path) as found:
        for name, stored in list(found.tensors.items())[:40]:
            if stored.nbytes < 1 << 20:
                found.read(name)
            if stored.shape and stored.shape[0] and stored.nbytes < 1 << 20:
                found.rows(name, [0])
        return found.digest()


def _only(folder: Path) -> Path:
    return next(path for path in folder.iterdir() if path.is_file())


# --- weights -------------------------------------------------------------------------------------------------------


def _safetensors() -> list[Files]:
    names = ("reference/gpt2/model.safetensors", "data/quantised/block.safetensors", "data/quantised/mxfp4.safetensors")
    return [{"model.safetensors": data} for data in _bytes(*names)]


def _gguf() -> list[Files]:
    names = ("bert", "llama", "gpt2", "t5", "gemma2", "gpt-oss")
    found = [f"reference_gguf/{name}.gguf" for name in names if (TESTS / f"reference_gguf/{name}.gguf").is_file()]
    return [{"model.gguf": data} for data in _bytes(*found)]


def _read_gguf(folder: Path) -> object:
    from attnviz.checkpoints import open_checkpoint
    from attnviz.models import configs
    from attnviz.tokens.gguf import load_gguf_tokenizer

    with open_checkpoint(folder / "model.gguf") as found:
        tokenizer = load_gguf_tokenizer(found.config or {}, "model.gguf")
        configs.understand_gguf("model.gguf", found)
        _read_all(folder / "model.gguf")
        if tokenizer is not None:
            tokenizer.encode(TEXT)
    return None


def _npz() -> list[Files]:
    return [{"weights.npz": data} for data in _bytes("data/tiny.npz")]


def _read_npz(folder: Path) -> object:
    import attnviz

    model = attnviz.load(folder / "weights.npz")
    return model.attend(ids=[0, 1, 0])


def _torch() -> list[Files]:
    names = ("legacy.bin", "nested.pt", "protocol4.pt", "zip.bin")
    return [{"pytorch_model.bin": data} for data in _bytes(*(f"data/checkpoints/{name}" for name in names))]


def _changed_torch(data: bytes, rng: Random) -> bytes:
    return mutate.zipped(data, rng) if data[:2] == b"PK" else mutate.pickled(data, rng)


def _index() -> list[Files]:
    from attnviz.checkpoints import open_checkpoint

    shard = _bytes("reference/gpt2/model.safetensors")[0]
    with open_checkpoint(TESTS / "reference/gpt2/model.safetensors") as found:
        placed = {"weight_map": dict.fromkeys(found.tensors, "a.safetensors"), "metadata": {"total_size": 1}}
    return [{"model.safetensors.index.json": json.dumps(placed).encode(), "a.safetensors": shard}]


def _read_index(folder: Path) -> object:
    return _read_all(folder / "model.safetensors.index.json")


def _adapters() -> list[Files]:
    base = (TESTS / "reference/bert/model.safetensors").read_bytes()
    names = ("plain", "dora", "patterns")
    return [
        {
            path.name: path.read_bytes()
            for path in (TESTS / "reference_adapters" / name).iterdir()
            if path.suffix != ".npz"
        }
        | {"base.bin": base}
        for name in names
    ]


def _read_adapter(folder: Path) -> object:
    from attnviz.checkpoints import open_checkpoint
    from attnviz.checkpoints.lora import open_adapter
    from attnviz.families import bert

    adapter = open_adapter(folder)
    (folder / "base.bin").rename(folder / "base.safetensors")
    return adapter.applied(open_checkpoint(folder / "base.safetensors"), bert.NAMES)


# --- configurations and tokenizers ---------------------------------------------------------------------------------


def _configs() -> list[Files]:
    published = [one["config"] for one in json.loads((TESTS / "data/configs.json").read_text())]
    return [{"config.json": json.dumps(config).encode()} for config in published]


def _read_config(folder: Path) -> object:
    import attnviz

    return attnviz.describe(folder / "config.json")


def _tokenizers() -> list[Files]:
    stored = TESTS / "reference_tokens"
    folders = []
    for folder in json.loads((stored / "folders.json").read_text()).values():
        files = {}
        for name, content in folder.items():
            is_copy = isinstance(content, str) and content.startswith("@")
            files[name] = (stored / "files" / content[1:]).read_bytes() if is_copy else json.dumps(content).encode()
        folders.append({"config.json": b"{}"} | files)
    return folders


def _read_tokenizer(folder: Path) -> object:
    from attnviz.tokens import load_tokenizer

    tokenizer = load_tokenizer(folder, json.loads((folder / "config.json").read_bytes()))
    if tokenizer is not None:
        tokenizer.encode(TEXT, "a pair")
        tokenizer.encode_target(TEXT, 2)
        tokenizer.describe([0, 1, 5, 10**6])
    return None


TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] | trim }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def _chats() -> list[Files]:
    options = {"chat_template": TEMPLATE, "bos_token": "<s>", "eos_token": {"content": "</s>"}}
    named = {**options, "chat_template": [{"name": "default", "template": TEMPLATE}]}
    return [
        {"tokenizer_config.json": json.dumps(options).encode()},
        {"tokenizer_config.json": json.dumps(named).encode()},
        {"chat_template.json": json.dumps({"chat_template": TEMPLATE}).encode()},
        {"chat_template.jinja": TEMPLATE.encode(), "tokenizer_config.json": b"{}"},
    ]


def _read_chat(folder: Path) -> object:
    from attnviz.tokens.chat import chat_text, template_in_folder

    template, names = template_in_folder(folder, "model")
    # A process takes a tenth of a second: one in 50 is enough.
    return chat_text(TEXT, template, names) if len(template) % 50 == 7 else None


# --- images and sound ----------------------------------------------------------------------------------------------


def _images() -> list[Files]:
    from PIL import Image

    found = [{"picture": data} for data in _bytes("reference_inputs/tiny.png", "reference_inputs/high.png")]
    small = Image.fromarray(np.arange(24 * 20 * 3, dtype=np.uint8).reshape(24, 20, 3))
    for kind in ("JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO"):
        made = io.BytesIO()
        small.save(made, kind)
        found.append({"picture": made.getvalue()})
    return found


def _read_image(folder: Path) -> object:
    from attnviz.inputs.images import read_image

    return read_image(folder / "picture", {"model_type": "vit", "image_size": 32, "patch_size": 8})


def _preprocessors() -> list[Files]:
    picture = _bytes("reference_inputs/tiny.png")[0]
    folders = []
    for path in sorted((TESTS / "reference_inputs").glob("*.json")):
        sound = path.name.startswith(("w", "hubert"))
        folders.append({"preprocessor_config.json": path.read_bytes(), "sound" if sound else "picture": picture})
    return folders


def _read_preprocessor(folder: Path) -> object:
    from attnviz.inputs.images import read_image
    from attnviz.inputs.sound import read_sound

    if (folder / "picture").is_file():
        return read_image(folder / "picture", {"model_type": "vit"}, folder)
    (folder / "sound").write_bytes(_sound())
    mel = {"model_type": "whisper", "num_mel_bins": 80, "max_source_positions": 1500}
    whisper = b"Whisper" in (folder / "preprocessor_config.json").read_bytes()
    return read_sound(folder / "sound", mel if whisper else {"model_type": "wav2vec2"}, folder)


def _sound() -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setparams((2, 2, 16000, 0, "NONE", ""))
        file.writeframes((np.arange(4000) * 7 % 3000).astype("<i2").tobytes())
    return made.getvalue()


def _read_sound(folder: Path) -> object:
    from attnviz.inputs.sound import read_sound

    return read_sound(folder / "sound.wav", {"model_type": "wav2vec2"})


# --- saved attention -----------------------------------------------------------------------------------------------


def _saved() -> list[Files]:
    import tempfile

    import attnviz

    model = attnviz.load("seeded")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "ours.npz"
        model.attend("The cat sat").save(path)
        ours = path.read_bytes()
        np.savez_compressed(path, maps=np.full((2, 3, 3), 1 / 3, np.float32), ids=np.arange(3))
        theirs = path.read_bytes()
    plain = io.BytesIO()
    np.save(plain, np.full((2, 3, 3), 1 / 3, np.float16))
    names = ("attentions.pt", "attentions_old.pt")
    torch = [{"maps.pt": data} for data in _bytes(*(f"data/checkpoints/{name}" for name in names))]
    return [{"maps.npz": ours}, {"maps.npz": ours}, {"maps.npz": theirs}, {"maps.npy": plain.getvalue()}, *torch]


def _read_saved(folder: Path) -> object:
    from attnviz.io.data import write_json
    from attnviz.io.saved import any_attention
    from attnviz.page.heatmap import heatmap

    found, _ = any_attention(_only(folder))
    if found.weights.size < 10_000:
        heatmap(found)
        write_json(found, io.BytesIO())
    return found.words()


def _labels() -> list[Files]:
    maps = io.BytesIO()
    np.save(maps, np.full((3, 3), 1 / 3, np.float32))
    texts = ("the\ncat\nsat", "ein\r\nlänger\r\nWort\r\n", "x" * 500 + "\n\u202e\n\x1b[2J")
    return [{"maps.npy": maps.getvalue(), "labels.txt": text.encode()} for text in texts]


def _read_labels(folder: Path) -> object:
    from attnviz.io.saved import any_attention
    from attnviz.page.heatmap import heatmap

    found, _ = any_attention(folder / "maps.npy", labels=folder / "labels.txt")
    return heatmap(found)


READERS: dict[str, Reader] = {
    "safetensors": Reader(_safetensors, {".safetensors": mutate.safetensors}, lambda f: _read_all(_only(f))),
    "gguf": Reader(_gguf, {".gguf": mutate.gguf}, _read_gguf),
    "npz": Reader(_npz, {".npz": mutate.zipped}, _read_npz),
    "torch": Reader(_torch, {".bin": _changed_torch}, lambda f: _read_all(_only(f))),
    "index": Reader(_index, {".json": mutate.json_bytes}, _read_index),
    "adapter": Reader(
        _adapters, {".json": mutate.json_bytes, "adapter_model.safetensors": mutate.safetensors}, _read_adapter
    ),
    "config": Reader(_configs, {".json": mutate.json_bytes}, _read_config),
    "tokenizer": Reader(
        _tokenizers,
        {"config.json": mutate.tree_bytes, ".json": mutate.json_bytes, ".txt": mutate.flipped}
        | dict.fromkeys((".model", ".spm"), mutate.protobuf),
        _read_tokenizer,
    ),
    "chat": Reader(_chats, {".json": mutate.json_bytes, ".jinja": mutate.flipped}, _read_chat),
    "image": Reader(_images, {"picture": mutate.png}, _read_image),
    "preprocessor": Reader(_preprocessors, {".json": mutate.json_bytes}, _read_preprocessor),
    "sound": Reader(lambda: [{"sound.wav": _sound()}], {".wav": mutate.flipped}, _read_sound),
    "saved": Reader(_saved, {".npz": mutate.zipped, ".npy": mutate.npy, ".pt": _changed_torch}, _read_saved),
    "labels": Reader(_labels, {".txt": mutate.flipped}, _read_labels),
}
