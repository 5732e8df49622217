"""Figure: a picture with nothing left to decide.

A view turns an Attention into a Figure; a renderer turns a Figure into PNG, SVG, PDF or terminal text. All geometry
is in points (1/72 inch) from the figure's top left corner. The terminal ignores the geometry and uses the rest, so
that the two cannot disagree about numbers, labels, limits or titles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from attnviz.files.text import visible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.parts import RunningText
    from attnviz.page.text_metrics import Typeface


@dataclass(frozen=True)
class Box:
    """A rectangle in points: left and top edge, width and height."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Scale:
    """The way from a value to a colour. kind: linear | sqrt | log | row | panel; cmap: a map in render.theme.

    `row` divides each row by its own largest value. `log` runs from `low` (> 0) to `high`. `panel`: each panel has a
    scale of its own. auto: the kind was chosen by the number of keys.
    """

    kind: str = "linear"
    low: float = 0.0
    high: float = 1.0
    cmap: str = "ink"
    label: str = "attention weight"
    auto: bool = False

    def unit(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values [row, column] as positions 0 to 1 on the colour map; values beyond the limits are clipped."""
        values = np.asarray(values, np.float32)
        if self.kind == "row":
            peak = values.max(-1, keepdims=True, initial=0.0)
            values = np.divide(values, peak, out=np.zeros_like(values), where=peak > 0)
            return np.clip(values, 0, 1)
        if self.kind == "log":
            span = np.log(self.high / self.low)
            return np.clip(np.log(np.maximum(values, self.low) / self.low) / span, 0, 1).astype(np.float32)
        unit = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        return np.sqrt(unit) if self.kind == "sqrt" else unit


@dataclass(frozen=True)
class Label:
    """A piece of text whose baseline runs through a point.

    align: left | center | right, along the line of text; rotation: 0 or 90 degrees, anticlockwise.
    role: title | subtitle | heading | row | column | axis | tick | bar | note | text.
    """

    text: str
    x: float
    y: float
    size: float
    align: str = "left"
    rotation: float = 0.0
    weight: str = "normal"  # normal | bold
    tone: str = "ink"  # ink | soft | faint: names in render.theme
    role: str = "text"

    def __post_init__(self) -> None:
        """Make control characters visible: text from an untrusted file can be drawn, and written into XML."""
        object.__setattr__(self, "text", visible(self.text))


@dataclass(frozen=True)
class Line:
    """A straight line from one point to another, over the panels; width in points, tone as for labels.

    rgb: a colour of its own instead of the tone, each part 0 to 255. share: how much of it covers what is under it.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    width: float
    tone: str = "soft"
    rgb: tuple[int, int, int] | None = None
    share: float = 1.0


@dataclass(frozen=True)
class Fill:
    """A rectangle of one colour, each part 0 to 255, under lines and labels."""

    box: Box
    rgb: tuple[int, int, int]


@dataclass(frozen=True)
class Dot:
    """A disc over the lines: its middle and radius in points, its colour as for `Fill`."""

    x: float
    y: float
    radius: float
    rgb: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class MapPanel:
    """One matrix as coloured cells: rows are queries from top to bottom, columns are keys.

    values: float32 [row, column]; hidden: bool [row, column], True where no attending was allowed (drawn grey).
    cell_text: strings [row][column] printed in the cells ('' for none) at `cell_size` points, or () for none at all.
    marks: (row, column) of cells to outline. layer, head: true indices, None where several are in one panel.
    picture: uint8 [row, column, 3] that shows through the cells, each covering an equal part of it; None for none.
    scale: its own, where the panels of a figure do not share one.
    """

    title: str
    values: NDArray[np.float32]
    hidden: NDArray[np.bool_] | None
    row_labels: tuple[str, ...]
    col_labels: tuple[str, ...]
    box: Box
    cell_text: tuple[tuple[str, ...], ...] = ()
    cell_size: float = 0.0
    marks: tuple[tuple[int, int], ...] = ()
    layer: int | None = None
    head: int | None = None
    picture: NDArray[np.uint8] | None = None
    scale: Scale | None = None


@dataclass(frozen=True, eq=False)
class ImagePanel:
    """A picture as it is: uint8 [row, column, 3]. A terminal leaves it out."""

    title: str
    picture: NDArray[np.uint8]
    box: Box


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture: its size, its panels, every label with its place, and what the renderers need beside them.

    caption: the whole of what the picture says about itself in one line of text, printed when the picture is bare.
    notes: one-line remarks that stand on the picture (masked cells, thinned labels, random weights, ...).
    shading: the notes that speak of colours alone, left out where a terminal has none.
    labels, lines, fills, dots: all that is drawn beside the panels and the bar, the title and the notes included.
    images: pictures beside the panels. text: what it draws, if that is a running text, for formats whose words flow.
    bar: the colour bar, lowest colour at the bottom; None if there is none. bar_ticks: (value, place from 0 to 1).
    face: the fonts that the labels were measured with; font: the name of the first.
    """

    width: float
    height: float
    panels: tuple[MapPanel, ...]
    scale: Scale
    title: str = ""
    subtitle: str = ""
    caption: str = ""
    notes: tuple[str, ...] = ()
    shading: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    lines: tuple[Line, ...] = ()
    bar: Box | None = None
    bar_ticks: tuple[tuple[float, float], ...] = ()
    face: Typeface | None = None
    font: str = ""
    font_size: float = 9.0
    dpi: float = 200.0
    svg_text: str = "keep"
    images: tuple[ImagePanel, ...] = ()
    fills: tuple[Fill, ...] = ()
    dots: tuple[Dot, ...] = ()
    text: RunningText | None = None
    meta: dict[str, str] = field(default_factory=dict)

    def remarks(self, shaded: bool) -> list[str]:
        """The notes, without `shading` where nothing is shaded."""
        return [note for note in self.notes if shaded or note not in self.shading]
