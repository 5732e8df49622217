"""Queries, keys and values of one layer: projected, cut into heads, normalised and turned by their positions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.ops import linear, norm_of
from attnviz.engine.positions import rotate
from attnviz.engine.spec import Latent, Rotary, Spec
from attnviz.engine.threads import by_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tensors import Tensors

    Array = NDArray[np.float32]
    See = Callable[[str, Array], None]


@dataclass(frozen=True, eq=False)
class Heads:
    """By head: queries [n_heads, query, d_head], keys [n_kv_heads, key, d_head], values [n_kv_heads, key, d_value]."""

    q: Array
    k: Array
    v: Array | None

    def shared(self, part: range) -> slice:
        """The key-value heads of a run of query heads, which are one of them or all of several groups."""
        group = self.q.shape[0] // self.k.shape[0]
        return slice(part.start // group, (part.stop - 1) // group + 1)


def project(
    spec: Spec,
    tensors: Tensors,
    prefix: str,
    x: Array,
    memory: Array | None,
    wants_v: bool,
    kind: str = "",
    see: See | None = None,
    held: Heads | None = None,
) -> Heads:
    """Q from x [query, d_model]; K and V from memory [key, d_model] or, without one, from x.

    held: K and V of the same memory, made before.
    """
    if spec.latent is not None and not kind:
        return _compressed(spec, spec.latent, tensors, prefix, x, wants_v, see)
    source = x if memory is None else memory

    def made(which: str, x: Array, n_heads: int, has_bias: bool) -> Array:
        return by_head(_projected(spec, tensors, f"{prefix}{kind}", which, x, n_heads, has_bias, see), n_heads)

    q = made("q", x, spec.n_heads, spec.q_bias)
    if held is not None:
        return Heads(q if spec.qk_norm is None else _norm_heads(spec, tensors, f"{prefix}q_norm", q), held.k, held.v)
    k = made("k", source, spec.n_kv_heads, spec.k_bias)
    v = made("v", source, spec.n_kv_heads, spec.v_bias) if wants_v else None
    if see is not None:
        _show(see, q=q, k=k, v=v)
    if spec.qk_norm is not None and not spec.qk_norm_turned:
        q, k = _norm_both(spec, tensors, prefix, q, k)
        if see is not None:
            _show(see, q_normed=q, k_normed=k)
    return Heads(q, k, v)


def _compressed(
    spec: Spec, rule: Latent, tensors: Tensors, prefix: str, x: Array, wants_v: bool, see: See | None
) -> Heads:
    """Q, K and V through compressed vectors. The shared part of the keys follows each head's own.

    Source: DeepSeek-AI 2024 (DeepSeek-V2), section 2.1, eq. 9-19.
    """

    def shown(**arrays: Array | None) -> None:
        if see is not None:
            _show(see, **arrays)

    def down(which: str, width: int) -> Array:
        bias = tensors.get(f"{prefix}{which}.bias", (width,)) if rule.bias else None
        weight = tensors.get(f"{prefix}{which}.weight", (width, spec.d_model))
        shown(**{f"{which}.weight": weight, f"{which}.bias": bias})
        return linear(x, weight, bias)

    def up(which: str, small: Array, width: int, has_bias: bool) -> Array:
        size = spec.n_heads * width
        bias = tensors.get(f"{prefix}{which}.bias", (size,)) if has_bias else None
        weight = tensors.get(f"{prefix}{which}.weight", (size, small.shape[-1]))
        shown(**{f"{which}.weight": weight, f"{which}.bias": bias})
        return by_head(linear(small, weight, bias), spec.n_heads)

    q_from = norm_of(rule.norm, tensors, f"{prefix}q_down_norm", down("q_down", rule.d_q)) if rule.d_q else x
    q = up("q", q_from, spec.d_head, spec.q_bias)
    small = down("kv_down", rule.d_kv + rule.d_shared)
    kv_from = norm_of(rule.norm, tensors, f"{prefix}kv_norm", small[:, : rule.d_kv])
    k = np.empty((spec.n_heads, len(x), spec.d_head), np.float32)
    own = spec.d_head - rule.d_shared
    k[..., :own] = up("k", kv_from, own, spec.k_bias)
    k[..., own:] = small[:, rule.d_kv :]
    v = up("v", kv_from, spec.d_value, spec.v_bias) if wants_v else None
    shown(compressed=kv_from, compressed_q=q_from if rule.d_q else None, q=q, k=k, v=v)
    return Heads(q, k, v)


def _projected(
    spec: Spec,
    tensors: Tensors,
    prefix: str,
    which: str,
    x: Array,
    n_heads: int,
    has_bias: bool,
    see: See | None,
) -> Array:
    width, name = n_heads * spec.d_head, prefix + which
    weight = tensors.get(f"{name}.weight", (width, x.shape[-1]))
    bias = tensors.get(f"{name}.bias", (width,)) if has_bias else None
    if see is not None:
        _show(see, **{f"{which}.weight": weight, f"{which}.bias": bias})
    y = linear(x, weight, bias)
    if not spec.clip_after_norm or which == "v":
        _clip_(spec, y)
    return y


def _clip_(spec: Spec, x: Array) -> None:
    if spec.qkv_clip:
        np.clip(x, -spec.qkv_clip, spec.qkv_clip, out=x)


def _show(see: See, **arrays: Array | None) -> None:
    for name, values in arrays.items():
        if values is not None:
            see(name, values)


def by_head(x: Array, n_heads: int) -> Array:
    """[n, n_heads * d_head] -> [n_heads, n, d_head], each head's rows together in memory."""
    return np.ascontiguousarray(x.reshape(x.shape[0], n_heads, -1).swapaxes(0, 1))


def norm_turned(spec: Spec, tensors: Tensors, prefix: str, heads: Heads, see: See | None = None) -> Heads:
    """Queries and keys that rotary positions have turned, normalised where a model does so only then."""
    if spec.qk_norm is None or not spec.qk_norm_turned:
        return heads
    if see is not None:
        _show(see, q_turned=heads.q, k_turned=heads.k)
    return Heads(*_norm_both(spec, tensors, prefix, heads.q, heads.k), heads.v)


def _norm_both(spec: Spec, tensors: Tensors, prefix: str, q: Array, k: Array) -> tuple[Array, Array]:
    return _norm_heads(spec, tensors, f"{prefix}q_norm", q), _norm_heads(spec, tensors, f"{prefix}k_norm", k)


def _norm_heads(spec: Spec, tensors: Tensors, name: str, x: Array) -> Array:
    """Normalise queries or keys [head, n, d_head]: within each head, or across all heads together."""
    norm = spec.qk_norm
    assert norm is not None
    n_heads, n, _ = x.shape
    if spec.qk_norm_over == "all":
        y = by_head(norm_of(norm, tensors, name, x.swapaxes(0, 1).reshape(n, -1)), n_heads)
    elif spec.qk_norm_over == "head":
        y = norm_of(norm, tensors, name, x)
    else:
        y = np.stack([norm_of(norm, tensors, f"{name}.{head}", x[head]) for head in range(n_heads)])
    if spec.clip_after_norm:
        _clip_(spec, y)
    return y


def turn(heads: Heads, angles: tuple[Array, Array] | None, rotary: Rotary | None, values: bool = False) -> Heads:
    """Rotary positions on q and k, and on v where values turn too, in place."""
    if angles is not None and rotary is not None:
        cos, sin = angles
        turned = [heads.q, heads.k, heads.v] if values and heads.v is not None else [heads.q, heads.k]
        turned = [x[..., x.shape[-1] - 2 * cos.shape[-1] :] if rotary.last else x for x in turned]

        def some(rows: slice) -> None:
            for x in turned:
                rotate(x[:, rows], cos[rows], sin[rows], rotary.interleaved)

        by_rows(len(cos), some)
    return heads
