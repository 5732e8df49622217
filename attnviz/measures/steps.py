"""One head's attention for one query, step by step: from embeddings to what the layer adds to the stream.

The numbers are those of the pass itself; what is worked out here are comparisons (softmax without scaling), shares and
the words that stand beside the numbers. Symbols are the field's (Vaswani 2017, section 3.2.1): query i, key j, q_i, k_j
and v_j of width d_k, e_ij = q_i . k_j, s_ij = e_ij / sqrt(d_k), a_ij = softmax over j, o_i = sum_j a_ij v_j.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.axis import Tokens

    Array = NDArray[np.float32]
    Wide = NDArray[np.float64]


@dataclass(frozen=True)
class Facts:
    """What the model does in this layer, as far as a step of its own comes of it. Defaults mean "off".

    added: what is added to the token embeddings ("position", "token type"). read_norm: the norm between the stream and
    the projections, in words. d_value: width of a value, 0: d_head. d_shared: of the part of a key that all heads
    share, where keys are made of a compressed vector. clip_late: queries and keys are clipped after their norm. rotary,
    mask: in words, '' for none. bias: alibi | alibi_by_key, or what an entry of a learned one is for; slope: of alibi
    in this head. relative: segmental | disentangled | by_distance | by_distance_and_key. global_query: the chosen query
    is a global token with projections of its own. counted: how often the keys of the first block count.
    """

    model: str
    stream: str
    layer: int
    n_layers: int
    head: int
    n_heads: int
    n_kv_heads: int
    d_model: int
    d_head: int
    scale: float
    d_value: int = 0
    d_shared: int = 0
    added: tuple[str, ...] = ()
    read_norm: str = ""
    clip: float = 0.0
    clip_late: bool = False
    rotary: str = ""
    bias: str = ""
    slope: float = 0.0
    relative: str = ""
    softcap: float = 0.0
    mask: str = ""
    global_query: bool = False
    counted: int = 1
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kv_head(self) -> int:
        """The key-value head that the query head reads."""
        return self.head // (self.n_heads // self.n_kv_heads)

    @property
    def scales(self) -> bool:
        """Whether scores are scaled at all (T5's are not)."""
        return self.scale != 1

    @property
    def usual(self) -> float:
        """1 / sqrt(d_k)."""
        return self.d_head**-0.5


@dataclass(frozen=True, eq=False)
class Vectors:
    """A vector a token: values float32 [token, d]; side: query | key, whose tokens these are."""

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

    step: str
    name: str
    row: Array
    matrix: Array | None = None
    added: Array | None = None


@dataclass(frozen=True)
class Step:
    """What is said of one step: label ("3", "3b"), name, title, and lines of (formula, shapes)."""

    label: str
    name: str
    title: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Steps:
    """The walk of query `query` through head `facts.head`.

    steps: in order. vectors: of step 1, those that the model has: embedding, positions, embedded, normed_embedding,
    x, read, memory, q, k, v, q_normed, k_normed, q_turned, k_turned, q_used, k_used.
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
        """What is said of the step of this name."""
        return next(s for s in self.steps if s.name == name)

    def used(self, which: str) -> Array:
        """q or k as it is multiplied, v as it is summed: [token, d_head]."""
        found = self.vector(f"{which}_used") or self.vector(f"{which}_normed") or self.vector(which)
        assert found is not None
        return found.values

    @property
    def read(self) -> Array:
        """What the queries are made from, [query, d_in]."""
        return next(v.values for v in reversed(self.vectors) if v.name in ("embedding", "embedded", "x", "read"))

    @property
    def unscaled(self) -> Array:
        """The row just before scaling, [key]."""
        return next(s for s in reversed(self.scores) if s.name in ("raw", "relative", "before_scale")).row

    @property
    def sink_weight(self) -> float:
        """The share of the softmax that goes outside the text."""
        return 0.0 if self.sink is None else 1.0 - float(self.weights.sum(dtype=np.float64))

    @property
    def strongest(self) -> int:
        """The key with the largest weight."""
        return int(self.weights.argmax())


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


@dataclass(frozen=True, eq=False)
class Scaling:
    """What 1/sqrt(d_k) does to one row: softmax of the scores alone over the allowed keys, and its entropy in nats.

    factor: the model's own, or the usual one where the model does not scale. least, most: the lowest possible
    entropy and that of equal weights.
    """

    factor: float
    without: Wide
    scaled: Wide
    entropy_without: float
    entropy_scaled: float
    most: float


def scaling(steps: Steps) -> Scaling:
    """Softmax of the chosen query's scores with and without scaling, before any cap, bias or sink."""
    facts = steps.facts
    factor = facts.scale if facts.scales else facts.usual
    row = steps.unscaled.astype(np.float64)
    without, scaled = softmax(row, steps.allowed), softmax(row * factor, steps.allowed)
    most = float(np.log(max(int(steps.allowed.sum()), 1)))
    return Scaling(factor, without, scaled, entropy(without), entropy(scaled), most)


def norm_share(steps: Steps) -> Wide:
    """|a_ij v_j| / sum_k |a_ik v_k|, float64 [key]: how much each value weighs, whatever its direction. Sums to 1.

    Source: Kobayashi 2020, section 3.1, before the projection by W_O. Not-a-number where all values are zero.
    """
    lengths = steps.weights.astype(np.float64) * np.linalg.norm(steps.used("v").astype(np.float64), axis=-1)
    return _shares(lengths, lengths.sum())


def output_share(steps: Steps) -> Wide:
    """(a_ij v_j) . o_i / |o_i|^2, float64 [key]: how far each value carries the output in its own direction.

    Sums to 1; negative where a value pulls the other way. Not-a-number where the output is zero.
    """
    out = steps.output.astype(np.float64)
    along = steps.weights.astype(np.float64) * (steps.used("v").astype(np.float64) @ out)
    return _shares(along, float(out @ out))


def head_share(steps: Steps) -> Wide:
    """|o^h W_O^h| / sum over heads, float64 [n_heads]: how much each head weighs in the projected output."""
    parts = steps.heads if steps.parts is None else steps.parts
    lengths = np.linalg.norm(parts.astype(np.float64), axis=-1)
    return _shares(lengths, lengths.sum())


def _shares(parts: Wide, whole: float) -> Wide:
    return parts / whole if abs(whole) > 0 else np.full_like(parts, np.nan)


# What is said


def described(facts: Facts, names: Sequence[str], n_query: int, n_key: int, sizes: Mapping[str, int]) -> list[Step]:
    """The steps that this model has, numbered: 1 to 7, and 1b, 1c, ... for what comes between.

    names: of the vectors and scores that there are, and `sink`. sizes: d_in of W_Q and W_K, d_out of W_O (0 without).
    """
    found: list[Step] = []
    for number, makers in enumerate((_inputs, _raw, _scaled, _masked, _softmax, _summed, _joined), 1):
        for place, (name, title, lines) in enumerate(makers(facts, set(names), n_query, n_key, sizes)):
            label = f"{number}{chr(ord('a') + place) if place else ''}"
            found.append(Step(label, name, title, tuple(lines)))
    return found


_Said = tuple[str, str, list[tuple[str, str]]]


def _inputs(facts: Facts, names: set[str], n_query: int, n_key: int, sizes: Mapping[str, int]) -> list[_Said]:
    n, d, d_in, d_key = n_query, facts.d_head, sizes["q"], sizes["k"]
    lines = []
    if "embedding" in names:
        made = " + ".join(("token", *facts.added)) if facts.added else "the embedding of token i"
        lines.append((f"x_i = {made}", f"[{n} x {facts.d_model}]"))
        if "normed_embedding" in names:
            lines.append(("x_i ← norm(x_i)", ""))
    if facts.layer > 0:
        before = "layer 0" if facts.layer == 1 else f"layers 0 to {facts.layer - 1}"
        lines.append((f"x_i ← the stream after {before}", f"[{n} x {facts.d_model}]"))
    if "read" in names:
        lines.append((f"x_i ← {facts.read_norm or 'norm'}(x_i)", ""))
    if facts.stream == "cross":
        # the seeded model has one stack for both texts
        made = "the pair after all layers" if facts.meta.get("random") else "the encoder's output"
        lines.append((f"m_j = {made}", f"[{n_key} x {d_key}]"))
    other = "m_j" if facts.stream == "cross" else "x_j"
    if "compressed" in names:
        lines += _compressed(facts, names, d_in, d_key)
        other = "c_j"
    asks, own = "b_i" if "compressed_q" in names else "x_i", d - facts.d_shared
    parts = (("q_i", asks, d_in, d), ("k_j", other, d_key, own), ("v_j", other, d_key, facts.d_value or d))
    for q, x, width, out in parts:
        letter = q[0].upper()
        bias = f" + b_{letter}" if f"b_{letter}" in names else ""
        lines.append((f"{q} = {x} W_{letter}{bias}", f"[{width}] [{width} x {out}] → [{out}]"))
    if facts.d_shared:
        bias = " + b_S" if "b_S" in names else ""
        line = f"k_j ← [k_j, x_j W_S{bias}], alike in all heads"
        lines.append((line, f"[{own}] [{facts.d_shared}] → [{d}]"))
    if facts.clip:
        lines.append((f"{'v_j' if facts.clip_late else 'each'} clipped to ±{facts.clip:g}", ""))
    said: list[_Said] = [("inputs", "Embeddings, queries, keys and values", lines)]
    if facts.global_query:
        text = "a global token: W_Q, W_K and W_V are those kept for global tokens (Beltagy 2020)"
        said.append(("global", "Global token", [(text, "")]))
    if facts.n_kv_heads < facts.n_heads:
        group = facts.n_heads // facts.n_kv_heads
        first = facts.kv_head * group
        text = "all heads share one set of keys and values (Shazeer 2019)"
        if facts.n_kv_heads > 1:
            heads = f"heads {first} {'and' if group == 2 else 'to'} {first + group - 1}"
            which = f"number {facts.kv_head} of 0–{facts.n_kv_heads - 1}"
            text = f"{heads} share one set of keys and values, {which} (Ainslie 2023)"
        said.append(("grouped", "Grouped heads", [(text, "")]))
    changes: list[_Said] = []
    late = "q_turned" in names
    if late or "q_normed" in names:
        clipped = [(f"each clipped to ±{facts.clip:g}", "")] if facts.clip and facts.clip_late else []
        norm = [("q_i ← norm(q_i), k_j ← norm(k_j)", f"[{d}] → [{d}]"), *clipped]
        changes.append(("qk_norm", "Norm of queries and keys", norm))
    if facts.rotary:
        lines = [("q_i ← R(i) q_i, k_j ← R(j) k_j", f"[{d}] → [{d}]"), (facts.rotary, "")]
        changes.append(("rotary", "Rotary positions", lines))
    said += reversed(changes) if late else changes
    if facts.relative == "segmental":
        said.append(("content_bias", "Content bias", [("q_i ← q_i + u (Dai 2019)", f"[{d}] → [{d}]")]))
    return said


def _compressed(facts: Facts, names: set[str], d_q: int, d_kv: int) -> list[tuple[str, str]]:
    """The vectors that keys, values and perhaps queries are made of, DeepSeek-AI 2024 (DeepSeek-V2), section 2.1."""
    made = [("c_j", "x_j", "C", d_kv)]
    if "compressed_q" in names:
        made.insert(0, ("b_i", "x_i", "B", d_q))
    found = []
    for small, x, letter, width in made:
        bias = f" + b_{letter}" if f"b_{letter}" in names else ""
        shape = f"[{facts.d_model}] [{facts.d_model} x {width}] → [{width}]"
        found.append((f"{small} = norm({x} W_{letter}{bias})", shape))
    return found


def _raw(facts: Facts, names: set[str], n_query: int, n_key: int, sizes: Mapping[str, int]) -> list[_Said]:
    d = facts.d_head
    said: list[_Said] = [("raw", "Raw scores", [("e_ij = q_i · k_j", f"[{d}] [{d} x {n_key}] → [{n_key}]")])]
    if "relative" in names:
        what = {
            "segmental": "r_ij = (q_i + v) · r(i - j), and a part for the segments (Dai 2019)",
            "disentangled": "r_ij = q_i · p(i - j) + k_j · p(j - i), learned distances (He 2021)",
            "by_distance": "r_ij = q_i · a(i - j), learned distances (Shaw 2018)",
            "by_distance_and_key": "r_ij = (q_i + k_j) · a(i - j), learned distances (Huang 2020)",
        }[facts.relative]
        said.append(("relative", "Relative positions", [("e_ij ← e_ij + r_ij", f"[{n_key}]"), (what, "")]))
    if "before_scale" in names:
        said.append(("before_scale", "Linear bias", [("e_ij ← e_ij + b_ij", f"[{n_key}]"), (_alibi(facts), "")]))
    return said


def _alibi(facts: Facts) -> str:
    m = f"m = {facts.slope:.4g} in head {facts.head} (ALiBi, Press 2021)"
    if facts.bias == "alibi_by_key":
        return f"b_ij = m j with {m}: m (j - i) but for what the whole row shares"
    return f"b_ij = m (j - i) with {m}"


def _scaled(facts: Facts, names: set[str], n_query: int, n_key: int, sizes: Mapping[str, int]) -> list[_Said]:
    root = facts.d_head**0.5
    if not facts.scales:
        line = f"s_ij = e_ij: this model does not scale (1/√d_k would be {facts.usual:.4g})"
    elif abs(facts.scale - facts.usual) < 1e-6 * facts.usual:
        line = f"s_ij = e_ij / √d_k = e_ij / √{facts.d_head} = e_ij / {root:.4g}"
    else:
        line = f"s_ij = {facts.scale:.4g} e_ij, the model's own factor (1/√d_k would be {facts.usual:.4g})"
    said: list[_Said] = [("scaled", "Scaling", [(line, f"[{n_key}]")])]
    if "capped" in names:
        capped = f"s_ij ← c tanh(s_ij / c) with c = {facts.softcap:g}"
        said.append(("capped", "Soft cap", [(capped, f"[{n_key}]")]))
    if "biased" in names:
        learned = f"b_ij is learned for head {facts.head} and {facts.bias}"
        what = _alibi(facts) if facts.bias.startswith("alibi") else learned
        said.append(("biased", "Bias by distance", [("s_ij ← s_ij + b_ij", f"[{n_key}]"), (what, "")]))
    if "counted" in names:
        line = f"s_ij ← s_ij + ln {facts.counted} for keys of the first block, which count {facts.counted} times"
        said.append(("counted", "Repeated blocks", [(line, f"[{n_key}]")]))
    return said


def _masked(facts: Facts, names: set[str], n_query: int, n_key: int, sizes: Mapping[str, int]) -> list[_Said]:
    line = f"s_ij ← −∞ where {facts.mask}" if facts.mask else "every query may see every key: nothing is hidden"
    return [("masked", "Mask", [(line, f"[{n_key}]")])]


def _softmax(facts: Facts, names: set[str], n_query: int, n_key: int, sizes: Mapping[str, int]) -> list[_Said]:
    total = "Σ_k exp(s_ik)" + (" + exp(z)" if "sink" in names else "")
    over = f"({total})" if "sink" in names else total
    said: list[_Said] = [("softmax", "Softmax", [(f"a_ij = exp(s_ij) / {over}", f"[{n_key}] → [{n_key}]")])]
    if "sink" in names:
        text = "z is a learned score outside the text: what it takes, no key gets"
        said.append(("sink", "Attention sink", [(text, "")]))
    return said


def _summed(facts: Facts, names: set[str], n_query: int, n_key: int, sizes: Mapping[str, int]) -> list[_Said]:
    d = facts.d_value or facts.d_head
    return [("summed", "Weighted sum of the values", [("o_i = Σ_j a_ij v_j", f"[{n_key}] [{n_key} x {d}] → [{d}]")])]


def _joined(facts: Facts, names: set[str], n_query: int, n_key: int, sizes: Mapping[str, int]) -> list[_Said]:
    width, out = facts.n_heads * (facts.d_value or facts.d_head), sizes["o"]
    heads = "o_i^0" if facts.n_heads == 1 else f"o_i^0 … o_i^{facts.n_heads - 1}"
    if facts.n_heads == 2:
        heads = "o_i^0 o_i^1"
    if not out:
        return [("joined", "Heads side by side", [(f"y_i = [{heads}]: there is no W_O", f"[{width}]")])]
    bias = " + b_O" if "b_O" in names else ""
    line = f"y_i = [{heads}] W_O{bias}"
    return [("joined", "Heads side by side, projected", [(line, f"[{width}] [{width} x {out}] → [{out}]")])]
