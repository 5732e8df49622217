"""Formulas of the papers, one number or one vector at a time, in Python's own floats (64 bits)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from operator import mul
from typing import Any

from attnviz.engine.spec import Alibi, Buckets, Disentangled, Norm, Rotary, RotaryScaling, Sinusoidal

Vector = list[float]
Rows = list[Vector]


# Numbers


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(map(mul, a, b))


def add(a: Vector, b: Vector) -> Vector:
    return [x + y for x, y in zip(a, b, strict=True)]


def clamp(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def gelu(x: float) -> float:
    """x times the normal distribution function."""
    return x * math.erfc(-x / math.sqrt(2)) / 2


def gelu_tanh(x: float) -> float:
    return x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


ACTIVATIONS: dict[str, Callable[[float], float]] = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "gelu_10": lambda x: clamp(gelu(x), -10, 10),
    "gelu_quick": lambda x: x * sigmoid(1.702 * x),
    "relu": lambda x: max(x, 0.0),
    "relu_squared": lambda x: max(x, 0.0) ** 2,
    "relu6": lambda x: clamp(x, 0, 6),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "hardswish": lambda x: x * clamp(x + 3, 0, 6) / 6,
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x)) if x < 30 else x),
    "silu": lambda x: x * sigmoid(x),
    "tanh": math.tanh,
    "sigmoid": sigmoid,
    "linear": lambda x: x,
}


def normal(rule: Norm, x: Vector, weight: Vector | None = None, bias: Vector | None = None) -> Vector:
    """Layer norm: (x - mean) / sqrt(variance + eps). RMS norm: x / sqrt(mean of squares + eps)."""
    centre = sum(x) / len(x) if rule.kind == "layer" else 0.0
    moved = [v - centre for v in x]
    size = math.sqrt(sum(v * v for v in moved) / len(x) + rule.eps)
    y = [v / size for v in moved]
    if weight is not None:
        y = [v * (w + 1 if rule.plus_one else w) for v, w in zip(y, weight, strict=True)]
    return y if bias is None else add(y, bias)


def softmax(scores: dict[int, float], n: int, sink: float | None = None, times: dict[int, int] | None = None) -> Vector:
    """Weights of n keys of which only some have a score; a key that occurs several times gets several shares."""
    if not scores:
        return [0.0] * n
    top = max([*scores.values()] + ([] if sink is None else [sink]))
    shares = {j: (times or {}).get(j, 1) * math.exp(s - top) for j, s in scores.items()}
    total = sum(shares.values()) + (0.0 if sink is None else math.exp(sink - top))
    return [shares.get(j, 0.0) / total for j in range(n)]


def bfloat16(x: float) -> float:
    """The nearest number of 8 significant bits, ties to even."""
    bits = struct.unpack("<I", struct.pack("<f", x))[0]
    bits += 0x7FFF + (bits >> 16 & 1)
    return float(struct.unpack("<f", struct.pack("<I", bits & 0xFFFF0000))[0])


# Positions


def sinusoid(rule: Sinusoidal, position: float, width: int) -> Vector:
    """PE(pos, 2i) = sin(pos / base^(2i / d)), PE(pos, 2i + 1) = cos of the same. Vaswani 2017, section 3.5.

    ends_at_base: frequencies fall from 1 to 1 / base over d / 2 of them, both ends included.
    """
    if position + rule.offset == rule.zero_row >= 0:
        return [0.0] * width
    if rule.ends_at_base:
        steps = width // 2 - 1
        angles = [(position + rule.offset) / rule.base ** (i / steps) for i in range(steps + 1)]
        return [math.sin(a) for a in angles] + [math.cos(a) for a in angles] + [0.0] * (width % 2)
    angles = [(position + rule.offset) / rule.base ** (2 * i / width) for i in range((width + 1) // 2)]
    sines, cosines = [math.sin(a) for a in angles], [math.cos(a) for a in angles[: width // 2]]
    if not rule.interleaved:
        return sines + cosines
    return [(cosines if c % 2 else sines)[c // 2] for c in range(width)]


def rotary_angle(rotary: Rotary, position: int, pair: int, length: int) -> tuple[float, float]:
    """The angle of rotation for a pair of dimensions, and a factor on its sine and cosine. Su 2021, eq. 15."""
    scaling, dim = rotary.scaling, rotary.dim
    base = rotary.base
    if scaling is not None and scaling.kind == "dynamic":
        # NTK-aware: the base grows, so that the slowest pair is stretched by the factor and the fastest is unchanged.
        grown = max(1.0, scaling.factor * length / scaling.limit - (scaling.factor - 1))
        base *= grown ** (dim / (dim - 2))
    plain = base ** (-2 * pair / dim)
    factor = 1.0
    if scaling is not None and scaling.kind == "linear":
        plain /= scaling.factor
    elif scaling is not None and scaling.kind == "wavelength":
        plain = by_wavelength(scaling, plain)
    elif scaling is not None and scaling.kind == "yarn":
        plain, factor = yarn(scaling, plain, rotary, pair)
    elif scaling is not None and scaling.kind == "longrope":
        table = scaling.long_factor if length > scaling.original else scaling.short_factor
        plain /= table[pair]
        if scaling.factor > 1:
            factor = math.sqrt(1 + math.log(scaling.factor) / math.log(scaling.original))
        factor = scaling.attention_factor or factor
        if length > scaling.original:
            factor = scaling.long_attention_factor or factor
    return position * plain, factor


def by_wavelength(s: RotaryScaling, frequency: float) -> float:
    """Long waves are slowed by the factor, short waves are not, waves between by a linear blend (Dubey 2024)."""
    turns = s.original * frequency / (2 * math.pi)  # for texts within the original length
    if turns < s.low:
        return frequency / s.factor
    if turns > s.high:
        return frequency
    share = (turns - s.low) / (s.high - s.low)
    return (1 - share) * frequency / s.factor + share * frequency


def yarn(s: RotaryScaling, frequency: float, rotary: Rotary, pair: int) -> tuple[float, float]:
    """NTK-by-parts, Peng 2023 section 3.2: the ramp runs over dimensions, from `high` to `low` turns; then 3.4."""

    def pair_that_turns(times: float) -> float:
        return rotary.dim * math.log(s.original / (2 * math.pi * times)) / (2 * math.log(rotary.base))

    first, last = pair_that_turns(s.high), pair_that_turns(s.low)
    if s.truncate:
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, rotary.dim - 1)
    ramp = clamp((pair - first) / (last - first if last != first else 0.001), 0, 1)

    def temperature(weight: float) -> float:
        return 1.0 if s.factor <= 1 else 0.1 * weight * math.log(s.factor) + 1

    factor = temperature(1.0)
    if s.mscale and s.mscale_all_dim:
        factor = temperature(s.mscale) / temperature(s.mscale_all_dim)
    return ramp * frequency / s.factor + (1 - ramp) * frequency, s.attention_factor or factor


def rotated(rotary: Rotary, x: Vector, position: int, length: int) -> Vector:
    """Rotate each pair of the first (or the last) dimensions by its angle; the remaining dimensions are unchanged."""
    n_pairs = (rotary.dim + 1) // 2
    if rotary.last and 2 * n_pairs < len(x):
        still = len(x) - 2 * n_pairs
        return [*x[:still], *rotated(rotary, x[still:], position, length)]
    y = list(x)
    for pair in range(n_pairs):
        a, b = (2 * pair, 2 * pair + 1) if rotary.interleaved else (pair, pair + n_pairs)
        angle, factor = rotary_angle(rotary, position, pair, length)
        y[a] = factor * (x[a] * math.cos(angle) - x[b] * math.sin(angle))
        y[b] = factor * (x[a] * math.sin(angle) + x[b] * math.cos(angle))
    return y


def patch_rotated(rotary: Rotary, x: Vector, row: float, column: float) -> Vector:
    """Siméoni 2025: of the d / 2 pairs (c, c + d / 2) the first half turns by 2 pi row, the second by 2 pi column.

    row, column: of the patch's middle, from -1 to 1. Frequencies fall from 1 as base^(-4 p / d).
    """
    y, pairs = list(x), rotary.dim // 2
    for pair in range(pairs):
        place, p = (row, pair) if pair < pairs // 2 else (column, pair - pairs // 2)
        angle = 2 * math.pi * place * rotary.base ** (-4 * p / rotary.dim)
        a, b = pair, pair + pairs
        y[a] = x[a] * math.cos(angle) - x[b] * math.sin(angle)
        y[b] = x[a] * math.sin(angle) + x[b] * math.cos(angle)
    return y


def slopes(n_heads: int, max_bias: float = 8.0) -> Vector:
    """Press 2021, section 3: 2^(-8 h / n).

    For a count that is no power of 2, the rest are every other slope of twice as many heads.
    """
    power = 1
    while power * 2 <= n_heads:
        power *= 2
    first = [2 ** (-max_bias * (h + 1) / power) for h in range(power)]
    if power == n_heads:
        return first
    return first + slopes(2 * power, max_bias)[0::2][: n_heads - power]


def alibi(rule: Alibi, head: int, n_heads: int, i: int, j: int) -> float:
    """Whether both ways of choosing slopes for a count of heads that is not a power of 2 give the same slopes."""
    slope = slopes(n_heads, rule.max_bias)[head]
    if rule.bfloat16:
        return bfloat16(bfloat16(slope) * bfloat16(j)) * rule.times
    return -slope * (i - j) * rule.times


def bucket(rule: Buckets, i: int, j: int) -> int:
    """Raffel 2020, section 2.1: up to half the buckets have one distance each, the rest grow with its logarithm.

    In whole numbers: one more bucket for every distance d with (d / exact)^(n - exact) >= (max / exact)^step.
    """
    n, start, back = rule.n_buckets, 0, i - j
    if rule.bidirectional:
        n //= 2
        start = n if back < 0 else 0
        back = abs(back)
    back, exact = max(back, 0), n // 2
    if back < exact:
        return start + back
    steps = 0
    while exact + steps + 1 < n and (
        back ** (n - exact) * exact ** (steps + 1) >= rule.max_distance ** (steps + 1) * exact ** (n - exact)
    ):
        steps += 1
    return start + exact + steps


def bias_gates(xs: Rows, weight: Rows, bias: Vector, scale: Vector) -> Rows:
    """Chen 2022, section III-A: per token and head, g_a (s g_b - 1) + 2; each gate sums four outputs of a map."""
    width, gates = len(weight[0]), []
    for x in xs:
        gates.append([0.0] * len(scale))
        for h, s in enumerate(scale):
            outputs = [dot(row, x[h * width : (h + 1) * width]) + b for row, b in zip(weight, bias, strict=True)]
            gates[-1][h] = sigmoid(sum(outputs[:4])) * (s * sigmoid(sum(outputs[4:])) - 1) + 2
    return gates


def disentangled_row(rule: Disentangled, i: int, j: int) -> int:
    """He 2021, eq. 3: delta(i, j) = i - j + k within [0, 2k). In v2 far distances share rows, by their logarithm."""
    back = i - j
    middle = rule.buckets // 2
    if rule.buckets > 0 and abs(back) > middle:
        far = math.log(abs(back) / middle) / math.log((rule.max_relative - 1) / middle) * (middle - 1)
        # A distance on a step belongs to it: rounding must not move it to the next.
        far = math.ceil(far - 1e-9) + middle
        back = far if back > 0 else -far
    return min(max(back + rule.span, 0), 2 * rule.span - 1)


def cubic(t: float, a: float = -0.75) -> float:
    """Keys 1981, eq. 4, with its free number a."""
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def triangle(t: float) -> float:
    """Linear interpolation."""
    return max(0.0, 1 - abs(t))


def convolve(xs: Rows, weight: Any, bias: Vector | None, stride: int = 1, pad: int = 0, groups: int = 1) -> Rows:
    """xs [channel][place], weight [out][channel of the group][kernel] -> [out][place]."""
    kernel, n_out, n = len(weight[0][0]), len(weight), len(xs[0])
    rows = []
    for out in range(n_out):
        first = out // (n_out // groups) * (len(xs) // groups)
        row = []
        for place in range((n + 2 * pad - kernel) // stride + 1):
            total = bias[out] if bias is not None else 0.0
            for c in range(len(weight[0])):
                for t in range(kernel):
                    at = place * stride - pad + t
                    if 0 <= at < n:
                        total += weight[out][c][t] * xs[first + c][at]
            row.append(total)
        rows.append(row)
    return rows


def turned(rows: Rows) -> Rows:
    return [list(column) for column in zip(*rows, strict=True)]


def joined(parts: Sequence[Vector]) -> Vector:
    return [v for part in parts for v in part]
