"""The layout of a grid of equal panels: what it is asked (`Request`), and what it settles, in points (`Sizes`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attnviz.page.figure import Scale
from attnviz.page.scale import number, ticks
from attnviz.page.text_metrics import SMALLEST, tallness

if TYPE_CHECKING:
    from attnviz.page.text_metrics import Typeface

HEADING_LINE = 1.15  # from one line of a heading to the next, in ems
LINE = 1.34  # from one line of text to the next, in ems


@dataclass(frozen=True)
class Axis:
    """One axis of the panels, of queries or of keys.

    cells: of one panel. labels: of the tokens; bold: the labels to stress. name: of the axis. splits: the cells before
    which another text begins. spans: named spans of tokens, (first, last, label).
    """

    cells: int
    labels: tuple[str, ...]
    name: str
    bold: frozenset[int] = frozenset()
    splits: tuple[int, ...] = ()
    spans: tuple[tuple[int, int, str], ...] = ()

    def weight(self, index: int) -> str:
        """Whether a label is bold, as the weight of its font."""
        return "bold" if index in self.bold else "normal"


@dataclass(frozen=True)
class Request:
    """A grid of panels that waits for its layout.

    headings: one per panel, in reading order; per_row: panels abreast. layers: names of the rows of panels if they are
    layers, else (). bar_over: some values lie above the scale. unit: what a label names; `every`: how many it names.
    width, height: points, or None to be chosen; dpi: or None to be chosen. caution: a note where headings say what a
    head does. columns: of layers, each from top to bottom; per_row counts the panels of all of them. page: points that
    a picture whose size is chosen has to fit.
    """

    rows: Axis
    cols: Axis
    headings: tuple[str, ...]
    per_row: int
    face: Typeface
    layers: tuple[str, ...] = ()
    title: str = ""
    subtitles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    scale: Scale = field(default_factory=Scale)
    bar_over: bool = False
    bare: bool = False
    width: float | None = None
    height: float | None = None
    font_size: float | None = None
    dpi: float | None = None
    unit: str = "token"
    every: int = 1
    caution: str = ""
    columns: int = 1
    page: tuple[float, float] | None = None

    @property
    def per_layer(self) -> int:
        return self.per_row // self.columns

    @property
    def panel_rows(self) -> int:
        return math.ceil(math.ceil(len(self.headings) / self.per_layer) / self.columns)

    def place(self, panel: int) -> tuple[int, int]:
        """Row and column of a panel."""
        line, aside = divmod(panel, self.per_layer)
        column, row = divmod(line, self.panel_rows)
        return row, column * self.per_layer + aside


@dataclass
class Side:
    """The cells and labels along one axis, as the layout settles them. Lengths in points.

    cell: side of a cell; gap: between panels. size, step: of the labels: every `step`-th token has one, 0 none of them;
    texts: as much of each label as fits. spans: labels of the spans as they fit.
    """

    size: float
    cell: float = 0.0
    gap: float = 0.0
    step: int = 1
    texts: tuple[str, ...] = ()
    spans: tuple[str, ...] = ()


@dataclass
class Sizes:
    """The sizes that the layout settles. Lengths in points.

    upright: column labels stand on end. aside: room for the names of a further column of layers. reduced: the page, not
    the labels, settles the cells. left, right, top, under: room beside all panels; `under` ends with the name of the
    columns, notes come below it. ticks: room for the numbers of the colour bar. layer_names, headings: as they fit,
    shortened to their numbers if they must be; a heading of two lines has a line break. subtitle_text: the subtitle
    chosen; title, subtitle, notes: their lines; remarks: the notes one by one. labelled: width of the row labels.
    span_size: of the labels of spans.
    """

    base: float
    dpi: float
    margin: float
    rows: Side
    cols: Side
    width: float = 0.0
    upright: bool = True
    headings: tuple[str, ...] = ()
    heading_size: float = 0.0
    layer_names: tuple[str, ...] = ()
    layer_size: float = 0.0
    aside: float = 0.0
    reduced: bool = False
    left: float = 0.0
    right: float = 0.0
    ticks: float = 0.0
    top: float = 0.0
    under: float = 0.0
    title: tuple[str, ...] = ()
    title_size: float = 0.0
    subtitle_text: str = ""
    subtitle: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    text_x: float = 0.0
    span_size: float = 0.0
    labelled: float = 0.0

    @property
    def heading_room(self) -> float:
        """Height of the headings above a panel."""
        most = max((text.count("\n") for text in self.headings), default=0)
        return (1.5 + HEADING_LINE * most) * self.heading_size if any(self.headings) else 0.0

    @property
    def note_size(self) -> float:
        return max(SMALLEST, 0.84 * self.base)

    @property
    def tick_size(self) -> float:
        return max(SMALLEST, 0.89 * self.base)

    @property
    def foot(self) -> float:
        """Height of the notes, with the margin below them."""
        lines = len(self.notes) * leading(self.notes) * self.note_size
        return (0.7 * self.base + lines if self.notes else 0.0) + self.margin


def leading(texts: Sequence[str]) -> float:
    """From one of these lines to the next, in ems."""
    return max(LINE, sum(tallness(texts)) + 0.06)


def bar_width(sizes: Sizes) -> float:
    return min(9.0, 0.95 * sizes.base)


def bar_height(request: Request, sizes: Sizes) -> float:
    """As high as a panel, or higher where a panel is too low for the numbers beside it."""
    panel = sizes.rows.cell * request.rows.cells
    down = request.panel_rows * (panel + sizes.rows.gap) - sizes.rows.gap
    return max(min(down, max(panel, 18.0 * sizes.base)), min(8.0 * sizes.base, down + sizes.under - sizes.base))


def bar_ticks(request: Request, sizes: Sizes) -> list[tuple[float, float]]:
    """(value, place from 0 to 1) of the numbers beside the colour bar."""
    room = int(bar_height(request, sizes) / (1.7 * sizes.tick_size)) + 1
    return ticks(request.scale.kind, request.scale.low, request.scale.high, room)


def tick_texts(request: Request, values: list[tuple[float, float]]) -> list[str]:
    """The colour bar's numbers; the lowest and the highest say so if there are weights beyond them."""
    if request.scale.kind == "panel":
        return ["low", "high"]
    texts = [number(value) for value, _ in values]
    if request.scale.kind == "linear" and request.scale.low > 0 and texts:
        texts[0] = "≤" + texts[0]
    if request.bar_over and texts:
        texts[-1] = "≥" + texts[-1]
    return texts
