"""The part of a block that follows the attention heads (W_O, norms, residual, MLP).

Collectors use it to measure what each token contributes, or what the output would be without that token.

It works on each row by itself, so a row can be sent through again with other outputs of the heads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.ops import linear_part
from attnviz.engine.spec import Norm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Scaled:
    """A norm that follows the heads: its input [n, d_model], and its weight, None for none."""

    norm: Norm
    whole: Array
    weight: Array | None


@dataclass(frozen=True, eq=False)
class AfterAttention:
    """The part of one block between its heads and cross-attention, or its end where there is no cross-attention.

    residual [n, d_model]: the stream that the attention output is added to.
    weight [d_model, n_heads * d_value]: W_O; None if the heads side by side are the output.
    inner, outer: the norm of the attention output, and the norm of the sum; None for no norm.
    scale [d_model]: multiplies the attention output; None for no scale.
    added [n, d_model]: residual plus attention output, after the outer norm if there is one.
    finish(heads [m, n_heads * d_value], rows [m]): the block's output [m, d_model] for some rows, computed from `heads`
    instead of from their own heads' outputs; None where cross-attention follows.
    """

    residual: Array
    weight: Array | None
    inner: Scaled | None
    scale: Array | None
    outer: Scaled | None
    added: Array
    finish: Callable[[Array, Rows], Array] | None

    def parts(self, outputs: Array, rows: Rows) -> Array:
        """Split `added` into one part per token, by the linear part of the norms; biases belong to no part.

        outputs [m, token, d_model]: the attention output of some rows, split by the token that each part comes from.
        rows [m]: their indices; the residual stream is added to the part of a row's own token. Returns a new array
        [m, token, d_model].

        Source: Kobayashi 2021, section 3, eq. 8-11.
        """
        parts = outputs.copy() if self.inner is None else _part(self.inner, outputs, rows)
        if self.scale is not None:
            parts *= self.scale
        parts[np.arange(len(rows)), rows] += self.residual[rows]
        return parts if self.outer is None else _part(self.outer, parts, rows)


def _part(scaled: Scaled, parts: Array, rows: Rows) -> Array:
    return linear_part(scaled.norm, parts, scaled.whole[rows][:, None], scaled.weight)
