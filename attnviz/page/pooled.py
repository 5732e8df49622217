"""Neighbouring cells of a matrix drawn as one, where a cell of its own would be smaller than a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def blocks(values: NDArray[Any], k: int, fill: float) -> NDArray[Any]:
    """[row, column] -> [row, k, column, k], its last rows and columns filled up with `fill`."""
    rows, cols = (-(-side // k) for side in values.shape)
    padded = np.full((rows * k, cols * k), fill, values.dtype)
    padded[: values.shape[0], : values.shape[1]] = values
    return padded.reshape(rows, k, cols, k)


def strongest(values: NDArray[Any], k: int) -> NDArray[Any]:
    """[row, column] -> the number furthest from 0 in each block of k x k."""
    cells = blocks(values, k, 0.0).swapaxes(1, 2)
    cells = cells.reshape(*cells.shape[:2], k * k)
    return np.take_along_axis(cells, np.abs(cells).argmax(-1, keepdims=True), -1)[..., 0]


def all_hidden(hidden: NDArray[np.bool_] | None, k: int) -> NDArray[np.bool_] | None:
    """[row, column] -> whether each block of k x k is hidden as a whole; None for None."""
    return None if hidden is None else np.logical_and.reduce(blocks(hidden, k, True), (1, 3))
