"""`attnviz norms`: what attention moves, beside its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import AttentionResult, analysis, option
from attnviz.analyses.maps import Shown
from attnviz.analyses.value_norms import value_norms
from attnviz.attention import narrowed
from attnviz.errors import SelectionError
from attnviz.facts import dotted, facts_of, head_name, listed, pairs_in_words, randomness, with_query
from attnviz.measures.norms import MEASURES, OF_HEADS, summary
from attnviz.page.parts import MapTable, Page, Table
from attnviz.select import find_token

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.analyses.base import Request
    from attnviz.analyses.every_layer import EveryLayer
    from attnviz.attention import Attention
    from attnviz.facts import SourceFacts
    from attnviz.models.model import Progress

TITLES = {
    "weights": "weights",
    "norm": "norm",
    "residual": "norm, residual",
    "alti": "ALTI",
    "zeroing": "value zeroing",
    "effective": "effective",
}
DEFINITIONS = {
    "weights": "weights: a",
    "norm": "norm: of a f(x), what the heads move (Kobayashi 2020)",
    "residual": "norm, residual: with the residual stream and the norms behind it (Kobayashi 2021)",
    "alti": "ALTI: how near a token's part comes to the whole (Ferrando 2022)",
    "zeroing": "value zeroing: how the layer's output turns without a token's value (Mohebbi 2023)",
    "effective": "effective: weights without what the values cannot tell apart (Brunner 2020)",
}


@dataclass(frozen=True)
class Options(Shown):
    """The measures, and which tokens are shown."""

    measure: tuple[str, ...] = option((), "Beside the weights; by default all there are. Repeatable.", choices=MEASURES)


@dataclass(frozen=True, eq=False)
class Norms(AttentionResult):
    """absolute, shares: each measure as an Attention; in shares, norms are divided by the sums of their rows.

    by_head: whether the maps are of single heads, weights [layer, head, query, key], not of all heads of a layer
    together, [layer, 1, query, key]. query: the token whose row is listed, None for all.
    """

    facts: SourceFacts
    absolute: Mapping[str, Attention]
    shares: Mapping[str, Attention]
    by_head: bool
    query: int | None = None
    messages: Sequence[str] = ()

    def each_row(self) -> Iterator[dict[str, Any]]:
        """A pair of tokens each: the weight, and every measure; of norms also their share of the row."""
        first = self.shares["weights"]
        top, left = first.meta.get("origin", (0, 0))
        for (i, j), place, allowed in self._maps():
            for q in range(len(first.queries)) if self.query is None else [self.query]:
                for k in range(len(first.keys)) if allowed is None else np.flatnonzero(allowed[q]).tolist():
                    row = self._named(*place) | {
                        "query": q + top,
                        "query_token": first.query_tokens[q],
                        "key": k + left,
                        "key_token": first.key_tokens[k],
                    }
                    for name, attention in self.absolute.items():
                        row["weight" if name == "weights" else name] = float(attention.weights[i, j, q, k])
                        if name in ("norm", "residual"):
                            row[f"{name}_share"] = float(self.shares[name].weights[i, j, q, k])
                    yield row

    def page(self) -> Page:
        columns = {TITLES[name]: attention for name, attention in self.shares.items()}
        names = tuple(head_name(*place) if self.by_head else f"{place[0]}" for _, place, _ in self._maps())
        maps = MapTable(columns, names, "head" if self.by_head else "layer", "share of the row")
        return self.sheet(maps)

    def notes(self) -> Sequence[str]:
        return [DEFINITIONS[name] for name in self.shares]

    def printed(self) -> Page:
        """One token's view of its keys, or a summary of every map."""
        table, notes = self._summary() if self.query is None else self._keys(self.query), [*self.notes()]
        asked = "" if self.query is None else self.shares["weights"].query_tokens[self.query]
        if self.query is None:
            notes = [
                "special, self: mean share of a row on special tokens and on the token itself",
                "unlike: total variation from the raw weights, 0 to 1, the mean over rows",
                *notes,
            ]
        notes += [note for note in self.facts.reduced.split("; ") if note]
        return Page(with_query(self.title(), asked), self.subtitle(), (table,), tuple(notes))

    def _keys(self, query: int) -> Table:
        """A line per map and key that the query may see, a column per measure."""
        rows = [
            [*map(str, self._named(*place).values()), str(key), token]
            + [float(attention.weights[i, j, query, key]) for attention in self.shares.values()]
            for (i, j), place, allowed in self._maps()
            for key, token in enumerate(self.shares["weights"].key_tokens)
            if allowed is None or allowed[query, key]
        ]
        named = list(self._named(None, None))
        return Table([*named, "key", "token", *self.shares], rows, "r" * len(named) + "rl" + "r" * len(self.shares))

    def _summary(self) -> Table:
        """A line per map and measure."""
        weights = self.shares["weights"]
        rows: list[list[str | float]] = []
        for at, place, _ in self._maps():
            for name, attention in self.shares.items():
                sums = summary(attention.weights[at], weights.weights[at], weights.key_special)
                rows.append([*map(str, self._named(*place).values()), name, *sums.result()])
        named = list(self._named(None, None))
        return Table([*named, "measure", "special", "self", "unlike"], rows, "r" * len(named) + "lrrr")

    def _maps(self) -> list[tuple[tuple[int, ...], tuple[int | None, int | None], NDArray[np.bool_] | None]]:
        """Each map's position, its layer and head, and its mask."""
        first = self.shares["weights"]
        maps = zip(np.ndindex(first.weights.shape[:2]), first.places, first.maps(), strict=True)
        return [(at, place, allowed) for at, place, (_, allowed) in maps]

    def _named(self, layer: int | None, head: int | None) -> dict[str, Any]:
        return {"layer": layer} | ({"head": head} if self.by_head else {})

    def title(self) -> str:
        facts = self.facts
        stream = "" if facts.stream == "self" else f"{facts.stream} self-attention"
        heads = listed("head", facts.heads) if self.by_head else f"{len(facts.heads)} heads together"
        where = [listed("layer", facts.layers), heads]
        if facts.pairs:
            where = pairs_in_words(facts.pairs, facts.places)
        return dotted(facts.model, stream, "what attention moves", *where)

    def subtitle(self) -> str:
        shares = "norms as shares of their row" + ("" if self.by_head else ", weights as the mean over heads")
        return dotted(randomness(self.facts.meta), f"{len(self.facts.queries)} tokens", shares)


def _refuses(options: Options, request: Request) -> None:
    if request.from_file:
        raise SelectionError(
            "norms need values and W_O, which attention alone does not hold",
            "give the text and the model: attnviz norms TEXT -m MODEL",
        )


@analysis("norms", Options, Norms, subject="every layer", maps="table", refuses=_refuses)
def norms(text: EveryLayer, options: Options, progress: Progress | None = None) -> Norms:
    """Measure what attention moves, beside its weights: norms, ALTI, value zeroing, effective attention.

    A large weight on a short value moves little. norm: of what the heads add for a token (Kobayashi 2020). residual:
    with the residual stream and the layer norm after it (2021). alti: how near that comes to the whole (Ferrando 2022).
    zeroing: how the layer's output turns without a token's value (Mohebbi 2023). effective: weights without what the
    values cannot tell apart (Brunner 2020). All heads of a layer together, or with -H single ones: weights, norm and
    effective. In the terminal a summary, or with --query one token's view; -o draws the maps side by side. Up to 512
    tokens.

    attnviz norms "The animal didn't cross the street because it was too tired" -m minilm
    attnviz norms "The animal didn't cross the street because it was too tired" -m minilm -l 3 --query it
    attnviz norms "The cat sat on the mat" -m minilm -l 2 -H 0-3 -o norms.pdf
    attnviz norms "The cat sat on the mat" -m minilm --measure norm --json
    """
    measures = ["weights", *options.measure] if options.measure else None
    others = [name for name in measures or () if name not in OF_HEADS]
    if text.single and others:
        raise SelectionError(f"{others[0]} is of all heads together", "leave out --head")
    moved = value_norms(text.source, measures, text.wanted(), single=text.single, progress=progress)
    absolute, shares = (
        {name: narrowed(text.joined(attention), options.tokens, None)[0] for name, attention in maps.items()}
        for maps in (moved.maps, moved.shares())
    )
    first = shares["weights"]
    query = None if options.query is None else find_token(first.queries, options.query, "queries")
    messages = [f"left out: {name}: {why}" for name, why in moved.left_out.items()]
    return Norms(facts_of(first), absolute, shares, text.single, query, messages)
