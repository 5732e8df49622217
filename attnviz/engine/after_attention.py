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
    """The part of a block that follows its heads, in a stack without cross-attention or up to it.

    residual [n, d_model]: the stream that the heads' output is added to. weight [d_model, n_heads * d_head]: W_O, None
    if the concatenated heads are the output. inner, outer: the norm of the output and the norm of the sum, None for
    none. scale [d_model]: the factor on the output, None for none. added [n, d_model]: the sum, normalised if it is.
    finish(heads [m, n_heads * d_head], rows [m]): the block's output [m, d_model] for these rows, with these outputs
    instead of the heads' own; None if cross-attention follows.
    """

    residual: Array
    weight: Array | None
    inner: Scaled | None
    scale: Array | None
    outer: Scaled | None
    added: Array
    finish: Callable[[Array, Rows], Array] | None

    def parts(self, given: Array, rows: Rows) -> Array:
        """Parts of the heads' output as they are in `added`, by the linear part of the norms, without biases.

        given [m, part, d_model]: parts of the output of these rows; part p belongs to token p, and the part of a row's
        own token gets the residual stream. Returns [m, part, d_model], a new array.

        Source: Kobayashi 2021, section 3, eq. 8-11.
        """
        made = given.copy() if self.inner is None else _part(self.inner, given, rows)
        if self.scale is not None:
            made *= self.scale
        made[np.arange(len(rows)), rows] += self.residual[rows]
        return made if self.outer is None else _part(self.outer, made, rows)


def _part(scaled: Scaled, given: Array, rows: Rows) -> Array:
    return linear_part(scaled.norm, given, scaled.whole[rows][:, None], scaled.weight)
