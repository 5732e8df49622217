"""A block in one of three shapes. Each adds the outputs of its sublayers to the residual stream x [n, d_model].

The sublayers are attention, cross-attention where a model has it, and an MLP. All work on [n, d_model].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.engine.observer import QUIET, Tap

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Function = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Sublayer:
    """One function of a block and its norm, both [n, d_model] -> [n, d_model]. tap: is shown the sublayer's input."""

    norm: Function
    function: Function
    tap: Tap = QUIET

    def __call__(self, x: Array) -> Array:
        return self.function(x)


def pre_norm(x: Array, sublayers: Sequence[Sublayer], residual_from_norm: bool = False) -> Array:
    """x + f(norm(x)), for each f in turn. Source: Xiong 2020, section 3.

    residual_from_norm: norm(x) + f(norm(x)) instead.
    """
    for f in sublayers:
        f.tap("input", x)
        read = f.norm(x)
        x = (read if residual_from_norm else x) + f(read)
    return x


def post_norm(x: Array, sublayers: Sequence[Sublayer]) -> Array:
    """norm(x + f(x)), for each f in turn. Source: Vaswani 2017, section 3.1."""
    for f in sublayers:
        f.tap("input", x)
        x = f.norm(x + f(x))
    return x


def parallel(x: Array, sublayers: Sequence[Sublayer], shared: bool) -> Array:
    """x + f(norm(x)) + g(norm(x)), with one norm for both where `shared`. Source: Chowdhery 2022, section 2."""
    f, *others = sublayers
    f.tap("input", x)
    read = f.norm(x)
    out = f(read)
    for g in others:
        out += g(read if shared else g.norm(x))
    return x + out
