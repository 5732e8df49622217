"""Small untrusted files: their size is checked before they are read; each error is one line with the name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attnviz.errors import CheckpointError
from attnviz.files.untrusted import read_file, read_object
from attnviz.tokens.budget import without_panics
from attnviz.tokens.tokenizer import short

# Limits: several times the largest published file of each kind.
_LIMITS = {"tokenizer.json": 64 << 20, ".json": 64 << 20, ".txt": 64 << 20, ".model": 32 << 20, ".spm": 32 << 20}


def content(token: object) -> str:
    """A token's name, written as a string or as {"content": ...}."""
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
    return read_object(path, _limit(path), CheckpointError, "the file's name in messages")


def file_text(path: Path) -> str:
    """A small file's text. Raises CheckpointError if it is too large, unreadable or not UTF-8."""
    try:
        return file_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path.name} is not UTF-8 (byte {error.start})") from None


def file_bytes(path: Path) -> bytes:
    """A small file's bytes. Raises CheckpointError if it is too large, not a regular file, or unreadable."""
    return read_file(path, _limit(path), CheckpointError)


def _limit(path: Path) -> int:
    return _LIMITS.get(path.name) or _LIMITS.get(path.suffix, 64 << 20)


class Guard:
    """Turn any exception of the library, while it builds a pipeline from a file, into one line that names the file."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._quiet = without_panics()

    def __enter__(self) -> None:
        self._quiet.__enter__()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._quiet.__exit__(None, None, None)
        stop = (CheckpointError, KeyboardInterrupt, SystemExit, MemoryError, GeneratorExit)
        if error is not None and not isinstance(error, stop):
            raise CheckpointError(f"{self.source} is not a tokenizer: {short(error)}") from None
