"""Measures of every text of a corpus: one entry in MEASURES adds numbers to `attnviz corpus --analysis`.

A measure has a collector for each text, the numbers of that text and each head (columns of the Parquet files, which are
summarised over texts), and sums over all texts that merge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.corpora.links import LinksOfText, TopLinks
from attnviz.corpora.places import Places, PlaceSums, place_sums
from attnviz.corpora.summary import NATS, SHARE, SIZE, Grid
from attnviz.engine.collectors import Dense
from attnviz.measures.distance import DistanceSums, distance_sums
from attnviz.measures.roles import ROLES, Roles, RoleSums
from attnviz.measures.statistics import STATISTICS, Statistics, StatisticSums, meaningless

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.models.source import AttentionSource

    Values = Mapping[str, NDArray[np.float64]]

_GRIDS = {"entropy": NATS, "span": SIZE, "distance": SIZE}


def _no_values(source: AttentionSource, collector: Any) -> Values:
    return {}


@dataclass(frozen=True)
class Measure:
    """Something that is measured in every text.

    Attributes:
        meaning: one line for help and docs.
        collector: from a source, the text's number, the number of links, and the sums of other texts (None at first)
            to a collector of that text.
        state: the class of the sums, a dataclass of arrays with `merge`.
        sums: from the collectors of some texts to their sums.
        columns: the names of the numbers of each text and head, and the cells that they are counted in.
        values: these numbers, each [layer, head] of all heads, NaN where they mean nothing.
    """

    meaning: str
    collector: Callable[[AttentionSource, int, int, Any], Any]
    state: type
    sums: Callable[[Sequence[Any]], Any]
    columns: Mapping[str, Grid] = field(default_factory=dict)
    values: Callable[[AttentionSource, Any], Values] = _no_values


def _statistics(source: AttentionSource, collector: Statistics) -> Values:
    values = collector.result()
    for name in meaningless(source.ordered, len(source.queries)):
        values[name] = np.full_like(values[name], np.nan)
    return values


def _roles(source: AttentionSource, collector: Roles) -> Values:
    return {column(name): scores.score for name, scores in collector.result().items()}


def column(role: str) -> str:
    """`previous-token` -> `previous_token_role`: the name of a role's column."""
    return f"{role.replace('-', '_')}_role"


MOST_WEIGHTS = 50_000_000  # of a text's maps, which are held to compare them: 200 MB


class Maps(Dense):
    """All maps of a text, to compare every two heads; none of a text whose maps would take too much memory."""

    def __init__(self, source: AttentionSource) -> None:
        n_layers, n_heads = source.size
        n_query, n_key = len(source.queries), len(source.keys)
        few = n_layers * n_heads * n_query * n_key <= MOST_WEIGHTS
        super().__init__(range(n_layers), range(n_heads), range(n_query if few else 0), range(n_key))

    def sums(self) -> DistanceSums:
        """The divergences between every two maps, summed over rows."""
        return distance_sums(self.weights.reshape(-1, *self.weights.shape[2:]))


def _merged(collectors: Sequence[Any]) -> Any:
    return reduce(lambda a, b: a.merge(b), (each.state() for each in collectors))


MEASURES: dict[str, Measure] = {
    "stats": Measure(
        "the numbers of `attnviz stats`",
        lambda source, text, links, so_far: Statistics(*source.size, source.keys.special),
        StatisticSums,
        _merged,
        {each.name: _GRIDS.get(each.name, SHARE) for each in STATISTICS},
        _statistics,
    ),
    "roles": Measure(
        "the scores of `attnviz roles`",
        lambda source, text, links, so_far: Roles(*source.size, source.queries, source.keys, source.ordered),
        RoleSums,
        _merged,
        {column(role.name): SHARE for role in ROLES},
        _roles,
    ),
    "variability": Measure(
        "how much a head's pattern differs from text to text (Vig and Belinkov 2019, section 4.3)",
        lambda source, text, links, so_far: Places(*source.size),
        PlaceSums,
        lambda collectors: place_sums([each.weights for each in collectors]),
    ),
    "similar": Measure(
        "the distances between heads of `attnviz similar`, over all rows of all texts",
        lambda source, text, links, so_far: Maps(source),
        DistanceSums,
        lambda collectors: reduce(DistanceSums.merge, (each.sums() for each in collectors)),
    ),
    "links": Measure(
        "the strongest links of each head in all texts",
        lambda source, text, links, so_far: LinksOfText(*source.size, links, text, source.queries, source.keys, so_far),
        TopLinks,
        lambda collectors: reduce(TopLinks.merge, (each.links for each in collectors)),
    ),
}


def columns_of(measures: Sequence[str]) -> dict[str, Grid]:
    """The numbers of each text and head that these measures give, in order."""
    return {name: grid for measure in measures for name, grid in MEASURES[measure].columns.items()}
