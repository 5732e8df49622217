"""Lines of weight and shaded texts in the terminal.

Lines are drawn in Braille, eight dots per letter, the strongest last; the numbers of the strongest are below. In a
pipe: a line of columns for each, strongest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from rich.style import Style
from rich.text import Text

from attnviz.page.colours import HEADS, INK, RGB
from attnviz.page.numbers import number
from attnviz.page.parts import LinesOfWeight, LinesPanel, Link, Paragraph, RunningText
from attnviz.page.scale import WHITE
from attnviz.page.text_metrics import printable
from attnviz.render.terminal_cells import colours, on, paint
from attnviz.render.terminal_layout import columns, widest
from attnviz.render.terminal_screen import Screen, cells, clean, fit

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions

_REST: RGB = (150, 150, 150)  # lines to where heads rest
LABEL, SPAN, NARROW = 18, 46, 12  # columns: a label at most, between the texts at most and at least
FAINTEST, PALE = 0.12, 0.3  # of the strongest: the least that is drawn in colours; and without, or of overlaid heads
LISTED = 6  # lines whose numbers are printed
TOLD = 0.05  # weights from which on a word has its number beside it, without colours
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a Braille letter, by row and column


def print_lines(part: LinesOfWeight, screen: Screen, _: FigureOptions) -> None:
    """Print every panel as a drawing with the numbers of its strongest lines."""
    part = replace(part, rows=_readable(part.rows, screen), cols=_readable(part.cols, screen))
    if not screen.plain:
        for i, panel in enumerate(part.panels):
            _print_title([each.title for each in part.panels], i, screen)
            _print_panel(part, panel, screen)
        return
    rows: list[Sequence[object]] = []
    for panel in part.panels:
        for link in reversed(panel.links):
            ends = (link.row, part.rows[link.row], link.col, part.cols[link.col])
            rows.append((*panel.at[link.strand], *ends, number(link.value, 4)))
    screen.print(*columns(rows, ("layer", "head", "", "query", "", "key", part.label), "rrrlrlr"))


def print_text(part: RunningText, screen: Screen, _: FigureOptions) -> None:
    """Print every paragraph shaded by its weights."""
    part = replace(part, words=_readable(part.words, screen))
    if not screen.plain:
        for i, paragraph in enumerate(part.paragraphs):
            _print_title([each.title for each in part.paragraphs], i, screen)
            _print_paragraph(part, paragraph, screen)
        return
    rows = [
        (*paragraph.at, i, word, number(value, 4))
        for paragraph in part.paragraphs
        for i, (word, value) in enumerate(zip(part.words, paragraph.values, strict=True))
    ]
    screen.print(*columns(rows, ("layer", "head", "", "token", part.label), "rrrlr"))


def _readable(texts: Sequence[str], screen: Screen) -> tuple[str, ...]:
    """Tokens as a terminal can print them; for a pipe `columns` cleans them."""
    texts = tuple(map(printable, texts))
    return texts if screen.plain else tuple(map(clean, texts))


def _print_title(titles: Sequence[str], place: int, screen: Screen) -> None:
    """The title of a panel where there are several, with an empty line between them."""
    screen.print(*([""] if place else []))
    if len(titles) > 1:
        screen.print_wrapped(clean(titles[place]), "bold")


# Lines


def _print_panel(part: LinesOfWeight, panel: LinesPanel, screen: Screen) -> None:
    left, right = (min(widest(names), LABEL) for names in (part.rows, part.cols))
    span = min(SPAN, screen.width - left - right - 2)
    if screen.blocks and span >= NARROW:
        screen.print(*_drawing(part, panel, screen, (left, span, right)))
        if len(panel.strands) > 1:
            _print_strands(panel, screen)
    strongest = list(reversed(panel.links))[: LISTED if screen.blocks and span >= NARROW else 3 * LISTED]
    screen.print_items([_in_words(part, panel, link) for link in strongest], "   ", "dim")


def _in_words(part: LinesOfWeight, panel: LinesPanel, link: Link) -> str:
    ends = f"{part.rows[link.row]} > {part.cols[link.col]} {number(link.value, 2)}"
    return f"{ends} ({panel.strands[link.strand]})" if len(panel.strands) > 1 else ends


def _drawing(part: LinesOfWeight, panel: LinesPanel, screen: Screen, widths: tuple[int, int, int]) -> list[Text]:
    """The two texts with a canvas of Braille letters between them. widths: columns of queries, lines and keys."""
    left, span, right = widths
    n = max(len(part.rows), len(part.cols))
    canvas = _canvas(part, panel, screen, span, n)
    best = {link.col: link for link in panel.links} if part.row is not None else {}
    lines = []
    for i in range(n):
        line = Text()
        style = "bold" if part.row == i else "" if part.row is None else "dim"
        line.append(fit(part.rows[i] if i < len(part.rows) else "", left, "right"), style)
        line.append(" ")
        canvas.write(i, line, screen.colour)
        line.append(" ")
        if i < len(part.cols):
            _append_key(line, fit(part.cols[i], right).rstrip(), best.get(i), part, right, screen)
        line.rstrip()
        lines.append(line)
    return lines


def _append_key(line: Text, key: str, link: Link | None, part: LinesOfWeight, right: int, screen: Screen) -> None:
    """A key, shaded by the line of the one query that is shown, or with its number."""
    if link is not None and screen.colour:
        line.append(key, _shade(link.value / part.high, screen))
    elif link is not None:
        line.append(f"{key} {number(link.value, 2)}"[: right + 5])
    else:
        line.append(key, "" if part.row is None else "dim")


def _canvas(part: LinesOfWeight, panel: LinesPanel, screen: Screen, width: int, height: int) -> _Canvas:
    """The lines of a panel."""
    canvas = _Canvas(width, height)
    for link in panel.links:
        unit = min(link.value / part.high, 1.0)
        if unit >= (FAINTEST if screen.colour and len(panel.strands) == 1 else PALE):
            own = _REST if link.col in part.rests else HEADS[link.strand] if part.overlay else INK
            rgb = _ink(own, unit, screen) if screen.colour else None
            canvas.line(4 * link.row + 1.5, 4 * link.col + 1.5, rgb)
    return canvas


def _print_strands(panel: LinesPanel, screen: Screen) -> None:
    """Print the head that each colour of the lines stands for."""
    line = Text()
    for name, rgb in zip(panel.strands, HEADS, strict=False):
        line.append("━━ ", colours(_ink(rgb, 1.0, screen), None) if screen.colour else "")
        line.append(f"{name}  ")
    screen.print_wrapped(line)


def _ink(rgb: RGB, unit: float, screen: Screen) -> RGB:
    """A line's colour, light on a dark screen and dark on a light screen; a weak line is near the ground."""
    if screen.ground.dark:
        return mixed((105, 105, 105), mixed(rgb, (255, 255, 255), 0.35), unit)
    return mixed((190, 190, 190), rgb, unit)


def _shade(unit: float, screen: Screen) -> Style | str:
    """The style of a word on the colour of its weight, 0 to 1; beyond them it is clipped."""
    return on(paint(np.array([[min(max(unit, 0.0), 1.0)]], np.float32), None, WHITE, screen.ground)[0][0])


def mixed(first: RGB, second: RGB, share: float) -> RGB:
    """A colour between two."""
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(first, second, strict=True))
    return red, green, blue


class _Canvas:
    """Braille letters, [row][column], each with the colour of the last line through it."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._dots = [[0] * width for _ in range(height)]
        self._inks: list[list[RGB | None]] = [[None] * width for _ in range(height)]

    def line(self, start: float, stop: float, ink: RGB | None) -> None:
        """Draw a line from the left edge to the right edge; start and stop: heights in dots from the top."""
        across = 2 * self.width
        before = round(start)
        for x in range(across):
            y = round(start + (stop - start) * x / (across - 1))
            for at in range(min(before, y) + (before < y), max(before, y) + (before <= y)) if before != y else (y,):
                self._dot(x, at, ink)
            before = y

    def _dot(self, x: int, y: int, ink: RGB | None) -> None:
        row, col = y // 4, x // 2
        if 0 <= row < self.height:
            self._dots[row][col] |= _DOTS[y % 4][x % 2]
            self._inks[row][col] = ink

    def write(self, row: int, line: Text, colour: bool) -> None:
        """Append one row of letters to a line."""
        for dots, ink in zip(self._dots[row], self._inks[row], strict=True):
            line.append(chr(0x2800 + dots) if dots else " ", colours(ink, None) if colour and ink else "")


# Texts


def _print_paragraph(part: RunningText, paragraph: Paragraph, screen: Screen) -> None:
    """Words in lines, shaded; without colours the words with most weight have numbers."""
    lines, line, used = [], Text(), 0
    for i, (shown, value) in enumerate(zip(part.words, paragraph.values, strict=True)):
        if not screen.colour and value >= TOLD:
            shown = f"{shown}({number(value, 2)})".replace("(0.", "(.")
        gap = 1 if used and part.spaced[i] else 0
        if used and used + gap + cells(shown) > screen.width:
            lines.append(line)
            line, used, gap = Text(), 0, 0
        line.append(" " * gap)
        line.append(shown, _shade(value / part.high, screen) if screen.colour else "")
        if i == part.chosen:
            line.stylize("bold underline", len(line) - len(shown), len(line))
        used += gap + cells(shown)
    screen.print(*lines, line)
    ranked = sorted(zip(paragraph.values, part.words, strict=True), key=lambda item: -item[0])[:LISTED]
    screen.print_items([f"{word} {value:.2f}" for value, word in ranked if value >= 0.005], "   ", "dim")
