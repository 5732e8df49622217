"""The mean over all heads, shown to a collector instead of each head's weights."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.observer import Collector
from attnviz.engine.tile import Tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sum = tuple[NDArray[np.float32], int]


class MeanOfHeads(Collector):
    """Hands on what passes by with the mean over all heads as the weights of every head that is wanted.

    Heads may come one by one, from several threads: their rows are summed, [query, key], until the last head has come.
    """

    def __init__(self, collector: Collector, n_heads: int) -> None:
        """collector: it gets weights and masks, and must need nothing more."""
        self.collector, self.n_heads = collector, n_heads
        self._sums: dict[tuple[int, int], Sum] = {}  # by layer and first row
        self._lock = Lock()

    def wants(self, layer: int, head: int) -> bool:
        """Every head of a layer of which one is wanted."""
        return bool(self._wanted(layer))

    def take(self, tile: Tile) -> None:
        """Add these heads; hand the mean on if they were the last."""
        with self._lock:
            place = tile.layer, tile.rows.start
            before, count = self._sums.pop(place, (np.float32(0), 0))
            total, count = before + tile.weights.sum(0), count + len(tile.heads)
            if count < self.n_heads:
                self._sums[place] = total, count
                return
            mean = (total / np.float32(self.n_heads))[None]
            for h in self._wanted(tile.layer):
                heads = range(h, h + 1)
                self.collector.take(Tile(tile.stream, tile.layer, heads, tile.rows, tile.cols, mean, tile.allowed))

    def _wanted(self, layer: int) -> list[int]:
        return [h for h in range(self.n_heads) if self.collector.wants(layer, h)]
