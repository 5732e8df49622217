"""One or two bars per token, from 0 to the right, with their numbers -> Figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.page.figure import Box, Figure, Fill, Line
from attnviz.page.numbers import compact
from attnviz.page.parts import TokenBars
from attnviz.page.plots import COLOURS
from attnviz.page.sheet import BASE, MARGIN, SMALL, Sheet, finished, no_room, started, worded
from attnviz.page.text_metrics import MIDDLE, printable

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import Page

COLUMN = 468.0  # points: the width of a page by itself
NAME = 150.0  # the width of a token's name at most
HIGH, BETWEEN = 6.6, 5.4  # the height of a bar, and from one token to the next
LEAST = 40.0  # the room for bars at least
ONE_HIGH, ONE_BETWEEN = 8.0, 4.0  # of tokens with one bar each


def token_bars(page: Page, options: FigureOptions) -> Figure:
    """A page of `TokenBars`. Raises SelectionError: no such font, or no room."""
    part = page.part(TokenBars)
    names = [printable(token) for token in part.tokens]
    words = worded(page, options, [part.heading, part.label, *part.names, *names, "0123456789.e-−…"])
    sheet = started(words, COLUMN, least=150.0)
    sheet.text(part.heading, BASE, weight="bold", tone="soft", role="heading")
    sheet.y += 3.0
    if not options.bare:
        _key(sheet, part)
    numbers = [[compact(value) for value in row] for row in part.values.tolist()]
    _rows(sheet, part, names, numbers)
    return finished(sheet, _summary(part, numbers))


def _key(sheet: Sheet, part: TokenBars) -> None:
    """The key: the number that the bars show, and the colour of each name."""
    x = MARGIN
    if len(part.names) == 1:
        sheet.word(part.label, x, sheet.y + 5.0, SMALL, tone="soft", role="tick")
    else:
        sheet.word(f"{part.label}:", x, sheet.y + 5.0, SMALL, tone="soft", role="tick")
        x += sheet.face.width(f"{part.label}:", SMALL) + 8.0
        for name, rgb in zip(part.names, COLOURS, strict=False):
            if x > MARGIN and x + 16.0 + sheet.face.width(name, SMALL) > sheet.wide - MARGIN:
                x, sheet.y = MARGIN, sheet.y + 10.0
            sheet.fills.append(Fill(Box(x, sheet.y - 0.2, 12.0, 5.6), rgb))
            sheet.word(name, x + 16.0, sheet.y + 5.0, SMALL, role="tick")
            x += 28.0 + sheet.face.width(name, SMALL)
    sheet.y += 13.0


def _rows(sheet: Sheet, part: TokenBars, names: list[str], numbers: list[list[str]]) -> None:
    """The names at the left, the bars from one line on, each with its number at its end."""
    face, (count, per_row) = sheet.face, part.values.shape
    digits = max(face.width(text, SMALL) for row in numbers for text in row) + 5.0
    room = sheet.wide - 2 * MARGIN
    widest = max(face.width(name, BASE, "bold") for name in names)
    left = min(widest, NAME, max(room - digits - LEAST - 6.0, 20.0)) + 6.0
    longest = room - left - digits
    if longest < 10.0:
        raise no_room(sheet.wide, " for bars")
    high, between = (HIGH, BETWEEN) if per_row > 1 else (ONE_HIGH, ONE_BETWEEN)
    most, pitch = float(part.values.max(initial=0.0)) or 1.0, per_row * high + between
    top, x = sheet.y, MARGIN + left
    for row in range(count):
        y = top + row * pitch + (4.0 if part.rest and row == count - 1 else 0.0)
        weight = "bold" if row in part.stressed else "normal"
        tone = "soft" if part.rest and row == count - 1 else "ink"
        baseline = y + per_row * high / 2 + MIDDLE * BASE
        name = face.cut(names[row], BASE, left - 6.0, weight)
        sheet.word(name, x - 6.0, baseline, BASE, "right", weight=weight, tone=tone, role="row")
        for bar, value in enumerate(part.values[row].tolist()):
            wide, up = longest * value / most, y + bar * high
            if value > 0:
                sheet.fills.append(Fill(Box(x, up + 0.3, max(wide, 0.4), high - 0.6), COLOURS[bar]))
            sheet.word(numbers[row][bar], x + wide + 4.0, up + high / 2 + MIDDLE * SMALL, SMALL, role="cell")
    bottom = top + count * pitch - between + (4.0 if part.rest else 0.0)
    sheet.lines.append(Line(x, top - 2.0, x, bottom + 2.0, 0.6, "soft"))
    sheet.y = bottom + 12.0


def _summary(part: TokenBars, numbers: list[list[str]]) -> str:
    """Every row in words, for the caption."""
    rows = [f"{token} {' and '.join(row)}" for token, row in zip(part.tokens, numbers, strict=True)]
    return f"{part.heading}, {part.label} ({', '.join(part.names)}): {', '.join(rows)}"
