"""The differences between two Attentions: of two texts, two models, a model and its adapter, two layers, two files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import InputError
from attnviz.measures.align import NONE, Place, align, labels
from attnviz.measures.distance import jensen_shannon

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention


@dataclass(frozen=True)
class Change:
    """The weight that changed most in one head: places in `Difference.rows` and `Difference.columns`."""

    layer: int
    head: int
    distance: float
    row: int
    column: int
    before: float
    after: float

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, eq=False)
class Difference:
    """Two Attentions on common axes. Layers and heads are positions; `places` has their indices.

    rows: the queries that both have, as (place in the first, place in the second). columns: all keys, `NONE` on the
    side that lacks one. before, after: float32 [layer, head, row, column], 0 for a key that is not there.
    hidden: bool [layer or 1, 1 or head, row, column], True where neither may attend; None where all may, or nobody
    knows.
    distance: float64 [layer, head], Jensen-Shannon distance over the rows (`measures.distance`), 0 to 0.83.
    gone, come: queries that only the first, only the second has: they have no row.
    """

    first: Attention
    second: Attention
    rows: tuple[Place, ...]
    columns: tuple[Place, ...]
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    hidden: NDArray[np.bool_] | None
    distance: NDArray[np.float64]
    gone: tuple[str, ...] = ()
    come: tuple[str, ...] = ()

    @property
    def change(self) -> NDArray[np.float32]:
        """after - before, float32 [layer, head, row, column]: above 0 where the second gives more."""
        return self.after - self.before

    @property
    def row_labels(self) -> tuple[str, ...]:
        return labels(self.rows, self.first.queries, self.second.queries)

    @property
    def column_labels(self) -> tuple[str, ...]:
        return labels(self.columns, self.first.keys, self.second.keys)

    def place(self, layer: int, head: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """True indices at these positions: ((layer, head) of the first, of the second); a mean counts as 0."""
        at = layer * self.distance.shape[1] + head
        first, second = self.first.places[at], self.second.places[at]
        return (first[0] or 0, first[1] or 0), (second[0] or 0, second[1] or 0)

    def ranked(self) -> list[Change]:
        """Every head with the weight that changed most in it, positions as in `distance`: the largest distance first.

        Equal heads are in order of layer and head; of equal weights the first in reading order counts.
        """
        n_heads = self.distance.shape[1]
        order = np.argsort(-self.distance.reshape(-1), kind="stable")
        return [self._most(*divmod(int(place), n_heads)) for place in order]

    def _most(self, layer: int, head: int) -> Change:
        before, after = self.before[layer, head], self.after[layer, head]
        row, column = divmod(int(np.abs(after - before).argmax()), len(self.columns))
        weights = (float(before[row, column]), float(after[row, column]))
        return Change(layer, head, float(self.distance[layer, head]), row, column, *weights)


def diff(first: Attention, second: Attention) -> Difference:
    """The second Attention against the first, head by head, their tokens aligned.

    Layers and heads are compared by position: select the same number of both in each, as
    `diff(a.select(layers=2), a.select(layers=4))` for two layers of one model.

    A query has a row where both texts have it; a key that only one text has counts with the weight 0 in the other.

    Raises InputError: they have different numbers of layers or heads, no query in common, negative weights, or one is
    pooled and the other is not.
    """
    shapes = [side.weights.shape[:2] for side in (first, second)]
    if shapes[0] != shapes[1]:
        both = " and ".join(f"{n_layers} x {n_heads}" for n_layers, n_heads in shapes)
        raise InputError(f"wanted as many layers and heads on both sides; got {both} heads", "choose with -l and -H")
    if first.cell != second.cell:
        raise InputError(f"cells of {first.cell} and of {second.cell} tokens cannot be compared")
    queries, columns = align(first.queries, second.queries), align(first.keys, second.keys)
    rows = tuple(place for place in queries if NONE not in place)
    if not rows:
        raise InputError("the two have no query in common: there is nothing to compare")
    before, after = (_on(each.weights, rows, columns, side) for side, each in enumerate((first, second)))
    return Difference(
        first=first,
        second=second,
        rows=rows,
        columns=columns,
        before=before,
        after=after,
        hidden=_hidden(first, second, rows, columns),
        distance=_distances(before, after),
        gone=tuple(first.query_tokens[i] for i, j in queries if j == NONE),
        come=tuple(second.query_tokens[j] for i, j in queries if i == NONE),
    )


def _on(values: NDArray[Any], rows: tuple[Place, ...], columns: tuple[Place, ...], side: int) -> NDArray[Any]:
    """[..., query, key] of one side on the common axes; 0 for keys that this side does not have."""
    keys = np.array([place[side] for place in columns])
    weights = values[..., [place[side] for place in rows], :][..., np.maximum(keys, 0)]
    return np.where(keys != NONE, weights, 0).astype(values.dtype)


def _distances(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float64]:
    """[layer, head], one head after another, as they are computed in float64."""
    pairs = zip(before.reshape(-1, *before.shape[2:]), after.reshape(-1, *after.shape[2:]), strict=True)
    return np.array([jensen_shannon(*pair) for pair in pairs]).reshape(before.shape[:2])


def _hidden(
    first: Attention, second: Attention, rows: tuple[Place, ...], columns: tuple[Place, ...]
) -> NDArray[np.bool_] | None:
    masks = first.allowed, second.allowed
    if masks[0] is None or masks[1] is None:
        return None
    seen = _on(masks[0], rows, columns, 0) | _on(masks[1], rows, columns, 1)
    return None if seen.all() else ~seen
