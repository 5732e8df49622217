"""Tile: finished attention of some heads and rows.

The engine never holds a whole map: it hands each finished Tile to the collectors (observer.py) that want its layer and
heads, and reuses the arrays once `take` returns. Tiles of one (layer, head) come in row order; different heads may come
from different threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Mask = NDArray[np.bool_]
    Change = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Tile:
    """Finished attention of some heads and query rows over the keys that those rows can reach.

    weights: float32 [head, row, col]. heads, rows, cols: ranges of true indices.
    allowed: bool [1 or head, row, col], True where attending is allowed; one mask where all heads agree. own_masks:
    whether the heads of this layer may differ.

    The other arrays are there if a collector names them in `needs`: scores [head, row, col] before softmax (scaled,
    biased; hidden ones -inf), v [kv head, col, d_value], outputs [head, row, d_value], and stages: the scores
    [head, row, col] as they are after each operation on them, before the mask, in order: raw (q . k), then what the
    model has of relative, before_scale, scaled, capped, biased, counted. q [head, row, d_head] and k [kv head, col,
    d_head] are there unless the tile is a mean of heads or comes from saved attention.

    Several texts of one length: every array but `allowed`, which they share, has an axis of texts in front.
    """

    stream: str
    layer: int
    heads: range
    rows: range
    cols: range
    weights: Array
    allowed: Mask
    scores: Array | None = None
    q: Array | None = None
    k: Array | None = None
    v: Array | None = None
    outputs: Array | None = None
    stages: Mapping[str, Array] | None = None
    own_masks: bool = False

    def attending(self, head: int) -> Mask:
        """bool [row, col]: the keys that one head of the tile, by position, may attend to."""
        return self.allowed[0 if len(self.allowed) == 1 else head]

    @property
    def attending_any(self) -> Mask:
        """bool [row, col]: the keys that at least one head of the tile may attend to."""
        return self.allowed[0] if len(self.allowed) == 1 else np.logical_or.reduce(self.allowed, axis=0)

    def texts(self) -> list[Tile]:
        """The tile of each text, without an axis of texts; the tile itself if it has one text."""
        if self.weights.ndim == 3:
            return [self]
        return [self._changed(itemgetter(i)) for i in range(len(self.weights))]

    def part(self, at: slice) -> Tile:
        """The tile of some of its heads (positions within the tile), with the keys and values that they use."""
        changed = self._changed(
            lambda values: values[..., at, :, :],
            lambda values: values[..., _shared(len(self.heads) // values.shape[-3], at), :, :],
        )
        return replace(
            changed, heads=self.heads[at], allowed=self.allowed if len(self.allowed) == 1 else self.allowed[at]
        )

    def cut(self, rows: range, cols: range, at_rows: NDArray[np.intp], at_cols: NDArray[np.intp]) -> Tile:
        """The tile of some of its rows and columns, at these positions in it, which are called `rows` and `cols`."""

        def both(values: NDArray[Any]) -> Any:
            return values[..., at_rows, :][..., at_cols]

        changed = self._changed(both, lambda values: values[..., at_cols, :], lambda values: values[..., at_rows, :])
        return replace(changed, rows=rows, cols=cols, allowed=both(self.allowed))

    def _changed(self, maps: Change, keys: Change | None = None, queries: Change | None = None) -> Tile:
        """The tile with its arrays changed: those by query and key, those by key, and those by query."""
        keys, queries = keys or maps, queries or maps

        def some(change: Change, values: Array | None) -> Array | None:
            return None if values is None else change(values)

        stages = None if self.stages is None else {name: maps(scores) for name, scores in self.stages.items()}
        return replace(
            self,
            weights=maps(self.weights),
            scores=some(maps, self.scores),
            q=some(queries, self.q),
            k=some(keys, self.k),
            v=some(keys, self.v),
            outputs=some(queries, self.outputs),
            stages=stages,
        )


@lru_cache(maxsize=8)
def all_allowed(n_rows: int, n_cols: int) -> NDArray[np.bool_]:
    """bool [1, row, col], True throughout, in a single byte of memory."""
    return np.broadcast_to(np.True_, (1, n_rows, n_cols))


def _shared(group: int, heads: slice) -> slice | list[int]:
    """The key-value heads of a run of heads, `group` heads to each.

    A run of whole groups or within one keeps as many heads to each; another gets one each.
    """
    first, last = heads.start // group, (heads.stop - 1) // group
    if first == last or (heads.start % group == 0 and heads.stop % group == 0):
        return slice(first, last + 1)
    return [head // group for head in range(heads.start, heads.stop)]
