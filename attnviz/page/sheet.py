"""A page that is filled from top to bottom: text, maps with names at their sides, colour bars, plots of points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError
from attnviz.page.figure import Box, Dot, Figure, Fill, Label, Line, MapPanel, Scale
from attnviz.page.figure_options import check_pixels
from attnviz.page.layout import ordinal
from attnviz.page.scale import number, ticks
from attnviz.page.sizes import LINE, SMALLEST
from attnviz.page.text_metrics import MIDDLE, Typeface, one_line, typeface
from attnviz.page.wording import font_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import Page

MARGIN, BASE, SMALL = 18.0, 8.6, 6.8  # points: round the page; sizes of text
BAR = 8.0  # the width of a colour bar
BESIDE = 46.0  # room for a colour bar with its numbers and its name
UNDER = 3.0  # how far a colour bar begins below the edge of a map whose heading reaches over it
_STEPS = (1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 100, 200, 500, 1000)


@dataclass
class Words:
    """Title, subtitle and notes of a page, one line each, and the fonts that have all of its characters."""

    title: str
    subtitle: str
    notes: list[str]
    face: Typeface
    options: FigureOptions


def worded(page: Page, options: FigureOptions, texts: Sequence[str], notes: Sequence[str] = ()) -> Words:
    """Title, subtitle and notes as they can be drawn: the page's notes after the layout's own.

    texts: of the page's parts. notes: more may be added to the sheet's before it is `finished`.

    Raises SelectionError: no such font.
    """
    title, subtitle = one_line(page.title), one_line(page.subtitle)
    remarks = [one_line(note) for note in (*notes, *page.notes)]
    face = typeface(options.font, [title, subtitle, *remarks, *texts])
    return Words(title, subtitle, [*remarks, *filter(None, [font_note(face)])], face, options)


@dataclass
class Sheet:
    """The panels, labels and lines placed so far on a page of `wide` points; `y` is where the next thing goes."""

    words: Words
    wide: float
    y: float = field(init=False)
    panels: list[MapPanel] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    step: int = 1  # every how many rows or columns one is named, at most
    margin: float = MARGIN
    indent: float = 0.0  # of title and notes, from the margin
    base: float = BASE  # size of an ordinary label
    small: float = SMALL  # size of the notes
    foot: float = MARGIN - 6.0  # points below the notes
    scale: Scale | None = None  # of the panels that have none of their own
    bar_box: Box | None = None  # the colour bar of this scale, and its (value, place from 0 to 1)
    bar_ticks: Sequence[tuple[float, float]] = ()

    def __post_init__(self) -> None:
        self.y, self.face, self.notes = self.margin, self.words.face, self.words.notes

    def thinning(self, unit: str) -> list[str]:
        """A remark that not every row and column drawn since the last call has its name, if that is so."""
        step, self.step = self.step, 1
        return [f"every {ordinal(step)} {unit} is named beside the map"] if step > 1 else []

    def text(
        self, text: str, size: float = SMALL, room: float | None = None, x: float | None = None, **how: Any
    ) -> None:
        """A paragraph of its own, as wide as the page or as `room`."""
        x = self.margin + self.indent if x is None else x
        room = self.wide - x - self.margin if room is None else room
        for line in self.face.wrap(text, size, room, how.get("weight", "normal")) if text else []:
            self.labels.append(Label(line, x, self.y + 0.8 * size, size, **how))
            self.y += LINE * size

    def head(self, size: float = 12.0, shrink: bool = True) -> None:
        """Title and subtitle. shrink: the title becomes a little smaller where that spares a line."""
        title = self.words.title
        room, width = self.wide - 2 * max(MARGIN, self.margin) - self.indent, self.face.width(title, size, "bold")
        size = (size - 0.01) * room / width if shrink and room < width <= 1.2 * room else size
        self.text(title, size, weight="bold", role="title")
        self.text(self.words.subtitle, 9.0, tone="soft", role="subtitle")
        self.y += 6.0

    def word(self, text: str, x: float, y: float, size: float = SMALL, align: str = "left", **how: Any) -> None:
        """One line of text with its baseline at y."""
        self.labels.append(Label(text, x, y, size, align, **how))

    def frame(self, box: Box, width: float, tone: str) -> None:
        """A line around a box."""
        right, bottom = box.x + box.width, box.y + box.height
        for x0, y0, x1, y1 in (
            (box.x, box.y, right, box.y),
            (box.x, bottom, right, bottom),
            (box.x, box.y, box.x, bottom),
            (right, box.y, right, bottom),
        ):
            self.lines.append(Line(x0, y0, x1, y1, width, tone))

    def map(
        self,
        values: NDArray[Any],
        box: Box,
        scale: Scale | None,
        *,
        title: str,
        heading: str = "",
        room: float | None = None,
        hidden: NDArray[np.bool_] | None = None,
        rows: Sequence[str] = (),
        cols: Sequence[str] = (),
        shown: tuple[bool, bool] = (True, True),
        printed: Sequence[Sequence[str]] = (),
        upright: bool | None = None,
        marks: Sequence[tuple[int, int]] = (),
        at: tuple[int | None, int | None] = (None, None),
    ) -> None:
        """A matrix in a box. scale: its own; None: that of the page.

        Args:
            title: what a terminal and an SVG call it. heading: above it; room: points that it has, if few.
            rows, cols: names of rows and columns; shown: whether they are drawn at the left and below.
            printed: texts for the cells, drawn where they fit.
            upright: whether the columns' names are on end; None: where they do not fit lying.
            marks: (row, column) of cells to outline. at: layer and head.
        """
        high, wide = box.height / values.shape[0], box.width / values.shape[1]
        if heading:
            most = max(box.width + 8.0, 130.0) if room is None else room
            text, size = self.face.shrunk(heading, BASE, most, "bold")
            self.word(text, box.x, box.y - 4.0, size, weight="bold", tone="soft", role="heading")
        if shown[0] and rows:
            self.row_names(rows, box)
        if shown[1] and cols:
            self.column_names(cols, box, upright)
        texts, size = self._printed(printed, wide, high)
        self.panels.append(
            MapPanel(
                title=title,
                values=np.asarray(values, np.float32),
                hidden=hidden,
                row_labels=tuple(rows) or ("",) * values.shape[0],
                col_labels=tuple(cols) or ("",) * values.shape[1],
                box=box,
                cell_text=texts,
                cell_size=size,
                marks=tuple(marks),
                layer=at[0],
                head=at[1],
                scale=scale,
            )
        )

    def _printed(
        self, texts: Sequence[Sequence[str]], wide: float, high: float
    ) -> tuple[tuple[tuple[str, ...], ...], float]:
        widest = max((self.face.width(text, 1.0) for row in texts for text in row if text), default=0.0)
        size = min(0.84 * wide / widest, 0.6 * high, BASE) if widest else 0.0
        return (tuple(map(tuple, texts)), size) if size >= SMALLEST else ((), 0.0)

    def row_names(self, names: Sequence[str], box: Box, stressed: frozenset[int] = frozenset()) -> None:
        """Names at the left of a box, thinned where there is no room; the names of stressed rows are always there."""
        size, step = fitting(box.height / len(names))
        self.step = max(self.step, step)
        free = {i for i in range(0, len(names), step) if all(abs(i - row) >= step for row in stressed)}
        for i in sorted(free | stressed):
            y = box.y + (i + 0.5) * box.height / len(names) + MIDDLE * size
            weight = "bold" if i in stressed else "normal"
            self.word(names[i], box.x - 4.0, y, size, "right", weight=weight, role="row")

    def column_names(self, names: Sequence[str], box: Box, upright: bool | None = None) -> float:
        """Names below a box, on end where they do not fit; returns the room that they take."""
        cell, top = box.width / len(names), box.y + box.height
        size, step = fitting(cell)
        widest = max(self.face.width(name, SMALL) for name in names)
        if upright is None:
            upright = widest > cell - 2.0
        if not upright:
            size = SMALL
            step = every((widest + 2.0) / cell)
        self.step = max(self.step, step)
        for i in range(0, len(names), step):
            x = box.x + (i + 0.5) * cell
            if upright:
                self.word(names[i], x + MIDDLE * size, top + 4.0, size, "right", rotation=90.0, role="column")
            else:
                self.word(names[i], x, top + 4.0 + 0.75 * size, size, "center", role="column")
        return below(self.face, names, cell, upright)

    def bar(self, scale: Scale, x: float, y: float, high: float, above: bool = False) -> None:
        """A colour bar with its numbers and its name. above: some values lie above the scale."""
        marks = ticks(scale.kind, scale.low, scale.high, int(high / (1.8 * SMALL)) + 1)
        name = self.face.cut(scale.label, BASE, high + 10.0)
        self.beside_bar(Box(x, y, BAR, high), marks, name, SMALL, BASE, 1.2 * BASE, above)
        self.panels.append(bar_panel(scale, Box(x, y, BAR, high)))

    def beside_bar(
        self,
        bar: Box,
        ticks: Sequence[tuple[float, float]],
        name: str,
        size: float,
        name_size: float,
        gap: float,
        above: bool = False,
    ) -> None:
        """The ticks of a colour bar with their numbers, and its name on end.

        Args:
            ticks: (value, place from 0 to 1). size, name_size: of numbers and name, in points.
            gap: from the numbers to the name's baseline. above: some values lie above the scale.
        """
        edge = bar.x + bar.width
        texts = [number(value).replace("-", "−") for value, _ in ticks]
        texts[-1] = f"{'≥' if above else ''}{texts[-1]}"
        for (_, place), text in zip(ticks, texts, strict=True):
            y = bar.y + bar.height * (1 - place)
            self.lines.append(Line(edge, y, edge + 2.0, y, 0.6))
            self.word(text, edge + 4.0, y + 0.36 * size, size, role="tick")
        x = edge + 4.0 + max(self.face.width(text, size) for text in texts) + gap
        self.word(name, x, bar.y + bar.height / 2, name_size, "center", rotation=90, tone="soft", role="bar")


def bar_panel(scale: Scale, box: Box) -> MapPanel:
    """The colours of a scale, the largest value on top."""
    values = np.linspace(scale.high, scale.low, 64, dtype=np.float32)[:, None]
    return MapPanel(f"bar {scale.label}", values, None, ("",) * 64, ("",), box, scale=scale)


def started(
    words: Words, wide: float, *, least: float = 0.0, title_size: float = 12.0, shrink: bool = True, **sizes: Any
) -> Sheet:
    """A sheet as wide as the options ask, else of `wide` points, with title and subtitle on it.

    least: points below which nothing can be drawn. shrink: the title becomes a little smaller where that spares a line.
    sizes: of the `Sheet`.

    Raises SelectionError: it is narrower than `least`.
    """
    sheet = Sheet(words, wide if words.options.width is None else words.options.width * 72.0, **sizes)
    if sheet.wide < least:
        raise no_room(sheet.wide, ask="ask for 3 or more")
    sheet.head(title_size, shrink)
    return sheet


def no_room(wide: float, what: str = "", ask: str = "ask for a larger one") -> SelectionError:
    """The error of a page of `wide` points. what: as in ` for a map`."""
    return SelectionError(f"a width of {wide / 72:.4g} in leaves no room{what}", ask)


def finished(sheet: Sheet, summary: str = "") -> Figure:
    """The page with its notes below. summary: what its caption says beside title, subtitle and notes.

    Raises SelectionError: the picture would have too many pixels.
    """
    words, options = sheet.words, sheet.words.options
    sheet.text(" · ".join(words.notes), sheet.small, tone="soft", role="note")
    dots = options.dpi or 200.0
    check_pixels(sheet.wide, sheet.y, dots)
    parts = [part.rstrip(".") for part in (words.title, words.subtitle, summary, *words.notes) if part]
    pixel = 72.0 / dots
    return Figure(
        width=sheet.wide,
        height=math.ceil((sheet.y + sheet.foot) / pixel) * pixel,
        panels=tuple(sheet.panels),
        scale=sheet.scale or next((panel.scale for panel in sheet.panels if panel.scale), Scale()),
        title=words.title,
        subtitle=words.subtitle,
        caption=one_line(". ".join(parts) + "."),
        notes=tuple(words.notes),
        labels=tuple(sheet.labels),
        lines=tuple(sheet.lines),
        fills=tuple(sheet.fills),
        dots=tuple(sheet.dots),
        bar=sheet.bar_box,
        bar_ticks=tuple(sheet.bar_ticks),
        face=sheet.face,
        font=sheet.face.family,
        font_size=sheet.base,
        dpi=dots,
        svg_text=options.svg_text,
    )


def fitting(cell: float) -> tuple[float, int]:
    """Size of names, and every how many cells one is named."""
    size = min(7.4, 0.9 * cell)
    if size >= SMALLEST:
        return size, 1
    return SMALLEST, every(1.15 * SMALLEST / cell)


def every(needed: float) -> int:
    """Every how many names there is room for one that needs the room of `needed` cells."""
    return next((step for step in _STEPS if step >= needed), _STEPS[-1])


def below(face: Typeface, names: Sequence[str], cell: float, upright: bool | None = None) -> float:
    """Room that names under a map of such cells take."""
    widest = max((face.width(name, SMALL) for name in names), default=0.0)
    if upright is None:
        upright = widest > cell - 2.0
    if not upright:
        return 4.0 + LINE * SMALL
    size, step = fitting(cell)
    return 6.0 + max((face.width(name, size) for name in names[::step]), default=0.0)


def beside(face: Typeface, names: Sequence[str], cell: float) -> float:
    """Room that names at the left of a map of such cells take."""
    size, step = fitting(cell)
    return 6.0 + max((face.width(name, size) for name in names[::step]), default=0.0)
