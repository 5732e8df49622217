"""How far two maps of the same tokens are apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def total_variation(weights: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float64]:
    """Mean over queries of half the sum of absolute differences: [..., query, key] twice -> [...].

    0 for equal rows and 1 for rows that share nothing; where rows sum to 1, the largest difference of the weight that
    any set of keys has in both. Rows with negative weights are first divided by the sum of their sizes. Rows that
    neither map allows anything count as equal.
    """
    first, second = (_sized(np.asarray(values, np.float64)) for values in (weights, reference))
    return np.abs(first - second).sum(-1).mean(-1) / 2


def _sized(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    if weights.min(initial=0.0) >= 0:
        return weights
    sizes = np.abs(weights).sum(-1, keepdims=True)
    return np.divide(weights, sizes, out=np.zeros_like(weights), where=sizes > 0)
