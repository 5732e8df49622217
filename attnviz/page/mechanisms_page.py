"""The page that mechanisms are drawn on: cards with a name, a formula and a map, in rows, downwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import SelectionError
from attnviz.page.figure import Box, Label, Line, MapPanel, Scale
from attnviz.page.groups import long_title, short_title
from attnviz.page.layout import ordinal
from attnviz.page.parts import Card
from attnviz.page.scale import INKS, number, round_up, short, ticks
from attnviz.page.sizes import LINE, SMALLEST
from attnviz.page.text_metrics import ASCENT, MIDDLE, Typeface, printable

if TYPE_CHECKING:
    pass

MARGIN, GAP, BASE, SMALL = 20.0, 15.0, 8.6, 6.6  # points: round the page, between cards; names, small print
BESIDE = 58.0  # for the colour bar
MOST_ABREAST, NARROWEST, LEAST_SIDE, MOST_SIDE = 7, 92.0, 56.0, 320.0
NAMES = 62.0  # for the names of rows
_FEW = (230.0, 185.0, 150.0)  # sides of one, two and three cards abreast
_BAR, _PRINTED = 8.0, 15.0  # width of the colour bar; a cell that is large enough for a number


@dataclass(frozen=True)
class Names:
    """Token labels of one axis: one in so many (`step`) is drawn."""

    texts: tuple[str, ...]
    size: float
    step: int

    @classmethod
    def of(cls, texts: Sequence[str], cell: float) -> Names:
        """Labels as large as a cell allows, thinned where they would be too small to read."""
        size = min(7.2, 0.92 * cell)
        if size >= SMALLEST:
            return cls(tuple(texts), size, 1)
        return cls(tuple(texts), SMALLEST, math.ceil(SMALLEST / (0.92 * cell)))

    def kept(self) -> range:
        return range(0, len(self.texts), self.step)


@dataclass
class Row:
    """Cards abreast, and the groups that begin among them: (first column, group)."""

    cards: list[Card]
    groups: list[tuple[int, str]]


@dataclass
class Page:
    """What has been placed; y runs downwards. side, high: of a map; left: where maps begin; wide: of the page."""

    face: Typeface
    side: float
    high: float
    abreast: int
    left: float
    wide: float
    rows: Names
    cols: Names
    shared: Scale
    decimals: int
    y: float = MARGIN
    panels: list[MapPanel] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @property
    def right(self) -> float:
        """Where the maps end."""
        return self.at(self.abreast) - GAP

    def at(self, col: int) -> float:
        return self.left + col * (self.side + GAP)

    def text(self, text: str, size: float, weight: str = "normal", tone: str = "ink", role: str = "note") -> None:
        """Lines of their own, broken where the page ends."""
        for line in self.face.wrap(text, size, self.wide - self.left - MARGIN, weight):
            self.labels.append(Label(line, self.left, self.y + 0.8 * size, size, weight=weight, tone=tone, role=role))
            self.y += LINE * size

    def snapped(self, height: float, dpi: float) -> tuple[MapPanel, ...]:
        """The maps with their edges on whole pixels, counted from the bottom left as a canvas counts them."""
        pixel = 72.0 / dpi

        def box(b: Box) -> Box:
            x, y = round(b.x / pixel) * pixel, height - round((height - b.y) / pixel) * pixel
            return Box(x, y, round(b.width / pixel) * pixel, round(b.height / pixel) * pixel)

        return tuple(replace(panel, box=box(panel.box)) for panel in self.panels)

    def thinning(self) -> list[str]:
        step = max(self.rows.step, self.cols.step)
        return [f"every {ordinal(step)} token labelled"] if step > 1 else []


def settled(
    cards: Sequence[Card],
    face: Typeface,
    shared: Scale,
    widest: int,
    width: float | None,
    decimals: int,
) -> Page:
    """A page whose sizes are settled: `widest` cards want to stand abreast; width in points, or None to be chosen.

    Raises SelectionError if the width leaves no room for a map.
    """
    queries, keys = (
        [printable(text) for text in texts]
        for texts in (cards[0].attention.query_tokens, cards[0].attention.key_tokens)
    )
    cut = [face.cut(text, 7.2, NAMES) for text in queries]
    left = MARGIN + max(face.width(text, 7.2) for text in cut) + 7.0
    abreast, beside = min(MOST_ABREAST, widest), BESIDE
    if width is None:
        side = _FEW[abreast - 1] if abreast <= len(_FEW) else 106.0
        side = max(side, min(7.8 * max(len(queries), len(keys)), 140.0 if len(keys) <= 64 else 170.0))
    else:
        room = width - left - beside
        abreast = max(1, min(abreast, int((room + GAP) / (NARROWEST + GAP))))
        side = min((room + GAP) / abreast - GAP, MOST_SIDE)
        if side < LEAST_SIDE:
            raise SelectionError(f"a width of {width / 72:g} in leaves no room for a map", "ask for a larger one")
    high = side * min(max(len(queries) / len(keys), 0.4), 2.0)
    wide = width or left + abreast * (side + GAP) - GAP + beside
    rows, cols = Names.of(cut, high / len(queries)), Names.of([face.cut(k, 7.2, NAMES) for k in keys], side / len(keys))
    return Page(face, side, high, abreast, left, wide, rows, cols, shared, decimals)


def rows_of(cards: Sequence[Card], on: Page, grouped: bool) -> list[Row]:
    """Cards in rows: each group begins one, unless it fits beside the one before it; without groups all in turn."""
    if not grouped:
        return [Row(list(cards[i : i + on.abreast]), []) for i in range(0, len(cards), on.abreast)]
    found: list[Row] = []
    for group, members in groupby(cards, key=lambda card: card.group):
        these = list(members)
        if found and found[-1].groups and len(found[-1].cards) + len(these) <= on.abreast:
            before = found[-1]
            start = before.groups[-1][0]
            room = (len(before.cards) - start) * (on.side + GAP) - GAP
            if on.face.width(short_title(before.groups[-1][1]), BASE + 1.0, "bold") <= room:
                before.groups.append((len(before.cards), group))
                before.cards += these
                continue
        starts = range(0, len(these), on.abreast)
        found += [Row(these[i : i + on.abreast], [] if i else [(0, group)]) for i in starts]
    return found


def place_rows(on: Page, rows: Sequence[Row]) -> None:
    """All cards, with the names of rows at the left and those of columns under the lowest card of each column."""
    for i, row in enumerate(rows):
        _titles(on, row)
        top = on.y + LINE * BASE + (max(len(_words(on, card)) for card in row.cards) + 1) * 1.24 * SMALL + 3.0
        for col, card in enumerate(row.cards):
            _card(on, card, on.at(col), top)
        for k in on.rows.kept():
            y = top + (k + 0.5) * on.high / len(on.rows.texts) + MIDDLE * on.rows.size
            on.labels.append(Label(on.rows.texts[k], on.left - 4.0, y, on.rows.size, "right", role="row"))
        on.y = top + on.high
        below = max((len(later.cards) for later in rows[i + 1 :]), default=0)
        if below < len(row.cards):
            on.y += _column_names(on, range(below, len(row.cards)))
        on.y += 14.0


def _titles(on: Page, row: Row) -> None:
    """The names of the groups that begin in a row, each over a line as long as its cards."""
    if not row.groups:
        return
    size = BASE + 1.0
    ends = [start for start, _ in row.groups[1:]] + [on.abreast]
    for (start, group), end in zip(row.groups, ends, strict=True):
        x, stop = on.at(start), on.at(end) - GAP
        fits = on.face.width(long_title(group), size, "bold") <= stop - x
        title, own = on.face.shrunk(long_title(group) if fits else short_title(group), size, stop - x, "bold")
        on.labels.append(Label(title, x, on.y + 0.8 * size, own, weight="bold", tone="soft", role="heading"))
        y = on.y + LINE * size + 1.0
        on.lines.append(Line(x, y, stop, y, 0.5, "faint"))
    on.y += LINE * size + 7.0


def _words(on: Page, card: Card) -> list[tuple[str, str]]:
    """The lines between a card's name and its map: (text, tone)."""
    said = [(line, "soft") for line in on.face.wrap(card.formula, SMALL, on.side)]
    return said + [(line, "faint") for line in on.face.wrap(card.detail, SMALL, on.side) if card.detail]


def _card(on: Page, card: Card, x: float, top: float) -> None:
    """Name and formula from `on.y` on, cost and distance on the map, whose upper edge is `top`."""
    face, side = on.face, on.side
    scale, line, room = None, on.y + 0.8 * BASE, side
    if card.signed and on.shared.low >= 0:
        high = round_up(float(np.abs(card.values).max()))
        scale = Scale("linear", -high, high, INKS, "weight")
        span = f"−{number(high)} to {number(high)}"
        on.labels.append(Label(span, x + side, line, SMALL, "right", tone="faint"))
        room -= face.width(span, SMALL) + 4.0
    size = min(BASE, BASE * room / max(face.width(card.name, BASE, "bold"), 1.0))
    on.labels.append(Label(card.name, x, line, size, weight="bold", role="heading"))
    for text, tone in _words(on, card):
        line += 1.24 * SMALL
        on.labels.append(Label(text, x, line, SMALL, tone=tone))
    cost = f"cost {card.cost}"
    size = SMALL * min(1.0, side / (face.width(cost, SMALL) + face.width(card.said, SMALL) + 5.0))
    on.labels.append(Label(cost, x, top - 4.0, size))
    on.labels.append(Label(card.said, x + side, top - 4.0, size, "right"))
    texts, size = _printed(on, card, scale or on.shared)
    on.panels.append(
        MapPanel(
            title=card.name,
            values=card.values,
            hidden=card.hidden,
            row_labels=tuple(printable(text) for text in card.attention.query_tokens),
            col_labels=tuple(printable(text) for text in card.attention.key_tokens),
            box=Box(x, top, side, on.high),
            cell_text=texts,
            cell_size=size,
            scale=scale,
        )
    )


def _printed(on: Page, card: Card, scale: Scale) -> tuple[tuple[tuple[str, ...], ...], float]:
    """Numbers for the cells, and their size; nothing where cells are small. What is near 0 has none."""
    rows, cols = card.values.shape
    wide, high = on.side / cols, on.high / rows
    if not on.decimals or min(wide, high) < _PRINTED:
        return (), 0.0
    least = max(10.0**-on.decimals, round_up(0.045 * scale.high))
    widest = on.face.width(("−." if scale.low < 0 else ".") + "0" * on.decimals, 1.0)
    texts = tuple(
        tuple(short(value, on.decimals) if abs(value) >= least else "" for value in row) for row in card.values.tolist()
    )
    return texts, min(0.7 * wide / widest, 0.5 * high, BASE)


def _column_names(on: Page, cols: range) -> float:
    """Labels under some maps that end at `on.y`; returns the room that they take."""
    names, cell = on.cols, on.side / len(on.cols.texts)
    longest = max(on.face.width(text, names.size) for text in names.texts)
    upright = longest > cell - 2.0
    for col in cols:
        for k in names.kept():
            middle = on.at(col) + (k + 0.5) * cell
            if upright:
                place = (middle + MIDDLE * names.size, on.y + 4.0, names.size, "right", 90.0)
            else:
                place = (middle, on.y + 3.0 + 0.8 * names.size, names.size, "center", 0.0)
            on.labels.append(Label(names.texts[k], *place, role="column"))
    return longest + 2.0 if upright else LINE * names.size + 2.0


def bar(on: Page, scale: Scale, top: float, over: bool) -> tuple[Box, list[tuple[float, float]]]:
    """The colour bar beside the first row, with its ticks; over: some weights lie above it."""
    box = Box(on.right + 12.0, top, _BAR, on.high)
    found = ticks(scale.kind, scale.low, scale.high, 6)
    texts = [("≥" if over and value == scale.high else "") + number(value).replace("-", "−") for value, _ in found]
    for (_, place), text in zip(found, texts, strict=True):
        y = box.y + box.height * (1 - place)
        on.lines.append(Line(box.x + _BAR, y, box.x + _BAR + 2.0, y, 0.6))
        on.labels.append(Label(text, box.x + _BAR + 4.0, y + 0.36 * SMALL, SMALL, role="tick"))
    x = box.x + _BAR + 6.0 + max(on.face.width(text, SMALL) for text in texts) + ASCENT * SMALL
    on.labels.append(Label(scale.label, x, top + on.high / 2, SMALL + 0.6, "center", 90, tone="soft", role="bar"))
    return box, found
