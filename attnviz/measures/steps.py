"""One head's attention for one query, step by step: from embeddings to what the layer adds to the stream.

The numbers come from the pass itself; comparisons (softmax without scaling) and shares are computed here.
`attnviz.measures.steps_formulas` explains the symbols.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.facts import attention_notes, dotted, randomness, stream_in_words
from attnviz.measures.steps_formulas import STAGES, Stage, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.axis import Tokens
    from attnviz.measures.steps_facts import Facts

    Array = NDArray[np.float32]
    Wide = NDArray[np.float64]

SMALL = 64  # numbers of a weight matrix that is shown whole


@dataclass(frozen=True, eq=False)
class Vectors:
    """One vector per token: values float32 [token, d]. step: the label of the step that makes them.

    side: query | key, whose tokens these are.
    """

    step: str
    name: str
    symbol: str
    side: str
    values: Array


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores after one operation: of the chosen query, float32 [key], and of all queries [query, key] or None.

    added: what the operation added to the row, or None. Not-a-number: out of reach, so never computed.
    """

    name: str
    row: Array
    matrix: Array | None = None
    added: Array | None = None

    @property
    def stage(self) -> Stage:
        """The operation that makes them."""
        return STAGES[self.name]


@dataclass(frozen=True, eq=False)
class Quantity:
    """Numbers of one step. axes: what the axes of values count, k for keys and d for dimensions; '' for one number.

    title: of a row of them on a page; header: of a column of them. head: whose they are; None: the walk's.
    """

    step: str
    name: str
    axes: str
    values: Any
    header: str = ""
    title: str = ""
    head: int | None = None


@dataclass(frozen=True, eq=False)
class Steps:
    """The way of query `query` through head `facts.head`.

    steps: in order. vectors: of step 1, as far as the model has them: embedding, positions, embedded, x, read, memory,
    compressed_q, compressed, q, k, v, q_normed, k_normed, q_turned, k_turned, q_used, k_used.
    scores: in order, from raw to masked.
    allowed bool [key]; weights float32 [key], and allowed_matrix, weight_matrix [query, key] or None for a long text.
    sink: a learned score outside the text, or None. output [d_head]: o_i. heads [n_heads, d_head]: the outputs of all
    heads for the query. parts [n_heads, d_model]: of each head in the projected output, None without W_O.
    projected [d_model]: what the layer's attention gives. matrices: W_Q, W_K, W_V [in, d_head], b_Q, ... and W_O
    [d_head, d_model] of this head, and b_O. projection [n_heads * d_head, d_model]: W_O of all heads, or None.
    """

    facts: Facts
    queries: Tokens
    keys: Tokens
    query: int
    steps: tuple[Step, ...]
    vectors: tuple[Vectors, ...]
    scores: tuple[Scores, ...]
    allowed: NDArray[np.bool_]
    weights: Array
    output: Array
    heads: Array
    projected: Array
    parts: Array | None = None
    sink: float | None = None
    allowed_matrix: NDArray[np.bool_] | None = None
    weight_matrix: Array | None = None
    matrices: Mapping[str, Array] = field(default_factory=dict)
    projection: Array | None = None

    def vector(self, name: str) -> Vectors | None:
        """The vectors of this name, None if the model has no such step."""
        return next((v for v in self.vectors if v.name == name), None)

    def score(self, name: str) -> Scores | None:
        """The scores after this operation, None if the model has no such step."""
        return next((s for s in self.scores if s.name == name), None)

    def step(self, name: str) -> Step:
        """The title and formulas of the step of this name."""
        return next(s for s in self.steps if s.name == name)

    def chain(self, letter: str) -> list[Vectors]:
        """The output of W_Q, W_K or W_V (q, k or v), and the same vectors after each further operation."""
        return [v for v in self.vectors if v.name == letter or v.name.startswith(f"{letter}_")]

    def used(self, letter: str) -> Array:
        """q or k as it is multiplied, v as it is summed: [token, d_head]."""
        return self.chain(letter)[-1].values

    def is_small(self, matrix: str) -> bool:
        """Whether a weight matrix is there and has so few numbers that all are shown."""
        return matrix in self.matrices and self.matrices[matrix].size <= SMALL

    @property
    def read(self) -> Array:
        """The input of W_Q, [query, d_in]."""
        return next(v.values for v in reversed(self.vectors) if v.name in ("embedding", "embedded", "x", "read"))

    @property
    def sink_weight(self) -> float:
        """The share of the softmax that goes outside the text."""
        return 0.0 if self.sink is None else 1.0 - float(self.weights.sum(dtype=np.float64))

    @property
    def strongest(self) -> int:
        """The key with the largest weight."""
        return int(self.weights.argmax())

    @cached_property
    def scaling(self) -> Scaling:
        """Softmax of the chosen query's scores with and without scaling, before any cap, bias or sink."""
        facts = self.facts
        factor = facts.scale if facts.scales else facts.usual
        row = next(scores.row for scores in reversed(self.scores) if scores.stage.early).astype(np.float64)
        without, scaled = softmax(row, self.allowed), softmax(row * factor, self.allowed)
        most = float(np.log(max(int(self.allowed.sum()), 1)))
        return Scaling(factor, without, scaled, entropy(without), entropy(scaled), most)

    @property
    def scaling_words(self) -> tuple[str, str]:
        """The names of both softmaxes that `scaling` compares."""
        if self.facts.scales:
            return "without scaling", "with scaling"
        return "without scaling, as here", f"times {self.facts.usual:.4g}"

    @cached_property
    def norm_share(self) -> Wide:
        """|a_ij v_j| / sum_k |a_ik v_k|, float64 [key]: how much each value weighs, whatever its direction. Sums to 1.

        Source: Kobayashi 2020, section 3.1, before the projection by W_O. Not-a-number where all values are zero.
        """
        lengths = self.weights.astype(np.float64) * np.linalg.norm(self.used("v").astype(np.float64), axis=-1)
        return _shares(lengths, lengths.sum())

    @cached_property
    def output_share(self) -> Wide:
        """(a_ij v_j) . o_i / |o_i|^2, float64 [key]: how far each value carries the output in its own direction.

        Sums to 1; negative where a value pulls the other way. Not-a-number where the output is zero.
        """
        out = self.output.astype(np.float64)
        along = self.weights.astype(np.float64) * (self.used("v").astype(np.float64) @ out)
        return _shares(along, float(out @ out))

    @cached_property
    def head_share(self) -> Wide:
        """|o^h W_O^h| / sum over heads, float64 [n_heads]: how much each head weighs in the projected output."""
        parts = self.heads if self.parts is None else self.parts
        lengths = np.linalg.norm(parts.astype(np.float64), axis=-1)
        return _shares(lengths, lengths.sum())

    def per_key(self) -> list[Quantity]:
        """One number per key: the scores after each operation, the weights, and the shares of the values."""
        scores = []
        for stage, row in ((s.stage, s.row) for s in self.scores):
            title = stage.title if stage.name == "masked" else f"{stage.title}  {stage.header}"
            scores.append(Quantity(self.step(stage.name).label, stage.name, "k", row, stage.header, title))
        without, label = self.scaling.without, self.step("scaled").label
        return [
            *scores,
            Quantity(label, "weight_without_scaling", "k", without, "unscaled", "softmax without scaling"),
            Quantity("5", "weight", "k", self.weights, "a_ij", "Softmax  a_ij"),
            Quantity("6", "norm_share", "k", self.norm_share, "by norm", "share of o_i by norm"),
            Quantity("6", "output_share", "k", self.output_share, "along o_i", "share along o_i"),
        ]

    def quantities(self) -> list[Quantity]:
        """Every number of the chosen query, and the keys and values of all, in the order of the steps."""
        scaled, compared = self.step("scaled").label, self.scaling
        numbers = [
            Quantity(v.step, v.name, "d", v.values[self.query])
            if v.side == "query"
            else Quantity(v.step, v.name, "kd", v.values)
            for v in self.vectors
        ]
        numbers += self.per_key()
        numbers.append(Quantity(scaled, "entropy_without_scaling", "", compared.entropy_without))
        numbers.append(Quantity(scaled, "entropy_with_scaling", "", compared.entropy_scaled))
        if self.sink is not None:
            label = self.step("sink").label
            numbers += [Quantity(label, "sink", "", self.sink), Quantity(label, "sink_weight", "", self.sink_weight)]
        numbers.append(Quantity("6", "output", "d", self.output))
        for head, (output, share) in enumerate(zip(self.heads, self.head_share, strict=True)):
            numbers.append(Quantity("7", "head_output", "d", output, head=head))
            numbers.append(Quantity("7", "head_share", "", share, head=head))
        numbers.append(Quantity("7", "projected", "d", self.projected))
        return sorted(numbers, key=lambda quantity: quantity.step)

    def title(self) -> str:
        """`all-MiniLM-L6-v2 · layer 3 of 0–5 · head 1 of 0–11`."""
        facts = self.facts
        parts = [facts.model, stream_in_words(facts.stream)]
        for what, index, count in (
            ("layer", facts.layer, facts.spec.n_layers),
            ("head", facts.head, facts.spec.n_heads),
        ):
            parts.append(f"{what} {index} of 0–{count - 1}" if count > 1 else f"{what} {index}, the only one")
        return dotted(*parts)

    def subtitle(self) -> str:
        """`query i = 4, “it”, and 14 keys`."""
        n = len(self.keys)
        return f"query i = {self.query}, “{self.queries.text[self.query]}”, and {n} key{'s' if n > 1 else ''}"

    def remarks(self) -> tuple[str, ...]:
        """Notes for a reader besides the numbers."""
        random = randomness(self.facts.meta)
        remarks = [f"{random}: how attention is computed, not what a model has learned"] if random else []
        return (*remarks, *attention_notes(self.facts.meta))


@dataclass(frozen=True, eq=False)
class Scaling:
    """The effect of 1/sqrt(d_k) on one row: softmax of the scores alone over the allowed keys, and its entropy in nats.

    factor: the model's own, or the usual one where the model does not scale. most: the entropy of equal weights.
    """

    factor: float
    without: Wide
    scaled: Wide
    entropy_without: float
    entropy_scaled: float
    most: float


def softmax(scores: NDArray[Any], allowed: NDArray[np.bool_], sink: float | None = None) -> Wide:
    """float64 [..., key]; 0 where not allowed, and everywhere in a row with nothing allowed. sink: as in `Steps`."""
    wide = np.where(allowed, scores, -np.inf).astype(np.float64)
    peak = wide.max(-1, keepdims=True, initial=-np.inf if sink is None else sink)
    peak = np.where(np.isfinite(peak), peak, 0.0)
    wide = np.exp(wide - peak)
    total = wide.sum(-1, keepdims=True) + (0.0 if sink is None else np.exp(sink - peak))
    return np.divide(wide, total, out=np.zeros_like(wide), where=total > 0)


def entropy(weights: NDArray[Any]) -> float:
    """-sum a ln a of one row, in nats."""
    wide = np.asarray(weights, np.float64)
    wide = wide[wide > 0]
    return max(0.0, float(-(wide * np.log(wide)).sum()))


def strongest(strength: NDArray[Any], count: int | None = None) -> list[int]:
    """The places of the largest values, the largest first; all of them without a count."""
    order: list[int] = np.argsort(-strength, kind="stable")[:count].tolist()
    return order


def _shares(parts: Wide, whole: float) -> Wide:
    return parts / whole if abs(whole) > 0 else np.full_like(parts, np.nan)
