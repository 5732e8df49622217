"""Parts that stand below a board and use its left edge: numbers against depth, and a ranked list with bars."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnviz.page.figure import Box, Dot, Fill, Line
from attnviz.page.parts import Bars, Depth, Ranges
from attnviz.page.ranges import room_for_ranges
from attnviz.page.scale import number, ticks
from attnviz.page.text_metrics import MIDDLE, Typeface, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.figure import Scale
    from attnviz.page.parts import Part
    from attnviz.page.sheet import Sheet

Below = Depth | Bars | Ranges  # the kinds of part below a board
BASE, SMALL = 9.0, 7.0  # points: sizes of text, here and on the boards
PLOT, ABOVE_PLOT = 120.0, 30.0  # points: the height of a plot, and the room above it
WIDEST, LEAST = 420.0, 220.0  # points: the width of a plot at most and at least
HEAD = (126, 164, 204)  # a head's dot
SHIFT = 0.36  # how far apart the dots of a layer stand, as a share of the way to the next layer
PITCH, ABOVE_LIST = 13.0, 34.0  # points from one line of a list to the next, and above the list
BAR, LEAST_BAR = 150.0, 24.0
NUMBERS = "−0.00"
THICK, THIN = 9.0, 4.0  # points: a bar, and one that lies over another
WEIGHT, LIFT = (196, 212, 230), (43, 98, 158)


def first_below(parts: Sequence[Part]) -> Below | None:
    """The first plot or list that has something to show."""
    for part in parts:
        if isinstance(part, Depth) or (isinstance(part, Bars) and part.entries) or isinstance(part, Ranges):
            return part
    return None


def texts_of(part: Below | None) -> list[str]:
    """All that is written in a part that other parts do not write."""
    if isinstance(part, Ranges):
        return [part.heading, *map(printable, part.names), "−.0123456789…"]
    if not isinstance(part, Bars):
        return []
    texts = [text for entry in part.entries for text in (printable(entry.text), entry.head)]
    return [part.heading, *texts, *part.columns, "−.0123456789…"]


def room_for(part: Below | None, face: Typeface, room: float = 0.0) -> tuple[float, float]:
    """Width and height in points that a part needs below a board, without the page's margins.

    room: the width of the boards, which lists with columns fill.
    """
    if part is None:
        return 0.0, 0.0
    if isinstance(part, Ranges):
        return LEAST, room_for_ranges(part, face, max(room, LEAST))
    if isinstance(part, Depth):
        return LEAST + 40.0, ABOVE_PLOT + PLOT + 34.0
    columns = _columns(face, part)
    return columns.text + columns.beside + BAR + 40.0, ABOVE_LIST + PITCH * len(part.entries) + 8.0


def draw_depth(sheet: Sheet, part: Depth, x: float, y: float, wide: float, scale: Scale) -> None:
    """A dot per head over its layer, and a line through the layers' means, from x, y on. wide: of the board above."""
    values, layers = np.asarray(part.values, np.float64), part.layers
    top = y + ABOVE_PLOT
    wide = min(max(wide, LEAST), WIDEST, sheet.wide - x - sheet.margin)
    _axes(sheet, part, Box(x, top, wide, PLOT), scale)

    def across(layer: float) -> float:
        return x + wide * (layer + 0.5) / len(layers)

    def up(value: float) -> float:
        return top + PLOT - PLOT * (value - scale.low) / (scale.high - scale.low)

    n_heads = values.shape[1]
    radius = min(2.2, 0.3 * wide / len(layers))
    for i, row in enumerate(values):
        for j, value in enumerate(row.tolist()):
            if np.isfinite(value):
                beside = SHIFT * (2 * j / (n_heads - 1) - 1) if n_heads > 1 else 0.0
                sheet.dots.append(Dot(across(i + beside), up(value), radius, HEAD))
    for (i, first), (k, second) in pairwise(enumerate(_means(values))):
        if np.isfinite(first) and np.isfinite(second):
            sheet.lines.append(Line(across(i), up(first), across(k), up(second), 1.4, "curve0"))


def _axes(sheet: Sheet, part: Depth, box: Box, scale: Scale) -> None:
    """Heading, grid lines with their numbers, and the layers' names below."""
    bottom, layers = box.y + box.height, part.layers
    room = sheet.wide - sheet.margin - box.x
    heading, size = sheet.face.shrunk(f"{part.label} against depth", BASE, room, "bold")
    sheet.word(heading, box.x, box.y - 9.0, size, weight="bold", tone="soft", role="heading")
    for value, place in ticks("linear", scale.low, scale.high, 6):
        y = bottom - box.height * place
        sheet.lines.append(Line(box.x, y, box.x + box.width, y, 0.4, "grid"))
        sheet.word(number(value), box.x - 4.0, y + 0.36 * SMALL, SMALL, "right", role="tick")
    widest = max(sheet.face.width(name, SMALL) for name in layers)
    step = max(1, -(-int(len(layers) * (widest + 3.0)) // int(box.width)))
    below = bottom + 4.0 + 0.75 * SMALL
    for i in range(0, len(layers), step):
        sheet.word(layers[i], box.x + box.width * (i + 0.5) / len(layers), below, SMALL, "center", role="tick")
    middle, below = box.x + box.width / 2, bottom + 4.0 + SMALL + 3.0 + 0.8 * BASE
    sheet.word("layer (dot: a head, line: mean)", middle, below, BASE, "center", tone="soft", role="axis")


def _means(values: NDArray[np.float64]) -> list[float]:
    """The mean of each layer's numbers that are defined, NaN where none is."""
    return [float(row[np.isfinite(row)].mean()) if np.isfinite(row).any() else np.nan for row in values]


class _Columns(NamedTuple):
    """Widths in points: of the longest text, of the longest head, of weight and lift; beside: all but text and bar."""

    text: float
    head: float
    numbers: float

    @property
    def beside(self) -> float:
        return 10.0 + self.head + 10.0 + self.numbers


def _columns(face: Typeface, part: Bars) -> _Columns:
    text = max(min(max(face.width(printable(entry.text), BASE) for entry in part.entries), 210.0), 40.0)
    head = max(face.width(text, SMALL) for text in [*(entry.head for entry in part.entries), part.columns[0]])
    return _Columns(text, head, 2 * (face.width(NUMBERS, SMALL) + 8.0))


def draw_bars(sheet: Sheet, part: Bars, x: float, y: float) -> None:
    """A ranked list with two bars a line, from x, y on."""
    face, columns = sheet.face, _columns(sheet.face, part)
    y += ABOVE_LIST
    room = sheet.wide - sheet.margin - x
    text = max(min(columns.text, room - columns.beside - LEAST_BAR), 20.0)
    bar = min(room - text - columns.beside, 1.6 * BAR)
    at_head = x + text + 10.0
    at_weight = at_head + columns.head + 10.0 + columns.numbers / 2 - 8.0
    at_lift = at_weight + columns.numbers / 2
    heading, size = face.shrunk(part.heading, BASE, room, "bold")
    sheet.word(heading, x, y - 17.0, size, weight="bold", tone="soft")
    for name, at, align in zip(part.columns, (at_head, at_weight, at_lift), ("left", "right", "right"), strict=True):
        sheet.word(name, at, y - 4.0, SMALL, align, tone="soft")
    most = max(max(entry.weight, entry.lift) for entry in part.entries) or 1.0
    over = THIN if any(min(entry.weight, entry.lift) > 0 for entry in part.entries) else THICK
    for i, entry in enumerate(part.entries):
        top = y + i * PITCH
        baseline = top + PITCH / 2 + MIDDLE * SMALL
        sheet.word(face.cut(printable(entry.text), BASE, text), x, baseline, BASE, role="row")
        sheet.word(entry.head, at_head, baseline, SMALL)
        for value, at, rgb, high in ((entry.weight, at_weight, WEIGHT, THICK), (entry.lift, at_lift, LIFT, over)):
            digits = f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
            sheet.word(digits, at, baseline, SMALL, "right")
            if value > 0 and bar > 0:
                width = bar * min(value / most, 1.0)
                sheet.fills.append(Fill(Box(at_lift + 8.0, top + (PITCH - high) / 2, width, high), rgb))
