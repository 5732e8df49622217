"""Maps that are there, looked at part by part as a model's tiles are; and tiles without some of their tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.measures.lift import seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention

SIZE = 1 << 20  # weights that are looked at together


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of one layer, as a tile (see engine/collectors.py): weights [head, row, col], allowed [row, col] or
    [head, row, col], None where all are."""

    layer: int
    heads: range
    rows: range
    cols: range
    weights: NDArray[np.float32]
    allowed: NDArray[np.bool_] | None


def parts(attention: Attention) -> Iterator[Part]:
    """All of an Attention; layers and heads are positions in it. An unknown mask is told from the weights.

    Each of several pairs passes like a layer of one head.
    """
    n_query, n_key = attention.weights.shape[2:]
    step = max(1, SIZE // max(n_key, 1))
    for layer, (maps, mask) in enumerate(attention.blocks(seen(attention))):
        for start in range(0, n_query, step):
            rows = range(start, min(start + step, n_query))
            here = slice(rows.start, rows.stop)
            allowed = None if mask is None else mask[here]
            yield Part(layer, range(len(maps)), rows, range(n_key), maps[:, here], allowed)


class Only:
    """A collector that hands another one only some layers, queries and keys of what passes.

    Of the tokens that are left, places are counted afresh. layers: which; queries, keys: bool, True for those kept.
    """

    def __init__(
        self, collector: Any, layers: Collection[int], queries: NDArray[np.bool_], keys: NDArray[np.bool_]
    ) -> None:
        self.needs: frozenset[str] = frozenset(collector.needs)
        self._inner, self._layers = collector, frozenset(layers)
        self._queries, self._keys = np.asarray(queries, bool), np.asarray(keys, bool)
        self._all = bool(self._queries.all() and self._keys.all())
        # How many are kept before each place.
        self._before = [np.concatenate([[0], np.cumsum(kept)]) for kept in (self._queries, self._keys)]

    def wants(self, layer: int, head: int) -> bool:
        return layer in self._layers and bool(self._inner.wants(layer, head))

    def take(self, tile: Any) -> None:
        if self._all:
            self._inner.take(tile)
            return
        (rows, at_rows), (cols, at_cols) = (self._left(axis, ends) for axis, ends in enumerate((tile.rows, tile.cols)))
        if len(rows) and len(cols):
            weights = tile.weights[:, at_rows][..., at_cols]
            allowed = None if tile.allowed is None else tile.allowed[..., at_rows, :][..., at_cols]
            self._inner.take(Part(tile.layer, tile.heads, rows, cols, weights, allowed))

    def _left(self, axis: int, ends: range) -> tuple[range, NDArray[np.int64]]:
        """The new places of what is kept of a run, and where in the run it stands."""
        before = self._before[axis]
        kept = (self._queries, self._keys)[axis][ends.start : ends.stop]
        return range(int(before[ends.start]), int(before[ends.stop])), np.flatnonzero(kept)
