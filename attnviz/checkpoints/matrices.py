"""Matrices that stay as they are stored, and are decoded a part at a time inside products."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.checkpoints import layouts
from attnviz.checkpoints.halves import widen
from attnviz.checkpoints.quants import Grouped
from attnviz.errors import CheckpointError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.checkpoints.base import Checkpoint
    from attnviz.checkpoints.kept import Kept
    from attnviz.checkpoints.layouts import Sizes

    Array = NDArray[np.float32]
    Rows = NDArray[np.intp]

SMALL = 1 << 16  # numbers below which a matrix is decoded whole and kept
_CHECKED = 1 << 20  # numbers that are checked at a time

# Layouts that choose and order rows, and leave each row as it is.
_OF_ROWS = {
    *(f"{part}_of_qkv{form}" for part in "qkv" for form in ("", "_by_head", "_grouped")),
    *(f"{part}_of_qvk_quarters" for part in "qkv"),
    *("k_of_kv_by_head", "v_of_kv_by_head", "expert", "expert_rows", "unpermute_rope", "permute_rope"),
    *(f"{part}_of_gate_up{form}" for part in ("gate", "up") for form in ("", "_interleaved")),
}


def row_numbers(
    shape: tuple[int, ...], names: tuple[str, ...], sizes: Sizes, indices: Mapping[str, int]
) -> Rows | None:
    """The stored row that each row of our matrix is, counted over all axes but the last.

    None if the layouts change more than the order of rows.
    """
    if not _OF_ROWS.issuperset(names):
        return None
    numbers = np.arange(int(np.prod(shape[:-1]))).reshape(*shape[:-1], 1)
    for name in names:
        numbers = getattr(layouts, name)(numbers, sizes, **indices)
    return numbers.reshape(-1) if numbers.ndim == 2 and numbers.shape[1] == 1 else None


@dataclass(frozen=True, eq=False)
class Plain:
    """Some rows and columns in their stored dtype, [row, column]."""

    numbers: NDArray[Any]

    def floats(self, out: Array) -> None:
        if self.numbers.dtype == np.float16:
            widen(self.numbers, out)
        else:
            out[...] = self.numbers

    def dots(self, x: Array) -> Array:
        decoded = np.empty(self.numbers.shape, np.float32)
        self.floats(decoded)
        product: Array = decoded @ x
        return product


class StoredMatrix:
    """A matrix [d_out, d_in] of a checkpoint, for products.

    Args:
        stored: its name in the checkpoint. name: ours, for messages.
        rows: the stored row of each row, None if they are the same.
        kept: unpacked parts of all matrices. place: of this one, there.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        stored: str,
        name: str,
        shape: tuple[int, int],
        rows: Rows | None,
        kept: Kept,
        place: Hashable,
    ) -> None:
        self.shape, self._checkpoint, self._stored, self._name = shape, checkpoint, stored, name
        self._rows, self._kept, self._place = rows, kept, place

    def part(self, rows: slice, columns: slice, again: bool = False) -> Grouped | Plain:
        """Some rows and columns; columns begin and end at multiples of a block.

        again: whether the same part is likely to be wanted again.
        """
        place = (self._place, rows.start, rows.stop, columns.start)
        kept = self._kept.get(place) if again else None
        if kept is not None:
            return kept
        which = rows if self._rows is None else self._rows[rows]
        part = self._checkpoint.part(self._stored, which, columns)
        if not isinstance(part, Grouped):
            return Plain(part)
        if again:
            self._kept.put(place, part)
        return part

    def check(self) -> None:
        """Raise CheckpointError if any number is NaN or infinity."""
        step = max(1, _CHECKED // max(1, self.shape[1]))
        for start in range(0, self.shape[0], step):
            rows = slice(start, min(start + step, self.shape[0]))
            out = np.empty((rows.stop - rows.start, self.shape[1]), np.float32)
            self.part(rows, slice(0, self.shape[1])).floats(out)
            if not np.isfinite(out).all():
                fault = "NaN" if np.isnan(out).any() else "infinity"
                file = self._checkpoint.tensors[self._stored].file
                raise CheckpointError(f"{fault} in tensor {self._stored} ({self._name}) of {file}")
