"""Arrays in .npy and .npz files that nobody trusts: headers are compared with the file before a number is read.

Nothing is unpickled.
"""

from __future__ import annotations

import ast
import math
import re
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.checkpoints.base import check_whole, checked_shape, damaged, map_file, shown
from attnviz.checkpoints.zips import ALWAYS_ALLOWED, Member, members

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = b"\x93NUMPY"
HEAD = 4096  # limit of a header in bytes; a plain array's takes 128
_NEVER = "wanted plain numbers or text; Python objects are never unpickled"
_DTYPE = re.compile(r"[<>|=]?([?biufc]\d{0,2}|[SU]\d{1,7})")


@dataclass(frozen=True, slots=True)
class Header:
    """The header of an array. fortran: columns first; start: offset of the numbers, in bytes from the header."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    start: int

    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        """The array in these bytes, head included: a view.

        In text, numbers that are no character become marks: NumPy would fail at them.
        """
        flat = raw[self.start :].view(self.dtype)
        if self.dtype.kind == "U":
            codes = flat.view(self.dtype.str[0] + "u4")
            if (odd := codes > sys.maxunicode).any():
                flat = np.where(odd, 0xFFFD, codes).astype(codes.dtype).view(self.dtype)
        return flat.reshape(self.shape[::-1]).T if self.fortran else flat.reshape(self.shape)


def header(path: Path, name: str, head: bytes, size: int) -> Header:
    """The header in the first bytes of an array.

    Args:
        path: of the file, for messages; name: of the array in it.
        head: at most HEAD bytes.
        size: bytes of the whole array, header included.

    Raises:
        CheckpointError: damaged, not plain numbers or text, or a size that the header contradicts.
    """
    begin = 10 if head[6:7] == b"\x01" else 12  # after the magic string, the version and a length
    start = begin + int.from_bytes(head[8:begin], "little")
    try:
        # NumPy's own reader takes long over some damaged headers, and guesses at what is not valid.
        fields = ast.literal_eval(head[begin:start].decode("latin-1").strip())
        descr, fortran, shape = fields["descr"], fields["fortran_order"], fields["shape"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        fields = None
    begins = head.startswith(MAGIC) and head[6:7] in (b"\x01", b"\x02", b"\x03")
    if not begins or start > len(head) or fields is None:
        damaged(path, f"array {shown(name)} has no valid .npy header")
    try:
        dtype = np.dtype(descr if isinstance(descr, str) and _DTYPE.fullmatch(descr) else object)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.hasobject or not dtype.itemsize:
        damaged(path, f"array {shown(name)} has the dtype {shown(descr, 40)}, which is not read", _NEVER)
    shape = checked_shape(path, name, shape)
    needed = math.prod(shape) * dtype.itemsize
    if start + needed != size:
        damaged(path, f"array {shown(name)} needs {needed:,} bytes by its shape, it has {size - start:,}")
    return Header(shape, bool(fortran), dtype, start)


class NpzFile:
    """The arrays of an .npz by name.

    headers: of each array. always_allowed: bytes that each may have, however small its part of the file is.
    """

    def __init__(self, path: Path, always_allowed: float = ALWAYS_ALLOWED) -> None:
        self.path = path
        self._data: NDArray[np.uint8] | None = map_file(path)
        self._checked: set[str] = set()
        entries = members(path, self._data, always_allowed).values()
        self.members = {m.name.removesuffix(".npy"): m for m in entries if m.name.endswith(".npy")}
        self.headers = {
            name: header(path, name, _bytes(path, self._data, m, min(HEAD, m.size)).tobytes(), m.size)
            for name, m in self.members.items()
        }

    def read(self, name: str) -> NDArray[Any]:
        """An array: a view of the file if it is stored uncompressed. The file is measured first."""
        if self._data is None:
            damaged(self.path, "was closed")
        check_whole(self.path, self._data)
        member = self.members[name]
        stored = _bytes(self.path, self._data, member, member.size)
        if member.plain and name not in self._checked:  # what was unpacked is checked with that
            _check_sum(self.path, member, stored.data)
            self._checked.add(name)
        return self.headers[name].decode(stored)

    def close(self) -> None:
        self._data = None


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
    if size == member.size:
        _check_sum(path, member, unpacked)
    return np.frombuffer(unpacked, np.uint8)


def _check_sum(path: Path, member: Member, whole: bytes | memoryview) -> None:
    """Raise CheckpointError if a member's bytes are not the ones that were written."""
    if zlib.crc32(whole) != member.crc:
        damaged(path, f"member {shown(member.name)} is damaged: its checksum does not fit")
