"""The attention of new tokens to old ones, by head: does it fetch what is copied, does it look back?

Rows belong to new tokens, each the row of the token before it, from which the new one was chosen; columns are all
tokens so far, the context (a prompt, or the text that an encoder read) first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fetched(rows: NDArray[Any], chosen: int, context: Sequence[int]) -> NDArray[np.bool_] | None:
    """Which heads fetched a new token: their strongest weight lies on the same token in the context.

    Args:
        rows: [..., key], the row that the token was chosen from, the context's keys first.
        chosen: the new token's id. context: the ids of the context.

    Returns:
        bool [...], or None where the context has no such token, so that there was nothing to fetch.
    """
    if chosen not in context:
        return None
    places = np.asarray(rows).argmax(-1)
    same = np.zeros(np.shape(rows)[-1], bool)
    same[: len(context)] = np.asarray(context) == chosen
    return same[places]


def looked_back(rows: NDArray[Any], n_context: int) -> NDArray[np.float64] | None:
    """The preference of a head for tokens of the context over new ones: C / (C + N).

    C and N are the mean weights on the context's tokens and on the new ones. float64 [...], from 0 to 1, one half where
    both are alike, NaN where both are 0; None for the first new token, before which there are no new ones.
    Source: Chuang 2024 (Lookback Lens), section 2.1, eq. 1-3.
    """
    rows = np.asarray(rows, np.float64)
    if not 0 < n_context < rows.shape[-1]:
        return None
    old, new = rows[..., :n_context].mean(-1), rows[..., n_context:].mean(-1)
    return np.divide(old, old + new, out=np.full_like(old, np.nan), where=old + new > 0)


class Tally:
    """Both numbers, row by row, so that no map of a long text need be held."""

    def __init__(self, context: Sequence[int], n_layers: int, n_heads: int, one_text: bool = True) -> None:
        """context: its ids. one_text: whether new tokens follow the context, as keys in the same rows."""
        self.context, self._one_text, self._shape = list(context), one_text, (n_layers, n_heads)
        self._fetched: list[NDArray[np.bool_] | None] = []
        self._back: list[NDArray[np.float64] | None] = []

    def add(self, rows: NDArray[Any], chosen: int) -> None:
        """One new token: its row [layer, head, key] over the tokens so far, and its id."""
        self._fetched.append(fetched(rows, chosen, self.context))
        self._back.append(looked_back(rows, len(self.context)) if self._one_text else None)

    @property
    def copied(self) -> int:
        """The number of new tokens that the context has too."""
        return sum(heads is not None for heads in self._fetched)

    def retrieval(self) -> NDArray[np.float64]:
        """The share of copied tokens that a head fetched: float64 [layer, head], NaN where nothing was copied.

        A new token is copied if the context has it too. A head fetched it if its strongest weight lay on that token.
        Source: Wu 2024 (Retrieval Head), section 2, eq. 1, with the whole context as the needle.
        """
        return _mean(self._fetched, self._shape)

    def lookback(self) -> NDArray[np.float64]:
        """The mean of `looked_back` over new tokens: float64 [layer, head]; NaN if keys lack the context."""
        return _mean(self._back, self._shape)


def _mean(tokens: Sequence[NDArray[Any] | None], shape: Sequence[int]) -> NDArray[np.float64]:
    """The mean over the tokens that say something, NaN left out."""
    values = [heads for heads in tokens if heads is not None]
    if not values:
        return np.full(tuple(shape), np.nan)
    stacked = np.asarray(values, np.float64)
    known = ~np.isnan(stacked)
    total, count = np.where(known, stacked, 0).sum(0), known.sum(0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
