"""Collectors: what is kept of the attention that passes by, tile after tile.

The engine never holds a whole map: it hands each finished Tile to the collectors that want that layer and head, and
reuses the arrays once `take` returns. Tiles of one (layer, head) come in row order; different heads may come from
different threads. A collector's results for parts of a corpus can be merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Tile:
    """Finished attention of some heads and query rows over the keys that those rows can reach.

    weights: float32 [head, row, col]; allowed: bool [row, col] or [head, row, col], None where all are.
    heads, rows, cols: ranges of true indices. What a collector named in `needs` is filled in, else None:
    scores [head, row, col] before softmax (scaled, biased; hidden ones -inf), q [head, row, d_head],
    k and v [kv head, col, d_head], outputs [head, row, d_head].
    """

    stream: str
    layer: int
    heads: range
    rows: range
    cols: range
    weights: NDArray[np.float32]
    allowed: NDArray[np.bool_] | None
    scores: NDArray[np.float32] | None = None
    q: NDArray[np.float32] | None = None
    k: NDArray[np.float32] | None = None
    v: NDArray[np.float32] | None = None
    outputs: NDArray[np.float32] | None = None

    def part(self, at: slice) -> Tile:
        """The tile of some of its heads (positions within the tile)."""
        allowed = self.allowed
        if allowed is not None and allowed.ndim == 3 and allowed.shape[0] > 1:
            allowed = allowed[at]

        def cut(values: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
            return None if values is None else values[at]

        return Tile(
            self.stream,
            self.layer,
            self.heads[at],
            self.rows,
            self.cols,
            self.weights[at],
            allowed,
            cut(self.scores),
            cut(self.q),
            self.k,
            self.v,
            cut(self.outputs),
        )


class Collector(Protocol):
    """Keeps something of the tiles it wants."""

    needs: frozenset[str]

    def wants(self, layer: int, head: int) -> bool:
        """Whether tiles of this layer and head are to be handed over."""

    def take(self, tile: Tile) -> None:
        """Look at one tile. Its arrays must not be kept."""


class Dense:
    """Keeps every weight of the wanted layers and heads: float32 [layer, head, query, key], and the mask.

    `mask` is bool [1, query, key] where all layers and heads agree, else [layer, query, key].
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, layers: Sequence[int], heads: Sequence[int], n_query: int, n_key: int) -> None:
        self.layers, self.heads = tuple(layers), tuple(heads)
        self._at_layer = {layer: i for i, layer in enumerate(self.layers)}
        self._at_head = {head: i for i, head in enumerate(self.heads)}
        self.weights = np.zeros((len(self.layers), len(self.heads), n_query, n_key), np.float32)
        self._masks: dict[int, NDArray[np.bool_]] = {}
        self._shape = (n_query, n_key)

    def wants(self, layer: int, head: int) -> bool:
        return layer in self._at_layer and head in self._at_head

    def take(self, tile: Tile) -> None:
        rows = slice(tile.rows.start, tile.rows.stop)
        cols = slice(tile.cols.start, tile.cols.stop)
        at = self._at_layer[tile.layer]
        for position, head in enumerate(tile.heads):
            if head in self._at_head:
                self.weights[at, self._at_head[head], rows, cols] = tile.weights[position]
        if tile.allowed is not None and tile.allowed.ndim == 3:
            self._mask_of(tile.layer)[rows, cols] |= tile.allowed.any(0)
        elif self.heads[0] in tile.heads:  # all heads agree: one of them is enough
            self._mask_of(tile.layer)[rows, cols] = True if tile.allowed is None else tile.allowed

    def _mask_of(self, layer: int) -> NDArray[np.bool_]:
        mask = self._masks.get(layer)
        return self._masks.setdefault(layer, np.zeros(self._shape, bool)) if mask is None else mask

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where attending was allowed, bool [1 or layer, query, key]."""
        masks = [self._masks[layer] for layer in self.layers]
        if all(np.array_equal(masks[0], other) for other in masks[1:]):
            return masks[0][None]
        return np.stack(masks)

    def result(self) -> NDArray[np.float32]:
        """The weights, float32 [layer, head, query, key]."""
        return self.weights
