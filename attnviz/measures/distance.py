"""Distances between two maps of the same tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.engine.collectors import Sums
from attnviz.engine.ops import entropy
from attnviz.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Wide = NDArray[np.float64]

_ROUNDING = 1e-5  # sums of float32 weights are 1 to within this
_NOISE = 1e-13  # two entropies of equal rows may differ by this
_AT_ONCE = 1 << 18  # numbers that are compared at once: they stay in a cache
MOST = float(np.sqrt(np.log(2)))  # the largest Jensen-Shannon distance, 0.8326: rows that share no key


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


def divergence(weights: NDArray[Any], reference: NDArray[Any]) -> Wide:
    """Jensen-Shannon divergence between rows, in nats, 0 to ln 2: [..., key] twice -> [...].

        JS(p, q) = H((p + q) / 2) - (H(p) + H(q)) / 2,   H(p) = -sum_j p_j ln p_j

    What a row lacks to 1 (special tokens left out, a learned sink) counts as the weight on one more key; a row that
    sums to more is divided by its sum. Symmetric; 0 for equal rows, ln 2 for rows that share no key.

    Raises InputError for negative weights, which are no distribution.

    Source: Lin 1991, eq. 4.1; between attention heads Clark 2019, section 6.
    """
    first, second = _whole(weights), _whole(reference)
    return _divergence(first, second, entropy(first), entropy(second))


def jensen_shannon(weights: NDArray[Any], reference: NDArray[Any]) -> Wide:
    """Jensen-Shannon distance between maps: [..., query, key] twice -> [...], 0 to sqrt(ln 2) = 0.83.

        d(A, B) = sqrt(mean_i JS(A_i, B_i)),   JS in nats: `divergence`

    The root makes it a metric: it keeps to the triangle inequality (Endres and Schindelin 2003), and points in a
    Euclidean space have exactly these distances (Fuglede and Topsoe 2004), so that a map of heads need not bend them.
    Clark 2019 sums the divergence itself over tokens. No rows at all: 0.

    Raises InputError for negative weights.
    """
    rows = divergence(weights, reference)
    return np.sqrt(rows.mean(-1)) if rows.shape[-1] else np.zeros(rows.shape[:-1])


def between_heads(maps: NDArray[Any], progress: Callable[[float], None] | None = None) -> Wide:
    """`jensen_shannon` between every two of some maps: [map, query, key] -> [map, map], symmetric, 0 on its diagonal.

    progress: called with shares of the work as they are done.
    """
    return distance_sums(maps, progress).result()


@dataclass(frozen=True, eq=False)
class DistanceSums(Sums):
    """Divergences between every two maps, summed over rows: float64 [map, map], and the number of rows."""

    divergences: Wide
    rows: int

    def result(self) -> Wide:
        """Jensen-Shannon distances [map, map] over all rows of all texts."""
        return np.sqrt(self.divergences / max(self.rows, 1))


def distance_sums(maps: NDArray[Any], progress: Callable[[float], None] | None = None) -> DistanceSums:
    """The sums behind `between_heads`, for maps [map, query, key] of one text; sums of several texts merge."""
    rows = _whole(maps)
    entropies = entropy(rows)
    sums = np.zeros((len(rows), len(rows)))
    most = max(1, _AT_ONCE // max(rows[0].size, 1)) if len(rows) else 1
    for i in range(len(rows) - 1):
        for start in range(i + 1, len(rows), most):
            some = slice(start, start + most)
            apart = _divergence(rows[i], rows[some], entropies[i], entropies[some])
            sums[i, some] = sums[some, i] = apart.sum(-1)
        if progress is not None:
            progress((len(rows) - 1 - i) / (len(rows) * (len(rows) - 1) / 2))
    return DistanceSums(sums, rows.shape[1])


@dataclass(frozen=True, eq=False)
class ReferenceSums(Sums):
    """Divergences of maps from a reference's, summed over rows: float64 [layer, head], and the number of rows."""

    divergences: Wide
    rows: int

    def result(self) -> Wide:
        """Jensen-Shannon distances [layer, head] over all rows of all texts."""
        return np.sqrt(self.divergences / max(self.rows, 1))


def reference_sums(maps: NDArray[Any], reference: NDArray[Any]) -> ReferenceSums:
    """The sums behind `jensen_shannon` of maps [layer, head, query, key] and a reference; sums of texts merge."""
    sums = [divergence(mine, theirs).sum(-1) for mine, theirs in zip(maps, reference, strict=True)]
    return ReferenceSums(np.stack(sums), maps.shape[-2])


def _whole(weights: NDArray[Any]) -> Wide:
    """Rows that sum to 1, by one more key for what they lack: [..., key] -> [..., key + 1]."""
    rows = np.asarray(weights, np.float64)
    if rows.min(initial=0.0) < -1e-6:
        raise InputError("negative weights have no Jensen-Shannon distance: they are no distribution")
    rows = np.maximum(rows, 0.0)
    sums = rows.sum(-1, keepdims=True)
    lack = 1 - sums
    rows = np.concatenate([rows, np.where(lack > _ROUNDING, lack, 0.0)], -1)
    return rows / np.maximum(rows.sum(-1, keepdims=True), 1e-300)


def _divergence(first: NDArray[Any], second: NDArray[Any], *entropies: Wide) -> Wide:
    apart = entropy((first + second) / 2) - sum(entropies) / 2
    return np.where(apart > _NOISE, np.minimum(apart, np.log(2)), 0.0)
