"""Points in a plane, two vectors and their products, and small plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.page.parts.part import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Scatter(Part):
    """Points in a plane, both axes on one scale, coloured by group.

    points: [point, 2]; names: beside them where they fit. groups: a number per point; group: what the number is, such
    as the layer, or the names of groups 0 and 1. axes: what the axes show. stressed: points whose names always stand.
    links: (point, point, weight) of lines as thick as the weight, which is at most 1; link: what they show.
    """

    points: NDArray[Any]
    names: Sequence[str]
    groups: Sequence[int]
    group: str | tuple[str, str]
    axes: Sequence[str] = ("", "")
    stressed: tuple[int, ...] = ()
    links: Sequence[tuple[int, int, float]] = ()
    link: str = ""


@dataclass(frozen=True, eq=False)
class DotProduct(Part):
    """Two vectors, their products dimension by dimension, and what follows from the sum of the products.

    names: of the vectors, such as q and k; tokens: whose they are. steps: (operation, number), from the sum on.
    summary: all of it in one line, for a caption.
    """

    names: tuple[str, str]
    tokens: tuple[str, str]
    vectors: tuple[NDArray[Any], NDArray[Any]]
    steps: Sequence[tuple[str, str]]
    summary: str = ""

    @property
    def products(self) -> NDArray[Any]:
        """float64, one per dimension."""
        first, second = self.vectors
        return first.astype(float) * second.astype(float)


@dataclass(frozen=True, eq=False)
class Plot:
    """One small plot. curves: numbers from 0 to 1 against their rank, [n] each. remark: below it."""

    heading: str
    curves: tuple[NDArray[Any], ...]
    remark: str = ""


@dataclass(frozen=True)
class Plots(Part):
    """Small plots side by side. curves: the names of the curves of each, in order."""

    plots: tuple[Plot, ...]
    curves: tuple[str, ...]
