"""`attnviz focus`: what one token attends to, over all layers and heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import AttentionResult, analysis, option, query_option, top_option
from attnviz.measures.pairs_of_tokens import BY, LIFT, View, over_heads, strongest_pairs, view
from attnviz.page.numbers import number
from attnviz.page.parts import Bars, Board, Boards, Entry, Page, Table, WordBoard
from attnviz.select import find_token

if TYPE_CHECKING:
    from attnviz.facts import SourceFacts
    from attnviz.models.model import Progress
    from attnviz.models.source import AttentionSource

COUNT = 20  # words that are listed


@dataclass(frozen=True)
class Options:
    """Which token, and how its keys are ranked."""

    query: str | None = query_option("the query of the strongest link", "--token")
    by: str = option("lift", "Keys are ordered and drawn by it.", choices=BY)
    top: int | None = top_option()


@dataclass(frozen=True, eq=False)
class Focus(AttentionResult):
    """view: what the query attends to. messages: how the query was chosen, if --query was not given."""

    facts: SourceFacts
    view: View
    options: Options
    messages: Sequence[str] = ()

    def rows(self) -> list[dict[str, Any]]:
        """Every key that the query can see, head by head, the strongest first."""
        view, rows = self.view, []
        for at, place in self.facts.named:
            order = (-view.values(self.options.by)[at]).argsort(kind="stable").tolist()
            keys = [key for key in order if view.seen[at][key]][: self.options.top]
            rows += [self.facts.pair(place, view.query, key, **self._numbers(*at, key)) for key in keys]
        return rows

    def page(self) -> Page:
        by, (best, values) = self.options.by, self._strongest()
        texts = [[self.facts.keys.text[key] for key in row] for row in best.tolist()]
        peak = divmod(int(values.argmax()), values.shape[1])
        board = Board(values, f"strongest {by}", marks=(peak,), cell_text=texts)
        entries = tuple(entry for _, entry in self._entries())
        bars = Bars(f"words by their strongest {by}", entries)
        return self.sheet(Boards((board,), **self.facts.axes()), bars, notes=(LIFT,))

    def printed(self) -> Page:
        by, (best, values), axes = self.options.by, self._strongest(), self.facts.axes()
        rows = []
        for key, entry in self._entries():
            numbers = (entry.weight, entry.lift, self.view.weights[..., key].mean())
            rows.append([entry.text, str(key), entry.head, *(number(value, 2) for value in numbers)])
        words = [[self.facts.keys.text[key] for key in row] for row in best.tolist()]
        heading = f"the word with the largest {by} in every head"
        table = Table(["word", "at", "layer.head", "weight", "lift", "mean"], rows, "lrlrrr", bold=(0,))
        board = WordBoard(heading, words, values, axes["layers"], axes["heads"], axes["axes"])
        meaning = f"{LIFT}; at layer.head a word's {by} is largest; mean: its weight over all of them"
        return self.sheet(table, board, notes=(meaning,))

    def _strongest(self) -> tuple[Any, Any]:
        """The key that each head singles out, and its lift or weight, both [layer, head]."""
        best = self.view.best(self.options.by)
        return best, np.take_along_axis(self.view.values(self.options.by), best[..., None], -1)[..., 0]

    def _entries(self) -> list[tuple[int, Entry]]:
        """(key, line of the list) of the keys that stand out most."""
        names, n_heads = self.facts.names(), self.facts.shape[1]
        return [
            (key, Entry(self.facts.keys.text[key], names[i * n_heads + j], **self._numbers(i, j, key)))
            for key, i, j in self.view.ranked(self.options.by)[: self.options.top or COUNT]
        ]

    def _numbers(self, i: int, j: int, key: int) -> dict[str, float]:
        return {"weight": float(self.view.weights[i, j, key]), "lift": float(self.view.lifts[i, j, key])}

    def title(self) -> str:
        return f"{self.facts.title()} · what “{self.facts.queries.text[self.view.query]}” looks at"

    def subtitle(self) -> str:
        return f"{self.facts.subtitle()} · token {self.view.query}"


@analysis("focus", Options, Focus)
def focus(source: AttentionSource, options: Options, progress: Progress | None = None) -> Focus:
    """Show what one token looks at, over all layers and heads.

    A board has the word that each head singles out for it, and below it stand all words, each with the head where it
    stands out most. Both go by lift: the weight less the mean of its column over the other rows. --json, .json and
    .csv have every key of every head, or the --top ones.

    attnviz focus "The animal didn't cross the street because it was too tired" -m minilm --query it
    attnviz focus "The cat sat on the mat" -m minilm --query sat --words --no-special -o sat.pdf
    attnviz focus --file sample_inputs/paragraph.txt -m minilm --query "boat#3" --by weight --json
    """
    if options.query is not None:
        return Focus(
            source.facts, view(source, find_token(source.queries, options.query, "queries"), progress), options
        )
    pairs = strongest_pairs(source, 1, by=options.by, special=False)
    query = over_heads(pairs, 1, options.by)[0].query
    message = (
        f"token {source.queries.text[query]!r} (index {query}): its link is the strongest; --query chooses another"
    )
    return Focus(source.facts, view(source, query, progress), options, (message,))
