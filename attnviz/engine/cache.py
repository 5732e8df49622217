"""Keys and values of the tokens that a stack has read, so that a longer text costs only what is new in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.project import Heads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

FIRST_ROOM = 64  # tokens that a layer has room for beyond its first text


class Cache:
    """Keys and values of one text, layer by layer: k and v [kv head, token, d_head], turned by position."""

    def __init__(self) -> None:
        self._k: dict[int, Array] = {}
        self._v: dict[int, Array] = {}
        self._n: dict[int, int] = {}
        self._memory: dict[int, Heads] = {}

    def grown(self, layer: int, heads: Heads) -> Heads:
        """Add the new tokens' keys and values; return the new queries with the keys and values of all tokens so far."""
        assert heads.v is not None
        before, new = self._n.get(layer, 0), heads.k.shape[1]
        after = before + new
        for store, values in ((self._k, heads.k), (self._v, heads.v)):
            kept = store.get(layer)
            if kept is None or kept.shape[1] < after:
                room = np.empty((values.shape[0], max(2 * before, after + FIRST_ROOM), values.shape[2]), np.float32)
                if kept is not None:
                    room[:, :before] = kept[:, :before]
                store[layer] = room
            store[layer][:, before:after] = values
        self._n[layer] = after
        return Heads(heads.q, self._k[layer][:, :after], self._v[layer][:, :after])

    def memory(self, layer: int) -> Heads | None:
        """Keys and values of the other stack's output, once they are computed."""
        return self._memory.get(layer)

    def remember(self, layer: int, heads: Heads) -> None:
        """Keep the keys and values of the other stack's output."""
        self._memory.setdefault(layer, heads)

    def shorten(self, n: int) -> None:
        """Forget the keys and values of all but the first n tokens."""
        for layer, kept in self._n.items():
            self._n[layer] = min(kept, n)

    def forget_text(self) -> None:
        """Forget the text's keys and values. Keys and values of the other stack's output stay."""
        self._k.clear()
        self._v.clear()
        self._n.clear()
