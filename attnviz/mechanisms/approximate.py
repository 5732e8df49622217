"""Cheaper stand-ins for the softmax over all keys, and the matrices that they imply."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.ops import softmax_
from attnviz.errors import SelectionError
from attnviz.mechanisms.base import Given, future

if TYPE_CHECKING:
    from attnviz.mechanisms.base import Array, Bools, Draw


def linformer_weights(q: Array, k: Array, e: Array, f: Array, scale: float) -> Array:
    """softmax(scale q (E k)^T) F: q and k [n, d], E and F [rank, n] -> the matrix on the values, [n, n]."""
    return softmax_((q * np.float32(scale)) @ (e @ k).T) @ f


@dataclass(frozen=True)
class Linformer:
    """Keys and values projected from n to `rank`. Wang 2020, section 4, eq. 7, with E = F shared by all heads.

    drawn 0: E takes the means of neighbours (mean pooling, section 4); with rank n it is the identity, and the result
    exact. drawn 1, 2, ...: E is normal with variance 1 / rank (its theorem 2), so that weights may be negative.
    """

    rank: int
    drawn: int
    draw: Draw

    def projection(self, n: int, layer: int) -> Array:
        """E, [rank, n]."""
        if self.rank > n:
            raise SelectionError(f"linformer wants a rank of no more than the tokens, {n}; got {self.rank}")
        if self.drawn:
            drawn = self.draw(f"layers.{layer}.linformer.{self.drawn}", (self.rank, n))
            return drawn / np.float32(np.sqrt(self.rank))
        part = np.arange(n) * self.rank // n  # the slot of each token
        matrix = (part == np.arange(self.rank)[:, None]).astype(np.float32)
        return matrix / matrix.sum(1, keepdims=True)

    def weights(self, given: Given) -> tuple[Array, Bools | None]:
        if given.causal:
            raise SelectionError("linformer has no causal form: its slots mix earlier and later tokens")
        e = self.projection(given.n_key, given.layer)
        pairs = zip(given.q, given.k, strict=True)
        return np.stack([linformer_weights(q, k, e, e, given.scale) for q, k in pairs]), None

    def output(self, given: Given, v: Array) -> Array:
        e = self.projection(given.n_key, given.layer)
        if self.drawn:
            keys, values = e @ given.k, e @ v
        else:  # means, without the zeros of E
            starts = -(-np.arange(self.rank) * given.n_key // self.rank)
            sizes = np.diff([*starts, given.n_key]).astype(np.float32)[:, None]
            keys = np.add.reduceat(given.k, starts, axis=1) / sizes
            values = np.add.reduceat(v, starts, axis=1) / sizes
        return softmax_((given.q * np.float32(given.scale)) @ keys.swapaxes(-1, -2)) @ values


class _Kernel:
    """Weights that are products of features: a_ij = phi(q_i) . phi(k_j) / sum over j."""

    def features(self, given: Given, head: int, x: Array, is_key: bool) -> Array:
        """phi, not negative: [n, d] -> [n, m]."""
        raise NotImplementedError

    def weights(self, given: Given) -> tuple[Array, Bools | None]:
        hidden = future(given)
        found = np.empty((given.n_heads, given.n_query, given.n_key), np.float32)
        for head in range(given.n_heads):
            queries = self.features(given, head, given.q[head], False)
            product = queries @ self.features(given, head, given.k[head], True).T
            if hidden is not None:
                product[hidden] = 0
            found[head] = product / np.maximum(product.sum(-1, keepdims=True), np.float32(1e-30))
        return found, None if hidden is None else ~hidden

    def output(self, given: Given, v: Array) -> Array:
        """phi(q) (phi(k)^T v): the n x n matrix is never made."""
        if given.causal:
            return self.weights(given)[0] @ v
        out = np.empty((*given.q.shape[:2], v.shape[-1]), np.float32)
        for head in range(given.n_heads):
            queries = self.features(given, head, given.q[head], False)
            keys = self.features(given, head, given.k[head], True)
            total = queries @ keys.sum(0)
            out[head] = (queries @ (keys.T @ v[head])) / np.maximum(total, np.float32(1e-30))[:, None]
        return out


@lru_cache(maxsize=64)
def orthogonal_features(draw: Draw, name: str, m: int, d: int) -> Array:
    """Omega [m, d]: rows normal in length and direction, orthogonal within each block of d. Choromanski 2021, 2.4."""
    blocks = []
    for block in range(-(-m // d)):
        directions, triangle = np.linalg.qr(draw(f"{name}.{block}", (d, d)).astype(np.float64))
        # Signs made to fit, or QR's directions would not be uniform (Mezzadri 2007).
        directions = (directions * np.sign(np.diagonal(triangle))).T
        lengths = np.sqrt(np.square(draw(f"{name}.{block}.length", (d, d)).astype(np.float64)).sum(1))
        blocks.append(directions * lengths[:, None])
    return np.concatenate(blocks)[:m].astype(np.float32)


def exponents(x: Array, omega: Array) -> Array:
    """Omega x - |x|^2 / 2: x [n, d], Omega [m, d] -> [n, m]."""
    return x @ omega.T - np.square(x).sum(-1, keepdims=True) / 2


def positive_features(x: Array, omega: Array) -> Array:
    """exp(Omega x - |x|^2 / 2) / sqrt(m). Choromanski 2021, lemma 1: phi(x) . phi(y) has the mean exp(x . y)."""
    return np.exp(exponents(x, omega)) / np.float32(np.sqrt(len(omega)))


@dataclass(frozen=True)
class Performer(_Kernel):
    """Random features of the softmax kernel, positive and orthogonal. Choromanski 2021, section 2."""

    count: int
    draw: Draw

    def features(self, given: Given, head: int, x: Array, is_key: bool) -> Array:
        """`positive_features` but for a factor a row (queries) or a head (keys), against overflow; rows cancel it."""
        x = x * np.float32(np.sqrt(given.scale))
        omega = orthogonal_features(self.draw, f"layers.{given.layer}.performer.{head}", self.count, given.d_head)
        exponent = exponents(x, omega)
        exponent -= exponent.max() if is_key else exponent.max(-1, keepdims=True)
        return np.exp(exponent)


@dataclass(frozen=True)
class Linear(_Kernel):
    """phi(x) = elu(x) + 1. Katharopoulos 2020, section 3.2, eq. 7; q and k are not scaled."""

    def features(self, given: Given, head: int, x: Array, is_key: bool) -> Array:
        return elu_plus_one(x)


def elu_plus_one(x: Array) -> Array:
    """x + 1 above 0, e^x below."""
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))
