"""One running text shaded by what a chosen token attends to -> Figure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from attnviz.page import below
from attnviz.page.colours import INK, RGB, letters_on, tint
from attnviz.page.figure import Box, Figure, Fill, Line
from attnviz.page.parts import Bars, Page, Paragraph, RunningText
from attnviz.page.scale import number
from attnviz.page.sheet import MARGIN, Sheet, finished, no_room, started, worded
from attnviz.page.text_metrics import DESCENT, printable, tallness
from attnviz.page.wording import joining_note

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.text_metrics import Typeface

SIZE, LEADING, PAD, SIDE = 11.0, 1.62, 1.6, 0.6  # points: letters; a line in sizes; above and beside a word
LABELS, APART = 8.0, 4.0  # points: letters of a passage's label; between passages
COLUMN = 468.0  # the width of a page by itself


def running_text(page: Page, options: FigureOptions) -> Figure:
    """A page of a `RunningText`, and below it at most one list. Raises SelectionError: no such font, or no room."""
    part, bars = page.part(RunningText), below.first_below(page.parts)
    part = replace(part, words=tuple(map(printable, part.words)))
    titles = [paragraph.title for paragraph in part.paragraphs]
    labels = [label for _, label in part.passages]
    words = worded(page, options, [*part.words, *titles, *labels, "0123456789.", *below.texts_of(bars)])
    words.notes.extend(filter(None, [joining_note(part.words)]))
    sheet = started(words, COLUMN)
    for paragraph in part.paragraphs:
        if len(titles) > 1:
            sheet.text(paragraph.title, 8.6, weight="bold", tone="soft", role="heading")
            sheet.y += 2.0
        _paragraph(sheet, part, paragraph)
        sheet.y += 8.0
    if not options.bare:
        _key(sheet, part)
    if isinstance(bars, Bars):
        below.draw_bars(sheet, bars, MARGIN, sheet.y - 8.0)
        sheet.y += below.room_for(bars, sheet.face)[1]
    figure = finished(sheet, f"The darkest shade: {part.label} {number(part.high)}")
    return replace(figure, text=part)


def _paragraph(sheet: Sheet, part: RunningText, paragraph: Paragraph) -> None:
    """Words in lines, each on its shade, a passage's label at the left; the chosen word is underlined."""
    face, right, labels = sheet.face, sheet.wide - MARGIN, dict(part.passages)
    left = MARGIN + max((face.width(label, LABELS) + 8.0 for label in labels.values() if label), default=0.0)
    if right - left < 60.0:
        raise no_room(sheet.wide, " for a text")
    above, under = tallness(part.words)
    space, pitch = 0.32 * SIZE, SIZE * max(LEADING, above + under + 0.35)
    x, y = left, sheet.y + 0.5 * (pitch - SIZE * (above - under)) + SIZE * (above - under)
    for group in _unbroken(part):
        if group[0] in labels:
            x, y = left, y + (pitch + APART if group[0] else 0.0)
            sheet.word(labels[group[0]], left - 8.0, y, LABELS, "right", tone="soft", role="heading")
        wide = sum(_wide(face, part.words[i], i == part.chosen) for i in group) + 2 * SIDE
        if x > left and x + space + wide > right:
            x, y = left, y + pitch
        elif x > left and part.spaced[group[0]]:
            x += space
        for i in group:
            word = face.cut(part.words[i], SIZE, right - left - 2 * PAD)
            sides = SIDE * (i == group[0]), SIDE * (i == group[-1])
            own = _wide(face, word, i == part.chosen) + sum(sides)
            if x > left and x + own > right + 0.1:
                x, y = left, y + pitch
            ground, tone = shade(paragraph.values[i], part.high)
            if ground is not None:
                top, down = y - SIZE * above - PAD, SIZE * (above + under) + 2 * PAD
                sheet.fills.append(Fill(Box(x, top, own, down), ground))
            weight = "bold" if i == part.chosen else "normal"
            sheet.word(
                word, x + (own + sides[0] - sides[1]) / 2, y, SIZE, "center", weight=weight, tone=tone, role="row"
            )
            if i == part.chosen:
                line = y + SIZE * under + PAD + 0.6
                sheet.lines.append(Line(x, line, x + own, line, 1.4, "mark"))
            x += own
    sheet.y = y + SIZE * DESCENT + 0.4 * pitch


def shade(value: float, high: float) -> tuple[RGB | None, str]:
    """The colour under a word, None where its number shows nothing, and the tone of its letters."""
    unit = min(max(value / high, 0.0), 1.0)
    ground = tint(INK, 0.92 * unit) if unit >= 0.01 else None
    return ground, "ink" if ground is None else letters_on(ground)


def _wide(face: Typeface, word: str, chosen: bool) -> float:
    return face.width(word, SIZE, "bold" if chosen else "normal")


def _unbroken(part: RunningText) -> list[list[int]]:
    """Words of a passage without a space between them, which stay on one line where they can."""
    groups, firsts = list[list[int]](), {first for first, _ in part.passages}
    for i, apart in enumerate(part.spaced):
        if apart or i in firsts or not groups:
            groups.append([])
        groups[-1].append(i)
    return groups


def _key(sheet: Sheet, part: RunningText) -> None:
    """The key: the weights of four shades, closer together on a narrow page."""
    x, y, right = MARGIN, sheet.y + 4.0, sheet.wide - MARGIN
    sheet.word(part.label, x, y + 2.2, 7.0, tone="soft", role="bar")
    x += sheet.face.width(part.label, 7.0) + 8.0
    units = (0.1, 0.25, 0.5, 1.0)
    texts = [number(unit * part.high) for unit in units]
    words = sum(sheet.face.width(text, 7.0) for text in texts)
    swatch, between = (18.0, 12.0) if x + words + 4 * 22.0 + 3 * 12.0 <= right else (12.0, 6.0)
    for unit, text in zip(units, texts, strict=True):
        wide = swatch + 4.0 + sheet.face.width(text, 7.0)
        if x + wide > right:
            x, y = MARGIN, y + 12.0
        sheet.fills.append(Fill(Box(x, y - 4.0, swatch, 8.0), tint(INK, 0.92 * unit)))
        sheet.word(text, x + swatch + 4.0, y + 2.2, 7.0, role="tick")
        x += wide + between
    sheet.y = y + 12.0
