"""Mechanisms side by side: maps, times, and a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.page.parts.part import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention

DISTANCE = (
    "distance, error: mean over queries of half the summed absolute difference from the model's own attention, which "
    "is total variation where rows sum to 1"
)


@dataclass(frozen=True, eq=False)
class Card:
    """One mechanism: its attention in one layer and one head.

    detail: its numbers in words. distance: from the model's own attention. exact: not an approximation.
    """

    name: str
    group: str
    formula: str
    cost: str
    distance: float
    attention: Attention
    detail: str = ""
    exact: bool = True

    @property
    def values(self) -> NDArray[Any]:
        return self.attention.weights[0, 0]

    @property
    def hidden(self) -> NDArray[Any] | None:
        mask = self.attention.mask
        return None if mask is None or mask.all() else ~mask[0]

    @property
    def signed(self) -> bool:
        """Whether some weights are below 0, rounding aside."""
        return bool(self.values.min(initial=0.0) < -1e-6)

    @property
    def keys(self) -> float:
        """The mean number of keys that a query sees."""
        mask = self.attention.mask
        return float(self.values.shape[1]) if mask is None else float(mask[0].sum(-1).mean())

    @property
    def measured(self) -> str:
        """`distance 0.61`, `error 0.43`."""
        value = f"{self.distance:.2f}" if self.distance > 1e-6 else "0"
        return f"{'distance' if self.exact else 'error'} {value}"


@dataclass(frozen=True, eq=False)
class Cards(Part):
    """Kinds of attention on one text, a card with a map each. grouped: cards of one group are under its name.

    left_out: names of kinds that this model or text cannot have.
    """

    cards: tuple[Card, ...]
    grouped: bool = True
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timing:
    """Seconds of one mechanism for n tokens, and the exponent of its fit. setting: its name with its numbers."""

    name: str
    group: str
    setting: str
    cost: str
    n: tuple[int, ...]
    seconds: tuple[float, ...]
    exponent: float


@dataclass(frozen=True)
class Timings(Part):
    """Seconds over tokens, a curve per mechanism; both axes logarithmic, so that n^p is a line of slope p."""

    timings: tuple[Timing, ...]


@dataclass(frozen=True)
class Catalogue(Part):
    """Mechanisms by groups: (name, group, formula, source, cost, whether exact, its numbers as they are typed)."""

    entries: tuple[tuple[str, str, str, str, str, bool, str], ...]
