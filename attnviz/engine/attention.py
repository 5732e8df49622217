"""Attention of one layer: scores, softmax, weighted sum, in tiles that collectors look at and forget.

For head h, query i and key j (Vaswani 2017, eq. 1, with the additions that a Spec names):

    score_ij = scale * q_i . k_j  (capped, biased by distance)      weight_ij = softmax over allowed j
    output_i = sum_j weight_ij v_j
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, local
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.masks import Mask
from attnviz.engine.ops import SAFE, exponentials_, finite, overflow, softmax_
from attnviz.engine.positions import DistanceBias, RelativeScores
from attnviz.engine.project import Heads
from attnviz.engine.spec import AttentionFunction
from attnviz.engine.threads import one_matrix_thread, share
from attnviz.engine.tile import Collector, Tile
from attnviz.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.images import OffsetBias

    Array = NDArray[np.float32]

# A whole layer up to this many scores is one tile; beyond, a tile is one key-value head's rows, sized for a cache.
WHOLE_LAYER = 1 << 19
TILE = 1 << 19
# Of a mask that hides long runs of keys, tiles of so few rows skip most; of fewer rows, calls cost more than they skip.
SKIP_ROWS = 171
# A tile's memory is kept for the next one up to this many numbers (8 MB a thread).
KEPT_SCRATCH = 1 << 21
FLOAT32_MAX = 3.4e38


@dataclass(frozen=True, eq=False)
class Layer:
    """What the tile loop needs to know of one layer beside its heads."""

    stream: str
    index: int
    scale: float
    mask: Mask
    softcap: float = 0.0
    sinks: Array | None = None  # [n_heads]
    bias: DistanceBias | OffsetBias | None = None
    relative: Callable[[range], RelativeScores] | None = None  # for a range of heads
    everywhere: Heads | None = None  # q [head, global token, d_head], k and v [kv head, key, d_head] of mask.everywhere
    first_block_times: int = 1  # how often the keys of the first block count in rows of inner blocks
    variant: AttentionFunction | None = None  # makes the weights, in place of scores, mask and softmax


def attend(layer: Layer, heads: Heads, collectors: Sequence[Collector]) -> Array | None:
    """Run the tiles of one layer through the collectors.

    Returns the heads' outputs side by side, [query, n_heads * d_value], or None if there are no values.
    """
    n_heads, n_query, _ = heads.q.shape
    n_key = heads.k.shape[1]
    out = None if heads.v is None else np.empty((n_query, n_heads, heads.v.shape[-1]), np.float32)
    wanted = [c for c in collectors if any(c.wants(layer.index, h) for h in range(n_heads))]
    if layer.variant is not None:
        _run_variant(layer, layer.variant, heads, wanted, out)
    elif n_heads * n_query * n_key <= WHOLE_LAYER:
        _run_heads(layer, heads, range(n_heads), n_query, wanted, out)
    else:
        _run_threads(layer, heads, wanted, out)
    return None if out is None else out.reshape(n_query, -1)


def _run_variant(
    layer: Layer, variant: AttentionFunction, heads: Heads, collectors: Sequence[Collector], out: Array | None
) -> None:
    """The whole layer as one tile, of weights that were made in another way."""
    n_heads, n_query, _ = heads.q.shape
    group = n_heads // heads.k.shape[0]
    if any({"scores", "stages"} & set(c.needs) for c in collectors):
        raise InputError("this mechanism has no scores before a softmax to look at", "leave out --mechanism")
    weights, allowed = variant(layer.index, heads.q, heads.k.repeat(group, axis=0), layer.scale, layer.mask.causal)
    finite(weights, f"weights of layer {layer.index}")
    made = None if heads.v is None else weights @ heads.v.repeat(group, axis=0)
    if made is not None and out is not None:
        out[...] = made.swapaxes(0, 1)
    rows, cols = range(n_query), range(heads.k.shape[1])
    tile = Tile(
        layer.stream, layer.index, range(n_heads), rows, cols, weights, allowed, None, heads.q, heads.k, heads.v, made
    )
    for collector, at in _takers(layer.index, range(n_heads), collectors):
        collector.take(tile if at is None else tile.part(at))


def _run_threads(layer: Layer, heads: Heads, collectors: Sequence[Collector], out: Array | None) -> None:
    """One head at a time, spread over the cores; the matrix library then keeps to one thread each."""
    n_query = heads.q.shape[1]
    n_rows = max(8, TILE // heads.k.shape[1])
    if layer.mask.skips:
        n_rows = min(n_rows, max(SKIP_ROWS, n_query // 8))
    parts = [range(head, head + 1) for head in range(heads.q.shape[0])]
    # Without an output to make, only heads that somebody wants are worth a tile.
    if out is None:
        parts = [p for p in parts if any(c.wants(layer.index, h) for c in collectors for h in p)]
    with one_matrix_thread():
        share(parts, lambda part, stop: _run_heads(layer, heads, part, n_rows, collectors, out, stop))


def _run_heads(
    layer: Layer,
    heads: Heads,
    part: range,
    n_rows: int,
    collectors: Sequence[Collector],
    out: Array | None,
    stop: Event | None = None,
) -> None:
    """The tiles of these heads, in row order, until `stop` is set."""
    n_query = heads.q.shape[1]
    kv = heads.shared(part)
    k = heads.k[kv]
    v = None if heads.v is None else heads.v[kv]
    group = len(part) // len(k)
    bounded = _bounded(layer, heads.q[part.start : part.stop], k)
    relative = layer.relative(part) if layer.relative is not None else None
    takers = _takers(layer.index, part, collectors)
    keeps = frozenset().union(*(c.needs for c, _ in takers)) if takers else frozenset()
    for start in range(0, n_query, n_rows):
        if stop is not None and stop.is_set():
            return
        rows = range(start, min(start + n_rows, n_query))
        cols = layer.mask.reachable(rows)
        q = heads.q[part.start : part.stop, rows.start : rows.stop]
        k_part = k[:, cols.start : cols.stop]
        stages: dict[str, Array] | None = {} if "stages" in keeps else None
        scores = _scores(layer, q, k_part, part, rows, cols, relative, stages)
        hides = layer.mask.hidden(rows, cols)
        hidden, spans = hides if hides is not None else (None, ())
        kept = None
        if "scores" in keeps:
            kept = scores.copy() if hidden is None else np.where(hidden, np.float32(-np.inf), scores)
        if layer.first_block_times > 1:
            _count_first_block_(layer, scores, rows, cols)
            if stages is not None:
                stages["counted"] = scores.copy()
        sinks = None if layer.sinks is None else layer.sinks[part.start : part.stop, None, None]
        total = exponentials_(scores, hidden, sinks, spans, bounded)
        if not np.isfinite(total).all():
            raise overflow(f"scores of layer {layer.index}")
        made = None
        if v is not None and out is not None:
            made = (_grouped(scores, group) @ v[:, cols.start : cols.stop]).reshape(len(part), len(rows), -1)
            made /= total
        weights = scores
        if takers or layer.everywhere is not None:
            weights = np.divide(scores, total, out=_room(layer.index, part, rows, cols, takers, scores))
        for place, token in enumerate(layer.mask.everywhere if layer.everywhere is not None else ()):
            if token in rows:
                _global_row_(layer, part, place, token - rows.start, weights, made, kept, stages)
        if made is not None and out is not None:
            out[rows.start : rows.stop, part.start : part.stop] = made.swapaxes(0, 1)
        if takers:
            allowed = None if hidden is None else ~hidden
            tile = Tile(
                layer.stream, layer.index, part, rows, cols, weights, allowed, kept, q, k_part,
                None if v is None else v[:, cols.start : cols.stop], made, stages,
            )  # fmt: skip
            for collector, at in takers:
                collector.take(tile if at is None else tile.part(at))


def _bounded(layer: Layer, q: Array, k: Array) -> bool:
    """Whether the lengths of queries and keys alone keep all scores within `SAFE`: |q . k| <= |q| |k|.

    Raises CheckpointError where that product is beyond float32: scores of -infinity would look like a mask.
    """
    longest = math.prod(float(np.sqrt(np.einsum("hnd,hnd->hn", x, x).max())) for x in (q, k))
    if not longest * layer.scale < FLOAT32_MAX:
        raise overflow(f"queries and keys of layer {layer.index}")
    if layer.relative is not None or layer.bias is not None or layer.first_block_times > 1:
        return False
    if layer.sinks is not None and np.abs(layer.sinks).max() > SAFE:
        return False
    return (min(layer.softcap, longest * layer.scale) if layer.softcap else longest * layer.scale) <= SAFE


def _room(
    layer: int,
    part: range,
    rows: range,
    cols: range,
    takers: Sequence[tuple[Collector, slice | None]],
    scores: Array,
) -> Array:
    """Where a tile's weights are written: the memory of a collector that has some, else that of the scores."""
    for collector, at in takers:
        if at is None and "room" in collector.needs:
            room = collector.room(layer, part, rows, cols)  # type: ignore[attr-defined]
            if room is not None:
                return room
    return scores


def _global_row_(
    layer: Layer,
    part: range,
    place: int,
    row: int,
    weights: Array,
    made: Array | None,
    kept: Array | None,
    stages: dict[str, Array] | None,
) -> None:
    """A global token's row, from projections of its own over all keys. Source: Beltagy 2020, section 3.1."""
    heads = layer.everywhere
    assert heads is not None
    kv = heads.shared(part)
    group = len(part) // len(heads.k[kv])
    q = heads.q[part.start : part.stop, place, None]
    raw = (_grouped(q, group) @ heads.k[kv].swapaxes(-1, -2)).reshape(len(part), -1)
    scores = raw * np.float32(layer.scale)
    if kept is not None:
        kept[:, row] = scores
    for name, stage in (stages or {}).items():
        stage[:, row] = raw if name == "raw" else scores
    weights[:, row] = softmax_(scores)
    if made is not None and heads.v is not None:
        made[:, row] = (_grouped(weights[:, row, None], group) @ heads.v[kv]).reshape(len(part), -1)


def _count_first_block_(layer: Layer, scores: Array, rows: range, cols: range) -> None:
    """Keys that stand several times in a softmax have so many times the weight: ln(times) on their scores."""
    size = layer.mask.block
    last = (layer.mask.n_key - 1) // size
    inner = range(max(rows.start, size), min(rows.stop, last * size))
    if len(inner) and cols.start < size:
        at = slice(inner.start - rows.start, inner.stop - rows.start)
        scores[:, at, : size - cols.start] += np.float32(np.log(layer.first_block_times))


def _takers(layer: int, part: range, collectors: Sequence[Collector]) -> list[tuple[Collector, slice | None]]:
    """Who wants which of these heads: a slice for some, None for all; a collector may stand in more than one run."""
    found: list[tuple[Collector, slice | None]] = []
    for collector in collectors:
        wants = [collector.wants(layer, h) for h in part]
        if all(wants):
            found.append((collector, None))
            continue
        start = 0
        while start < len(wants):
            stop = start
            while stop < len(wants) and wants[stop]:
                stop += 1
            if stop > start:
                found.append((collector, slice(start, stop)))
            start = stop + 1
    return found


def _grouped(x: Array, group: int) -> Array:
    """[head, row, d] -> [kv head, group * row, d]: query heads that share keys, one under the other."""
    n_heads, n_rows, d = x.shape
    return x.reshape(n_heads // group, group * n_rows, d)


_LOCAL = local()


def _scratch(*shape: int) -> Array:
    """Memory for one tile's scores, the same for every tile of a thread: fresh pages cost as much as the arithmetic."""
    size = math.prod(shape)
    if size > KEPT_SCRATCH:
        return np.empty(shape, np.float32)
    held = getattr(_LOCAL, "scores", None)
    if held is None or held.size < size:
        held = _LOCAL.scores = np.empty(size, np.float32)
    return held[:size].reshape(shape)


def _scores(
    layer: Layer,
    q: Array,
    k: Array,
    part: range,
    rows: range,
    cols: range,
    relative: RelativeScores | None,
    stages: dict[str, Array] | None = None,
) -> Array:
    """Scores before the mask: [head, row, col]. stages: receives a copy of them after each operation."""

    def after(name: str) -> None:
        if stages is not None:
            stages[name] = scores.copy()

    group = len(part) // k.shape[0]
    scale = np.float32(layer.scale)
    scaled_first = stages is None and relative is None and not (layer.bias is not None and layer.bias.before_scale)
    if scaled_first:
        q = q * scale  # [head, row, d_head]: far fewer numbers than the scores
    scores = _scratch(len(part) // group, group * len(rows), len(cols))
    np.matmul(_grouped(q, group), k.swapaxes(-1, -2), out=scores)
    scores = scores.reshape(len(part), len(rows), len(cols))
    after("raw")
    if relative is not None:
        relative.add_(scores, rows, cols)
        after("relative")
    if layer.bias is not None and layer.bias.before_scale:
        layer.bias.add_(scores, part, rows, cols)
        after("before_scale")
    if not scaled_first:
        scores *= scale
        after("scaled")
    if layer.softcap:
        scores /= np.float32(layer.softcap)
        np.tanh(scores, out=scores)
        scores *= np.float32(layer.softcap)
        after("capped")
    if layer.bias is not None and not layer.bias.before_scale:
        layer.bias.add_(scores, part, rows, cols)
        after("biased")
    return scores
