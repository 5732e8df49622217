"""The pairs of tokens that attention links most, over all heads or per head; and one query's view.

`source` is an AttentionSource: attention that can be read as often as asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError, one_of
from attnviz.measures.lift import Pair
from attnviz.measures.links import Columns, Strongest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.measures.tile_source import Progress, TileSource

BY = ("lift", "weight")
LIFT = "lift: the weight less the mean of its key's column over the other queries"


def strongest_pairs(
    source: TileSource,
    count: int = 20,
    *,
    by: str = "lift",
    query: int | None = None,
    key: int | None = None,
    special: bool = True,
    progress: Progress | None = None,
) -> list[Pair]:
    """The `count` strongest pairs of each head, strongest first, in the order of layers and heads.

    A weight's lift is the weight less the mean of its column over the other rows that may see it: a head that sends
    every token to one key says nothing about any of them. Queries that can see only one key are ignored, unless the
    query is named or no other query is left.

    Args:
        source: read twice. count: how many per head; of equals the first.
        by: lift | weight. query, key: positions; None for any.
        special: whether special tokens may take part without being named.
        progress: called with shares of the work, which sum to 2.

    Raises:
        SelectionError: `by` is neither.
    """
    if by not in BY:
        raise SelectionError(one_of("by", by, BY))
    rows = _taking_part(source.queries.special, query, special)
    cols = _taking_part(source.keys.special, key, special)
    collector = Columns(*source.size, len(source.keys))
    source.observe([collector], progress)
    columns = collector.state()
    strongest = Strongest(columns, count, by, rows, cols, forced=query is not None)
    source.observe([strongest], progress)
    pairs = _pairs(source, strongest)
    if not pairs and query is None:
        strongest = Strongest(columns, count, by, rows, cols, forced=True)
        source.observe([strongest])
        pairs = _pairs(source, strongest)
    return pairs


def over_heads(pairs: Sequence[Pair], count: int | None = None, by: str = "lift") -> list[Pair]:
    """The `count` strongest of all heads' pairs, each pair of tokens once; all heads of a single pair."""
    ranked = sorted(pairs, key=lambda pair: -getattr(pair, by))  # of equals the first in order of layer and head
    if len({(pair.query, pair.key) for pair in ranked}) == 1:
        return ranked
    first: dict[tuple[int, int], Pair] = {}
    for pair in ranked:
        first.setdefault((pair.query, pair.key), pair)
    return list(first.values())[:count]


@dataclass(frozen=True)
class Spread:
    """A list in which several heads stand.

    pairs: strongest first. left: how many pairs of a (layer, head) were left out though they are as strong as those
    listed. sure: False if reading more pairs of each head could change the list.
    """

    pairs: list[Pair]
    left: dict[tuple[int, int], int]
    sure: bool


def spread(pairs: Sequence[Pair], count: int, each: int, read: int, by: str = "lift") -> Spread:
    """The `count` strongest of all heads' pairs, each with the head where it is strongest, at most `each` of a head.

    Args:
        pairs: of every head, strongest first, as `strongest_pairs` gives them. read: how many of each head it gave.
    """
    listed: list[Pair] = []
    left: dict[tuple[int, int], int] = {}
    taken: dict[tuple[int, int], int] = {}
    for pair in over_heads(pairs, None, by):
        if len(listed) == count:
            break
        at = (pair.layer, pair.head)
        counts, full = (left, False) if taken.get(at, 0) >= each else (taken, True)
        counts[at] = counts.get(at, 0) + 1
        if full:
            listed.append(pair)
    least = getattr(listed[-1], by) if len(listed) == count else -np.inf
    own: dict[tuple[int, int], list[Pair]] = {}
    for pair in pairs:
        own.setdefault((pair.layer, pair.head), []).append(pair)
    # A head with more pairs than were read may be the stronger one at a pair that is listed with another head.
    sure = all(len(pairs) < read or getattr(pairs[-1], by) <= least for pairs in own.values())
    return Spread(listed, left, sure)


def _taking_part(special: Sequence[bool], named: int | None, with_special: bool) -> NDArray[np.bool_]:
    if named is not None:
        return np.arange(len(special)) == named
    plain = np.array([with_special or not marked for marked in special], bool)
    return plain if plain.any() else ~plain


def _pairs(source: TileSource, strongest: Strongest) -> list[Pair]:
    pairs = []
    for (i, j), (layer, head) in zip(source.positions, source.places, strict=True):
        at = (-1 if layer is None else layer, -1 if head is None else head)
        pairs += [
            Pair(*at, int(query), int(key), float(weight), float(lift))
            for weight, lift, query, key in zip(*strongest.best[i][j], strict=True)
        ]
    return pairs


@dataclass(frozen=True, eq=False)
class View:
    """One query's row in every head: weights and lifts, float [layer, head, key]; seen, bool [layer, head, key]."""

    query: int
    weights: NDArray[np.float32]
    lifts: NDArray[np.float64]
    seen: NDArray[np.bool_]

    def values(self, by: str) -> NDArray[Any]:
        """Lifts or weights."""
        return self.lifts if by == "lift" else self.weights

    def best(self, by: str = "lift") -> NDArray[np.int64]:
        """The key that each head lifts (or weighs) most, [layer, head]; of equals the first."""
        return np.where(self.seen, self.values(by), -np.inf).argmax(-1)

    def ranked(self, by: str = "lift") -> list[tuple[int, int, int]]:
        """(key, layer, head) for every key that is seen: the place where it stands out most, strongest first.

        Layers and heads are positions. The first of equals.
        """
        values = np.where(self.seen, self.values(by), -np.inf)
        flat = values.reshape(-1, values.shape[-1])
        places, peaks = flat.argmax(0), flat.max(0)
        order = [key for key in np.argsort(-peaks, kind="stable").tolist() if peaks[key] > -np.inf]
        return [(key, *divmod(int(places[key]), values.shape[1])) for key in order]


def view(source: TileSource, query: int, progress: Progress | None = None) -> View:
    """One query's view over all layers and heads. The source is read once."""
    return View(query, **source.collect(Columns(*source.size, len(source.keys), query), progress))
