"""Numbers of every head, for a page of all heads: the statistics, the highest lift, and the strongest links.

The highest lift of a key is that of its largest weight, since all weights of a column have the same mean to exceed:

    lift_ij = A_ij - (sum_i' A_i'j - A_ij) / (seen_j - 1)

so that one pass and a few numbers per key are enough, however long the text is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.collectors import ChosenHeads
from attnviz.engine.observer import Collector
from attnviz.engine.tile import Tile, all_allowed
from attnviz.facts import facts_of
from attnviz.measures.statistics import STATISTICS, Statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.axis import Tokens

    Link = tuple[int, int, float]

LIFT = ("lift", "highest lift", "the largest weight beyond what the same key gets from other queries on average")
AT_ONCE = 1 << 20  # weights of an Attention per tile


@dataclass(frozen=True)
class HeadNumber:
    """One number per head. values: in the order of the places, None where it means nothing."""

    name: str
    label: str
    meaning: str
    values: tuple[float | None, ...]


class HighestLift(Collector):
    """A collector of each head's highest lift, over the same queries and keys as `measures.lift.strongest`.

    Args:
        n_layers, n_heads: of the model. queries, keys: bool, True for the ones that take part.
    """

    def __init__(self, n_layers: int, n_heads: int, queries: NDArray[np.bool_], keys: NDArray[np.bool_]) -> None:
        shape = (n_layers, n_heads, len(keys))
        self._queries, self._keys = queries, keys
        self._sums, self._seen = np.zeros(shape), np.zeros(shape, np.int32)
        self._largest = np.full(shape, -np.inf, np.float32)

    def take(self, tile: Tile) -> None:
        cols = slice(tile.cols.start, tile.cols.stop)
        self._sums[tile.layer, tile.heads.start : tile.heads.stop, cols] += tile.weights.sum(1, dtype=np.float32)
        if tile.own_masks:
            for place, head in enumerate(tile.heads):
                self._seen[tile.layer, head, cols] += _count(tile.attending(place))
        elif tile.heads.start == 0:  # all heads agree, so that the first one's tiles are enough
            self._seen[tile.layer, :, cols] += _count(tile.allowed[0])
        taking = self._queries[tile.rows.start : tile.rows.stop]
        some = taking & _choosing(tile.allowed[0])
        for place, head in enumerate(tile.heads):
            if tile.own_masks:
                some = taking & _choosing(tile.attending(place))
            largest = self._largest[tile.layer, head, cols]
            weights = tile.weights[place] if some.all() else tile.weights[place][some]
            np.maximum(largest, weights.max(0, initial=-np.inf), out=largest)

    def result(self) -> NDArray[np.float64]:
        """float64 [layer, head]; NaN where no weight can be compared with another."""
        others = self._seen - 1
        some = (others > 0) & np.isfinite(self._largest) & self._keys
        share = 1.0 / np.maximum(others, 1)
        lifts = np.where(some, self._largest * (1.0 + share) - self._sums * share, -np.inf)
        highest = lifts.max(-1, initial=-np.inf)
        return np.where(np.isfinite(highest), highest, np.nan)


def _count(allowed: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The number of rows that may see each key; some rows at a time in single bytes, which is many times faster."""
    counts = np.zeros(allowed.shape[-1], np.int32)
    for start in range(0, len(allowed), 255):
        counts += np.add.reduce(allowed[start : start + 255].view(np.uint8), axis=0, dtype=np.uint8)
    return counts


def _choosing(allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The rows that may see two keys: their first allowed key is not their last. Both are found without a count."""
    first, last = allowed.argmax(-1), allowed.shape[-1] - 1 - allowed[:, ::-1].argmax(-1)
    return (first < last) & allowed[np.arange(len(allowed)), first]


class StrongestLinks(ChosenHeads):
    """A collector of the `count` largest weights of each head, exact, whatever the maps are pooled to.

    keys: bool, True for the ones that may be linked: all but the resting places, which would fill the list.
    """

    def __init__(self, layers: Sequence[int], heads: Sequence[int], keys: NDArray[np.bool_], count: int) -> None:
        super().__init__(layers, heads)
        self._keys, self._count = keys, count
        self._found: dict[tuple[int, int], list[Link]] = {}

    def take(self, tile: Tile) -> None:
        left = self._keys[tile.cols.start : tile.cols.stop]
        cols = np.flatnonzero(left)
        if not len(cols):
            return
        first = int(cols[0]) if len(cols) == len(left) - int(cols[0]) else None  # all from one key on: no copy
        for place, _ in self._wanted(tile):
            found = self._found.setdefault((tile.layer, tile.heads[place]), [])
            weights = tile.weights[place]
            weights = weights[:, first:] if first is not None else weights[:, cols]
            last = found[-1][2] if len(found) == self._count else 0.0
            largest = weights.max(-1)
            least = last  # as many rows as links have a weight of at least this
            if len(largest) >= self._count:
                least = max(last, float(np.partition(largest, -self._count)[-self._count]))
            rows = np.flatnonzero((largest > last) & (largest >= least))
            if not len(rows):
                continue
            some = weights[rows]
            at = np.nonzero((some > last) & (some >= least))
            i, j = rows[at[0]] + tile.rows.start, cols[at[1]] + tile.cols.start
            links = list(zip(i.tolist(), j.tolist(), some[at].tolist(), strict=True))
            found[:] = sorted([*found, *links], key=lambda link: (-link[2], link[0], link[1]))[: self._count]

    def of(self, layer: int, head: int) -> list[Link]:
        """(query, key, weight) of one head, strongest first; of equals the earlier query and key."""
        return self._found.get((layer, head), [])


class Overview:
    """The collectors of a head's numbers. `size`: (layers, heads) of the model."""

    def __init__(self, size: tuple[int, int], queries: Tokens, keys: Tokens) -> None:
        plain = [np.array([not special for special in axis.special], bool) for axis in (queries, keys)]
        plain = [some if some.any() else ~some for some in plain]
        self.statistics = Statistics(*size, np.array(keys.special, bool))
        self.lift = HighestLift(*size, *plain)
        self.special, self.n_key = any(keys.special), len(keys)

    @property
    def collectors(self) -> list[Collector]:
        """To be shown every tile."""
        return [self.statistics, self.lift]

    def numbers(self, at: Sequence[tuple[int, int]], ordered: bool, signed: bool = False) -> tuple[HeadNumber, ...]:
        """The numbers of the maps at these positions.

        Args:
            at: (layer, head) of each map as the collectors kept it. ordered: see `SourceFacts.ordered`.
            signed: weights have signs, so that only their lift means something.
        """
        kept = self.statistics.result()
        found = []
        for each in STATISTICS:
            if signed or (each.ordered and not ordered) or self.n_key < each.least:
                continue
            if each.name == "special" and not self.special:
                continue
            found.append(HeadNumber(each.name, each.label, each.meaning, _picked(kept[each.name], at)))
        return (*found, HeadNumber(*LIFT, _picked(self.lift.result(), at)))


def overview(attention: Attention, signed: bool = False) -> tuple[HeadNumber, ...]:
    """The numbers of every map of an Attention that was not pooled. signed: some weights are negative."""
    facts = facts_of(attention)
    size = (len(attention.places), 1) if attention.pairs else attention.weights.shape[:2]
    both = Overview((size[0], size[1]), attention.queries, attention.keys)
    with np.errstate(all="ignore"):  # files of other programs may hold NaN
        for tile in _tiles(attention):
            for collector in both.collectors:
                collector.take(tile)
        return both.numbers(list(np.ndindex(size[0], size[1])), facts.ordered, signed)


def _picked(values: NDArray[np.float64], at: Sequence[tuple[int, int]]) -> tuple[float | None, ...]:
    picked = (float(values[place]) for place in at)
    return tuple(value if np.isfinite(value) else None for value in picked)


def _tiles(attention: Attention) -> Iterator[Tile]:
    """The maps of an Attention, some heads at a time; each of several pairs is a layer of one head."""
    n_query, n_key = attention.weights.shape[2:]
    step = max(1, AT_ONCE // max(n_query * n_key, 1))
    for layer, (maps, mask) in enumerate(attention.blocks(attention.effective_mask())):
        allowed = all_allowed(n_query, n_key) if mask is None else mask[None]
        for start in range(0, len(maps), step):
            some = maps[start : start + step]
            heads = range(start, start + len(some))
            yield Tile(attention.stream, layer, heads, range(n_query), range(n_key), some, allowed)
