"""Attention to a memory whose older part is compressed. Rae 2019, section 3.1.

Tokens older than the memory are pooled by the mean, `rate` to a slot. Keys and values are linear in what is pooled, so
that a slot's key is the mean of its keys; its weight falls equally on its tokens, which is the matrix drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.kernels import softmax_
from attnviz.variants.base import VariantInput

if TYPE_CHECKING:
    from attnviz.variants.base import Array, Bools


def pooled(x: Array, rate: int) -> Array:
    """Means of every `rate` neighbours, the last of what is left: [n, d] -> [ceil(n / rate), d]."""
    starts = np.arange(0, len(x), rate)
    sizes = np.diff([*starts, len(x)]).astype(np.float32)
    means: Array = np.divide(np.add.reduceat(x, starts, axis=0), sizes[:, None])
    return means


@dataclass(frozen=True)
class CompressedMemory:
    """Segments, the memory before each, and slots for all that is older."""

    segment: int
    memory: int
    rate: int

    def weights(self, inputs: VariantInput) -> tuple[Array, Bools | None]:
        weights = np.zeros((inputs.n_heads, inputs.n_query, inputs.n_key), np.float32)
        for head in range(inputs.n_heads):
            keys = _Pool(inputs.k[head], self.rate)
            for rows, recent in self._segments(inputs):
                old = recent.start
                sizes = np.minimum(self.rate, old - np.arange(0, old, self.rate))  # of the slots
                shares = self._shares(inputs, head, keys.before(recent), rows, recent)
                slots = shares[:, : len(sizes)] / sizes.astype(np.float32)
                weights[head, rows.start : rows.stop, :old] = slots.repeat(sizes, axis=1)
                weights[head, rows.start : rows.stop, old : recent.stop] = shares[:, len(sizes) :]
        return weights, np.tri(inputs.n_query, dtype=bool)

    def output(self, inputs: VariantInput, v: Array) -> Array:
        out = np.empty((*inputs.q.shape[:2], v.shape[-1]), np.float32)
        for head in range(inputs.n_heads):
            keys, values = _Pool(inputs.k[head], self.rate), _Pool(v[head], self.rate)
            for rows, recent in self._segments(inputs):
                shares = self._shares(inputs, head, keys.before(recent), rows, recent)
                out[head, rows.start : rows.stop] = shares @ values.before(recent)
        return out

    def _segments(self, inputs: VariantInput) -> Iterator[tuple[range, range]]:
        """Each segment, and the keys that it sees uncompressed."""
        for start in range(0, inputs.n_key, self.segment):
            rows = range(start, min(start + self.segment, inputs.n_key))
            yield rows, range(max(0, start - self.memory), rows.stop)

    def _shares(self, inputs: VariantInput, head: int, keys: Array, rows: range, recent: range) -> Array:
        """Weights [row, slot and recent token]."""
        queries = inputs.q[head, rows.start : rows.stop] * np.float32(inputs.scale)
        scores: Array = np.matmul(queries, keys.T)
        hidden = np.zeros(scores.shape, bool)
        hidden[:, scores.shape[1] - len(recent) :] = np.array(recent) > np.array(rows)[:, None]
        return softmax_(scores, hidden)


class _Pool:
    """Keys or values [n, d], and the means of their whole slots, computed once."""

    def __init__(self, x: Array, rate: int) -> None:
        self.x, self.rate = x, rate
        self.means = pooled(x, rate)

    def before(self, recent: range) -> Array:
        """Slots of all older tokens, then the recent tokens as they are: [slot and recent token, d]."""
        old = recent.start
        whole = old // self.rate
        rest = self.x[whole * self.rate : old]  # a slot that is not full yet
        parts = [self.means[:whole], *([rest.mean(0, keepdims=True)] if len(rest) else [])]
        return np.concatenate([*parts, self.x[old : recent.stop]])
