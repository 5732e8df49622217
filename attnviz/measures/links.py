"""Links: the pairs of tokens that attention joins most, found in tiles as they pass, with the lift of each.

The lift of a weight needs the mean of its column (see lift.py), so that attention passes twice: once by `Columns`, then
by `Strongest`. Memory grows with the text, not with its square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from attnviz.engine.collectors import Summing, Sums
from attnviz.engine.observer import Collector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tile import Tile


@dataclass(frozen=True, eq=False)
class ColumnSums(Sums):
    """sums: float64 [layer, head, key], the weights that a key gets. seen: int64 [layer, head, key], how many queries
    may see it. row, row_seen: [layer, head, key], the weights of one query and whether it may see the key.

    Parts of one text can be merged, not different texts: keys are positions.
    """

    sums: NDArray[np.float64]
    seen: NDArray[np.int64]
    row: NDArray[np.float32]
    row_seen: NDArray[np.bool_]

    def result(self) -> dict[str, NDArray[Any]]:
        """weights, lifts and seen of the row of one query, each [layer, head, key]."""
        return {"weights": self.row, "lifts": self.lifts(), "seen": self.row_seen}

    def lifts(self) -> NDArray[np.float64]:
        """The lift of every weight of the row, [layer, head, key]; 0 where there is nothing to compare with."""
        others = self.seen - 1
        lift = self.row - (self.sums - self.row) / np.maximum(others, 1)
        return np.where(self.row_seen & (others > 0), lift, 0.0)


class Columns(Summing):
    """A collector (see engine/collectors.py) of each key's column, and of the row of `query`, if there is one."""

    def __init__(self, n_layers: int, n_heads: int, n_key: int, query: int | None = None) -> None:
        shape = (n_layers, n_heads, n_key)
        row = shape if query is not None else (0, 0, 0)
        self.query = query
        self._sums = ColumnSums(
            np.zeros(shape), np.zeros(shape, np.int64), np.zeros(row, np.float32), np.zeros(row, bool)
        )

    def take(self, tile: Tile) -> None:
        heads, cols = slice(tile.heads.start, tile.heads.stop), slice(tile.cols.start, tile.cols.stop)
        state = self._sums
        state.sums[tile.layer, heads, cols] += tile.weights.sum(1, dtype=np.float64)
        state.seen[tile.layer, heads, cols] += tile.allowed.sum(-2)
        if self.query is not None and self.query in tile.rows:
            at = self.query - tile.rows.start
            state.row[tile.layer, heads, cols] = tile.weights[:, at]
            state.row_seen[tile.layer, heads, cols] = tile.allowed[:, at]

    def state(self) -> ColumnSums:
        return self._sums


class Found(NamedTuple):
    """Pairs of one head, strongest first; all arrays of one length."""

    weight: NDArray[np.float32]
    lift: NDArray[np.float64]
    query: NDArray[np.int64]
    key: NDArray[np.int64]


class Strongest(Collector):
    """A collector of the `count` strongest pairs of each head, by lift or by weight.

    Args:
        columns: the state of a `Columns` that the same attention filled.
        count: how many to keep a head.
        by: lift | weight. Equals keep the earlier query and key.
        queries, keys: bool, which may take part; rows that may see one key only have no choice and never do, unless
            `forced`.
    """

    def __init__(
        self,
        columns: ColumnSums,
        count: int,
        by: str,
        queries: NDArray[np.bool_],
        keys: NDArray[np.bool_],
        forced: bool = False,
    ) -> None:
        self.count, self.by, self.forced = count, by, forced
        self._columns, self._queries, self._keys = columns, queries, keys
        none = Found(np.empty(0, np.float32), np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64))
        n_layers, n_heads, _ = columns.sums.shape
        self.best = [[none for _ in range(n_heads)] for _ in range(n_layers)]

    def take(self, tile: Tile) -> None:
        """Look at one tile, as `Columns` does."""
        rows = np.flatnonzero(self._queries[tile.rows.start : tile.rows.stop])
        cols = np.flatnonzero(self._keys[tile.cols.start : tile.cols.stop])
        if not len(rows) or not len(cols):
            return
        every = len(rows) == len(tile.rows) and len(cols) == len(tile.cols)
        for place, head in enumerate(tile.heads):
            weights, allowed = tile.weights[place], tile.attending(place)
            if not self.forced:
                allowed = allowed & (allowed.sum(-1, keepdims=True) > 1)  # rows that have a choice
            if not every:
                weights, allowed = weights[np.ix_(rows, cols)], allowed[np.ix_(rows, cols)]
            self._take((tile.layer, head), weights, allowed, rows + tile.rows.start, cols + tile.cols.start)

    def _take(
        self,
        at: tuple[int, int],
        weights: NDArray[np.float32],
        allowed: NDArray[np.bool_],
        rows: NDArray[np.int64],
        cols: NDArray[np.int64],
    ) -> None:
        best, count = self.best[at[0]][at[1]], self.count
        rank = (self._lift(at, weights, cols) if self.by == "lift" else weights).astype(np.float32, copy=False)
        if not allowed.all():
            rank = np.where(allowed, rank, np.float32(-np.inf))
        flat = rank.reshape(-1)
        if len(best.query) >= count:  # only a stronger one can enter: rows come in order, so that equals lose
            last = best.lift[-1] if self.by == "lift" else best.weight[-1]
            places = np.flatnonzero(flat >= np.float32(last))
        elif flat.size > count:
            places = np.flatnonzero(flat >= np.partition(flat, flat.size - count)[flat.size - count])
        else:
            places = np.arange(flat.size)
        places = places[flat[places] > -np.inf]
        row, col = np.divmod(places, len(cols))
        weight = weights.reshape(-1)[places]
        new = Found(weight, self._lift(at, weight.astype(np.float64), cols[col]), rows[row], cols[col])
        joined: list[NDArray[Any]] = [np.concatenate([old, more]) for old, more in zip(best, new, strict=True)]
        ranked = joined[1] if self.by == "lift" else joined[0]
        order = np.lexsort((joined[3], joined[2], -ranked))[:count]
        self.best[at[0]][at[1]] = Found(*(values[order] for values in joined))

    def _lift(self, at: tuple[int, int], weights: NDArray[Any], cols: NDArray[np.int64]) -> NDArray[Any]:
        """The lift of weights [..., col] in these columns."""
        others = self._columns.seen[at][cols] - 1
        known = others > 0
        share = 1.0 / np.maximum(others, 1)
        lift = weights - (self._columns.sums[at][cols] - weights) * share
        return np.where(known, lift, 0.0)
