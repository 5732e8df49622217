"""Positions of tokens: absolute tables, rotary angles, and scores that depend on distance.

A distance is key minus query. A score that depends on distance alone, or on distance and one of query and key, is
computed once for each distance and read through a skewed view: no index array of the size of a map is needed.
"""

from __future__ import annotations

import math
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.engine.kernels import linear, skewed, toeplitz
from attnviz.engine.ops import sigmoid
from attnviz.engine.spec import Alibi, Buckets, Disentangled, Rotary, RotaryScaling, Segmental, Sinusoidal, Spec
from attnviz.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tensors import Tensors

    Array = NDArray[np.float32]
    Ints = NDArray[np.intp]


def sinusoidal(rule: Sinusoidal, positions: Ints, d_model: int) -> Array:
    """Sines and cosines of position / base^(2i / d_model), [n, d_model]. Source: Vaswani 2017, section 3.5."""
    if rule.ends_at_base:
        return _without(rule, positions, _ending_at_base(rule, positions, d_model))
    n_sines = (d_model + 1) // 2
    angle = (positions[:, None] + rule.offset) / rule.base ** (2 * np.arange(n_sines) / d_model)
    table = np.zeros((len(positions), d_model))
    if rule.interleaved:
        table[:, 0::2], table[:, 1::2] = np.sin(angle), np.cos(angle[:, : d_model // 2])
    else:
        table[:, :n_sines], table[:, n_sines:] = np.sin(angle), np.cos(angle[:, : d_model // 2])
    return _without(rule, positions, table.astype(np.float32))


def _ending_at_base(rule: Sinusoidal, positions: Ints, d_model: int) -> Array:
    """Sines and cosines of position / base^(i / (d_model / 2 - 1)), [n, d_model]. Angles are float32 as in training."""
    half = d_model // 2
    step = np.float32(-math.log(rule.base) / (half - 1))
    angle = (positions + rule.offset).astype(np.float32)[:, None] * np.exp(np.arange(half, dtype=np.float32) * step)
    return np.concatenate([np.sin(angle), np.cos(angle), np.zeros((len(positions), d_model % 2), np.float32)], axis=1)


def _without(rule: Sinusoidal, positions: Ints, table: Array) -> Array:
    """The table [n, d_model] with zeros in the row of the position `zero_row`."""
    if rule.zero_row >= 0:
        table[positions + rule.offset == rule.zero_row] = 0
    return table


# Rotary positions.


def rotary_tables(rotary: Rotary, positions: Ints) -> tuple[Array, Array]:
    """Cosines and sines of every position's angles, two arrays [n, dim / 2]. Source: Su 2021, section 3.2.2.

    Frequencies and angles are float32, as in training; at position 10,000 float64 would differ by 6e-4 rad.
    """
    length = int(positions.max(initial=0)) + 1
    frequencies, factor = _frequencies(rotary, length)
    angle = positions.astype(np.float32)[:, None] * frequencies
    return np.cos(angle) * np.float32(factor), np.sin(angle) * np.float32(factor)


def stored_rotary_tables(rotary: Rotary, positions: Ints, tensors: Tensors) -> tuple[Array, Array]:
    """Cosines and sines, two arrays [n, dim / 2], as a checkpoint stores them; computed in float64 if it does not.

    Raises InputError if a position is beyond the table.
    """
    if positions[-1] >= rotary.stored:
        raise InputError(
            f"the text has {positions[-1] + 1} tokens; this model's rotary positions end at {rotary.stored}",
            "use a shorter text, or a model that reads longer ones",
        )
    if tensors.has("rotary.table"):
        table = tensors.rows("rotary.table", positions, (rotary.stored, rotary.dim))
    else:
        table = sinusoidal(Sinusoidal(interleaved=False, base=rotary.base), positions, rotary.dim)
    return np.ascontiguousarray(table[:, rotary.dim // 2 :]), np.ascontiguousarray(table[:, : rotary.dim // 2])


def same_turns(rotary: Rotary, length: int, longer: int) -> bool:
    """Whether the angles of a text's first tokens stay the same when it grows from `length` to `longer` tokens."""
    (old, old_factor), (new, new_factor) = _frequencies(rotary, length), _frequencies(rotary, longer)
    return old_factor == new_factor and bool((old == new).all())


def _frequencies(rotary: Rotary, length: int) -> tuple[Array, float]:
    """The angle per token of each pair of dimensions, float32 [dim / 2], and a factor on cos and sin."""
    scaling, base = rotary.scaling, rotary.base
    if scaling is not None and scaling.kind == "dynamic" and length > scaling.limit:
        grown = scaling.factor * length / scaling.limit - (scaling.factor - 1)
        base = base * grown ** (rotary.dim / (rotary.dim - 2))
    exponents = np.arange(0, rotary.dim, 2, dtype=np.float32) / np.float32(rotary.dim)
    plain = (1 / np.float32(base) ** exponents).astype(np.float32)
    if scaling is None or scaling.kind == "dynamic":
        return plain, 1.0
    if scaling.kind == "linear":
        return plain / np.float32(scaling.factor), 1.0
    rule = {"wavelength": _by_wavelength, "yarn": _by_rotations, "longrope": _by_table}[scaling.kind]
    frequencies, factor = rule(scaling, plain, rotary, length)
    return frequencies.astype(np.float32), factor


def _by_wavelength(s: RotaryScaling, plain: Array, rotary: Rotary, length: int) -> tuple[NDArray[Any], float]:
    """Stretch long wavelengths, keep short ones, blend the ones between. Source: Dubey 2024, section 3.2."""
    wavelength = 2 * math.pi / plain
    blend = np.clip((s.original / wavelength - s.low) / (s.high - s.low), 0, 1)
    return (1 - blend) * plain / s.factor + blend * plain, 1.0


def _by_rotations(s: RotaryScaling, plain: Array, rotary: Rotary, length: int) -> tuple[NDArray[Any], float]:
    """Stretch dimensions with few rotations within the original length. Source: Peng 2023 (YaRN), section 3."""

    def dimension(rotations: float) -> float:
        return rotary.dim * math.log(s.original / (rotations * 2 * math.pi)) / (2 * math.log(rotary.base))

    low, high = dimension(s.high), dimension(s.low)
    if s.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, rotary.dim - 1)
    if low == high:
        high += 0.001
    stretched = np.clip((np.arange(rotary.dim // 2) - low) / (high - low), 0, 1)
    frequencies = plain / s.factor * stretched + plain * (1 - stretched)

    def magnitude(weight: float) -> float:
        return 0.1 * weight * math.log(s.factor) + 1 if s.factor > 1 else 1.0

    if s.attention_factor:
        return frequencies, s.attention_factor
    if s.mscale and s.mscale_all_dim:
        return frequencies, magnitude(s.mscale) / magnitude(s.mscale_all_dim)
    return frequencies, magnitude(1.0)


def _by_table(s: RotaryScaling, plain: Array, rotary: Rotary, length: int) -> tuple[NDArray[Any], float]:
    """Divide each dimension by its own factor, from a table for short or long texts. Source: Ding 2024 (LongRoPE)."""
    table = np.array(s.long_factor if length > s.original else s.short_factor, np.float32)
    if s.long_attention_factor and length > s.original:
        factor = s.long_attention_factor
    elif s.attention_factor:
        factor = s.attention_factor
    else:
        factor = math.sqrt(1 + math.log(s.factor) / math.log(s.original)) if s.factor > 1 else 1.0
    return plain / table, factor


# Scores by distance.


def bucket(rule: Buckets, distance: Ints) -> Ints:
    """The bucket of each distance: half of them exact, half logarithmic. Source: Raffel 2020, section 2.1."""
    n = rule.n_buckets
    start: Any = 0
    if rule.bidirectional:
        n //= 2
        start = np.where(distance > 0, n, 0)
        back = np.abs(distance)
    else:
        back = np.maximum(-distance, 0)
    exact = n // 2
    ratio = np.maximum(back, 1).astype(np.float32) / np.float32(exact)
    far = exact + (np.log(ratio) / np.float32(math.log(rule.max_distance / exact)) * (n - exact)).astype(np.intp)
    return start + np.where(back < exact, back, np.minimum(far, n - 1))


def alibi_slopes(rule: Alibi, n_heads: int) -> NDArray[np.float64]:
    """One slope per head, [n_heads], falling geometrically. Source: Press 2021, section 3."""
    if rule.odd_first:
        power = 2 ** math.ceil(math.log2(n_heads))
        slopes = 2.0 ** -(np.arange(1, power + 1) * rule.max_bias / power)
        return slopes if power == n_heads else np.concatenate([slopes[1::2], slopes[::2]])[:n_heads]
    power = 2 ** math.floor(math.log2(n_heads))
    slopes = 2.0 ** -(np.arange(1, power + 1) * rule.max_bias / power)
    finer = 2.0 ** -(np.arange(1, 2 * power, 2) * rule.max_bias / (2 * power))
    return np.concatenate([slopes, finer[: n_heads - power]])


class DistanceBias:
    """A bias by head and distance, of one layer or shared by all."""

    def __init__(self, spec: Spec, table: Array | None, n_query: int, n_key: int, first: int = 0) -> None:
        """table: the learned bias [n_buckets, n_heads] of Buckets; None for Alibi. first: as in `Mask`."""
        rule = spec.bias
        distance = np.arange(-(n_query - 1), n_key) - first
        self._n_query = n_query
        self._per_key: Array | None = None
        self._gate: Array | None = None
        self.before_scale = isinstance(rule, Alibi) and rule.before_scale
        if isinstance(rule, Buckets):
            assert table is not None
            self._values = np.ascontiguousarray(table[bucket(rule, distance)].T)
        elif isinstance(rule, Alibi):
            slopes = alibi_slopes(rule, spec.n_heads)
            if rule.bfloat16:
                self._per_key = _bfloat16_product(slopes, np.arange(n_key)) * np.float32(rule.times)
            else:
                self._values = (slopes[:, None] * distance * rule.times).astype(np.float32)

    def gated(self, gate: Array) -> DistanceBias:
        """This bias with every row multiplied by a layer's own gate [head, query]."""
        other = copy(self)
        other._gate = gate
        return other

    def add_(self, scores: Array, heads: range, rows: range, cols: range) -> None:
        """Add to scores [head, row, col]."""
        if self._per_key is not None:
            # A bias by key alone is enough: a number that all keys of a row share drops out of the softmax.
            keys = self._per_key[heads.start : heads.stop, cols.start : cols.stop]
            scores += keys[:, None]
            return
        first = cols.start - (rows.stop - 1) + self._n_query - 1
        values = self._values[heads.start : heads.stop, first : first + len(rows) + len(cols) - 1]
        here = toeplitz(values, len(rows), len(cols))
        if self._gate is not None:
            here = here * self._gate[heads.start : heads.stop, rows.start : rows.stop, None]
        scores += here


def bias_gate(tensors: Tensors, name: str, x: Array, n_heads: int) -> Array:
    """The gate [head, query] of a layer's bias, from the input x [query, d_model] of its attention.

    One linear map turns each head's part of x into 8 numbers. a and b are the sigmoids of the sums of the first four
    and of the last four, and the gate is a (s b - 1) + 2 with a learned number s per head.
    Source: Chen 2022, section III-A.
    """
    parts = x.reshape(len(x) * n_heads, -1)  # [query * head, d_model / n_heads]
    weight = tensors.get(f"{name}bias_gate.weight", (8, parts.shape[-1]))
    opened = linear(parts, weight, tensors.get(f"{name}bias_gate.bias", (8,)))
    a, b = sigmoid(opened.reshape(len(x), n_heads, 2, 4).sum(-1)).transpose(2, 1, 0)
    scale = tensors.get(f"{name}bias_gate.scale", (n_heads,))[:, None]
    return a * (b * scale - np.float32(1)) + np.float32(2)


def _bfloat16_product(slopes: NDArray[np.float64], positions: Ints) -> Array:
    """slopes x positions, [head, position], with slopes, positions and products in bfloat16, as some models train."""
    import ml_dtypes

    bf16 = ml_dtypes.bfloat16
    product = slopes.astype(np.float32).astype(bf16)[:, None] * positions.astype(np.float32).astype(bf16)[None]
    return product.astype(np.float32)


class RelativeScores:
    """Scores that depend on content and distance, for some heads of one layer.

    Segmental (Dai 2019, section 3.3): (q + v) . r(distance), with r a projected sinusoid, and (q + s) . e(same or
    other segment). Disentangled (He 2021, eq. 4): q . p_k(distance) + k . p_q(distance). Vectors by distance (Shaw
    2018, eq. 4): q . a(distance), and k . a(distance) (Huang 2020).
    """

    def __init__(self, n_query: int, places: Ints | None = None) -> None:
        """places: the row of the tables for each distance, rising; None if the tables have one row per distance."""
        self._n_query, self._places = n_query, places
        self._q: Array | None = None
        self._by_key: Array | None = None
        self._segments: tuple[Array, NDArray[np.bool_]] | None = None

    def by_query(self, q: Array, table: Array) -> RelativeScores:
        """Add q [head, query, d] . table [head, place, d]."""
        self._q, self._table = q, table
        return self

    def by_key(self, k: Array, table: Array) -> RelativeScores:
        """Add k [head, key, d] . table [head, place, d]; it is computed once, since the tables are short."""
        self._by_key = k @ table.swapaxes(-1, -2)
        return self

    def by_segment(self, q: Array, table: Array, types: Ints) -> RelativeScores:
        """Add q [head, query, d] . table [2, head, d]: row 0 for keys of the query's type, row 1 for the rest."""
        self._segments = np.einsum("hnd,shd->hns", q, table), types[:, None] != types[None]
        return self

    def add_(self, scores: Array, rows: range, cols: range) -> None:
        """Add to scores [head, row, col]."""
        first = cols.start - (rows.stop - 1) + self._n_query - 1
        here = slice(first, first + len(rows) + len(cols) - 1)
        if self._q is not None:
            q = self._q[..., rows.start : rows.stop, :]
            if self._places is None:
                wide = q @ self._table[:, here].swapaxes(-1, -2)
            else:
                wide = (q @ self._table.swapaxes(-1, -2))[..., self._places[here]]
            scores += skewed(wide, len(rows), len(cols))
        if self._by_key is not None and self._places is not None:
            # Along a column distances fall as the row rises: reversed, they are skewed like rows.
            wide = self._by_key[..., cols.start : cols.stop, :][..., self._places[here][::-1]]
            scores += skewed(wide, len(cols), len(rows)).swapaxes(-1, -2)
        if self._segments is not None:
            values, other = self._segments
            same_or_other = values[:, rows.start : rows.stop]
            here_other = other[rows.start : rows.stop, cols.start : cols.stop]
            scores += np.where(here_other, same_or_other[..., 1:], same_or_other[..., :1])


def segmental_table(rule: Segmental, n_query: int, n_key: int, d_model: int) -> Array:
    """The sinusoid of each distance query - key, in the order of rising key - query: [n_query + n_key - 1, d_model]."""
    back = -np.arange(-(n_query - 1), n_key)
    if rule.clamp > 0:
        back = np.clip(back, -rule.clamp, rule.clamp)
    return sinusoidal(Sinusoidal(interleaved=False), back, d_model)


def disentangled_places(rule: Disentangled, n_query: int, n_key: int) -> Ints:
    """The row of the table for each distance. Source: He 2021, eq. 3; log buckets as in its authors' code."""
    back = -np.arange(-(n_query - 1), n_key)
    if rule.buckets > 0:
        middle = rule.buckets // 2
        far = np.where(np.abs(back) < middle, middle - 1, np.abs(back)).astype(np.float32)
        ratio = np.log(far / np.float32(middle)) / np.log(np.float32((rule.max_relative - 1) / middle))
        log_place = np.ceil(ratio * (middle - 1)) + middle
        back = np.where(far <= middle, back, log_place * np.sign(back)).astype(np.intp)
    return np.clip(back + rule.span, 0, 2 * rule.span - 1)
