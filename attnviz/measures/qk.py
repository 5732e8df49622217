"""A head's queries and keys in one plane, and one pair of them number by number.

Both start from the queries and keys as the head multiplies them: after biases, norms and rotary positions. A grouped
head reads the keys that it shares with other heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.measures.plane import principal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.measures.steps import Steps

    Wide = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plane:
    """Queries [query, 2] and keys [key, 2], both of one head.

    factor: the c that queries were multiplied and keys divided by. shares: of the variance, of each dimension.
    agreement: correlation of distance in the plane with q . k, both less their means over a query's keys: -1 if the
    nearest key always has the highest score, 0 if the plane says nothing.
    """

    queries: Wide
    keys: Wide
    factor: float
    shares: tuple[float, float]
    agreement: float


def plane(queries: NDArray[Any], keys: NDArray[Any]) -> Plane:
    """Queries [query, d] and keys [key, d] of one head, put on common ground and projected together.

        q' = c (q - mean q),   k' = (k - mean k) / c,   c = sqrt(spread of k / spread of q)

    Moving all keys adds the same to every score of a row, and c cancels in q . k: neither changes a weight after the
    softmax. Only then does "near" mean "high score": |q' - k'|^2 = |q'|^2 + |k'|^2 - 2 q' . k'. The spread is the root
    of the mean squared distance from the mean; this c makes both equal (the paper searches for one by correlation).

    Source: Yeh 2023 (AttentionViz), section 4.
    """
    moved, factor = together(queries, keys)
    points, shares = principal(moved)
    q, k = points[: len(queries)], points[len(queries) :]
    scores = np.asarray(queries, np.float64) @ np.asarray(keys, np.float64).T
    away = np.sqrt(((q[:, None] - k[None]) ** 2).sum(-1))
    return Plane(q, k, factor, (shares[0], shares[1]), _correlation(away, scores))


def together(queries: NDArray[Any], keys: NDArray[Any]) -> tuple[Wide, float]:
    """q' above k' as one array [query + key, d], and c: see `plane`."""
    q, k = (np.asarray(vectors, np.float64) for vectors in (queries, keys))
    q, k = q - q.mean(0), k - k.mean(0)
    spreads = [float(np.sqrt((vectors**2).sum(-1).mean())) for vectors in (q, k)]
    factor = float(np.sqrt(spreads[1] / spreads[0])) if min(spreads) > 0 else 1.0
    return np.concatenate([q * factor, k / factor]), factor


def _correlation(first: Wide, second: Wide) -> float:
    """Pearson's r of two [query, key] arrays, each less its rows' means; 0 where one does not vary."""
    a, b = (values - values.mean(-1, keepdims=True) for values in (first, second))
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-12 else 0.0


@dataclass(frozen=True)
class Stage:
    """The pair's score after one operation, and what that added, None where it did something else.

    name: raw, relative, before_scale, scaled, capped, biased, counted, masked: as in `measures.steps.Steps.scores`.
    """

    name: str
    value: float
    added: float | None = None


@dataclass(frozen=True, eq=False)
class Neurons:
    """One pair of tokens in one head.

    q, k: float32 [d_head], as they are multiplied. product: float64 [d_head], whose sum is q . k, the first stage.
    stages: from q . k to the score before the softmax. weight: after it. allowed: whether the query may see the key.
    steps: the walk that they are from; key: its place among the keys.
    """

    steps: Steps
    key: int
    q: NDArray[np.float32]
    k: NDArray[np.float32]
    product: Wide
    stages: tuple[Stage, ...]
    weight: float
    allowed: bool

    @property
    def total(self) -> float:
        """q . k."""
        return float(self.product.sum())

    @property
    def plain(self) -> bool:
        """Whether the score is q . k times a number and nothing else."""
        return all(stage.name in ("raw", "scaled", "masked") for stage in self.stages)

    def strongest(self, count: int) -> list[int]:
        """Dimensions with the largest products by size, the largest first."""
        return np.argsort(-np.abs(self.product), kind="stable")[:count].tolist()


def neurons(steps: Steps, key: int) -> Neurons:
    """q, k, q * k and the score for the query of a walk and one of its keys.

    Args:
        steps: what `attnviz.steps` gives for the layer, head and query.
        key: the place of a key.

    Source: Vig 2019 (the neuron view), for any model: rotary, grouped, biased and capped scores among them.
    """
    q, k = steps.used("q")[steps.query], steps.used("k")[key]
    stages = []
    for scores in steps.scores:
        added = None if scores.added is None else float(scores.added[key])
        stages.append(Stage(scores.name, float(scores.row[key]), added))
    return Neurons(
        steps=steps,
        key=key,
        q=q,
        k=k,
        product=q.astype(np.float64) * k.astype(np.float64),
        stages=tuple(stages),
        weight=float(steps.weights[key]),
        allowed=bool(steps.allowed[key]),
    )
