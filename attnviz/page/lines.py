"""A text twice with lines of weight between: queries at the left, keys at the right -> Figure.

A line's width and strength grow with its weight and the strongest lie on top, so that many weak ones make no hairball.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnviz.errors import SelectionError
from attnviz.page.colours import HEADS, INK, RGB, letters_on, tint
from attnviz.page.figure import Box, Figure, Fill, Label, Line
from attnviz.page.layout import ordinal
from attnviz.page.page_size import PAGES, abreast
from attnviz.page.parts import LinesOfWeight, LinesPanel, Link, Page
from attnviz.page.scale import number
from attnviz.page.sheet import MARGIN, Words, finished, no_room, started, worded
from attnviz.page.sizes import SMALLEST
from attnviz.page.text_metrics import MIDDLE, printable
from attnviz.page.wording import joining_note

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions

SPAN, LONGEST = 104.0, 96.0  # points: between the texts, a label at most
PITCH, SIZE = 12.0, 8.2  # points from token to token, and the size of their labels
MANY = 56  # tokens from which on they stand closer
GAP = 30.0  # between panels
THIN, THICK, FAINT = 0.35, 3.4, 0.0  # of lines: width in points of the weakest and the strongest, cover of the weakest
REST: RGB = (150, 150, 150)  # lines to where heads rest
SMALLER = (1.0, 0.85, 0.72, 0.61)  # text and pitch of many panels, until they fit a page
CLOSE = 9.0  # points between the panels of a page of very many, where only the outer ones have names
TITLE, WORDS = 11.0, 120.0  # points: of such a panel's name; of the title, the scale and the notes of the page


def lines_of_weight(page: Page, options: FigureOptions) -> Figure:
    """A page of `LinesOfWeight`. Raises SelectionError: no such font, or no room."""
    part = page.part(LinesOfWeight)
    tokens = [printable(token) for token in (*part.rows, *part.cols)]
    names = [text for panel in part.panels for text in (panel.title, *panel.strands)]
    words = worded(page, options, [*tokens, *names, "0123456789.≥"])
    words.notes.extend(filter(None, [joining_note(tokens)]))
    layout = _Layout(words, part, options.width)
    words.notes.extend(layout.remarks())
    for first in range(0, len(part.panels), layout.abreast):
        layout.row(part.panels[first : first + layout.abreast])
    if not options.bare:
        layout.scale()
    thickest = f"The thickest line: {part.label} {number(part.high)}{' and more' if part.clipped else ''}"
    return finished(layout.sheet, thickest)


class _Layout:
    """Sizes first, then rows of panels."""

    def __init__(self, words: Words, part: LinesOfWeight, width: float | None) -> None:
        self.face, self.part, self.titled = words.face, part, len(part.panels) > 1
        self.rows, self.cols = (tuple(map(printable, tokens)) for tokens in (part.rows, part.cols))
        self.gap, self.step, self.times, self.close = GAP, 1, 1.0, False
        for scale in SMALLER if width is None else SMALLER[:1]:
            self._settle(scale, width)
            wide = 2 * MARGIN + self.abreast * self.across + (self.abreast - 1) * GAP
            high = math.ceil(len(part.panels) / self.abreast) * (self.down + 3 * SIZE)
            if max(wide, high) <= max(PAGES[0]) and wide * high <= math.prod(PAGES[0]):
                break
        else:
            if width is None:
                wide = self._settle_close()
        self.sheet = started(words, max(wide, 300.0))

    def remarks(self) -> list[str]:
        """Notes on the names that a page of very many panels leaves out."""
        named = [f"every {ordinal(self.step)} token is named"] if self.step > 1 else []
        return ["tokens are named beside the outer panels", *named] if self.close else []

    def _settle_close(self) -> float:
        """Settle the sizes of panels that fit one page only without names between them; returns the page's width."""
        n, count, per_layer = max(len(self.rows), len(self.cols)), len(self.part.panels), self.part.per_layer
        self.size, self.gap, self.close = SMALLEST, CLOSE, True
        self.left, self.right = (
            min(max(self.face.width(text, self.size, "bold") for text in texts), 0.6 * LONGEST)
            for texts in (self.rows, self.cols)
        )
        beside = 2 * MARGIN + self.left + self.right

        def room(abreast: int, page: tuple[float, float]) -> tuple[float, float]:
            """Width of a panel, and from token to token."""
            stacked = math.ceil(count / abreast)
            down = (page[1] - WORDS) / stacked - TITLE - 12.0
            return (page[0] - beside + CLOSE) / abreast - CLOSE, min(down / n, PITCH * SMALLER[-1])

        even = [k for k in range(1, count + 1) if per_layer % k == 0 or k % per_layer == 0]
        fits = [(abreast, *room(abreast, page)) for page in PAGES for abreast in even]
        self.abreast, self.span, self.pitch = max(fits, key=lambda fit: (min(fit[1], 0.8 * n * fit[2]), -fit[0]))
        self.span = min(self.span, SPAN * SMALLER[-1], max(1.2 * n * self.pitch, 24.0))
        if self.span <= 4.0 or self.pitch <= 0.0:
            raise SelectionError(
                f"{count} panels of {n} tokens are too many for one page", "choose some with -l and -H"
            )
        self.step = math.ceil(1.12 * SMALLEST / self.pitch)
        self.times = max(self.span / (1.4 * SPAN), 0.25)
        self.across, self.down = self.span, n * self.pitch
        return beside + self.abreast * (self.span + CLOSE) - CLOSE

    def _settle(self, scale: float, width: float | None) -> None:
        """Sizes of text and panels, and how many panels stand side by side."""
        n, count = max(len(self.rows), len(self.cols)), len(self.part.panels)
        self.pitch = scale * (PITCH if n <= MANY else max(PITCH * MANY / n, SMALLEST * 1.12))
        self.size = min(scale * SIZE, self.pitch * 0.78)
        if self.size < SMALLEST:
            self.size, self.pitch = SMALLEST, SMALLEST * 1.12
        self.left, self.right = (
            min(max((self.face.width(text, self.size, "bold") for text in texts), default=0.0), scale * LONGEST)
            for texts in (self.rows, self.cols)
        )
        sides, self.down = self.left + self.right, n * self.pitch
        self.span = scale * (SPAN if count > 3 else 1.4 * SPAN)
        if width is None:
            panel = (sides + self.span + GAP, self.down + 3 * SIZE)
            self.abreast = abreast(count, panel, 4 / 3, self.part.per_layer)
        else:
            room = width * 72.0 - 2 * MARGIN
            self.abreast = min(max(1, int((room + GAP) // (sides + SPAN + GAP))), count)
            self.span = (room - (self.abreast - 1) * GAP) / self.abreast - sides
            if self.span < 18.0:
                raise no_room(width * 72.0, " for lines")
        self.across = sides + self.span

    def _ink(self, strand: int) -> RGB:
        """The colour of a head's lines."""
        return HEADS[strand] if self.part.overlay else INK

    def row(self, panels: Sequence[LinesPanel]) -> None:
        """Panels side by side."""
        sheet = self.sheet
        sheet.y += 1.3 * SIZE if self.titled and not self.close else 0.0
        above = TITLE if self.close else 5.0
        for place, panel in enumerate(panels):
            named = (not self.close or place == 0, not self.close or place == len(panels) - 1)
            self._panel(panel, MARGIN + place * (self.across + self.gap), sheet.y + above, named)
        sheet.y += above + self.down + 12.0

    def _panel(self, panel: LinesPanel, x: float, top: float, named: tuple[bool, bool]) -> None:
        """named: whether the queries and the keys have their names beside it."""
        part, sheet, x0, x1 = self.part, self.sheet, x + self.left + 3.0, x + self.left + self.span - 3.0
        if self.titled and panel.title:  # one panel is what the title says
            short = self.face.width(panel.title, SMALLEST, "bold") > self.across + self.gap - 2.0
            title = panel.title.removeprefix("head ") if short else panel.title
            name, size = self.face.shrunk(title, SIZE, self.across + self.gap - 2.0, "bold")
            at = x + (self.left if self.close else 0.0)
            sheet.word(name, at, top - 5.0, size, weight="bold", tone="soft", role="heading")
        self._breaks(x, top, named)
        for link in panel.links:
            width, share = self._stroke(link.value / part.high)
            count = len(panel.strands)  # heads over each other: side by side within a token's height
            aside = 0.6 * self.pitch * ((link.strand + 0.5) / count - 0.5)
            ends = (x0, self._middle(top, link.row) + aside, x1, self._middle(top, link.col) + aside)
            if count > 1:
                width = max(width * min(1.0, 4 / count), THIN)
            rests = link.col in part.rests
            rgb, share = (REST, 0.55 * share) if rests else (self._ink(link.strand), share)
            sheet.lines.append(Line(*ends, width, rgb=rgb, share=share))
        self._tokens(panel, x, top, named)

    def _stroke(self, unit: float) -> tuple[float, float]:
        width, share = stroke(unit)
        return max(width * self.times, 0.2), share

    def _middle(self, top: float, place: int) -> float:
        return top + (place + 0.5) * self.pitch

    def _tokens(self, panel: LinesPanel, x: float, top: float, named: tuple[bool, bool]) -> None:
        """Both texts; with one query its token is bold, and the keys are shaded by the strongest of its lines."""
        part, x1 = self.part, x + self.left + self.span
        best: dict[int, Link] = {link.col: link for link in panel.links} if part.row is not None else {}
        for i, text in enumerate(self.rows if named[0] else ()):
            tone, weight = ("ink" if part.row in (None, i) else "faint"), ("bold" if i == part.row else "normal")
            if i % self.step == 0 or i == part.row:
                self._word(text, x + self.left, self._middle(top, i), self.left, "right", weight, tone)
        for j, text in enumerate(self.cols):
            link = best.get(j)
            tone = "ink"
            if link is not None:
                rgb, share = (REST, 0.55) if j in part.rests else (self._ink(link.strand), 0.85)
                rgb = tint(rgb, share * min(link.value / part.high, 1.0))
                wide = min(self.face.width(text, self.size), self.right) + 4.0 if named[1] else 4.0
                self.sheet.fills.append(Fill(Box(x1 - 2.0, top + j * self.pitch + 0.4, wide, self.pitch - 0.8), rgb))
                tone = letters_on(rgb)
            elif part.row is not None:
                tone = "faint"
            if named[1] and (j % self.step == 0 or link is not None):
                self._word(text, x1, self._middle(top, j), self.right, "left", "normal", tone)

    def _word(self, text: str, x: float, middle: float, room: float, align: str, weight: str, tone: str) -> None:
        cut = self.face.cut(text, self.size, room + 0.5, weight)
        role = "row" if align == "right" else "column"
        y = middle + MIDDLE * self.size
        self.sheet.labels.append(Label(cut, x, y, self.size, align, weight=weight, tone=tone, role=role))

    def _breaks(self, x: float, top: float, named: tuple[bool, bool]) -> None:
        """A thin line where another text begins, at either side that has names."""
        right = x + self.left + self.span
        sides = (x, x + self.left), (right, right + self.right)
        for places, (start, stop), shown in zip(self.part.breaks, sides, named, strict=True):
            for y in (top + place * self.pitch for place in places if shown):
                self.sheet.lines.append(Line(start, y, stop, y, 0.6, "faint"))

    def scale(self) -> None:
        """The key: the weights of three lines, and the heads' colours."""
        part, sheet, x = self.part, self.sheet, MARGIN
        y = sheet.y + 4.0
        sheet.word(part.label, x, y + MIDDLE * 7.0, 7.0, tone="soft", role="bar")
        x += self.face.width(part.label, 7.0) + 8.0
        for unit in (0.1, 0.3, 1.0):
            width, share = self._stroke(unit)
            sheet.lines.append(Line(x, y, x + 18.0, y, width, rgb=(70, 70, 70) if part.overlay else INK, share=share))
            text = ("≥" if part.clipped and unit == 1.0 else "") + number(unit * part.high)
            sheet.word(text, x + 22.0, y + MIDDLE * 7.0, 7.0, role="tick")
            x += 22.0 + self.face.width(text, 7.0) + 12.0
        for strand, name in enumerate(part.panels[0].strands if part.overlay else ()):
            wide = 14.0 + self.face.width(name, 7.0) + 10.0
            if x + wide > sheet.wide - MARGIN:
                x, y = MARGIN, y + 11.0
            sheet.fills.append(Fill(Box(x, y - 3.0, 10.0, 6.0), self._ink(strand)))
            sheet.word(name, x + 14.0, y + MIDDLE * 7.0, 7.0, role="tick")
            x += wide
        sheet.y = y + 10.0


def stroke(unit: float) -> tuple[float, float]:
    """Width in points, and how much of what is under it a line covers, for a weight as a share of the largest."""
    unit = min(max(unit, 0.0), 1.0)
    return THIN + (THICK - THIN) * unit, round(FAINT + (1 - FAINT) * unit**1.2, 4)
