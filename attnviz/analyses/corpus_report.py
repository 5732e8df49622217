"""`attnviz corpus report`: what was measured of many texts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import AttentionResult, analysis, option, ranked, top_option
from attnviz.analyses.roles import Block
from attnviz.analyses.stats import text_of
from attnviz.axis import Tokens
from attnviz.corpora.measures import MEASURES, columns_of
from attnviz.corpora.places import TOKENS
from attnviz.corpora.summary import GROWTH
from attnviz.errors import SelectionError, one_of
from attnviz.facts import SourceFacts, dotted, head_name
from attnviz.measures.pairs_of_tokens import LIFT
from attnviz.measures.roles import ROLES
from attnviz.measures.statistics import STATISTICS
from attnviz.page.numbers import number
from attnviz.page.parts import Bars, Board, Boards, Entry, Listing, Page, Ranges, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.corpora.folder import Corpus
    from attnviz.models.model import Progress
    from attnviz.page.parts import Part

BOARDS = ("entropy", "distance", "confidence", "previous", "first", "special")
SPREAD = {"mean": "mean", "sd": "standard deviation", "median": "median"}
OUTLINES = {"entropy": "broad", "previous": "previous-token", "first": "sink", "variability": "positional"}
DRAWN, LISTED, EXTREME = (
    96,
    20,
    8,
)  # heads whose range is drawn; links that are listed; heads that are most variable, and that are least
SIDE_BY_SIDE, FEW = 3, 16  # boards side by side, if they have at most so many columns
QUANTILES = ("low", "q05", "q25", "median", "q75", "q95", "high")


def names() -> tuple[str, ...]:
    """The numbers of each text and head that a corpus may have."""
    return tuple(columns_of(tuple(MEASURES)))


@dataclass(frozen=True)
class Options:
    """One number or the overview, and how much of it."""

    by: str | None = option(None, "One number alone, with its spread over texts.", choices=names)
    top: int | None = top_option()


@dataclass(frozen=True, eq=False)
class CorpusReport(AttentionResult):
    """corpus: what was measured. facts: of the model; there are no tokens."""

    facts: SourceFacts
    corpus: Corpus
    options: Options

    # Numbers

    def rows(self) -> list[dict[str, Any]]:
        """A row for each head: means over texts, variability and roles; with `by` the spread of that number."""
        if self.options.by is not None:
            by = self.options.by
            spread = self.corpus.numbers[by]
            rows = (
                {"layer": layer, "head": head, "number": by}
                | {name: _plain(values[at]) for name, values in spread.items()}
                for at, (layer, head) in self.facts.named
            )
            return list(ranked(rows, "mean"))[: self.options.top]
        return list(self._overview())[: self.options.top]

    def _overview(self) -> Iterator[dict[str, Any]]:
        roles = self.roles
        for at, (layer, head) in self.facts.named:
            row: dict[str, Any] = {"layer": layer, "head": head}
            row |= {name: float(values[at]) for name, values in self.corpus.means.items()}
            if self.variability is not None:
                row["variability"] = float(self.variability[at])
            if roles is not None:
                row["roles"] = ", ".join(role.name for role in roles.roles if at in roles.with_role(role))
            yield row

    @cached_property
    def variability(self) -> NDArray[np.float64] | None:
        """[layer, head], None if it was not measured."""
        found = self.corpus.result("variability")
        return None if found is None else found["variability"]

    @cached_property
    def roles(self) -> Block | None:
        """The roles over all queries of all texts, None if they were not measured."""
        scores: Mapping[str, Any] | None = self.corpus.result("roles")
        return None if scores is None else Block("text", self.facts, ROLES, scores)

    @cached_property
    def links(self) -> list[dict[str, Any]]:
        """The strongest links, each of another head while there are enough heads; two words stand once; [] for none."""
        top = self.corpus.totals.states.get("links")
        if top is None:
            return []
        order = np.argsort(-top.lift, axis=None, kind="stable")
        most = self.options.top or LISTED
        each = math.ceil(most / len(self.facts.places))
        found, words, count = list[dict[str, Any]](), set[tuple[str, str]](), dict[tuple[int, int], int]()
        for place in order.tolist():
            at = np.unravel_index(place, top.lift.shape)
            layer, head = int(at[0]), int(at[1])
            pair = str(top.query_token[at]), str(top.key_token[at])
            if int(top.text[at]) < 0 or pair in words or count.get((layer, head), 0) == each:
                continue
            words.add(pair)
            count[layer, head] = count.get((layer, head), 0) + 1
            row = {"layer": layer, "head": head, "query_token": pair[0], "query": int(top.query[at])}
            row |= {"key_token": pair[1], "key": int(top.key[at]), "text": int(top.text[at])}
            found.append(row | {"weight": float(top.weight[at]), "lift": float(top.lift[at])})
            if len(found) == most:
                break
        return found

    # Words

    def title(self) -> str:
        by = self.options.by
        return dotted(self.facts.title(), "corpus", by or "")

    def subtitle(self) -> str:
        totals = self.corpus.totals
        skipped = f"{len(totals.faults):,} skipped" if totals.faults else ""
        return dotted(f"{totals.texts:,} texts", f"{totals.tokens:,} tokens", skipped)

    def notes(self) -> Sequence[str]:
        by, notes = self.options.by, list[str]()
        if self.corpus.grids:
            what = "numbers are means" if by is None else "mean, standard deviation and quantiles are"
            notes.append(f"{what} over texts, and each text counts once")
            if by is not None:
                notes.append(f"quantiles: within {GROWTH:.0%}, from counts in cells")
        if by is None and self.roles is not None:
            notes.append("roles: mean scores over all queries of all texts")
        if by is None and self.variability is not None:
            short = float(self.corpus.result("variability")["short"].max())
            notes.append(
                f"variability: over texts, among the first {TOKENS} tokens (Vig and Belinkov 2019), "
                f"at most {short:.2g} too low"
            )
        if by is None and self.links:
            notes.append(LIFT)
        return [*notes, *self.facts.remarks()]

    # Pictures

    def page(self) -> Page:
        axes = self.facts.axes()
        if self.options.by is not None:
            return self.sheet(Boards(self._spread(), **axes, abreast=SIDE_BY_SIDE), self._ranges())
        abreast = SIDE_BY_SIDE if len(axes["heads"]) <= FEW else None
        parts: list[Part] = [Boards(tuple(self._boards()), **axes, abreast=abreast)]
        if self.links:
            parts.append(self._bars())
        return self.sheet(*parts, notes=self._outlined())

    def _outlined(self) -> list[str]:
        """Notes about roles on boards: what an outline means, and which roles no head has."""
        if self.roles is None:
            return []
        none = [role.name for role in ROLES if not self.roles.with_role(role)]
        return [
            "outlined: heads with the role that the heading names, with its least score and how many heads have it",
            *([f"roles that no head has: {', '.join(none)}"] if none else []),
        ]

    def browser(self) -> Page:
        page = self.page()
        if self.options.by is not None:
            return page
        return replace(page, parts=(*page.parts, *self._listings()))

    def _boards(self) -> Iterator[Board]:
        values = {name: self.corpus.means[name] for name in BOARDS if name in self.corpus.means}
        if self.variability is not None:
            values["variability"] = self.variability
        outlined = {OUTLINES.get(name) for name in values}
        for name, numbers in values.items():
            yield self._outlined_board(name, numbers)
        if self.roles is not None:
            own = [role for role in ROLES if role.name not in outlined and self.roles.known(role)]
            own = [role for role in own if self.roles.with_role(role)] or (own if not values else [])
            yield from map(self.roles.board, own)
        elif not values:
            yield self._strongest()

    def _outlined_board(self, name: str, values: NDArray[np.float64]) -> Board:
        """A board of one number; the heads of the role that is nearest to it are outlined."""
        high = 1.0 if name == "variability" else None
        role = next((role for role in ROLES if role.name == OUTLINES.get(name)), None)
        if self.roles is None or role is None or not (heads := self.roles.with_role(role)):
            return Board(values, _label(name), name, high=high)
        heading = f"{name} · {role.name} ≥ {self.roles.least(role)}: {len(heads)}"
        return Board(values, _label(name), heading, high=high, marks=tuple(heads))

    def _spread(self) -> tuple[Board, ...]:
        assert self.options.by is not None
        values, label = self.corpus.numbers[self.options.by], _label(self.options.by)
        return tuple(Board(values[name], label, heading) for name, heading in SPREAD.items())

    def _ranges(self) -> Ranges:
        """The heads with the highest means first."""
        by, total = self.options.by or "", len(self.facts.places)
        rows = self.rows()[: self.options.top or DRAWN]
        which = f"the {len(rows)} highest of {total} heads" if len(rows) < total else f"{total} heads"
        values = np.array([[row[name] for name in QUANTILES[1:-1]] for row in rows], float)
        names = [head_name(row["layer"], row["head"]) for row in rows]
        means = np.array([row["mean"] for row in rows], float)
        heading = f"{_label(by)} over texts, {which} by their mean"
        return Ranges(heading, names, values, means, _label(by))

    def _strongest(self) -> Board:
        """The strongest link of each head, for a corpus of links alone."""
        top = self.corpus.totals.states["links"]
        lift = np.where(top.text[..., 0] >= 0, top.lift[..., 0], np.nan)
        words = [
            [f"{query}→{key}" if query else "" for query, key in zip(queries, keys, strict=True)]
            for queries, keys in zip(top.query_token[..., 0], top.key_token[..., 0], strict=True)
        ]
        return Board(lift, "strongest lift", signed=bool((lift < 0).any()), cell_text=words)

    def _bars(self) -> Bars:
        entries = tuple(
            Entry(
                f"{link['query_token']} → {link['key_token']} · text {link['text']}",
                head_name(link["layer"], link["head"]),
                link["weight"],
                link["lift"],
            )
            for link in self.links
        )
        return Bars("strongest links of all texts, by lift", entries)

    # Tables

    def printed(self) -> Page:
        if self.options.by is not None:
            return self.sheet(self._table())
        parts = [part for part in (self._table(), *self._listings()) if not isinstance(part, Table) or part.rows]
        if self.links:
            parts.append(self._link_table())
        first, *others = parts
        notes = self.notes()
        pages = [Page(parts=(part,)) for part in others]
        return Page(self.title(), self.subtitle(), (first,), () if pages else tuple(notes), _noted(pages, notes))

    def _table(self) -> Table:
        rows = self.rows()
        if self.options.by is not None:
            header = ["layer", "head", "texts", "mean", "sd", *QUANTILES]
            body = [[_cell(row[name], self.options.by) for name in header] for row in rows]
            return Table(header, body, "r" * len(header), bold=(3,))
        header = [name for name in ("layer", "head", *BOARDS, "variability") if rows and name in rows[0]]
        if len(header) == 2:
            return Table(header, [], "rr")
        return Table(header, [[_cell(row[name], name) for name in header] for row in rows], "r" * len(header))

    def _listings(self) -> Iterator[Listing]:
        if self.roles is not None:
            yield self.roles.listing(self.options.top)
        if self.variability is not None:
            yield self._extremes(self.variability)
        if self.corpus.totals.faults:
            rows = [((f"{count:,}",), f"{reason} (the first: {where})") for count, reason, where in self._reasons()]
            yield Listing(("skipped", "reason"), rows)

    def _reasons(self) -> list[tuple[int, str, str]]:
        return self.corpus.reasons()[: self.options.top or EXTREME]

    def _extremes(self, variability: NDArray[np.float64]) -> Listing:
        named = sorted(self.facts.named, key=lambda each: -variability[each[0]])
        texts = [f"{head_name(*place)} {variability[at]:.2f}" for at, place in named]
        count = min(self.options.top or EXTREME, len(texts))
        rows = [(("most",), ", ".join(texts[:count])), (("least",), ", ".join(texts[::-1][:count]))]
        return Listing(("variable", "layer.head and variability"), rows, between=", ")

    def _link_table(self) -> Table:
        rows = [
            [str(link[name]) for name in _LINK] + [number(link["weight"], 2), number(link["lift"], 2)]
            for link in self.links
        ]
        header = ["layer", "head", "query", "at", "key", "at", "text", "weight", "lift"]
        return Table(header, rows, "rrlrlrrrr", bold=(2, 4))


_LINK = ("layer", "head", "query_token", "query", "key_token", "key", "text")


def _noted(pages: Sequence[Page], notes: Sequence[str]) -> tuple[Page, ...]:
    """The notes below the last page."""
    return tuple(replace(page, notes=tuple(notes)) if page is pages[-1] else page for page in pages)


def _plain(value: Any) -> Any:
    """A number of an array as Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def _cell(value: Any, name: str) -> str:
    """A number as a table has it."""
    return str(value) if isinstance(value, int) else text_of(value, name)


def _label(name: str) -> str:
    """The name of a number's colours, with its unit."""
    return next((each.label for each in STATISTICS if each.name == name), name if name == "variability" else "score")


def _facts(about: Mapping[str, Any]) -> SourceFacts:
    """The facts of the model."""
    none = Tokens.plain(())
    n_layers, n_heads = about["sizes"]
    names = ("digest", "adapter_digest", "seed")
    return SourceFacts(
        model=about["model"],
        stream=about["stream"],
        queries=none,
        keys=none,
        layers=tuple(range(n_layers)),
        heads=tuple(range(n_heads)),
        places=tuple(product(range(n_layers), range(n_heads))),
        reduced="special tokens left out" if about.get("no_special") else "",
        meta={name: about[name] for name in names if name in about},
    )


@analysis("corpus_report", Options, CorpusReport, subject="corpus folder", stem="report", progress_label="sums")
def corpus_report(corpus: Corpus, options: Options, progress: Progress | None = None) -> CorpusReport:
    """Show what `attnviz corpus` measured: boards, roles, variability, quantiles, strongest links.

    In a terminal: means of every head over texts, the heads of each role, the most and the least variable heads, the
    strongest links with the numbers of their texts, and why texts were skipped. With -o a picture of boards, or a page.
    --by shows one number: its mean, standard deviation and quantiles over texts. Numbers that were not measured are
    left out. No model is opened.

    attnviz corpus report sentences
    attnviz corpus report sentences -o report.html
    attnviz corpus report sentences --by special --top 20
    attnviz corpus report sentences --by entropy -o entropy.pdf
    """
    if options.by is not None and options.by not in corpus.grids:
        if not corpus.grids:
            raise SelectionError(f"--by {options.by}: this corpus has no numbers of each text", "leave it out")
        raise SelectionError(one_of("--by", options.by, corpus.grids))
    return CorpusReport(_facts(corpus.about), corpus, options)
