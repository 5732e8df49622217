"""Canvas: a page that is drawn downwards, a block at a time: text, matrices with numbers, frames, arrows and labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError
from attnviz.page.cut import Cut
from attnviz.page.figure import Box, Figure, Label, Line, MapPanel, Scale
from attnviz.page.fitted import scaled
from attnviz.page.layout import ordinal
from attnviz.page.scale import INKS, WHITE, round_up
from attnviz.page.sizes import LINE
from attnviz.page.text_metrics import LOST, MIDDLE, Typeface, one_line, printable, typeface
from attnviz.page.wording import font_note

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from attnviz.measures.steps import Steps
    from attnviz.measures.steps_formulas import Step
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import Page

BASE, SMALL, LEAST = 8.5, 7.0, 4.6  # points: titles, formulas and labels, the smallest number in a cell
ROW_ROOM = 66.0  # points for the names of rows
SIGNS = "0123456789-−+.,…⋮√Σ‖∞←→·^⁰¹²³⁴⁵⁶⁷⁸⁹ᵀ|≥“”e"
_PIXELS = 200_000_000
_HEAD = 2.4  # points, the sides of an arrow's head


class Canvas:
    """What has been placed so far; `y` is where the next block begins, in points from the top.

    largest: points of the largest number in a cell.
    """

    def __init__(self, steps: Steps, face: Typeface, decimals: int, largest: float) -> None:
        self.steps, self.face, self.decimals, self.largest = steps, face, decimals, largest
        self.panels: list[MapPanel] = []
        self.labels: list[Label] = []
        self.lines: list[Line] = []
        self.notes: list[str] = []
        self.every: set[int] = set()  # one in so many tokens is labelled
        self.matrices: dict[str, list[str]] = {}  # which rows and columns are drawn -> of which matrices
        self.y = 0.0

    # Text

    def text(self, text: str, x: float, size: float, **how: Any) -> None:
        """A line of its own."""
        self.put(text, x, self.y + 0.8 * size, size, **how)
        self.y += LINE * size

    def put(self, text: str, x: float, y: float, size: float, **how: Any) -> None:
        """A text whose baseline lies at y."""
        if text:
            self.labels.append(Label(text, x, y, size, **how))

    def header(self, step: Step, x: float, room: float, y: float, formulas: bool = True) -> float:
        """Number, title and formulas of a step within `room` points; returns where they end."""
        self.put(step.label, x, y + 0.8 * BASE, BASE, weight="bold", tone="mark")
        indent = self.face.width(step.label, BASE, "bold") + 4.0
        title = self.face.cut(step.title, BASE, room - indent, "bold")
        self.put(title, x + indent, y + 0.8 * BASE, BASE, weight="bold")
        return self.formulas(step.lines if formulas else (), x, room, y + LINE * BASE)

    def formulas(self, lines: Iterable[tuple[str, str]], x: float, room: float, y: float) -> float:
        """Formulas with their shapes below them; returns where they end."""
        for text, tone in ((text, tone) for line in lines for text, tone in zip(line, ("soft", "faint"), strict=True)):
            for part in self.face.wrap(text, SMALL, room) if text else ():
                self.put(part, x, y + 0.8 * SMALL, SMALL, tone=tone)
                y += LINE * SMALL
        return y

    def row_names(self, texts: Sequence[str], box: Box, bold: int | None = None) -> None:
        """Token labels at the left of a map, as many as there is room for."""
        high = box.height / len(texts)
        size = min(SMALL, 0.95 * high) if high >= LEAST else LEAST
        step = self._thinned(size, high)
        shown = {i for i in range(0, len(texts), step) if bold is None or abs(i - bold) * high > size}
        for i in sorted(shown | ({bold} if bold is not None else set())):
            weight, tone = ("bold", "ink") if i == bold else ("normal", "soft")
            text = self.face.cut(printable(texts[i]), size, ROW_ROOM - 6.0, weight)
            y = box.y + (i + 0.5) * high + MIDDLE * size
            self.put(text, box.x - 4.0, y, size, align="right", weight=weight, tone=tone, role="row")

    def col_names(self, texts: Sequence[str], box: Box) -> float:
        """Token labels below a map, on end unless they fit; returns where they end."""
        wide, bottom = box.width / len(texts), box.y + box.height
        names = [self.face.cut(printable(text), SMALL, 52.0) for text in texts]
        longest = max(self.face.width(text, SMALL) for text in names)
        if longest <= wide - 3.0:
            for i, text in enumerate(names):
                x = box.x + (i + 0.5) * wide
                self.put(text, x, bottom + 9.0, SMALL, align="center", tone="soft", role="column")
            return bottom + 12.0
        size = min(SMALL, 0.95 * wide) if wide >= LEAST else LEAST
        for i in range(0, len(texts), self._thinned(size, wide)):
            x = box.x + (i + 0.5) * wide + MIDDLE * size
            self.put(names[i], x, bottom + 4.0, size, align="right", rotation=90, tone="soft", role="column")
        return bottom + 6.0 + longest * size / SMALL

    def _thinned(self, size: float, cell: float) -> int:
        """One in so many names has room beside cells of that side."""
        step = max(1, math.ceil(1.05 * size / cell))
        self.every |= {step} - {1}
        return step

    def thinning(self) -> list[str]:
        """What the page says about rows, columns and labels that are not there."""
        drawn = [f"{which} of {', '.join(names)} is drawn" for which, names in self.matrices.items()]
        if not self.every:
            return drawn
        ends = sorted({min(self.every), max(self.every)})
        return [*drawn, f"labels: every {' to every '.join(ordinal(step) for step in ends)} token"]

    # Lines

    def arrow(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """A straight arrow, level or upright, from one point to another."""
        self.lines.append(Line(x0, y0, x1, y1, 0.8))
        along, up = np.sign(x1 - x0) * _HEAD, np.sign(y1 - y0) * _HEAD
        for side in (-0.7, 0.7):
            self.lines.append(Line(x1, y1, x1 - along + side * up, y1 - up + side * along, 0.8))

    def frame(self, box: Box, row: int = 0, rows: int = 1) -> None:
        """A line around one row of a map: the chosen query's."""
        high = box.height / rows
        top, bottom, right = box.y + row * high, box.y + (row + 1) * high, box.x + box.width
        for x0, y0, x1, y1 in (
            (box.x, top, right, top),
            (box.x, bottom, right, bottom),
            (box.x, top, box.x, bottom),
            (right, top, right, bottom),
        ):
            self.lines.append(Line(x0, y0, x1, y1, 1.2, "mark"))

    # Matrices

    def map(self, values: NDArray[Any], box: Box, scale: Scale, hidden: NDArray[np.bool_] | None = None) -> None:
        """A whole matrix [row, column] within a box."""
        rows, cols = values.shape
        self.block("", values, box.x, box.y, Cut.whole(cols, box.width), Cut.whole(rows, box.height), scale, hidden)

    def block(
        self,
        name: str,
        values: NDArray[Any],
        x: float,
        y: float,
        across: Cut,
        down: Cut,
        scale: Scale | None = None,
        hidden: NDArray[np.bool_] | None = None,
        instead: str = "",
    ) -> Box:
        """A matrix [row, column] as cells with numbers, cut on both sides.

        name: of its panels, for an SVG. scale: signed, up to the largest of all values, unless another is given.
        hidden: cells drawn grey, with the text `instead` in them. Returns the box of the whole block.
        """
        finite = np.isfinite(values)
        gone = ~finite if hidden is None else hidden | ~finite
        scale = scale or signed(values)
        shown = np.where(finite, values, 0.0).astype(np.float32)
        at = np.ix_(down.indices, across.indices)
        texts, size = self._numbers(shown[at], gone[at], across.cell, down.cell, instead)
        top = 0
        for rows, dy in down.runs:
            first = 0
            for cols, dx in across.runs:
                box = Box(x + dx, y + dy, len(cols) * across.cell, len(rows) * down.cell)
                part = np.s_[rows.start : rows.stop, cols.start : cols.stop]
                cells = tuple(row[first : first + len(cols)] for row in texts[top : top + len(rows)])
                masked = gone[part] if gone[part].any() else None
                self.panels.append(MapPanel(name, shown[part], masked, (), (), box, cells, size, scale=scale))
                first += len(cols)
            top += len(rows)
            for dx in across.gaps():
                middle = y + dy + len(rows) * down.cell / 2
                self.put("…", x + dx, middle + 0.1 * SMALL, SMALL, align="center", tone="soft")
        return Box(x, y, across.length, down.length)

    def _numbers(
        self, values: NDArray[Any], gone: NDArray[np.bool_], cell: float, row: float, instead: str
    ) -> tuple[tuple[tuple[str, ...], ...], float]:
        """Texts for cells and their size in points, with fewer decimals where the cells are narrow; none if none fit.

        Numbers that are all below 0.1 get another decimal, and lose the 0 before the point.
        """
        if 0.7 * row < LEAST or 0.9 * cell < LEAST / 2:  # A map of a long text has a million cells, without numbers.
            return (), 0.0
        top = float(np.abs(values[~gone]).max(initial=0.0))
        small = 0.0 < top < 0.1
        for decimals in range(self.decimals + small if self.decimals else 0, 0, -1):
            texts = cell_numbers(values, gone, decimals, instead, small)
            widest = max((self.face.width(text, 1.0) for line in texts for text in line), default=0.0) or 1.0
            size = min(self.largest, 0.9 * cell / widest, 0.7 * row)
            if size >= LEAST:
                return texts, size
        return (), 0.0


def cell_numbers(
    values: NDArray[Any], gone: NDArray[np.bool_], decimals: int, instead: str = "", small: bool = False
) -> tuple[tuple[str, ...], ...]:
    """Numbers for cells, `instead` where there is none; without decimals if all are whole.

    small: without the 0 before the point, and what would be rounded to nothing with its power of ten, as in 4e-4.
    """
    there = values[~gone]
    whole = np.array_equal(there, np.rint(there)) and bool(np.all(np.abs(there) < 1e6))
    places = 0 if whole else decimals

    def text_of(value: float) -> str:
        text = f"{value:.{places}f}"
        if not text.strip("-0."):
            text = f"{value:.0e}".replace("e-0", "e-") if small and value else text.lstrip("-")
        return (text.replace("0.", ".", 1) if small else text).replace("-", "−")

    return tuple(
        tuple(instead if out else text_of(value) for value, out in zip(row, off, strict=True))
        for row, off in zip(values.tolist(), gone.tolist(), strict=True)
    )


def largest(values: NDArray[Any]) -> float:
    """The largest finite value, or 0."""
    return float(values[np.isfinite(values)].max(initial=0.0))


def signed(*values: NDArray[Any]) -> Scale:
    """A diverging scale, symmetric about 0, that holds all of these."""
    top = round_up(max((largest(np.abs(v)) for v in values), default=0.0))
    return Scale("linear", -top, top, INKS, "value")


def unsigned(*values: NDArray[Any]) -> Scale:
    """A scale from 0 that holds all of these weights."""
    return Scale("linear", 0.0, round_up(max(map(largest, values), default=0.0)), WHITE)


def sheet(
    page: Page,
    steps: Steps,
    draw: Sequence[Callable[[Canvas], None]],
    wide: float,
    margin: float,
    numbers: float,
    options: FigureOptions,
    meta: Mapping[str, str],
) -> Figure:
    """A title, what each function of `draw` adds to a canvas, and notes.

    Args:
        wide, margin: of the page in points, before it is scaled to the width that is asked for.
        numbers: points of the largest number in a cell.

    Raises:
        SelectionError: no such font, or more pixels than a picture can have.
    """
    title, below = one_line(page.title), one_line(printable(page.subtitle))
    tokens = [printable(text) for text in (*steps.queries.text, *steps.keys.text)]
    lines = [formula for step in steps.steps for line in step.lines for formula in line]
    titles = [step.title for step in steps.steps]
    face = typeface(options.font, [title, below, *tokens, *lines, *titles, *page.notes, SIGNS + LOST])
    canvas = Canvas(steps, face, options.decimals, numbers)
    canvas.y = margin
    size = min(14.0, wide / 45, (wide - 2 * margin) / face.width(title, 1.0, "bold"))
    canvas.text(title, margin, size, weight="bold", role="title")
    canvas.text(below, margin, 9.5 / 14 * size, tone="soft", role="subtitle")
    canvas.y += 8.0
    for part in draw:
        part(canvas)
    lost = font_note(face)
    notes = [*page.notes, *dict.fromkeys(canvas.notes), *canvas.thinning(), *([lost] if lost else [])]
    for line in face.wrap(" · ".join(one_line(note) for note in notes), SMALL, wide - 2 * margin):
        canvas.text(line, margin, SMALL, tone="soft", role="note")
    figure = Figure(
        width=wide,
        height=canvas.y + margin / 2,
        panels=tuple(canvas.panels),
        scale=Scale("linear", 0.0, 1.0, WHITE),
        title=title,
        subtitle=below,
        caption=one_line(f"{title}. {below}. " + ". ".join(notes)),
        notes=tuple(notes),
        labels=tuple(canvas.labels),
        lines=tuple(canvas.lines),
        face=face,
        font=options.font or "",
        font_size=BASE,
        dpi=options.dpi or 200.0,
        svg_text=options.svg_text,
        meta=dict(meta),
    )
    figure = figure if options.width is None else scaled(figure, options.width * 72 / wide)
    across, down = (side / 72 * figure.dpi for side in (figure.width, figure.height))
    if across * down > _PIXELS:
        raise SelectionError(
            f"a picture of {across:,.0f} x {down:,.0f} pixels is too large", "choose a lower dpi or a smaller width"
        )
    return figure
