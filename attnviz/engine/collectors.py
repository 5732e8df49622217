"""Collectors of whole maps, of some rows, of cells, and of sums.

A collector that sums has a `state` apart from its input: a small value without tokens, which can be sent from another
process and merged with the state of another text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from attnviz.engine.observer import Collector, Need
from attnviz.engine.tile import Tile

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ChosenHeads(Collector):
    """A collector of some layers and heads, kept in the order asked for."""

    def __init__(self, layers: Sequence[int], heads: Sequence[int]) -> None:
        self.layers, self.heads = tuple(layers), tuple(heads)
        self._at_layer = {layer: i for i, layer in enumerate(self.layers)}
        self._at_head = {head: i for i, head in enumerate(self.heads)}

    def wants(self, layer: int, head: int) -> bool:
        return layer in self._at_layer and head in self._at_head

    def _wanted(self, tile: Tile) -> Iterator[tuple[int, int]]:
        """(position in the tile, position among those kept) of each head that is wanted."""
        for position, head in enumerate(tile.heads):
            if head in self._at_head:
                yield position, self._at_head[head]


class Dense(ChosenHeads):
    """Keeps every weight of the wanted layers and heads: float32 [layer, head, query, key], and the mask.

    rows, cols: keep only this window of queries and keys. `mask` is bool [1, query, key] where all layers agree, else
    [layer, query, key].
    """

    needs: frozenset[Need] = frozenset({"room"})

    def __init__(self, layers: Sequence[int], heads: Sequence[int], rows: range, cols: range) -> None:
        super().__init__(layers, heads)
        self.rows, self.cols = rows, cols
        self.weights = np.zeros((len(self.layers), len(self.heads), len(rows), len(cols)), np.float32)
        self._masks: dict[int, NDArray[np.bool_]] = {}

    def take(self, tile: Tile) -> None:
        rows, tile_rows = _overlap(self.rows, tile.rows)
        cols, tile_cols = _overlap(self.cols, tile.cols)
        if rows.start >= rows.stop or cols.start >= cols.stop:
            return
        at = self._at_layer[tile.layer]
        if not np.may_share_memory(tile.weights, self.weights):  # else they were written here at once: `room`
            for position, head in self._wanted(tile):
                self.weights[at, head, rows, cols] = tile.weights[position, tile_rows, tile_cols]
        if tile.own_masks or self.heads[0] in tile.heads:  # where all heads agree, one of them is enough
            self._mask_of(tile.layer)[rows, cols] |= tile.attending_any[tile_rows, tile_cols]

    def room(self, layer: int, heads: range, rows: range, cols: range) -> NDArray[np.float32] | None:
        """Its own memory for a tile that is all wanted."""
        first, *others = (self._at_head[head] for head in heads)
        whole = rows.start >= self.rows.start and rows.stop <= self.rows.stop
        whole = whole and cols.start >= self.cols.start and cols.stop <= self.cols.stop
        if not whole or others != list(range(first + 1, first + len(heads))):
            return None
        here, there = _overlap(self.rows, rows)[0], _overlap(self.cols, cols)[0]
        return self.weights[self._at_layer[layer], first : first + len(heads), here, there]

    def _mask_of(self, layer: int) -> NDArray[np.bool_]:
        mask = self._masks.get(layer)
        if mask is None:
            mask = self._masks.setdefault(layer, np.zeros((len(self.rows), len(self.cols)), bool))
        return mask

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where attending was allowed, bool [1 or layer, query, key]."""
        return one_mask([self._mask_of(layer) for layer in self.layers])

    def result(self) -> NDArray[np.float32]:
        """The weights, float32 [layer, head, query, key]."""
        return self.weights


class Rows(ChosenHeads):
    """Keeps some rows over all keys: float32 [layer, head, row, key], layers, heads and rows in the order asked for.

    `mask` is bool [1 or layer, row, key], True where some head was allowed to attend.
    """

    def __init__(self, layers: Sequence[int], heads: Sequence[int], rows: Sequence[int], n_key: int) -> None:
        super().__init__(layers, heads)
        self._rows = np.asarray(rows, np.intp)
        self.weights = np.zeros((len(layers), len(heads), len(rows), n_key), np.float32)
        self._mask = np.zeros((len(layers), len(rows), n_key), bool)

    def take(self, tile: Tile) -> None:
        rows = np.flatnonzero((self._rows >= tile.rows.start) & (self._rows < tile.rows.stop))
        if not len(rows):
            return
        tile_rows, cols = self._rows[rows] - tile.rows.start, slice(tile.cols.start, tile.cols.stop)
        layer = self._at_layer[tile.layer]
        for position, head in self._wanted(tile):
            self.weights[layer, head, rows, cols] = tile.weights[position, tile_rows]
        self._mask[layer, rows, cols] |= tile.attending_any[tile_rows]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where attending was allowed, bool [1 or layer, row, key]."""
        return one_mask(self._mask)

    def result(self) -> NDArray[np.float32]:
        """The weights, float32 [layer, head, row, key]."""
        return self.weights


class HeadMaps:
    """The maps of the chosen heads: one collector for all of them, or one per (layer, head) where they are pairs.

    Pairs are kept without the other maps of their layers, each with its own head's mask. each: the collectors to hand
    to the engine. make: layers and heads -> a collector with `mask` and `result`.
    """

    def __init__(
        self,
        layers: Sequence[int],
        heads: Sequence[int],
        pairs: Sequence[tuple[int, int]],
        make: Callable[[Sequence[int], Sequence[int]], Any],
    ) -> None:
        self.each = [make([layer], [head]) for layer, head in pairs] if pairs else [make(layers, heads)]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where attending was allowed, bool [1 or layer, query, key]; of pairs [pair, query, key]."""
        return np.concatenate([collector.mask for collector in self.each])

    def result(self) -> NDArray[np.float32]:
        """The weights, float32 [layer, head, query, key]; of pairs [1, pair, query, key]."""
        maps = [collector.result() for collector in self.each]
        return maps[0] if len(maps) == 1 else np.concatenate(maps, axis=1)


class Pooled(ChosenHeads):
    """Keeps cells of `cell` x `cell` tokens: float32 [layer, head, query cell, key cell], max or mean.

    Pooling goes over allowed places only; a cell without one is 0, and masked.
    """

    def __init__(
        self, layers: Sequence[int], heads: Sequence[int], n_query: int, n_key: int, cell: int, pool: str = "max"
    ) -> None:
        super().__init__(layers, heads)
        self.cell, self.pool = cell, pool
        shape = (-(-n_query // cell), -(-n_key // cell))
        self._cells = np.zeros((len(self.layers), len(self.heads), *shape), np.float32)
        # How many places of each cell were allowed, to some head where heads differ; and where, in that case.
        self._counts = np.zeros((len(self.layers), *shape), np.int64)
        self._seen: dict[int, NDArray[np.bool_]] = {}

    def take(self, tile: Tile) -> None:
        layer = self._at_layer[tile.layer]
        first, last = tile.cols.start // self.cell, (tile.cols.stop - 1) // self.cell + 1
        reduce, join = (np.maximum.reduce, np.maximum) if self.pool == "max" else (np.add.reduce, np.add)
        for group, rows in _by_cell(tile.rows, self.cell):
            # Rows first: that runs along memory, and leaves little for the columns.
            band = _columns_(reduce(tile.weights[:, rows], axis=1), tile.cols, self.cell, join)
            for position, head in self._wanted(tile):
                cells = self._cells[layer, head, group, first:last]
                join(cells, band[position], out=cells)
        self._count(layer, tile, slice(first, last))

    def _count(self, layer: int, tile: Tile, cells: slice) -> None:
        """The allowed places of a tile, once for all heads."""
        allowed = tile.attending_any
        if tile.own_masks:
            # Each head has its own mask, in a tile of all rows and keys: places that some head may see.
            allowed = self._seen[layer] = allowed | self._seen.get(layer, np.False_)
            self._counts[layer] = 0
        elif self.heads[0] not in tile.heads:
            return
        for group, rows in _by_cell(tile.rows, self.cell):
            ones = allowed[rows].sum(0, dtype=np.int64)
            self._counts[layer, group, cells] += _columns_(ones[None], tile.cols, self.cell, np.add)[0]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Cells with at least one allowed place, bool [1 or layer, query cell, key cell]."""
        return one_mask(self._counts > 0)

    def result(self) -> NDArray[np.float32]:
        """The cells, float32 [layer, head, query cell, key cell]."""
        if self.pool == "max":
            return self._cells
        counts = np.maximum(self._counts, 1)[:, None]
        return (self._cells / counts).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Sums:
    """The state of a collector that sums: arrays that add up over texts."""

    def merge(self, other: Self) -> Self:
        """The state after both texts."""
        return type(self)(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def result(self) -> Any:
        """The numbers that follow from the sums."""
        raise NotImplementedError


class Summing(Collector):
    """A collector whose state adds up over texts."""

    def state(self) -> Sums:
        """The sums: a value that can be sent to another process and merged with the state of another text."""
        raise NotImplementedError

    def result(self) -> Any:
        """The result of the state of this text."""
        return self.state().result()


def _overlap(mine: range, theirs: range) -> tuple[slice, slice]:
    """Where two ranges meet, counted from the start of each."""
    start, stop = max(mine.start, theirs.start), min(mine.stop, theirs.stop)
    return slice(start - mine.start, stop - mine.start), slice(start - theirs.start, stop - theirs.start)


def _by_cell(places: range, cell: int) -> Iterator[tuple[int, slice]]:
    """The cells that a run of places touches, each with its part of the run."""
    for index in range(places.start // cell, (places.stop - 1) // cell + 1):
        start, stop = max(index * cell, places.start), min((index + 1) * cell, places.stop)
        yield index, slice(start - places.start, stop - places.start)


def _columns_(values: NDArray[Any], cols: range, cell: int, join: np.ufunc) -> NDArray[Any]:
    """[head, column] -> [head, cell] by joining the columns of each cell."""
    if cell == 1:
        return values
    whole = len(cols) // cell * cell
    if cols.start % cell == 0 and whole:
        parts = [join.reduce(values[:, :whole].reshape(len(values), -1, cell), axis=-1)]
        if whole < len(cols):
            parts.append(join.reduce(values[:, whole:], axis=-1, keepdims=True))
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
    starts = [part.start for _, part in _by_cell(cols, cell)]
    return join.reduceat(values, starts, axis=-1)


def one_mask(masks: Sequence[NDArray[np.bool_]] | NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool [1, ...] where all layers' masks agree, else [layer, ...]."""
    if all(other is masks[0] or np.array_equal(masks[0], other) for other in masks):
        return masks[0][None]
    return np.stack(list(masks))
