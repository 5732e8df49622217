"""One running text shaded by what a chosen token attends to -> Figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from attnviz.axis import Tokens
from attnviz.errors import SelectionError
from attnviz.measures.lift import lifts
from attnviz.page import wording
from attnviz.page.colours import RGB, letters_on, tint
from attnviz.page.figure import Box, Figure, Fill, Line, TextPanel
from attnviz.page.lines_choice import INK, named_maps, panel_title
from attnviz.page.options import check_options, made_by
from attnviz.page.scale import number, round_up
from attnviz.page.sheet import MARGIN, Sheet
from attnviz.page.text_metrics import DESCENT, one_line, printable, tallness, typeface

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.page.text_metrics import Typeface

SIZE, LEADING, PAD = 11.0, 1.62, 1.6  # points: letters; a line in sizes; round a word
COLUMN = 468.0  # the width of a page by itself


def text(
    attention: Attention,
    query: int,
    *,
    by: str = "weight",
    width: float | None = None,
    dpi: float | None = None,
    font: str | None = None,
    title: str | None = None,
    svg_text: str = "keep",
    bare: bool = False,
    meta: Mapping[str, str] | None = None,
) -> Figure:
    """The keys as a running text, each shaded by the weight that one query gives it; a paragraph a head.

    Args:
        attention: of any layers and heads. query: the place of the token whose weights these are.
        by: weight | lift: what shades; negative lift shades nothing.
        width: inches; the others as for `attnviz.page.lines.lines`.

    Raises:
        SelectionError: no such query, or no room. InputError: weights that are not finite.
    """
    check_options(attention, width, None, None, 0, None if dpi is None else int(dpi), svg_text, (), query)
    panels = running(attention, query, by)
    asked, high = attention.query_tokens[query], panels[0].high
    heading = one_line(title) if title is not None else wording.title(attention, attention.model, asked)
    random = f"random weights, seed {attention.meta.get('seed')}" if attention.meta.get("random") else ""
    below = one_line(" · ".join(part for part in (random, f"shaded by what “{asked}” attends to") if part))
    said = [one_line(note) for note in attention.reduced.split("; ") if note and not note.startswith("mean over")]
    said += ["lift: a weight less the mean of its column over the other rows"] if by == "lift" else []
    said += wording.from_model(attention)
    face = typeface(font, [heading, below, *said, *panels[0].words, *(one.title for one in panels), "0123456789."])
    lost = (wording.font_note(face), wording.joining_note(panels[0].words))
    said += [note for note in lost if note]
    sheet = Sheet(face, COLUMN if width is None else width * 72.0)
    fills: list[Fill] = []
    if not bare:
        sheet.head(heading, below)
    for panel in panels:
        if len(panels) > 1:
            sheet.text(panel.title, 8.6, weight="bold", tone="soft", role="heading")
            sheet.y += 2.0
        fills += _paragraph(sheet, panel)
        sheet.y += 8.0
    if not bare:
        fills += _key(sheet, high, by)
        sheet.text(" · ".join(said), tone="soft", role="note")
    figure = sheet.figure(
        title=heading,
        subtitle=below,
        notes=said,
        dpi=dpi,
        svg_text=svg_text,
        meta=made_by(attention, None, meta),
        said=f"The darkest shade: {by} {number(high)}",
    )
    return replace(figure, fills=tuple(fills), drawn=tuple(panels))


def running(attention: Attention, query: int, by: str = "weight") -> list[TextPanel]:
    """The panels, a head each, of one scale."""
    weights = np.asarray(attention.weights if by == "weight" else lifts(attention), np.float64)[:, :, query]
    high = round_up(max(float(weights.max(initial=0.0)), 1e-9))
    words, spaced = pieces(attention.keys)
    same = attention.stream != "cross" and len(attention.queries) == len(attention.keys)
    return [
        TextPanel(
            title=panel_title(names, said),
            words=words,
            values=tuple(weights[at].tolist()),
            spaced=spaced,
            at=names,
            high=high,
            label=by,
            asked=attention.query_tokens[query],
            chosen=query if same else None,
        )
        for at, names, said in named_maps(attention)
    ]


def pieces(tokens: Tokens) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """What each token spells within a text, and whether a space stands before it.

    A space stands where the text has one; where that is not known, between words.
    """
    words, spaced = [], []
    for i, label in enumerate(tokens.text):
        word, segment = tokens.words[i], tokens.segments[i]
        inside = i > 0 and word >= 0 and word == tokens.words[i - 1] and segment == tokens.segments[i - 1]
        plain = label.removeprefix("##") if label.startswith("##") and len(label) > 2 else label
        words.append(printable(plain.removeprefix("◌") or plain))
        apart = i > 0 and not inside
        if apart and tokens.spans and not (tokens.special[i] or tokens.special[i - 1]):
            here, before = tokens.spans[i], tokens.spans[i - 1]
            apart = here[0] > before[1] or segment != tokens.segments[i - 1]
        spaced.append(apart)
    return tuple(words), tuple(spaced)


def _paragraph(sheet: Sheet, panel: TextPanel) -> list[Fill]:
    """Words in lines, each on its shade; the chosen one is underlined."""
    face, right = sheet.face, sheet.wide - MARGIN
    if right - MARGIN < 60.0:
        raise SelectionError(f"a width of {sheet.wide / 72:g} in leaves no room for a text", "ask for a larger one")
    above, under = tallness(panel.words)
    space, pitch = 0.32 * SIZE, SIZE * max(LEADING, above + under + 0.35)
    x, y = MARGIN, sheet.y + 0.5 * (pitch - SIZE * (above - under)) + SIZE * (above - under)
    fills = []
    for group in _unbroken(panel):
        wide = sum(_wide(face, panel.words[i], i == panel.chosen) for i in group)
        if x > MARGIN and x + space + wide > right:
            x, y = MARGIN, y + pitch
        elif x > MARGIN and panel.spaced[group[0]]:
            x += space
        for i in group:
            word = face.cut(panel.words[i], SIZE, right - MARGIN - 2 * PAD)
            own = _wide(face, word, i == panel.chosen)
            if x > MARGIN and x + own > right + 0.1:
                x, y = MARGIN, y + pitch
            ground, tone = shade(panel, i)
            if ground is not None:
                top, down = y - SIZE * above - PAD, SIZE * (above + under) + 2 * PAD
                fills.append(Fill(Box(x, top, own, down), ground))
            said = i == panel.chosen
            sheet.word(word, x + own / 2, y, SIZE, "center", weight="bold" if said else "normal", tone=tone, role="row")
            if said:
                line = y + SIZE * under + PAD + 0.6
                sheet.lines.append(Line(x, line, x + own, line, 1.4, "mark"))
            x += own
    sheet.y = y + SIZE * DESCENT + 0.4 * pitch
    return fills


def shade(panel: TextPanel, word: int) -> tuple[RGB | None, str]:
    """The colour under a word, None where its weight shows nothing, and the tone of its letters."""
    unit = min(max(panel.values[word] / panel.high, 0.0), 1.0)
    ground = tint(INK, 0.92 * unit) if unit >= 0.01 else None
    return ground, "ink" if ground is None else letters_on(ground)


def _wide(face: Typeface, word: str, said: bool) -> float:
    return face.width(word, SIZE, "bold" if said else "normal") + 1.2


def _unbroken(panel: TextPanel) -> list[list[int]]:
    """Pieces without a space between them, which stay on one line where they can."""
    groups: list[list[int]] = []
    for i, apart in enumerate(panel.spaced):
        if apart or not groups:
            groups.append([])
        groups[-1].append(i)
    return groups


def _key(sheet: Sheet, high: float, by: str) -> list[Fill]:
    """What a shade stands for."""
    x, y, fills = MARGIN, sheet.y + 4.0, []
    sheet.word(by, x, y + 2.2, 7.0, tone="soft", role="bar")
    x += sheet.face.width(by, 7.0) + 8.0
    for unit in (0.1, 0.25, 0.5, 1.0):
        fills.append(Fill(Box(x, y - 4.0, 18.0, 8.0), tint(INK, 0.92 * unit)))
        text = number(unit * high)
        sheet.word(text, x + 22.0, y + 2.2, 7.0, role="tick")
        x += 22.0 + sheet.face.width(text, 7.0) + 12.0
    sheet.y = y + 12.0
    return fills
