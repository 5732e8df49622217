"""Collectors: what is kept of the attention that passes by, tile after tile.

The engine never holds a whole map: it hands each finished Tile to the collectors that want that layer and head, and
reuses the arrays once `take` returns. Tiles of one (layer, head) come in row order; different heads may come from
different threads. A collector's results for parts of a corpus can be merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.after_attention import AfterAttention


@dataclass(frozen=True, eq=False)
class Tile:
    """Finished attention of some heads and query rows over the keys that those rows can reach.

    weights: float32 [head, row, col]; allowed: bool [row, col] or [head, row, col], None where all are.
    heads, rows, cols: ranges of true indices. What a collector named in `needs` is filled in, else None:
    scores [head, row, col] before softmax (scaled, biased; hidden ones -inf), q [head, row, d_head],
    k and v [kv head, col, d_head], outputs [head, row, d_head], and stages: the scores [head, row, col] as they are
    after each operation on them, before the mask, in order: raw (q . k), then what the model has of relative,
    before_scale, scaled, capped, biased, counted.
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
    stages: Mapping[str, NDArray[np.float32]] | None = None

    def part(self, at: slice) -> Tile:
        """The tile of some of its heads (positions within the tile), with the keys and values that these use."""
        allowed = self.allowed
        if allowed is not None and allowed.ndim == 3 and allowed.shape[0] > 1:
            allowed = allowed[at]

        def cut(values: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
            return None if values is None else values[at]

        def cut_shared(values: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
            return None if values is None else values[_shared(len(self.heads) // len(values), at)]

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
            cut_shared(self.k),
            cut_shared(self.v),
            cut(self.outputs),
            None if self.stages is None else {name: scores[at] for name, scores in self.stages.items()},
        )


class Collector(Protocol):
    """Keeps something of the tiles it wants."""

    needs: frozenset[str]

    def wants(self, layer: int, head: int) -> bool:
        """Whether tiles of this layer and head are to be handed over."""

    def take(self, tile: Tile) -> None:
        """Look at one tile. Its arrays must not be kept."""


class Watcher(Collector, Protocol):
    """A collector with "vectors" in `needs`: it also sees what flows between the tiles."""

    def see(self, layer: int, name: str, values: NDArray[np.float32]) -> None:
        """Look at one array, which must not be kept. Names, in the order in which they come:

        layer -1: tokens [n, d_embed], the embeddings alone, then add, norm, project [n, ...] as the spec orders them.
        input [n, d_model]: the residual stream. read: what Q is made from, after a norm if there is one; memory: what
        K and V are made from in cross-attention. q|k|v.weight|bias: what made q, k, v [head, n, d_head]; then q_normed
        and k_normed, or q_turned and k_turned where the norm follows rotary positions, sinks [n_heads]. All of these
        once more with `global_` in front for global tokens. heads [n, n_heads * d_head]: the outputs side by side.
        o.weight|bias: what made output [n, d_model]. Where keys and values are made of a compressed vector also
        kv_down|q_down.weight|bias, and what they made, normalised: compressed [n, d_kv], compressed_q [n, d_q].
        """


class Asker(Collector, Protocol):
    """A collector with "after_attention" in `needs`: it may ask what the block does with its heads' outputs."""

    def after_attention(self, layer: int, block: AfterAttention) -> None:
        """Ask, once all tiles of the layer have been taken."""


class Host(Collector, Protocol):
    """A collector with "room" in `needs`: it has memory that a tile's weights can be written to at once."""

    def room(self, layer: int, heads: range, rows: range, cols: range) -> NDArray[np.float32] | None:
        """Its own memory for exactly these weights [head, row, col], or None. A tile made there still is taken."""


class Dense:
    """Keeps every weight of the wanted layers and heads: float32 [layer, head, query, key], and the mask.

    rows, cols: keep only this window of queries and keys. `mask` is bool [1, query, key] where all layers agree, else
    [layer, query, key].
    """

    needs: frozenset[str] = frozenset({"room"})

    def __init__(self, layers: Sequence[int], heads: Sequence[int], rows: range, cols: range) -> None:
        self.layers, self.heads = tuple(layers), tuple(heads)
        self.rows, self.cols = rows, cols
        self._at_layer = {layer: i for i, layer in enumerate(self.layers)}
        self._at_head = {head: i for i, head in enumerate(self.heads)}
        self.weights = np.zeros((len(self.layers), len(self.heads), len(rows), len(cols)), np.float32)
        self._masks: dict[int, NDArray[np.bool_]] = {}

    def wants(self, layer: int, head: int) -> bool:
        return layer in self._at_layer and head in self._at_head

    def take(self, tile: Tile) -> None:
        rows, tile_rows = _overlap(self.rows, tile.rows)
        cols, tile_cols = _overlap(self.cols, tile.cols)
        if rows.start >= rows.stop or cols.start >= cols.stop:
            return
        at = self._at_layer[tile.layer]
        for position, head in enumerate(tile.heads):
            if head in self._at_head and not np.may_share_memory(tile.weights, self.weights):  # else made here
                self.weights[at, self._at_head[head], rows, cols] = tile.weights[position, tile_rows, tile_cols]
        if tile.allowed is not None and tile.allowed.ndim == 3:
            self._mask_of(tile.layer)[rows, cols] |= _for_all_heads(tile.allowed)[tile_rows, tile_cols]
        elif self.heads[0] in tile.heads:  # all heads agree: one of them is enough
            allowed = True if tile.allowed is None else tile.allowed[tile_rows, tile_cols]
            self._mask_of(tile.layer)[rows, cols] = allowed

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
        return _one_if_equal([self._mask_of(layer) for layer in self.layers])

    def result(self) -> NDArray[np.float32]:
        """The weights, float32 [layer, head, query, key]."""
        return self.weights


class Pooled:
    """Keeps cells of `cell` x `cell` tokens: float32 [layer, head, query cell, key cell], max or mean.

    Pooling goes over allowed places only; a cell without one is 0, and masked.
    """

    needs: frozenset[str] = frozenset()

    def __init__(
        self, layers: Sequence[int], heads: Sequence[int], n_query: int, n_key: int, cell: int, pool: str = "max"
    ) -> None:
        self.layers, self.heads, self.cell, self.pool = tuple(layers), tuple(heads), cell, pool
        self._at_layer = {layer: i for i, layer in enumerate(self.layers)}
        self._at_head = {head: i for i, head in enumerate(self.heads)}
        shape = (-(-n_query // cell), -(-n_key // cell))
        self._cells = np.zeros((len(self.layers), len(self.heads), *shape), np.float32)
        # How many places of each cell were allowed, to some head where heads differ; and where, in that case.
        self._counts = np.zeros((len(self.layers), *shape), np.int64)
        self._seen: dict[int, NDArray[np.bool_]] = {}

    def wants(self, layer: int, head: int) -> bool:
        return layer in self._at_layer and head in self._at_head

    def take(self, tile: Tile) -> None:
        layer = self._at_layer[tile.layer]
        first, last = tile.cols.start // self.cell, (tile.cols.stop - 1) // self.cell + 1
        reduce, join = (np.maximum.reduce, np.maximum) if self.pool == "max" else (np.add.reduce, np.add)
        for group, rows in _by_cell(tile.rows, self.cell):
            # Rows first: that runs along memory, and leaves little for the columns.
            band = _columns_(reduce(tile.weights[:, rows], axis=1), tile.cols, self.cell, join)
            for position, head in enumerate(tile.heads):
                if head in self._at_head:
                    cells = self._cells[layer, self._at_head[head], group, first:last]
                    join(cells, band[position], out=cells)
        self._count(layer, tile, slice(first, last))

    def _count(self, layer: int, tile: Tile, cells: slice) -> None:
        """The allowed places of a tile, once for all heads."""
        allowed = tile.allowed
        if allowed is not None and allowed.ndim == 3:
            # Each head has its own mask, in a tile of all rows and keys: places that some head may see.
            allowed = self._seen[layer] = _for_all_heads(allowed) | self._seen.get(layer, np.False_)
            self._counts[layer] = 0
        elif self.heads[0] not in tile.heads:
            return
        for group, rows in _by_cell(tile.rows, self.cell):
            if allowed is None:
                ones = np.full(len(tile.cols), rows.stop - rows.start, np.int64)
            else:
                ones = allowed[rows].sum(0, dtype=np.int64)
            self._counts[layer, group, cells] += _columns_(ones[None], tile.cols, self.cell, np.add)[0]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Cells with at least one allowed place, bool [1 or layer, query cell, key cell]."""
        return _one_if_equal(list(self._counts > 0))

    def result(self) -> NDArray[np.float32]:
        """The cells, float32 [layer, head, query cell, key cell]."""
        if self.pool == "max":
            return self._cells
        counts = np.maximum(self._counts, 1)[:, None]
        return (self._cells / counts).astype(np.float32)


class Statistics:
    """Keeps a few sums a head, from which the numbers of a head follow; results of several texts add up.

    special: bool [key], True for special tokens. ordered: whether queries and keys are the same tokens, so that
    distance, previous, next and self mean something (not for cross-attention).
    """

    needs: frozenset[str] = frozenset()
    NAMES = ("entropy", "confidence", "distance", "mass", "previous", "next", "self", "first", "special", "span")

    def __init__(self, n_layers: int, n_heads: int, special: NDArray[np.bool_]) -> None:
        self._special = np.asarray(special, np.float32)
        self.sums = np.zeros((len(self.NAMES), n_layers, n_heads), np.float64)
        self.rows = np.zeros((3, n_layers, n_heads), np.float64)  # all; those with a previous key; with a next one

    def wants(self, layer: int, head: int) -> bool:
        return True

    def take(self, tile: Tile) -> None:
        weights, at = tile.weights, slice(tile.heads.start, tile.heads.stop)
        logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
        entropy = -np.einsum("hrc,hrc->hr", weights, logs)
        column = np.arange(tile.cols.start, tile.cols.stop, dtype=np.float32)
        row = np.arange(tile.rows.start, tile.rows.stop, dtype=np.float32)
        away = np.abs(column[None] - row[:, None])
        flat = weights.reshape(len(weights), -1)
        found = {
            "entropy": entropy.sum(-1, dtype=np.float64),
            "span": np.exp(entropy).sum(-1, dtype=np.float64),
            "confidence": weights.max(-1).sum(-1, dtype=np.float64),
            "distance": flat @ away.reshape(-1),
            "mass": flat.sum(-1, dtype=np.float64),
            "previous": _diagonal(tile, -1),
            "next": _diagonal(tile, 1),
            "self": _diagonal(tile, 0),
            "first": weights[..., 0].sum(-1) if tile.cols.start == 0 else np.zeros(len(weights)),
            "special": (weights @ self._special[tile.cols.start : tile.cols.stop]).sum(-1),
        }
        for i, name in enumerate(self.NAMES):
            self.sums[i, tile.layer, at] += found[name]
        n = len(self._special)
        self.rows[0, tile.layer, at] += len(tile.rows)
        self.rows[1, tile.layer, at] += sum(1 for i in tile.rows if i > 0)
        self.rows[2, tile.layer, at] += sum(1 for i in tile.rows if i < n - 1)

    def merge(self, other: Statistics) -> None:
        """Add what another text gave."""
        self.sums += other.sums
        self.rows += other.rows

    def result(self) -> dict[str, NDArray[np.float64]]:
        """Each number as [layer, head]: means over rows; distance is sum A |i - j| / sum A over the head.

        0 where no row counts: previous and next in texts of one token.
        """
        sums = dict(zip(self.NAMES, self.sums, strict=True))
        mass = sums.pop("mass")
        over = {"previous": self.rows[1], "next": self.rows[2], "distance": mass}

        def mean(name: str, total: NDArray[np.float64]) -> NDArray[np.float64]:
            count = over.get(name, self.rows[0])
            return np.divide(total, count, out=np.zeros_like(total), where=(mass > 0) & (count > 0))

        return {name: mean(name, total) for name, total in sums.items()}


class Links:
    """Keeps the `count` strongest pairs of each head; of equals, the earlier query and key."""

    needs: frozenset[str] = frozenset()

    def __init__(self, n_layers: int, n_heads: int, count: int) -> None:
        self.count = count
        none = (np.empty(0, np.float32), np.empty(0, np.int64), np.empty(0, np.int64))
        self._best = [[none for _ in range(n_heads)] for _ in range(n_layers)]

    def wants(self, layer: int, head: int) -> bool:
        return True

    def take(self, tile: Tile) -> None:
        for position, head in enumerate(tile.heads):
            best = self._best[tile.layer][head]
            flat = tile.weights[position].reshape(-1)
            # Once there are enough, only a stronger one can enter: rows come in order, so that equals lose.
            if len(best[0]) >= self.count:
                places = np.flatnonzero(flat > best[0][-1])
            elif flat.size > self.count:
                kth = np.partition(flat, flat.size - self.count)[flat.size - self.count]
                places = np.flatnonzero(flat >= max(kth, np.float32(1e-30)))
            else:
                places = np.flatnonzero(flat > 0)
            row, col = np.divmod(places, len(tile.cols))
            new = (flat[places], row + tile.rows.start, col + tile.cols.start)
            self._best[tile.layer][head] = self._strongest(best, new)

    def _strongest(self, *parts: tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]):
        weight, query, key = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.lexsort((key, query, -weight))[: self.count]
        return weight[order], query[order], key[order]

    def result(self) -> list[list[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]]]:
        """For each layer and head (weights, queries, keys), strongest first."""
        return self._best


def _shared(group: int, heads: slice) -> slice | list[int]:
    """The key-value heads of a run of heads, `group` heads to each.

    A run of whole groups or within one keeps as many heads to each; another gets one each.
    """
    first, last = heads.start // group, (heads.stop - 1) // group
    if first == last or (heads.start % group == 0 and heads.stop % group == 0):
        return slice(first, last + 1)
    return [head // group for head in range(heads.start, heads.stop)]


def _for_all_heads(allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[row, col], True where at least one head may attend."""
    return allowed if allowed.ndim == 2 else np.logical_or.reduce(allowed, axis=0)


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


def _diagonal(tile: Tile, offset: int) -> NDArray[np.float64]:
    """The sum of a head's weights on key = query + offset, within the tile."""
    rows = range(max(tile.rows.start, tile.cols.start - offset), min(tile.rows.stop, tile.cols.stop - offset))
    if not len(rows):
        return np.zeros(len(tile.weights))
    at = np.arange(rows.start, rows.stop)
    picked = tile.weights[:, at - tile.rows.start, at + offset - tile.cols.start]
    return picked.sum(-1, dtype=np.float64)


def _one_if_equal(masks: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """[1, ...] where all layers agree, else [layer, ...]."""
    if all(np.array_equal(masks[0], other) for other in masks[1:]):
        return masks[0][None]
    return np.stack(masks)
