"""Maps of queries and keys, and distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.page.parts.part import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from attnviz.attention import Attention


@dataclass(frozen=True, eq=False)
class SignedMap:
    """One matrix of `SignedMaps`. values: [row, column]; hidden: True where no attending was allowed; None: nowhere.

    name: of what it is a map; remark: a number or a few words beside the name.
    """

    name: str
    values: NDArray[Any]
    hidden: NDArray[Any] | None = None
    remark: str = ""


@dataclass(frozen=True, eq=False)
class SignedMaps(Part):
    """Maps of the same rows and columns, on one scale that diverges from 0.

    rows, cols: names of the tokens; label: what the colours show. legend: remarks on colours and names.
    """

    maps: tuple[SignedMap, ...]
    rows: Sequence[str]
    cols: Sequence[str]
    label: str
    legend: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class MapGrid(Part):
    """Every map of an Attention, a panel each. It words its own title, subtitle and notes: the page may leave them ''.

    query: the index of the one query whose row is shown; None for all. marks: (query, key) of cells to outline.
    """

    attention: Attention
    query: int | None = None
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, eq=False)
class MapTable(Part):
    """Maps of several numbers side by side, on one colour scale, except numbers with signs.

    columns: by heading, each an Attention of the same layers, heads and tokens. rows: names of its maps, in order;
    by: what they are, layer or head. label: beside the colour bar.
    """

    columns: Mapping[str, Attention]
    rows: Sequence[str]
    by: str
    label: str


@dataclass(frozen=True, eq=False)
class Distances(Part):
    """Distances between things: a matrix in the order of the dendrogram above it.

    values: [thing, thing], symmetric. names: of the things. order: their positions from one end of the dendrogram to
    the other. joins: (first, second, height); things are 0 to n-1, then joins are n, n+1, ... unit: what a thing is.
    """

    values: NDArray[Any]
    names: Sequence[str]
    order: Sequence[int]
    joins: Sequence[tuple[int, int, float]]
    unit: str
