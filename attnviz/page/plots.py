"""Small plots side by side -> Figure: curves from 1 down to 0 against the rank, one plot per head."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from attnviz.errors import SelectionError
from attnviz.page.figure import Box, Figure, Fill, Line
from attnviz.page.numbers import compact as number
from attnviz.page.parts import Plots
from attnviz.page.sheet import MARGIN, Sheet, finished, started, worded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import Page, Plot

WIDE, HIGH, GAP = 118.0, 74.0, 34.0  # points: a plot's width and height, and between plots
MOST = 96  # plots
COLOURS = ((0, 94, 162), (196, 78, 0))  # of the curves, in order
NAME, DIGITS = 7.4, 6.2  # points: a plot's name, and its small numbers


def plots(page: Page, options: FigureOptions) -> Figure:
    """The page of a part with plots.

    Raises:
        SelectionError: too many plots.
    """
    part = page.part(Plots)
    count = len(part.plots)
    if count > MOST:
        raise SelectionError(f"{count} heads are too many plots: at most {MOST}", "choose some: -l, -H")
    texts = [text for plot in part.plots for text in (plot.heading, plot.remark)]
    words = worded(page, options, [*texts, *part.curves, "0123456789.−"])
    room = (760.0 if options.width is None else options.width * 72.0) - 2 * MARGIN
    abreast = max(1, min(int((room + GAP) // (WIDE + GAP)), count))
    wide = max(2 * MARGIN + abreast * (WIDE + GAP) - GAP, 330.0)
    sheet = started(words, wide)
    _key(sheet, part.curves)
    for first in range(0, count, abreast):
        sheet.y += 14.0
        for place, plot in enumerate(part.plots[first : first + abreast]):
            _plot(sheet, plot, MARGIN + place * (WIDE + GAP))
        sheet.y += HIGH + 26.0
    return finished(sheet)


def _key(sheet: Sheet, names: Sequence[str]) -> None:
    """Which colour is which curve's."""
    x = MARGIN
    for name, rgb in zip(names, COLOURS, strict=False):
        sheet.fills.append(Fill(Box(x, sheet.y, 10.0, 5.0), rgb))
        sheet.word(name, x + 14.0, sheet.y + 5.0, 7.0, role="tick")
        x += 24.0 + sheet.face.width(name, 7.0)
    sheet.y += 12.0


def _plot(sheet: Sheet, plot: Plot, x: float) -> None:
    """One plot: a frame, its curves from 1 down, and how far along they go."""
    top, bottom = sheet.y + 6.0, sheet.y + 6.0 + HIGH
    name, size = sheet.face.shrunk(plot.heading, NAME, WIDE + GAP - 4, "bold")
    sheet.word(name, x, sheet.y + 1.0, size, weight="bold", tone="soft")
    for y in (top, top + HIGH / 2, bottom):
        sheet.lines.append(Line(x, y, x + WIDE, y, 0.5, "grid"))
    for value, y in ((1.0, top), (0.5, top + HIGH / 2), (0.0, bottom)):
        sheet.word(number(value), x + WIDE + 3.0, y + 2.2, DIGITS, tone="soft", role="tick")
    for values, rgb in zip(plot.curves, COLOURS, strict=False):
        heights = [bottom - HIGH * value for value in values.tolist()]
        heights = heights * 2 if len(heights) == 1 else heights
        step = WIDE / (len(heights) - 1)
        for k, ends in enumerate(pairwise(heights)):
            sheet.lines.append(Line(x + k * step, ends[0], x + (k + 1) * step, ends[1], 1.2, rgb=rgb))
    longest = max(len(values) for values in plot.curves)
    remark = plot.remark.replace("-", "−")
    sheet.word("1", x, bottom + 8.0, DIGITS, tone="soft", role="tick")
    sheet.word(str(longest), x + WIDE, bottom + 8.0, DIGITS, "right", tone="soft", role="tick")
    sheet.word(remark, x + WIDE / 2, bottom + 8.0, DIGITS, "center", tone="soft")
