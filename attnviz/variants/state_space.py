"""The matrix that a selective state space implies: what stands where attention's weights would.

Gu & Dao 2023 (Mamba), section 3.2: h_t = exp(delta_t A) h_(t-1) + delta_t B_t x_t, y_t = C_t h_t, with B discretised as
its code does it. Unrolled (Ali 2024, section 3.1), y_i is a sum over j <= i of

    a_ij = C_i diag(exp(A sum over j < t <= i of delta_t)) delta_j B_j

times x_j. C_i stands where a query would, B_j where a key would; weights have signs, and rows sum to anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.variants.base import Given

if TYPE_CHECKING:
    from attnviz.variants.base import Array, Bools, Draw


@dataclass(frozen=True)
class Mamba:
    """One channel a head: C is the head's q, B its k over sqrt(d), A = -1, -2, ..., -d as Mamba begins, x its v."""

    draw: Draw

    def steps(self, given: Given, head: int) -> Array:
        """delta_t = softplus(w . k_t + b), above 0: [n]. b makes steps small: states of 16 last up to a few tokens."""
        w = self.draw(f"layers.{given.layer}.mamba.{head}", (given.d_head,)) / np.float32(np.sqrt(given.d_head))
        return np.logaddexp(np.float32(0), given.k[head] @ w - np.float32(2))

    def weights(self, given: Given) -> tuple[Array, Bools | None]:
        return np.stack([self._matrix(given, head) for head in range(given.n_heads)]), np.tri(given.n_key, dtype=bool)

    def output(self, given: Given, v: Array) -> Array:
        """The recurrence itself, state after state."""
        out = np.empty((*given.q.shape[:2], v.shape[-1]), np.float32)
        for head in range(given.n_heads):
            steps, decay, b = self.steps(given, head), self._decay(given.d_head), self._b(given, head)
            state = np.zeros((given.d_head, v.shape[-1]), np.float32)
            for t in range(given.n_key):
                state *= np.exp(steps[t] * decay)[:, None]
                state += (steps[t] * b[t])[:, None] * v[head, t]
                out[head, t] = given.q[head, t] @ state
        return out

    def _matrix(self, given: Given, head: int) -> Array:
        """[i, j], one column at a time, so that no [i, j, d] is held."""
        steps, decay, b = self.steps(given, head), self._decay(given.d_head), self._b(given, head)
        until = np.cumsum(steps, dtype=np.float64)
        matrix = np.zeros((given.n_query, given.n_key), np.float32)
        for j in range(given.n_key):
            kept = np.exp((until[j:] - until[j])[:, None] * decay).astype(np.float32)  # [i, d]
            matrix[j:, j] = (given.q[head, j:] * kept) @ (steps[j] * b[j])
        return matrix

    def _decay(self, d: int) -> Array:
        return -np.arange(1, d + 1, dtype=np.float32)

    def _b(self, given: Given, head: int) -> Array:
        return given.k[head] * np.float32(given.scale)
