"""The collector behind a walk: it keeps what one head of one layer does during an ordinary pass."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.engine.observer import Collector
from attnviz.measures.steps import Scores, Steps, Vectors
from attnviz.measures.steps_facts import Facts
from attnviz.measures.steps_formulas import STAGES, described

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.spec import Latent, Spec
    from attnviz.engine.tile import Tile

    Array = NDArray[np.float32]

WHOLE = 1 << 18  # scores up to which the matrices of all queries are kept beside the chosen one's row: 512 x 512


class StepsRecorder(Collector):
    """Keeps vectors of all tokens, and the scores of one query (of all queries, if they are few).

    Args:
        model: its name. model_input: a `attnviz.models.inputs.ModelInput`. layer, head, query: true indices.
    """

    needs = frozenset({"stages", "vectors", "scores", "v", "outputs"})

    def __init__(self, model: str, model_input: Any, layer: int, head: int, query: int) -> None:
        self.facts = Facts.of(model, model_input, layer, head, query)
        self.model_input, self.query = model_input, query
        self.shape = n_query, n_key = len(model_input.queries), len(model_input.keys)
        self.rows = range(n_query) if n_query * n_key <= WHOLE else range(query, query + 1)
        self.vectors: dict[str, Array] = {}
        self.embedding: list[tuple[str, Array]] = []
        self.weights = np.zeros((len(self.rows), n_key), np.float32)
        self.allowed = np.zeros((len(self.rows), n_key), bool)
        self.stages: dict[str, Array] = {}
        self.output: Array | None = None

    def wants(self, layer: int, head: int) -> bool:
        return layer == self.facts.layer and head == self.facts.head

    def see(self, layer: int, name: str, values: Array) -> None:
        if layer == -1:
            if not self.embedding or not np.array_equal(self.embedding[-1][1], values):
                self.embedding.append((name, values.copy()))
        elif layer == self.facts.layer:
            self.vectors[name] = values.copy() if values.ndim == 1 else self._own(name, values)

    def _own(self, name: str, values: Array) -> Array:
        """This head's part of an array of all heads."""
        part = name.removeprefix("global_")
        if part in ("q", "q_normed", "q_turned"):
            return values[self.facts.head].copy()
        if part in ("k", "v", "k_normed", "k_turned"):
            return values[self.facts.kv_head].copy()
        if part in ("heads", "output"):
            return values[self.query].copy()
        return values if part.endswith(".weight") else values.copy()

    def take(self, tile: Tile) -> None:
        at = tile.heads.index(self.facts.head)
        assert tile.q is not None and tile.k is not None and tile.stages is not None
        n_query, n_key = self.shape
        d_head = tile.q.shape[-1]
        q = self.vectors.setdefault("q_used", np.zeros((n_query, d_head), np.float32))
        k = self.vectors.setdefault("k_used", np.zeros((n_key, d_head), np.float32))
        q[tile.rows.start : tile.rows.stop] = tile.q[at]
        k[tile.cols.start : tile.cols.stop] = tile.k[0]  # the only ones: a tile is cut to what is wanted
        rows = range(max(tile.rows.start, self.rows.start), min(tile.rows.stop, self.rows.stop))
        if not len(rows):
            return
        here = slice(rows.start - self.rows.start, rows.stop - self.rows.start)
        there = slice(rows.start - tile.rows.start, rows.stop - tile.rows.start)
        cols = slice(tile.cols.start, tile.cols.stop)
        self.weights[here, cols] = tile.weights[at, there]
        self.allowed[here, cols] = tile.attending(at)[there]
        for name, scores in tile.stages.items():
            stage = self.stages.setdefault(name, np.full((len(self.rows), n_key), np.nan, np.float32))
            stage[here, cols] = scores[at, there]
        if self.query in rows and tile.outputs is not None:
            self.output = tile.outputs[at, self.query - tile.rows.start].copy()

    def result(self) -> Steps:
        """The walk, once the pass is over."""
        spec, facts, seen = self.model_input.spec, self.facts, self.vectors
        if facts.global_query:  # it has projections of its own
            seen.update({name.removeprefix("global_"): seen[name] for name in list(seen) if name.startswith("global_")})
            del seen["q_used"], seen["k_used"]
        matrices = _matrices(spec, facts, seen)
        scores, vectors = self._scores(), self._vectors()
        sink = float(seen["sinks"][facts.head]) if "sinks" in seen else None
        heads = seen["heads"].reshape(spec.n_heads, spec.d_value)
        names = (
            [v.name for v in vectors] + [s.name for s in scores] + [name for name in matrices if name.startswith("b_")]
        )
        sizes = {"q": len(matrices["W_Q"]), "k": len(matrices["W_K"]), "o": spec.d_model if "W_O" in matrices else 0}
        steps = described(facts, [*names, *(["sink"] if sink is not None else [])], *self.shape, sizes)
        labels = {step.name: step.label for step in steps}
        whole_map = len(self.rows) > 1 or self.shape[0] == 1
        row = self.query - self.rows.start
        assert self.output is not None
        return Steps(
            facts=facts,
            queries=self.model_input.queries,
            keys=self.model_input.keys,
            query=self.query,
            steps=tuple(steps),
            vectors=tuple(Vectors(labels.get(v.step, "1"), v.name, v.symbol, v.side, v.values) for v in vectors),
            scores=tuple(scores),
            allowed=self.allowed[row],
            weights=self.weights[row],
            output=self.output,
            heads=heads,
            projected=seen["output"],
            parts=_parts(seen["o.weight"], heads) if "o.weight" in seen else None,
            sink=sink,
            allowed_matrix=self.allowed if whole_map else None,
            weight_matrix=self.weights if whole_map else None,
            matrices=matrices,
            projection=seen["o.weight"].T if "o.weight" in seen else None,
        )

    def _scores(self) -> list[Scores]:
        """The rows after each operation, with what it added, and at last the rows behind the mask."""
        row, whole = self.query - self.rows.start, len(self.rows) > 1
        scores: list[Scores] = []
        for name, stage in STAGES.items():
            if name == "masked":
                values = np.where(self.allowed, self.stages[scores[-1].name], np.float32(-np.inf))
            elif name in self.stages:
                values = self.stages[name]
            else:
                continue
            added = values[row] - scores[-1].row if stage.added else None
            scores.append(Scores(name, values[row], values if whole else None, added))
        return scores

    def _vectors(self) -> list[Vectors]:
        """The vectors of step 1, in order; `step` is the name of the step that makes them."""
        facts, seen = self.facts, self.vectors
        vectors: list[Vectors] = []

        def add(name: str, symbol: str, values: Array | None, side: str = "query") -> None:
            last = next((v.values for v in reversed(vectors) if v.side == side), None)
            # What changes nothing is not a step.
            if values is not None and (last is None or name in ("q", "k", "v") or not np.array_equal(last, values)):
                vectors.append(Vectors("inputs", name, symbol, side, values))

        add("embedding", "embedding", self.embedding[0][1])
        for (_, before), (name, after) in pairwise(self.embedding):
            if name == "add":
                add("positions", "position", after - before)
        if len(self.embedding) > 1:
            add("embedded", "embedded" if facts.layer else "x_i", self.embedding[-1][1])
        add("x", "x_i", seen.get("input"))
        add("read", "x_i", seen.get("read"))
        add("memory", "m_j", seen.get("memory"), "key")
        add("compressed_q", "b_i", seen.get("compressed_q"))
        add("compressed", "c_j", seen.get("compressed"), "key")
        add("q", "q_i", seen["q"])
        add("k", "k_j", seen["k"], "key")
        add("v", "v_j", seen["v"], "key")
        for step, name, stored, letters in _changes(facts, seen):
            for letter in letters:
                symbol, side = ("q_i", "query") if letter == "q" else ("k_j", "key")
                vectors.append(Vectors(step, f"{letter}_{name}", symbol, side, seen[f"{letter}_{stored}"]))
        return vectors


def _changes(facts: Facts, seen: Mapping[str, Array]) -> list[tuple[str, str, str, str]]:
    """(step, what it makes of queries and keys, under which name that was seen, which of q and k) in order."""
    if "q_turned" in seen:  # the norm follows rotary positions, and is the only change in a layer that has none
        turned = [("rotary", "turned", "turned", "qk"), ("qk_norm", "used", "used", "qk")]
        return turned if facts.rotary else [("qk_norm", "normed", "used", "qk")]
    changes = []
    if "q_normed" in seen and not facts.global_query:
        changes.append(("qk_norm", "normed", "normed", "qk"))
    if "q_used" in seen and facts.rotary:
        changes.append(("rotary", "used", "used", "qk"))
    elif "q_used" in seen and facts.relative == "segmental":
        changes.append(("content_bias", "used", "used", "q"))
    return changes


def _matrices(spec: Spec, facts: Facts, seen: Mapping[str, Array]) -> dict[str, Array]:
    """This head's parts of the weights, as x @ W wants them: [in, d_head], W_O [d_head, out]."""
    matrices = {} if spec.latent is None else _downward(spec.latent, seen)
    parts = (
        ("q", facts.head, spec.d_head),
        ("k", facts.kv_head, spec.d_head - facts.d_shared),
        ("v", facts.kv_head, spec.d_value),
    )
    for name, head, width in parts:
        matrices |= _part(seen, name, name.upper(), slice(head * width, (head + 1) * width))
    if "o.weight" in seen:
        at = slice(facts.head * spec.d_value, (facts.head + 1) * spec.d_value)
        matrices["W_O"] = seen["o.weight"][:, at].T.copy()
        if "o.bias" in seen:
            matrices["b_O"] = seen["o.bias"].copy()
    return matrices


def _downward(rule: Latent, seen: Mapping[str, Array]) -> dict[str, Array]:
    """The matrices W_C and W_B of the compressed vectors, and W_S of the part of the keys that all heads share."""
    return {
        **_part(seen, "kv_down", "C", slice(rule.d_kv)),
        **_part(seen, "kv_down", "S", slice(rule.d_kv, None)),
        **_part(seen, "q_down", "B", slice(None)),
    }


def _part(seen: Mapping[str, Array], name: str, letter: str, rows: slice) -> dict[str, Array]:
    """W_ and b_ of some rows of a weight [out, in] and its bias; what is not there is left out."""
    part = {}
    if f"{name}.weight" in seen:
        part[f"W_{letter}"] = seen[f"{name}.weight"][rows].T.copy()
    if f"{name}.bias" in seen:
        part[f"b_{letter}"] = seen[f"{name}.bias"][rows].copy()
    return part


def _parts(weight: Array, heads: Array) -> Array:
    """Each head's part of the projected output: [n_heads, d_model]. weight: W_O, [d_model, n_heads * d_head]."""
    by_head = weight.reshape(len(weight), *heads.shape).swapaxes(0, 1)  # [n_heads, d_model, d_head]
    return np.einsum("hd,hod->ho", heads, by_head)
