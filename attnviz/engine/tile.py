"""Tile: finished attention of some heads and rows, and the protocols of those who take it.

The engine never holds a whole map: it hands each finished Tile to the collectors that want that layer and head, and
reuses the arrays once `take` returns. Tiles of one (layer, head) come in row order; different heads may come from
different threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.after_attention import AfterAttention

    Array = NDArray[np.float32]
    Mask = NDArray[np.bool_]


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
    weights: Array
    allowed: Mask | None
    scores: Array | None = None
    q: Array | None = None
    k: Array | None = None
    v: Array | None = None
    outputs: Array | None = None
    stages: Mapping[str, Array] | None = None

    @property
    def differs(self) -> bool:
        """Whether heads may attend to different keys: `allowed` has an axis of heads."""
        return self.allowed is not None and self.allowed.ndim == 3

    def attending(self, head: int) -> Mask | None:
        """bool [row, col]: the keys that one head of the tile, by position, may attend to; None where all are."""
        if self.allowed is None or not self.differs:
            return self.allowed
        return self.allowed[head if len(self.allowed) > 1 else 0]

    def attending_each(self) -> Mask:
        """bool [1 or head, row, col]: the same as an array in any case, one for all heads where they agree."""
        if self.allowed is None:
            return np.ones((1, len(self.rows), len(self.cols)), bool)
        return self.allowed if self.differs else self.allowed[None]

    def attending_any(self) -> Mask | None:
        """bool [row, col]: the keys that at least one head of the tile may attend to; None where all are."""
        if self.allowed is None or not self.differs:
            return self.allowed
        return np.logical_or.reduce(self.allowed, axis=0)

    def part(self, at: slice) -> Tile:
        """The tile of some of its heads (positions within the tile), with the keys and values that these use."""
        allowed = self.allowed
        if allowed is not None and self.differs and len(allowed) > 1:
            allowed = allowed[at]

        def cut(values: Array | None) -> Array | None:
            return None if values is None else values[at]

        def cut_shared(values: Array | None) -> Array | None:
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

    def cut(self, rows: range, cols: range, at_rows: NDArray[np.intp], at_cols: NDArray[np.intp]) -> Tile:
        """The tile of some of its rows and columns, at these positions in it, which are called `rows` and `cols`."""

        def both(values: NDArray[Any] | None) -> Any:
            return None if values is None else values[..., at_rows, :][..., at_cols]

        def some(values: Array | None, at: NDArray[np.intp]) -> Array | None:
            return None if values is None else values[:, at]

        return replace(
            self,
            rows=rows,
            cols=cols,
            weights=both(self.weights),
            allowed=both(self.allowed),
            scores=both(self.scores),
            q=some(self.q, at_rows),
            k=some(self.k, at_cols),
            v=some(self.v, at_cols),
            outputs=some(self.outputs, at_rows),
            stages=None if self.stages is None else {name: both(scores) for name, scores in self.stages.items()},
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

    def see(self, layer: int, name: str, values: Array) -> None:
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

    def room(self, layer: int, heads: range, rows: range, cols: range) -> Array | None:
        """Its own memory for exactly these weights [head, row, col], or None. A tile made there still is taken."""


def _shared(group: int, heads: slice) -> slice | list[int]:
    """The key-value heads of a run of heads, `group` heads to each.

    A run of whole groups or within one keeps as many heads to each; another gets one each.
    """
    first, last = heads.start // group, (heads.stop - 1) // group
    if first == last or (heads.start % group == 0 and heads.stop % group == 0):
        return slice(first, last + 1)
    return [head // group for head in range(heads.start, heads.stop)]
