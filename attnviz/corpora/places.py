"""Variability: how much a head's pattern differs from text to text (Vig and Belinkov 2019, section 4.3).

A head that looks at positions has the same pattern in every text; one that looks at contents does not.

    variability = sum_x sum_ij |A_ij(x) - mean_x A_ij| / (2 sum_x sum_ij A_ij(x))

over texts x and their first ten tokens i, j: 0 for the same pattern in every text, towards 1 for patterns that never
meet. A deviation from a mean that is known only at the end needs all texts twice; here each place counts and sums its
weights in cells instead, and only the cell that the mean lies in is not exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.collectors import Sums
from attnviz.engine.observer import Collector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tile import Tile

TOKENS = 10
CELLS = 32
# Cells grow from the smallest weights to the largest, since most weights are small: edge k is (k / CELLS)^2.
EDGES = (np.arange(CELLS + 1) / CELLS) ** 2


@dataclass(frozen=True, eq=False)
class PlaceSums(Sums):
    """counts, int64, and sums, float64, [layer, head, TOKENS, TOKENS, CELLS]: texts by their weight at a place."""

    counts: NDArray[np.int64]
    sums: NDArray[np.float64]

    def result(self) -> dict[str, NDArray[np.float64]]:
        """variability [layer, head], and at most how much too small it is."""
        count, total = self.counts.sum(-1), self.sums.sum(-1)
        mean = (total / np.maximum(count, 1))[..., None]
        each = np.abs(self.sums - self.counts * mean).sum(-1)
        # All weights of a cell lie on one side of the mean, but in the cell with the mean in it.
        cell = np.clip(np.searchsorted(EDGES, mean, side="right") - 1, 0, CELLS - 1)
        there = np.take_along_axis(self.counts, cell, -1)[..., 0]
        missing = there * (EDGES[1:] - EDGES[:-1])[cell[..., 0]]
        whole = 2 * np.maximum(total.sum((-1, -2)), 1e-300)
        return {"variability": each.sum((-1, -2)) / whole, "short": missing.sum((-1, -2)) / whole}


class Places(Collector):
    """A collector of the weights among the first tokens of a text, float32 [layer, head, TOKENS, TOKENS]; NaN where
    there is none."""

    def __init__(self, n_layers: int, n_heads: int) -> None:
        self.weights = np.full((n_layers, n_heads, TOKENS, TOKENS), np.nan, np.float32)

    def take(self, tile: Tile) -> None:
        rows = slice(tile.rows.start, min(tile.rows.stop, TOKENS))
        cols = slice(tile.cols.start, min(tile.cols.stop, TOKENS))
        if rows.start >= rows.stop or cols.start >= cols.stop:
            return
        at = np.s_[:, : rows.stop - rows.start, : cols.stop - cols.start]
        weights = np.where(tile.allowed[at], tile.weights[at], np.nan)
        self.weights[tile.layer, tile.heads.start : tile.heads.stop, rows, cols] = weights


def place_sums(texts: Sequence[NDArray[np.float32]]) -> PlaceSums:
    """The sums of some texts' weights, as `Places` keeps them."""
    shape = (*texts[0].shape, CELLS)
    counts, sums = (np.zeros(math.prod(shape), kind) for kind in (np.int64, np.float64))
    place = np.arange(texts[0].size) * CELLS
    for each in texts:
        weights = each.reshape(-1)
        known = np.isfinite(weights)
        weights = weights[known].astype(np.float64)
        at = place[known] + np.clip(np.searchsorted(EDGES, weights, side="right") - 1, 0, CELLS - 1)
        counts[at] += 1  # no place comes twice in one text
        sums[at] += weights
    return PlaceSums(counts.reshape(shape), sums.reshape(shape))
