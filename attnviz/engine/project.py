"""Queries, keys and values of one layer: projected, cut into heads, normalised and turned by their positions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.kernels import by_head, linear, rotate, side_by_side
from attnviz.engine.observer import QUIET, Tap
from attnviz.engine.ops import norm_of
from attnviz.engine.spec import Latent, Rotary, Spec
from attnviz.engine.tensors import matrix_of
from attnviz.engine.threads import by_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tensors import Tensors

    Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Heads:
    """By head: queries [n_heads, query, d_head], keys [n_kv_heads, key, d_head], values [n_kv_heads, key, d_value].

    Several texts of one length have an axis of texts in front of each.
    """

    q: Array
    k: Array
    v: Array | None

    def shared(self, part: range) -> slice:
        """The key-value heads of a run of query heads, which are one of them or all of several groups."""
        group = self.q.shape[-3] // self.k.shape[-3]
        return slice(part.start // group, (part.stop - 1) // group + 1)

    def of(self, part: range) -> Heads:
        """A run of query heads, with the keys and values that they share."""
        kv = self.shared(part)
        v = None if self.v is None else self.v[..., kv, :, :]
        return Heads(self.q[..., part.start : part.stop, :, :], self.k[..., kv, :, :], v)

    def within(self, rows: range, cols: range) -> Heads:
        """The queries of some rows, and the keys and values of some columns."""
        v = None if self.v is None else self.v[..., cols.start : cols.stop, :]
        return Heads(self.q[..., rows.start : rows.stop, :], self.k[..., cols.start : cols.stop, :], v)


@dataclass(frozen=True, eq=False)
class Projector:
    """Makes the queries, keys and values of one layer, whose tensors' names begin with `prefix`.

    kind: what precedes q, k and v in the names: "", "cross_" or "global_". tap: is shown every weight and every result.
    """

    spec: Spec
    tensors: Tensors
    prefix: str
    kind: str = ""
    tap: Tap = QUIET

    def project(self, x: Array, memory: Array | None, wants_v: bool, known: Heads | None = None) -> Heads:
        """Q from x [..., query, d_model]; K and V from memory [..., key, d_model] or, without one, from x.

        known: K and V of the same memory, projected before.
        """
        spec, source = self.spec, x if memory is None else memory
        if spec.latent is not None and not self.kind:
            return self._compressed(spec.latent, x, wants_v)
        q = self._projected("q", x, spec.n_heads, spec.q_bias)
        if known is not None:
            return Heads(q if spec.qk_norm is None else self._norm("q_norm", q), known.k, known.v)
        k = self._projected("k", source, spec.n_kv_heads, spec.k_bias)
        v = self._projected("v", source, spec.n_kv_heads, spec.v_bias) if wants_v else None
        self._show(q=q, k=k, v=v)
        if spec.qk_norm is not None and not spec.qk_norm_turned:
            q, k = self._norm("q_norm", q), self._norm("k_norm", k)
            self._show(q_normed=q, k_normed=k)
        return Heads(q, k, v)

    def norm_turned(self, heads: Heads) -> Heads:
        """Normalise queries and keys that rotary positions have turned, where a model does so only then."""
        if self.spec.qk_norm is None or not self.spec.qk_norm_turned:
            return heads
        self._show(q_turned=heads.q, k_turned=heads.k)
        return replace(heads, q=self._norm("q_norm", heads.q), k=self._norm("k_norm", heads.k))

    def _compressed(self, rule: Latent, x: Array, wants_v: bool) -> Heads:
        """Q, K and V through compressed vectors. The shared part of the keys follows each head's own.

        Source: DeepSeek-AI 2024 (DeepSeek-V2), section 2.1, eq. 9-19.
        """
        spec = self.spec
        q_from = x
        if rule.d_q:
            q_from = self._normed(rule, "q_down_norm", self._linear("q_down", x, rule.d_q, rule.bias))
        q = self._by_head(self._linear("q", q_from, spec.n_heads * spec.d_head, spec.q_bias))
        small = self._linear("kv_down", x, rule.d_kv + rule.d_shared, rule.bias)
        kv_from = self._normed(rule, "kv_norm", small[..., : rule.d_kv])
        own = spec.d_head - rule.d_shared
        k = np.empty(q.shape, np.float32)
        k[..., :own] = self._by_head(self._linear("k", kv_from, spec.n_heads * own, spec.k_bias))
        k[..., own:] = small[..., None, :, rule.d_kv :]
        v = None
        if wants_v:
            v = self._by_head(self._linear("v", kv_from, spec.n_heads * spec.d_value, spec.v_bias))
        self._show(compressed=kv_from, compressed_q=q_from if rule.d_q else None, q=q, k=k, v=v)
        return Heads(q, k, v)

    def _projected(self, which: str, x: Array, n_heads: int, has_bias: bool) -> Array:
        spec = self.spec
        y = self._linear(which, x, n_heads * spec.d_head, has_bias)
        if spec.qkv_clip and (not spec.clip_after_norm or which == "v"):
            np.clip(y, -spec.qkv_clip, spec.qkv_clip, out=y)
        return by_head(y, n_heads)

    def _linear(self, which: str, x: Array, width: int, has_bias: bool) -> Array:
        name = f"{self.prefix}{self.kind}{which}"
        weight = matrix_of(self.tensors, f"{name}.weight", (width, x.shape[-1]))
        bias = self.tensors.get(f"{name}.bias", (width,)) if has_bias else None
        if self.tap.watchers:
            whole = self.tensors.get(f"{name}.weight", (width, x.shape[-1]))
            self._show(**{f"{which}.weight": whole, f"{which}.bias": bias})
        return linear(x, weight, bias)

    def _by_head(self, x: Array) -> Array:
        return by_head(x, self.spec.n_heads)

    def _normed(self, rule: Latent, name: str, x: Array) -> Array:
        return norm_of(rule.norm, self.tensors, self.prefix + name, x)

    def _norm(self, which: str, x: Array) -> Array:
        """Normalise queries or keys [..., head, n, d_head]: within each head, or across all heads together."""
        spec, name = self.spec, self.prefix + which
        assert spec.qk_norm is not None
        n_heads = x.shape[-3]
        if spec.qk_norm_over == "all":
            y = by_head(norm_of(spec.qk_norm, self.tensors, name, side_by_side(x)), n_heads)
        elif spec.qk_norm_over == "head":
            y = norm_of(spec.qk_norm, self.tensors, name, x)
        else:
            heads = [norm_of(spec.qk_norm, self.tensors, f"{name}.{h}", x[..., h, :, :]) for h in range(n_heads)]
            y = np.stack(heads, axis=-3)
        if spec.qkv_clip and spec.clip_after_norm:
            np.clip(y, -spec.qkv_clip, spec.qkv_clip, out=y)
        return y

    def _show(self, **arrays: Array | None) -> None:
        for name, values in arrays.items():
            self.tap(name, values)


def turn(heads: Heads, angles: tuple[Array, Array] | None, rotary: Rotary | None, values: bool = False) -> Heads:
    """Rotary positions on q and k, and on v where values turn too, in place."""
    if angles is not None and rotary is not None:
        cos, sin = angles
        turned = [heads.q, heads.k, heads.v] if values and heads.v is not None else [heads.q, heads.k]
        turned = [x[..., x.shape[-1] - 2 * cos.shape[-1] :] if rotary.last else x for x in turned]

        def some(rows: slice) -> None:
            for x in turned:
                rotate(x[..., rows, :], cos[rows], sin[rows], rotary.interleaved)

        by_rows(cos.shape, some)
    return heads
