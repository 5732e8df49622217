"""The meaning of a Spec, computed token by token and head by head in Python's own floats (64 bits).

Written from the formulas of the papers that the Spec names. It shares only the Spec with the engine: no array library
does the arithmetic (one only passes queries and keys to a `variant` of the Spec), and there are no tiles and no
optimisations. It is slow, and the place to start reading, beside engine/spec.py.

Shapes: n tokens; a vector is a list of floats, Rows a list of vectors, `[head][token]` a list of Rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from oracles.slow_embedding import StackInput
from oracles.slow_experts import routed
from oracles.slow_formulas import (
    ACTIVATIONS,
    Rows,
    Vector,
    add,
    alibi,
    clamp,
    convolve,
    dot,
    joined,
    sigmoid,
    softmax,
    turned,
)
from oracles.slow_images import turned_patch
from oracles.slow_places import Places

from attnviz.engine.spec import (
    Alibi,
    Latent,
    Spec,
)


@dataclass
class SlowResult:
    """weights and cross: [layer][head][query][key]; allowed: [layer][query][key], of `weights`; output: [token][d].

    nearest_tie: the smallest gap between the lowest router score that was chosen and the highest that was not.
    """

    weights: list[Any] = field(default_factory=list)
    cross: list[Any] = field(default_factory=list)
    allowed: list[Any] = field(default_factory=list)
    output: Rows = field(default_factory=list)
    nearest_tie: float = math.inf


class Slow(Places):
    """Run one stack of blocks. memory: the output of the encoder that it reads."""

    def __init__(self, spec: Spec, tensors: Any, inputs: StackInput, memory: Rows | None = None) -> None:
        super().__init__(spec, tensors, inputs)
        self.memory, self.result = memory, SlowResult()

    def run(self) -> SlowResult:
        spec = self.spec
        xs = first = self.embedded()
        for i in range(spec.n_layers):
            xs = self.block(i, xs)
            if i == 0 and spec.convolution_after_first:
                xs = self.convolved(first, xs)
        if spec.final_norm is not None:
            xs = [self.norm(spec.final_norm, "final_norm", x) for x in xs]
        self.result.output = xs
        return self.result

    # Blocks

    def block(self, i: int, xs: Rows) -> Rows:
        """Attention, then (in a decoder) attention to the encoder's output, then the MLP; each added to its input."""
        spec = self.spec
        name = f"layers.{spec.layer_source[i] if spec.layer_source else i}."
        if not spec.norm_before or (i == 0 and not spec.first_norm):
            read = xs
        else:
            read = [self.norm(spec.norm, name + "norm1", x) for x in xs]
        out = self.closed(name, 1, self.attention(i, name, read))
        if spec.parallel:
            other = read if spec.parallel == "shared" else [self.norm(spec.norm, name + "norm2", x) for x in xs]
            mlp = self.closed(name, 2, self.mlp(i, name, other))
            return [add(add(x, a), b) for x, a, b in zip(xs, out, mlp, strict=True)]
        xs = self.summed(name + "norm1", read if spec.residual_from_norm else xs, out)
        if spec.cross:
            read = [self.norm(spec.norm, name + "norm_cross", x) for x in xs] if spec.norm_before else xs
            xs = self.summed(name + "norm_cross", read if spec.residual_from_norm else xs, self.cross(name, read))
        if not spec.d_mlp:
            return xs
        read = [self.norm(spec.norm, name + "norm2", x) for x in xs] if spec.norm_before else xs
        out = self.closed(name, 2, self.mlp(i, name, read))
        return self.summed(name + "norm2", read if spec.residual_from_norm else xs, out)

    def summed(self, name: str, xs: Rows, out: Rows) -> Rows:
        sums = [add(x, y) for x, y in zip(xs, out, strict=True)]
        return [self.norm(self.spec.norm, name, x) for x in sums] if self.spec.norm_after else sums

    def closed(self, name: str, which: int, out: Rows) -> Rows:
        if self.spec.norm_output:
            out = [self.norm(self.spec.norm, f"{name}norm{which}_out", x) for x in out]
        if self.spec.layer_scale:
            scale = self.get(f"{name}scale{which}", self.spec.d_model)
            out = [[v * s for v, s in zip(x, scale, strict=True)] for x in out]
        return [[v * self.spec.sublayer_scale for v in x] for x in out]

    def convolved(self, first: Rows, xs: Rows) -> Rows:
        """He 2021 (DeBERTa), v2: norm(layer 0 + act(convolution of the embeddings))."""
        spec, kernel = self.spec, self.spec.convolution_after_first
        weight = self.get("convolution.weight", spec.d_model, spec.d_model // spec.convolution_groups, kernel)
        bias = self.get("convolution.bias", spec.d_model)
        moved = turned(convolve(turned(first), weight, bias, pad=(kernel - 1) // 2, groups=spec.convolution_groups))
        act = ACTIVATIONS[spec.convolution_activation]
        return [
            self.norm(spec.norm, "convolution.norm", add(x, [act(v) for v in y]))
            for x, y in zip(xs, moved, strict=True)
        ]

    # Attention

    def heads(self, name: str, xs: Rows, n_heads: int, has_bias: bool) -> list[Rows]:
        """Project, clip and split into heads: [head][token] of d_head."""
        spec, d = self.spec, self.spec.d_head
        ys = self.linear(name, xs, n_heads * d, has_bias)
        if not spec.clip_after_norm or name.endswith("v"):
            ys = self.clipped(ys)
        return [[y[h * d : (h + 1) * d] for y in ys] for h in range(n_heads)]

    def clipped(self, xs: Rows) -> Rows:
        limit = self.spec.qkv_clip
        return [[clamp(v, -limit, limit) for v in x] for x in xs] if limit else xs

    def normed_heads(self, name: str, heads: list[Rows]) -> list[Rows]:
        heads = self.normed(name, heads) if self.spec.qk_norm is not None else heads
        return [self.clipped(rows) for rows in heads] if self.spec.clip_after_norm and self.spec.qk_norm else heads

    def normed(self, name: str, heads: list[Rows]) -> list[Rows]:
        spec, d = self.spec, self.spec.d_head
        assert spec.qk_norm is not None
        if spec.qk_norm_over == "all":
            side = [self.norm(spec.qk_norm, name, joined(parts)) for parts in zip(*heads, strict=True)]
            return [[y[h * d : (h + 1) * d] for y in side] for h in range(len(heads))]
        own = [f"{name}.{h}" if spec.qk_norm_over == "heads" else name for h in range(len(heads))]
        return [[self.norm(spec.qk_norm, own[h], x) for x in rows] for h, rows in enumerate(heads)]

    def attention(self, i: int, name: str, xs: Rows) -> Rows:
        spec, n = self.spec, len(xs)
        if spec.latent is not None:
            q, k, v = self.from_compressed(spec.latent, name, xs)
        else:
            q = self.heads(name + "q", xs, spec.n_heads, spec.q_bias)
            k = self.heads(name + "k", xs, spec.n_kv_heads, spec.k_bias)
            v = self.heads(name + "v", xs, spec.n_kv_heads, spec.v_bias)
            if not spec.qk_norm_turned:
                q, k = self.normed_heads(name + "q_norm", q), self.normed_heads(name + "k_norm", k)
        rotary = (spec.rotary[i] if len(spec.rotary) > 1 else spec.rotary[0]) if spec.rotary else None
        if rotary is not None and rotary.by_patch:
            turn = partial(turned_patch, rotary, spec.patches, self.inputs.pixels)
            q, k = ([[turn(x, p) for p, x in enumerate(rows)] for rows in part] for part in (q, k))
        elif rotary is not None:
            q = [[self.turned(rotary, x, p, n) for p, x in enumerate(rows)] for rows in q]
            k = [[self.turned(rotary, x, p, n) for p, x in enumerate(rows)] for rows in k]
            if spec.rotary_values:
                v = [[self.turned(rotary, x, p, n) for p, x in enumerate(rows)] for rows in v]
        if spec.qk_norm_turned:
            q, k = self.normed_heads(name + "q_norm", q), self.normed_heads(name + "k_norm", k)
        relative = self.relative(name, q, k)
        scale = spec.scale / (i + 1) if spec.scale_by_layer else spec.scale
        sinks = self.get(name + "sinks", spec.n_heads) if spec.sinks else None
        learned = self.learned_bias(name, xs)
        allowed = [[self.sees(i, a, b, n) for b in range(n)] for a in range(n)]
        weights: list[Rows] = []
        outputs: list[Rows] = []
        variant = self.weighed(i, q, k, scale)
        for h in range(spec.n_heads):
            kv = h * spec.n_kv_heads // spec.n_heads
            if variant is not None:
                weights.append(variant[h])
                outputs.append([self.mixed(row, v[kv]) for row in weights[h]])
                continue
            weights.append([])
            for a in range(n):
                scores = {}
                for b in range(n):
                    if not allowed[a][b]:
                        continue
                    score = dot(q[h][a], k[kv][b]) + relative(h, a, b)
                    bias = 0.0
                    if isinstance(spec.bias, Alibi):
                        bias = alibi(spec.bias, h, spec.n_heads, a, b)
                    elif learned is not None:
                        bias = learned(h, a, b)
                    early = isinstance(spec.bias, Alibi) and spec.bias.before_scale
                    score = scale * (score + bias if early else score)
                    if spec.softcap:
                        score = spec.softcap * math.tanh(score / spec.softcap)
                    scores[b] = score if early else score + bias
                sink = None if sinks is None else sinks[h]
                weights[h].append(softmax(scores, n, sink, self.times(a, n)))
            outputs.append([self.mixed(weights[h][a], v[kv]) for a in range(n)])
        if spec.global_tokens:
            self.global_rows(name, xs, weights, outputs)
        self.result.weights.append(weights)
        self.result.allowed.append(allowed)
        return self.closing(name + "o", outputs)

    def from_compressed(self, rule: Latent, name: str, xs: Rows) -> tuple[list[Rows], list[Rows], list[Rows]]:
        """DeepSeek-AI 2024 (DeepSeek-V2), eq. 9-17, one head at a time: k_h = [W_UK_h c ; the part shared by all]."""
        spec = self.spec

        def per_head(which: str, rows: Rows, width: int, has_bias: bool) -> list[Rows]:
            ys = self.linear(name + which, rows, spec.n_heads * width, has_bias)
            return [[y[h * width : (h + 1) * width] for y in ys] for h in range(spec.n_heads)]

        asked = xs
        if rule.d_q:
            small = self.linear(name + "q_down", xs, rule.d_q, rule.bias)
            asked = [self.norm(rule.norm, name + "q_down_norm", x) for x in small]
        q = per_head("q", asked, spec.d_head, spec.q_bias)
        both = self.linear(name + "kv_down", xs, rule.d_kv + rule.d_shared, rule.bias)
        compressed = [self.norm(rule.norm, name + "kv_norm", x[: rule.d_kv]) for x in both]
        k = per_head("k", compressed, spec.d_head - rule.d_shared, spec.k_bias)
        k = [[own + x[rule.d_kv :] for own, x in zip(rows, both, strict=True)] for rows in k]
        return q, k, per_head("v", compressed, spec.d_value, spec.v_bias)

    def weighed(self, i: int, q: list[Rows], k: list[Rows], scale: float) -> list[Rows] | None:
        """Weights of the Spec's `variant`: a query head with the keys of its group, without a softmax afterwards."""
        spec = self.spec
        variant = (spec.variant[i] if len(spec.variant) > 1 else spec.variant[0]) if spec.variant else None
        if variant is None:
            return None
        keys = [k[h * spec.n_kv_heads // spec.n_heads] for h in range(spec.n_heads)]
        weights, _ = variant(i, np.array(q, np.float32), np.array(keys, np.float32), scale, spec.causal)
        return weights.tolist()

    def mixed(self, weights: Vector, v: Rows) -> Vector:
        return [sum(w * x[c] for w, x in zip(weights, v, strict=True)) for c in range(len(v[0]))]

    def closing(self, name: str, outputs: list[Rows]) -> Rows:
        """The concatenated heads, times W_O."""
        side = [joined(parts) for parts in zip(*outputs, strict=True)]
        return self.linear(name, side, self.spec.d_model, self.spec.o_bias) if self.spec.output else side

    def sees(self, i: int, a: int, b: int, n: int) -> bool:
        """Whether token a may attend to token b in layer i."""
        spec, inputs = self.spec, self.inputs
        if spec.blocks is not None and n > (5 + 2 * spec.blocks.n_random) * spec.blocks.size:
            # Zaheer 2020, section 3: global blocks at both ends, a window of one block to each side.
            own, other, last = (x // spec.blocks.size for x in (a, b, n - 1))
            return own in (0, last) or other in (0, last) or abs(own - other) <= 1
        if spec.global_tokens and (a in inputs.global_tokens or b in inputs.global_tokens):
            return True
        reach = (spec.reach[i] if len(spec.reach) > 1 else spec.reach[0]) if spec.reach else -1
        return not (spec.causal and b > a) and (reach < 0 or abs(a - b) <= reach)

    def times(self, a: int, n: int) -> dict[int, int]:
        """The count of each key in the row of token a. At inference all random blocks are the first block again."""
        blocks = self.spec.blocks
        if blocks is None or n <= (5 + 2 * blocks.n_random) * blocks.size:
            return {}
        if a // blocks.size in (0, (n - 1) // blocks.size):
            return {}
        return dict.fromkeys(range(blocks.size), 1 + blocks.n_random)

    def global_rows(self, name: str, xs: Rows, weights: list[Rows], outputs: list[Rows]) -> None:
        """Beltagy 2020, section 3.1: the row of a global token has its own projections."""
        spec = self.spec
        if not self.inputs.global_tokens:
            return
        q = self.heads(name + "global_q", xs, spec.n_heads, spec.q_bias)
        k = self.heads(name + "global_k", xs, spec.n_kv_heads, spec.k_bias)
        v = self.heads(name + "global_v", xs, spec.n_kv_heads, spec.v_bias)
        for h in range(spec.n_heads):
            kv = h * spec.n_kv_heads // spec.n_heads
            for a in self.inputs.global_tokens:
                scores = {b: spec.scale * dot(q[h][a], key) for b, key in enumerate(k[kv])}
                weights[h][a] = softmax(scores, len(xs))
                outputs[h][a] = self.mixed(weights[h][a], v[kv])

    def cross(self, name: str, xs: Rows) -> Rows:
        """Queries from the decoder, keys and values from the encoder's output, without a mask."""
        spec, memory = self.spec, self.memory
        assert memory is not None
        q = self.heads(name + "cross_q", xs, spec.n_heads, spec.q_bias)
        k = self.heads(name + "cross_k", memory, spec.n_kv_heads, spec.k_bias)
        v = self.heads(name + "cross_v", memory, spec.n_kv_heads, spec.v_bias)
        weights: list[Rows] = []
        outputs: list[Rows] = []
        for h in range(spec.n_heads):
            kv = h * spec.n_kv_heads // spec.n_heads
            weights.append([])
            for query in q[h]:
                scores = {b: spec.scale * dot(query, key) for b, key in enumerate(k[kv])}
                weights[h].append(softmax(scores, len(memory)))
            outputs.append([self.mixed(row, v[kv]) for row in weights[h]])
        self.result.cross.append(weights)
        return self.closing(name + "cross_o", outputs)

    # MLP

    def mlp(self, i: int, name: str, xs: Rows) -> Rows:
        spec = self.spec
        experts = spec.n_experts and (not spec.expert_layers or spec.expert_layers[i % len(spec.expert_layers)])
        if not experts:
            return self.dense(name, xs, spec.d_mlp, spec.mlp_bias)
        return [self.mixture(name, x) for x in xs]

    def mixture(self, name: str, x: Vector) -> Vector:
        """The experts that a token is sent to, each times its share, and the expert that every token is sent to."""
        spec = self.spec
        scores = self.linear(name + "router", [x], spec.n_experts, spec.router_bias)[0]
        shares, gap = routed(
            spec.routing, scores, spec.top_k, lambda: self.get(name + "router.correction", len(scores))
        )
        self.result.nearest_tie = min(self.result.nearest_tie, gap)
        out = [0.0] * spec.d_model
        has_bias = spec.mlp_bias if spec.expert_bias is None else spec.expert_bias
        for e, share in shares.items():
            output = self.dense(f"{name}experts.{e}.", [x], spec.d_expert or spec.d_mlp, has_bias)[0]
            out = [o + share * v for o, v in zip(out, output, strict=True)]
        if spec.mixture_bias:
            out = add(out, self.get(f"{name}experts.bias", spec.d_model))
        if spec.d_shared:
            output = self.dense(f"{name}shared.", [x], spec.d_shared, spec.mlp_bias)[0]
            if spec.weighed_shared:
                weigh = sigmoid(dot(self.get(f"{name}shared.weigh.weight", 1, spec.d_model)[0], x))
                output = [weigh * v for v in output]
            out = add(out, output)
        return out

    def dense(self, name: str, xs: Rows, width: int, has_bias: bool) -> Rows:
        """down(act(up x)); gated, Shazeer 2020: down(act(gate x) * up x)."""
        spec = self.spec
        act = ACTIVATIONS[spec.activation]
        up = self.linear(name + "up", xs, width, has_bias)
        if not spec.gated:
            inner = [[act(v) for v in y] for y in up]
        else:
            gate = self.linear(name + "gate", xs, width, has_bias)
            inner = [
                [self.gated(g, u, act) for g, u in zip(gates, ups, strict=True)]
                for gates, ups in zip(gate, up, strict=True)
            ]
        return self.linear(name + "down", inner, spec.d_model, has_bias)

    def gated(self, gate: float, up: float, act: Callable[[float], float]) -> float:
        limit = self.spec.clamp
        if not limit:
            return act(gate) * up
        gate, up = min(gate, limit), clamp(up, -limit, limit)
        return gate * sigmoid(self.spec.alpha * gate) * (up + 1)
