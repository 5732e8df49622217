"""Page: what a result looks like before it is a picture: a list of parts that knows nothing of points or pixels.

`page.place` places the parts for PNG, SVG and PDF; `render.printer` prints them in a terminal. A new kind of part
needs an entry in both, a new analysis in neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Board:
    """One number per head, rows are layers from top to bottom, columns are heads.

    values: [layer, head]; NaN is drawn grey. heading: above the board. label: beside the colour bar. signed: colours
    diverge from 0. low, high: ends of the colours; by default 0 and a round number above all values. marks: (row,
    column) of cells to outline. cell_text: texts [row][column] for the cells; None for the numbers where they fit,
    () for none. least: [layer, head], what a head must reach; the number of one that does not is cut where rounding
    would reach it.
    """

    values: NDArray[Any]
    label: str = "weight"
    heading: str = ""
    signed: bool = False
    low: float = 0.0
    high: float | None = None
    marks: tuple[tuple[int, int], ...] = ()
    cell_text: Sequence[Sequence[str]] | None = None
    least: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class Boards:
    """Boards of the same layers and heads. layers, heads: names of rows and columns; axes: what these are."""

    boards: tuple[Board, ...]
    layers: Sequence[str]
    heads: Sequence[str]
    axes: tuple[str, str] = ("layer", "head")
    abreast: int | None = None


@dataclass(frozen=True, eq=False)
class Depth:
    """One number per head against the layer, with a line through the layers' means. values: [layer, head]."""

    values: NDArray[Any]
    layers: Sequence[str]
    label: str


@dataclass(frozen=True)
class Entry:
    """One line of `Bars`: what is ranked, the head where it stands out most, its weight there and its lift."""

    text: str
    head: str
    weight: float
    lift: float


@dataclass(frozen=True)
class Bars:
    """A ranked list with two bars a line: the weight in pale blue, the lift in dark blue over it."""

    heading: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Table:
    """Rows of short texts under a header. align: a letter per column, `l` or `r`. bold: columns to stress."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    align: str
    bold: Sequence[int] = ()


@dataclass(frozen=True)
class Listing:
    """Rows of short words, each with a sentence.

    between: what separates the sentence's items, where it is a list. fold: how many items a window shows; None: all.
    """

    header: Sequence[str]
    rows: Sequence[tuple[Sequence[str], str]]
    between: str = ""
    fold: int | None = None
    styles: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class WordBoard:
    """A word and a number per head. words, values: [row][column]; rows, cols: their names; axes: what these are."""

    heading: str
    words: Sequence[Sequence[str]]
    values: NDArray[Any]
    rows: Sequence[str]
    cols: Sequence[str]
    axes: tuple[str, str] = ("layer", "head")


Part = Boards | Depth | Bars | Table | Listing | WordBoard


@dataclass(frozen=True, eq=False)
class Page:
    """What is shown, from top to bottom.

    notes: one-line remarks below everything. following: pages with titles of their own, which a terminal prints next.
    """

    title: str
    subtitle: str = ""
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    following: tuple[Page, ...] = ()
