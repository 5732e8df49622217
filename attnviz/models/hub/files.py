"""Which of a repository's files are read here: configuration, one form of the weights, tokenizer, preprocessor.

Never fetched: weights in other forms (ONNX, TensorFlow, Flax, Core ML, GGUF, `original/`), second copies of the
weights (`consolidated.*`, PyTorch's beside safetensors), code, pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from attnviz.checkpoints import FOLDER_FILES, is_second_copy
from attnviz.errors import ModelError
from attnviz.files.untrusted import read_object

MAX_INDEX = 64 << 20  # bytes of an index of shards

TOKENIZER_JSON = "tokenizer.json"
# What is read beside a tokenizer.json, and beside the parts of one.
_TOKENIZER_SETTINGS = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
)
# Without a tokenizer.json, one is built from these files.
_TOKENIZER_PARTS = (
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "source.spm",
    "target.spm",
    "target_vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "spm.model",
    "sentencepiece.model",
)
_PREPROCESSOR = ("preprocessor_config.json", "processor_config.json")
_GENERATION = "generation_config.json"
# One of these must be there for a text to be split.
VOCABULARIES = (
    TOKENIZER_JSON,
    "vocab.txt",
    "vocab.json",
    "source.spm",
    *(file for file in _TOKENIZER_PARTS if file.endswith(".model")),
)
# One of these must be there for a model to read anything but ids.
READERS = (*_TOKENIZER_PARTS, *_TOKENIZER_SETTINGS, TOKENIZER_JSON, *_PREPROCESSOR)


def weights(listed: Iterable[str]) -> str | None:
    """The one file of weights, or index of several, that is read among the files of a model.

    Args:
        listed: the paths of all files, with `/`.
    """
    files = set(listed)
    for file in FOLDER_FILES:
        if file in files:
            return file
    others = [f for f in files if f.endswith(".safetensors") and "/" not in f and not is_second_copy(f)]
    return others[0] if len(others) == 1 else None


def tokenizer_files(listed: Iterable[str]) -> list[str]:
    """Tokenizer files among the files of a model: a tokenizer.json, or what one is built from, and the settings."""
    files = set(listed)
    tokenizer = (TOKENIZER_JSON,) if TOKENIZER_JSON in files else _TOKENIZER_PARTS
    return [file for file in (*tokenizer, *_TOKENIZER_SETTINGS) if file in files]


def small_files(listed: Iterable[str]) -> list[str]:
    """Tokenizer, preprocessor and generation files among the files of a model."""
    files = set(listed)
    return tokenizer_files(files) + [file for file in (*_PREPROCESSOR, _GENERATION) if file in files]


def shards(index: Path) -> list[str]:
    """The files that an index names; none if it is damaged, which opening it will say better."""
    try:
        places = read_object(index, MAX_INDEX, ModelError)["weight_map"]
        return sorted({file for file in places.values() if isinstance(file, str)})
    except (ModelError, KeyError, AttributeError):
        return []


def check_listed(name: str, sizes: Mapping[str, int]) -> str:
    """The file of weights to fetch. Raises ModelError for a repository that holds no model for us."""
    chosen = weights(sizes)
    check_config(name, sizes)
    if chosen is None:
        raise ModelError(f"{name} on the Hub has no model.safetensors or pytorch_model.bin", _instead(sizes))
    return chosen


def check_config(name: str, sizes: Iterable[str]) -> None:
    """Raises ModelError, with what the repository holds instead, if it has no config.json."""
    files = set(sizes)
    if "config.json" in files:
        return
    if "adapter_config.json" in files:
        raise ModelError(
            f"{name} on the Hub is an adapter, not a model",
            "download it, then: --model BASE --adapter DIR",
        )
    gguf = [file for file in files if file.endswith(".gguf")]
    only = f" and holds {len(gguf)} GGUF file{'s' if len(gguf) > 1 else ''}" if gguf else ""
    raise ModelError(f"{name} on the Hub has no config.json{only}", _instead(files))


def check_shards(name: str, listed: list[str], sizes: Mapping[str, int]) -> list[str]:
    """The shards that an index names, all of which the Hub must have, inside the model's folder."""
    if not listed:
        raise ModelError(f"{name} on the Hub: its index of weights names no files")
    for shard in listed:
        parts = PurePosixPath(shard).parts
        if shard not in sizes or not parts or parts[0] == "/" or ".." in parts or "\\" in shard:
            raise ModelError(f"{name} on the Hub: its index names {shard[:100]!r}, which is not there")
    return listed


def _instead(files: Iterable[str]) -> str:
    """A hint where there is a file that could be read on its own."""
    gguf = sorted(file for file in files if file.endswith(".gguf"))
    return f"it has {gguf[0][:100]}: download that file and give its path" if gguf else ""
