"""Norms: not how much weight a token gets, but how much of its value arrives.

A head adds to position i, for each token j, the vector a_ij f(x_j) with f(x) = (x W_V + b_V) W_O. A large weight on a
short vector is a small matter. The measures, each [query, key] for a layer:

    weights    a_ij, the mean over heads
    norm       || sum_h a_ij f_h(x_j) ||                                          Kobayashi 2020, section 3
    residual   || T_i(x_j) ||, with the residual stream and the norms behind it   Kobayashi 2021, section 3
    alti       max(0, |y_i|_1 - |y_i - T_i(x_j)|_1), rows divided by their sums   Ferrando 2022, section 3
    zeroing    1 - cos(b_i, b_i without v_j), rows divided by their sums          Mohebbi 2023, section 3
    effective  the weights without what the values cannot tell apart, the mean over heads    Brunner 2020, section 3

T_i(x_j) is what token j puts into y_i, the sublayer's output at i: sum_h a_ij f_h(x_j), and x_i itself for j = i, each
through the linear part of the norms. b_i is the output of the whole block. Single heads have weights, norm
|| a_ij f_h(x_j) || and effective.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.engine.collectors import Sums
from attnviz.engine.observer import Collector, Need

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tile import Tile

    Array = NDArray[np.float32]
    Maps = dict[str, Array]

MEASURES = ("weights", "norm", "residual", "alti", "zeroing", "effective")
OF_HEADS = ("weights", "norm", "effective")
_BESIDE = 1 << 22  # numbers that are held for some rows at a time


def moved(values: NDArray[Any], output: NDArray[Any] | None, n_heads: int) -> NDArray[Any]:
    """f_h(x_j): values [kv head, token, d_head], W_O [d_model, n_heads * d_head] -> [head, token, d_model].

    output: None where the heads side by side are the output.
    """
    n_kv, n, width = values.shape
    shared = values.repeat(n_heads // n_kv, axis=0)
    if output is None:
        wide = np.zeros((n_heads, n, n_heads * width), values.dtype)
        for head in range(n_heads):
            wide[head, :, head * width : (head + 1) * width] = shared[head]
        return wide
    by_head = output.reshape(len(output), n_heads, width).transpose(1, 2, 0)  # [head, d_head, d_model]
    return np.matmul(shared, by_head)


def lengths(weights: NDArray[Any], moved_: NDArray[Any]) -> NDArray[Any]:
    """|| a_ij f_h(x_j) || of each head: [head, query, key], [head, key, d_model] -> [head, query, key].

    Source: Kobayashi 2020, section 3, eq. 4.
    """
    return np.abs(weights) * np.linalg.norm(moved_, axis=-1)[:, None]


def summed(weights: NDArray[Any], moved_: NDArray[Any]) -> NDArray[Any]:
    """sum_h a_ij f_h(x_j): [head, row, key], [head, key, d_model] -> [row, key, d_model]."""
    by_key = np.matmul(weights.transpose(2, 1, 0), moved_.transpose(1, 0, 2))  # [key, row, d_model]
    return by_key.swapaxes(0, 1)


def alti(parts: NDArray[Any], whole: NDArray[Any]) -> NDArray[Any]:
    """Nearness of each part to the whole, by the L1 distance: [row, key, d], [row, d] -> [row, key], rows sum to 1.

    A row of which no part comes nearer than nothing would stays 0.

    Source: Ferrando 2022, section 3.2, eq. 8-9.
    """
    size = np.abs(whole).sum(-1, keepdims=True)
    away = np.abs(whole[:, None] - parts).sum(-1)
    return shares(np.maximum(size - away, 0))


def unlike(before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
    """1 - cos of vectors [..., d]; 0 where one of them is zero. float64. Source: Mohebbi 2023, section 3, eq. 5."""
    a, b = np.asarray(before, np.float64), np.asarray(after, np.float64)
    size = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosine = np.divide((a * b).sum(-1), size, out=np.ones(size.shape), where=size > 0)
    return np.maximum(1 - cosine, 0)


def effective(weights: NDArray[Any], values: NDArray[Any], allowed: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """Weights less their part in the left null space of the values, which moves nothing.

    Args:
        weights: [query, key] of one head. values: [key, d], f_h(x_j) or anything of the same left null space.
        allowed: bool [query, key]; a row may only be changed where it may attend. None: everywhere.

    Returns:
        float64 [query, key] with the same product with the values. Rows may hold negative numbers and need not sum to
        1. With as many independent values as keys it is the weights themselves.

    Source: Brunner 2020, section 3.3, eq. 5-6.
    """
    weights, values = np.asarray(weights, np.float64), np.asarray(values, np.float64)
    projected = weights.copy()
    if allowed is None:
        allowed = np.ones(weights.shape, bool)
    patterns: dict[bytes, list[int]] = {}
    for row, places in enumerate(allowed):
        patterns.setdefault(places.tobytes(), []).append(row)
    free: NDArray[np.bool_] | None = None  # the largest set of keys whose values are known to be independent
    for rows in sorted(patterns.values(), key=lambda rows: -int(allowed[rows[0]].sum())):
        seen = allowed[rows[0]]
        places = np.flatnonzero(seen)
        if not len(places) or (free is not None and not (seen & ~free).any()):
            continue  # every part of an independent set is one
        left, singular, _ = np.linalg.svd(values[places], full_matrices=False)
        least = max(values.shape) * np.finfo(np.float32).eps * singular[0]
        rank = int((singular > least).sum())
        if rank == len(places):
            free = seen if free is None else free
            continue
        at = np.ix_(np.array(rows), places)
        projected[at] = weights[at] @ left[:, :rank] @ left[:, :rank].T
    return projected


def shares(values: NDArray[Any]) -> NDArray[Any]:
    """Rows divided by their sums; a row of zeros stays."""
    total = values.sum(-1, keepdims=True)
    return np.divide(values, total, out=np.zeros_like(values), where=total > 0)


@dataclass(frozen=True, eq=False)
class ShareSums(Sums):
    """A measure in three sums over rows: its shares on special tokens and on the token itself, and half the summed
    absolute difference from the weights (total variation, where rows sum to 1)."""

    special: float
    own: float
    unlike: float
    rows: int

    def result(self) -> tuple[float, float, float]:
        """The three as means over rows."""
        return self.special / self.rows, self.own / self.rows, self.unlike / self.rows


def summary(values: NDArray[Any], weights: NDArray[Any], special: Sequence[bool]) -> ShareSums:
    """The sums of one measure [query, key] beside the weights [query, key]; sums of several texts merge."""
    n_query, n_key = values.shape
    own = float(np.trace(values, dtype=np.float64)) if n_query == n_key else float("nan")
    unlike = 0.5 * float(np.abs(np.asarray(values, np.float64) - weights).sum())
    return ShareSums(float(values[:, np.array(special, bool)].sum(dtype=np.float64)), own, unlike, n_query)


class Moved(Collector):
    """A collector (see engine/collectors.py) that asks each layer, once it has been seen, for these measures.

    layers: of which layers. measures: of all heads together, of MEASURES. heads: single heads too, of which OF_HEADS
    among the measures are found. n: tokens. global_tokens: places whose rows have values of their own.

    together: {measure: {layer: float32 [query, key]}}; by_head: {measure: {layer: float32 [head, query, key]}}; allowed
    {layer: bool [query, key]}.
    """

    needs: frozenset[Need] = frozenset({"v", "vectors", "after_attention"})

    def __init__(
        self,
        layers: Sequence[int],
        measures: Sequence[str],
        n: int,
        n_heads: int,
        heads: Sequence[int] = (),
        global_tokens: Sequence[int] = (),
    ) -> None:
        self.layers, self.measures, self.heads = tuple(layers), tuple(measures), tuple(heads)
        self.together: dict[str, dict[int, Array]] = {name: {} for name in measures}
        self.by_head: dict[str, dict[int, Array]] = {name: {} for name in measures if heads and name in OF_HEADS}
        self.allowed: dict[int, NDArray[np.bool_]] = {}
        self._weights = np.zeros((n_heads, n, n), np.float32)
        self._allowed = np.zeros((n, n), bool)
        self._seen: dict[str, Array] = {}
        self._global = tuple(global_tokens)

    def wants(self, layer: int, head: int) -> bool:
        return layer in self.layers

    def see(self, layer: int, name: str, values: Array) -> None:
        """Keep the values and the heads' outputs."""
        if layer in self.layers and name in ("v", "global_v", "heads"):
            self._seen[name] = values.copy()

    def take(self, tile: Tile) -> None:
        """Keep a tile's weights [head, row, col]."""
        rows, cols = slice(tile.rows.start, tile.rows.stop), slice(tile.cols.start, tile.cols.stop)
        self._weights[tile.heads.start : tile.heads.stop, rows, cols] = tile.weights
        self._allowed[rows, cols] |= tile.attending_any

    def after_attention(self, layer: int, block: Any) -> None:
        """All tiles of the layer have been taken: measure it."""
        n_heads, n, _ = self._weights.shape
        plain = np.array([i for i in range(n) if i not in self._global], np.intp)
        together = {name: np.zeros((n, n), np.float32) for name in self.measures}
        single = {name: np.zeros((len(self.heads), n, n), np.float32) for name in self.by_head}
        for rows, which in ((plain, "v"), (np.array(self._global, np.intp), "global_v")):
            if len(rows):
                values = moved(self._seen[which], block.weight, n_heads)
                self._measure(rows, values, self._seen[which], block, together, single)
        for name, values in together.items():
            self.together[name][layer] = values
        for name, several in single.items():
            self.by_head[name][layer] = several
        self.allowed[layer] = self._allowed.copy()
        self._weights[...], self._allowed[...] = 0, False
        self._seen.clear()

    def _measure(
        self, rows: NDArray[np.intp], values: Array, narrow: Array, block: Any, together: Maps, single: Maps
    ) -> None:
        """These rows of all measures; values: f_h(x_j), narrow: v [kv head, token, d_head], of them."""
        weights = self._weights[:, rows]
        for name, of_heads in self._by_head(weights, narrow, block, rows).items():
            if name in together:
                together[name][rows] = of_heads.mean(0, dtype=np.float64)
            if name in single:
                single[name][:, rows] = of_heads[list(self.heads)]
        if "norm" in single:
            single["norm"][:, rows] = lengths(weights[list(self.heads)], values[list(self.heads)])
        step = max(1, _BESIDE // values[0].size)
        if {"norm", "residual", "alti"} & together.keys():
            for start in range(0, len(rows), step):
                some = rows[start : start + step]
                parts = summed(self._weights[:, some], values)
                if "norm" in together:
                    together["norm"][some] = np.linalg.norm(parts, axis=-1)
                if {"residual", "alti"} & together.keys():
                    parts = block.parts(parts, some)
                if "residual" in together:
                    together["residual"][some] = np.linalg.norm(parts, axis=-1)
                if "alti" in together:
                    together["alti"][some] = alti(parts, block.added[some])
        if "zeroing" in together:
            together["zeroing"][rows] = self._zeroed(rows, narrow, block)

    def _by_head(self, weights: Array, narrow: Array, block: Any, rows: NDArray[np.intp]) -> Maps:
        """weights and effective of every head, [head, row, key]."""
        of_heads: Maps = {}
        if "weights" in self.measures:
            of_heads["weights"] = weights
        if "effective" in self.measures:
            allowed = None if self._allowed.all() else self._allowed[rows]
            values = _narrowed(narrow, block.weight, len(weights))
            pairs = zip(weights, values, strict=True)
            of_heads["effective"] = np.stack([effective(head, value, allowed) for head, value in pairs]).astype(
                np.float32
            )
        return of_heads

    def _zeroed(self, rows: NDArray[np.intp], narrow: Array, block: Any) -> Array:
        """Value zeroing: the block once more for each row and each token that the row attends to, without its value."""
        heads = self._seen["heads"]
        n_heads, n, _ = self._weights.shape
        shared = narrow.repeat(n_heads // len(narrow), axis=0)  # [head, key, d_head]
        whole = block.finish(heads[rows], rows)
        turned = np.zeros((len(rows), n))
        place, key = np.nonzero(self._weights[:, rows].any(0))
        step = max(1, _BESIDE // heads.shape[1])
        for start in range(0, len(place), step):
            at, without = place[start : start + step], key[start : start + step]
            some = rows[at]
            gone = self._weights[:, some, without].T[:, :, None] * shared[:, without].swapaxes(0, 1)
            changed = block.finish(heads[some] - gone.reshape(len(some), -1), some)
            turned[at, without] = unlike(whole[at], changed)
        return shares(turned).astype(np.float32)


def _narrowed(values: Array, output: Array | None, n_heads: int) -> NDArray[Any]:
    """Arrays with the left null spaces of f_h(x_j), and no wider than a head: [head, token, d_head]."""
    n_kv, _, width = values.shape
    shared = values.repeat(n_heads // n_kv, axis=0).astype(np.float64)
    if output is None:
        return shared
    by_head = output.reshape(len(output), n_heads, width).transpose(1, 0, 2)  # W_O of each head, [d_model, d_head]
    triangle: NDArray[np.float64] = np.asarray(np.linalg.qr(by_head.astype(np.float64), mode="r"))
    return np.matmul(shared, triangle.swapaxes(-1, -2))
