"""The page that a walk through the steps is drawn on: text, maps with numbers, frames and labels, downwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError
from attnviz.measures.steps import Step, Steps
from attnviz.page.figure import Box, Figure, Label, Line, MapPanel, Scale
from attnviz.page.fitted import scaled
from attnviz.page.layout import ordinal
from attnviz.page.scale import INKS, WHITE, round_up
from attnviz.page.sizes import LINE
from attnviz.page.steps_words import heading, question, remarks
from attnviz.page.text_metrics import LOST, MIDDLE, Typeface, one_line, printable, typeface
from attnviz.page.wording import font_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDE, MARGIN = 780.0, 30.0  # points
_PIXELS = 200_000_000
BASE, SMALL, LEAST = 8.5, 7.0, 4.6  # titles, formulas and labels, the smallest number in a cell
ROW_ROOM = 66.0  # for the names of rows
SIGNED, WEIGHTS = INKS, WHITE
SIGNS = "0123456789-−+.,…⋮→←√Σ‖∞·^⁰¹²³⁴⁵⁶⁷⁸⁹ᵀ|≥“”"


class Page:
    """What has been placed so far; `y` is where the next block begins, in points from the top."""

    def __init__(self, steps: Steps, face: Typeface, decimals: int) -> None:
        self.steps, self.face, self.decimals = steps, face, decimals
        self.panels: list[MapPanel] = []
        self.labels: list[Label] = []
        self.lines: list[Line] = []
        self.notes: list[str] = []
        self.every: set[int] = set()  # one in so many tokens is labelled
        self.matrices: dict[str, list[str]] = {}  # which rows and columns are drawn -> of which matrices
        self.y = MARGIN

    def text(
        self, text: str, x: float, size: float, weight: str = "normal", tone: str = "ink", role: str = "text"
    ) -> None:
        """A line of its own."""
        self.put(text, x, self.y + 0.8 * size, size, weight=weight, tone=tone, role=role)
        self.y += LINE * size

    def put(self, text: str, x: float, y: float, size: float, **how: Any) -> None:
        if text:
            self.labels.append(Label(text, x, y, size, **how))

    def header(
        self, step: Step, x: float, room: float, y: float, lines: Sequence[tuple[str, str]] | None = None
    ) -> float:
        """Number, title and formulas of a step within `room` points; returns where they end."""
        self.put(step.label, x, y + 0.8 * BASE, BASE, weight="bold", tone="mark")
        indent = self.face.width(step.label, BASE, "bold") + 4.0
        self.put(
            self.face.cut(step.title, BASE, room - indent, "bold"), x + indent, y + 0.8 * BASE, BASE, weight="bold"
        )
        return self.formulas(step.lines if lines is None else lines, x, room, y + LINE * BASE)

    def formulas(self, lines: Sequence[tuple[str, str]], x: float, room: float, y: float) -> float:
        for formula, shapes in lines:
            for line in self.face.wrap(formula, SMALL, room):
                self.put(line, x, y + 0.8 * SMALL, SMALL, tone="soft")
                y += LINE * SMALL
            for line in self.face.wrap(shapes, SMALL, room) if shapes else ():
                self.put(line, x, y + 0.8 * SMALL, SMALL, tone="faint")
                y += LINE * SMALL
        return y

    def arrow(self, x: float, y: float) -> None:
        self.put("→", x, y + 4.0, 13.0, align="center", tone="faint")

    def map(
        self,
        values: NDArray[Any],
        box: Box,
        scale: Scale,
        hidden: NDArray[np.bool_] | None = None,
        numbers: bool = True,
    ) -> None:
        """A matrix with its numbers in the cells, where they fit."""
        shown = np.where(np.isfinite(values), values, 0.0).astype(np.float32)
        gone = ~np.isfinite(values) if hidden is None else hidden | ~np.isfinite(values)
        texts, size = self.printed(values, gone, box) if numbers else ((), 0.0)
        panel = MapPanel("", shown, gone if gone.any() else None, (), (), box, texts, size, scale=scale)
        self.panels.append(panel)

    def printed(
        self, values: NDArray[Any], gone: NDArray[np.bool_], box: Box
    ) -> tuple[tuple[tuple[str, ...], ...], float]:
        rows, cols = values.shape
        if not self.decimals or rows * cols > 1500:
            return (), 0.0
        texts = cell_numbers(values, gone, self.decimals)
        widest = max((self.face.width(text, 1.0) for row in texts for text in row), default=1.0) or 1.0
        size = min(SMALL, 0.88 * box.width / cols / widest, 0.7 * box.height / rows)
        return (texts, size) if size >= LEAST else ((), 0.0)

    def frame(self, box: Box, row: int, rows: int, tone: str = "mark") -> None:
        """A line around one row of a map: the chosen query's."""
        high = box.height / rows
        top, bottom, right = box.y + row * high, box.y + (row + 1) * high, box.x + box.width
        for x0, y0, x1, y1 in (
            (box.x, top, right, top),
            (box.x, bottom, right, bottom),
            (box.x, top, box.x, bottom),
            (right, top, right, bottom),
        ):
            self.lines.append(Line(x0, y0, x1, y1, 1.2, tone))

    def row_names(self, texts: Sequence[str], box: Box, bold: int | None = None) -> None:
        """Token labels at the left of a map, as many as there is room for."""
        high = box.height / len(texts)
        size = min(SMALL, 0.95 * high) if high >= LEAST else LEAST
        step = max(1, math.ceil(1.05 * size / high))
        kept = [i for i in range(0, len(texts), step) if bold is None or i == bold or abs(i - bold) * high > size]
        for i in sorted({*kept, *([bold] if bold is not None else [])}):
            weight, tone = ("bold", "ink") if i == bold else ("normal", "soft")
            text = self.face.cut(printable(texts[i]), size, ROW_ROOM - 6.0, weight)
            y = box.y + (i + 0.5) * high + MIDDLE * size
            self.put(text, box.x - 4.0, y, size, align="right", weight=weight, tone=tone, role="row")
        self.thinned(step)

    def col_names(self, texts: Sequence[str], box: Box) -> float:
        """Token labels below a map, on end unless they fit; returns where they end."""
        wide = box.width / len(texts)
        cut = [self.face.cut(printable(text), SMALL, 52.0) for text in texts]
        longest = max(self.face.width(text, SMALL) for text in cut)
        if longest <= wide - 3.0:
            for i, text in enumerate(cut):
                x = box.x + (i + 0.5) * wide
                self.put(text, x, box.y + box.height + 9.0, SMALL, align="center", tone="soft", role="column")
            return box.y + box.height + 12.0
        size = min(SMALL, 0.95 * wide) if wide >= LEAST else LEAST
        step = max(1, math.ceil(1.05 * size / wide))
        for i in range(0, len(texts), step):
            x = box.x + (i + 0.5) * wide + MIDDLE * size
            self.put(cut[i], x, box.y + box.height + 4.0, size, align="right", rotation=90, tone="soft", role="column")
        self.thinned(step)
        return box.y + box.height + 6.0 + longest * size / SMALL

    def thinned(self, step: int) -> None:
        if step > 1:
            self.every.add(step)

    def thinning(self) -> list[str]:
        """What the page says about rows, columns and labels that are not there."""
        drawn = [f"{which} of {', '.join(names)} is drawn" for which, names in self.matrices.items()]
        if not self.every:
            return drawn
        ends = sorted({min(self.every), max(self.every)})
        return [*drawn, f"labels: every {' to every '.join(ordinal(step) for step in ends)} token"]


def cell_numbers(values: NDArray[Any], gone: NDArray[np.bool_], decimals: int) -> tuple[tuple[str, ...], ...]:
    """Numbers for cells, '' where there is none; without decimals if all are whole."""
    kept = values[~gone]
    whole = np.array_equal(kept, np.rint(kept)) and bool(np.all(np.abs(kept) < 1e6))
    places = 0 if whole else decimals

    def one(value: float) -> str:
        text = f"{value:.{places}f}"
        return (text.lstrip("-") if not text.strip("-0.") else text).replace("-", "−")

    return tuple(
        tuple("" if out else one(value) for value, out in zip(row, off, strict=True))
        for row, off in zip(values.tolist(), gone.tolist(), strict=True)
    )


def largest(values: NDArray[Any]) -> float:
    return float(values[np.isfinite(values)].max(initial=0.0))


def signed(*values: NDArray[Any]) -> Scale:
    """A diverging scale, symmetric about 0, that holds all of these."""
    tops = [float(np.abs(v[np.isfinite(v)]).max(initial=0.0)) for v in values]
    top = round_up(max(tops, default=0.0))
    return Scale("linear", -top, top, SIGNED, "value")


def unsigned(*values: NDArray[Any]) -> Scale:
    """A scale from 0 that holds all of these weights."""
    return Scale("linear", 0.0, round_up(max(map(largest, values), default=0.0)), WEIGHTS)


def sheet(
    steps: Steps,
    name: str,
    draw: Sequence[Callable[[Page], None]],
    wide: float,
    margin: float,
    *,
    decimals: int = 2,
    width: float | None = None,
    dpi: float | None = None,
    font: str | None = None,
    title: str | None = None,
    svg_text: str = "keep",
    meta: Mapping[str, str] | None = None,
) -> Figure:
    """A title, what each function of `draw` adds to a page, and notes.

    Args:
        name: the title's beginning, unless `title` replaces it.
        wide, margin: of the page in points, before it is scaled.
        decimals: of numbers in cells; whole numbers have none.
        width: inches; everything is scaled to it.
        dpi, font, title, svg_text, meta: as for `attnviz.page.heatmap.heatmap`.

    Raises:
        SelectionError: no such font, or more pixels than a picture can have.
    """
    heading_line = one_line(title) if title is not None else f"{name} · {heading(steps)}"
    below = question(steps)
    tokens = [printable(text) for text in (*steps.queries.text, *steps.keys.text)]
    lines = [formula for step in steps.steps for line in step.lines for formula in line]
    titles = [step.title for step in steps.steps]
    face = typeface(font, [heading_line, below, *tokens, *lines, *titles, *remarks(steps), SIGNS + LOST])
    page = Page(steps, face, decimals)
    page.y = margin
    size = min(14.0, wide / 45, (wide - 2 * margin) / face.width(heading_line, 1.0, "bold"))
    page.text(heading_line, margin, size, "bold", role="title")
    page.text(one_line(below), margin, 9.5 / 14 * size, tone="soft", role="subtitle")
    page.y += 8.0
    for part in draw:
        part(page)
    notes = [*remarks(steps), *dict.fromkeys(page.notes), *page.thinning()]
    lost = font_note(face)
    notes += [lost] if lost else []
    for line in face.wrap(" · ".join(one_line(note) for note in notes), SMALL, wide - 2 * margin):
        page.text(line, margin, SMALL, tone="soft", role="note")
    drawn = Figure(
        width=wide,
        height=page.y + margin / 2,
        panels=tuple(page.panels),
        scale=Scale("linear", 0.0, 1.0, WEIGHTS),
        title=heading_line,
        subtitle=below,
        caption=one_line(f"{heading_line}. {below}. " + ". ".join(notes)),
        notes=tuple(notes),
        labels=tuple(page.labels),
        lines=tuple(page.lines),
        face=face,
        font=font or "",
        font_size=BASE,
        dpi=dpi or 200.0,
        svg_text=svg_text,
        meta=dict(meta or {}),
    )
    drawn = drawn if width is None else scaled(drawn, width * 72 / wide)
    across, down = (side / 72 * drawn.dpi for side in (drawn.width, drawn.height))
    if across * down > _PIXELS:
        raise SelectionError(
            f"a picture of {across:,.0f} x {down:,.0f} pixels is too large", "choose a lower dpi or a smaller width"
        )
    return drawn
