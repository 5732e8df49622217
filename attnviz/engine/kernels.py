"""The functions that know how arrays lie in memory: everything else in the engine is arithmetic on whole arrays.

Arrays of several texts of one length have an axis of texts in front; `...` in a shape stands for it, and one text has
none. Functions ending in `_` work in place on their first argument and return it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import as_strided

from attnviz.engine.products import product
from attnviz.engine.spec import Norm
from attnviz.engine.threads import by_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tensors import Matrix

    Array = NDArray[np.float32]

# exp of scores up to this size and their sums are far from float32's limits, and as exact as after a shift.
SAFE = 60.0
# A thread keeps memory for this many scores (8 MB) from one tile to the next.
KEPT_SCRATCH = 1 << 21
_LOCAL = local()


# Rows


@contextmanager
def one_product() -> Iterator[None]:
    """Within it, `linear` multiplies the rows of all texts at once, on the thread that entered it.

    Short texts then take half the time. Sums are added up in another order than for each text alone, so that numbers
    differ in their last digits.
    """
    before = getattr(_LOCAL, "one_product", False)
    _LOCAL.one_product = True
    try:
        yield
    finally:
        _LOCAL.one_product = before


def linear(x: Array, weight: Array | Matrix, bias: Array | None = None) -> Array:
    """x [..., n, d_in], weight [d_out, d_in], bias [d_out] -> [..., n, d_out].

    One product per text, or one of all texts within `one_product`.
    """
    if x.ndim > 2 and getattr(_LOCAL, "one_product", False):
        return linear(x.reshape(-1, x.shape[-1]), weight, bias).reshape(*x.shape[:-1], -1)
    if not isinstance(weight, np.ndarray):
        return product(x, weight, bias)
    y = np.empty((*x.shape[:-1], len(weight)), np.float32)

    def some(rows: slice) -> None:
        np.matmul(x[rows], weight.T, out=y[rows])
        if bias is not None:
            y[rows] += bias

    by_rows(x.shape, some)
    return y


def normalise(norm: Norm, x: Array, weight: Array | None, bias: Array | None = None) -> Array:
    """Layer norm (Ba 2016) or RMS norm (Zhang 2019) over the last axis; a new array."""
    if norm.kind == "rms":
        y = x * inverse_size(x, norm.eps)
    else:
        y = x - x.mean(-1, keepdims=True)
        y *= inverse_size(y, norm.eps)
    if weight is not None:
        y *= weight + np.float32(1) if norm.plus_one else weight
    if bias is not None:
        y += bias
    return y


def inverse_size(x: Array, eps: float) -> Array:
    """1 / root mean square of each row: [..., d] -> [..., 1]."""
    return np.float32(1) / np.sqrt(np.mean(np.square(x), -1, keepdims=True) + np.float32(eps))


# Heads


def by_head(x: Array, n_heads: int) -> Array:
    """[..., n, n_heads * d_head] -> [..., n_heads, n, d_head], each head's rows together in memory."""
    return np.ascontiguousarray(x.reshape(*x.shape[:-1], n_heads, -1).swapaxes(-3, -2))


def side_by_side(heads: Array) -> Array:
    """[..., head, n, d_head] -> [..., n, head * d_head]."""
    *lead, n_heads, n, d_head = heads.shape
    return heads.swapaxes(-3, -2).reshape(*lead, n, n_heads * d_head)


def rotate(x: Array, cos: Array, sin: Array, interleaved: bool) -> Array:
    """Turn the first 2 * cos.shape[-1] dimensions of x [..., head, n, d_head] by their angles, in place."""
    half = cos.shape[-1]
    turned = x[..., : 2 * half]
    a, b = (turned[..., 0::2], turned[..., 1::2]) if interleaved else (turned[..., :half], turned[..., half:])
    new_a = a * cos - b * sin
    b *= cos
    b += a * sin
    a[...] = new_a
    return x


# Scores


def dot_products(q: Array, k: Array, fresh: bool = False) -> Array:
    """q_i . k_j: q [..., head, row, d_head], k [..., kv head, col, d_head] -> [..., head, row, col].

    fresh: in memory of its own instead of the thread's scratch, which the next call overwrites.
    """
    *lead, n_heads, n_rows, _ = q.shape
    n_kv_heads, n_cols = k.shape[-3:-1]
    shape = (*lead, n_kv_heads, n_heads // n_kv_heads * n_rows, n_cols)
    out = np.empty(shape, np.float32) if fresh else scratch(*shape)
    np.matmul(_below_each_other(q, n_kv_heads), k.swapaxes(-1, -2), out=out)
    return out.reshape(*lead, n_heads, n_rows, n_cols)


def weighted_sums(weights: Array, v: Array) -> Array:
    """sum_j w_ij v_j: weights [..., head, row, col], v [..., kv head, col, d_value] -> [..., head, row, d_value]."""
    sums = _below_each_other(weights, v.shape[-3]) @ v
    return sums.reshape(*weights.shape[:-1], v.shape[-1])


def _below_each_other(x: Array, n_kv_heads: int) -> Array:
    """[..., head, row, d] -> [..., kv head, group * row, d]: query heads that share keys, one below the other."""
    *lead, n_heads, n_rows, d = x.shape
    return x.reshape(*lead, n_kv_heads, n_heads // n_kv_heads * n_rows, d)


def softmax_(
    scores: Array,
    hidden: NDArray[np.bool_] | None = None,
    sinks: Array | None = None,
    spans: tuple[slice, ...] = (slice(None),),
) -> Array:
    """Softmax over the last axis, in place; cannot overflow, because the row's largest score is subtracted first.

    hidden, spans: see `exponentials_`. sinks: [..., 1], a score outside the text that takes its share, so that rows sum
    to less than 1.
    """
    if hidden is not None:
        hide_(scores, hidden, spans)
    scores /= exponentials_(scores, sinks, masked=hidden is not None)
    return scores


def hide_(scores: Array, hidden: NDArray[np.bool_], spans: tuple[slice, ...] = (slice(None),)) -> Array:
    """-inf where attending is not allowed. hidden: True there (broadcasts); spans: the runs of columns with any."""
    for span in spans:
        np.copyto(scores[..., span], -np.inf, where=hidden[..., span])
    return scores


def exponentials_(
    scores: Array, sinks: Array | None = None, masked: bool = True, bounded: NDArray[np.bool_] | bool = False
) -> Array:
    """Softmax without its division: exp(score - row's largest), in place; returns the rows' totals [..., 1].

    The exponential of a hidden score, -inf, is exactly 0, and the total of a row with nothing allowed is 1.

    sinks: [..., 1], see `softmax_`. masked: whether any score is -inf. bounded: of each text, [...], whether no other
    score is further than `SAFE` from 0, so that nothing need be subtracted.
    """
    unshifted = bounded is True or (bounded is not False and bool(np.all(bounded)))
    if not unshifted:
        peak = scores.max(-1, keepdims=True)
        if sinks is not None:
            peak = np.maximum(peak, sinks)
        if masked:
            peak[np.isneginf(peak)] = 0.0  # a row with nothing allowed: exp(-inf - 0) = 0, not NaN
        if bounded is not False:
            peak[bounded] = 0.0
        scores -= peak
    np.exp(scores, out=scores)
    total = scores.sum(-1, keepdims=True)
    if sinks is not None:
        total += np.exp(sinks if unshifted else sinks - peak)
    if masked:
        total[total == 0] = 1.0
    return total


def skewed(by_distance: Array, n_rows: int, n_cols: int) -> Array:
    """[..., n_rows, n_rows + n_cols - 1], each row by rising distance -> a view [..., row, col].

    The first distance is that of the last row to the first column; cell (r, c) reads place c - r + n_rows - 1.
    """
    if by_distance.shape[-2:-1] != (n_rows,):
        raise ValueError("a row axis is wanted")
    *lead_strides, row_step, step = by_distance.strides
    shape = (*by_distance.shape[:-2], n_rows, n_cols)
    return as_strided(by_distance[..., n_rows - 1 :], shape, (*lead_strides, row_step - step, step), writeable=False)


def toeplitz(by_distance: Array, n_rows: int, n_cols: int) -> Array:
    """[head, n_rows + n_cols - 1] by rising distance -> a view [head, row, col], constant along its diagonals."""
    heads, step = by_distance.strides
    shape = (by_distance.shape[0], n_rows, n_cols)
    return as_strided(by_distance[:, n_rows - 1 :], shape, (heads, -step, step), writeable=False)


def scratch(*shape: int) -> Array:
    """Memory for one tile's scores, the same for every tile of a thread: fresh pages cost as much as the arithmetic."""
    size = math.prod(shape)
    if size > KEPT_SCRATCH:
        return np.empty(shape, np.float32)
    kept = getattr(_LOCAL, "scores", None)
    if kept is None or kept.size < size:
        kept = _LOCAL.scores = np.empty(size, np.float32)
    return kept[:size].reshape(shape)
