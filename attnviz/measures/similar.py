"""Which heads attend alike: distances between all heads, a map of them, and an order that keeps kin together.

similarity = similar(model.attend(text))
similarity.order            # heads from one end of the dendrogram to the other
similarity.places           # [head, 2]: as far from each other as two dimensions allow
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import InputError
from attnviz.measures.distance import between_heads
from attnviz.measures.plane import classical_scaling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention

    Wide = NDArray[np.float64]

Join = tuple[int, int, float]


@dataclass(frozen=True, eq=False)
class Similarity:
    """Heads of all layers in a row, layer after layer; `names` has (layer, head) of each.

    distances: float64 [head, head], Jensen-Shannon distance (`measures.distance`), 0 to 0.83.
    places: float64 [head, 2], from classical scaling. shares: how much of all squared distance each of the two
    dimensions keeps. joins: (first, second, height), as `joins` gives them. order: heads as the dendrogram has them.
    """

    names: tuple[tuple[int, int], ...]
    distances: Wide
    places: Wide
    shares: tuple[float, float]
    joins: tuple[Join, ...]
    order: tuple[int, ...]

    def nearest(self, head: int) -> int:
        """The head nearest to this one, of equals the first."""
        apart = self.distances[head].copy()
        apart[head] = np.inf
        return int(apart.argmin())


def similar(attention: Attention, progress: Callable[[float], None] | None = None) -> Similarity:
    """Every head against every other, over all rows of an Attention.

    Args:
        attention: two heads or more. For a long text a few hundred rows are enough (`models.source.attend_rows`).
        progress: called with shares of the work as they are done; they sum to 1.

    Raises:
        InputError: fewer than two heads, or negative weights.

    Source: Clark 2019, section 6, whose distance is the sum of divergences, without the root.
    """
    if len(attention.places) < 2:
        raise InputError("one head has nothing to be compared with", "choose more with -l and -H")
    distances = between_heads(attention.weights.reshape(-1, *attention.weights.shape[2:]), progress)
    places, shares = classical_scaling(distances)
    tree = joins(distances)
    return Similarity(
        names=tuple((layer or 0, head or 0) for layer, head in attention.places),  # a mean counts as the first
        distances=distances,
        places=places,
        shares=(shares[0], shares[1]),
        joins=tree,
        order=leaves(tree, distances),
    )


def joins(distances: NDArray[Any]) -> tuple[Join, ...]:
    """Average linkage: the two groups with the smallest mean distance between their members join, until one is left.

    Returns (first, second, height) per join; groups are heads 0 to n-1, then joins n, n+1, ... in order. The first pair
    of equals joins. Source: Sokal and Michener 1958 (UPGMA).
    """
    apart = np.array(distances, np.float64)
    n = len(apart)
    np.fill_diagonal(apart, np.inf)
    names, sizes = list(range(n)), np.ones(n)
    tree: list[Join] = []
    for _ in range(n - 1):
        i, j = divmod(int(apart.argmin()), n)
        i, j = min(i, j), max(i, j)
        tree.append((names[i], names[j], float(apart[i, j])))
        merged = (sizes[i] * apart[i] + sizes[j] * apart[j]) / (sizes[i] + sizes[j])
        apart[i], apart[:, i] = merged, merged
        apart[i, i] = np.inf
        apart[j], apart[:, j] = np.inf, np.inf
        sizes[i] += sizes[j]
        names[i] = n + len(tree) - 1
    return tuple(tree)


def leaves(tree: tuple[Join, ...], distances: NDArray[Any]) -> tuple[int, ...]:
    """The heads of a dendrogram from left to right.

    Each join is turned so that its nearest ends meet, the whole so that the lower of both ends is at the left.
    """
    members: list[list[int]] = [[i] for i in range(len(tree) + 1)]
    for first, second, _ in tree:
        a, b = members[first], members[second]
        ways = [(a, b), (a, b[::-1]), (a[::-1], b), (a[::-1], b[::-1])]
        gaps = [float(distances[left[-1]][right[0]]) for left, right in ways]
        left, right = ways[gaps.index(min(gaps))]
        members.append(left + right)
    ends = members[-1]
    return tuple(ends if ends[0] <= ends[-1] else ends[::-1])
