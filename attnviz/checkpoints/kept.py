"""Parts of quantised matrices, unpacked to whole numbers of 8 bits and kept for further products with one vector.

Unpacking costs as much as the rest of a product with one vector, and a new token needs a product with every matrix.
Kept parts give the same numbers as the file: only memory decides how much of a model they are, and parts that are once
kept stay, since all are read again in the same order. A part is kept when it comes a second time: an expert that reads
one token of a text may never be asked again.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from attnviz.files.memory import free

if TYPE_CHECKING:
    from collections.abc import Hashable

    from attnviz.checkpoints.quants import Grouped


class Kept:
    """Unpacked parts by their place.

    Attributes:
        limit: bytes at most; None: half of what is free when the first part is kept.
        used: bytes that the parts take. left_out: parts that found no room.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit, self.used, self.left_out = limit, 0, 0
        self._parts: dict[Hashable, Grouped] = {}
        self._seen: set[Hashable] = set()
        self._lock = Lock()

    def get(self, place: Hashable) -> Grouped | None:
        """The part of this place, if it is kept."""
        return self._parts.get(place)

    def put(self, place: Hashable, part: Grouped) -> None:
        """Keep a part that has come before, if there is room."""
        with self._lock:
            if place not in self._seen:
                self._seen.add(place)
                return
            if self.limit is None:
                self.limit = free() // 2
            if place in self._parts:
                return
            if self.used + part.nbytes > self.limit:
                self.left_out += 1
                return
            self._parts[place] = part.copy()
            self.used += part.nbytes

    def resize(self, limit: int | None) -> None:
        """Set the limit; what is kept is dropped."""
        with self._lock:
            self._parts.clear()
            self.limit, self.used, self.left_out = limit, 0, 0

    def described(self) -> str:
        """One line about the parts that are kept; "" if none could have been."""
        if not self._parts and not self.left_out:
            return ""
        assert self.limit is not None
        whole = "all" if not self.left_out else f"{len(self._parts):,} of {len(self._parts) + self.left_out:,}"
        return (
            f"quantised weights kept as whole numbers of 8 bits, which are exact: {whole} parts, "
            f"{self.used / 1e6:,.0f} MB of {self.limit / 1e6:,.0f} MB allowed"
        )
