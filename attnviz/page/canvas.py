"""Canvas: a sheet for formulas, and for matrices whose cells have numbers: whole, or cut where they are long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from attnviz.page.cut import Cut
from attnviz.page.figure import Box, Figure, Line, MapPanel, Scale
from attnviz.page.fitted import dashed, scaled
from attnviz.page.numbers import alike
from attnviz.page.scale import INKS, WHITE, number, round_up
from attnviz.page.sheet import Sheet, finished, worded
from attnviz.page.sizes import LINE
from attnviz.page.text_metrics import LOST, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.measures.steps import Steps
    from attnviz.measures.steps_formulas import Step
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import Diagrams, Page, Walk

BASE, SMALL, LEAST = 8.5, 7.0, 4.6  # points: titles, formulas and labels, the smallest number in a cell
SIGNS = "0123456789-−+.,…⋮√Σ‖∞←→·^⁰¹²³⁴⁵⁶⁷⁸⁹ᵀ|≥“”e"
_GAP = 0.3  # of a number's size: the least room between neighbours, about a space
_HEAD = 2.4  # points, the sides of an arrow's head


@dataclass(kw_only=True)
class Canvas(Sheet):
    """A sheet for the numbers of one walk.

    largest: points of the largest number in a cell. matrices: which rows and columns are drawn -> of which matrices.
    """

    steps: Steps
    decimals: int
    largest: float
    matrices: dict[str, list[str]] = field(default_factory=dict)

    # Text

    def header(self, step: Step, x: float, room: float, y: float, formulas: bool = True) -> float:
        """Number, title and formulas of a step within `room` points; returns where they end."""
        self.word(step.label, x, y + 0.8 * BASE, BASE, weight="bold", tone="mark")
        indent = self.face.width(step.label, BASE, "bold") + 4.0
        title = self.face.cut(step.title, BASE, room - indent, "bold")
        self.word(title, x + indent, y + 0.8 * BASE, BASE, weight="bold")
        return self.formulas(step.lines if formulas else (), x, room, y + LINE * BASE)

    def formulas(self, lines: Iterable[tuple[str, str]], x: float, room: float, y: float) -> float:
        """Formulas with their shapes below them; returns where they end."""
        for text, tone in ((text, tone) for line in lines for text, tone in zip(line, ("soft", "faint"), strict=True)):
            for part in self.face.wrap(text, SMALL, room) if text else ():
                self.word(part, x, y + 0.8 * SMALL, SMALL, tone=tone)
                y += LINE * SMALL
        return y

    # Lines

    def arrow(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """A straight arrow, level or upright, from one point to another."""
        self.lines.append(Line(x0, y0, x1, y1, 0.8))
        along, up = np.sign(x1 - x0) * _HEAD, np.sign(y1 - y0) * _HEAD
        for side in (-0.7, 0.7):
            self.lines.append(Line(x1, y1, x1 - along + side * up, y1 - up + side * along, 0.8))

    def frame_row(self, box: Box, row: int = 0, rows: int = 1) -> None:
        """A line around one row of a map: the chosen query's."""
        high = box.height / rows
        self.frame(Box(box.x, box.y + row * high, box.width, high), 1.2, "mark")

    # Matrices

    def whole(
        self,
        values: NDArray[Any],
        box: Box,
        scale: Scale,
        hidden: NDArray[np.bool_] | None = None,
        sparse: bool = False,
    ) -> None:
        """A whole matrix [row, column] within a box. sparse: weights, without the numbers that are rounded to 0."""
        rows, cols = values.shape
        across, down = Cut.whole(cols, box.width), Cut.whole(rows, box.height)
        self.block("", values, box.x, box.y, across, down, scale, hidden, sparse=sparse)

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
        sparse: bool = False,
    ) -> Box:
        """A matrix [row, column] as cells with numbers, cut on both sides.

        name: of its panels, for an SVG. scale: signed, up to the largest of all values, unless another is given.
        hidden: cells drawn grey, with the text `instead` in them. sparse: the values are weights; numbers
        that are rounded to 0 are left out, which a note says. Returns the box of the whole block.
        """
        finite = np.isfinite(values)
        gone = ~finite if hidden is None else hidden | ~finite
        scale = scale or signed(values)
        shown = np.where(finite, values, 0.0).astype(np.float32)
        at = np.ix_(down.indices, across.indices)
        texts, size = self._numbers(shown[at], gone[at], across.cell, down.cell, instead)
        if sparse and texts:
            texts = self._without_zeros(texts, shown[at], gone[at])
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
                self.word("…", x + dx, middle + 0.1 * SMALL, SMALL, align="center", tone="soft")
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
            size = min(self.largest, cell / (widest + _GAP), 0.7 * row)
            if size >= LEAST:
                return texts, size
        return (), 0.0

    def _without_zeros(
        self, texts: tuple[tuple[str, ...], ...], values: NDArray[Any], gone: NDArray[np.bool_]
    ) -> tuple[tuple[str, ...], ...]:
        """The texts, '' where a number was rounded to 0."""
        zero = np.array([[not text.strip("0.") for text in row] for row in texts]) & ~gone
        if (values[zero] != 0).any():
            decimals = max(len(text.partition(".")[2]) for row in texts for text in row)
            self.notes.append(f"numbers below {number(0.5 * 10.0**-decimals)} left out of the map of weights")
        return tuple(
            tuple("" if out else text for text, out in zip(row, outs, strict=True))
            for row, outs in zip(texts, zero.tolist(), strict=True)
        )


CanvasT = TypeVar("CanvasT", bound=Canvas)


def cell_numbers(
    values: NDArray[Any], gone: NDArray[np.bool_], decimals: int, instead: str = "", small: bool = False
) -> tuple[tuple[str, ...], ...]:
    """Numbers for cells, `instead` where there is none; without decimals if all are whole.

    small: without the 0 before the point, and what would be rounded to nothing with its power of ten, as in 4e-4.
    """
    numbers = alike(np.where(gone, np.nan, values), decimals)
    texts = []
    for value, out, text in zip(values.reshape(-1).tolist(), gone.reshape(-1).tolist(), numbers, strict=True):
        if small and value and not text.strip("-0."):
            text = f"{value:.0e}".replace("e-0", "e-")
        text = text.replace("0.", ".", 1) if small else text
        texts.append(instead if out else text.replace("-", "−"))
    cols = values.shape[1]
    return tuple(tuple(texts[i : i + cols]) for i in range(0, len(texts), cols))


def largest(values: NDArray[Any]) -> float:
    """The largest finite value, or 0."""
    return float(values[np.isfinite(values)].max(initial=0.0))


def signed(*values: NDArray[Any]) -> Scale:
    """A diverging scale, symmetric about 0, that holds all values."""
    top = round_up(max((largest(np.abs(v)) for v in values), default=0.0))
    return Scale("linear", -top, top, INKS, "value")


def unsigned(*values: NDArray[Any]) -> Scale:
    """A scale from 0 that holds all weights."""
    return Scale("linear", 0.0, round_up(max(map(largest, values), default=0.0)), WHITE)


def drawn(
    page: Page,
    part: Walk | Diagrams,
    options: FigureOptions,
    kind: type[CanvasT],
    draw: Sequence[Callable[[CanvasT], None]],
    wide: float,
    margin: float,
    numbers: float,
) -> Figure:
    """A title, everything that the functions of `draw` add to a canvas of this kind, and notes.

    Args:
        wide, margin: of the page in points, before it is scaled to the width that is asked for.
        numbers: points of the largest number in a cell.

    Raises:
        SelectionError: no such font, or more pixels than a picture can have.
    """
    times, dpi = 1.0 if options.width is None else options.width * 72.0 / wide, options.dpi or 200.0
    steps = part.steps
    formulas = [text for step in steps.steps for line in step.lines for text in (step.title, *line)]
    texts = [*map(printable, (*steps.queries.text, *steps.keys.text)), *formulas, SIGNS + LOST]
    words = worded(replace(page, subtitle=printable(page.subtitle)), replace(options, dpi=times * dpi), texts)
    canvas = kind(words, wide, margin=margin, foot=margin - 6.0, steps=steps, decimals=part.decimals, largest=numbers)
    canvas.head()
    for place in draw:
        place(canvas)
    words.notes[:] = [*dict.fromkeys(words.notes), *canvas.thinning("token")]
    words.notes += [f"{which} of {', '.join(names)} is drawn" for which, names in canvas.matrices.items()]
    if any(panel.scale and dashed(panel, panel.scale, times).any() for panel in canvas.panels):
        words.notes.append("a dash in a cell marks a negative number")
    return replace(scaled(finished(canvas), times), dpi=dpi)
