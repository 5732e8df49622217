"""Mechanisms side by side -> Figure: a card each, with its formula, its cost and how far it is from full attention.

A card is a name, a formula and a map. Cards form rows, from top to bottom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError
from attnviz.page import wording
from attnviz.page.cell_numbers import printed
from attnviz.page.colour_limits import count_above, limits
from attnviz.page.figure import Box, Figure, Line, Scale
from attnviz.page.figure_options import check_attention
from attnviz.page.groups import TITLES, long_title, short_title
from attnviz.page.parts import DISTANCE, Card, Cards, Page
from attnviz.page.pooled import blocks, strongest
from attnviz.page.scale import INKS, WHITE, check_cmap, check_scale, masked, number, round_up, ticks
from attnviz.page.sheet import BAR, BASE, Sheet, beside, finished, no_room, started, worded
from attnviz.page.sizes import LINE
from attnviz.page.text_metrics import ASCENT, LOST, printable

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.text_metrics import Typeface

MARGIN, GAP, SMALL = 20.0, 15.0, 6.6  # points: round the page, between cards; small print
BESIDE = 58.0  # points for the colour bar
MOST_ABREAST, NARROWEST, LEAST_SIDE, MOST_SIDE = 7, 92.0, 56.0, 320.0
NAMES, NAME = 62.0, 7.2  # points for the names of rows, and their size
_FEW = (230.0, 185.0, 150.0)  # sides of one, two and three cards abreast
_PRINTED = 15.0  # points of a cell that is large enough for a number
_SIGNS = "0123456789.,–−·≥…costdianer" + LOST


def cards_page(page: Page, options: FigureOptions) -> Figure:
    """Cards with a map each, all on one colour scale except maps with signs; a narrow page has fewer abreast.

    Raises SelectionError: an option's value is not there or not possible, or there is nothing to draw.
    """
    part = page.part(Cards)
    cards, cmap = part.cards, options.cmap or WHITE
    check_scale(options.scale)
    if not cards:
        raise SelectionError("there is no mechanism to draw")
    first = cards[0].attention
    check_attention(first, replace(options, decimals=min(options.decimals, 6), height=None, font_size=None))
    shared, why = _shared(cards, options.scale, options.vmax, check_cmap(cmap))
    above = count_above((card.values for card in cards if not card.signed), shared)
    over = wording.over_note(above, shared.high, why, any(first.key_special))
    texts = [text for card in cards for text in (card.name, card.formula, card.cost, card.detail)]
    texts += [printable(text) for text in (*first.query_tokens, *first.key_tokens)]
    notes = _notes(cards, shared, over, part.left_out)
    words = worded(page, options, [*texts, *TITLES.values(), _SIGNS], notes)
    dpi = options.dpi or 200.0
    grid = _Grid.settled(cards, part.grouped, words.face, None if options.width is None else options.width * 72.0)
    drawn = [_thinned(card, grid.side, dpi) for card in cards]
    pooled = drawn[0].attention.cell
    words.notes += [f"drawn as the largest of {pooled} x {pooled} weights a cell"] if pooled > 1 else []
    sizes = {"margin": MARGIN, "indent": grid.left - MARGIN, "foot": MARGIN - 6.0, "small": SMALL + 0.4}
    sheet = started(words, grid.wide, title_size=13.0, shrink=False, **sizes)
    sheet.y += 3.0
    rows = grid.rows(drawn, part.grouped)
    for i, row in enumerate(rows):
        _row(sheet, grid, row, shared, options.decimals, max((len(later.cards) for later in rows[i + 1 :]), default=0))
    words.notes += sheet.thinning("token")
    words.notes += ["numbers near 0 left out"] if any(panel.cell_text for panel in sheet.panels) else []
    sheet.scale, sheet.bar_ticks = shared, ticks(shared.kind, shared.low, shared.high, 6)
    sheet.bar_box = Box(grid.at(grid.abreast) - GAP + 12.0, sheet.panels[0].box.y, BAR, grid.high)
    gap = 2.0 + ASCENT * SMALL
    sheet.beside_bar(sheet.bar_box, sheet.bar_ticks, shared.label, SMALL, SMALL + 0.6, gap, above > 0)
    caption = wording.caption(words.title, words.subtitle, shared, words.notes)
    return replace(_snapped(finished(sheet)), caption=caption)


def _notes(cards: Sequence[Card], shared: Scale, over: str, left_out: Sequence[str]) -> list[str]:
    signed = any(card.signed for card in cards)
    notes = [DISTANCE + ("; rows with signs are first divided by their size" if signed else "")]
    if any(card.hidden is not None for card in cards):
        notes.append(f"{masked(shared.cmap)}: not allowed")
    if signed:
        notes.append("red above 0, blue below" + (", on a scale of its own" if shared.low >= 0 else ""))
    notes += [note for note in (wording.colour_note(shared), over) if note]
    if left_out:
        notes.append(f"left out, as this model or text cannot have them: {', '.join(left_out)}")
    return notes + _common(cards)


def _common(cards: Sequence[Card]) -> list[str]:
    """Notes of the attention that all cards share, without a note on one card's mechanism, which its card shows."""
    notes = [wording.from_model(card.attention) for card in cards]
    if len(cards) == 1:
        return [note for note in notes[0] if not note.startswith(cards[0].name.partition(":")[0])]
    return [note for note in notes[0] if all(note in other for other in notes[1:])]


def _shared(cards: Sequence[Card], kind: str, vmax: float | str | None, cmap: str) -> tuple[Scale, str]:
    """One scale for all panels without signs (of all, if each has some), and why weights may lie above its end."""
    maps = [card.attention for card in cards if not card.signed] or [card.attention for card in cards]
    weights = np.concatenate([attention.weights for attention in maps], axis=1)
    return limits(replace(maps[0], weights=weights), kind, vmax, cmap)


def _thinned(card: Card, side: float, dpi: float) -> Card:
    """The card with neighbouring cells drawn as their strongest, if a cell would be under a pixel."""
    k = math.ceil(max(card.values.shape) / max(0.9 * side / 72 * dpi, 1.0))
    if k <= 1:
        return card
    attention = card.attention
    mask = attention.mask
    return replace(
        card,
        attention=replace(
            attention,
            weights=strongest(card.values, k)[None, None],
            mask=None if mask is None else np.logical_or.reduce(blocks(mask[0], k, False), (1, 3))[None],
            queries=attention.queries.cells(k),
            keys=attention.keys.cells(k),
            cell=k,
        ),
    )


def _snapped(figure: Figure) -> Figure:
    """The figure with its maps' edges on whole pixels, counted from the bottom left as a canvas counts them."""
    pixel = 72.0 / figure.dpi

    def whole(side: float) -> float:
        return round(side / pixel) * pixel

    def box(b: Box) -> Box:
        return Box(whole(b.x), figure.height - whole(figure.height - b.y), whole(b.width), whole(b.height))

    return replace(figure, panels=tuple(replace(panel, box=box(panel.box)) for panel in figure.panels))


@dataclass
class _Row:
    """Cards abreast, and the groups that begin among them: (first column, group)."""

    cards: list[Card]
    groups: list[tuple[int, str]]


@dataclass(frozen=True)
class _Grid:
    """Where maps stand. Points: side, high: of a map; left: where maps begin; wide: of the page."""

    face: Typeface
    abreast: int
    side: float
    high: float
    left: float
    wide: float

    @classmethod
    def settled(cls, cards: Sequence[Card], grouped: bool, face: Typeface, width: float | None) -> _Grid:
        """Sizes of maps for a page of `width` points, None to choose it. Raises SelectionError: there is no room."""
        groups = [len(list(members)) for _, members in groupby(cards, key=lambda card: card.group)]
        abreast = min(MOST_ABREAST, max(groups) if grouped else len(cards))
        queries, keys = (len(names) for names in _names(face, cards[0]))
        left = MARGIN + beside(face, _names(face, cards[0])[0], NAME / 0.9) + 1.0
        if width is None:
            side = _FEW[abreast - 1] if abreast <= len(_FEW) else 106.0
            side = max(side, min(7.8 * max(queries, keys), 140.0 if keys <= 64 else 170.0))
        else:
            room = width - left - BESIDE
            abreast = max(1, min(abreast, int((room + GAP) / (NARROWEST + GAP))))
            side = min((room + GAP) / abreast - GAP, MOST_SIDE)
            if side < LEAST_SIDE:
                raise no_room(width, " for a map")
        high = side * min(max(queries / keys, 0.4), 2.0)
        return cls(face, abreast, side, high, left, width or left + abreast * (side + GAP) - GAP + BESIDE)

    def at(self, col: int) -> float:
        """The left edge of a column of cards."""
        return self.left + col * (self.side + GAP)

    def rows(self, cards: Sequence[Card], grouped: bool) -> list[_Row]:
        """Cards in rows: each group begins one, unless it fits beside the one before it; without groups all in turn."""
        if not grouped:
            return [_Row(list(cards[i : i + self.abreast]), []) for i in range(0, len(cards), self.abreast)]
        rows: list[_Row] = []
        for group, members in groupby(cards, key=lambda card: card.group):
            group_cards = list(members)
            if rows and rows[-1].groups and len(rows[-1].cards) + len(group_cards) <= self.abreast:
                before = rows[-1]
                start, name = before.groups[-1]
                room = (len(before.cards) - start) * (self.side + GAP) - GAP
                if self.face.width(short_title(name), BASE + 1.0, "bold") <= room:
                    before.groups.append((len(before.cards), group))
                    before.cards += group_cards
                    continue
            starts = range(0, len(group_cards), self.abreast)
            rows += [_Row(group_cards[i : i + self.abreast], [] if i else [(0, group)]) for i in starts]
        return rows


def _names(face: Typeface, card: Card) -> tuple[list[str], list[str]]:
    """Names of queries and keys, as much of each as there is room for."""
    queries, keys = card.attention.query_tokens, card.attention.key_tokens
    return [face.cut(printable(t), NAME, NAMES) for t in queries], [face.cut(printable(t), NAME, NAMES) for t in keys]


def _row(sheet: Sheet, grid: _Grid, row: _Row, shared: Scale, decimals: int, followed: int) -> None:
    """Cards side by side, with names of rows at the left and of columns below. followed: columns with a card below."""
    _titles(sheet, grid, row.groups)
    lines = max(len(_lines(sheet, card, grid.side)) for card in row.cards)
    top = sheet.y + LINE * BASE + (lines + 1) * 1.24 * SMALL + 3.0
    for col, card in enumerate(row.cards):
        _card(sheet, card, Box(grid.at(col), top, grid.side, grid.high), shared, decimals)
    queries, keys = _names(sheet.face, row.cards[0])
    sheet.row_names(queries, Box(grid.left, top, grid.side, grid.high))
    sheet.y = top + grid.high
    below = [sheet.column_names(keys, Box(grid.at(col), top, grid.side, grid.high))
             for col in range(followed, len(row.cards))]  # fmt: skip
    sheet.y += max(below, default=0.0) + 14.0


def _titles(sheet: Sheet, grid: _Grid, groups: Sequence[tuple[int, str]]) -> None:
    """The names of the groups that begin in a row, each over a line as long as its cards."""
    if not groups:
        return
    size = BASE + 1.0
    ends = [start for start, _ in groups[1:]] + [grid.abreast]
    for (start, group), end in zip(groups, ends, strict=True):
        x, stop = grid.at(start), grid.at(end) - GAP
        fits = sheet.face.width(long_title(group), size, "bold") <= stop - x
        title, own = sheet.face.shrunk(long_title(group) if fits else short_title(group), size, stop - x, "bold")
        sheet.word(title, x, sheet.y + 0.8 * size, own, weight="bold", tone="soft", role="heading")
        y = sheet.y + LINE * size + 1.0
        sheet.lines.append(Line(x, y, stop, y, 0.5, "faint"))
    sheet.y += LINE * size + 7.0


def _lines(sheet: Sheet, card: Card, side: float) -> list[tuple[str, str]]:
    """The lines between a card's name and its map: (text, tone)."""
    texts = ((card.formula, "soft"), (card.detail, "faint"))
    return [(line, tone) for text, tone in texts if text for line in sheet.face.wrap(text, SMALL, side)]


def _card(sheet: Sheet, card: Card, box: Box, shared: Scale, decimals: int) -> None:
    """Name and formula from `sheet.y` on, cost and distance on the map, which fills the box."""
    face, x, right = sheet.face, box.x, box.x + box.width
    scale, y, room = None, sheet.y + 0.8 * BASE, box.width
    if card.signed and shared.low >= 0:
        high = round_up(float(np.abs(card.values).max()))
        scale = Scale("linear", -high, high, INKS, "weight")
        span = f"−{number(high)} to {number(high)}"
        sheet.word(span, right, y, SMALL, "right", tone="faint")
        room -= face.width(span, SMALL) + 4.0
    size = min(BASE, BASE * room / max(face.width(card.name, BASE, "bold"), 1.0))
    sheet.word(card.name, x, y, size, weight="bold", role="heading")
    for text, tone in _lines(sheet, card, box.width):
        y += 1.24 * SMALL
        sheet.word(text, x, y, SMALL, tone=tone)
    cost = f"cost {card.cost}"
    size = SMALL * min(1.0, box.width / (face.width(cost, SMALL) + face.width(card.measured, SMALL) + 5.0))
    sheet.word(cost, x, box.y - 4.0, size)
    sheet.word(card.measured, right, box.y - 4.0, size, "right")
    roomy = min(box.width / card.values.shape[1], box.height / card.values.shape[0]) >= _PRINTED
    attention: Any = card.attention
    sheet.map(
        card.values,
        box,
        scale,
        title=card.name,
        hidden=card.hidden,
        rows=[printable(text) for text in attention.query_tokens],
        cols=[printable(text) for text in attention.key_tokens],
        shown=(False, False),
        printed=printed(card.values, decimals, (scale or shared).high) if decimals and roomy else (),
    )
