"""Positions of tokens in rotations and scores, computed one token at a time."""

from __future__ import annotations

from collections.abc import Callable

from oracles.slow_embedding import Embedding
from oracles.slow_formulas import (
    Rows,
    Vector,
    add,
    bias_gates,
    bucket,
    clamp,
    disentangled_row,
    dot,
    rotated,
    sinusoid,
)
from oracles.slow_images import offsets

from attnviz.engine.spec import (
    Buckets,
    Disentangled,
    DistanceVectors,
    ImageOffsets,
    Rotary,
    Segmental,
    Sinusoidal,
)


class Places(Embedding):
    """The tensors of a stack, and the effect of positions on its attention."""

    def turned(self, rotary: Rotary, x: Vector, position: int, n: int) -> Vector:
        """Rotate by angles, or by stored sines and cosines: [sin, ..., cos, ...] of each position."""
        if not rotary.stored or not self.tensors.has("rotary.table"):
            return rotated(rotary, x, position, n)
        row, pairs = self.get("rotary.table", rotary.stored, rotary.dim)[position], rotary.dim // 2
        if rotary.last and rotary.dim < len(x):
            still = len(x) - rotary.dim
            return [*x[:still], *self.turned(rotary, x[still:], position, n)]
        y = list(x)
        for pair in range(pairs):
            a, b = (2 * pair, 2 * pair + 1) if rotary.interleaved else (pair, pair + pairs)
            y[a] = x[a] * row[pairs + pair] - x[b] * row[pair]
            y[b] = x[a] * row[pair] + x[b] * row[pairs + pair]
        return y

    def learned_bias(self, name: str, xs: Rows) -> Callable[[int, int, int], float] | None:
        """The number that a table adds to the score of (head, query, key)."""
        spec, rule = self.spec, self.spec.bias
        if isinstance(rule, ImageOffsets):
            names = rule.shared * ["bias.table"] + rule.own * [f"{name}bias.table"]
            tables = [self.get(each, rule.rows, spec.n_heads) for each in names]
            summed = [[sum(v) for v in zip(*rows, strict=True)] for rows in zip(*tables, strict=True)]
            return offsets(rule, summed, spec.patches, self.inputs.pixels)
        if not isinstance(rule, Buckets):
            return None
        own = name if rule.by_layer else ""
        table = self.get(f"{own}bias.table", rule.rows or rule.n_buckets, spec.n_heads)
        if not rule.gated:
            return lambda h, a, b: table[bucket(rule, a, b)][h]
        width = len(xs[0]) // spec.n_heads
        weight, bias = self.get(f"{name}bias_gate.weight", 8, width), self.get(f"{name}bias_gate.bias", 8)
        gate = bias_gates(xs, weight, bias, self.get(f"{name}bias_gate.scale", spec.n_heads))
        return lambda h, a, b: gate[a][h] * table[bucket(rule, a, b)][h]

    def relative(self, name: str, q: list[Rows], k: list[Rows]) -> Callable[[int, int, int], float]:
        """The term from content and distance that is added to q . k, for (head, query, key)."""
        rule = self.spec.relative
        if isinstance(rule, Segmental):
            return self.segmental(rule, name, q, k)
        if isinstance(rule, Disentangled):
            return self.disentangled(rule, name, q, k)
        if isinstance(rule, DistanceVectors):
            return self.by_distance(rule, name, q, k)
        return lambda h, a, b: 0.0

    def segmental(self, rule: Segmental, name: str, q: list[Rows], k: list[Rows]) -> Callable[[int, int, int], float]:
        """Dai 2019, section 3.3, terms b to d: q . W r(i - j) + u . k + v . W r(i - j); Yang 2019, section 2.5."""
        spec, n = self.spec, len(q[0])
        shape = (spec.n_heads, spec.d_head)
        content, place = self.get(name + "content_bias", *shape), self.get(name + "position_bias", *shape)
        weight = self.get(name + "r.weight", spec.n_heads * spec.d_head, spec.d_model)
        types = self.inputs.types
        segment = self.get(name + "segment_bias", *shape) if types is not None else None
        kinds = self.get(name + "segments", 2, *shape) if types is not None else None
        far: dict[int, list[Vector]] = {}
        for back in range(-n + 1, n):
            position = clamp(back, -rule.clamp, rule.clamp) if rule.clamp > 0 else back
            r = sinusoid(Sinusoidal(interleaved=False), position, spec.d_model)
            turned_r = [dot(row, r) for row in weight]
            far[back] = [turned_r[h * spec.d_head : (h + 1) * spec.d_head] for h in range(spec.n_heads)]

        def score(h: int, a: int, b: int) -> float:
            total = dot(content[h], k[h * spec.n_kv_heads // spec.n_heads][b])
            total += dot(add(q[h][a], place[h]), far[a - b][h])
            if types is not None and segment is not None and kinds is not None:
                total += dot(add(q[h][a], segment[h]), kinds[int(types[a] != types[b])][h])
            return total

        return score

    def disentangled(
        self, rule: Disentangled, name: str, q: list[Rows], k: list[Rows]
    ) -> Callable[[int, int, int], float]:
        """He 2021, eq. 4: Q_c K_r(delta(i, j)) and K_c Q_r(delta(j, i)), delta read from the query's side in v2."""
        spec = self.spec
        table = self.get("relative.table", 2 * rule.span, spec.d_model)
        if rule.norm is not None:
            table = [self.norm(rule.norm, "relative.norm", row) for row in table]
        d = spec.d_head

        def projected(which: str) -> list[Rows]:
            own = name + (which if rule.share_key else f"position_{which}")
            rows = self.linear(own, table, spec.n_heads * d, rule.key_bias or which == "q")
            return [[row[h * d : (h + 1) * d] for row in rows] for h in range(spec.n_heads)]

        keys = projected("k") if rule.c2p else None
        queries = projected("q") if rule.p2c else None

        def score(h: int, a: int, b: int) -> float:
            row, total = disentangled_row(rule, a, b), 0.0
            if keys is not None:
                total += dot(q[h][a], keys[h][row])
            if queries is not None:
                total += dot(k[h][b], queries[h][row])
            return total

        return score

    def by_distance(
        self, rule: DistanceVectors, name: str, q: list[Rows], k: list[Rows]
    ) -> Callable[[int, int, int], float]:
        """Shaw 2018, eq. 4: q_i a(i - j); Huang 2020, method 4: q_i a(i - j) + k_j a(i - j)."""
        table = self.get(name + "distances", 2 * rule.size - 1, self.spec.d_head)
        times = 1.0 if rule.scaled else 1 / self.spec.scale
        group = self.spec.n_heads // self.spec.n_kv_heads

        def score(h: int, a: int, b: int) -> float:
            row = table[a - b + rule.size - 1]
            return times * (dot(q[h][a], row) + (dot(k[h // group][b], row) if rule.by_key else 0.0))

        return score
