"""Other kinds of attention as their papers define them, one query and one key at a time, in Python's own floats.

Written from the papers' formulas, not from attnviz/variants: sets of keys are built one by one, memories are queues
that segments push into, a state space is a recurrence. q and k are lists of vectors of one head; the result is a list
of rows, [query][key], unless a docstring says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

Vector = Sequence[float]
Rows = Sequence[Vector]


def dot(x: Vector, y: Vector) -> float:
    return sum(a * b for a, b in zip(x, y, strict=True))


def times(matrix: Rows, x: Vector) -> list[float]:
    return [dot(row, x) for row in matrix]


def tanh(x: Iterable[float]) -> list[float]:
    return [math.tanh(a) for a in x]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def over(scores: dict[int, float], n: int) -> list[float]:
    """Softmax over the keys that have a score; every other key gets 0."""
    top = max(scores.values())
    total = sum(math.exp(score - top) for score in scores.values())
    return [math.exp(scores[j] - top) / total if j in scores else 0.0 for j in range(n)]


def attention(q: Rows, k: Rows, score: Callable[[int, int], float], sees: Callable[[int, int], bool]) -> Rows:
    return [over({j: score(i, j) for j in range(len(k)) if sees(i, j)}, len(k)) for i in range(len(q))]


def scaled(q: Rows, k: Rows, scale: float) -> Callable[[int, int], float]:
    return lambda i, j: scale * dot(q[i], k[j])


def ahead(causal: bool) -> Callable[[int, int], bool]:
    return lambda i, j: j <= i or not causal


# Scoring


def general(q: Rows, k: Rows, matrix: Rows, causal: bool = False) -> Rows:
    """Luong 2015: q^T W k."""
    return attention(q, k, lambda i, j: dot(q[i], times(matrix, k[j])), ahead(causal))


def concat(q: Rows, k: Rows, matrix: Rows, v: Vector, causal: bool = False) -> Rows:
    """Luong 2015: v^T tanh(W [q; k])."""
    return attention(q, k, lambda i, j: dot(v, tanh(times(matrix, [*q[i], *k[j]]))), ahead(causal))


def additive(q: Rows, k: Rows, w: Rows, u: Rows, v: Vector, causal: bool = False) -> Rows:
    """Bahdanau 2014: v^T tanh(W s + U h)."""

    def score(i: int, j: int) -> float:
        return dot(v, tanh(a + b for a, b in zip(times(w, q[i]), times(u, k[j]), strict=True)))

    return attention(q, k, score, ahead(causal))


# Keys


def local_p(q: Rows, k: Rows, scale: float, reach: int, w: Rows, v: Vector, causal: bool = False) -> Rows:
    """Luong 2015, eq. 9 and 10; in a causal text, n is the number of tokens so far."""
    rows = []
    for i in range(len(q)):
        p = (i + 1 if causal else len(k)) * sigmoid(dot(v, tanh(times(w, q[i]))))
        near = {j: scale * dot(q[i], k[j]) for j in range(len(k)) if abs(j - p) <= reach and (j <= i or not causal)}
        align, sigma = over(near, len(k)), reach / 2
        rows.append([a * math.exp(-((j - p) ** 2) / (2 * sigma**2)) for j, a in enumerate(align)])
    return rows


def dilated(q: Rows, k: Rows, scale: float, reach: int, gap: int, causal: bool = False) -> Rows:
    """Beltagy 2020: every gap-th key, `reach` of them to each side."""

    def sees(i: int, j: int) -> bool:
        return j in {i + gap * step for step in range(-reach, reach + 1)} and (j <= i or not causal)

    return attention(q, k, scaled(q, k, scale), sees)


def bigbird(q: Rows, k: Rows, scale: float, size: int, chosen: dict[int, set[int]], causal: bool = False) -> Rows:
    """Zaheer 2020: a graph of blocks, of global, window and random edges. chosen: the random blocks of each block."""
    last = (len(k) - 1) // size

    def sees(i: int, j: int) -> bool:
        a, b = i // size, j // size
        globally = a in (0, last) or b in (0, last)
        return (globally or b in (a - 1, a, a + 1) or b in chosen.get(a, ())) and (j <= i or not causal)

    return attention(q, k, scaled(q, k, scale), sees)


def lsh(q: Rows, k: Rows, scale: float, turned: Sequence[Rows], causal: bool = False) -> Rows:
    """Kitaev 2020, section 2 and appendix A: rounds are summed by their shares of the total, each pair's exponential
    divided by the number of rounds that have it.

    turned: R of each round, [d][buckets / 2].
    """

    def bucket(x: Vector, r: Rows) -> int:
        ys = [sum(a * row[b] for a, row in zip(x, r, strict=True)) for b in range(len(r[0]))]
        ys += [-y for y in ys]
        return ys.index(max(ys))

    rows = []
    for i in range(len(q)):
        sets = []
        for r in turned:
            same = {j for j in range(len(k)) if bucket(q[i], r) == bucket(k[j], r)} | {i}
            sets.append({j for j in same if j <= i or not causal})
        count = {j: sum(j in keys for keys in sets) for j in set().union(*sets)}
        terms = [{j: math.exp(scale * dot(q[i], k[j]) - math.log(count[j])) for j in keys} for keys in sets]
        z = sum(sum(keys.values()) for keys in terms)
        rows.append([sum(keys.get(j, 0.0) for keys in terms) / z for j in range(len(k))])
    return rows


def permutation(q: Rows, k: Rows, scale: float, order: Sequence[int]) -> Rows:
    """Yang 2019: a token of a factorisation order sees the tokens before it in that order, and itself."""
    seen = {token: set(order[: place + 1]) for place, token in enumerate(order)}
    return attention(q, k, scaled(q, k, scale), lambda i, j: j in seen[i])


def adaptive_span(q: Rows, k: Rows, scale: float, span: float, ramp: int, causal: bool = False) -> Rows:
    """Sukhbaatar 2019: m_z(x) = min(max((R + z - x) / R, 0), 1), times each exponential, above and below."""
    rows = []
    for i in range(len(q)):
        terms = [
            min(max((ramp + span - abs(i - j)) / ramp, 0), 1) * math.exp(scale * dot(q[i], k[j]))
            if j <= i or not causal
            else 0.0
            for j in range(len(k))
        ]
        rows.append([term / sum(terms) for term in terms])
    return rows


def memory(q: Rows, k: Rows, scale: float, segment: int, size: int) -> Rows:
    """Dai 2019: segment after segment, each with the tokens in memory; then its own tokens enter the memory."""
    rows: list[Vector] = []
    memory: list[int] = []
    for start in range(0, len(k), segment):
        tokens = list(range(start, min(start + segment, len(k))))
        for i in tokens:
            seen = [*memory, *(j for j in tokens if j <= i)]
            rows.append(over({j: scale * dot(q[i], k[j]) for j in seen}, len(k)))
        memory = [*memory, *tokens][-size:] if size else []
    return rows


def compressed_memory(q: Rows, k: Rows, v: Rows, scale: float, segment: int, size: int, rate: int) -> tuple[Rows, Rows]:
    """Rae 2019: as above; tokens that leave the memory enter slots of means. Returns weights of tokens, and outputs."""
    weights, outputs = [], []
    old: list[int] = []  # tokens that have left the memory
    memory: list[int] = []
    for start in range(0, len(k), segment):
        tokens = list(range(start, min(start + segment, len(k))))
        slots = [old[a : a + rate] for a in range(0, len(old), rate)]
        for i in tokens:
            seen = [*slots, *([j] for j in memory), *([j] for j in tokens if j <= i)]
            keys = [mean([k[j] for j in slot]) for slot in seen]
            shares = over({s: scale * dot(q[i], key) for s, key in enumerate(keys)}, len(seen))
            weights.append(
                [sum(a / len(s) for a, s in zip(shares, seen, strict=True) if j in s) for j in range(len(k))]
            )
            values = [mean([v[j] for j in slot]) for slot in seen]
            outputs.append([sum(a * x[c] for a, x in zip(shares, values, strict=True)) for c in range(len(v[0]))])
        memory = [*memory, *tokens]
        cut = max(0, len(memory) - size)
        old, memory = [*old, *memory[:cut]], memory[cut:]
    return weights, outputs


def mean(xs: Rows) -> list[float]:
    return [sum(x[c] for x in xs) / len(xs) for c in range(len(xs[0]))]


# Approximations


def linformer(q: Rows, k: Rows, v: Rows, e: Rows, f: Rows, scale: float) -> Rows:
    """Wang 2020, eq. 7: softmax(Q (E K)^T / sqrt(d)) (F V) -> outputs, [query][d]."""

    def projected(rows: Rows, matrix: Rows) -> Rows:
        return [
            [sum(w * x[c] for w, x in zip(line, rows, strict=True)) for c in range(len(rows[0]))] for line in matrix
        ]

    keys, values = projected(k, e), projected(v, f)
    rows = []
    for x in q:
        shares = over({s: scale * dot(x, key) for s, key in enumerate(keys)}, len(keys))
        rows.append([sum(a * value[c] for a, value in zip(shares, values, strict=True)) for c in range(len(v[0]))])
    return rows


def kernel(q: Rows, k: Rows, phi: Callable[[Vector], Vector], causal: bool = False) -> Rows:
    """phi(q) . phi(k) over the sum of its row."""
    rows = []
    for i, x in enumerate(q):
        row = [dot(phi(x), phi(y)) if j <= i or not causal else 0.0 for j, y in enumerate(k)]
        rows.append([value / sum(row) for value in row])
    return rows


def performer(q: Rows, k: Rows, omega: Rows, scale: float, causal: bool = False) -> Rows:
    """Choromanski 2021, lemma 1: exp(w^T x - |x|^2 / 2) for every w, of q and k over the fourth root of d."""

    def phi(x: Vector) -> Vector:
        x = [a * math.sqrt(scale) for a in x]
        return [math.exp(dot(w, x) - dot(x, x) / 2) / math.sqrt(len(omega)) for w in omega]

    return kernel(q, k, phi, causal)


def linear(q: Rows, k: Rows, causal: bool = False) -> Rows:
    """Katharopoulos 2020, eq. 7: elu(x) + 1."""
    return kernel(q, k, lambda x: [a + 1 if a > 0 else math.exp(a) for a in x], causal)


# State space


def mamba(c: Rows, b: Rows, x: Rows, steps: Vector) -> Rows:
    """Gu & Dao 2023: h = exp(step A) h + step B x, y = C h, A = -1, -2, ..., for every channel of x -> outputs."""
    channels, d = len(x[0]), len(b[0])
    h = [[0.0] * d for _ in range(channels)]
    outputs = []
    for t, step in enumerate(steps):
        for channel in range(channels):
            for s in range(d):
                h[channel][s] = math.exp(-step * (s + 1)) * h[channel][s] + step * b[t][s] * x[t][channel]
        outputs.append([dot(c[t], h[channel]) for channel in range(channels)])
    return outputs


# Positions: [query][key] of scores before the softmax, from the queries and keys without positions


def rotary(q: Rows, k: Rows, scale: float) -> Rows:
    """Su 2021, section 3.2: pairs of neighbours as complex numbers, times e^(i m theta_t)."""

    def turned(x: Vector, m: int) -> list[complex]:
        d = len(x)
        angles = [m * 10000 ** (-2 * t / d) for t in range(d // 2)]
        return [
            complex(x[2 * t], x[2 * t + 1]) * complex(math.cos(angle), math.sin(angle))
            for t, angle in enumerate(angles)
        ]

    return [
        [
            scale * sum((a * b.conjugate()).real for a, b in zip(turned(x, i), turned(y, j), strict=True))
            for j, y in enumerate(k)
        ]
        for i, x in enumerate(q)
    ]


def bucket(distance: int, n_buckets: int = 32, far: int = 128) -> int:
    """Raffel 2020, section 2.1, seen both ways: half the buckets for earlier keys, half for later keys."""
    half = n_buckets // 2
    exact, back = half // 2, abs(distance)
    place = back
    if back >= exact:
        place = min(half - 1, exact + int(math.log(back / exact) / math.log(far / exact) * (half - exact)))
    return place + (half if distance > 0 else 0)
