"""`attnviz steps`: how one query's attention is computed, from embeddings to the layer's output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import Result, analysis, option, query_option
from attnviz.errors import SelectionError
from attnviz.measures.steps import Steps
from attnviz.measures.steps_recorder import StepsRecorder
from attnviz.page.parts import DIAGRAMS, Diagrams, Page, Walk
from attnviz.select import find_token

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.analyses.one_head import OneHead
    from attnviz.axis import Tokens
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model, Progress


@dataclass(frozen=True)
class Options:
    """Which query, and how its walk is shown."""

    query: str | None = query_option("the last token that is not special")
    decimals: int = option(
        2,
        "Digits after the point; 0 prints none in a picture.",
        metavar="N",
        low=0,
        high=7,
        shown=True,
        panel="Colours and numbers",
    )
    diagram: bool = option(
        False, "Draw the three diagrams that explain attention, with these numbers, on one page.", panel="Page"
    )
    part: str | None = option(
        None,
        "With --diagram, only one of the three: a token through W_Q, W_K and W_V; its scores; the heads into W_O.",
        choices=DIAGRAMS,
        panel="Page",
    )

    def __post_init__(self) -> None:
        if self.part is not None and not self.diagram:
            raise SelectionError("--part chooses one of the figures of --diagram: add --diagram")


@dataclass(frozen=True, eq=False)
class StepByStep(Steps, Result):
    """A walk with its options: all numbers of `Steps`, to be printed, drawn and written."""

    options: Options = field(default_factory=Options)
    messages: Sequence[str] = ()

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        return ("figure", "arrays", "page")

    def each_row(self) -> Iterator[dict[str, Any]]:
        """One object per number: step, name, layer, head, query, query_token, key, key_token, dim, value.

        key and dim are null where they mean nothing; so is the value of a masked or uncomputed score. Step 1 has
        the chosen query's vectors, and the keys and values of all tokens.
        """
        query = {"query": self.query, "query_token": self.queries.text[self.query]}
        for each in self.quantities():
            head = self.facts.head if each.head is None else each.head
            row = {"step": each.step, "name": each.name, "layer": self.facts.layer, "head": head} | query
            for place, value in np.ndenumerate(each.values):
                at = dict(zip(each.axes, place, strict=True))
                key = at.get("k")
                token = None if key is None else self.keys.text[key]
                # As few digits as bring the same float32 back.
                number = float(str(value)) if np.isfinite(value) else None
                yield row | {"key": key, "key_token": token, "dim": at.get("d"), "value": number}

    def arrays(self) -> dict[str, Any]:
        """Every array of the walk by name.

        Vectors [token, d] under their names; scores as `raw`, `scaled`, ... [query, key], where the text is short
        enough for them, and as `query_raw`, ... [key]; mask and weights likewise; W_Q, W_K, W_V [in, d_head], W_O
        [d_head, out].
        """
        compared = self.scaling
        matrices = {"mask": self.allowed_matrix, "weights": self.weight_matrix}
        scores = [entry for s in self.scores for entry in ((s.name, s.matrix), (f"query_{s.name}", s.row))]
        arrays: dict[str, NDArray[Any] | None] = {
            "query": np.array(self.query),
            "layer": np.array(self.facts.layer),
            "head": np.array(self.facts.head),
            "query_tokens": np.array(self.queries.text, np.str_),
            "key_tokens": np.array(self.keys.text, np.str_),
            **{vectors.name: vectors.values for vectors in self.vectors},
            **self.matrices,
            **dict(scores),
            **(matrices if self.weight_matrix is not None else {}),
            "query_mask": self.allowed,
            "query_weights": self.weights,
            "query_weights_without_scaling": compared.without,
            "entropy": np.array([compared.entropy_without, compared.entropy_scaled, compared.most]),
            "norm_share": self.norm_share,
            "output_share": self.output_share,
            "output": self.output,
            "heads": self.heads,
            "head_share": self.head_share,
            "projected": self.projected,
            "sink": None if self.sink is None else np.array(self.sink, np.float32),
            "parts": self.parts,
        }
        return {name: values for name, values in arrays.items() if values is not None}

    def about(self) -> dict[str, Any]:
        """The model's sizes, and the formulas of every step."""
        facts = self.facts
        sizes = {name: getattr(facts.spec, name) for name in ("n_heads", "n_kv_heads", "d_model", "d_head")}
        steps = [{"step": s.label, "name": s.name, "title": s.title, "formulas": list(s.lines)} for s in self.steps]
        return {"model": facts.model, **sizes, "scale": facts.scale, "stream": facts.stream, "steps": steps}

    def page(self) -> Page:
        options, name = self.options, "Attention step by step"
        shown: Walk | Diagrams = Walk(self, options.decimals)
        if options.diagram:
            name = "Attention in diagrams"
            shown = Diagrams(self, (options.part,) if options.part else DIAGRAMS, options.decimals)
        return Page(f"{name} · {self.title()}", self.subtitle(), (shown,), self.remarks())

    def printed(self) -> Page:
        return Page("", parts=(Walk(self, self.options.decimals),))


def walk(
    model: Model, model_input: ModelInput, layer: int, head: int, query: int, progress: Progress | None = None
) -> Steps:
    """One ordinary pass, recorded: the numbers are the engine's own, and `Model.attend` gives the same weights.

    layer, head, query: true indices. Raises SelectionError for a mechanism whose weights are computed in another way.
    """
    if model.mechanism is not None and model_input.spec.variant_of(layer) is not None:
        raise SelectionError(
            f"{model.mechanism.mechanism.name} has no steps to walk through: its weights are not a softmax over scaled "
            "scores behind a mask",
            "leave out --mechanism, or take one that hides keys or places tokens: causal, window:2, rotary, alibi, ...",
        )
    recorder = StepsRecorder(model.name, model_input, layer, head, query)
    model.observe(model_input, [recorder], progress)
    return recorder.result()


def find_query(queries: Tokens, wanted: str | None = None) -> int:
    """The place of a query by its text or index, else that of the last token that is not special."""
    if wanted is not None:
        return find_token(queries, wanted, "queries")
    plain = [i for i, special in enumerate(queries.special) if not special]
    return plain[-1] if plain else len(queries) - 1


def _draws(options: Options) -> str:
    return "--diagram" if options.diagram else ""


@analysis("steps", Options, StepByStep, subject="one head", layers="-1", draws=_draws)
def steps(subject: OneHead, options: Options, progress: Progress | None = None) -> StepByStep:
    """Walk through attention step by step: one layer, one head, one token.

    Embeddings, queries, keys and values; raw scores; scaling; mask; softmax; the sum of the values; the heads
    together. Printed in the terminal, or with -o drawn on one page (PNG, SVG, PDF) or written as numbers (.npz, .json).
    --diagram draws the same numbers as three diagrams: one token through W_Q, W_K and W_V; its scores, the mask, the
    softmax and the weighted sum; the heads side by side into W_O.
    By default the last layer, head 0, and the last token that is not special.

    attnviz steps "The cat sat on the mat" --query cat
    attnviz steps "The cat sat on the mat" -m minilm -l 3 -H 1 --query cat -o steps.pdf
    attnviz steps "The cat sat on the mat" --query cat --diagram -o diagram.pdf
    attnviz steps "The cat sat on the mat" --diagram --part scores -o scores.png
    attnviz steps "I like tea" -m sample_inputs/by_hand.npz
    attnviz steps "The cat sat on the mat" --json
    """
    queries, n_heads = subject.model_input.queries, subject.model_input.spec.n_heads
    head, query = subject.head or 0, find_query(queries, options.query)
    recorded = walk(subject.model, subject.model_input, subject.layer, head, query, progress)
    messages = []
    if subject.head is None and n_heads > 1:
        messages.append(f"head {head} of 0-{n_heads - 1}: --head chooses another")
    if options.query is None and len(queries) > 1:
        messages.append(f"query {query} of 0-{len(queries) - 1}: --query chooses another")
    return StepByStep(**vars(recorded), options=options, messages=messages)
