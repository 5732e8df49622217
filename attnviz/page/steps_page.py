"""The page that a walk through the steps is drawn on: text, maps with numbers, frames and labels, downwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.measures.steps import Step, Steps
from attnviz.page.figure import Box, Label, Line, MapPanel, Scale
from attnviz.page.layout import ordinal
from attnviz.page.scale import INKS, WHITE, round_up
from attnviz.page.sizes import LINE
from attnviz.page.text_metrics import MIDDLE, Typeface, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDE, MARGIN = 780.0, 30.0  # points
BASE, SMALL, LEAST = 8.5, 7.0, 4.6  # titles, formulas and labels, the smallest number in a cell
ROW_ROOM = 66.0  # for the names of rows
SIGNED, WEIGHTS = INKS, WHITE
SIGNS = "0123456789-−+.,…→←√Σ‖∞·^²|≥“”"


class Page:
    """What has been placed so far; `y` is where the next block begins, in points from the top."""

    def __init__(self, steps: Steps, face: Typeface, decimals: int) -> None:
        self.steps, self.face, self.decimals = steps, face, decimals
        self.panels: list[MapPanel] = []
        self.labels: list[Label] = []
        self.lines: list[Line] = []
        self.notes: list[str] = []
        self.every: set[int] = set()  # one in so many tokens is labelled
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
        """What the page says about labels that are not there."""
        if not self.every:
            return []
        ends = sorted({min(self.every), max(self.every)})
        return [f"labels: every {' to every '.join(ordinal(step) for step in ends)} token"]


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
