"""Rollout: how much of each input token is in each position, layer after layer.

    A'_l = rownorm(mean over heads of A_l + I)        R_0 = A'_0        R_l = A'_l R_(l-1)

The identity stands for the residual stream, which carries a token past the attention. Source: Abnar and Zuidema 2020,
section 3. MLPs, norms and the sizes of values are not looked at: R says how attention would mix tokens if nothing else
did.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.engine.collectors import one_mask
from attnviz.engine.observer import Collector
from attnviz.errors import InputError, SelectionError
from attnviz.select import listed_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.engine.tile import Tile
    from attnviz.facts import SourceFacts

    Wide = NDArray[np.float64]

_UNIT = 2.0**40  # weights are summed as whole numbers of 2^-40, so that the order of heads does not matter


def with_residual(mean: NDArray[Any], residual: float = 0.5) -> Wide:
    """A' of one layer: the residual stream added, each row divided by its sum.

    Args:
        mean: weights [query, key], the mean over heads. Rows may sum to less than 1.
        residual: share of the residual stream beside a row that sums to 1, 0 to 1; 0.5 is the paper's A + I.

    Returns:
        float64 [query, key]. Rows sum to 1; one without weights and without a residual stream stays 0.

    Raises:
        SelectionError: residual is not from 0 to 1. InputError: queries and keys are not the same tokens.
    """
    check_residual(residual)
    if mean.ndim != 2 or mean.shape[0] != mean.shape[1]:
        raise InputError(f"wanted weights of a text to itself, [token, token]; got {list(mean.shape)}")
    joined = (1 - residual) * np.asarray(mean, np.float64)
    joined[np.diag_indices(len(joined))] += residual
    total = joined.sum(-1, keepdims=True)
    return np.divide(joined, total, out=joined, where=total > 0)


def chained(shares: Sequence[NDArray[Any]]) -> list[Wide]:
    """Matrices [layer][query, key] that have the residual stream in them already, multiplied up: R_l = C_l R_(l-1).

    Source: Ferrando 2022, section 3.3; Mohebbi 2023, section 5.
    """
    products: list[Wide] = []
    for share in shares:
        wide = np.asarray(share, np.float64)
        products.append(wide @ products[-1] if products else wide)
    return products


def check(facts: SourceFacts) -> None:
    """Raises SelectionError for missing layers, InputError for attention that is not a text's to itself."""
    if facts.stream == "cross":
        raise InputError(
            "rollout and flow follow a text through its own layers: cross-attention goes to another text",
            "take --stream encoder or --stream decoder",
        )
    if facts.pairs:
        raise SelectionError(
            f"heads {listed_pairs(facts.pairs)} were chosen one by one: rollout and flow want every layer whole"
        )
    if facts.shape[0] != len(facts.layers):
        raise SelectionError("its layers were averaged: rollout and flow go from layer to layer")
    if facts.layers != tuple(range(len(facts.layers))):
        got = ", ".join(map(str, facts.layers[:8]))
        raise SelectionError(f"rollout and flow begin at layer 0 and want every layer; got {got}")


def check_residual(residual: float) -> None:
    """Raises SelectionError for what is no share."""
    if not 0 <= residual <= 1:
        raise SelectionError(f"residual must be from 0 to 1; got {residual:g}")


def named(attention: Attention, weights: NDArray[np.float32], measure: str, residual: float) -> Attention:
    """An Attention of the same tokens with other numbers [layer, 1, query, key], named by `measure`."""
    share = "" if residual == 0.5 else f", residual {residual:g}"
    mask, n_layers = attention.mask, len(attention.layers)
    if mask is not None:
        masks: list[NDArray[np.bool_]] = []
        for layer in range(n_layers):
            masks.append(reached(masks[-1] if masks else None, mask[layer % len(mask)]))
        mask = one_mask(masks)
    return replace(
        attention, weights=weights, mask=mask, grid=None, meta={**attention.meta, "measure": f"{measure}{share}"}
    )


def reached(before: NDArray[np.bool_] | None, seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which inputs can have come to a position, bool [query, key]: by one more layer, in which it sees `seen`.

    Inputs that a layer hides may have been brought nearer by an earlier one. Returns `before` itself where nothing is
    added.
    """
    own = seen | np.eye(len(seen), dtype=bool)
    if before is None:
        return own
    if before.all() or (np.array_equal(own, before) and np.array_equal(own, np.tri(len(own), dtype=bool))):
        return before  # everything, or causal: nothing to be added
    widened = (own.astype(np.float32) @ before.astype(np.float32)) > 0
    return before if np.array_equal(widened, before) else widened


class Rollout(Collector):
    """A collector that keeps rollouts and no map: one mean over heads at a time.

    layers: which R_l to keep. heads: which heads are averaged. n: tokens. residual: as for `rollout`; None to keep the
    means over heads themselves, for what goes from layer to layer in another way.
    """

    def __init__(self, layers: Sequence[int], heads: Sequence[int], n: int, residual: float | None = 0.5) -> None:
        self.layers, self._heads, self._residual = tuple(layers), frozenset(heads), residual
        self._last = -1 if not self.layers else max(self.layers)
        self._sum = np.zeros((n, n), np.int64)
        self._layer = 0
        self._mixed: Wide | None = None
        self._seen = np.zeros((n, n), bool)
        self._reached: NDArray[np.bool_] | None = None
        self._masks: dict[int, NDArray[np.bool_]] = {}
        self._numbers: dict[int, NDArray[np.float32]] = {}
        self._lock = threading.Lock()

    def wants(self, layer: int, head: int) -> bool:
        return layer <= self._last and head in self._heads

    def take(self, tile: Tile) -> None:
        """Look at one tile: weights [head, row, col]."""
        whole = np.rint(tile.weights.sum(0, dtype=np.float64) * _UNIT).astype(np.int64)
        with self._lock:
            if tile.layer != self._layer:
                self._close(tile.layer)
            at = np.s_[tile.rows.start : tile.rows.stop, tile.cols.start : tile.cols.stop]
            self._sum[at] += whole
            self._seen[at] |= tile.attending_any

    def _close(self, following: int) -> None:
        """A layer has been seen whole: mix it in, and begin the next one."""
        mean = self._sum / (_UNIT * len(self._heads))
        if self._residual is None:
            numbers = mean
        else:
            mixed = with_residual(mean, self._residual)
            numbers = self._mixed = mixed if self._mixed is None else mixed @ self._mixed
        seen = self._seen if self._residual is None else reached(self._reached, self._seen)
        if self._reached is None or not np.array_equal(seen, self._reached):
            self._reached = seen
        if self._layer in self.layers:
            self._numbers[self._layer] = numbers.astype(np.float32)
            self._masks[self._layer] = self._reached
        self._sum[...], self._seen = 0, np.zeros_like(self._seen)
        self._layer = following

    def result(self) -> NDArray[np.float32]:
        """The rollouts (or the means) of the layers asked for, float32 [layer, query, key]."""
        if self._last not in self._numbers:
            self._close(self._layer + 1)
        return np.stack([self._numbers[layer] for layer in self.layers])

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Which inputs can have come to a position, bool [1 or layer, query, key]; after `result`."""
        return one_mask([self._masks[layer] for layer in self.layers])
