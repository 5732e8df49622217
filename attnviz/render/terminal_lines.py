"""Lines of weight and shaded texts in the terminal: what a Figure of page/lines.py or page/lines_text.py holds.

Lines are drawn in Braille, eight dots a letter, the strongest last; the numbers of the strongest stand below. In a
pipe: a line of columns for each, strongest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

import numpy as np

from attnviz.page.colours import RGB
from attnviz.page.figure import LinksPanel, TextPanel
from attnviz.page.scale import WHITE
from attnviz.render.terminal_cells import colours, ink_on, paint
from attnviz.render.terminal_columns import columns, number
from attnviz.render.terminal_screen import Screen, cells, clean, fit

if TYPE_CHECKING:
    from rich.console import Console
    from rich.style import Style
    from rich.text import Text

    from attnviz.page.figure import Figure, Link

_REST: RGB = (150, 150, 150)  # lines to where heads rest
LABEL, SPAN, NARROW = 18, 46, 12  # columns: a label at most, between the texts at most and at least
FAINTEST, PALE = 0.12, 0.3  # of the strongest: lines drawn in colours; and without, or where heads lie over each other
LISTED = 6  # lines whose numbers are printed
TOLD = 0.05  # weights from which on a word has its number beside it, where there are no colours
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a Braille letter, by row and column


def print_lines(figure: Figure, out: Console | IO[str] | None = None, *, width: int | None = None) -> None:
    """Print every panel of a Figure that holds lines or a text.

    Args:
        figure: its title, subtitle, notes and `drawn` are used.
        out, width: as for `attnviz.render.terminal.print_maps`.
    """
    screen = Screen.of(out, width)
    if screen.plain:
        _print_plain(figure, screen)
        return
    screen.print_wrapped(clean(figure.title), "bold")
    screen.print_wrapped(clean(figure.subtitle), "dim")
    for panel in figure.drawn:
        screen.print("")
        if len(figure.drawn) > 1:
            screen.print_wrapped(clean(panel.title), "bold")
        if isinstance(panel, TextPanel):
            _print_text(panel, screen)
        else:
            _print_links(panel, screen)
    notes = figure.remarks(screen.colour)
    if notes:
        screen.print("")
        screen.print_notes(notes)


def _print_plain(figure: Figure, screen: Screen) -> None:
    rows: list[Sequence[object]] = []
    texts = False
    for panel in figure.drawn:
        if isinstance(panel, TextPanel):
            texts = True
            rows += [(*panel.at, i, word, number(value, 4)) for i, (word, value) in _numbered(panel)]
            continue
        for link in reversed(panel.links):
            ends = (link.row, panel.row_labels[link.row], link.col, panel.col_labels[link.col])
            rows.append((*panel.at[link.strand], *ends, number(link.value, 4)))
    label = figure.drawn[0].label
    header = ("layer", "head", "", "token", label) if texts else ("layer", "head", "", "query", "", "key", label)
    screen.print(*columns(rows, header, "rrrlr" if texts else "rrrlrlr"))


def _numbered(panel: TextPanel) -> list[tuple[int, tuple[str, float]]]:
    return list(enumerate(zip(panel.words, panel.values, strict=True)))


# Lines


def _print_links(panel: LinksPanel, screen: Screen) -> None:
    left = min(max(map(cells, map(clean, panel.row_labels))), LABEL)
    right = min(max(map(cells, map(clean, panel.col_labels))), LABEL)
    span = min(SPAN, screen.width - left - right - 2)
    if screen.blocks and span >= NARROW:
        for line in _drawing(panel, screen, left, right, span):
            screen.print(line)
        if len(panel.strands) > 1:
            _print_strands(panel, screen)
    strongest = list(reversed(panel.links))[: LISTED if screen.blocks and span >= NARROW else 3 * LISTED]
    said = [_said(panel, link) for link in strongest]
    screen.print_items(said, "   ", "dim")


def _said(panel: LinksPanel, link: Link) -> str:
    ends = f"{clean(panel.row_labels[link.row])} > {clean(panel.col_labels[link.col])} {number(link.value, 2)}"
    return f"{ends} ({panel.strands[link.strand][0]})" if len(panel.strands) > 1 else ends


def _drawing(panel: LinksPanel, screen: Screen, left: int, right: int, span: int) -> list[Text]:
    """The two texts with a canvas of Braille letters between them."""
    from rich.text import Text

    n = max(len(panel.row_labels), len(panel.col_labels))
    canvas = _Canvas(span, n)
    for link in panel.links:
        unit = min(link.value / panel.high, 1.0)
        if unit >= (FAINTEST if screen.colour and len(panel.strands) == 1 else PALE):
            own = _REST if link.col in panel.rests else panel.strands[link.strand][1]
            rgb = _ink(own, unit, screen) if screen.colour else None
            canvas.line(4 * link.row + 1.5, 4 * link.col + 1.5, rgb)
    best = {link.col: link for link in panel.links} if panel.row is not None else {}
    found = []
    for i in range(n):
        line = Text()
        name = clean(panel.row_labels[i]) if i < len(panel.row_labels) else ""
        chosen = panel.row == i
        line.append(fit(name, left, "right"), "bold" if chosen else "" if panel.row is None else "dim")
        line.append(" ")
        canvas.write(i, line, screen.colour)
        line.append(" ")
        if i < len(panel.col_labels):
            key = fit(clean(panel.col_labels[i]), right).rstrip()
            link_in = best.get(i)
            if link_in is not None and screen.colour:
                line.append(key, _shade(min(link_in.value / panel.high, 1.0), screen))
            elif link_in is not None:
                line.append(f"{key} {number(link_in.value, 2)}"[: right + 5])
            else:
                line.append(key, "" if panel.row is None else "dim")
        line.rstrip()
        found.append(line)
    return found


def _print_strands(panel: LinksPanel, screen: Screen) -> None:
    """Whose colours the lines have."""
    from rich.text import Text

    line = Text()
    for name, rgb in panel.strands:
        line.append("━━ ", colours(_ink(rgb, 1.0, screen), None) if screen.colour else "")
        line.append(f"{name}  ")
    screen.print_wrapped(line)


def _ink(rgb: RGB, unit: float, screen: Screen) -> RGB:
    """A line's colour, bright enough for a dark screen and dark enough for a light one: near the ground if weak."""
    if screen.ground.dark:
        return mixed((105, 105, 105), mixed(rgb, (255, 255, 255), 0.35), unit)
    return mixed((190, 190, 190), rgb, unit)


def _shade(unit: float, screen: Screen) -> Style | str:
    """The style of a word on the colour of its weight."""
    ground = paint(np.array([[unit]], np.float32), None, WHITE, screen.ground)[0][0]
    return colours(ink_on(ground), ground) if ground is not None else ""


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
        """From the left edge to the right one, heights in dots from the top."""
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
        """One row of letters."""
        for dots, ink in zip(self._dots[row], self._inks[row], strict=True):
            line.append(chr(0x2800 + dots) if dots else " ", colours(ink, None) if colour and ink else "")


# Texts


def _print_text(panel: TextPanel, screen: Screen) -> None:
    """Words in lines, shaded, or with numbers beside those that stand out."""
    from rich.text import Text

    lines, line, used = [], Text(), 0
    for i, (word, value) in _numbered(panel):
        unit = min(max(value / panel.high, 0.0), 1.0)
        shown = clean(word)
        if not screen.colour and value >= TOLD:
            shown = f"{shown}({number(value, 2)})".replace("(0.", "(.")
        gap = 1 if used and panel.spaced[i] else 0
        if used and used + gap + cells(shown) > screen.width:
            lines.append(line)
            line, used, gap = Text(), 0, 0
        line.append(" " * gap)
        line.append(shown, _shade(unit, screen) if screen.colour else "")
        if i == panel.chosen:
            line.stylize("bold underline", len(line) - len(shown), len(line))
        used += gap + cells(shown)
    for one in [*lines, line]:
        screen.print(one)
    ranked = sorted(_numbered(panel), key=lambda item: (-item[1][1], item[0]))[:LISTED]
    screen.print_items([f"{clean(word)} {value:.2f}" for _, (word, value) in ranked if value >= 0.005], "   ", "dim")
