"""The experts that a token is sent to, computed one score at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

from oracles.slow_formulas import Vector, sigmoid, softmax

from attnviz.engine.spec import Routing


def routed(
    rule: Routing, scores: Vector, top_k: int, correction: Callable[[], Vector]
) -> tuple[dict[int, float], float]:
    """(expert -> share, the smallest gap to another choice)."""
    if rule.by == "mixer":
        return mixed(rule, scores)
    everyone = dict(enumerate(scores))
    if rule.by == "chosen":
        taken, gap = highest(everyone, top_k)
        shares = softmax({e: scores[e] for e in taken}, len(scores))
        return {e: shares[e] for e in taken}, gap
    if rule.by == "softmax":
        shares = softmax(everyone, len(scores))
    else:
        shares = [sigmoid(score) for score in scores]
    more = correction() if rule.corrected else [0.0] * len(scores)
    standing = {e: share + c for e, (share, c) in enumerate(zip(shares, more, strict=True))}
    standing, group_gap = from_best_groups(rule, standing)
    taken, gap = highest(standing, top_k)
    total = sum(shares[e] for e in taken) if rule.normalised else 1.0
    return {e: shares[e] / total * rule.times for e in taken}, min(gap, group_gap)


def highest(values: dict[int, float], count: int) -> tuple[list[int], float]:
    """The keys of the highest values, and the gap between the last of them and the first that is left out."""
    order = sorted(values, key=lambda e: -values[e])
    gap = values[order[count - 1]] - values[order[count]] if count < len(order) else math.inf
    return order[:count], gap


def from_best_groups(rule: Routing, standing: dict[int, float]) -> tuple[dict[int, float], float]:
    """DeepSeek-V2, section 2.2.2: only experts of the best groups.

    A group's score is the sum of its best experts' scores.
    """
    size = len(standing) // rule.groups
    groups = [range(g * size, (g + 1) * size) for g in range(rule.groups)]
    best = {
        g: sum(sorted((standing[e] for e in group), reverse=True)[: rule.group_by]) for g, group in enumerate(groups)
    }
    taken, gap = highest(best, rule.top_groups)
    return {e: standing[e] for g in taken for e in groups[g]}, gap


def mixed(rule: Routing, scores: Vector) -> tuple[dict[int, float], float]:
    """Liu 2024 (GRIN): the highest score and then the second highest, each in a softmax over the scores near it."""
    left, found, nearest = dict(enumerate(scores)), {}, math.inf
    for _ in range(2):
        (first,), gap = highest(left, 1)
        top = left[first]
        distance = {e: (top - s) / max(abs(s), top) - rule.near for e, s in left.items()}
        near = {e: s for e, s in left.items() if distance[e] <= 0}
        nearest = min(nearest, gap, *(abs(d) for e, d in distance.items() if e != first))
        found[first] = softmax(near, len(scores))[first]
        del left[first]
    return found, nearest
