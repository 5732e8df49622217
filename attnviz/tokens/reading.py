"""Small files from strangers: their size is checked before they are read, each fault is one line with their name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attnviz.errors import CheckpointError
from attnviz.tokens.tokenizer import short

# Several times the largest published file of each sort.
_LIMITS = {"tokenizer.json": 256 << 20, ".json": 64 << 20, ".txt": 64 << 20, ".model": 32 << 20, ".spm": 32 << 20}


def content(token: object) -> str:
    """A token's name, written plainly or as {"content": ...}."""
    name = token.get("content") if isinstance(token, dict) else token
    return name if isinstance(name, str) else ""


def vocab_json(path: Path) -> dict[str, int]:
    vocab = read_json(path)
    wrong = next((name for name, i in vocab.items() if type(i) is not int or not 0 <= i < 2**31), None)
    if wrong is not None:
        raise CheckpointError(f"{path.name} must give each token a number; got {short(vocab[wrong], 40)!r}")
    if not vocab:
        raise CheckpointError(f"{path.name} is empty")
    return vocab


def read_json(path: Path, optional: bool = False) -> dict[str, Any]:
    """A JSON object from a file; {} if it is optional and missing."""
    if optional and not path.is_file():
        return {}
    try:
        found = json.loads(file_text(path))
    except RecursionError:
        raise CheckpointError(f"{path.name} is nested too deeply") from None
    except ValueError as error:
        raise CheckpointError(f"{path.name} is not JSON: {short(error)}") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{path.name} must hold a JSON object; got {type(found).__name__}")
    return found


def file_text(path: Path) -> str:
    """A small file's text. Raises CheckpointError if it is too large, unreadable or not UTF-8."""
    try:
        return file_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path.name} is not UTF-8 (byte {error.start})") from None


def file_bytes(path: Path) -> bytes:
    limit = _LIMITS.get(path.name) or _LIMITS.get(path.suffix, 64 << 20)
    try:
        size = path.stat().st_size
        if size > limit:
            raise CheckpointError(f"{path.name} has {size:,} bytes; at most {limit:,} are read")
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}") from None


class Guard:
    """Turns whatever the library raises while a file is turned into a pipeline into one line that names the file."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        stop = (CheckpointError, KeyboardInterrupt, SystemExit, MemoryError, GeneratorExit)
        if error is not None and not isinstance(error, stop):
            raise CheckpointError(f"{self.source} is not a tokenizer: {short(error)}") from None
