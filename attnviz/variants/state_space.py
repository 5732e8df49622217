"""The matrix that a selective state space implies, which corresponds to attention's weights.

Gu & Dao 2023 (Mamba), section 3.2: h_t = exp(delta_t A) h_(t-1) + delta_t B_t x_t, y_t = C_t h_t, with B discretised as
its code does it. Unrolled (Ali 2024, section 3.1), y_i is a sum over j <= i of

    a_ij = C_i diag(exp(A sum over j < t <= i of delta_t)) delta_j B_j

times x_j. C_i corresponds to a query, B_j to a key; weights have signs, and rows may have any sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.variants.base import VariantInput

if TYPE_CHECKING:
    from attnviz.variants.base import Array, Bools, Draw


@dataclass(frozen=True)
class Mamba:
    """One channel a head: C is the head's q, B its k over sqrt(d), A = -1, -2, ..., -d as Mamba begins, x its v."""

    draw: Draw

    def steps(self, inputs: VariantInput, head: int) -> Array:
        """delta_t = softplus(w . k_t + b), above 0: [n]. b makes steps small: states of 16 last up to a few tokens."""
        w = self.draw(f"layers.{inputs.layer}.mamba.{head}", (inputs.d_head,)) / np.float32(np.sqrt(inputs.d_head))
        return np.logaddexp(np.float32(0), inputs.k[head] @ w - np.float32(2))

    def weights(self, inputs: VariantInput) -> tuple[Array, Bools | None]:
        matrices = [self._matrix(inputs, head) for head in range(inputs.n_heads)]
        return np.stack(matrices), np.tri(inputs.n_key, dtype=bool)

    def output(self, inputs: VariantInput, v: Array) -> Array:
        """The recurrence itself, state after state."""
        out = np.empty((*inputs.q.shape[:2], v.shape[-1]), np.float32)
        for head in range(inputs.n_heads):
            steps, decay, b = self.steps(inputs, head), self._decay(inputs.d_head), self._b(inputs, head)
            state = np.zeros((inputs.d_head, v.shape[-1]), np.float32)
            for t in range(inputs.n_key):
                state *= np.exp(steps[t] * decay)[:, None]
                state += (steps[t] * b[t])[:, None] * v[head, t]
                out[head, t] = inputs.q[head, t] @ state
        return out

    def _matrix(self, inputs: VariantInput, head: int) -> Array:
        """[i, j], one column at a time, so that no [i, j, d] is held."""
        steps, decay, b = self.steps(inputs, head), self._decay(inputs.d_head), self._b(inputs, head)
        until = np.cumsum(steps, dtype=np.float64)
        matrix = np.zeros((inputs.n_query, inputs.n_key), np.float32)
        for j in range(inputs.n_key):
            left = np.exp((until[j:] - until[j])[:, None] * decay).astype(np.float32)  # of the state at j: [i, d]
            matrix[j:, j] = (inputs.q[head, j:] * left) @ (steps[j] * b[j])
        return matrix

    def _decay(self, d: int) -> Array:
        return -np.arange(1, d + 1, dtype=np.float32)

    def _b(self, inputs: VariantInput, head: int) -> Array:
        return inputs.k[head] * np.float32(inputs.scale)
