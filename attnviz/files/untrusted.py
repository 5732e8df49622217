"""Untrusted files: regular files alone are opened and read up to a limit; JSON must fit a budget to be parsed.

A pipe would block, a device would never end, and a few bytes of JSON become hundreds in memory: all three are refused
before anything is read or built.
"""

from __future__ import annotations

import gc
import json
import math
import mmap
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from attnviz.errors import AttnvizError, InputError

MAX_TEXT = 64 << 20  # limit in bytes of a text, or of a list of labels
MAX_JSON = 64 << 20  # limit in bytes
MAX_CONTAINERS = 1_000_000  # limit of lists and objects in one file: a tensor of safetensors takes three
MAX_VALUES = 4_000_000
MAX_DEPTH = 400
MAX_DIGITS = 300  # digits of a whole number, which then fits a float
_AS_ZERO = bytes.maketrans(b"123456789", b"000000000")

Error = Callable[[str], AttnvizError]


def open_file(path: str | os.PathLike[str], error: Error = InputError) -> BinaryIO:
    """A regular file, open for reading. A folder, a pipe or a device is refused without waiting."""
    place = Path(path)
    try:
        handle = os.open(place, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return os.fdopen(handle, "rb")
        folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        os.close(handle)
    except (OSError, ValueError) as fault:
        missing = isinstance(fault, FileNotFoundError)
        why = "no such file or folder" if missing else getattr(fault, "strerror", None) or fault
        raise error(f"cannot read {_cut(path)}: {why}") from None
    raise error(
        f"cannot read {_cut(path)}: {'is a folder, wanted a file' if folder else 'is neither a file nor a folder'}"
    )


def read_file(path: str | os.PathLike[str], limit: int, error: Error = InputError, what: str = "") -> bytes:
    """The bytes of a regular file of at most `limit` bytes. what: for the message, such as "a configuration"."""
    with open_file(path, error) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= limit:
            data = file.read(limit + 1)
            if len(data) <= limit:
                return data
            size = len(data)
    kind = f"is too large to be {what}: " if what else "has "
    raise error(f"{_cut(Path(path).name)} {kind}{size:,} bytes; at most {limit:,} are read")


def shrunk(data: Any) -> str:
    """A message if a mapped file has shrunk, else ''. Reading the missing part would end the process.

    data: the mapping, or an array or memoryview of it. Arrays in memory cannot shrink.
    """
    while data is not None and not isinstance(data, mmap.mmap):
        data = data.obj if isinstance(data, memoryview) else getattr(data, "base", None)
    if data is None or data.size() >= len(data):
        return ""
    return f"has shrunk from {len(data):,} to {data.size():,} bytes while it was read"


def read_object(path: Path, limit: int, error: Error, what: str = "a configuration") -> dict[str, Any]:
    """Read the object in a JSON file. Raises `error` for anything else."""
    value = parse(read_file(path, limit, error, what), path.name, error)
    if not isinstance(value, dict):
        raise error(f"{path.name} must hold an object; got {type(value).__name__}")
    return value


def parse(
    data: bytes,
    where: str,
    error: Error,
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
    finite: bool = False,
) -> Any:
    """Parse a JSON text in UTF-8; texts beyond the budgets above are refused before anything is built.

    Args:
        where: the file's name in messages.
        pairs: makes an object from its keys and values; default: a dict, in which the last of equal keys counts.
        finite: whether Infinity and NaN are refused.
    """
    containers = data.count(b"{") + data.count(b"[")
    if len(data) > MAX_JSON or containers > MAX_CONTAINERS or data.count(b",") > MAX_VALUES:
        raise error(
            f"{where} holds more than is read: {len(data):,} bytes, {containers:,} lists and objects "
            f"(at most {MAX_JSON:,} and {MAX_CONTAINERS:,})"
        )
    try:
        text = data.decode("utf-8-sig", "surrogatepass")  # \ud800 means the same, and our own files may hold one
        is_long = b"0" * (MAX_DIGITS + 1) in data.translate(_AS_ZERO)
        with uncollected():
            value = json.loads(
                text,
                object_pairs_hook=pairs,
                parse_int=_whole if is_long else None,  # calling a function for each number takes long
                parse_float=_finite if finite else None,
                parse_constant=_refused if finite else None,
            )
    except AttnvizError:
        raise
    except RecursionError:
        raise error(f"{where} is nested too deeply") from None
    except ValueError as fault:
        raise error(f"{where} is not JSON ({_short(fault)})") from None
    if containers > MAX_DEPTH and _is_deep(value):
        raise error(f"{where} is nested too deeply")
    return value


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the garbage collector while many values without cycles are made: it takes a quarter of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text):,} digits")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]}")
    return value


def _refused(text: str) -> float:
    raise ValueError(f"the number {text}")


def _is_deep(value: Any) -> bool:
    """Whether a value is nested beyond MAX_DEPTH, checked level by level without recursion."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH - 1):
        inner = (node.values() if isinstance(node, dict) else node for node in level)
        level = [value for values in inner for value in values if isinstance(value, (dict, list))]
        if not level:
            return False
    return True


def _cut(name: str | os.PathLike[str]) -> str:
    text = str(name)
    return text if len(text) <= 200 else f"{text[:100]}...{text[-97:]}"


def _short(fault: Exception) -> str:
    return " ".join(str(fault).split())[:80]
