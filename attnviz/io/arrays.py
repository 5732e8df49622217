"""Arrays in .npy and .npz files that nobody trusts, held to a budget before a number is read."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.checkpoints.base import map_file
from attnviz.checkpoints.npy import HEAD, MAGIC, NpzFile, header
from attnviz.errors import CheckpointError, InputError, shown
from attnviz.files.untrusted import open_file, shrunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Unpacked and as float32, arrays of an .npz may take 100 times the file, and always this many bytes: zeros shrink to
# a thousandth, attention does not.
MAX_RATIO, ALWAYS_ALLOWED = 100, 256 << 20
MAX_MEMBERS = 1000


class Member:
    """One array of an .npz: name, shape and type are known from its header; the numbers are read when asked for."""

    def __init__(self, file: NpzFile, name: str) -> None:
        self._file, self._name = file, name
        self.shape, self.dtype = file.headers[name].shape, file.headers[name].dtype

    def takes(self) -> int:
        """Bytes of memory once it is read; numbers become float32."""
        return math.prod(self.shape) * max(self.dtype.itemsize, 4)

    def read(self) -> NDArray[Any]:
        """The array in memory. The file is measured first."""
        return np.array(self._file.read(self._name))


@contextmanager
def archive(place: Path) -> Iterator[dict[str, Member]]:
    """The arrays of an .npz by name. Raises InputError: damaged, or arrays that are too many or too large."""
    try:
        file = NpzFile(place, math.inf)  # the budget of all arrays together is checked below
        if len(file.headers) > MAX_MEMBERS:
            raise InputError(f"{place.name}: {len(file.headers):,} arrays in it; at most {MAX_MEMBERS:,} are read")
        arrays = {name: Member(file, name) for name in file.headers}
        check_budget(place, sum(array.takes() for array in arrays.values()))
        yield arrays
    except CheckpointError as error:
        raise InputError(str(error), error.hint) from None


def check_budget(place: Path, takes: int) -> None:
    """Refuse arrays that would take far more memory than their file has bytes."""
    size = place.stat().st_size
    if takes > max(ALWAYS_ALLOWED, MAX_RATIO * size):
        raise InputError(
            f"{place.name}: its arrays would take {takes:,} bytes, too many for a file of {size:,}",
            "save them with numpy.savez, uncompressed",
        )


class Mapped(np.ndarray[Any, Any]):
    """An array in a mapped file, which is measured again before numbers of it are read.

    A part with fewer axes, such as `weights[layer]`, is read into memory, and so is the whole array by `astype` and by
    every computation. `numpy.asarray` measures nothing and gives a view.
    """

    name = "the file"

    def __array_finalize__(self, made_from: object) -> None:
        self.name = getattr(made_from, "name", self.name)

    def whole(self) -> NDArray[Any]:
        """This array without further measuring. Raises InputError if the file has shrunk."""
        if fault := shrunk(self):
            raise InputError(f"{self.name}: {fault}", "wait until it is written, then read it again")
        return self.view(np.ndarray)

    def __getitem__(self, index: Any) -> Any:
        part = self.whole()[index]
        if not isinstance(part, np.ndarray) or not np.may_share_memory(part, self):
            return part
        return part.view(Mapped) if part.ndim == self.ndim else part.copy()

    def astype(self, dtype: Any, **how: Any) -> Any:  # type: ignore[override]
        """The whole array in memory as this type, also where it has the type already."""
        return self.whole().astype(dtype, **{**how, "copy": True})

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [array.whole() if isinstance(array, Mapped) else array for array in inputs]
        return getattr(ufunc, method)(*plain, **options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        self.whole()
        return super().__array_function__(function, types, args, options)


def npy(place: Path) -> NDArray[Any]:
    """The array of an .npy file, mapped: only what is used is brought into memory."""
    try:
        data = map_file(place)
        head = data[:HEAD].tobytes()
        if not head.startswith(MAGIC):
            raise InputError(f"{place.name}: not a NumPy array (.npy or .npz)", _hint(place))
        array = header(place, place.stem, head, len(data)).decode(data).view(Mapped)
    except CheckpointError as error:
        raise InputError(str(error), error.hint) from None
    array.name = place.name
    return array


def _hint(place: Path) -> str:
    """Advice about a file that `attnviz export` wrote for other programs."""
    if place.suffix.lower() not in (".json", ".csv", ".parquet"):
        return ""
    return "of what attnviz export writes, .npz alone can be read again: -o x.npz"


def existing(path: str | os.PathLike[str]) -> Path:
    """The path of a regular file. Raises InputError."""
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
