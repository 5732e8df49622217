"""A model's numbers by name: the protocol that every checkpoint serves, and the part of one stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]


class Part(Protocol):
    """Some rows and columns of a stored matrix, [row, column]."""

    def floats(self, out: Array) -> None:
        """Write them as float32 into `out` [row, column], C-contiguous."""

    def dots(self, x: Array) -> Array:
        """The product with one vector [column] -> [row]."""


class Matrix(Protocol):
    """A matrix [d_out, d_in] that stays as it is stored: products decode it a part at a time (products.py)."""

    @property
    def shape(self) -> tuple[int, int]: ...

    def part(self, rows: slice, columns: slice, again: bool = False) -> Part:
        """Some rows and columns, which begin at multiples of 256. again: it is likely to be wanted again."""

    def check(self) -> None:
        """Raise if any number is NaN or infinity."""


class Tensors(Protocol):
    """A model's numbers by canonical name, read when asked for."""

    def get(self, name: str, shape: tuple[int, ...]) -> Array:
        """float32 of exactly this shape."""

    def rows(self, name: str, ids: Any, shape: tuple[int, ...]) -> Array:
        """Only the rows of these ids (or words) of a table of this shape."""

    def has(self, name: str) -> bool:
        """Whether there is such a tensor."""


@dataclass(frozen=True, eq=False)
class Scoped:
    """The tensors of one stack of a model: every name begins with a prefix."""

    tensors: Tensors
    prefix: str

    def get(self, name: str, shape: tuple[int, ...]) -> Array:
        return self.tensors.get(self.prefix + name, shape)

    def matrix(self, name: str, shape: tuple[int, int]) -> Array | Matrix:
        return matrix_of(self.tensors, self.prefix + name, shape)

    def rows(self, name: str, ids: Any, shape: tuple[int, ...]) -> Array:
        return self.tensors.rows(self.prefix + name, ids, shape)

    def has(self, name: str) -> bool:
        return self.tensors.has(self.prefix + name)


def matrix_of(tensors: Tensors, name: str, shape: tuple[int, int]) -> Array | Matrix:
    """A matrix for products alone: as it is stored if `tensors` would have to decode it, else as `get` returns it."""
    matrix: Array | Matrix = getattr(tensors, "matrix", tensors.get)(name, shape)
    return matrix


def floats(matrix: Array | Matrix, rows: slice | None = None) -> Array:
    """Some rows of a matrix, or all of it, as float32."""
    rows = slice(0, matrix.shape[0]) if rows is None else rows
    if isinstance(matrix, np.ndarray):
        return matrix[rows]
    out = np.empty((rows.stop - rows.start, matrix.shape[1]), np.float32)
    matrix.part(rows, slice(0, matrix.shape[1])).floats(out)
    return out
