"""Some queries of a long text over all of its keys: what an analysis row by row needs, without the whole maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.axis import Tokens


class Rows:
    """A collector (see engine/collectors.py) that keeps the rows of these queries.

    weights: float32 [layer, head, row, key], layers, heads and rows in the order asked for. mask: bool
    [layer, row, key], True where some head was allowed to attend.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, layers: Sequence[int], heads: Sequence[int], rows: Sequence[int], n_key: int) -> None:
        self._at_layer = {layer: i for i, layer in enumerate(layers)}
        self._at_head = {head: i for i, head in enumerate(heads)}
        self._rows = np.asarray(rows, np.intp)
        self.weights = np.zeros((len(layers), len(heads), len(rows), n_key), np.float32)
        self.mask = np.zeros((len(layers), len(rows), n_key), bool)

    def wants(self, layer: int, head: int) -> bool:
        return layer in self._at_layer and head in self._at_head

    def take(self, tile: Any) -> None:
        here = np.flatnonzero((self._rows >= tile.rows.start) & (self._rows < tile.rows.stop))
        if not len(here):
            return
        there, cols = self._rows[here] - tile.rows.start, slice(tile.cols.start, tile.cols.stop)
        layer = self._at_layer[tile.layer]
        for place, head in enumerate(tile.heads):
            if head in self._at_head:
                self.weights[layer, self._at_head[head], here, cols] = tile.weights[place, there]
        allowed = tile.allowed
        if allowed is None:
            self.mask[layer, here, cols] = True
        else:
            if allowed.ndim == 3:
                allowed = np.logical_or.reduce(allowed, axis=0)
            self.mask[layer, here, cols] |= allowed[there]

    def result(self) -> NDArray[np.float32]:
        """The weights, as the other collectors of maps give them."""
        return self.weights


def evenly(tokens: Tokens, most: int, words: bool = False, special: bool = True) -> list[int]:
    """At most so many places, spread evenly over a text, the first and the last among them; all where that many fit.

    words: whole words, so that a few more places may come out. special: whether special tokens count; where all that
    count fit, they come along, so that the text is whole.
    """
    groups = tokens.groups() if words else [[i] for i in range(len(tokens))]
    if not special:
        groups = [group for group in groups if not all(tokens.special[i] for i in group)] or groups
    if sum(map(len, groups)) <= most:
        return list(range(len(tokens)))
    count = max(1, most * len(groups) // sum(map(len, groups)))
    chosen = np.unique(np.linspace(0, len(groups) - 1, count).round().astype(int))
    return [i for place in chosen.tolist() for i in groups[place]]
