"""Conversions of stored tensors to our layout, one small function each; families name them beside a stored name.

Ours: a matrix is [out, in], as torch's Linear stores it (`y = x @ W.T`); heads lie one after the other on the first
axis, [n_heads * d_head, d_model]; a gated MLP has two matrices.

Every function takes (array, sizes, **indices) and gives an array. `sizes` is a `Sizes`; the indices are the
placeholders of our name (`i` the layer, `e` the expert). Functions for rows work on biases too. They slice and reshape
before anything is converted, so that a view of a file stays a view where NumPy allows it. A shape that does not fit
raises ValueError, which `Weights` turns into a message with both names.
"""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]


class Sizes(Protocol):
    """The sizes of a model that layouts need."""

    @property
    def n_heads(self) -> int: ...
    @property
    def n_kv_heads(self) -> int: ...
    @property
    def d_head(self) -> int: ...
    @property
    def d_value(self) -> int: ...
    @property
    def d_model(self) -> int: ...
    @property
    def n_experts(self) -> int: ...


def transpose(array: Array, sizes: Sizes, **_: int) -> Array:
    """[in, out] -> [out, in], as GPT-2's Conv1D stores its matrices."""
    if array.ndim != 2:
        raise ValueError(f"2 axes are wanted, it has {array.ndim}")
    return array.T


# Fused projections, parts one after the other: [q | k | v, d_model], k and v perhaps with fewer heads.


def q_of_qkv(array: Array, sizes: Sizes, **_: int) -> Array:
    """[(n_heads + 2 n_kv_heads) d_head, ...] -> [n_heads d_head, ...]."""
    return _stacked(array, sizes)[0]


def k_of_qkv(array: Array, sizes: Sizes, **_: int) -> Array:
    """[(n_heads + 2 n_kv_heads) d_head, ...] -> [n_kv_heads d_head, ...]."""
    return _stacked(array, sizes)[1]


def v_of_qkv(array: Array, sizes: Sizes, **_: int) -> Array:
    """[(n_heads + 2 n_kv_heads) d_head, ...] -> [n_kv_heads d_head, ...]."""
    return _stacked(array, sizes)[2]


def _stacked(array: Array, sizes: Sizes) -> tuple[Array, Array, Array]:
    q, kv = sizes.n_heads * sizes.d_head, sizes.n_kv_heads * sizes.d_head
    _need_rows(array, q + 2 * kv)
    return array[:q], array[q : q + kv], array[q + kv :]


# Fused projections, head by head: each head holds its own q, k and v rows (GPT-NeoX, BLOOM, older Falcon).


def q_of_qkv_by_head(array: Array, sizes: Sizes, **_: int) -> Array:
    """[n_heads * 3 * d_head, ...] -> [n_heads * d_head, ...]."""
    return _by_head(array, sizes, 0)


def k_of_qkv_by_head(array: Array, sizes: Sizes, **_: int) -> Array:
    """[n_heads * 3 * d_head, ...] -> [n_heads * d_head, ...]."""
    return _by_head(array, sizes, 1)


def v_of_qkv_by_head(array: Array, sizes: Sizes, **_: int) -> Array:
    """[n_heads * 3 * d_head, ...] -> [n_heads * d_head, ...]."""
    return _by_head(array, sizes, 2)


def _by_head(array: Array, sizes: Sizes, part: int) -> Array:
    n, d, rest = sizes.n_heads, sizes.d_head, array.shape[1:]
    _need_rows(array, n * 3 * d)
    return array.reshape(n, 3, d, *rest)[:, part].reshape(n * d, *rest)


# Fused projections, group by group: the query heads of a key head, then that key head, then its value head (Falcon).


def q_of_qkv_grouped(array: Array, sizes: Sizes, **_: int) -> Array:
    """[n_kv_heads * (group + 2) * d_head, ...] -> [n_heads * d_head, ...], group = n_heads / n_kv_heads."""
    group = sizes.n_heads // sizes.n_kv_heads
    return _grouped(array, sizes, 0, group)


def k_of_qkv_grouped(array: Array, sizes: Sizes, **_: int) -> Array:
    """[n_kv_heads * (group + 2) * d_head, ...] -> [n_kv_heads * d_head, ...]."""
    group = sizes.n_heads // sizes.n_kv_heads
    return _grouped(array, sizes, group, group + 1)


def v_of_qkv_grouped(array: Array, sizes: Sizes, **_: int) -> Array:
    """[n_kv_heads * (group + 2) * d_head, ...] -> [n_kv_heads * d_head, ...]."""
    group = sizes.n_heads // sizes.n_kv_heads
    return _grouped(array, sizes, group + 1, group + 2)


def _grouped(array: Array, sizes: Sizes, start: int, stop: int) -> Array:
    n, d, rest = sizes.n_kv_heads, sizes.d_head, array.shape[1:]
    group = sizes.n_heads // n
    _need_rows(array, n * (group + 2) * d)
    return array.reshape(n, group + 2, d, *rest)[:, start:stop].reshape(n * (stop - start) * d, *rest)


# Fused projections in four parts, each a quarter of the heads of q, then of v, then of k (CodeGen).


def q_of_qvk_quarters(array: Array, sizes: Sizes, **_: int) -> Array:
    """[4 * 3 * (n_heads / 4) * d_head, ...] -> [n_heads * d_head, ...]."""
    return _quarters(array, sizes, 0)


def k_of_qvk_quarters(array: Array, sizes: Sizes, **_: int) -> Array:
    """[4 * 3 * (n_heads / 4) * d_head, ...] -> [n_heads * d_head, ...]."""
    return _quarters(array, sizes, 2)


def v_of_qvk_quarters(array: Array, sizes: Sizes, **_: int) -> Array:
    """[4 * 3 * (n_heads / 4) * d_head, ...] -> [n_heads * d_head, ...]."""
    return _quarters(array, sizes, 1)


def _quarters(array: Array, sizes: Sizes, part: int) -> Array:
    rows, rest = sizes.n_heads * sizes.d_head, array.shape[1:]
    _need_rows(array, 3 * rows)
    return array.reshape(4, 3, rows // 4, *rest)[:, part].reshape(rows, *rest)


# Keys and values fused head by head, with different widths: each head holds its own k and v rows (DeepSeek).


def k_of_kv_by_head(array: Array, sizes: Sizes, **_: int) -> Array:
    """[n_heads * (d_key + d_value), ...] -> [n_heads * d_key, ...]."""
    return _kv_by_head(array, sizes, slice(None, -sizes.d_value))


def v_of_kv_by_head(array: Array, sizes: Sizes, **_: int) -> Array:
    """[n_heads * (d_key + d_value), ...] -> [n_heads * d_value, ...]."""
    return _kv_by_head(array, sizes, slice(-sizes.d_value, None))


def k_by_head_turned(array: Array, sizes: Sizes, **_: int) -> Array:
    """[n_heads, d_kv, d_key] -> [n_heads * d_key, d_kv] (DeepSeek in GGUF, where the map is used from the left)."""
    return join_heads(array.swapaxes(1, 2) if array.ndim == 3 else array, sizes)


def join_heads(array: Array, sizes: Sizes, **_: int) -> Array:
    """[n_heads, d, d_in] -> [n_heads * d, d_in]."""
    if array.ndim != 3 or array.shape[0] != sizes.n_heads:
        raise ValueError(f"3 axes are wanted, the first of {sizes.n_heads}; its shape is {array.shape}")
    return array.reshape(array.shape[0] * array.shape[1], array.shape[2])


def _kv_by_head(array: Array, sizes: Sizes, part: slice) -> Array:
    n = sizes.n_heads
    if array.ndim < 1 or array.shape[0] % n or array.shape[0] < n * sizes.d_value:
        raise ValueError(f"{n} times {sizes.d_value} rows or more are wanted, its shape is {array.shape}")
    by_head = array.reshape(n, -1, *array.shape[1:])[:, part]
    return by_head.reshape(n * by_head.shape[1], *array.shape[1:])


# Gated MLPs whose two matrices share one tensor.


def gate_of_gate_up(array: Array, sizes: Sizes, **_: int) -> Array:
    """[gate | up, ...] -> the first half."""
    return array[: _half(array)]


def up_of_gate_up(array: Array, sizes: Sizes, **_: int) -> Array:
    """[gate | up, ...] -> the second half."""
    return array[_half(array) :]


def gate_of_gate_up_interleaved(array: Array, sizes: Sizes, **_: int) -> Array:
    """Rows gate, up, gate, up, ... -> the even ones (gpt-oss, after `transpose`)."""
    _half(array)
    return array[0::2]


def up_of_gate_up_interleaved(array: Array, sizes: Sizes, **_: int) -> Array:
    """Rows gate, up, gate, up, ... -> the odd ones (gpt-oss, after `transpose`)."""
    _half(array)
    return array[1::2]


def expert(array: Array, sizes: Sizes, **indices: int) -> Array:
    """[n_experts, ...] -> expert `e`."""
    e = indices["e"]
    if array.ndim < 2 or e >= len(array):
        raise ValueError(f"expert {e} is wanted, it has {len(array) if array.ndim > 1 else 0}")
    return array[e]


def expert_rows(array: Array, sizes: Sizes, **indices: int) -> Array:
    """[n_experts * d_inner, ...], experts one under the other -> [d_inner, ...] of expert `e`."""
    if not sizes.n_experts or len(array) % sizes.n_experts:
        raise ValueError(f"rows of {sizes.n_experts} experts are wanted, it has {len(array)}")
    return expert(array.reshape(sizes.n_experts, -1, *array.shape[1:]), sizes, **indices)


def d_model_last(array: Array, sizes: Sizes, **_: int) -> Array:
    """[d_model, d_inner] -> [d_inner, d_model]; an array whose last axis is d_model is returned unchanged."""
    return array.T if array.ndim == 2 and array.shape[1] != sizes.d_model == array.shape[0] else array


def d_model_first(array: Array, sizes: Sizes, **_: int) -> Array:
    """[d_inner, d_model] -> [d_model, d_inner]; an array whose first axis is d_model is returned unchanged."""
    return array.T if array.ndim == 2 and array.shape[0] != sizes.d_model == array.shape[1] else array


# Shapes.


def flatten_heads(array: Array, sizes: Sizes, **_: int) -> Array:
    """[d_model, n_heads, d_head] -> [n_heads * d_head, d_model] (XLNet's q, k, v, r)."""
    return flatten_tail(array, sizes).T


def flatten_tail(array: Array, sizes: Sizes, **_: int) -> Array:
    """[out, a, b, ...] -> [out, a * b * ...] (XLNet's o, the patches of an image)."""
    if array.ndim < 2:
        raise ValueError(f"2 or more axes are wanted, it has {array.ndim}")
    return array.reshape(array.shape[0], -1) if array.size else array.reshape(array.shape[0], 0)


def flatten(array: Array, sizes: Sizes, **_: int) -> Array:
    """[n_heads, d_head] or [1, 1, d] -> one axis."""
    return array.reshape(array.size)


def row(array: Array, sizes: Sizes, **_: int) -> Array:
    """[n] -> [1, n]; an array of two axes is returned unchanged."""
    return array[None] if array.ndim == 1 else array


def squeeze(array: Array, sizes: Sizes, **_: int) -> Array:
    """[1, n, ...] -> [n, ...]; an array without a leading axis of 1 is returned unchanged."""
    return array[0] if array.ndim > 1 and array.shape[0] == 1 else array


# Rotary order. Rows of a head are pairs (j, j + d_head/2) for us and for transformers; GGUF's llama files
# store neighbours (2j, 2j + 1) instead.


def unpermute_rope(array: Array, sizes: Sizes, **_: int) -> Array:
    """Neighbouring pairs -> pairs half a head apart; for q and k, weights and biases."""
    return _swap_pairs(array, sizes, (sizes.d_head // 2, 2))


def permute_rope(array: Array, sizes: Sizes, **_: int) -> Array:
    """Pairs half a head apart -> neighbouring pairs; the inverse of `unpermute_rope`."""
    return _swap_pairs(array, sizes, (2, sizes.d_head // 2))


def _swap_pairs(array: Array, sizes: Sizes, inner: tuple[int, int]) -> Array:
    if array.ndim < 1 or array.shape[0] % sizes.d_head:
        raise ValueError(f"a multiple of {sizes.d_head} rows is wanted, its shape is {array.shape}")
    heads, rest = array.shape[0] // sizes.d_head, array.shape[1:]
    return array.reshape(heads, *inner, *rest).swapaxes(1, 2).reshape(array.shape)


def _need_rows(array: Array, rows: int) -> None:
    if array.ndim < 1 or array.shape[0] != rows:
        raise ValueError(f"{rows} rows are wanted, its shape is {array.shape}")


def _half(array: Array) -> int:
    if array.ndim < 1 or array.shape[0] % 2:
        raise ValueError(f"an even number of rows is wanted, its shape is {array.shape}")
    return array.shape[0] // 2
