"""The effect of a change to a model, as numbers: two distributions compared, or two sets of vectors.

    KL        sum over tokens t of p_t (ln p_t - ln q_t)         nats; Kullback and Leibler 1951, section 2
    change    ln q_t - ln p_t of one token t                     nats; below 0: the token became less likely
    turned    the mean over positions of 1 - cos(x_i, y_i)       Mohebbi 2023, section 3, eq. 5

p and x are of the whole model, q and y of the changed one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]


def log_probabilities(scores: NDArray[Any]) -> Doubles:
    """The logarithm of a softmax over the last axis, float64: scores [..., token] -> [..., token], in nats."""
    scores = np.asarray(scores, np.float64)
    shifted = scores - scores.max(-1, keepdims=True)
    logs: Doubles = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return logs


def divergence(before: NDArray[Any], after: NDArray[Any]) -> Doubles:
    """KL in nats, from `before` to `after`, both log-probabilities [..., token] -> float64 [...].

    0 for equal distributions, exactly. A token that `before` never gives adds nothing; one that `after` alone never
    gives makes it infinite.
    """
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    chances = np.exp(before)
    with np.errstate(invalid="ignore"):
        parts = np.where(chances > 0, chances * (before - after), 0.0)
    return np.maximum(parts.sum(-1), 0.0)


def turned(before: NDArray[Any], after: NDArray[Any]) -> Doubles:
    """1 - cosine, the mean over positions: vectors [..., n, d] -> float64 [...], from 0 to 2.

    It is computed as half the squared distance of the two unit vectors, which is the same number, is exactly 0 for
    equal vectors, and keeps its digits where it is small. A position with a zero vector in either counts as 0.
    """
    (a, zero_a), (b, zero_b) = _units(before), _units(after)
    each = np.where(zero_a | zero_b, 0.0, np.square(a - b).sum(-1) / 2)
    mean: Doubles = each.mean(-1)
    return mean


def _units(vectors: NDArray[Any]) -> tuple[Doubles, NDArray[np.bool_]]:
    """Vectors of length 1 in the same directions, and where the length is 0."""
    vectors = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0), lengths[..., 0] == 0


def common(first: Sequence[float], second: Sequence[float], count: int) -> int:
    """The number of places that are among the `count` largest of both lists; among equal numbers the first counts."""
    leading = [
        set(np.argsort(-np.asarray(values, float), kind="stable")[:count].tolist()) for values in (first, second)
    ]
    return len(leading[0] & leading[1])
