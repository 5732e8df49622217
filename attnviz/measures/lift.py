"""Lift: what a weight says about its query, beyond what its key gets from everyone.

    lift_ij = A_ij - mean over the other rows i' that may see j of A_i'j

A head that sends every token to "animal" says nothing about "it", however large its weight: its lift is near 0. In a
causal map only the rows that may see a key are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention


@dataclass(frozen=True)
class Pair:
    """One weight with its places: positions in the arrays, and layer and head by their true indices."""

    layer: int
    head: int
    query: int
    key: int
    weight: float
    lift: float


def lift(weights: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """The lift of every weight.

    Args:
        weights: [..., query, key], 0 where attending was not allowed.
        mask: bool, True where attending was allowed; [query, key] or what broadcasts to the weights, as
            `Attention.allowed` does. None: all may see all.

    Returns:
        float64 [..., query, key], from -1 to 1; 0 where attending was not allowed, and where no other row may see
        the key, so that there is nothing to compare with.
    """
    weights = np.asarray(weights, np.float64)
    seen = np.ones(weights.shape[-2:], bool) if mask is None else np.asarray(mask, bool)
    others = seen.sum(-2, keepdims=True) - 1
    rest = weights.sum(-2, keepdims=True) - weights
    mean = rest / np.maximum(others, 1)
    return np.where(seen & (others > 0), weights - mean, 0.0)


def lifts(attention: Attention) -> NDArray[np.float64]:
    """The lift of every weight of an Attention: float64 [layer, head, query, key].

    An unknown mask is taken from the weights: a square map without a weight above the diagonal is causal.
    """
    return lift(attention.weights, attention.effective_mask())


def strongest(
    attention: Attention, *, query: int | None = None, key: int | None = None, by: str = "lift", special: bool = False
) -> Pair:
    """The weight that stands out most, over all layers and heads.

    Rows that can see only one key are ignored, as are special tokens unless `query` or `key` names one, or nothing else
    is left.

    Args:
        attention: of any layers and heads, with one query, one key and one head at least.
        query, key: positions; None for any. With both, this is the head that links these two most.
        by: lift | weight. The first of equals in order of layer, head, query and key.
        special: whether special tokens take part without being named.
    """
    mask = attention.effective_mask()
    rows = [query] if query is not None else _choosing(attention, mask, special)
    cols = [key] if key is not None else _plain(attention.keys.special, special)
    best: tuple[float, Pair] | None = None
    maps = [(weights, allowed) for block, allowed in attention.blocks(mask) for weights in block]
    for (layer, head), (weights, allowed) in zip(attention.places, maps, strict=True):
        lifted = lift(weights, allowed)
        rank = (lifted if by == "lift" else weights)[np.ix_(rows, cols)]
        i, j = divmod(int(rank.argmax()), len(cols))
        if best is None or rank[i, j] > best[0]:
            at = (layer or 0, head or 0, rows[i], cols[j])  # an averaged axis has one position
            best = float(rank[i, j]), Pair(*at, float(weights[at[2:]]), float(lifted[at[2:]]))
    assert best is not None
    return best[1]


def _choosing(attention: Attention, mask: NDArray[np.bool_] | None, special: bool) -> list[int]:
    """The rows that may see two keys or more."""
    rows = _plain(attention.queries.special, special)
    if mask is None:
        return rows
    choice = (mask.sum(-1) > 1).any((0, 1))
    return [row for row in rows if choice[row]] or rows


def _plain(marked: Sequence[bool], special: bool) -> list[int]:
    """The places of tokens that are not special; all tokens if every one is special."""
    return [i for i, mark in enumerate(marked) if special or not mark] or list(range(len(marked)))
