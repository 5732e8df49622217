"""`attnviz lines`: lines of weight between a text and itself, or a text shaded by what one token attends to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import CELLS, Result, analysis, option, top_option
from attnviz.analyses.strongest_lines import named_maps, strongest_lines
from attnviz.errors import InputError, SelectionError
from attnviz.facts import attention_notes, dotted, facts_of, heading, randomness
from attnviz.measures.lift import lifts, strongest
from attnviz.page.numbers import number, round_up
from attnviz.page.parts import Page, Paragraph, RunningText

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.analyses.base import Request, SelectedMaps
    from attnviz.attention import Attention
    from attnviz.axis import Tokens
    from attnviz.facts import SourceFacts
    from attnviz.models.model import Progress

LIFT = "lift: a weight less the mean of its column over the other rows"


@dataclass(frozen=True)
class Options:
    """The form in which maps are drawn, and by which number."""

    shape: str = option(
        "lines",
        "The text twice with lines between, or one running text shaded by what --query attends to:",
        "--as",
        metavar="SHAPE",
        choices=("lines", "text"),
        shown=True,
    )
    overlay: bool = option(False, "All heads of a layer in one panel, each in its colour.")
    by: str = option("weight", "Lines are drawn and ordered, and words shaded, by it.", choices=("weight", "lift"))
    top: int | None = top_option()

    def __post_init__(self) -> None:
        if self.overlay and self.shape == "text":
            raise SelectionError("--overlay is for lines, not for a text")

    @property
    def cells(self) -> int | None:
        """To how many cells a longer text is pooled; None where each word is shown."""
        return None if self.shape == "text" else CELLS


@dataclass(frozen=True, eq=False)
class Lines(Result):
    """attention: the maps that are shown. query: the position of the one query that is shown; None for all."""

    facts: SourceFacts
    attention: Attention
    query: int | None
    options: Options
    messages: Sequence[str] = ()

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        return ("figure", "text", "rows", "page")

    def rows(self) -> list[dict[str, Any]]:
        """Every weight that is not 0, the strongest first."""
        weights, lifted, rows = self.attention.weights, lifts(self.attention), []
        queries = range(weights.shape[2]) if self.query is None else (self.query,)
        for at, place in self.facts.named:
            for query in queries:
                keys = weights[at][query].nonzero()[0].tolist()
                for key in keys:
                    numbers = {"weight": float(weights[at][query, key]), "lift": float(lifted[at][query, key])}
                    rows.append(self.facts.pair(place, query, key, **numbers))
        return sorted(rows, key=lambda row: -row[self.options.by])[: self.options.top]

    def page(self) -> Page:
        """The lines, or the text. Raises InputError: weights are not finite; SelectionError: too many heads."""
        attention, asked = self.attention, "" if self.query is None else self.facts.queries.text[self.query]
        if not np.isfinite(attention.weights.sum(dtype=np.float64)):
            raise InputError("weights are not finite numbers: they hold NaN or infinity")
        values = attention.weights if self.options.by == "weight" else lifts(attention)
        remarks, shading = list[str](), tuple[str, ...]()
        if self.options.shape == "text":
            assert self.query is not None
            part: Any = running_text(attention, np.asarray(values, np.float64), self.query, self.options.by)
            below = f"shaded by what “{asked}” attends to"
        else:
            values = np.asarray(values, np.float64)
            how = self.query, self.options.overlay, self.options.by
            part, remarks, shading = strongest_lines(attention, values, *how)
            below = "queries at the left, keys at the right"
        notes = (*self._reduced(), *remarks, *attention_notes(self.facts.meta))
        subtitle = dotted(randomness(self.facts.meta), below)
        return Page(heading(self.facts, query=asked), subtitle, (part,), notes, shading=shading)

    def _reduced(self) -> list[str]:
        """Notes: the changes to the weights, without means, which the title names."""
        reduced = [note for note in self.facts.reduced.split("; ") if note and not note.startswith("mean over")]
        return [*reduced, LIFT] if self.options.by == "lift" else reduced


def running_text(attention: Attention, values: NDArray[np.float64], query: int, by: str) -> RunningText:
    """The keys as a text, a paragraph per head. values: [layer, head, query, key]."""
    shades = values[:, :, query]
    words, spaced = pieces(attention.keys)
    same = attention.stream != "cross" and len(attention.queries) == len(attention.keys)
    paragraphs = tuple(
        Paragraph(each.title, tuple(shades[each.position].tolist()), each.at) for each in named_maps(attention)
    )
    high = round_up(max(float(shades.max(initial=0.0)), 1e-9))
    return RunningText(paragraphs, words, spaced, high, by, query if same else None)


def pieces(tokens: Tokens) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """The letters of each token within a text, and whether a space comes before it.

    There is a space where the text has one; where that is not known, between words.
    """
    words, spaced = [], []
    for i, label in enumerate(tokens.text):
        word, segment = tokens.words[i], tokens.segments[i]
        inside = i > 0 and word >= 0 and word == tokens.words[i - 1] and segment == tokens.segments[i - 1]
        plain = label.removeprefix("##") if label.startswith("##") and len(label) > 2 else label
        words.append(plain.removeprefix("◌") or plain)
        apart = i > 0 and not inside
        if apart and tokens.spans and not (tokens.special[i] or tokens.special[i - 1]):
            here, before = tokens.spans[i], tokens.spans[i - 1]
            apart = here[0] > before[1] or segment != tokens.segments[i - 1]
        spaced.append(apart)
    return tuple(words), tuple(spaced)


def _refuses(options: Options, request: Request) -> None:
    if request.format in ("tex", "typ") and options.shape != "text":
        raise SelectionError(f".{request.format} holds a running text, not lines", "ask for one by --as text")


@analysis("lines", Options, Lines, subject="selected maps", refuses=_refuses)
def lines(selected: SelectedMaps, options: Options, progress: Progress | None = None) -> Lines:
    """Draw a text twice with lines of weight between, or once, shaded by what one token attends to.

    Queries are at the left, keys at the right. Each query has its three strongest lines, with --overlay one line per
    head; lines to special tokens, where heads rest, are grey. Without -l and -H it is the head with the highest lift,
    which standard error names; with one of them all that it leaves, one panel per head. --query shows one token's lines
    alone. With -o a picture, else the terminal; --json, .json and .csv list all lines, strongest first. With
    --as text also .tex and .typ, for a document of one's own.

    attnviz lines "The animal didn't cross the street because it was too tired" -m minilm
    attnviz lines "The animal didn't cross the street because it was too tired" -m minilm -l 3 --overlay -o heads.png
    attnviz lines "The animal didn't cross the street because it was too tired" -m minilm --as text --query it
    attnviz lines "The cat sat on the mat" -l 1 -H 2 --query cat -o cat.pdf
    attnviz lines "The cat sat on the mat" --as text --query sat -o sat.tex
    """
    attention, query, text = selected.attention, selected.query, options.shape == "text"
    free = not selected.chosen and len(attention.places) > 1 and not (attention.pairs and options.overlay)
    if not free and not (text and query is None):
        return Lines(facts_of(attention), attention, query, options)
    best, messages = strongest(attention, query=query), []
    if free:
        layer, head = attention.places[0]
        at = {} if layer is None else {"layers": best.layer}
        at |= {} if head is None or options.overlay else {"heads": best.head}
        pair = f"{attention.query_tokens[best.query]} -> {attention.key_tokens[best.key]}"
        named = ", ".join(f"{axis.removesuffix('s')} {index}" for axis, index in at.items())
        messages.append(f"{named}: the highest lift, {number(best.lift, 2)} ({pair}); -l and -H select heads")
        attention = attention.select(**at)
    if text and query is None:
        query = best.query
        messages.append(f"query {query}, {attention.query_tokens[query]}: --query chooses another")
    return Lines(facts_of(attention), attention, query, options, messages)
