"""Statistics of a head: means over its query rows. One entry in STATISTICS adds a number to `attnviz stats`.

An entry gives the sum of a number over a tile's rows. The command's help, table, JSON keys, pictures and docs read its
name, label, meaning and source from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.engine.collectors import Summing, Sums
from attnviz.engine.ops import entropy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tile import Tile


class TileRows:
    """The rows of one tile, with what several statistics need of them, computed once.

    weights: float32 [head, row, col]. special: float32 [col], 1 for special tokens.
    """

    def __init__(self, tile: Tile, special: NDArray[np.float32]) -> None:
        self.weights, self.rows, self.cols = tile.weights, tile.rows, tile.cols
        self.special = special[tile.cols.start : tile.cols.stop]

    @cached_property
    def entropy(self) -> NDArray[np.float32]:
        """-sum A ln A of each row, [head, row]."""
        return entropy(self.weights)

    @cached_property
    def flat(self) -> NDArray[np.float32]:
        """The weights as [head, row * col]."""
        return self.weights.reshape(len(self.weights), -1)

    @cached_property
    def distances(self) -> NDArray[np.float32]:
        """|query - key| of each cell, [row * col]."""
        column = np.arange(self.cols.start, self.cols.stop, dtype=np.float32)
        row = np.arange(self.rows.start, self.rows.stop, dtype=np.float32)
        return np.abs(column[None] - row[:, None]).reshape(-1)

    def diagonal(self, offset: int) -> NDArray[np.float64]:
        """The sum of each head's weights where key = query + offset, [head]."""
        first = max(self.rows.start, self.cols.start - offset)
        at = np.arange(first, max(first, min(self.rows.stop, self.cols.stop - offset)))
        return self.weights[:, at - self.rows.start, at + offset - self.cols.start].sum(-1, dtype=np.float64)


RowSum = Callable[[TileRows], "NDArray[Any]"]


@dataclass(frozen=True)
class Statistic:
    """One number per head.

    Attributes:
        name: its JSON key, its column and its value of `--by`.
        label: beside a picture's colours, with the unit.
        meaning: one line for help and docs. source: paper and section.
        total: its sum over a tile's rows, [head].
        over: what the sum is divided by, a name in COUNTS.
        ordered: whether it means something only where queries and keys are the same tokens in one order.
        least: the fewest tokens for which it means something.
    """

    name: str
    label: str
    meaning: str
    source: str
    total: RowSum
    over: str = "rows"
    ordered: bool = False
    least: int = 1


def _first(rows: TileRows) -> NDArray[Any]:
    return rows.weights[..., 0].sum(-1) if rows.cols.start == 0 else np.zeros(len(rows.weights))


STATISTICS: list[Statistic] = [
    Statistic(
        "entropy",
        "entropy (nats)",
        "-sum A ln A of a row, in nats",
        "Clark et al. 2019, section 3.2",
        lambda rows: rows.entropy.sum(-1, dtype=np.float64),
    ),
    Statistic(
        "span",
        "span (keys)",
        "e^entropy of a row: over how many keys an even row of this entropy would spread",
        "perplexity of a distribution",
        lambda rows: np.exp(rows.entropy).sum(-1, dtype=np.float64),
    ),
    Statistic(
        "distance",
        "distance (tokens)",
        "sum A |query - key| / sum A over the whole head, in tokens",
        "Vig and Belinkov 2019, section 4.1",
        lambda rows: rows.flat @ rows.distances,
        over="mass",
        ordered=True,
    ),
    Statistic(
        "confidence",
        "confidence",
        "the largest weight of a row",
        "Voita et al. 2019, section 4",
        lambda rows: rows.weights.max(-1).sum(-1, dtype=np.float64),
    ),
    Statistic(
        "previous",
        "weight on the previous token",
        "the weight on the token before, over rows that have one",
        "Clark et al. 2019, section 3.1",
        lambda rows: rows.diagonal(-1),
        over="with previous",
        ordered=True,
        least=2,
    ),
    Statistic(
        "next",
        "weight on the next token",
        "the weight on the token after, over rows that have one",
        "Clark et al. 2019, section 3.1",
        lambda rows: rows.diagonal(1),
        over="with next",
        ordered=True,
        least=2,
    ),
    Statistic(
        "self",
        "weight on the same token",
        "the weight on the same token",
        "Clark et al. 2019, section 3.1",
        lambda rows: rows.diagonal(0),
        ordered=True,
    ),
    Statistic(
        "first", "weight on the first token", "the weight on the first token", "Clark et al. 2019, section 3.1", _first
    ),
    Statistic(
        "special",
        "weight on special tokens",
        "the weight on all special tokens together",
        "Clark et al. 2019, section 3.1",
        lambda rows: (rows.weights @ rows.special).sum(-1),
    ),
]


def names() -> tuple[str, ...]:
    """The names of all statistics, in the order of the table."""
    return tuple(each.name for each in STATISTICS)


def meaningless(ordered: bool, n_tokens: int) -> list[str]:
    """The statistics that mean nothing in a text of `n_tokens` tokens.

    ordered: whether queries and keys are the same tokens in one order.
    """
    return [each.name for each in STATISTICS if (each.ordered and not ordered) or n_tokens < each.least]


# Divisors of the sums: the rows of a text, the rows with a token before or after them, and the sum of all weights.
COUNTS: Mapping[str, Callable[[TileRows, int], Any]] = {
    "rows": lambda rows, n_key: len(rows.rows),
    "with previous": lambda rows, n_key: sum(1 for i in rows.rows if i > 0),
    "with next": lambda rows, n_key: sum(1 for i in rows.rows if i < n_key - 1),
    "mass": lambda rows, n_key: rows.flat.sum(-1, dtype=np.float64),
}


@dataclass(frozen=True, eq=False)
class StatisticSums(Sums):
    """Sums over rows, float64: totals [statistic, layer, head], counts [count, layer, head] in the order of COUNTS."""

    totals: NDArray[np.float64]
    counts: NDArray[np.float64]

    def result(self) -> dict[str, NDArray[np.float64]]:
        """Each statistic as [layer, head]; 0 where no row counts, as previous and next in texts of one token."""
        counts = dict(zip(COUNTS, self.counts, strict=True))

        def mean(total: NDArray[np.float64], over: str) -> NDArray[np.float64]:
            some = (counts["mass"] > 0) & (counts[over] > 0)
            return np.divide(total, counts[over], out=np.zeros_like(total), where=some)

        pairs = zip(STATISTICS, self.totals, strict=True)
        return {statistic.name: mean(total, statistic.over) for statistic, total in pairs}


class Statistics(Summing):
    """A collector of sums per head, from which all STATISTICS follow; the sums of several texts add up.

    Args:
        n_layers, n_heads: of the model. special: bool [key], True for special tokens of this text.
    """

    def __init__(self, n_layers: int, n_heads: int, special: Sequence[bool] | NDArray[np.bool_]) -> None:
        self._special = np.asarray(special, np.float32)
        shape = (n_layers, n_heads)
        self._sums = StatisticSums(np.zeros((len(STATISTICS), *shape)), np.zeros((len(COUNTS), *shape)))

    def take(self, tile: Tile) -> None:
        rows, at = TileRows(tile, self._special), slice(tile.heads.start, tile.heads.stop)
        for totals, statistic in zip(self._sums.totals, STATISTICS, strict=True):
            totals[tile.layer, at] += statistic.total(rows)
        for counts, count in zip(self._sums.counts, COUNTS.values(), strict=True):
            counts[tile.layer, at] += count(rows, len(self._special))

    def state(self) -> StatisticSums:
        """The sums, which merge with the sums of another text."""
        return self._sums
