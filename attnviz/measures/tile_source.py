"""The input of a measure: attention that can be observed as often as asked (see `attnviz.models.source`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Tokens

Progress = Callable[[float], None]


class TileSource(Protocol):
    """Attention as a stream of tiles. size: (layers, heads) that a collector must have room for."""

    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def queries(self) -> Tokens: ...
    @property
    def keys(self) -> Tokens: ...
    @property
    def places(self) -> tuple[tuple[int | None, int | None], ...]: ...
    @property
    def positions(self) -> list[tuple[int, int]]: ...
    @property
    def ordered(self) -> bool: ...

    def observe(self, collectors: Sequence[Any], progress: Progress | None = None) -> None:
        """Hand every tile to these collectors once; `progress` gets shares that sum to 1."""

    def pick(self, values: NDArray[Any]) -> NDArray[Any]:
        """[layer, head, ...] of a collector -> the maps asked for."""

    def collect(self, collector: Any, progress: Progress | None = None) -> Any:
        """Observe once; the collector's result, each array in it reduced to the maps asked for."""
