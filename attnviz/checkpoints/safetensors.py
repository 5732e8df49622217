"""Safetensors: eight bytes of length, a JSON header, then the numbers.

The file is mapped and `read` returns a view of it: nothing is copied, and only the pages of the tensors and rows in use
are read.

Source: the format's description in the safetensors project's README (its rules on header size, duplicate keys, holes
and overlaps are all enforced).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.checkpoints.base import (
    MAX_HEADER,
    Mapped,
    Stored,
    checked_bytes,
    checked_shape,
    damaged,
    map_file,
    parse_json,
    shown,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


def open_safetensors(path: Path) -> Mapped:
    """Open a single .safetensors file.

    Raises:
        CheckpointError: it is no such file, is truncated, or its header contradicts it.
    """
    data = map_file(path)
    header, start = _header(path, data)
    header.pop("__metadata__", None)
    tensors: dict[str, Stored] = {}
    places: dict[str, int] = {}
    file = path.name  # computed once, since there may be 100,000 tensors
    for name, entry in header.items():
        tensors[name], begin = _entry(path, file, name, entry)
        places[name] = start + begin
    _check_layout(path, tensors, places, start, data.size)
    return Mapped(path, data, tensors, places)


def _header(path: Path, data: NDArray[np.uint8]) -> tuple[dict[str, Any], int]:
    """The parsed header, and the position of the first number."""
    if data.size < 8:
        damaged(path, f"holds {data.size} bytes, too few for a safetensors file")
    length = int.from_bytes(data[:8].tobytes(), "little")
    if length > MAX_HEADER and data[8:9].tobytes() != b"{":
        damaged(path, "is not a safetensors file")
    if length > MAX_HEADER:
        damaged(path, f"its header claims {length:,} bytes; at most {MAX_HEADER:,} are allowed")
    if 8 + length > data.size:
        damaged(path, f"truncated: its header claims {length:,} bytes, the file holds {data.size:,}")
    return parse_json(path, data[8 : 8 + length].tobytes(), "its header"), 8 + length


def _entry(path: Path, file: str, name: str, entry: object) -> tuple[Stored, int]:
    """One tensor of the header, and its offset from the first number."""
    if not isinstance(entry, dict) or "dtype" not in entry or "shape" not in entry or "data_offsets" not in entry:
        damaged(path, f"the header of tensor {shown(name)} lacks dtype, shape or data_offsets")
    shape = checked_shape(path, name, entry["shape"])
    dtype = str(entry["dtype"])
    nbytes = checked_bytes(path, name, shape, dtype)
    offsets = entry["data_offsets"]
    if not isinstance(offsets, list) or list(map(type, offsets)) != [int, int] or min(offsets) < 0:
        damaged(path, f"the data_offsets of tensor {shown(name)} are not two sizes")
    begin, end = offsets
    if end - begin != nbytes:
        damaged(path, f"tensor {shown(name)} needs {nbytes:,} bytes by its shape, its offsets give {end - begin:,}")
    return Stored(name, shape, dtype, nbytes, file), begin


def _check_layout(path: Path, tensors: dict[str, Stored], places: dict[str, int], start: int, size: int) -> None:
    """Raise unless tensors follow each other, without overlap or hole, up to the end of the file."""
    last, at = "the header", start
    for name in sorted(tensors, key=lambda name: (places[name], tensors[name].nbytes)):
        if places[name] < at:
            damaged(path, f"tensor {shown(name)} overlaps {shown(last)}")
        if places[name] > at:
            damaged(path, f"{places[name] - at:,} bytes before tensor {shown(name)} belong to nothing")
        at, last = places[name] + tensors[name].nbytes, name
        if at > size:
            damaged(path, f"truncated: tensor {shown(name)} ends at byte {at:,}, the file at {size:,}")
    if at < size:
        damaged(path, f"{size - at:,} bytes after the last tensor belong to nothing")
