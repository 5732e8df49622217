"""The keys that each query may see: causal, sliding window, global tokens, blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Mask:
    """One layer's rule over n_query x n_key positions.

    causal: no key after its query. reach: no key farther away than this many tokens; -1: no limit.
    everywhere: indices of tokens that see all tokens and are seen by all. block: number of tokens in a block; 0: no
    blocks. The first and the last block see all tokens and are seen by all; every other block sees itself, its two
    neighbours, the first and the last (Zaheer 2020, section 3). first: the key that is the same token as the first
    query, if the queries are the last tokens of a longer text. Rows are counted from it: row 0 is the first query.
    """

    n_query: int
    n_key: int
    causal: bool = False
    reach: int = -1
    everywhere: tuple[int, ...] = ()
    block: int = 0
    first: int = 0

    @property
    def skips(self) -> bool:
        """Whether neighbouring rows together reach only some of the keys, so that tiles can skip the rest."""
        return (self.causal or self.reach >= 0) and not (self.everywhere or self.block)

    def reachable(self, rows: range) -> range:
        """One range with every key that any of these rows may see."""
        if self.everywhere or self.block:
            return range(self.n_key)
        rows = self._placed(rows)
        first = max(0, rows.start - self.reach) if self.reach >= 0 else 0
        last = self.n_key if self.reach < 0 else min(self.n_key, rows.stop + self.reach)
        return range(first, min(last, rows.stop) if self.causal else last)

    @lru_cache(maxsize=8)  # noqa: B019  All heads and most layers ask for the same tiles, and a few masks are small.
    def hidden(self, rows: range, cols: range) -> tuple[NDArray[np.bool_], tuple[slice, ...]] | None:
        """The hidden part of a tile, or None if nothing in it is hidden.

        Returns bool [row, col], True where attending is not allowed, and the runs of columns in which anything is
        hidden: a causal mask or a window hides keys only near a tile's ends, however wide the tile is.
        """
        if self.block:
            return self._outside_blocks(rows, cols), (slice(None),)
        n_cols, rows = len(cols), self._placed(rows)
        left, right = 0, n_cols
        if self.reach >= 0:
            left = min(max(rows.stop - 1 - self.reach - cols.start, 0), n_cols)
        ahead = 0 if self.causal else self.reach
        if ahead >= 0:
            right = min(max(rows.start + ahead + 1 - cols.start, 0), n_cols)
        if left == 0 and right == n_cols:
            return None
        runs = [(0, n_cols)] if right <= left else [(0, left), (right, n_cols)]
        spans = tuple(slice(start, stop) for start, stop in runs if start < stop)
        hidden = np.zeros((len(rows), n_cols), bool)
        for span in spans:
            here = range(n_cols)[span]
            distance = np.arange(cols.start + here.start, cols.start + here.stop) - np.array(rows)[:, None]
            if self.reach >= 0:
                hidden[:, span] = np.abs(distance) > self.reach
            if self.causal:
                hidden[:, span] |= distance > 0
        for token in self.everywhere:
            if token in rows:
                hidden[token - rows.start] = False
            if token in cols:
                hidden[:, token - cols.start] = False
        return hidden, spans

    def _placed(self, rows: range) -> range:
        """The positions of these rows in the text."""
        return range(rows.start + self.first, rows.stop + self.first) if self.first else rows

    def _outside_blocks(self, rows: range, cols: range) -> NDArray[np.bool_]:
        row, col = (
            np.arange(rows.start, rows.stop)[:, None] // self.block,
            np.arange(cols.start, cols.stop) // self.block,
        )
        last = (self.n_key - 1) // self.block
        ends = (row == 0) | (row == last) | (col == 0) | (col == last)
        return ~(ends | (np.abs(row - col) <= 1))
