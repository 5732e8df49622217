"""The MLP of a block: dense, gated, or a mixture of experts. It works on each row by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.ops import activate_, linear, sigmoid, softmax_
from attnviz.engine.spec import Spec
from attnviz.engine.threads import by_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.run import Tensors

    Array = NDArray[np.float32]

# Rows an MLP works on at a time: its wide inner activations then stay near the cache.
MLP_ROWS = 256


def mlp(spec: Spec, tensors: Tensors, name: str, x: Array) -> Array:
    """The MLP of the layer whose tensors begin with `name`: [n, d_model] -> [n, d_model], a new array."""
    if spec.n_experts:
        return _mixture(spec, tensors, name, x)
    maps, out = _maps(spec, tensors, name), np.empty((len(x), spec.d_model), np.float32)

    def some(rows: slice) -> None:
        out[rows] = _dense(spec, maps, x[rows])

    by_rows(len(x), some, MLP_ROWS)
    return out


def _maps(spec: Spec, tensors: Tensors, name: str) -> dict[str, tuple[Array, Array | None]]:
    """The weights and biases of one MLP: up, down and, where it is gated, gate."""
    inner, outer = (spec.d_mlp, spec.d_model), (spec.d_model, spec.d_mlp)
    shapes = {"up": inner, "gate": inner, "down": outer} if spec.gated else {"up": inner, "down": outer}
    return {
        part: (
            tensors.get(f"{name}{part}.weight", shape),
            tensors.get(f"{name}{part}.bias", shape[:1]) if spec.mlp_bias else None,
        )
        for part, shape in shapes.items()
    }


def _dense(spec: Spec, maps: Mapping[str, tuple[Array, Array | None]], x: Array) -> Array:
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


def _mixture(spec: Spec, tensors: Tensors, name: str, x: Array) -> Array:
    """Each row through its top_k experts, weighed by a softmax over their router scores (Jiang 2024, eq. 2)."""
    bias = tensors.get(name + "router.bias", (spec.n_experts,)) if spec.router_bias else None
    scores = linear(x, tensors.get(name + "router.weight", (spec.n_experts, spec.d_model)), bias)
    chosen = np.argsort(-scores, axis=-1, kind="stable")[:, : spec.top_k]
    shares = softmax_(np.take_along_axis(scores, chosen, -1))
    out = np.zeros((len(x), spec.d_model), np.float32)
    for e in range(spec.n_experts):
        rows, place = np.nonzero(chosen == e)
        if len(rows):
            out[rows] += shares[rows, place, None] * _dense(spec, _maps(spec, tensors, f"{name}experts.{e}."), x[rows])
    return out
