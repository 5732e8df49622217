"""The interface of every weight file: names and shapes when it is opened, numbers when they are read.

Files are untrusted: a header is compared with the size of the file before it is believed, and no memory is allocated
because a header claims it.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, Self

import numpy as np

from attnviz.errors import CheckpointError
from attnviz.files import untrusted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.checkpoints.quants import Grouped

MAX_HEADER = 100_000_000  # bytes; the safetensors format sets the same limit
MAX_DIMS = 8
MAX_SIZE = 1 << 40  # the largest size of one axis
MAX_NUMBERS = 1 << 60  # the largest number of entries in a tensor, axes of 0 not counted

# Names of dtypes in safetensors -> NumPy's names; `numpy_dtype` adds dtypes that only ml_dtypes has.
_NUMPY = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
    "C64": "<c8",
}
_ML_DTYPES = {
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
}
DTYPE_BYTES = {name: int(code[-1]) for name, code in _NUMPY.items()} | {
    name: 2 if name == "BF16" else 1 for name in _ML_DTYPES
}
DTYPE_OF_NUMPY = {np.dtype(code): name for name, code in _NUMPY.items()}


def numpy_dtype(name: str) -> np.dtype[Any]:
    """`"F32"` -> dtype float32; `"BF16"` and the 8-bit floats through ml_dtypes, loaded only then."""
    if name in _NUMPY:
        return np.dtype(_NUMPY[name])
    import ml_dtypes

    return np.dtype(getattr(ml_dtypes, _ML_DTYPES[name]))


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor of a file, as its header describes it.

    shape: as `read` returns it (rows first); dtype: "F32", "BF16", "Q4_1", ...; nbytes: on disk; file: name of the file
    that holds it, without its folder.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    file: str


class Checkpoint:
    """Named tensors in a file or in several, read one by one.

    Attributes:
        path: the file, or the folder's index file.
        tensors: stored name -> Stored, from headers only.
        config: the model's configuration if the file itself holds it (GGUF, npz), else None.
    """

    def __init__(
        self, path: Path, tensors: Mapping[str, Stored], places: Mapping[str, object], config: dict[str, Any] | None
    ) -> None:
        self.path = path
        self.tensors = tensors
        self.config = config
        self._places = places

    def read(self, name: str) -> NDArray[Any]:
        """The whole tensor, read-only: in its stored dtype (a view of the file if possible), or float32 if it is stored
        in blocks of few bits.

        Raises:
            CheckpointError: no such tensor, or its numbers cannot be decoded.
        """
        raise NotImplementedError

    def rows(self, name: str, ids: Sequence[int] | NDArray[Any]) -> NDArray[Any]:
        """The rows `ids` of the first axis; no other rows are read: [len(ids), ...]."""
        return self.read(name)[np.asarray(ids, dtype=np.int64)]

    def has_parts(self, name: str) -> bool:
        """Whether a tensor is stored in blocks of few bits or as 16-bit floats, of which `part` reads any rows."""
        return False

    def part(self, name: str, rows: slice | NDArray[Any], columns: slice) -> NDArray[Any] | Grouped:
        """Some rows (counted over all axes but the last) and columns: [row, column]. For a tensor that has parts.

        columns: begin and end at multiples of 256, or at the end.
        """
        raise NotImplementedError

    def digest(self) -> str:
        """16 hex digits: a hash of names, dtypes, shapes and places of all tensors; the numbers are not read."""
        lines = (
            f"{name}\t{stored.dtype}\t{stored.shape}\t{self._places.get(name)}\n"
            for name, stored in sorted(self.tensors.items())
        )
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def close(self) -> None:
        """Close the file. Arrays that were returned stay valid."""

    def place(self, name: str) -> object:
        """A tensor's place in the file, for the digest."""
        return self._places.get(name)

    def stored(self, name: str) -> Stored:
        """The description of a tensor. Raises CheckpointError if there is none."""
        tensor = self.tensors.get(name)
        if tensor is None:
            raise CheckpointError(f"{self.path.name} has no tensor {shown(name)}")
        return tensor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Mapped(Checkpoint):
    """Tensors that lie in one memory-mapped file as plain arrays, each at a place `(offset, ...)`."""

    def __init__(
        self,
        path: Path,
        data: NDArray[np.uint8],
        tensors: Mapping[str, Stored],
        places: Mapping[str, int],
        config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(path, tensors, places, config)
        self._data: NDArray[np.uint8] | None = data
        self._offsets = places

    def read(self, name: str) -> NDArray[Any]:
        stored = self.stored(name)
        raw = self.data[self._offsets[name] :][: stored.nbytes]
        return raw.view(numpy_dtype(stored.dtype)).reshape(stored.shape)

    def has_parts(self, name: str) -> bool:
        return self.stored(name).dtype in ("F16", "BF16")

    def part(self, name: str, rows: slice | NDArray[Any], columns: slice) -> NDArray[Any] | Grouped:
        array = self.read(name)
        return array.reshape(-1, array.shape[-1])[rows, columns]

    @property
    def data(self) -> NDArray[np.uint8]:
        """The file's bytes."""
        if self._data is None:
            raise CheckpointError(f"{self.path.name} was closed")
        check_whole(self.path, self._data)
        return self._data

    def close(self) -> None:
        self._data = None


def map_file(path: Path) -> NDArray[np.uint8]:
    """The bytes of a regular file, read-only and mapped: a page is read when it is touched."""
    with opened(path) as file:
        if os.fstat(file.fileno()).st_size == 0:
            return np.empty(0, np.uint8)
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


def check_whole(path: Path, data: NDArray[np.uint8]) -> None:
    """Raise CheckpointError if a mapped file has shrunk: reading the missing part would end the process (SIGBUS)."""
    if fault := untrusted.shrunk(data):
        damaged(path, fault)


def opened(path: Path) -> BinaryIO:
    """A regular file, open for reading; pipes and devices are refused, since they would block or never end."""
    return untrusted.open_file(path, CheckpointError)


def shown(text: object, limit: int = 100) -> str:
    """A name from an untrusted file, for a one-line message: shortened, without line breaks and control characters."""
    plain = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text)[: limit + 1]
    )
    return plain if len(plain) <= limit else plain[: limit - 3] + "..."


def times(shape: Sequence[int]) -> str:
    """`(32, 16)` -> "32 x 16", as messages and listings write shapes."""
    return " x ".join(map(str, shape)) if len(shape) else "a single number"


def damaged(path: Path, fault: str, hint: str = "") -> NoReturn:
    """The error for a damaged file: its name, then the fault."""
    raise CheckpointError(f"{path.name}: {fault}", hint)


def checked_shape(path: Path, name: str, shape: object) -> tuple[int, ...]:
    """A shape from an untrusted header: a list of at most MAX_DIMS whole numbers, none negative."""
    if not isinstance(shape, (list, tuple)) or not all(type(n) is int and n >= 0 for n in shape):
        damaged(path, f"the shape of tensor {shown(name)} is not a list of sizes")
    if len(shape) > MAX_DIMS:
        damaged(path, f"tensor {shown(name)} has {len(shape)} axes; at most {MAX_DIMS} are read")
    if max(shape, default=0) > MAX_SIZE:
        damaged(path, f"tensor {shown(name)} has an axis of {shown(max(shape), 30)}")
    if 0 in shape and math.prod(n for n in shape if n) > MAX_NUMBERS:  # such a tensor has no bytes to compare with
        damaged(path, f"tensor {shown(name)} has the shape {shown(times(shape), 80)}, which no array can have")
    return tuple(shape)


def checked_bytes(path: Path, name: str, shape: tuple[int, ...], dtype: str) -> int:
    """The size of a plain tensor in bytes. Raises if the dtype is not one that is read."""
    if dtype not in DTYPE_BYTES:
        damaged(path, f"tensor {shown(name)} has the unknown dtype {shown(dtype, 40)}")
    return math.prod(shape) * DTYPE_BYTES[dtype]


def parse_json(path: Path, text: bytes, what: str) -> dict[str, Any]:
    """A JSON object from an untrusted file: no key twice, no nesting that exhausts the stack."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) < len(pairs):
            seen: set[str] = set()
            double = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            damaged(path, f"{what} has the key {shown(double)} twice")
        return entries

    def fault(message: str) -> CheckpointError:
        return CheckpointError(f"{path.name}: {message}")

    value = untrusted.parse(text, what, fault, unique)
    if not isinstance(value, dict):
        damaged(path, f"{what} is not a JSON object")
    return value
