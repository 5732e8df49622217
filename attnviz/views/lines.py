"""A text twice with lines of weight between: queries at the left, keys at the right -> Figure.

A line's width and strength grow with its weight and the strongest lie on top, so that many weak ones make no hairball.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from attnviz.analysis.lift import lifts
from attnviz.errors import SelectionError
from attnviz.views import wording
from attnviz.views.figure import Box, Figure, Fill, Label, Line, Link, LinksPanel
from attnviz.views.layout import SMALLEST
from attnviz.views.measure import MIDDLE, Typeface, one_line, printable, typeface
from attnviz.views.options import check_options, made_by
from attnviz.views.scale import number, round_up
from attnviz.views.sheet import MARGIN, Sheet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention

RGB = tuple[int, int, int]
PAGE, SPAN, LONGEST = 760.0, 104.0, 96.0  # points: a page by itself, between the texts, a label at most
PITCH, SIZE = 12.0, 8.2  # points from token to token, and the size of their labels
MANY = 56  # tokens from which on they stand closer
GAP = 30.0  # between panels
THIN, THICK, FAINT = 0.35, 3.4, 0.07  # of lines: width in points of the weakest and the strongest, cover of the weakest
LEAST, LEAST_OVER = 0.02, 0.06  # of the strongest weight: what is weaker is no line; where heads lie over each other
MOST = 4000  # lines of a panel
INK: RGB = (0, 94, 162)
# Of heads laid over each other: far apart for most colour-blind readers (Okabe and Ito 2008, darkened), then others.
HEADS: tuple[RGB, ...] = (
    (0, 114, 178),
    (196, 78, 0),
    (0, 128, 92),
    (176, 74, 134),
    (122, 92, 0),
    (58, 63, 163),
    (42, 159, 214),
    (140, 28, 19),
    (110, 110, 110),
    (90, 150, 30),
    (220, 150, 20),
    (20, 70, 60),
)


@dataclass(frozen=True)
class _Named:
    """One panel's heads: positions in the weights, with names and colours."""

    title: str
    heads: tuple[tuple[int, int], ...]
    strands: tuple[tuple[str, RGB], ...]
    at: tuple[tuple[str, str], ...]


def lines(
    attention: Attention,
    *,
    query: int | None = None,
    overlay: bool = False,
    by: str = "weight",
    width: float | None = None,
    dpi: float | None = None,
    font: str | None = None,
    title: str | None = None,
    svg_text: str = "keep",
    bare: bool = False,
    meta: Mapping[str, str] | None = None,
) -> Figure:
    """Lines of weight from queries at the left to keys at the right, one panel a head.

    Args:
        attention: of any layers and heads.
        query: show this query's lines alone, and shade the keys by them.
        overlay: the heads of a layer in one panel, each in a colour of its own.
        by: weight | lift: what a line shows; lines of negative lift are not drawn.
        width: inches; font, dpi, title, svg_text, bare, meta: as for `attnviz.views.heatmap.heatmap`.

    Raises:
        SelectionError: too many heads for one panel, or no room. InputError: weights that are not finite.
    """
    check_options(attention, width, None, None, 0, None if dpi is None else int(dpi), svg_text, (), query)
    values = (attention.weights if by == "weight" else lifts(attention)).astype(np.float64)
    rows, cols = (tuple(map(printable, tokens)) for tokens in (attention.query_tokens, attention.key_tokens))
    named = _panels(attention, overlay)
    shown = values if query is None else values[:, :, query : query + 1]
    high = round_up(max(float(shown.max(initial=0.0)), 1e-9))
    panels = [_panel(one, values, rows, cols, high, query, by) for one in named]
    least = high * (LEAST if len(named[0].heads) == 1 else LEAST_OVER)
    said = _said(attention, least, by, any(len(one.links) == MOST for one in panels))
    heading = one_line(title) if title is not None else _title(attention, query)
    random = f"random weights, seed {attention.meta.get('seed')}" if attention.meta.get("random") else ""
    below = one_line(" · ".join(part for part in (random, "queries at the left, keys at the right") if part))
    names = [text for one in panels for text in (one.title, *(strand for strand, _ in one.strands))]
    face = typeface(font, [heading, below, *said, *rows, *cols, *names, "0123456789."])
    lost = (wording.font_note(face), wording.joining_note([*rows, *cols]))
    said += [note for note in lost if note]
    page = _Page(face, panels, attention, width)
    sheet = page.sheet
    if not bare:
        sheet.head(heading, below)
    for first in range(0, len(panels), page.abreast):
        page.row(panels[first : first + page.abreast])
    if not bare:
        page.scale(high, by, panels[0].strands if overlay else ())
        sheet.text(" · ".join(said), tone="soft", role="note")
    figure = sheet.figure(
        title=heading,
        subtitle=below,
        notes=said,
        dpi=dpi,
        svg_text=svg_text,
        meta=made_by(attention, None, meta),
        said=f"The thickest line: {by} {number(high)}",
    )
    return replace(figure, fills=tuple(page.fills), drawn=tuple(panels))


def _panels(attention: Attention, overlay: bool) -> list[_Named]:
    """Which heads go into which panel."""
    maps = named_maps(attention)
    if not overlay:
        return [_Named(" · ".join(said), (at,), ((said[-1], INK),), (names,)) for at, names, said in maps]
    n_heads = attention.weights.shape[1]
    if n_heads > len(HEADS):
        raise SelectionError(
            f"{n_heads} heads are too many to tell apart in one panel: at most {len(HEADS)}",
            "choose some with --head",
        )
    panels = []
    for first in range(0, len(maps), n_heads):
        part = maps[first : first + n_heads]
        title = "layer.head" if attention.pairs else part[0][2][0]
        strands = [".".join(names) if attention.pairs else said[-1] for _, names, said in part]
        places, at = tuple(place for place, _, _ in part), tuple(names for _, names, _ in part)
        panels.append(_Named(title, places, tuple(zip(strands, HEADS, strict=False)), at))
    return panels


def named_maps(attention: Attention) -> list[tuple[tuple[int, int], tuple[str, str], tuple[str, ...]]]:
    """Each map's position [layer, head] in the weights, its layer and head by index, and both in words.

    An averaged axis is a mean.
    """

    def said(what: str, index: int | None, indices: Sequence[int]) -> str:
        return f"mean over {len(indices)} {what}s" if index is None else f"{what} {index}"

    found = []
    for i, (layer, head) in enumerate(attention.places):
        words: tuple[str, ...] = (said("layer", layer, attention.layers), said("head", head, attention.heads))
        if attention.pairs and head is None:
            words = (said("head", None, attention.pairs),)  # type: ignore[arg-type]
        names = tuple("mean" if index is None else str(index) for index in (layer, head))
        found.append((divmod(i, attention.weights.shape[1]), (names[0], names[1]), words))
    return found


def _panel(
    named: _Named,
    values: NDArray[np.float64],
    rows: tuple[str, ...],
    cols: tuple[str, ...],
    high: float,
    query: int | None,
    by: str,
) -> LinksPanel:
    """The lines that are strong enough, the weakest first; of equals the later pair lies below."""
    found = []
    least = high * (LEAST if len(named.heads) == 1 else LEAST_OVER)
    for strand, (layer, head) in enumerate(named.heads):
        weights = values[layer, head]
        for i, j in np.argwhere(weights >= least).tolist():
            if query is None or i == query:
                found.append(Link(i, j, float(weights[i, j]), strand))
    found.sort(key=lambda link: (link.value, -link.strand, -link.row, -link.col))
    return LinksPanel(named.title, rows, cols, tuple(found[-MOST:]), named.strands, named.at, high, by, query)


def _title(attention: Attention, query: int | None) -> str:
    return wording.title(attention, attention.model, "" if query is None else attention.query_tokens[query])


def _said(attention: Attention, least: float, by: str, cut: bool) -> list[str]:
    """What is not drawn, and what was done to the weights."""
    said = [note for note in attention.reduced.split("; ") if note and not note.startswith("mean over")]
    what = "lift: a weight less the mean of its column over the other rows" if by == "lift" else ""
    said += [what, f"{by}s below {number(least)} are not drawn"]
    said += [f"only the {MOST:,} strongest lines of a panel are drawn"] if cut else []
    return [*(one_line(note) for note in said if note), *wording.from_model(attention)]


class _Page:
    """Sizes first, then rows of panels."""

    def __init__(self, face: Typeface, panels: Sequence[LinksPanel], attention: Attention, width: float | None) -> None:
        self.face, self.attention = face, attention
        n = max(len(panels[0].row_labels), len(panels[0].col_labels))
        self.pitch = PITCH if n <= MANY else max(PITCH * MANY / n, SMALLEST * 1.12)
        self.size = min(SIZE, self.pitch * 0.78)
        if self.size < SMALLEST:
            self.size, self.pitch = SMALLEST, SMALLEST * 1.12
        self.left, self.right = (
            min(max((face.width(text, self.size, "bold") for text in texts), default=0.0), LONGEST)
            for texts in (panels[0].row_labels, panels[0].col_labels)
        )
        sides, self.down = self.left + self.right, n * self.pitch
        self.span = SPAN if len(panels) > 3 else 1.4 * SPAN
        one = (sides + self.span + GAP) * (self.down + 3 * SIZE)
        page = max(PAGE, math.sqrt(1.2 * one * len(panels))) if width is None else width * 72.0
        room = page - 2 * MARGIN
        fits = max(1, int((room + GAP) // (sides + (self.span if width is None else SPAN) + GAP)))
        self.abreast = _abreast(fits, len(panels), attention.weights.shape[1])
        if width is not None:
            self.span = (room - (self.abreast - 1) * GAP) / self.abreast - sides
            if self.span < 18.0:
                raise SelectionError(f"a width of {width:g} in leaves no room for lines", "ask for a larger one")
        self.across = sides + self.span
        wide = 2 * MARGIN + self.abreast * self.across + (self.abreast - 1) * GAP
        self.sheet = Sheet(face, page if width is not None else max(wide, 300.0))
        self.fills: list[Fill] = []

    def row(self, panels: Sequence[LinksPanel]) -> None:
        """Panels side by side."""
        sheet = self.sheet
        sheet.y += 1.3 * SIZE
        for place, panel in enumerate(panels):
            self._panel(panel, MARGIN + place * (self.across + GAP), sheet.y + 5.0)
        sheet.y += 5.0 + self.down + 12.0

    def _panel(self, panel: LinksPanel, x: float, top: float) -> None:
        sheet, x0, x1 = self.sheet, x + self.left + 3.0, x + self.left + self.span - 3.0
        name = self.face.cut(panel.title, SIZE, self.across, "bold")
        sheet.word(name, x, top - 5.0, SIZE, weight="bold", tone="soft", role="heading")
        self._parts(x, top)
        for link in panel.links:
            width, share = stroke(link.value / panel.high)
            count = len(panel.strands)  # heads over each other: side by side within a token's height
            aside = 0.6 * self.pitch * ((link.strand + 0.5) / count - 0.5)
            ends = (x0, self._middle(top, link.row) + aside, x1, self._middle(top, link.col) + aside)
            if count > 1:
                width = max(width * min(1.0, 4 / count), THIN)
            sheet.lines.append(Line(*ends, width, rgb=panel.strands[link.strand][1], share=share))
        self._tokens(panel, x, top)

    def _middle(self, top: float, place: int) -> float:
        return top + (place + 0.5) * self.pitch

    def _tokens(self, panel: LinksPanel, x: float, top: float) -> None:
        """Both texts; with one query its token is bold, and the keys are shaded by the strongest of its lines."""
        best: dict[int, Link] = {link.col: link for link in panel.links} if panel.row is not None else {}
        x1 = x + self.left + self.span
        for i, text in enumerate(panel.row_labels):
            said = i == panel.row
            tone = "ink" if panel.row is None or said else "faint"
            self._word(
                text, x + self.left, self._middle(top, i), self.left, "right", "bold" if said else "normal", tone
            )
        for j, text in enumerate(panel.col_labels):
            link = best.get(j)
            tone = "ink"
            if link is not None:
                rgb = tint(panel.strands[link.strand][1], 0.85 * min(link.value / panel.high, 1.0))
                wide = min(self.face.width(text, self.size), self.right) + 4.0
                self.fills.append(Fill(Box(x1 - 2.0, top + j * self.pitch + 0.4, wide, self.pitch - 0.8), rgb))
                tone = "paper" if is_dark(rgb) else "ink"
            elif panel.row is not None:
                tone = "faint"
            self._word(text, x1, self._middle(top, j), self.right, "left", "normal", tone)

    def _word(self, text: str, x: float, middle: float, room: float, align: str, weight: str, tone: str) -> None:
        cut = self.face.cut(text, self.size, room + 0.5, weight)
        role = "row" if align == "right" else "column"
        y = middle + MIDDLE * self.size
        self.sheet.labels.append(Label(cut, x, y, self.size, align, weight=weight, tone=tone, role=role))

    def _parts(self, x: float, top: float) -> None:
        """A thin line where the second text begins, at either side."""
        sides = (
            (self.attention.query_segments, x, x + self.left),
            (self.attention.key_segments, x + self.left + self.span, x + self.across),
        )
        for segments, start, stop in sides:
            for i in range(1, len(segments)):
                if segments[i] != segments[i - 1]:
                    self.sheet.lines.append(Line(start, top + i * self.pitch, stop, top + i * self.pitch, 0.6, "faint"))

    def scale(self, high: float, by: str, strands: Sequence[tuple[str, RGB]]) -> None:
        """What a line's width and strength stand for, and whose colours they are."""
        sheet, x = self.sheet, MARGIN
        y = sheet.y + 4.0
        sheet.word(by, x, y + MIDDLE * 7.0, 7.0, tone="soft", role="bar")
        x += self.face.width(by, 7.0) + 8.0
        for unit in (0.1, 0.3, 1.0):
            width, share = stroke(unit)
            sheet.lines.append(Line(x, y, x + 18.0, y, width, rgb=(70, 70, 70) if strands else INK, share=share))
            text = number(unit * high)
            sheet.word(text, x + 22.0, y + MIDDLE * 7.0, 7.0, role="tick")
            x += 22.0 + self.face.width(text, 7.0) + 12.0
        for name, rgb in strands:
            wide = 14.0 + self.face.width(name, 7.0) + 10.0
            if x + wide > sheet.wide - MARGIN:
                x, y = MARGIN, y + 11.0
            self.fills.append(Fill(Box(x, y - 3.0, 10.0, 6.0), rgb))
            sheet.word(name, x + 14.0, y + MIDDLE * 7.0, 7.0, role="tick")
            x += wide
        sheet.y = y + 10.0


def _abreast(fits: int, panels: int, per_layer: int) -> int:
    """Panels side by side: an equal share of a layer's heads where that is nearly as many as fit."""
    if panels <= fits:
        return panels
    even = max((k for k in range(1, fits + 1) if per_layer % k == 0), default=1)
    return even if even >= 0.6 * fits else fits


def stroke(unit: float) -> tuple[float, float]:
    """Width in points, and how much of what is under it a line covers, for a weight as a share of the largest."""
    unit = min(max(unit, 0.0), 1.0)
    return THIN + (THICK - THIN) * unit, round(FAINT + (1 - FAINT) * unit**1.4, 4)


def tint(rgb: RGB, share: float) -> RGB:
    """A colour on white paper that covers it by so much."""
    red, green, blue = (round(255 + share * (part - 255)) for part in rgb)
    return red, green, blue


def is_dark(rgb: RGB) -> bool:
    """Whether white letters read better on it, by WCAG 2 relative luminance."""
    parts = (part / 255 for part in rgb)
    linear = [part / 12.92 if part <= 0.04045 else math.pow((part + 0.055) / 1.055, 2.4) for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] < 0.24
