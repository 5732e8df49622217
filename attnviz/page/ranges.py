"""The spread of a number of some heads: a range, a box and a median for each, in columns below boards."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from attnviz.page.figure import Box, Dot, Fill, Line
from attnviz.page.scale import number, round_up, ticks
from attnviz.page.text_metrics import MIDDLE, Typeface, printable

if TYPE_CHECKING:
    from attnviz.page.parts import Ranges
    from attnviz.page.sheet import Sheet

BASE, SMALL = 9.0, 7.0  # points: sizes of text
ABOVE, BELOW = 24.0, 20.0  # points: for the heading, for the numbers of the axis
PITCH, HIGH, GAP = 8.6, 4.6, 20.0  # points from one line to the next, of a box, from one column to the next
ROWS, COLUMNS, LEAST = 24, 3, 150.0  # lines of a column before there is another; columns at most; width of one
BOX, MEDIAN, MEAN = (196, 212, 230), (43, 98, 158), (214, 93, 46)


SAYS = "line: 5 to 95 % of the texts, box: 25 to 75 %, bar: median, dot: mean"


class _Columns(NamedTuple):
    """across: columns; rows: lines in each; names: points for the names in front of a column's lines."""

    across: int
    rows: int
    names: float


def _columns(part: Ranges, face: Typeface, room: float) -> _Columns:
    """As many columns as the lines need and as `room` points hold."""
    names = max((face.width(printable(name), SMALL) for name in part.names), default=0.0) + 6.0
    fit = int((room + GAP) // (names + LEAST + GAP))
    count = max(1, min(COLUMNS, fit, math.ceil(len(part.names) / ROWS)))
    return _Columns(count, math.ceil(len(part.names) / count), names)


def room_for_ranges(part: Ranges, face: Typeface, room: float) -> float:
    """The height in points that the lines need in a width of `room` points."""
    return ABOVE + _columns(part, face, room).rows * PITCH + BELOW


def draw_ranges(sheet: Sheet, part: Ranges, x: float, y: float) -> None:
    """The lines from x, y on, to the right margin."""
    room = sheet.wide - sheet.margin - x
    columns = _columns(part, sheet.face, room)
    heading, size = sheet.face.shrunk(part.heading, BASE, room, "bold")
    sheet.word(heading, x, y + 10.0, size, weight="bold", tone="soft", role="heading")
    wide = (room - (columns.across - 1) * GAP) / columns.across
    high = part.high if part.high is not None else round_up(float(part.values.max(initial=0.0)))
    for column in range(columns.across):
        first = column * columns.rows
        some = range(first, min(first + columns.rows, len(part.names)))
        left = x + column * (wide + GAP) + columns.names
        box = Box(left, y + ABOVE, wide - columns.names, len(some) * PITCH)
        _axis(sheet, part, box, high)
        for place, row in enumerate(some):
            _line(sheet, part, row, box, box.y + (place + 0.5) * PITCH, high)


def _axis(sheet: Sheet, part: Ranges, box: Box, high: float) -> None:
    """Grid lines with their numbers below them."""
    for value, share in ticks("linear", part.low, high, max(2, int(box.width // 40))):
        at = box.x + box.width * share
        sheet.lines.append(Line(at, box.y, at, box.y + box.height, 0.4, "grid"))
        sheet.word(number(value), at, box.y + box.height + 0.4 + SMALL, SMALL, "center", role="tick")


def _line(sheet: Sheet, part: Ranges, row: int, box: Box, middle: float, high: float) -> None:
    """One head: a line from 5 to 95 %, a box from 25 to 75 %, a bar for the median, a dot for the mean."""
    name = printable(part.names[row])
    sheet.word(name, box.x - 4.0, middle + MIDDLE * SMALL, SMALL, "right", role="row")

    def at(value: float) -> float:
        return box.x + box.width * min(max((value - part.low) / (high - part.low), 0.0), 1.0)

    q05, q25, median, q75, q95 = (float(value) for value in part.values[row])
    if not math.isfinite(median):
        return
    top = middle - HIGH / 2
    sheet.lines.append(Line(at(q05), middle, at(q95), middle, 0.7, rgb=MEDIAN))
    sheet.fills.append(Fill(Box(at(q25), top, max(at(q75) - at(q25), 0.4), HIGH), BOX))
    sheet.lines.append(Line(at(median), top - 0.6, at(median), top + HIGH + 0.6, 1.4, rgb=MEDIAN))
    sheet.dots.append(Dot(at(float(part.means[row])), middle, 1.3, MEAN))
