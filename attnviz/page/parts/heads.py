"""Numbers per head: boards, depth, ranked lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.page.parts.part import Part

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
class Boards(Part):
    """Boards of the same layers and heads. layers, heads: names of rows and columns; axes: what these are."""

    boards: tuple[Board, ...]
    layers: Sequence[str]
    heads: Sequence[str]
    axes: tuple[str, str] = ("layer", "head")
    abreast: int | None = None


@dataclass(frozen=True, eq=False)
class Depth(Part):
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
class Bars(Part):
    """A ranked list with two bars a line: the weight in pale blue, the lift in dark blue over it.

    columns: the headings of `head`, `weight` and `lift` in a list where they are something else.
    """

    heading: str
    entries: tuple[Entry, ...]
    columns: tuple[str, str, str] = ("layer.head", "weight", "lift")


@dataclass(frozen=True, eq=False)
class Ranges(Part):
    """The spread of a number over texts, a line per head.

    names: of the lines, `layer.head`. values: [line, 5], the quantiles 5, 25, 50, 75 and 95 %; means: [line]; NaN
    where nothing is known. label: what the number is. low, high: ends of the axis; by default a round number above all.
    """

    heading: str
    names: Sequence[str]
    values: NDArray[Any]
    means: NDArray[Any]
    label: str
    low: float = 0.0
    high: float | None = None


@dataclass(frozen=True, eq=False)
class WordBoard(Part):
    """A word and a number per head. words, values: [row][column]; rows, cols: their names; axes: what these are.

    numbered: a terminal shows the number in front of each word.
    """

    heading: str
    words: Sequence[Sequence[str]]
    values: NDArray[Any]
    rows: Sequence[str]
    cols: Sequence[str]
    axes: tuple[str, str] = ("layer", "head")
    numbered: bool = False
