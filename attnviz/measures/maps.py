"""Properties of a model's maps, measured in tiles as they pass: no map is kept."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.engine.observer import Collector
from attnviz.engine.ops import entropy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tile import Tile

FEW = 2  # keys
LEAST_KEYS = 4  # rows with fewer keys say nothing about a head
LEAST_ROWS = 4  # a head of which fewer such rows are known is not judged: two rows may agree by chance
_STEP = 1e-5  # weights that differ by less count as the same


@dataclass(frozen=True, eq=False)
class HeadFacts:
    """Means over the rows that can see LEAST_KEYS keys or more, all [layer, head].

    uniform: entropy as a share of the uniform row's. top: the largest weight. sink: mass on the first and the special
    tokens. focus: largest share of rows whose largest weight is on one and the same key. few: mass on the FEW keys that
    the head attends to most over all rows, whatever the query. rows: how many were judged, of all heads.
    """

    uniform: NDArray[np.float64]
    top: NDArray[np.float64]
    sink: NDArray[np.float64]
    focus: NDArray[np.float64]
    few: NDArray[np.float64]
    rows: int


class Maps(Collector):
    """A collector (see engine/collectors.py) of what `measures.check` judges; memory grows with the
    text, not with its square.

    By head, [layer, head]: odd, weights that are NaN or infinite; least and most, the smallest and largest weight;
    behind, the largest one where attending is not allowed; limited, whether some keys are hidden; later, the mass on
    keys after their query. By row and column: row_sums and row_seen [layer, head, query], column_sums
    [layer, head, key].
    """

    def __init__(self, n_layers: int, n_heads: int, n_query: int, n_key: int, special: NDArray[np.bool_]) -> None:
        """special: bool [key], True for special tokens."""
        heads = (n_layers, n_heads)
        self.n_query, self.n_key = n_query, n_key
        self.odd = np.zeros(heads, np.int64)
        self.least, self.most = np.full(heads, np.inf), np.full(heads, -np.inf)
        self.behind, self.later = np.zeros(heads), np.zeros(heads)
        self.limited = np.zeros(heads, bool)
        self.row_sums, self.row_seen = np.zeros((*heads, n_query)), np.zeros((*heads, n_query), bool)
        self.column_sums = np.zeros((*heads, n_key))
        self._sinks = np.array(special, bool)
        self._sinks[0] = True
        self._judged = np.zeros(heads, np.int64)
        self._sums = np.zeros((3, *heads))  # uniform, top, sink
        self._peaks = np.zeros((*heads, n_key), np.int32)
        self._mass = np.zeros((*heads, n_key))  # on each key, over the judged rows
        self._digests = [[blake2b(digest_size=16) for _ in range(n_heads)] for _ in range(n_layers)]

    def take(self, tile: Tile) -> None:
        for place, head in enumerate(tile.heads):
            at = (tile.layer, head)
            self._take(at, tile.weights[place], tile.attending(place), tile.rows, tile.cols)

    def _take(
        self, at: tuple[int, int], weights: NDArray[Any], allowed: NDArray[np.bool_], rows: range, cols: range
    ) -> None:
        whole = len(cols) == self.n_key
        finite = np.isfinite(weights)
        self.odd[at] += weights.size - np.count_nonzero(finite)
        if not finite.all():
            return
        # Keys beyond the tile have the weight 0.
        self.least[at] = min(self.least[at], weights.min(), *(() if whole else (0.0,)))
        self.most[at] = max(self.most[at], weights.max())
        if not allowed.all():
            self.behind[at] = max(self.behind[at], weights.max(where=~allowed, initial=0.0))
            self.limited[at] = True
        self.limited[at] |= not whole
        here, there = slice(rows.start, rows.stop), slice(cols.start, cols.stop)
        sums = weights.sum(-1, dtype=np.float64)
        counts = np.count_nonzero(allowed, axis=-1)
        self.row_sums[at][here], self.row_seen[at][here] = sums, counts > 0
        self.column_sums[at][there] += weights.sum(0, dtype=np.float64)
        ahead = np.arange(cols.start, cols.stop) > np.arange(rows.start, rows.stop)[:, None]
        self.later[at] += weights.sum(dtype=np.float64, where=ahead)
        self._judge(at, weights, sums, counts, there)
        written = np.zeros((len(rows), self.n_key), np.int32)
        written[:, there] = np.rint(weights / np.float32(_STEP))
        self._digests[at[0]][at[1]].update(written.data)

    def _judge(
        self, at: tuple[int, int], weights: NDArray[Any], sums: NDArray[Any], counts: NDArray[Any], cols: slice
    ) -> None:
        """Add what the rows with keys enough say about their head."""
        rows = (counts >= LEAST_KEYS) & (sums > 0)
        if not rows.any():
            return
        part = weights[rows].astype(np.float64)
        part /= part.sum(-1, keepdims=True)
        self._judged[at] += len(part)
        self._sums[(0, *at)] += (entropy(part) / np.log(counts[rows])).sum()
        self._sums[(1, *at)] += part.max(-1).sum()
        self._sums[(2, *at)] += part[:, self._sinks[cols]].sum()
        self._mass[at][cols] += part.sum(0)
        self._peaks[at][cols] += np.bincount(part.argmax(-1), minlength=part.shape[1]).astype(np.int32)

    def head_facts(self) -> HeadFacts:
        """The properties of each head; 0 for a head without a row to judge."""
        rows = np.maximum(self._judged, 1)
        uniform, top, sink = self._sums / rows
        few = np.sort(self._mass, axis=-1)[..., -FEW:].sum(-1) / rows
        return HeadFacts(uniform, top, sink, self._peaks.max(-1) / rows, few, int(self._judged.sum()))

    def twins(self, but: NDArray[np.bool_] | None = None) -> int:
        """The number of heads with the map of an earlier one, to 1e-5, without the heads in `but`, [layer, head]."""
        digests = [
            digest.digest()
            for layer, heads in enumerate(self._digests)
            for head, digest in enumerate(heads)
            if but is None or not but[layer, head]
        ]
        return len(digests) - len(set(digests))
