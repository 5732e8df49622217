"""Where a model's numbers come from: the protocol that every checkpoint serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]


class Tensors(Protocol):
    """A model's numbers by canonical name, read when asked for."""

    def get(self, name: str, shape: tuple[int, ...]) -> Array:
        """float32 of exactly this shape."""

    def rows(self, name: str, ids: Any, shape: tuple[int, ...]) -> Array:
        """Only the rows of these ids (or words) of a table of this shape."""

    def has(self, name: str) -> bool:
        """Whether there is such a tensor."""
