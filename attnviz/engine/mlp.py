"""The MLP of a block: dense or gated, alone or as one of many experts. It works on each row by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.kernels import linear
from attnviz.engine.ops import activate_, sigmoid
from attnviz.engine.spec import Spec
from attnviz.engine.tensors import matrix_of
from attnviz.engine.threads import by_rows, runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tensors import Matrix, Tensors

    Array = NDArray[np.float32]
    Maps = Mapping[str, tuple[Array | Matrix, Array | None]]

# Rows an MLP works on at a time: its wide inner activations then stay near the cache. Where matrices are decoded inside
# products, which are shared out themselves, more rows at a time decode them less often.
MLP_ROWS, DECODED_ROWS = 256, 1024


def mlp(spec: Spec, tensors: Tensors, name: str, x: Array, experts: bool = False) -> Array:
    """The MLP of the layer whose tensors begin with `name`: [..., n, d_model] -> the same shape, a new array.

    experts: whether it is a mixture of experts.
    """

    def dense(prefix: str, width: int, has_bias: bool, x: Array) -> Array:
        return _by_rows(spec, _maps(spec, tensors, prefix, width, has_bias), x)

    if experts:
        from attnviz.engine.experts import mixture

        if x.ndim == 3:
            return np.stack([mixture(spec, tensors, name, text, dense) for text in x])
        return mixture(spec, tensors, name, x, dense)
    return dense(name, spec.d_mlp, spec.mlp_bias, x)


def _by_rows(spec: Spec, maps: Maps, x: Array) -> Array:
    out = np.empty(x.shape, np.float32)

    def some(rows: slice) -> None:
        out[rows] = _dense(spec, maps, x[rows])

    if isinstance(maps["up"][0], np.ndarray):
        by_rows(x.shape, some, MLP_ROWS)
        return out
    for run in runs(len(x), -(-math.prod(x.shape[:-1]) // DECODED_ROWS)):
        some(slice(run.start, run.stop))
    return out


def _maps(spec: Spec, tensors: Tensors, name: str, width: int, has_bias: bool) -> Maps:
    """The weights and biases of one MLP of this inner width: up, down and, where it is gated, gate."""
    inner, outer = (width, spec.d_model), (spec.d_model, width)
    shapes = {"up": inner, "gate": inner, "down": outer} if spec.gated else {"up": inner, "down": outer}
    return {
        part: (
            matrix_of(tensors, f"{name}{part}.weight", shape),
            tensors.get(f"{name}{part}.bias", shape[:1]) if has_bias else None,
        )
        for part, shape in shapes.items()
    }


def _dense(spec: Spec, maps: Maps, x: Array) -> Array:
    """down(act(up x)), or gated: down(act(gate x) * up x) (Shazeer 2020)."""
    up = linear(x, *maps["up"])
    if not spec.gated:
        return linear(activate_(spec.activation, up), *maps["down"])
    gate = linear(x, *maps["gate"])
    if spec.clamp:
        np.minimum(gate, np.float32(spec.clamp), out=gate)
        np.clip(up, -spec.clamp, spec.clamp, out=up)
        gate *= sigmoid(np.float32(spec.alpha) * gate)
        up += 1
    else:
        activate_(spec.activation, gate)
    gate *= up
    return linear(gate, *maps["down"])
