"""Weights in an .npz, written by hand for teaching or by another program with `numpy.savez`.

`W_Q`, `W_K`, `W_V` float [d_model, n_heads * d_head] and `n_heads`; optional `W_O` [n_heads * d_head, d_model], biases
`b_Q`, `b_K`, `b_V`, `b_O`, `embedding` [token, d_model] with `tokens` (text), `positions` [position, d_model] and
`causal`. Further layers carry a suffix: `W_Q.1`. Nothing is unpickled.
"""

from __future__ import annotations

import ast
import math
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.checkpoints.base import (
    DTYPE_OF_NUMPY,
    Checkpoint,
    Stored,
    check_whole,
    checked_shape,
    damaged,
    map_file,
    shown,
    times,
)
from attnviz.checkpoints.zips import Member, members

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEAD = 4096  # limit of an .npy header in bytes; a plain array's takes 128
_DTYPE = re.compile(r"[<|=]?(b1|[iu][1248]|f[248]|c8|U[1-9]\d{0,6})")
_LAYER = re.compile(r"W_Q(?:\.(\d{1,4}))?")


def open_npz(path: Path) -> NpzCheckpoint:
    """Open an .npz of weights.

    Raises:
        CheckpointError: no such file, damaged, or without W_Q, W_K, W_V and n_heads.
    """
    return NpzCheckpoint(path)


class NpzCheckpoint(Checkpoint):
    """Arrays of an .npz by name; uncompressed arrays are views of the file.

    config: model_type "npz", n_heads, n_layers, d_model, causal, tokens (list of str, or None), has_positions,
    has_embedding.
    """

    def __init__(self, path: Path) -> None:
        self._data: NDArray[np.uint8] | None = map_file(path)
        self._arrays: dict[str, _Array] = {}
        self._file = path
        for member in members(path, self._data).values():
            if member.name.endswith(".npy"):
                array = _header(path, self._data, member)
                self._arrays[array.name] = array
        tensors = {
            a.name: Stored(a.name, a.shape, DTYPE_OF_NUMPY[a.dtype], math.prod(a.shape) * a.dtype.itemsize, path.name)
            for a in self._arrays.values()
            if a.dtype in DTYPE_OF_NUMPY
        }
        super().__init__(path, tensors, {name: self._arrays[name].member.start for name in tensors}, None)
        self.config = self._config()

    def read(self, name: str) -> NDArray[Any]:
        self.stored(name)
        return self._decode(self._arrays[name])

    def close(self) -> None:
        self._data = None

    def _raw(self, array: _Array) -> NDArray[np.uint8]:
        if self._data is None:
            damaged(self.path, "was closed")
        check_whole(self._file, self._data)
        return _bytes(self._file, self._data, array.member, array.member.size)[array.start :]

    def _decode(self, array: _Array) -> NDArray[Any]:
        flat = self._raw(array).view(array.dtype)
        return flat.reshape(array.shape[::-1]).T if array.fortran else flat.reshape(array.shape)

    def _scalar(self, name: str, default: int | None = None) -> int:
        array = self._arrays.get(name)
        if array is None:
            if default is None:
                damaged(self._file, f"has no {name}", "weights in an .npz need W_Q, W_K, W_V and n_heads")
            return default
        if math.prod(array.shape) != 1 or array.dtype.kind not in "iub":
            damaged(self._file, f"{name} must be one whole number")
        return int(self._decode(array).reshape(())[()])

    def _config(self) -> dict[str, Any]:
        for name in ("W_Q", "W_K", "W_V"):
            if name not in self.tensors:
                damaged(self._file, f"has no {name}", "weights in an .npz need W_Q, W_K, W_V and n_heads")
        layers = sorted(int(m[1] or 0) for m in map(_LAYER.fullmatch, self.tensors) if m)
        if layers != list(range(len(layers))):
            damaged(self._file, f"its layers must be numbered 0 to {len(layers) - 1} (W_Q, W_Q.1, ...); got {layers}")
        query = self.tensors["W_Q"].shape
        n_heads = self._scalar("n_heads")
        if len(query) != 2 or n_heads < 1 or query[1] == 0 or query[1] % n_heads:
            damaged(
                self._file, f"W_Q must be d_model x (n_heads * d_head) with n_heads {n_heads}; it is {times(query)}"
            )
        return {
            "model_type": "npz",
            "n_heads": n_heads,
            "n_layers": len(layers),
            "d_model": query[0],
            "causal": bool(self._scalar("causal", 0)),
            "tokens": self._tokens(),
            "has_embedding": "embedding" in self.tensors,
            "has_positions": "positions" in self.tensors,
        }

    def _tokens(self) -> list[str] | None:
        array = self._arrays.get("tokens")
        if array is None:
            return None
        if array.dtype.kind != "U" or len(array.shape) != 1:
            damaged(self._file, "tokens must be a list of texts")
        # NumPy text has four bytes per character, and fails on numbers that are no character.
        wide, raw = array.dtype.itemsize, self._raw(array).tobytes()
        tokens = [
            raw[at : at + wide].decode("utf-32-le", "replace").rstrip("\0")
            for at in range(0, wide * array.shape[0], wide)
        ]
        table = self.tensors.get("embedding")
        if table is None or len(table.shape) != 2 or table.shape[0] != len(tokens):
            have = "there is none" if table is None else f"it is {times(table.shape)}"
            damaged(self._file, f"embedding must have a row for each of {len(tokens)} tokens; {have}")
        return tokens


class _Array:
    """One .npy member, from its header."""

    __slots__ = ("dtype", "fortran", "member", "name", "shape", "start")

    def __init__(self, member: Member, shape: tuple[int, ...], fortran: bool, dtype: np.dtype[Any], start: int) -> None:
        self.name = member.name.removesuffix(".npy")
        self.member, self.shape, self.fortran, self.dtype, self.start = member, shape, fortran, dtype, start


def _header(path: Path, data: NDArray[np.uint8], member: Member) -> _Array:
    """Shape and dtype of a member, checked against its size."""
    name = shown(member.name.removesuffix(".npy"))
    head = _bytes(path, data, member, min(_HEAD, member.size)).tobytes()
    begin = 10 if head[6:7] == b"\x01" else 12  # after the magic string, the version and a length
    start = begin + int.from_bytes(head[8:begin], "little")
    try:
        # NumPy's own reader takes long over some damaged headers, and guesses at what is not valid.
        fields = ast.literal_eval(head[begin:start].decode("latin-1").strip())
        descr, fortran, shape = fields["descr"], fields["fortran_order"], fields["shape"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        fields = None
    if not head.startswith(b"\x93NUMPY") or start > len(head) or fields is None:
        damaged(path, f"array {name} has no valid .npy header")
    if not isinstance(descr, str) or not _DTYPE.fullmatch(descr):
        damaged(path, f"array {name} has the dtype {shown(descr, 40)}, which is not read")
    shape, dtype = checked_shape(path, name, shape), np.dtype(descr)
    needed = math.prod(shape) * dtype.itemsize
    if start + needed != member.size:
        damaged(path, f"array {name} needs {needed:,} bytes by its shape, it has {member.size - start:,}")
    return _Array(member, shape, bool(fortran), dtype, start)


def _bytes(path: Path, data: NDArray[np.uint8], member: Member, size: int) -> NDArray[np.uint8]:
    """The first `size` bytes of a member: a view if it is stored uncompressed, unpacked otherwise."""
    packed = data[member.start : member.start + member.packed]
    if member.plain or size == 0:  # unpacking to a limit of 0 would mean no limit
        return packed[:size]
    try:
        unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed.data, size)
    except zlib.error as error:
        damaged(path, f"member {shown(member.name)} cannot be unpacked ({error})")
    if len(unpacked) < size:
        damaged(path, f"member {shown(member.name)} unpacks to {len(unpacked):,} bytes, not {member.size:,}")
    if size == member.size and zlib.crc32(unpacked) != member.crc:
        damaged(path, f"member {shown(member.name)} is damaged: its checksum does not fit")
    return np.frombuffer(unpacked, np.uint8)
