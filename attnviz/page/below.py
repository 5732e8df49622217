"""Parts that stand below a board and use its left edge: numbers against depth, and a ranked list with bars."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from attnviz.page.board import BASE, BELOW, MARGIN, SMALL
from attnviz.page.figure import Box, Dot, Figure, Fill, Label, Line
from attnviz.page.parts import Bars, Depth
from attnviz.page.scale import number, ticks
from attnviz.page.text_metrics import MIDDLE, Typeface, printable, typeface

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLOT, ABOVE_PLOT = 120.0, 30.0  # points: the height of a plot, and the room above it
WIDEST, LEAST = 420.0, 220.0
HEAD = (126, 164, 204)  # a head's dot
SHIFT = 0.36  # how far apart the dots of a layer stand, as a share of the way to the next layer
PITCH, ABOVE_LIST = 13.0, 34.0  # points from one line of a list to the next, and above the list
BAR, LEAST_BAR = 150.0, 24.0
NUMBERS = "−0.00"
WEIGHT, LIFT = (196, 212, 230), (43, 98, 158)


class Need(NamedTuple):
    """What a part needs below a board: width and height in points, its texts, and remarks for the page's notes."""

    room: tuple[float, float] = (0.0, 0.0)
    words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def need(part: Depth | Bars, font: str | None) -> Need:
    """The room, texts and notes of a part below a board."""
    if isinstance(part, Depth):
        return Need((LEAST + 2 * MARGIN + 40.0, ABOVE_PLOT + PLOT + 34.0))
    words = _words(part)
    columns = _columns(typeface(font, words), part)
    width = columns.text + columns.beside + BAR + 2 * MARGIN + 40.0
    return Need((width, ABOVE_LIST + PITCH * len(part.entries) + 8.0), words, ("bars: weight pale, lift dark",))


def add(figure: Figure, part: Depth | Bars) -> Figure:
    """The figure of a board, with a part in the room that was left below it."""
    assert figure.face is not None  # every board has letters
    if isinstance(part, Depth):
        return _with_depth(figure, part, figure.face)
    return _with_bars(figure, part, figure.face)


def _with_depth(figure: Figure, part: Depth, face: Typeface) -> Figure:
    values, layers = np.asarray(part.values, np.float64), part.layers
    board = figure.panels[0].box
    left, top = board.x, board.y + board.height + BELOW + ABOVE_PLOT
    wide = min(max(board.width, LEAST), WIDEST, figure.width - left - MARGIN)
    box = Box(left, top, wide, PLOT)
    labels, lines = _axes(part, box, figure, face)
    dots = list(figure.dots)

    def across(layer: float) -> float:
        return left + wide * (layer + 0.5) / len(layers)

    def up(value: float) -> float:
        return top + PLOT - PLOT * (value - figure.scale.low) / (figure.scale.high - figure.scale.low)

    n_heads = values.shape[1]
    radius = min(2.2, 0.3 * wide / len(layers))
    for i, row in enumerate(values):
        for j, value in enumerate(row.tolist()):
            if np.isfinite(value):
                beside = SHIFT * (2 * j / (n_heads - 1) - 1) if n_heads > 1 else 0.0
                dots.append(Dot(across(i + beside), up(value), radius, HEAD))
    for (i, first), (k, second) in pairwise(enumerate(_means(values))):
        if np.isfinite(first) and np.isfinite(second):
            lines.append(Line(across(i), up(first), across(k), up(second), 1.4, "curve0"))
    return replace(figure, labels=(*figure.labels, *labels), lines=(*figure.lines, *lines), dots=tuple(dots))


def _axes(part: Depth, box: Box, figure: Figure, face: Typeface) -> tuple[list[Label], list[Line]]:
    """Heading, grid lines with their numbers, and the layers' names below."""
    bottom, layers = box.y + box.height, part.layers
    soft: dict[str, Any] = {"tone": "soft"}
    heading, size = face.shrunk(f"{part.label} against depth", BASE, figure.width - MARGIN - box.x, "bold")
    labels = [Label(heading, box.x, box.y - 9.0, size, weight="bold", role="heading", **soft)]
    lines = []
    for value, place in ticks("linear", figure.scale.low, figure.scale.high, 6):
        y = bottom - box.height * place
        lines.append(Line(box.x, y, box.x + box.width, y, 0.4, "grid"))
        labels.append(Label(number(value), box.x - 4.0, y + 0.36 * SMALL, SMALL, "right", role="tick"))
    widest = max(face.width(name, SMALL) for name in layers)
    step = max(1, -(-int(len(layers) * (widest + 3.0)) // int(box.width)))
    below = bottom + 4.0 + 0.75 * SMALL
    for i in range(0, len(layers), step):
        x = box.x + box.width * (i + 0.5) / len(layers)
        labels.append(Label(layers[i], x, below, SMALL, "center", role="tick"))
    at = (box.x + box.width / 2, bottom + 4.0 + SMALL + 3.0 + 0.8 * BASE, BASE)
    labels.append(Label("layer (dot: a head, line: mean)", *at, "center", role="axis", **soft))
    return labels, lines


def _means(values: NDArray[np.float64]) -> list[float]:
    """The mean of each layer's numbers, without those that are not defined."""
    return [float(row[np.isfinite(row)].mean()) if np.isfinite(row).any() else np.nan for row in values]


class _Columns(NamedTuple):
    """Widths in points: of the longest text, of the longest head, of weight and lift; beside: all but text and bar."""

    text: float
    head: float
    numbers: float

    @property
    def beside(self) -> float:
        return 10.0 + self.head + 10.0 + self.numbers


def _words(part: Bars) -> tuple[str, ...]:
    texts = [printable(entry.text) for entry in part.entries]
    return (part.heading, *texts, *(entry.head for entry in part.entries), "weightliftlayer.head−.0123456789…")


def _columns(face: Typeface, part: Bars) -> _Columns:
    text = max(min(max(face.width(printable(entry.text), BASE) for entry in part.entries), 210.0), 40.0)
    head = max(face.width(text, SMALL) for text in [*(entry.head for entry in part.entries), "layer.head"])
    return _Columns(text, head, 2 * (face.width(NUMBERS, SMALL) + 8.0))


def _with_bars(figure: Figure, part: Bars, face: Typeface) -> Figure:
    columns = _columns(face, part)
    board = figure.panels[0].box
    x, y = board.x, board.y + board.height + BELOW + ABOVE_LIST
    room = figure.width - MARGIN - x
    text = max(min(columns.text, room - columns.beside - LEAST_BAR), 20.0)
    bar = min(room - text - columns.beside, 1.6 * BAR)
    at_head = x + text + 10.0
    at_weight = at_head + columns.head + 10.0 + columns.numbers / 2 - 8.0
    at_lift = at_weight + columns.numbers / 2
    labels, fills = list(figure.labels), list(figure.fills)
    soft: dict[str, Any] = {"tone": "soft", "role": "text"}
    heading, size = face.shrunk(part.heading, BASE, room, "bold")
    labels.append(Label(heading, x, y - 17.0, size, weight="bold", **soft))
    for name, place, align in (
        ("layer.head", at_head, "left"),
        ("weight", at_weight, "right"),
        ("lift", at_lift, "right"),
    ):
        labels.append(Label(name, place, y - 4.0, SMALL, align, **soft))
    most = max(max(entry.weight, entry.lift) for entry in part.entries) or 1.0
    for i, entry in enumerate(part.entries):
        top = y + i * PITCH
        baseline = top + PITCH / 2 + MIDDLE * SMALL
        labels.append(Label(face.cut(printable(entry.text), BASE, text), x, baseline, BASE, role="row"))
        labels.append(Label(entry.head, at_head, baseline, SMALL, role="text"))
        for value, place in ((entry.weight, at_weight), (entry.lift, at_lift)):
            digits = f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
            labels.append(Label(digits, place, baseline, SMALL, "right", role="text"))
        for value, rgb, high in ((entry.weight, WEIGHT, 9.0), (entry.lift, LIFT, 4.0)):
            if value > 0 and bar > 0:
                width = bar * min(value / most, 1.0)
                fills.append(Fill(Box(at_lift + 8.0, top + (PITCH - high) / 2, width, high), rgb))
    return replace(figure, labels=tuple(labels), fills=tuple(fills))
