"""Other scores of how well a query and a key fit. Luong 2015, section 3.1, eq. 7; Bahdanau 2014, appendix A.1.2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.kernels import softmax_
from attnviz.engine.masks import Mask
from attnviz.variants.base import VariantInput, bands, future

if TYPE_CHECKING:
    from attnviz.variants.base import Array, Bools, Draw

PAIRS = 1 << 16  # query-key pairs whose inner activations are held at a time
SPREAD = 2.5  # standard deviation of a row's scores, about that of scaled-dot in the seeded model


class _Scored:
    """A softmax over scores of its own."""

    def scores(self, inputs: VariantInput, head: int, rows: slice) -> Array:
        """Scores of some queries: [row, key]."""
        raise NotImplementedError

    def weights(self, inputs: VariantInput) -> tuple[Array, Bools | None]:
        hidden = future(inputs)
        scores = np.stack([self.scores(inputs, head, slice(None)) for head in range(inputs.n_heads)])
        return softmax_(scores, hidden), None if hidden is None else ~hidden

    def output(self, inputs: VariantInput, v: Array) -> Array:
        out = np.empty((*inputs.q.shape[:2], v.shape[-1]), np.float32)
        mask = Mask(inputs.n_query, inputs.n_key, inputs.causal)
        for head in range(inputs.n_heads):
            for band, cols, hidden in bands(mask):
                rows = slice(band.start, band.stop)
                scores = self.scores(inputs, head, rows)[:, cols.start : cols.stop]
                out[head, rows] = softmax_(scores, hidden) @ v[head, cols.start : cols.stop]
        return out


def general_scores(q: Array, k: Array, matrix: Array) -> Array:
    """q_i^T W k_j: q [query, d], k [key, d], W [d, d] -> [query, key]."""
    scores: Array = np.matmul(q @ matrix, k.T)
    return scores


def additive_scores(q: Array, k: Array, w: Array, u: Array, v: Array) -> Array:
    """v^T tanh(W q_i + U k_j): q [query, d], k [key, d], W and U [inner, d], v [inner] -> [query, key].

    Luong's concat is the same with [W U] as one matrix over [q_i; k_j].
    """
    from_q, from_k = q @ w.T, k @ u.T  # [query, inner], [key, inner]
    scores = np.empty((len(q), len(k)), np.float32)
    rows = max(1, PAIRS // len(k))
    for start in range(0, len(q), rows):
        inner = from_q[start : start + rows, None] + from_k[None]  # [row, key, inner]
        np.tanh(inner, out=inner)
        scores[start : start + rows] = inner @ v
    return scores


@dataclass(frozen=True)
class General(_Scored):
    """A matrix between query and key, drawn so that scores spread as the scaled dot product's do."""

    draw: Draw

    def scores(self, inputs: VariantInput, head: int, rows: slice) -> Array:
        d = inputs.d_head
        matrix = self.draw(f"layers.{inputs.layer}.general.{head}", (d, d)) * np.float32(inputs.scale / np.sqrt(d))
        return general_scores(inputs.q[head, rows], inputs.k[head], matrix)


@dataclass(frozen=True)
class Additive(_Scored):
    """One hidden layer of tanh; name tells the draws of additive and of concat apart."""

    draw: Draw
    name: str

    def scores(self, inputs: VariantInput, head: int, rows: slice) -> Array:
        """Its inner width is d_head. Entries of q and k are about 1 to 2, and so are the arguments of tanh."""
        d, prefix = inputs.d_head, f"layers.{inputs.layer}.{self.name}.{head}"
        small = np.float32(1 / np.sqrt(2 * d))
        if self.name == "concat":
            both = self.draw(f"{prefix}.both", (d, 2 * d)) * small
            w, u = both[:, :d], both[:, d:]
        else:
            w, u = self.draw(f"{prefix}.query", (d, d)) * small, self.draw(f"{prefix}.key", (d, d)) * small
        # A row's scores vary with tanh by about two thirds a unit of v.
        v = self.draw(f"{prefix}.out", (d,)) * np.float32(SPREAD / (0.65 * np.sqrt(d)))
        return additive_scores(inputs.q[head, rows], inputs.k[head], w, u, v)
