"""One head's attention for one query, step by step: everything that lies between a text and a layer's output.

    found = attnviz.steps.walk(attnviz.load("minilm"), "The cat sat", layer=-1, head=0, query="cat")

One ordinary pass, watched: the numbers are the engine's own, and `Model.attend` gives the same weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.engine.positions import alibi_slopes
from attnviz.engine.spec import (
    Alibi,
    Buckets,
    Disentangled,
    DistanceVectors,
    ImageOffsets,
    Latent,
    Learned,
    Rotary,
    Segmental,
    Sinusoidal,
    Spec,
)
from attnviz.errors import SelectionError
from attnviz.measures.steps import Facts, Scores, Steps, Vectors, described
from attnviz.select import find_token

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.axis import Tokens
    from attnviz.engine.tile import Tile
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model, Progress

    Array = NDArray[np.float32]

WHOLE = 1 << 18  # scores up to which the matrices of all queries are kept beside the chosen one's row: 512 x 512
_STAGES = ("raw", "relative", "before_scale", "scaled", "capped", "biased", "counted")


def walk(
    model: Model,
    text: str | None = None,
    pair: str | None = None,
    *,
    layer: int = -1,
    head: int = 0,
    query: int | str | None = None,
    **inputs: Any,
) -> Steps:
    """The steps from a text to one query's output in one head.

    Args:
        text, pair, inputs: as for `Model.attend` (target, ids, pixel_values, stream, global_tokens, ...).
        layer, head: a negative index counts from the end.
        query: a token's text, text#2 or index; by default the last token that is not special.

    Raises:
        InputError, SelectionError, CheckpointError: as `Model.attend`; no such query.
    """
    given = model.prepare(text, pair, **inputs)
    place = query if isinstance(query, int) else find_query(given.queries, query)
    return steps(model, given, layer, head, place)


def find_query(queries: Tokens, wanted: str | None = None) -> int:
    """The place of a query by its name, else that of the last token that is not special."""
    if wanted is not None:
        return find_token(queries, wanted, "queries")
    plain = [i for i, special in enumerate(queries.special) if not special]
    return plain[-1] if plain else len(queries) - 1


def steps(
    model: Model, given: ModelInput, layer: int = -1, head: int = 0, query: int = -1, progress: Progress | None = None
) -> Steps:
    """The same for a prepared input and a query by its index.

    Raises SelectionError for what is not there, and for a mechanism whose weights come about in another way.
    """
    spec = given.spec
    layer = _index("layer", layer, spec.n_layers)
    head = _index("head", head, spec.n_heads)
    query = _index("query", query, len(given.queries))
    if model.mechanism is not None and spec.variant_of(layer) is not None:
        raise SelectionError(
            f"{model.mechanism.mechanism.name} has no steps to walk through: its weights are not a softmax over scaled "
            "scores behind a mask",
            "leave out --mechanism, or take one that hides keys or places tokens: causal, window:2, rotary, alibi, ...",
        )
    watch = _Watch(layer, head, head // (spec.n_heads // spec.n_kv_heads), query, len(given.queries), len(given.keys))
    model.observe(given, [watch], progress)
    return _assembled(model, given, watch)


def _index(what: str, wanted: int, count: int) -> int:
    if not -count <= wanted < count:
        shown = f"0-{count - 1} are" if count > 1 else "only 0 is"
        raise SelectionError(f"{what} {wanted} is not there; {shown}")
    return wanted % count


class _Watch:
    """Keeps what one head of one layer does: vectors of all tokens, scores of one query (of all, if they are few)."""

    needs = frozenset({"stages", "vectors", "scores", "q", "k", "v", "outputs"})

    def __init__(self, layer: int, head: int, kv_head: int, query: int, n_query: int, n_key: int) -> None:
        self.layer, self.head, self.kv_head, self.query = layer, head, kv_head, query
        self.shape = (n_query, n_key)
        self.rows = range(n_query) if n_query * n_key <= WHOLE else range(query, query + 1)
        self.vectors: dict[str, Array] = {}
        self.embedding: list[tuple[str, Array]] = []
        self.weights = np.zeros((len(self.rows), n_key), np.float32)
        self.allowed = np.zeros((len(self.rows), n_key), bool)
        self.stages: dict[str, Array] = {}
        self.output: Array | None = None

    def wants(self, layer: int, head: int) -> bool:
        return layer == self.layer and head == self.head

    def see(self, layer: int, name: str, values: Array) -> None:
        if layer == -1:
            if not self.embedding or not np.array_equal(self.embedding[-1][1], values):
                self.embedding.append((name, values.copy()))
        elif layer == self.layer:
            self.vectors[name] = values.copy() if values.ndim == 1 else self._own(name, values)

    def _own(self, name: str, values: Array) -> Array:
        """This head's part of an array of all heads."""
        part = name.removeprefix("global_")
        if part in ("q", "q_normed", "q_turned"):
            return values[self.head].copy()
        if part in ("k", "v", "k_normed", "k_turned"):
            return values[self.kv_head].copy()
        if part in ("heads", "output"):
            return values[self.query].copy()
        return values if part.endswith(".weight") else values.copy()

    def take(self, tile: Tile) -> None:
        at = tile.heads.index(self.head)
        assert tile.q is not None and tile.k is not None and tile.stages is not None
        n_query, n_key = self.shape
        d_head = tile.q.shape[-1]
        q = self.vectors.setdefault("q_used", np.zeros((n_query, d_head), np.float32))
        k = self.vectors.setdefault("k_used", np.zeros((n_key, d_head), np.float32))
        q[tile.rows.start : tile.rows.stop] = tile.q[at]
        k[tile.cols.start : tile.cols.stop] = tile.k[0]  # the only ones: a tile is cut to what is wanted
        mine = range(max(tile.rows.start, self.rows.start), min(tile.rows.stop, self.rows.stop))
        if not len(mine):
            return
        here = slice(mine.start - self.rows.start, mine.stop - self.rows.start)
        there = slice(mine.start - tile.rows.start, mine.stop - tile.rows.start)
        cols = slice(tile.cols.start, tile.cols.stop)
        self.weights[here, cols] = tile.weights[at, there]
        allowed = tile.attending(at)
        self.allowed[here, cols] = True if allowed is None else allowed[there]
        for name, scores in tile.stages.items():
            kept = self.stages.setdefault(name, np.full((len(self.rows), n_key), np.nan, np.float32))
            kept[here, cols] = scores[at, there]
        if self.query in mine and tile.outputs is not None:
            self.output = tile.outputs[at, self.query - tile.rows.start].copy()


def _assembled(model: Model, given: ModelInput, watch: _Watch) -> Steps:
    spec, seen, n = given.spec, watch.vectors, watch.query
    is_global = spec.global_tokens and n in given.global_tokens
    if is_global:  # this query has projections of its own
        seen.update({name.removeprefix("global_"): seen[name] for name in list(seen) if name.startswith("global_")})
        del seen["q_used"], seen["k_used"]
    facts = _facts(model, given, watch, is_global)
    matrices = _matrices(spec, seen, watch)
    scores = _scores(watch)
    vectors = _vectors(facts, watch)
    sink = float(seen["sinks"][watch.head]) if "sinks" in seen else None
    names = [v.name for v in vectors] + [s.name for s in scores] + [m for m in matrices if m.startswith("b_")]
    sizes = {
        "q": len(matrices["W_Q"]),
        "k": len(matrices["W_K"]),
        "o": spec.d_model if "W_O" in matrices else 0,
    }
    said = described(facts, [*names, *(["sink"] if sink is not None else [])], *watch.shape, sizes)
    label = {step.name: step.label for step in said}
    heads = seen["heads"].reshape(spec.n_heads, spec.d_value)
    whole_map = len(watch.rows) > 1 or watch.shape[0] == 1
    row = watch.query - watch.rows.start
    assert watch.output is not None
    return Steps(
        facts=facts,
        queries=given.queries,
        keys=given.keys,
        query=watch.query,
        steps=tuple(said),
        vectors=tuple(Vectors(label.get(v.step, "1"), v.name, v.symbol, v.side, v.values) for v in vectors),
        scores=tuple(Scores(label[s.name], s.name, s.row, s.matrix, s.added) for s in scores),
        allowed=watch.allowed[row],
        weights=watch.weights[row],
        output=watch.output,
        heads=heads,
        projected=seen["output"],
        parts=_parts(seen, heads) if "o.weight" in seen else None,
        sink=sink,
        allowed_matrix=watch.allowed if whole_map else None,
        weight_matrix=watch.weights if whole_map else None,
        matrices=matrices,
        projection=seen["o.weight"].T if "o.weight" in seen else None,
    )


def _facts(model: Model, given: ModelInput, watch: _Watch, is_global: bool) -> Facts:
    spec, layer, cross = given.spec, watch.layer, given.stream == "cross"
    rotary = None if cross else spec.rotary_of(layer)
    bias, relative = (None, None) if cross else (spec.bias, spec.relative)
    blocks = None if cross or spec.blocks is None or not spec.blocks.used(watch.shape[0]) else spec.blocks
    return Facts(
        model=model.name,
        stream=given.stream,
        layer=layer,
        n_layers=spec.n_layers,
        head=watch.head,
        n_heads=spec.n_heads,
        n_kv_heads=spec.n_kv_heads,
        d_model=spec.d_model,
        d_head=spec.d_head,
        d_value=spec.d_value,
        d_shared=spec.latent.d_shared if spec.latent is not None else 0,
        scale=spec.scale / (layer + 1) if spec.scale_by_layer and not cross else spec.scale,
        added=_added(spec, given),
        read_norm={"rms": "RMS norm", "layer": "layer norm"}[spec.norm.kind],
        clip=spec.qkv_clip,
        clip_late=spec.clip_after_norm,
        rotary="" if rotary is None else _rotary(rotary) + (", values too" if spec.rotary_values else ""),
        bias=_bias(bias),
        slope=_slope(bias, spec, watch.head) if isinstance(bias, Alibi) else 0.0,
        relative="" if relative is None else _relative(relative),
        softcap=0.0 if cross else spec.softcap,
        mask=_mask(spec, given, layer, blocks is not None),
        global_query=is_global,
        counted=1 if blocks is None else 1 + blocks.n_random,
        meta=given.meta,
    )


def _slope(rule: Alibi, spec: Spec, head: int) -> float:
    return float(alibi_slopes(rule, spec.n_heads)[head] * rule.times)


def _bias(rule: Alibi | Buckets | ImageOffsets | None) -> str:
    if isinstance(rule, Alibi):
        return "alibi_by_key" if rule.bfloat16 else "alibi"
    if isinstance(rule, ImageOffsets):
        return "the rows and columns between i and j (Liu 2021)"
    if rule is None:
        return ""
    return "the bucket of j - i" + (", times a gate of i (Chen 2022)" if rule.gated else " (T5, Raffel 2020)")


def _relative(rule: Segmental | Disentangled | DistanceVectors) -> str:
    if isinstance(rule, DistanceVectors):
        return "by_distance_and_key" if rule.by_key else "by_distance"
    return "segmental" if isinstance(rule, Segmental) else "disentangled"


def _rotary(rule: Rotary) -> str:
    pairs = ("neighbours" if rule.interleaved else "halves") + (" of the last dimensions" if rule.last else "")
    stretched = f", stretched ({rule.scaling.kind})" if rule.scaling is not None else ""
    turned = "each turned by its place times an angle"
    if rule.by_patch:
        turned = "half turned by a patch's row and half by its column, from -1 to 1 over the image, times 2π"
    if rule.stored:
        turned = "each turned by the sines and cosines that the checkpoint stores for its place, or else by an angle"
    return f"{(rule.dim + 1) // 2} pairs ({pairs}), {turned}, base {rule.base:g}{stretched} (Su 2021)"


def _added(spec: Spec, given: ModelInput) -> tuple[str, ...]:
    """What stands beside the token in the sum that enters the first layer."""
    found = []
    if spec.n_types or (spec.types_are_tokens and any(i.types is not None for i in given.inputs.values())):
        found.append("type")
    if spec.n_tasks:
        found.append("task")
    if isinstance(spec.absolute, (Learned, Sinusoidal)) or spec.positional_convolution is not None:
        found.append("position")
    return tuple(found)


def _mask(spec: Spec, given: ModelInput, layer: int, blocks: bool) -> str:
    """Which keys are hidden, in words; '' if none is."""
    if given.stream == "cross":
        return ""
    if blocks:
        return "j lies in no block that i may see"
    reach = spec.reach_of(layer)
    said = ["j > i (causal)"] if spec.causal else []
    if reach >= 0:
        said.append(f"j is more than {reach} tokens away (a sliding window)")
    return " or ".join(said)


def _matrices(spec: Spec, seen: Mapping[str, Array], watch: _Watch) -> dict[str, Array]:
    """This head's parts of the weights, as x @ W wants them: [in, d_head], W_O [d_head, out]."""
    found = {} if spec.latent is None else _downward(spec.latent, seen)
    d_key = spec.d_head - (0 if spec.latent is None else spec.latent.d_shared)
    parts = (("q", watch.head, spec.d_head), ("k", watch.kv_head, d_key), ("v", watch.kv_head, spec.d_value))
    for name, head, width in parts:
        at = slice(head * width, (head + 1) * width)
        found[f"W_{name.upper()}"] = seen[f"{name}.weight"][at].T.copy()
        if f"{name}.bias" in seen:
            found[f"b_{name.upper()}"] = seen[f"{name}.bias"][at].copy()
    if "o.weight" in seen:
        at = slice(watch.head * spec.d_value, (watch.head + 1) * spec.d_value)
        found["W_O"] = seen["o.weight"][:, at].T.copy()
        if "o.bias" in seen:
            found["b_O"] = seen["o.bias"].copy()
    return found


def _downward(rule: Latent, seen: Mapping[str, Array]) -> dict[str, Array]:
    """What makes the compressed vectors, W_C and W_B, and the part of the keys that all heads share, W_S."""
    found: dict[str, Array] = {}
    for name, letter, part in (
        ("kv_down", "C", slice(rule.d_kv)),
        ("kv_down", "S", slice(rule.d_kv, None)),
        ("q_down", "B", slice(None)),
    ):
        if f"{name}.weight" in seen:
            found[f"W_{letter}"] = seen[f"{name}.weight"][part].T.copy()
        if f"{name}.bias" in seen:
            found[f"b_{letter}"] = seen[f"{name}.bias"][part].copy()
    return found


def _parts(seen: Mapping[str, Array], heads: Array) -> Array:
    """What each head puts into the projected output: [n_heads, d_model]."""
    weight = seen["o.weight"]
    by_head = weight.reshape(len(weight), *heads.shape).swapaxes(0, 1)  # [n_heads, d_model, d_head]
    return np.einsum("hd,hod->ho", heads, by_head)


def _scores(watch: _Watch) -> list[Scores]:
    """The rows after each operation, with what it added, and at last those behind the mask."""
    row = watch.query - watch.rows.start
    found: list[Scores] = []
    for name in _STAGES:
        values = watch.stages.get(name)
        if values is None:
            continue
        added = None
        if name in ("relative", "before_scale", "biased", "counted"):
            added = values[row] - found[-1].row
        found.append(Scores(name, name, values[row], values if len(watch.rows) > 1 else None, added))
    last = watch.stages[found[-1].name]
    hidden = np.where(watch.allowed, last, np.float32(-np.inf))
    found.append(Scores("masked", "masked", hidden[row], hidden if len(watch.rows) > 1 else None))
    return found


def _vectors(facts: Facts, watch: _Watch) -> list[Vectors]:
    """The vectors of step 1, in order; `step` names the step that they belong to."""
    seen = watch.vectors
    found: list[Vectors] = []

    def keep(name: str, symbol: str, values: Array | None, side: str = "query", step: str = "inputs") -> None:
        if values is not None and (not found or not _same(found, side, values) or name in ("q", "k", "v")):
            found.append(Vectors(step, name, symbol, side, values))

    keep("embedding", "embedding", watch.embedding[0][1])
    for (_, before), (name, after) in pairwise(watch.embedding):
        if name == "add":
            keep("positions", "position", after - before)
    if len(watch.embedding) > 1:
        keep("embedded", "embedded" if facts.layer else "x_i", watch.embedding[-1][1])
    keep("x", "x_i", seen.get("input"))
    keep("read", "x_i", seen.get("read"))
    keep("memory", "m_j", seen.get("memory"), "key")
    keep("compressed_q", "b_i", seen.get("compressed_q"))
    keep("compressed", "c_j", seen.get("compressed"), "key")
    keep("q", "q_i", seen["q"])
    keep("k", "k_j", seen["k"], "key")
    keep("v", "v_j", seen["v"], "key")
    if "q_turned" in seen:
        return found + _turned_then_normed(facts, seen)
    if "q_normed" in seen and not facts.global_query:
        keep("q_normed", "q_i", seen["q_normed"], step="qk_norm")
        keep("k_normed", "k_j", seen["k_normed"], "key", "qk_norm")
    turned = "rotary" if facts.rotary else "content_bias" if facts.relative == "segmental" else ""
    if turned and "q_used" in seen:
        found.append(Vectors(turned, "q_used", "q_i", "query", seen["q_used"]))
        if facts.rotary:
            found.append(Vectors(turned, "k_used", "k_j", "key", seen["k_used"]))
    return found


def _turned_then_normed(facts: Facts, seen: Mapping[str, Array]) -> list[Vectors]:
    """Queries and keys where their norm follows rotary positions; the norm alone in a layer that has no positions."""
    steps = [("rotary", "turned", "turned"), ("qk_norm", "used", "used")]
    if not facts.rotary:
        steps = [("qk_norm", "normed", "used")]
    return [
        Vectors(step, f"{which}_{name}", symbol, side, seen[f"{which}_{stored}"])
        for step, name, stored in steps
        for which, symbol, side in (("q", "q_i", "query"), ("k", "k_j", "key"))
    ]


def _same(found: Iterable[Vectors], side: str, values: Array) -> bool:
    """Whether the last array of this side was just this: a step that changes nothing is not a step."""
    last = [v for v in found if v.side == side]
    return bool(last) and last[-1].values.shape == values.shape and np.array_equal(last[-1].values, values)
