"""Cheaper stand-ins for the softmax over all keys, and the matrices that they imply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.kernels import softmax_
from attnviz.errors import SelectionError
from attnviz.variants.base import VariantInput, future

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.variants.base import Array, Bools, Draw

    Doubles = NDArray[np.float64]

LEAST = 1e-200  # a row of products that sums to less has lost its digits


def linformer_weights(q: Array, k: Array, e: Array, f: Array, scale: float) -> Array:
    """softmax(scale q (E k)^T) F: q and k [n, d], E and F [rank, n] -> the matrix on the values, [n, n]."""
    return softmax_((q * np.float32(scale)) @ (e @ k).T) @ f


@dataclass(frozen=True)
class Linformer:
    """Keys and values projected from n to `rank`. Wang 2020, section 4, eq. 7, with E = F shared by all heads.

    drawn 0: E takes the means of neighbours (mean pooling, section 4), so that a slot's weight falls equally on its
    tokens; with rank n it is the identity, and the result exact. drawn 1, 2, ...: E is normal with variance 1 / rank
    (theorem 2), so that weights may be negative.
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

    def weights(self, inputs: VariantInput) -> tuple[Array, Bools | None]:
        if inputs.causal:
            raise SelectionError("linformer has no causal form: its slots mix earlier and later tokens")
        e = self.projection(inputs.n_key, inputs.layer)
        pairs = zip(inputs.q, inputs.k, strict=True)
        return np.stack([linformer_weights(q, k, e, e, inputs.scale) for q, k in pairs]), None

    def output(self, inputs: VariantInput, v: Array) -> Array:
        e = self.projection(inputs.n_key, inputs.layer)
        if self.drawn:
            keys, values = e @ inputs.k, e @ v
        else:  # means, without the zeros of E
            starts = -(-np.arange(self.rank) * inputs.n_key // self.rank)
            sizes = np.diff([*starts, inputs.n_key]).astype(np.float32)[:, None]
            keys = np.add.reduceat(inputs.k, starts, axis=1) / sizes
            values = np.add.reduceat(v, starts, axis=1) / sizes
        return softmax_((inputs.q * np.float32(inputs.scale)) @ keys.swapaxes(-1, -2)) @ values


class _Kernel:
    """Weights that are products of features: a_ij = phi(q_i) . phi(k_j) / sum over j. phi is above 0."""

    def logs(self, inputs: VariantInput, head: int) -> tuple[Doubles, Doubles]:
        """ln phi of the queries and of the keys of a head, [query, m] and [key, m]."""
        raise NotImplementedError

    def weights(self, inputs: VariantInput) -> tuple[Array, Bools | None]:
        hidden = future(inputs)
        weights = np.empty((inputs.n_heads, inputs.n_query, inputs.n_key), np.float32)
        for head in range(inputs.n_heads):
            logs = self.logs(inputs, head)
            queries, keys = _features(*logs)
            product = queries @ keys.T
            if hidden is not None:
                product[hidden] = 0
                # Later keys may be so much larger that nothing is left of the keys that a query sees.
                for query in np.flatnonzero(product.sum(-1) < LEAST):
                    seen = logs[0][query] + logs[1][: query + 1]
                    product[query, : query + 1] = np.exp(seen - seen.max()).sum(-1)
            weights[head] = product / product.sum(-1, keepdims=True)
        return weights, None if hidden is None else ~hidden

    def output(self, inputs: VariantInput, v: Array) -> Array:
        """phi(q) (phi(k)^T v), so that no n x n matrix is made.

        A causal model's goes through the matrix instead of the running sums of the papers.
        """
        if inputs.causal:
            return self.weights(inputs)[0] @ v
        out = np.empty((*inputs.q.shape[:2], v.shape[-1]), np.float32)
        for head in range(inputs.n_heads):
            queries, keys = _features(*self.logs(inputs, head))
            out[head] = (queries @ (keys.T @ v[head])) / (queries @ keys.sum(0))[:, None]
        return out


def _features(queries: Doubles, keys: Doubles) -> tuple[Doubles, Doubles]:
    """phi of queries and keys from their logarithms, up to factors that products or rows cancel, against overflow.

    Each feature's largest key becomes 1 and gives its factor to the queries; each query's largest feature becomes 1. So
    the sum of a row is at least 1, however wide scores are.
    """
    largest = keys.max(0)
    moved = queries + largest
    return np.exp(moved - moved.max(-1, keepdims=True)), np.exp(keys - largest)


def orthogonal_features(draw: Draw, name: str, m: int, d: int) -> Doubles:
    """Omega [m, d]: rows normal in length and direction, orthogonal within each block of d. Choromanski 2021, 2.4."""
    blocks = []
    for block in range(-(-m // d)):
        directions, triangle = np.linalg.qr(draw(f"{name}.{block}", (d, d)).astype(np.float64))
        # Signs made to fit, or QR's directions would not be uniform (Mezzadri 2007).
        directions = (directions * np.sign(np.diagonal(triangle))).T
        lengths = np.sqrt(np.square(draw(f"{name}.{block}.length", (d, d)).astype(np.float64)).sum(1))
        blocks.append(directions * lengths[:, None])
    return np.concatenate(blocks)[:m]


def exponents(x: Array, omega: Doubles) -> Doubles:
    """Omega x - |x|^2 / 2: x [n, d], Omega [m, d] -> [n, m]."""
    x = x.astype(np.float64)
    return x @ omega.T - np.square(x).sum(-1, keepdims=True) / 2


def positive_features(x: Array, omega: Doubles) -> Doubles:
    """exp(Omega x - |x|^2 / 2) / sqrt(m). Choromanski 2021, lemma 1: phi(x) . phi(y) has the mean exp(x . y)."""
    return np.exp(exponents(x, omega)) / np.sqrt(len(omega))


@dataclass(frozen=True)
class Performer(_Kernel):
    """Random features of the softmax kernel, positive and orthogonal. Choromanski 2021, section 2."""

    count: int
    draw: Draw

    def logs(self, inputs: VariantInput, head: int) -> tuple[Doubles, Doubles]:
        """ln of `positive_features` of q and k over the fourth root of d; 1 / sqrt(m) cancels."""
        name, root = f"layers.{inputs.layer}.performer.{head}", np.float32(np.sqrt(inputs.scale))
        omega = orthogonal_features(self.draw, name, self.count, inputs.d_head)
        return exponents(inputs.q[head] * root, omega), exponents(inputs.k[head] * root, omega)


@dataclass(frozen=True)
class Linear(_Kernel):
    """phi(x) = elu(x) + 1. Katharopoulos 2020, section 3.2, eq. 7; q and k are not scaled."""

    def logs(self, inputs: VariantInput, head: int) -> tuple[Doubles, Doubles]:
        return log_elu_plus_one(inputs.q[head]), log_elu_plus_one(inputs.k[head])


def log_elu_plus_one(x: Array) -> Doubles:
    """ln(x + 1) above 0, x below: elu(x) + 1 is e^x there."""
    x = x.astype(np.float64)
    return np.where(x > 0, np.log1p(np.maximum(x, 0)), x)
