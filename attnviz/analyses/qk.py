"""`attnviz qk`: a head's queries and keys in one plane, and one pair of them number by number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import AttentionResult, analysis, key_option, option, query_option, top_option
from attnviz.analyses.steps import walk
from attnviz.errors import SelectionError
from attnviz.facts import dotted, randomness
from attnviz.measures.lift import Pair, strongest
from attnviz.measures.qk import Neurons, Plane, neurons, plane
from attnviz.measures.steps_formulas import STAGES
from attnviz.models.source import AttentionSource, affordable_rows, attend_rows
from attnviz.page.numbers import number, signed
from attnviz.page.parts import DotProduct, Page, Scatter, Table
from attnviz.select import Chosen, evenly, find_mark, find_token

if TYPE_CHECKING:
    from attnviz.analyses.one_head import OneHead
    from attnviz.axis import Tokens
    from attnviz.facts import SourceFacts
    from attnviz.models.model import Progress

DIMENSIONS, TOKENS = 10, 40  # dimensions and tokens of each side that a terminal lists, without --top


@dataclass(frozen=True)
class Options:
    """Which pair is looked at."""

    query: str | None = query_option("that of the highest lift")
    key_token: str | None = key_option("that of the highest lift")
    pair_of: str | None = option(
        None, "--query and --key-token in one, as in it:animal.", "--pair-of", metavar="QUERY:KEY"
    )
    top: int | None = top_option()

    def __post_init__(self) -> None:
        if self.pair_of is not None and (self.query is not None or self.key_token is not None):
            raise SelectionError("--pair-of names a query and a key: leave out --query and --key-token")

    def places(self, queries: Tokens, keys: Tokens) -> tuple[int | None, int | None]:
        """The positions of the query and the key that are asked for."""
        if self.pair_of is not None:
            return find_mark(queries, keys, self.pair_of)
        query = None if self.query is None else find_token(queries, self.query, "queries")
        return query, None if self.key_token is None else find_token(keys, self.key_token, "keys")


@dataclass(frozen=True, eq=False)
class QueriesAndKeys(AttentionResult):
    """plane: all queries and keys of the head. pair: one of each, number by number. messages: how it was chosen."""

    facts: SourceFacts
    plane: Plane
    pair: Neurons
    options: Options
    messages: Sequence[str] = ()

    def each_row(self) -> Iterator[dict[str, Any]]:
        """One row per number or place, all with the same keys, None where they mean nothing.

        part: plane (side, index, token, x, y), pair (index is the dimension; q, k and their product as value), score
        (name is the operation; value after it, and what it added), weight.
        """
        names = ("part", "name", "side", "index", "token", "x", "y", "q", "k", "value", "added")
        blank, pair = dict.fromkeys(names), self.pair
        for side, tokens, points in self._sides():
            for i, (token, (x, y)) in enumerate(zip(tokens.text, points.tolist(), strict=True)):
                yield blank | {"part": "plane", "side": side, "index": i, "token": token, "x": x, "y": y}
        for i, value in enumerate(pair.product.tolist()):
            yield blank | {"part": "pair", "index": i, "q": float(pair.q[i]), "k": float(pair.k[i]), "value": value}
        for stage in pair.stages:
            score = stage.value if abs(stage.value) != float("inf") else None
            yield blank | {"part": "score", "name": stage.name, "value": score, "added": stage.added}
        yield blank | {"part": "weight", "value": pair.weight}

    def arrays(self) -> dict[str, Any]:
        """q [query, d], k [key, d] as they are multiplied, queries and keys [token, 2], product [d], the pair."""
        steps = self.pair.steps
        return {
            "q": steps.used("q"),
            "k": steps.used("k"),
            "queries": self.plane.queries,
            "keys": self.plane.keys,
            "product": self.pair.product,
            "pair": np.array([steps.query, self.pair.key], np.int64),
            "query_tokens": np.array(steps.queries.text, np.str_),
            "key_tokens": np.array(steps.keys.text, np.str_),
        }

    def page(self) -> Page:
        steps, shares = self.pair.steps, self.plane.shares
        n_query, n_key = len(steps.queries), len(steps.keys)
        query, key = self._tokens()
        weights = enumerate(steps.weights.tolist(), start=n_query)
        scatter = Scatter(
            points=np.concatenate([self.plane.queries, self.plane.keys]),
            names=(*steps.queries.text, *steps.keys.text),
            groups=(0,) * n_query + (1,) * n_key,
            group=("queries", "keys"),
            axes=tuple(f"{nth} component, {share:.0%}" for nth, share in zip(("first", "second"), shares, strict=True)),
            stressed=(steps.query, n_query + self.pair.key),
            links=tuple((steps.query, place, weight) for place, weight in weights),
            link=f"weights of “{query}”",
        )
        product = DotProduct(
            names=("q", "k"),
            tokens=(query, key),
            vectors=(self.pair.q, self.pair.k),
            steps=tuple(self._stages()),
            summary=f"{query} → {key}: q · k {self.pair.total:.3g}, weight {self.pair.weight:.2f}",
        )
        return self.sheet(scatter, product)

    def printed(self) -> Page:
        """The dimensions with the largest products and the way to the score, then where every token lies."""
        pair, points = self.pair, []
        for side, tokens, places in self._sides():
            for i, (token, (x, y)) in enumerate(zip(tokens.text, places.tolist(), strict=True)):
                points.append((side, str(i), token, number(x, 3, "+"), number(y, 3, "+")))
        listed = [row for row in points if int(row[1]) < TOKENS]
        left = max(len(pair.steps.queries), len(pair.steps.keys)) - TOKENS
        notes = [f"{left} further tokens are in --json"] if left > 0 else []
        places = Table(("side", "index", "token", "x", "y"), listed, "lrlrr", piped=points)
        following = Page("", parts=(places,), notes=(*notes, *self.notes()))
        return Page(self.title(), self.subtitle(), (self._products(),), following=(following,))

    def _products(self) -> Table:
        """The products of the dimensions, the largest first, and the way to the weight; in a pipe all, in order."""
        pair = self.pair
        rows = [
            [str(i), *(plain(value) for value in (pair.q[i], pair.k[i], pair.product[i]))]
            for i in range(len(pair.product))
        ]
        best = pair.strongest(self.options.top or DIMENSIONS)
        listed = [rows[i] for i in best]
        if len(best) < len(rows):
            rest = pair.total - float(pair.product[best].sum())
            listed.append([f"{len(rows) - len(best)} more", "", "", plain(rest)])
        listed += [[text, "", "", value.replace("−", "-")] for text, value in self._stages()]
        rows += [[stage.name, "", "", plain(stage.value)] for stage in pair.stages]
        rows.append(["weight", "", "", f"{pair.weight:.4f}"])
        return Table(("dimension", "q", "k", "q*k"), listed, "lrrr", bold=(3,), piped=rows)

    def _stages(self) -> Iterator[tuple[str, str]]:
        """The way from the products to the weight: (what, number)."""
        steps, stages = self.pair.steps, list(self.pair.stages)
        merged = self.pair.allowed and len(stages) > 1 and stages[-1].name == "masked"
        for stage in stages[:-1] if merged else stages:
            text = STAGES[stage.name].title.lower()
            if stage.name == "raw":
                text = "q · k"
            elif stage.name == "scaled":
                text = f"× {steps.facts.scale:.4g}" if steps.facts.scales else "not scaled"
            elif stage.added is not None:
                text = f"+ {text} {signed(stage.added)}"
            elif stage.name == "masked":
                text = "behind the mask"
            if merged and stage is stages[-2]:
                text = f"{text} = score before the softmax"
            yield text, signed(stage.value)
        if steps.sink is not None:
            yield "a learned sink takes part in the softmax", signed(steps.sink)
        yield f"softmax over {int(steps.allowed.sum())} keys = weight", f"{self.pair.weight:.4f}"

    def _sides(self) -> tuple[tuple[str, Tokens, Any], ...]:
        steps = self.pair.steps
        return ("query", steps.queries, self.plane.queries), ("key", steps.keys, self.plane.keys)

    def _tokens(self) -> tuple[str, str]:
        """The pair's query and key."""
        steps = self.pair.steps
        return steps.queries.text[steps.query], steps.keys.text[self.pair.key]

    def title(self) -> str:
        """`Queries and keys · minilm · layer 3 · head 1`."""
        facts, (layer, head) = self.facts, self.facts.places[0]
        return dotted("Queries and keys", facts.model, facts.attention, f"layer {layer}", f"head {head}")

    def subtitle(self) -> str:
        query, key = self._tokens()
        pair = f"“{query}” → “{key}”: weight {self.pair.weight:.2f}"
        return dotted(randomness(self.facts.meta), pair)

    def notes(self) -> Sequence[str]:
        """Notes on the numbers, in a picture and in a terminal."""
        head, factor = self.pair.steps.facts, self.plane.factor
        notes = [f"queries and keys as they are multiplied{', after rotary positions' if head.rotary else ''}"]
        notes.append(f"centred, queries × {factor:.3g}, keys ÷ {factor:.3g}: no weight changes (Yeh 2023)")
        notes.append(f"the plane keeps {sum(self.plane.shares):.0%} of the variance")
        agreement = f"{self.plane.agreement:.2f}".replace("-", "−")
        notes.append(f"correlation of distance in the plane with score: {agreement}")
        if head.spec.n_kv_heads < head.spec.n_heads:
            notes.append(f"keys are shared: number {head.kv_head} of {head.spec.n_kv_heads}")
        return [*notes, *self.facts.remarks()]


def plain(value: float) -> str:
    """`7.213`, `-0.405`, `-∞`; `-` for what was never computed: as a terminal's columns have it."""
    return signed(float(value)).replace("−", "-").replace("–", "-")


@analysis("qk", Options, QueriesAndKeys, subject="one head", layers="-1")
def qk(place: OneHead, options: Options, progress: Progress | None = None) -> QueriesAndKeys:
    """Show a head's queries and keys in one plane, and one pair of them number by number.

    The plane: queries and keys centred, made equally wide and projected together (AttentionViz). The pair: q, k, their
    products dimension by dimension, and each step from their sum to the score before the softmax. Without --head,
    --query and --key-token the pair of the highest lift in the layer, which is the last by default.

    attnviz qk "The cat sat on the mat"
    attnviz qk "The animal was too tired, so it slept" -m minilm -l 3 -H 1 --query it --key-token animal
    attnviz qk "The animal was too tired, so it slept" -m minilm -l 3 --pair-of it:animal
    attnviz qk "The animal was too tired" -m minilm -l 3 -o plane.pdf
    """
    model, model_input = place.model, place.model_input
    heads = None if place.head is None else [place.head]
    source = AttentionSource.of(model, model_input, layers=[place.layer], heads=heads)
    pair, messages = _choose(source, place, options)
    facts = replace(source.facts, heads=(pair.head,), places=((pair.layer, pair.head),))
    steps = walk(model, model_input, pair.layer, pair.head, pair.query, progress)
    return QueriesAndKeys(facts, plane(steps.used("q"), steps.used("k")), neurons(steps, pair.key), options, messages)


def _choose(source: AttentionSource, place: OneHead, options: Options) -> tuple[Pair, tuple[str, ...]]:
    """The pair: what is named, and of the rest what has the highest lift, with a message that says so."""
    layer, heads = place.layer, source.heads
    query, key = options.places(source.queries, source.keys)
    if query is not None and key is not None and len(heads) == 1:
        return Pair(layer, heads[0], query, key, 0.0, 0.0), ()
    rows = evenly(source.queries, affordable_rows(len(heads), len(source.keys)))
    if query is not None and query not in rows:
        rows = sorted([*rows, query])
    attention = attend_rows(place.model, place.model_input, Chosen([layer], list(heads)), rows)
    best = strongest(attention, query=None if query is None else rows.index(query), key=key)
    best = replace(best, layer=layer, query=rows[best.query])
    missing = {"--head": len(heads) > 1, "--query": query is None, "--key-token": key is None}
    flags = [flag for flag, is_missing in missing.items() if is_missing]
    chosen = [f"head {best.head}"] if len(heads) > 1 else []
    if query is None or key is None:
        chosen.append(f"{source.queries.text[best.query]} → {source.keys.text[best.key]}")
    some = f", of {len(rows)} queries" if len(rows) < len(source.queries) else ""
    listed = flags[0] if len(flags) == 1 else f"{', '.join(flags[:-1])} and {flags[-1]}"
    return best, (
        f"{', '.join(chosen)}: the highest lift in layer {layer}{some} (weight {best.weight:.2f}, lift "
        f"{best.lift:.2f}); {listed} choose{'s' if len(flags) == 1 else ''} another",
    )
