"""Scores before the softmax: how large they are, how far they spread, and what q . k was multiplied by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Table = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoreFacts:
    """What the scores of each head are like; all [layer, head].

    spread: mean over rows of the standard deviation over allowed keys. largest: largest absolute score.
    factor: the number that q . k was multiplied by, as a least-squares fit within rows finds it.
    linear: share of the scores' variance that this fit leaves nothing of; 1 where they are q . k times a number and
    nothing else, less where a bias by distance or a cap comes in.
    """

    spread: Table
    largest: Table
    factor: Table
    linear: Table


class Scores:
    """A collector (see engine/collectors.py) that measures the scores of every head.

    Only keys that a row may attend to count. Sums are kept in float64, so that parts of a text add up.
    """

    needs: frozenset[str] = frozenset({"scores", "q", "k"})

    def __init__(self, n_layers: int, n_heads: int) -> None:
        self._sums = np.zeros((6, n_layers, n_heads))  # rows, spread, xy, xx, yy, largest

    def wants(self, layer: int, head: int) -> bool:
        return True

    def take(self, tile: Any) -> None:
        """Look at one tile: scores [head, row, col] with -inf where hidden, q [head, row, d], k [kv head, col, d]."""
        group = len(tile.heads) // len(tile.k)
        for place, head in enumerate(tile.heads):
            scores = tile.scores[place].astype(np.float64)
            seen = np.isfinite(scores)
            count = np.maximum(seen.sum(-1, keepdims=True), 1)
            product = tile.q[place].astype(np.float64) @ tile.k[place // group].astype(np.float64).T
            y, x = (_centred(values, seen, count) for values in (scores, product))
            many = count[:, 0] > 1
            sums = self._sums[:, tile.layer, head]
            sums[0] += many.sum()
            sums[1] += np.sqrt((y * y).sum(-1) / count[:, 0])[many].sum()
            sums[2:5] += (x * y).sum(), (x * x).sum(), (y * y).sum()
            sums[5] = max(sums[5], np.abs(scores, where=seen, out=np.zeros_like(scores)).max(initial=0.0))

    def result(self) -> ScoreFacts:
        """The facts; 0 for a head of which no row has two keys."""
        rows, spread, xy, xx, yy, largest = self._sums
        return ScoreFacts(
            spread=_ratio(spread, rows),
            largest=largest,
            factor=_ratio(xy, xx),
            linear=_ratio(_ratio(xy, xx) * xy, yy),
        )


def _centred(values: Table, seen: NDArray[np.bool_], count: NDArray[np.intp]) -> Table:
    """Each row less its mean over the seen keys; 0 elsewhere."""
    kept = np.where(seen, values, 0.0)
    return np.where(seen, kept - kept.sum(-1, keepdims=True) / count, 0.0)


def _ratio(over: Table, under: Table) -> Table:
    return np.divide(over, under, out=np.zeros_like(over), where=under > 0)
