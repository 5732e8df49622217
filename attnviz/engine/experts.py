"""Mixtures of experts: which experts a token is sent to, and with what share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.kernels import linear, softmax_
from attnviz.engine.ops import sigmoid
from attnviz.engine.spec import Routing, Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tensors import Tensors

    Array = NDArray[np.float32]
    Ints = NDArray[np.intp]
    Work = Callable[[str, int, bool, Array], Array]


def mixture(spec: Spec, tensors: Tensors, name: str, x: Array, dense: Work) -> Array:
    """The sum of a token's experts, each times its share: [n, d_model] -> [n, d_model], a new array.

    dense(prefix, width, has_bias, x [m, d_model]) is one expert's work. Only experts that a token is sent to are read.
    """
    bias = tensors.get(name + "router.bias", (spec.n_experts,)) if spec.router_bias else None
    scores = linear(x, tensors.get(name + "router.weight", (spec.n_experts, spec.d_model)), bias)
    correction = tensors.get(name + "router.correction", (spec.n_experts,)) if spec.routing.corrected else None
    chosen, shares = routed(spec.routing, scores, spec.top_k, correction)
    out = np.zeros((len(x), spec.d_model), np.float32)
    width, has_bias = spec.d_expert or spec.d_mlp, spec.mlp_bias if spec.expert_bias is None else spec.expert_bias
    for e in np.unique(chosen):
        rows, place = np.nonzero(chosen == e)
        out[rows] += shares[rows, place, None] * dense(f"{name}experts.{e}.", width, has_bias, x[rows])
    if spec.mixture_bias:
        out += tensors.get(f"{name}experts.bias", (spec.d_model,))
    if spec.d_shared:
        shared = dense(f"{name}shared.", spec.d_shared, spec.mlp_bias, x)
        if spec.weighed_shared:
            shared *= sigmoid(linear(x, tensors.get(f"{name}shared.weigh.weight", (1, spec.d_model))))
        out += shared
    return out


def routed(rule: Routing, scores: Array, top_k: int, correction: Array | None = None) -> tuple[Ints, Array]:
    """Router scores [n, n_experts] -> experts [n, top_k], and their shares [n, top_k]. See `Routing`."""
    if rule.by == "mixer":
        return _mixed(rule, scores)
    if rule.by == "chosen":
        chosen = _best(scores, top_k)
        return chosen, softmax_(np.take_along_axis(scores, chosen, -1))
    shares = sigmoid(scores) if rule.by == "sigmoid" else softmax_(scores.copy())
    standing = shares if correction is None else shares + correction
    chosen = _best(_within_groups(rule, standing), top_k)
    best = np.take_along_axis(shares, chosen, -1)
    if rule.normalised:
        best /= best.sum(-1, keepdims=True)
    return chosen, best * np.float32(rule.times)


def _best(values: Array, count: int) -> Ints:
    """The places of the highest values of each row, highest first; of equals the earlier."""
    return np.argsort(-values, axis=-1, kind="stable")[:, :count]


def _within_groups(rule: Routing, standing: Array) -> Array:
    """The standing of experts [n, n_experts], those outside the best groups at -inf.

    Source: DeepSeek-AI 2024 (DeepSeek-V2), section 2.2.2; DeepSeek-V3, section 2.1.2.
    """
    if rule.groups <= 1:
        return standing
    by_group = standing.reshape(len(standing), rule.groups, -1)
    best = np.sort(by_group, axis=-1)[..., -rule.group_by :].sum(-1)
    taken = np.zeros(best.shape, bool)
    np.put_along_axis(taken, _best(best, rule.top_groups), True, axis=-1)
    return np.where(taken[..., None], by_group, np.float32(-np.inf)).reshape(standing.shape)


def _mixed(rule: Routing, scores: Array) -> tuple[Ints, Array]:
    """Two experts: the highest, and the highest of the rest.

    The share of each is that of a softmax over the scores that are left and no further than `near` below the highest,
    relative to the larger of that and of the score's own size. Source: Liu 2024 (GRIN), section 2.
    """
    left, chosen, shares = scores.copy(), [], []
    for _ in range(2):
        at = _best(left, 1)
        highest = np.take_along_axis(left, at, -1)
        far = (highest - scores) > np.float32(rule.near) * np.maximum(np.abs(scores), highest)
        shares.append(np.take_along_axis(softmax_(left.copy(), far), at, -1))
        chosen.append(at)
        np.put_along_axis(left, at, np.float32(-np.inf), axis=-1)
    return np.concatenate(chosen, -1), np.concatenate(shares, -1)
