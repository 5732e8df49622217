"""GGUF, the file format of llama.cpp and Ollama: configuration, tokenizer and weights in one.

The header is read once, with every length checked against the file. Weights stay mapped; quantised tensors are decoded
when they are read, and tables row by row.

Source: the format's description in ggml (docs/gguf.md), versions 2 and 3.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.checkpoints.base import DTYPE_BYTES, MAX_HEADER, Mapped, Stored, checked_shape, damaged, map_file, shown
from attnviz.checkpoints.quants import BLOCKS, UNPACKERS, Grouped, dequantise, unpack
from attnviz.errors import CheckpointError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Numbers of tensor types, as the format assigns them; missing numbers were types that no longer exist.
TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    6: "Q5_0",
    7: "Q5_1",
    8: "Q8_0",
    9: "Q8_1",
    10: "Q2_K",
    11: "Q3_K",
    12: "Q4_K",
    13: "Q5_K",
    14: "Q6_K",
    15: "Q8_K",
    16: "IQ2_XXS",
    17: "IQ2_XS",
    18: "IQ3_XXS",
    19: "IQ1_S",
    20: "IQ4_NL",
    21: "IQ3_S",
    22: "IQ2_S",
    23: "IQ4_XS",
    24: "I8",
    25: "I16",
    26: "I32",
    27: "I64",
    28: "F64",
    29: "IQ1_M",
    30: "BF16",
    34: "TQ1_0",
    35: "TQ2_0",
    39: "MXFP4",
    40: "NVFP4",
    41: "Q1_0",
}
# Types of a value in the metadata -> struct and NumPy codes.
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
_MAX_TEXTS = 4_000_000  # entries of one list: the largest vocabularies have 0.3 million pieces
_AXES = 4
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")


def open_gguf(path: Path) -> Gguf:
    """Open a .gguf file.

    Raises:
        CheckpointError: not a GGUF file, a version that is not read, a truncated file, or a header that contradicts the
        file.
    """
    data = map_file(path)
    head = _Header(path, data)
    n_tensors, n_values = head.preamble()
    config: dict[str, Any] = {}
    for _ in range(n_values):
        key = head.text()
        if key in config:
            damaged(path, f"metadata key {shown(key)} is there twice")
        config[key] = head.value(head.u32(), key)
    parts = config.get("split.count", 1)
    if isinstance(parts, int) and parts > 1:
        damaged(path, f"is one of {parts} parts", "join them with llama-gguf-split --merge")
    entries = [head.tensor() for _ in range(n_tensors)]
    align = config.get("general.alignment", 32)
    if not isinstance(align, int) or not 1 <= align <= 1 << 16:
        damaged(path, f"general.alignment is {shown(align, 40)}")
    start = -(-head.at // align) * align
    tensors: dict[str, Stored] = {}
    places: dict[str, int] = {}
    for stored, offset in entries:
        if stored.name in tensors:
            damaged(path, f"tensor {shown(stored.name)} is there twice")
        tensors[stored.name], places[stored.name] = stored, start + offset
    _check_layout(path, tensors, places, data.size)
    return Gguf(path, data, tensors, places, config, hashlib.sha256(data[: head.at].data).hexdigest()[:16])


class Gguf(Mapped):
    """Tensors of a GGUF file. config: its metadata; lists of text are lists, lists of numbers are arrays."""

    def __init__(
        self,
        path: Path,
        data: NDArray[np.uint8],
        tensors: dict[str, Stored],
        places: dict[str, int],
        config: dict[str, Any],
        digest: str,
    ) -> None:
        super().__init__(path, data, tensors, places, config)
        self._digest = digest

    def read(self, name: str) -> NDArray[Any]:
        stored = self.stored(name)
        if stored.dtype not in BLOCKS:
            return super().read(name)
        return self._decode(stored, self._packed(stored)).reshape(stored.shape)

    def rows(self, name: str, ids: Sequence[int] | NDArray[Any]) -> NDArray[Any]:
        stored = self.stored(name)
        if stored.dtype not in BLOCKS or len(stored.shape) < 2:  # a lone row of blocks is decoded whole
            return super().rows(name, ids)
        index = np.asarray(ids, dtype=np.int64)
        by_row = self._packed(stored).reshape(stored.shape[0], -1)
        return self._decode(stored, by_row[index]).reshape(len(index), *stored.shape[1:])

    def has_parts(self, name: str) -> bool:
        return self.stored(name).dtype in BLOCKS or super().has_parts(name)

    def part(self, name: str, rows: slice | NDArray[Any], columns: slice) -> NDArray[Any] | Grouped:
        stored = self.stored(name)
        if stored.dtype not in BLOCKS:
            return super().part(name, rows, columns)
        self._check_read(stored)
        numbers, nbytes = BLOCKS[stored.dtype]
        by_row = self._packed(stored).reshape(-1, stored.shape[-1] // numbers * nbytes)
        raw = by_row[rows, columns.start // numbers * nbytes : columns.stop // numbers * nbytes]
        return unpack(np.ascontiguousarray(raw), stored.dtype)

    def digest(self) -> str:
        """16 hex digits: a hash of the whole header, with metadata and tokenizer as well as tensors."""
        return self._digest

    def _packed(self, stored: Stored) -> NDArray[np.uint8]:
        return self.data[self._offsets[stored.name] :][: stored.nbytes]

    def _decode(self, stored: Stored, raw: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._check_read(stored)
        return dequantise(raw, stored.dtype)

    def _check_read(self, stored: Stored) -> None:
        if stored.dtype not in UNPACKERS:
            readable = ", ".join(UNPACKERS)
            raise CheckpointError(
                f"{stored.file}: tensor {shown(stored.name)} is stored as {stored.dtype}, which is not read",
                f"quantised types that are read: {readable}",
            )


class _Header:
    """A position in the header; every read checks that the file is long enough."""

    def __init__(self, path: Path, data: NDArray[np.uint8]) -> None:
        self.path, self.at = path, 0
        self._view = data.data
        self._end = min(data.size, MAX_HEADER)

    def preamble(self) -> tuple[int, int]:
        """Number of tensors, number of metadata values."""
        if self._view[:4] != b"GGUF":
            damaged(self.path, "is not a GGUF file")
        self.at = 4
        version = self.u32()
        if version not in (2, 3):
            big = int.from_bytes(version.to_bytes(4, "little"), "big") in (2, 3)
            damaged(self.path, "is big-endian GGUF" if big else f"is GGUF version {version}; 2 and 3 are read")
        n_tensors, n_values = self.u64(), self.u64()
        # A tensor takes at least 24 bytes of header and a value 13: a larger count is damage.
        if n_tensors * 24 + n_values * 13 > self._end - self.at:
            damaged(self.path, f"claims {n_tensors:,} tensors and {n_values:,} values, more than its size allows")
        return n_tensors, n_values

    def take(self, nbytes: int) -> memoryview:
        start = self.at
        if nbytes > self._end - start:
            if self._end == MAX_HEADER:
                damaged(self.path, f"its header passes {MAX_HEADER:,} bytes")
            damaged(self.path, f"truncated: its header goes on beyond byte {self._end:,}")
        self.at = start + nbytes
        return self._view[start : self.at]

    def u32(self) -> int:
        return _U32.unpack(self.take(4))[0]

    def u64(self) -> int:
        return _U64.unpack(self.take(8))[0]

    def text(self) -> str:
        return str(self.take(self.u64()), "utf-8", "replace")

    def value(self, kind: int, key: str) -> Any:
        """One metadata value."""
        if kind in _NUMBERS:
            code = "<" + _NUMBERS[kind]
            return struct.unpack(code, self.take(struct.calcsize(code)))[0]
        if kind == _TEXT:
            return self.text()
        if kind != _LIST:
            damaged(self.path, f"metadata key {shown(key)} has the unknown type {kind}")
        kind, count = self.u32(), self.u64()
        if kind in _NUMBERS:
            dtype = np.dtype("<" + _NUMBERS[kind])
            return np.frombuffer(self.take(count * dtype.itemsize), dtype)
        if kind != _TEXT:
            damaged(self.path, f"metadata key {shown(key)} is a list of the unknown type {kind}")
        return self._texts(count, key)

    def _texts(self, count: int, key: str) -> list[str]:
        """A list of `count` texts. Opening a file spends most of its time in this loop."""
        if count > _MAX_TEXTS or count * 8 > self._end - self.at:
            damaged(self.path, f"metadata key {shown(key)} claims {count:,} texts, more than its size allows")
        view, at, end, unpack = self._view, self.at, self._end, _U64.unpack_from
        texts = []
        for _ in range(count):
            if end - at < 8:
                damaged(self.path, f"truncated: its header goes on beyond byte {end:,}")
            stop = at + 8 + unpack(view, at)[0]
            if stop > end:
                damaged(self.path, f"truncated: its header goes on beyond byte {end:,}")
            texts.append(str(view[at + 8 : stop], "utf-8", "replace"))
            at = stop
        self.at = at
        return texts

    def tensor(self) -> tuple[Stored, int]:
        """One entry of the list of tensors, and its offset in the data."""
        name = self.text()
        axes = self.u32()
        if axes > _AXES:
            damaged(self.path, f"tensor {shown(name)} has {axes} axes; at most {_AXES} are possible")
        shape = checked_shape(self.path, name, [self.u64() for _ in range(axes)][::-1])  # stored fastest axis first
        kind = self.u32()
        if kind not in TYPES:
            damaged(self.path, f"tensor {shown(name)} has the unknown type {kind}")
        dtype = TYPES[kind]
        numbers, nbytes = BLOCKS.get(dtype) or (1, DTYPE_BYTES[dtype])
        row = shape[-1] if shape else 1
        if row % numbers:
            damaged(self.path, f"tensor {shown(name)} has rows of {row:,}, no multiple of {dtype}'s {numbers}")
        return Stored(name, shape, dtype, math.prod(shape) // numbers * nbytes, self.path.name), self.u64()


def _check_layout(path: Path, tensors: dict[str, Stored], places: dict[str, int], size: int) -> None:
    """Raise unless every tensor lies within the file and none overlaps another."""
    at, last = 0, ""
    for name in sorted(tensors, key=lambda name: (places[name], tensors[name].nbytes)):
        end = places[name] + tensors[name].nbytes
        if end > size:
            damaged(path, f"truncated: tensor {shown(name)} ends at byte {end:,}, the file at {size:,}")
        if places[name] < at:
            damaged(path, f"tensor {shown(name)} overlaps {shown(last)}")
        at, last = end, name
