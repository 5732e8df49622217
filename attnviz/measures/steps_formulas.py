"""The steps from a text to a layer's output as formulas with shapes, and the table of operations on the scores.

Symbols are the field's (Vaswani 2017, section 3.2.1): query i, key j, q_i, k_j and v_j of width d_k, e_ij = q_i . k_j,
s_ij = e_ij / sqrt(d_k), a_ij = softmax over j, o_i = sum_j a_ij v_j.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnviz.measures.steps_facts import Facts

Lines = list[tuple[str, str]]  # formulas, and the shapes beside them


@dataclass(frozen=True)
class Stage:
    """One operation on the scores, by the engine's name for the scores that it makes.

    title: of its step. header: of a column with these scores; short: the same in a diagram. operation: what a diagram
    writes between the scores before and after it. added: the symbol of what it adds, '' if it does something else.
    early: it comes before scaling. formula: None where it adds; about: a second line, which says what is added.
    """

    name: str
    title: str
    header: str
    short: str
    operation: str = ""
    added: str = ""
    early: bool = False
    formula: Callable[[Facts], str] | None = None
    about: Callable[[Facts], str] | None = None

    @property
    def symbol(self) -> str:
        """`e` before scaling, `s` after it."""
        return "e" if self.early else "s"

    def lines(self, facts: Facts, shape: str) -> Lines:
        """Its formula with the shape of the scores, and what that adds."""
        plus = f"{self.symbol}_ij ← {self.symbol}_ij + {self.added}"
        lines = [(self.formula(facts) if self.formula else plus, shape)]
        return [*lines, (self.about(facts), "")] if self.about else lines


def _relative(facts: Facts) -> str:
    return {
        "segmental": "r_ij = (q_i + v) · r(i - j), and a part for the segments (Dai 2019)",
        "disentangled": "r_ij = q_i · p(i - j) + k_j · p(j - i), learned distances (He 2021)",
        "by_distance": "r_ij = q_i · a(i - j), learned distances (Shaw 2018)",
        "by_distance_and_key": "r_ij = (q_i + k_j) · a(i - j), learned distances (Huang 2020)",
    }[facts.relative]


def _alibi(facts: Facts) -> str:
    m = f"m = {facts.slope:.4g} in head {facts.head} (ALiBi, Press 2021)"
    if facts.bias == "alibi_by_key":
        return f"b_ij = m j with {m}: m (j - i) except for what the whole row shares"
    return f"b_ij = m (j - i) with {m}"


def _bias_of(facts: Facts) -> str:
    if facts.bias.startswith("alibi"):
        return _alibi(facts)
    return f"b_ij is learned for head {facts.head} and {facts.bias}"


def _scaling(facts: Facts) -> str:
    if not facts.scales:
        return f"s_ij = e_ij: this model does not scale (1/√d_k would be {facts.usual:.4g})"
    if facts.scales_as_usual:
        return f"s_ij = e_ij / √d_k = e_ij / √{facts.spec.d_head} = e_ij / {facts.spec.d_head**0.5:.4g}"
    return f"s_ij = {facts.scale:.4g} e_ij, the model's own factor (1/√d_k would be {facts.usual:.4g})"


def _cap(facts: Facts) -> str:
    return f"s_ij ← c tanh(s_ij / c) with c = {facts.softcap:g}"


def _count_of(facts: Facts) -> str:
    count = 1 if facts.blocks is None else 1 + facts.blocks.n_random
    return f"s_ij ← s_ij + ln {count} for keys of the first block, which count {count} times"


def _mask(facts: Facts) -> str:
    return f"s_ij ← −∞ where {facts.mask}" if facts.mask else "every query may see every key: nothing is hidden"


# In order. A model lacks some; raw, scaled and masked are always there.
STAGES = {
    stage.name: stage
    for stage in (
        Stage("raw", "Raw scores", "e_ij", "scores", "q Kᵀ", early=True, formula=lambda facts: "e_ij = q_i · k_j"),
        Stage("relative", "Relative positions", "e + r", "relative", "+ r", "r_ij", True, about=_relative),
        Stage("before_scale", "Linear bias", "e + b", "biased", "+ b", "b_ij", True, about=_alibi),
        Stage("scaled", "Scaling", "s_ij", "scaled", formula=_scaling),
        Stage("capped", "Soft cap", "capped", "capped", "cap", formula=_cap),
        Stage("biased", "Bias by distance", "s + b", "biased", "+ b", "b_ij", about=_bias_of),
        Stage("counted", "Repeated blocks", "counted", "counted", "+ ln c", "ln", formula=_count_of),
        Stage("masked", "Mask", "masked", "masked", "−∞", formula=_mask),
    )
}


@dataclass(frozen=True)
class Step:
    """The words for one step: label ("3", "3b"), name, title, and lines of (formula, shapes)."""

    label: str
    name: str
    title: str
    lines: tuple[tuple[str, str], ...]


def described(facts: Facts, names: Collection[str], n_query: int, n_key: int, sizes: Mapping[str, int]) -> list[Step]:
    """The steps that this model has, numbered: 1 to 7, and 1b, 1c, ... for what comes between.

    names: of the vectors and scores that there are, and `sink`. sizes: d_in of W_Q and W_K, d_out of W_O (0 without).
    """
    formulas = _Formulas(facts, frozenset(names), n_query, n_key, sizes)
    scores = [stage.name for stage in STAGES.values() if stage.name in formulas.names]
    groups = (
        formulas.inputs(),
        [formulas.stage(name) for name in scores if STAGES[name].early],
        [formulas.stage(name) for name in scores if not STAGES[name].early and name != "masked"],
        [formulas.stage("masked")],
        formulas.softmax(),
        formulas.summed(),
        formulas.joined(),
    )
    return [
        Step(f"{number}{chr(ord('a') + place) if place else ''}", name, title, tuple(lines))
        for number, group in enumerate(groups, 1)
        for place, (name, title, lines) in enumerate(group)
    ]


@dataclass(frozen=True)
class _Formulas:
    """Makes (name, title, lines) of each step; fields as the arguments of `described`."""

    facts: Facts
    names: frozenset[str]
    n_query: int
    n_key: int
    sizes: Mapping[str, int]

    def bias(self, letter: str) -> str:
        """` + b_Q` where there is one."""
        return f" + b_{letter}" if f"b_{letter}" in self.names else ""

    def inputs(self) -> list[tuple[str, str, Lines]]:
        facts = self.facts
        lines = [*self._stream(), *self._compressed(), *self._projections()]
        steps = [("inputs", "Embeddings, queries, keys and values", lines)]
        if facts.global_query:
            text = "a global token: W_Q, W_K and W_V are those kept for global tokens (Beltagy 2020)"
            steps.append(("global", "Global token", [(text, "")]))
        if facts.spec.n_kv_heads < facts.spec.n_heads:
            steps.append(("grouped", "Grouped heads", [(_grouped(facts), "")]))
        steps += self._changes()
        if facts.relative == "segmental":
            d = facts.spec.d_head
            steps.append(("content_bias", "Content bias", [("q_i ← q_i + u (Dai 2019)", f"[{d}] → [{d}]")]))
        return steps

    def _stream(self) -> Lines:
        """x_i, from the embeddings to what the projections read, and m_j of another text."""
        facts, shape = self.facts, f"[{self.n_query} x {self.facts.spec.d_model}]"
        lines = []
        if "embedding" in self.names:
            origin = " + ".join(("token", *facts.added)) if facts.added else "the embedding of token i"
            lines.append((f"x_i = {origin}", shape))
        if facts.layer > 0:
            before = "layer 0" if facts.layer == 1 else f"layers 0 to {facts.layer - 1}"
            lines.append((f"x_i ← the stream after {before}", shape))
        if "read" in self.names:
            lines.append((f"x_i ← {'RMS' if facts.spec.norm.kind == 'rms' else 'layer'} norm(x_i)", ""))
        if facts.cross:
            # The seeded model has one stack for both texts.
            origin = "the pair after all layers" if facts.meta.get("random") else "the encoder's output"
            lines.append((f"m_j = {origin}", f"[{self.n_key} x {self.sizes['k']}]"))
        return lines

    def _compressed(self) -> Lines:
        """The vectors that keys, values and perhaps queries are made of (DeepSeek-V2, DeepSeek-AI 2024, 2.1)."""
        vectors = (("compressed_q", "b_i", "x_i", "B", "q"), ("compressed", "c_j", "x_j", "C", "k"))
        return [
            (f"{c} = norm({x} W_{letter}{self.bias(letter)})", _product(self.facts.spec.d_model, self.sizes[size]))
            for name, c, x, letter, size in vectors
            if name in self.names
        ]

    def _projections(self) -> Lines:
        """q_i, k_j and v_j."""
        facts, own = self.facts, self.facts.spec.d_head - self.facts.d_shared
        asks = "b_i" if "compressed_q" in self.names else "x_i"
        other = "c_j" if "compressed" in self.names else "m_j" if facts.cross else "x_j"
        d_in, d_key = self.sizes["q"], self.sizes["k"]
        lines = [
            (f"{q} = {x} W_{letter}{self.bias(letter)}", _product(width, out))
            for q, letter, x, width, out in (
                ("q_i", "Q", asks, d_in, facts.spec.d_head),
                ("k_j", "K", other, d_key, own),
                ("v_j", "V", other, d_key, facts.spec.d_value),
            )
        ]
        if facts.d_shared:
            line = f"k_j ← [k_j, x_j W_S{self.bias('S')}], alike in all heads"
            lines.append((line, f"[{own}] [{facts.d_shared}] → [{facts.spec.d_head}]"))
        if facts.spec.qkv_clip:
            lines.append((f"{'v_j' if facts.spec.clip_after_norm else 'each'} clipped to ±{facts.spec.qkv_clip:g}", ""))
        return lines

    def _changes(self) -> list[tuple[str, str, Lines]]:
        """The norm of queries and keys and rotary positions, in the order that the model has them."""
        facts, shape = self.facts, f"[{self.facts.spec.d_head}] → [{self.facts.spec.d_head}]"
        changes: list[tuple[str, str, Lines]] = []
        late = "q_turned" in self.names
        if late or "q_normed" in self.names:
            norm = [("q_i ← norm(q_i), k_j ← norm(k_j)", shape)]
            if facts.spec.qkv_clip and facts.spec.clip_after_norm:
                norm.append((f"each clipped to ±{facts.spec.qkv_clip:g}", ""))
            changes.append(("qk_norm", "Norm of queries and keys", norm))
        if facts.rotary:
            turn = [("q_i ← R(i) q_i, k_j ← R(j) k_j", shape), (facts.rotary, "")]
            changes.append(("rotary", "Rotary positions", turn))
        return changes[::-1] if late else changes

    def stage(self, name: str) -> tuple[str, str, Lines]:
        """One operation on the scores."""
        shapes = _product(self.facts.spec.d_head, self.n_key) if name == "raw" else f"[{self.n_key}]"
        return name, STAGES[name].title, STAGES[name].lines(self.facts, shapes)

    def softmax(self) -> list[tuple[str, str, Lines]]:
        sink, shape = "sink" in self.names, f"[{self.n_key}]"
        total = "(Σ_k exp(s_ik) + exp(z))" if sink else "Σ_k exp(s_ik)"
        steps = [("softmax", "Softmax", [(f"a_ij = exp(s_ij) / {total}", f"{shape} → {shape}")])]
        if sink:
            text = "z is a learned score outside the text: what it takes, no key gets"
            steps.append(("sink", "Attention sink", [(text, "")]))
        return steps

    def summed(self) -> list[tuple[str, str, Lines]]:
        shapes = _product(self.n_key, self.facts.spec.d_value)
        return [("summed", "Weighted sum of the values", [("o_i = Σ_j a_ij v_j", shapes)])]

    def joined(self) -> list[tuple[str, str, Lines]]:
        n, out = self.facts.spec.n_heads, self.sizes["o"]
        width = n * self.facts.spec.d_value
        heads = {1: "o_i^0", 2: "o_i^0 o_i^1"}.get(n, f"o_i^0 … o_i^{n - 1}")
        if not out:
            return [("joined", "Heads side by side", [(f"y_i = [{heads}]: there is no W_O", f"[{width}]")])]
        line = (f"y_i = [{heads}] W_O{self.bias('O')}", _product(width, out))
        return [("joined", "Heads side by side, projected", [line])]


def _product(width: int, out: int) -> str:
    """The shapes of a vector times a matrix."""
    return f"[{width}] [{width} x {out}] → [{out}]"


def _grouped(facts: Facts) -> str:
    if facts.spec.n_kv_heads == 1:
        return "all heads share one set of keys and values (Shazeer 2019)"
    group = facts.spec.n_heads // facts.spec.n_kv_heads
    first = facts.kv_head * group
    heads = f"heads {first} {'and' if group == 2 else 'to'} {first + group - 1}"
    number = f"number {facts.kv_head} of 0–{facts.spec.n_kv_heads - 1}"
    return f"{heads} share one set of keys and values, {number} (Ainslie 2023)"
