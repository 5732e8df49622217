"""Arrays in .npy and .npz files of strangers: headers held against the file and a budget before a number is read.

Nothing is unpickled.
"""

from __future__ import annotations

import lzma
import math
import mmap
import os
import struct
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import AttnvizError, InputError, shown
from attnviz.files.untrusted import open_file, shrunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Shape = tuple[int, ...]

# Unpacked and as float32, arrays of an .npz may take 100 times the file, and always this many bytes: zeros shrink to
# a thousandth, attention does not.
MAX_RATIO, ALWAYS_ALLOWED = 100, 256 << 20
MAX_MEMBERS = 1000
MAX_AXES, MAX_BYTES = 32, 1 << 50


class Member:
    """One array in a file: name, shape and type are known from its header; the numbers are read when asked for."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> None:
        self._archive, self._info = archive, info
        self.where = f"{where}, array {info.filename.removesuffix('.npy')!r}"
        with archive.open(info) as file:
            self.shape, self.fortran, self.dtype, start = _header(file, self.where)
        if start + _n_bytes(self.shape, self.dtype) != info.file_size:
            raise InputError(
                f"{self.where}: {shown(list(self.shape))} {self.dtype} does not fit its {info.file_size} bytes"
            )

    def takes(self) -> int:
        """Bytes of memory once it is read; numbers become float32."""
        count = math.prod(self.shape)
        return count * max(self.dtype.itemsize, 4)

    def read(self) -> NDArray[Any]:
        with self._archive.open(self._info) as file:
            _header(file, self.where)
            data = file.read()
        wanted = _n_bytes(self.shape, self.dtype)
        if len(data) != wanted:
            raise InputError(f"{self.where}: wanted {wanted} bytes, got {len(data)}")
        if self.dtype.kind == "U":
            data = _characters(data, self.dtype)
        flat = np.frombuffer(data, self.dtype)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


def _characters(data: bytes, dtype: np.dtype[Any]) -> bytes:
    """Text of four bytes a character, of which not every number is one: those that are none become marks."""
    codes = np.frombuffer(data, dtype.str[0] + "u4")
    odd = codes > sys.maxunicode
    return np.where(odd, 0xFFFD, codes).astype(codes.dtype).tobytes() if odd.any() else data


@contextmanager
def archive(place: Path) -> Iterator[dict[str, Member]]:
    """The arrays of an .npz by name; whatever is wrong with the zip file becomes one InputError."""
    try:
        with open_file(place) as file, zipfile.ZipFile(file) as archive:
            found = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            if len(found) > MAX_MEMBERS:
                raise InputError(f"{place.name}: {len(found):,} arrays in it; at most {MAX_MEMBERS:,} are read")
            arrays = {info.filename.removesuffix(".npy"): Member(archive, info, place.name) for info in found}
            _check_budget(place, arrays)
            yield arrays
    except AttnvizError:
        raise
    except _ZIP_FAULTS as error:
        raise InputError(f"{place.name}: not a whole .npz file ({' '.join(str(error).split())[:80]})") from error


_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    RuntimeError,  # encrypted; also a method of compression that is not there
    ValueError,
    OverflowError,
    IndexError,
    KeyError,
)


def _check_budget(place: Path, arrays: Mapping[str, Member]) -> None:
    """No small file may become a large array: what all arrays would take is held against the file's size."""
    takes = sum(array.takes() for array in arrays.values())
    allowed = max(ALWAYS_ALLOWED, MAX_RATIO * place.stat().st_size)
    if takes > allowed:
        raise InputError(
            f"{place.name}: its arrays would take {takes:,} bytes, too many for a file of {place.stat().st_size:,}",
            "save them with numpy.savez, uncompressed",
        )


class Mapped(np.ndarray[Any, Any]):
    """An array in a mapped file, which is measured again before numbers of it are read.

    A part with fewer axes, such as `weights[layer]`, is read into memory, as is all of it by `astype` and by whatever
    computes; what asks for no measuring, such as `numpy.asarray`, gets a view without.
    """

    name = "the file"

    def __array_finalize__(self, made_from: object) -> None:
        self.name = getattr(made_from, "name", self.name)

    def whole(self) -> NDArray[Any]:
        """The same array without further measuring. Raises InputError if the file has shrunk."""
        if fault := shrunk(self):
            raise InputError(f"{self.name}: {fault}", "wait until it is written, then read it again")
        return self.view(np.ndarray)

    def __getitem__(self, index: Any) -> Any:
        found = self.whole()[index]
        if not isinstance(found, np.ndarray) or not np.may_share_memory(found, self):
            return found
        return found.view(Mapped) if found.ndim == self.ndim else found.copy()

    def astype(self, dtype: Any, **how: Any) -> Any:  # type: ignore[override]
        """All of it in memory, as this type, also where it has the type already."""
        return self.whole().astype(dtype, **{**how, "copy": True})

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [one.whole() if isinstance(one, Mapped) else one for one in inputs]
        return getattr(ufunc, method)(*plain, **options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        self.whole()
        return super().__array_function__(function, types, args, options)


def npy(place: Path) -> NDArray[Any]:
    """The array of an .npy file, mapped rather than read: only what is used is brought into memory."""
    with open_file(place) as file:
        shape, fortran, dtype, start = _header(file, place.name)
        have = os.fstat(file.fileno()).st_size - start
        if have != _n_bytes(shape, dtype):
            wants = shown(_n_bytes(shape, dtype))
            raise InputError(f"{place.name}: {shown(list(shape))} {dtype} wants {wants} bytes, it holds {have}")
        if not have:
            return np.zeros(shape, dtype)
        data = mmap.mmap(file.fileno(), start + have, access=mmap.ACCESS_READ)
    found = Mapped(shape, dtype, data, start, order="F" if fortran else "C")
    found.name = place.name
    return found


def _header(file: IO[bytes], where: str) -> tuple[Shape, bool, np.dtype[Any], int]:
    """Shape, column order, type and length of the header of an array that holds plain numbers or text."""
    try:
        version = np.lib.format.read_magic(file)
        reader = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = reader(file)
    except (*_ZIP_FAULTS, SyntaxError, RecursionError, MemoryError, TypeError, tokenize.TokenError) as error:
        raise InputError(f"{where}: not a NumPy array (.npy or .npz)", _hint(where)) from error
    if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None:
        raise InputError(f"{where}: holds Python objects or records, wanted plain numbers", "they are never unpickled")
    if any(size < 0 for size in shape):
        raise InputError(f"{where}: a negative size in {shown(list(shape))}")
    # With an axis of 0 an array takes no byte of the file, however long the others are.
    if len(shape) > MAX_AXES or math.prod(size for size in shape if size) * max(dtype.itemsize, 1) > MAX_BYTES:
        raise InputError(f"{where}: no array can have the shape {shown(list(shape))}")
    return shape, fortran, dtype, file.tell()


def _hint(where: str) -> str:
    """What to do about a file that `attnviz export` wrote for other programs."""
    if not where.lower().endswith((".json", ".csv", ".parquet")):
        return ""
    return "of what attnviz export writes, .npz alone can be read again: -o x.npz"


def _n_bytes(shape: Shape, dtype: np.dtype[Any]) -> int:
    return math.prod(shape) * dtype.itemsize


def existing(path: str | os.PathLike[str]) -> Path:
    place = Path(path)
    try:
        if place.is_dir():
            raise InputError(f"{place.name}: a folder, wanted a file")
        if not place.exists():
            raise InputError(f"no such file: {shown(str(place))}")
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise InputError(f"cannot read {shown(str(place))}: {error.strerror or error}") from None
    open_file(place).close()
    return place
