"""Scores before the softmax: how large they are, how far they spread, and what q . k was multiplied by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from attnviz.engine.collectors import Summing, Sums
from attnviz.engine.observer import Need

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tile import Tile

    Table = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoreFacts:
    """Properties of the scores of each head; all [layer, head].

    spread: mean over rows of the standard deviation over allowed keys. largest: largest absolute score.
    factor: the number that q . k was multiplied by, as a least-squares fit within rows finds it.
    linear: share of the scores' variance that this fit leaves nothing of; 1 where they are q . k times a number and
    nothing else, less where a bias by distance or a cap comes in.
    """

    spread: Table
    largest: Table
    factor: Table
    linear: Table


@dataclass(frozen=True, eq=False)
class ScoreSums(Sums):
    """totals: float64 [rows | spread | xy | xx | yy, layer, head]; largest: [layer, head]."""

    totals: Table
    largest: Table

    def merge(self, other: Self) -> Self:
        return type(self)(self.totals + other.totals, np.maximum(self.largest, other.largest))

    def result(self) -> ScoreFacts:
        """The facts; 0 for a head of which no row has two keys."""
        rows, spread, xy, xx, yy = self.totals
        return ScoreFacts(
            spread=_ratio(spread, rows),
            largest=self.largest,
            factor=_ratio(xy, xx),
            linear=_ratio(_ratio(xy, xx) * xy, yy),
        )


class Scores(Summing):
    """A collector (see engine/collectors.py) that measures the scores of every head.

    Only keys that a row may attend to count.
    """

    needs: frozenset[Need] = frozenset({"scores"})

    def __init__(self, n_layers: int, n_heads: int) -> None:
        self._sums = ScoreSums(np.zeros((5, n_layers, n_heads)), np.zeros((n_layers, n_heads)))

    def take(self, tile: Tile) -> None:
        """Look at one tile: scores [head, row, col] with -inf where hidden, q [head, row, d], k [kv head, col, d]."""
        assert tile.scores is not None and tile.q is not None and tile.k is not None
        group = len(tile.heads) // len(tile.k)
        for place, head in enumerate(tile.heads):
            scores = tile.scores[place].astype(np.float64)
            seen = np.isfinite(scores)
            count = np.maximum(seen.sum(-1, keepdims=True), 1)
            product = tile.q[place].astype(np.float64) @ tile.k[place // group].astype(np.float64).T
            y, x = (_centred(values, seen, count) for values in (scores, product))
            many = count[:, 0] > 1
            sums, largest = self._sums.totals[:, tile.layer, head], self._sums.largest
            sums[0] += many.sum()
            sums[1] += np.sqrt((y * y).sum(-1) / count[:, 0])[many].sum()
            sums[2:] += (x * y).sum(), (x * x).sum(), (y * y).sum()
            sizes = np.abs(scores, where=seen, out=np.zeros_like(scores))
            largest[tile.layer, head] = max(largest[tile.layer, head], sizes.max(initial=0.0))

    def state(self) -> ScoreSums:
        return self._sums


def _centred(values: Table, seen: NDArray[np.bool_], count: NDArray[np.intp]) -> Table:
    """Each row less its mean over the seen keys; 0 elsewhere."""
    seen_values = np.where(seen, values, 0.0)
    return np.where(seen, seen_values - seen_values.sum(-1, keepdims=True) / count, 0.0)


def _ratio(over: Table, under: Table) -> Table:
    return np.divide(over, under, out=np.zeros_like(over), where=under > 0)
