"""`attnviz stats`: numbers of every head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import AttentionResult, analysis, option, ranked, top_option
from attnviz.measures.statistics import STATISTICS, Statistics, meaningless, names
from attnviz.page.parts import Board, Boards, Depth, Page, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.facts import SourceFacts
    from attnviz.models.model import Progress
    from attnviz.models.source import AttentionSource


@dataclass(frozen=True)
class Options:
    """The numbers that are listed and drawn."""

    by: str | None = option(None, "The number that the list is ordered by and the picture shows.", choices=names)
    top: int | None = top_option()


@dataclass(frozen=True, eq=False)
class HeadStatistics(AttentionResult):
    """values: [layer, head] by name; NaN where a number means nothing, as the distance in cross-attention."""

    facts: SourceFacts
    values: Mapping[str, NDArray[np.float64]]
    options: Options

    def rows(self) -> list[dict[str, Any]]:
        rows = (
            {"layer": layer, "head": head} | {name: float(values[at]) for name, values in self.values.items()}
            for at, (layer, head) in self.facts.named
        )
        return list(ranked(rows, self.options.by))[: self.options.top]

    def page(self) -> Page:
        by = self.options.by or "entropy"
        label = next(each.label for each in STATISTICS if each.name == by)
        values, axes = self.values[by], self.facts.axes()
        deep = len(values) > 1 and bool(np.isfinite(values).any())
        depth = [Depth(values, axes["layers"], label)] if deep else []
        boards, subtitle = Boards((Board(values, label),), **axes), f"{self.subtitle()} · {self._means()}"
        return self.sheet(boards, *depth, title=f"{self.title()} · {by}", subtitle=subtitle)

    def printed(self) -> Page:
        header = ["layer", "head", *self.values]
        rows = [[text_of(row[name], name) for name in header] for row in self.rows()]
        units = "entropy in nats, distance in tokens, span in keys; all other numbers from 0 to 1"
        return self.sheet(Table(header, rows, "r" * len(header)), notes=(units, self._means()))

    def _means(self) -> str:
        return "means over all queries" + (
            "" if "left out" in self.facts.reduced else ", special and first tokens included"
        )


def text_of(value: float | None, name: str) -> str:
    """A number as a table has it: an index, two digits, or nothing where it is not defined."""
    if name in ("layer", "head"):
        return "mean" if value is None else str(value)
    return "" if value is None or value != value else f"{value:.2f}"


@analysis("stats", Options, HeadStatistics)
def stats(source: AttentionSource, options: Options, progress: Progress | None = None) -> HeadStatistics:
    """Measure every head: entropy, span, distance, confidence, weight on neighbours and special tokens.

    Each number is the mean over all queries, special tokens included unless --no-special. entropy in nats;
    span: e^entropy, how many keys; distance in tokens; confidence: a row's largest weight; previous, next, self,
    first, special: the weight on these tokens. With -o a picture: one number as a board of layers and heads, and
    against depth. Long texts are measured as they pass.

    attnviz stats "The animal didn't cross the street because it was too tired" -m minilm
    attnviz stats "The cat sat on the mat" -m minilm --by special --top 10
    attnviz stats "The cat sat on the mat" -m minilm --by distance -o distance.pdf
    attnviz stats --file sample_inputs/paragraph.txt -m minilm --json
    """
    values = source.collect(Statistics(*source.size, source.keys.special), progress)
    for name in meaningless(source.ordered, len(source.queries)):
        values[name] = np.full_like(values[name], np.nan)
    return HeadStatistics(source.facts, values, options)
