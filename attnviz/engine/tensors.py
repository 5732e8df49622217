"""A model's numbers by name: the protocol that every checkpoint serves, and the part of one stack."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Scoped:
    """The tensors of one stack of a model: every name begins with a prefix."""

    tensors: Tensors
    prefix: str

    def get(self, name: str, shape: tuple[int, ...]) -> Array:
        return self.tensors.get(self.prefix + name, shape)

    def rows(self, name: str, ids: Any, shape: tuple[int, ...]) -> Array:
        return self.tensors.rows(self.prefix + name, ids, shape)

    def has(self, name: str) -> bool:
        return self.tensors.has(self.prefix + name)
