"""A layer's attention in tiles: how much memory each takes, which thread computes it, and which collectors get it.

A short text's layer is one tile of all its heads. A long text's is cut into tiles of some rows of one head, sized for a
cache, which several threads work on. Each tile goes through the formula (attention.py) and to the collectors that want
it, and is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.attention import Rule, Term, attention
from attnviz.engine.kernels import SAFE, dot_products, softmax_, weighted_sums
from attnviz.engine.masks import Mask
from attnviz.engine.observer import Collector, Observer, Record
from attnviz.engine.ops import finite, overflow
from attnviz.engine.positions import DistanceBias, RelativeScores
from attnviz.engine.project import Heads
from attnviz.engine.spec import AttentionFunction
from attnviz.engine.threads import one_matrix_thread, share
from attnviz.engine.tile import Tile, all_allowed
from attnviz.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.edits import Edit
    from attnviz.engine.images import OffsetBias

    Array = NDArray[np.float32]

# A whole layer up to this many scores is one tile; beyond, a tile is one key-value head's rows, sized for a cache.
WHOLE_LAYER = 1 << 19
TILE = 1 << 19
# With causal and window masks, short tiles skip the most hidden keys. Below this many rows the cost of a call outweighs
# what it skips.
SKIP_ROWS = 171
FLOAT32_MAX = 3.4e38


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer's attention beside its queries, keys and values.

    relative: the scores by content and distance of a range of heads. global_heads: q [head, global token, d_head], k
    and v [kv head, key, d_head], the projections of their own that global tokens have. first_block_times: how often the
    keys of the first block count in rows of inner blocks. variant: makes the weights instead of scores, mask and
    softmax. edit: cuts links.
    """

    stream: str
    index: int
    scale: float
    mask: Mask
    softcap: float = 0.0
    sinks: Array | None = None  # [n_heads]
    bias: DistanceBias | OffsetBias | None = None
    relative: Callable[[range], RelativeScores] | None = None
    global_heads: Heads | None = None
    first_block_times: int = 1
    variant: AttentionFunction | None = None
    edit: Edit | None = None


def attend(layer: Layer, heads: Heads, observer: Observer) -> Array | None:
    """Run the tiles of one layer, and hand them to the collectors.

    Returns the heads' outputs side by side, [..., query, n_heads * d_value], or None if there are no values.
    """
    *texts, n_heads, n_query, _ = heads.q.shape
    n_key = heads.k.shape[-2]
    out = None if heads.v is None else np.empty((*texts, n_query, n_heads, heads.v.shape[-1]), np.float32)
    wanting = observer.wanting(layer.index)
    if layer.variant is not None:
        _run_variant(layer, layer.variant, heads, wanting, out)
    elif texts or n_heads * n_query * n_key <= WHOLE_LAYER:  # texts.py puts no more texts together than fit
        _run_heads(layer, heads, range(n_heads), n_query, wanting, out)
    else:
        _run_threads(layer, heads, wanting, out)
    return None if out is None else out.reshape(*texts, n_query, n_heads * out.shape[-1])


def _run_variant(
    layer: Layer, variant: AttentionFunction, heads: Heads, collectors: Sequence[Collector], out: Array | None
) -> None:
    """The whole layer as one tile, with the weights of another kind of attention."""
    n_heads, n_query, _ = heads.q.shape
    group = n_heads // heads.k.shape[0]
    if layer.edit is not None and layer.edit.cuts:
        raise InputError("this mechanism has no scores before a softmax to cut links in", "leave out --mechanism")
    if any({"scores", "stages"} & set(c.needs) for c in collectors):
        raise InputError("this mechanism has no scores before a softmax to look at", "leave out --mechanism")
    weights, allowed = variant(layer.index, heads.q, heads.k.repeat(group, axis=0), layer.scale, layer.mask.causal)
    finite(weights, f"weights of layer {layer.index}")
    outputs = None if heads.v is None else weights @ heads.v.repeat(group, axis=0)
    if outputs is not None and out is not None:
        out[...] = outputs.swapaxes(0, 1)
    every, rows, cols = range(n_heads), range(n_query), range(heads.k.shape[1])
    own_masks = allowed is not None and allowed.ndim == 3
    masks = all_allowed(len(rows), len(cols)) if allowed is None else allowed if own_masks else allowed[None]
    tile = Tile(
        layer.stream, layer.index, every, rows, cols, weights, masks, None,
        heads.q, heads.k, heads.v, outputs, own_masks=own_masks,
    )  # fmt: skip
    hand_over(tile, takers(layer.index, every, collectors))


def _run_threads(layer: Layer, heads: Heads, collectors: Sequence[Collector], out: Array | None) -> None:
    """One head at a time, spread over the cores; the matrix library then keeps to one thread each."""
    n_heads, n_query, n_key = heads.q.shape[-3], heads.q.shape[-2], heads.k.shape[-2]
    n_rows = max(8, TILE // n_key)
    if layer.mask.skips:
        n_rows = min(n_rows, max(SKIP_ROWS, n_query // 8))
    parts = [range(head, head + 1) for head in range(n_heads)]
    # Where no output is computed, heads that no collector wants need no tile.
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
    """The tiles of the heads in `part`, `n_rows` rows each, in row order, until `stop` is set."""
    run = _Run(layer, heads, part, collectors)
    n_query = heads.q.shape[-2]
    for start in range(0, n_query, n_rows):
        if stop is not None and stop.is_set():
            return
        rows = range(start, min(start + n_rows, n_query))
        outputs = run.tile(rows)
        if outputs is not None and out is not None:
            out[..., rows.start : rows.stop, part.start : part.stop, :] = outputs.swapaxes(-3, -2)


class _Run:
    """Some heads of a layer, on their way down the rows."""

    def __init__(self, layer: Layer, heads: Heads, part: range, collectors: Sequence[Collector]) -> None:
        self.layer, self.part = layer, part
        self.heads = heads.of(part)
        self.takers = takers(layer.index, part, collectors)
        self.needs = frozenset().union(*(c.needs for c, _ in self.takers))
        self.relative = layer.relative(part) if layer.relative is not None else None
        self.sinks = None if layer.sinks is None else layer.sinks[part.start : part.stop, None, None]
        bounded = _bounded(layer, self.heads)
        self.bounded = bounded if bounded.ndim else bool(bounded)
        if layer.global_heads is not None:
            _bounded(layer, layer.global_heads.of(part))  # refuses products that float32 cannot hold

    def tile(self, rows: range) -> Array | None:
        """Run some rows through the formula and hand them over. Returns their outputs [..., head, row, d_value]."""
        layer, cols = self.layer, self.layer.mask.reachable(rows)
        some = self.heads.within(rows, cols)
        record = Record(self.needs)
        rule = self._rule(rows, cols)
        e, total, outputs = attention(rule, some.q, some.k, some.v, record)
        if not np.isfinite(total).all():
            raise overflow(f"scores of layer {layer.index}")
        if not self.takers and layer.global_heads is None:
            return outputs
        weights = np.divide(e, total, out=self._memory(rows, cols, e))
        if layer.global_heads is not None:
            self._global_rows_(layer.global_heads, rows, weights, outputs, record)
        tile = Tile(
            layer.stream, layer.index, self.part, rows, cols, weights, _allowed(rule, rows, cols), record.scores,
            some.q, some.k, some.v, outputs, record.stages,
            own_masks=layer.edit is not None,
        )  # fmt: skip
        hand_over(tile, self.takers)
        return outputs

    def _rule(self, rows: range, cols: range) -> Rule:
        layer, relative, bias = self.layer, self.relative, self.layer.bias
        unscaled: list[Term] = []
        scaled: list[Term] = []
        if relative is not None:
            unscaled.append(("relative", lambda s: relative.add_(s, rows, cols)))
        if bias is not None:
            name, terms = ("before_scale", unscaled) if bias.before_scale else ("biased", scaled)
            terms.append((name, lambda s: bias.add_(s, self.part, rows, cols)))
        hidden, spans = self._hidden(rows, cols)
        repeats: list[Term] = []
        if layer.first_block_times > 1:
            repeats.append(("counted", lambda s: _count_first_block_(layer, s, rows, cols)))
        return Rule(layer.scale, unscaled, scaled, layer.softcap, hidden, spans, repeats, self.sinks, self.bounded)

    def _hidden(self, rows: range, cols: range) -> tuple[NDArray[np.bool_] | None, tuple[slice, ...]]:
        """Where attending is not allowed, [row, col] or [1 or head, row, col], and the columns that hold any of it."""
        hidden, spans = self.layer.mask.hidden(rows, cols) or (None, ())
        cut = self._cut(rows, cols)
        if cut is None:
            return hidden, spans
        return (cut if hidden is None else hidden | cut), (slice(None),)

    def _cut(self, rows: range, cols: range) -> NDArray[np.bool_] | None:
        """Links that an edit cuts, [1 or head, row, col]."""
        layer = self.layer
        return None if layer.edit is None else layer.edit.cut(layer.stream, layer.index, self.part, rows, cols)

    def _memory(self, rows: range, cols: range, e: Array) -> Array:
        """Where a tile's weights are written: the memory of a collector that has some, or that of the exponentials."""
        for collector, at in self.takers:
            if at is None and e.ndim == 3 and "room" in collector.needs:
                room = collector.room(self.layer.index, self.part, rows, cols)
                if room is not None:
                    return room
        return e

    def _global_rows_(self, heads: Heads, rows: range, weights: Array, outputs: Array | None, record: Record) -> None:
        """Rows of global tokens, from projections of their own over all keys. Source: Beltagy 2020, section 3.1."""
        heads, layer = heads.of(self.part), self.layer
        for place, token in enumerate(layer.mask.everywhere):
            if token not in rows:
                continue
            row = token - rows.start
            raw = dot_products(heads.q[:, place, None], heads.k, fresh=True)
            scores = raw * np.float32(layer.scale)
            cut = self._cut(range(token, token + 1), range(layer.mask.n_key))
            if cut is not None:
                np.copyto(scores, -np.inf, where=cut)
            if record.scores is not None:
                record.scores[:, row, None] = scores
            for name, stage in (record.stages or {}).items():
                stage[:, row, None] = raw if name == "raw" else scores
            weights[:, row, None] = row_weights = softmax_(scores, cut)
            if outputs is not None and heads.v is not None:
                outputs[:, row, None] = weighted_sums(row_weights, heads.v)


def _allowed(rule: Rule, rows: range, cols: range) -> NDArray[np.bool_]:
    """True where attending is allowed, [1 or head, row, col]."""
    if rule.hidden is None:
        return all_allowed(len(rows), len(cols))
    return ~rule.hidden if rule.hidden.ndim == 3 else ~rule.hidden[None]


def _bounded(layer: Layer, heads: Heads) -> NDArray[np.bool_]:
    """bool [...], of each text: whether the lengths of its queries and keys keep all scores within `SAFE`.

    |q . k| <= |q| |k|. Raises CheckpointError where that product is beyond float32: scores of -infinity would look like
    a mask.
    """
    lengths = [np.sqrt(np.einsum("...d,...d->...", x, x).max((-1, -2))).astype(float) for x in (heads.q, heads.k)]
    longest = lengths[0] * lengths[1] * layer.scale
    if not (longest < FLOAT32_MAX).all():
        raise overflow(f"queries and keys of layer {layer.index}")
    if layer.relative is not None or layer.bias is not None or layer.first_block_times > 1:
        return np.zeros_like(longest, bool)
    if layer.sinks is not None and np.abs(layer.sinks).max() > SAFE:
        return np.zeros_like(longest, bool)
    return (np.minimum(layer.softcap, longest) if layer.softcap else longest) <= SAFE


def _count_first_block_(layer: Layer, scores: Array, rows: range, cols: range) -> None:
    """Keys that stand several times in a softmax have so many times the weight: ln(times) on their scores."""
    size = layer.mask.block
    last = (layer.mask.n_key - 1) // size
    inner = range(max(rows.start, size), min(rows.stop, last * size))
    if len(inner) and cols.start < size:
        at = slice(inner.start - rows.start, inner.stop - rows.start)
        scores[..., at, : size - cols.start] += np.float32(np.log(layer.first_block_times))


Taker = tuple[Collector, "slice | None"]


def takers(layer: int, part: range, collectors: Sequence[Collector]) -> list[Taker]:
    """The collectors that want heads of `part`, each with a slice for some of them, None for all.

    A collector that wants several runs of heads is listed once per run.
    """
    wanting: list[Taker] = []
    for collector in collectors:
        wants = [collector.wants(layer, h) for h in part]
        if all(wants):
            wanting.append((collector, None))
            continue
        start = 0
        while start < len(wants):
            stop = start
            while stop < len(wants) and wants[stop]:
                stop += 1
            if stop > start:
                wanting.append((collector, slice(start, stop)))
            start = stop + 1
    return wanting


def hand_over(tile: Tile, takers: Sequence[Taker]) -> None:
    """Give a tile, or the parts of it that they want, to collectors."""
    for collector, at in takers:
        collector.take(tile if at is None else tile.part(at))
