"""Heads of different layers, each kept by a collector of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OfPairs:
    """A collector for each (layer, head): no other map of these layers is held, and each has its own head's mask.

    each: the collectors, to be handed to the engine; `result` and `mask` put what they kept side by side.
    """

    def __init__(self, pairs: Sequence[tuple[int, int]], make: Callable[[list[int], list[int]], Any]) -> None:
        """make: layers and heads -> a collector of them, with `mask` [1, query, key] and `result` [1, 1, ...]."""
        self.each = [make([layer], [head]) for layer, head in pairs]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where attending was allowed, bool [pair, query, key]."""
        return np.concatenate([one.mask for one in self.each])

    def result(self) -> NDArray[np.float32]:
        """The weights, float32 [1, pair, query, key]."""
        return np.concatenate([one.result() for one in self.each], axis=1)
