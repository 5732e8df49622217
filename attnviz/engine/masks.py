"""Who may see whom: causal, sliding window, global tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Mask:
    """One layer's rule over n_query x n_key positions.

    causal: no key after its query. reach: no key further than this many tokens away, -1 for no limit.
    everywhere: indices of tokens that see all and are seen by all. block: the first and last block of so many tokens
    see all and are seen by all, the others see their own and their neighbours beside those (Zaheer 2020, section 3).
    """

    n_query: int
    n_key: int
    causal: bool = False
    reach: int = -1
    everywhere: tuple[int, ...] = ()
    block: int = 0

    def reachable(self, rows: range) -> range:
        """The keys that any of these rows may see, as one range."""
        if self.everywhere or self.block:
            return range(self.n_key)
        first = max(0, rows.start - self.reach) if self.reach >= 0 else 0
        last = self.n_key if self.reach < 0 else min(self.n_key, rows.stop + self.reach)
        return range(first, min(last, rows.stop) if self.causal else last)

    def hidden(self, rows: range, cols: range) -> NDArray[np.bool_] | None:
        """bool [row, col], True where attending is not allowed; None where all is allowed."""
        if self.block:
            return self._outside_blocks(rows, cols)
        back = rows.stop - 1 - cols.start  # the largest distance in this tile, to the left and to the right
        ahead = cols.stop - 1 - rows.start
        wide = self.reach < 0 or (back <= self.reach and ahead <= self.reach)
        if wide and not (self.causal and ahead > 0):
            return None
        distance = np.arange(cols.start, cols.stop)[None] - np.arange(rows.start, rows.stop)[:, None]
        hidden = np.zeros(distance.shape, bool) if wide else np.abs(distance) > self.reach
        if self.causal:
            hidden |= distance > 0
        for token in self.everywhere:
            if token in rows:
                hidden[token - rows.start] = False
            if token in cols:
                hidden[:, token - cols.start] = False
        return hidden

    def _outside_blocks(self, rows: range, cols: range) -> NDArray[np.bool_]:
        row, col = (
            np.arange(rows.start, rows.stop)[:, None] // self.block,
            np.arange(cols.start, cols.stop) // self.block,
        )
        last = (self.n_key - 1) // self.block
        ends = (row == 0) | (row == last) | (col == 0) | (col == last)
        return ~(ends | (np.abs(row - col) <= 1))
