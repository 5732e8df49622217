"""`attnviz links`: the pairs of tokens that are linked most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import AttentionResult, analysis, key_option, option, query_option, top_option
from attnviz.errors import SelectionError
from attnviz.facts import head_name
from attnviz.measures.pairs_of_tokens import BY, LIFT, over_heads, spread, strongest_pairs
from attnviz.page.numbers import number
from attnviz.page.parts import Bars, Board, Boards, Entry, Page, Table
from attnviz.select import find_token

if TYPE_CHECKING:
    from attnviz.facts import Place, SourceFacts
    from attnviz.measures.lift import Pair
    from attnviz.models.model import Progress
    from attnviz.models.source import AttentionSource

COUNT, WITHIN = 20, 3  # pairs that are listed, over all heads and per head
EACH = 3  # pairs of one head in a list over all heads, where enough heads can fill it
AHEAD, FURTHER = 5, 10  # times as many of each head are read as are listed, and then times as many again
LONG = 8192  # pairs of a head that are read first in a long text; in a shorter one two for each of its tokens
NAMED = 4  # heads whose pairs are counted one by one


@dataclass(frozen=True)
class Options:
    """Which pairs are listed."""

    query: str | None = query_option("", "--from-token")
    key_token: str | None = key_option("", "--to-token")
    within: bool = option(False, "The strongest of each head, instead of all.")
    each: str | None = option(
        None,
        f"At most this many pairs of one head. Default: {EACH}, or more where few heads have to fill the list.",
        metavar="N|all",
    )
    special: bool = option(False, "Special tokens too.")
    by: str = option("lift", "The list is ordered by it.", choices=BY)
    top: int | None = top_option()

    def __post_init__(self) -> None:
        if self.within and self.each is not None:
            raise SelectionError(
                "--within and --each exclude each other: one lists every head by itself, the other all of them together"
            )
        if self.each not in (None, "all") and not (str(self.each).isdecimal() and int(str(self.each)) > 0):
            raise SelectionError(f"--each wants a whole number from 1 on, or all; got {self.each!r}")


@dataclass(frozen=True, eq=False)
class StrongestLinks(AttentionResult):
    """pairs: of every head, strongest first; listed: the pairs that are shown; asked: positions of query and key.

    left_out: a message on pairs that are as strong as the listed ones, '' if there are none.
    """

    facts: SourceFacts
    pairs: tuple[Pair, ...]
    listed: tuple[Pair, ...]
    asked: tuple[int | None, int | None]
    left_out: str
    options: Options

    def rows(self) -> list[dict[str, Any]]:
        return [
            self.facts.pair(_place(pair), pair.query, pair.key, weight=pair.weight, lift=pair.lift)
            for pair in self.listed
        ]

    def page(self) -> Page:
        texts = self.facts.queries.text, self.facts.keys.text
        named = [text[place] for text, place in zip(texts, self.asked, strict=True) if place is not None]
        what = f" of “{' → '.join(named)}”" if named else ""
        entries = tuple(
            Entry(f"{texts[0][pair.query]} → {texts[1][pair.key]}", head_name(*_place(pair)), pair.weight, pair.lift)
            for pair in self.listed[:COUNT]
        )
        boards = Boards((self._board(),), **self.facts.axes())
        bars = Bars(f"strongest by {self.options.by}", entries)
        return self.sheet(boards, bars, title=f"{self.title()} · links{what}")

    def notes(self) -> Sequence[str]:
        return (*self.messages, LIFT, *self.facts.remarks())

    def _board(self) -> Board:
        """The strongest link of every head, the tokens in its cell; of two named tokens, the number alone."""
        by = self.options.by
        values = np.full(self.facts.shape, np.nan)
        texts = [["" for _ in row] for row in values]
        strongest: dict[Place, Pair] = {}
        for pair in self.pairs:  # strongest first within a head
            strongest.setdefault(_place(pair), pair)
        best = max(self.pairs, key=lambda pair: getattr(pair, by), default=None)
        marks = []
        for (i, j), place in self.facts.named:
            link = strongest.get(place)
            if link is not None:
                values[i, j], texts[i][j] = getattr(link, by), self._link(link)
                marks += [(i, j)] if link is best else []
        both = None not in self.asked
        signed = bool(np.nanmin(values, initial=0.0) < 0)
        label = by if both else f"strongest {by}"
        return Board(values, label, signed=signed, marks=tuple(marks), cell_text=None if both else texts)

    def _link(self, pair: Pair) -> str:
        """`it→animal`, without the token that all pairs share because it was asked for."""
        query, key = self.facts.queries.text[pair.query], self.facts.keys.text[pair.key]
        return key if self.asked[0] is not None else query if self.asked[1] is not None else f"{query}→{key}"

    def printed(self) -> Page:
        rows = []
        for row in self.rows():
            at = ["mean" if row[name] is None else str(row[name]) for name in ("layer", "head")]
            tokens = [row["query_token"], str(row["query"]), row["key_token"], str(row["key"])]
            rows.append([*at, *tokens, number(row["weight"], 2), number(row["lift"], 2)])
        header = ["layer", "head", "query", "at", "key", "at", "weight", "lift"]
        subtitle = f"{self.subtitle()} · the strongest links by {self.options.by}"
        return self.sheet(Table(header, rows, "rrlrlrrr", bold=(2, 4)), subtitle=subtitle)

    @property
    def messages(self) -> Sequence[str]:  # type: ignore[override]
        return [self.left_out] if self.left_out else []


def _place(pair: Pair) -> Place:
    """Layer and head of a pair, which has -1 where an axis was averaged; None there, as everywhere else."""
    return None if pair.layer < 0 else pair.layer, None if pair.head < 0 else pair.head


@analysis("links", Options, StrongestLinks, passes=2)
def links(source: AttentionSource, options: Options, progress: Progress | None = None) -> StrongestLinks:
    """List the strongest links between tokens, and the heads that make them.

    They are ranked by lift: the weight less the mean of its column over the other rows, because a head that sends
    every token to one says nothing about any of them. Over heads a pair stands once, with the head where it is
    strongest, and at most three pairs of a head are listed, or one that looks at every neighbour would fill the list:
    further pairs are counted below it, and --each all lists them. With both tokens given, every head says how it links
    them. A token that may see one key only has no choice and is ignored; so are special tokens, unless named or asked
    for. With -o a picture: the strongest link of every head, and the list.

    attnviz links "The animal didn't cross the street because it was too tired" -m minilm
    attnviz links "The animal was too tired; it slept" -m minilm --from-token it --to-token animal
    attnviz links "The cat sat on the mat" -m minilm --within --by weight -l 3
    attnviz links --file sample_inputs/paragraph.txt -m minilm --to-token harbour --json
    """
    query = None if options.query is None else find_token(source.queries, options.query, "queries")
    key = None if options.key_token is None else find_token(source.keys, options.key_token, "keys")
    count = options.top or (WITHIN if options.within else COUNT)
    each = None if options.within or None not in (query, key) else _each(options.each, count, len(source.places))
    read = count if each is None else max(count * AHEAD, min(2 * len(source.queries), LONG))
    how: dict[str, Any] = {"by": options.by, "query": query, "key": key, "special": options.special}
    pairs = strongest_pairs(source, read, progress=progress, **how)
    left_out = ""
    if each is None:
        listed = pairs if options.within else over_heads(pairs, count, options.by)
    else:
        choice = spread(pairs, count, each, read, options.by)
        while not choice.sure:  # a head has more pairs than were read, all stronger than some that are listed
            read *= FURTHER
            pairs = strongest_pairs(source, read, **how)
            choice = spread(pairs, count, each, read, options.by)
        listed, left_out = choice.pairs, _left_out(choice.left, each)
    shown = listed if options.within else listed[: options.top]
    return StrongestLinks(source.facts, tuple(pairs), tuple(shown), (query, key), left_out, options)


def _each(each: str | None, count: int, heads: int) -> int | None:
    """The number of pairs that are listed of one head; None for all."""
    if each is None:
        return max(EACH, -(-count // heads))
    return None if each == "all" else int(each)


def _left_out(left: dict[tuple[int, int], int], each: int) -> str:
    """`at most 3 pairs of a head: 9 more of 0.0 and 2 of 1.0 are as strong; --each all lists them`."""
    if not left:
        return ""
    ranked = sorted(left.items(), key=lambda item: (-item[1], item[0]))
    parts = [
        f"{count} of {'.'.join('mean' if index < 0 else str(index) for index in at)}" for at, count in ranked[:NAMED]
    ]
    if len(ranked) > NAMED:
        rest = ranked[NAMED:]
        parts.append(f"{sum(count for _, count in rest)} of {len(rest)} other head{'s' if len(rest) > 1 else ''}")
    parts[0] = parts[0].replace(" of ", " more of ", 1)
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"at most {each} pair{'s' if each > 1 else ''} of a head: {listed} are as strong; --each all lists them"
