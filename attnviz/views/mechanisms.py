"""Mechanisms side by side -> Figure: a card each, with its formula, its cost and how far it is from full attention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError
from attnviz.views.figure import Box, Figure, Label, Line, MapPanel, Scale
from attnviz.views.layout import LINE, SMALLEST
from attnviz.views.limits import limits
from attnviz.views.measure import ASCENT, LOST, MIDDLE, Typeface, one_line, printable, typeface
from attnviz.views.options import PIXELS
from attnviz.views.scale import check_cmap, check_scale, number, round_up, ticks
from attnviz.views.tensor import SIGNED
from attnviz.views.wording import caption, font_note, from_model

if TYPE_CHECKING:
    from attnviz.attention import Attention

TITLES = {
    "scoring": "Scoring: how well a query and a key fit",
    "keys": "Keys: which of them a query sees",
    "approximation": "Approximations: the matrix that they imply",
    "state space": "State space: the matrix that it implies",
    "positions": "Positions: how a model knows where tokens are",
}
DISTANCE = (
    "distance, error: mean over queries of half the summed absolute difference from the model's own attention, which is total "
    "variation where rows sum to 1"
)
MARGIN, GAP, BASE, SMALL = 20.0, 15.0, 8.6, 6.6
MOST_ABREAST = 7
BAR = 8.0
_SIGNS = "0123456789.–−+·≥…" + LOST


@dataclass(frozen=True, eq=False)
class Card:
    """One mechanism: its attention in one layer and one head; detail: its numbers in words."""

    name: str
    group: str
    formula: str
    cost: str
    distance: float
    attention: Attention
    detail: str = ""
    exact: bool = True

    @property
    def values(self) -> Any:
        return self.attention.weights[0, 0]

    @property
    def signed(self) -> bool:
        return bool(self.values.min() < -1e-6)


@dataclass
class _Page:
    """What has been placed; y runs downwards."""

    face: Typeface
    side: float
    abreast: int
    left: float
    y: float = MARGIN
    panels: list[MapPanel] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @property
    def right(self) -> float:
        return self.left + self.abreast * (self.side + GAP) - GAP

    def text(self, text: str, x: float, size: float, room: float, **how: Any) -> None:
        """Lines of their own, broken where they end."""
        for line in self.face.wrap(text, size, room, how.get("weight", "normal")):
            self.labels.append(Label(line, x, self.y + 0.8 * size, size, **how))
            self.y += LINE * size


def figure(
    cards: Sequence[Card],
    *,
    title: str | None = None,
    scale: str = "linear",
    vmax: float | str | None = None,
    cmap: str = "viridis",
    dpi: float | None = None,
    font: str | None = None,
    svg_text: str = "keep",
    left_out: Sequence[str] = (),
    meta: Mapping[str, str] | None = None,
) -> Figure:
    """Cards in the order of their groups, a map on each; all have one colour scale, but for those with signs.

    Args:
        cards: all of the same queries and keys.
        scale, vmax, cmap, dpi, font, title, svg_text, meta: as for `attnviz.views.heatmap.heatmap`.
        left_out: names of mechanisms that could not be had, to be said.

    Raises:
        SelectionError: an option's value is not there or not possible, or there is nothing to draw.
    """
    check_scale(scale)
    if not cards:
        raise SelectionError("there is no mechanism to draw")
    first = cards[0].attention
    shared = _shared(cards, scale, vmax, check_cmap(cmap))
    heading = one_line(title) if title is not None else _heading(first)
    below = _subtitle(first)
    remarks = _remarks(cards, shared, left_out)
    words = [text for card in cards for text in (card.name, card.formula, card.cost, card.detail)]
    tokens = [printable(text) for text in first.query_tokens]
    face = typeface(font, [heading, below, *remarks, *words, *tokens, *TITLES.values(), _SIGNS])
    remarks += [note for note in (font_note(face),) if note]

    groups = [(name, list(members)) for name, members in groupby(cards, key=lambda card: card.group)]
    abreast = min(MOST_ABREAST, max(len(members) for _, members in groups))
    n = max(len(first.queries), len(first.keys))
    side = max(106.0, min(7.8 * n, 140.0))
    step, size = _label_size(side / n)
    shown = [face.cut(text, size, 62.0) for text in tokens]
    page = _Page(face, side, abreast, MARGIN + max(face.width(text, size) for text in shown) + 7.0)
    page.text(heading, MARGIN, 13.0, page.right - MARGIN, weight="bold", role="title")
    page.text(below, MARGIN, 9.0, page.right - MARGIN, tone="soft", role="subtitle")
    page.y += 9.0
    labels = _TokenLabels(shown, size, step)
    for row in _rows(groups, page):
        _row(page, row, labels)
    page.y += _col_tokens(page, labels, row)
    top, bottom = page.panels[0].box.y, page.y
    bar, bar_ticks = _bar(page, shared, top)
    page.y = bottom + 6.0
    page.text(" · ".join(remarks), MARGIN, SMALL + 0.4, page.right - MARGIN, tone="soft", role="note")
    width, height = page.right + 58.0, page.y + MARGIN - 6.0
    _check_pixels(width, height, dpi or 200.0)
    return Figure(
        width=width,
        height=height,
        panels=tuple(page.panels),
        scale=shared,
        title=heading,
        subtitle=below,
        caption=caption(heading, below, shared, remarks),
        notes=tuple(remarks),
        labels=tuple(page.labels),
        lines=tuple(page.lines),
        bar=bar,
        bar_ticks=tuple(bar_ticks),
        face=face,
        font=face.family,
        font_size=BASE,
        dpi=dpi or 200.0,
        svg_text=svg_text,
        meta=dict(meta or {}),
    )


def _heading(attention: Attention) -> str:
    model = attention.model.partition(",")[0]
    return f"Kinds of attention · {model} · layer {attention.layers[0]} · head {attention.heads[0]}"


def _subtitle(attention: Attention) -> str:
    said = "every panel: rows are queries, columns are keys, the same queries and keys but where positions change"
    if attention.meta.get("random"):
        return f"random weights, seed {attention.meta.get('seed')} · {said}"
    return said


def _remarks(cards: Sequence[Card], shared: Scale, left_out: Sequence[str]) -> list[str]:
    said = [DISTANCE + ("; rows with signs are first divided by their size" if any(c.signed for c in cards) else "")]
    if any(card.attention.mask is not None and not card.attention.mask.all() for card in cards):
        said.append("grey: not allowed")
    if any(card.signed for card in cards):
        said.append("red above 0, blue below, on a scale of its own")
    if shared.kind == "sqrt":
        said.append("colour grows with the square root of the weight")
    elif shared.kind == "row":
        said.append("each row coloured by its own largest weight")
    if left_out:
        said.append(f"left out, as this model or text cannot have them: {', '.join(left_out)}")
    known = {note for card in cards for note in from_model(card.attention)}
    mentioned = {note for note in known if any(note.startswith(card.name.partition(":")[0]) for card in cards)}
    return said + sorted(note for note in known - mentioned if "global tokens" not in note)


def _shared(cards: Sequence[Card], kind: str, vmax: float | str | None, cmap: str) -> Scale:
    """One scale for all panels without signs: up to a round number above them all, unless it is given."""
    plain = [card for card in cards if not card.signed]
    if vmax is not None or kind == "row" or not plain:
        return limits(cards[0].attention, kind, vmax, cmap)[0]
    highest = max(plain, key=lambda card: float(card.values.max()))
    high = limits(highest.attention, kind, round_up(float(highest.values.max())), cmap)[0]
    return high


# --- cards ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _TokenLabels:
    texts: list[str]
    size: float
    step: int


def _label_size(cell: float) -> tuple[int, float]:
    """One in so many tokens is labelled, and how large."""
    size = min(6.4, 0.92 * cell)
    return (1, size) if size >= SMALLEST else (math.ceil(SMALLEST / (0.92 * cell)), SMALLEST)


@dataclass
class _Row:
    """Cards abreast, and the titles of the groups that begin among them: (first column, title)."""

    cards: list[Card]
    titles: list[tuple[int, str]]


def _rows(groups: Sequence[tuple[str, list[Card]]], page: _Page) -> list[_Row]:
    """Each group begins a row, unless it fits beside the one before it, whose title then has room."""
    found: list[_Row] = []
    for name, members in groups:
        title = TITLES.get(name, name)
        if found and found[-1].titles and len(found[-1].cards) + len(members) <= page.abreast:
            before, (start, other) = found[-1], found[-1].titles[-1]
            room = (len(before.cards) - start) * (page.side + GAP)
            if page.face.width(other, BASE + 1.0, "bold") <= room - GAP:
                before.titles.append((len(before.cards), title))
                before.cards += members
                continue
        for i in range(0, len(members), page.abreast):
            found.append(_Row(members[i : i + page.abreast], [] if i else [(0, title)]))
    return found


def _row(page: _Page, row: _Row, tokens: _TokenLabels) -> None:
    ends = [start for start, _ in row.titles[1:]] + [page.abreast]
    for (start, title), end in zip(row.titles, ends, strict=True) if row.titles else ():
        x, stop = (page.left + col * (page.side + GAP) for col in (start, end))
        label = Label(title, x, page.y + 0.8 * (BASE + 1.0), BASE + 1.0, weight="bold", tone="soft", role="heading")
        page.labels.append(label)
        y = page.y + LINE * (BASE + 1.0) + 1.0
        page.lines.append(Line(x, y, stop - GAP, y, 0.5, "faint"))
    page.y += LINE * (BASE + 1.0) + 7.0 if row.titles else 0.0
    start = page.y + LINE * BASE + (max(len(_words(page, card)) for card in row.cards) + 1) * 1.24 * SMALL + 3.0
    for col, card in enumerate(row.cards):
        _card(page, card, page.left + col * (page.side + GAP), start)
    _row_tokens(page, tokens, start)
    page.y = start + page.side + 14.0


def _words(page: _Page, card: Card) -> list[tuple[str, str]]:
    """The lines between a card's name and its map: (text, tone)."""
    said = [(line, "soft") for line in page.face.wrap(card.formula, SMALL, page.side)]
    return said + [(line, "faint") for line in page.face.wrap(card.detail, SMALL, page.side) if card.detail]


def _card(page: _Page, card: Card, x: float, top: float) -> None:
    """Name and formula from `page.y` on, cost and distance on the map, whose upper edge is `top`."""
    attention, face, side = card.attention, page.face, page.side
    scale, line = None, page.y + 0.8 * BASE
    room = side
    if card.signed:
        high = round_up(float(np.abs(card.values).max()))
        scale = Scale("linear", -high, high, SIGNED, "weight")
        range_ = f"−{number(high)} to {number(high)}"
        page.labels.append(Label(range_, x + side, line, SMALL, "right", tone="faint", role="note"))
        room -= face.width(range_, SMALL) + 4.0
    size = min(BASE, BASE * room / max(face.width(card.name, BASE, "bold"), 1.0))
    page.labels.append(Label(card.name, x, line, size, weight="bold", role="heading"))
    for text, tone in _words(page, card):
        line += 1.24 * SMALL
        page.labels.append(Label(text, x, line, SMALL, tone=tone, role="note"))
    cost = f"cost {card.cost}"
    distance = f"{'distance' if card.exact else 'error'} {number(round(card.distance, 2))}"
    size = SMALL * min(1.0, side / (face.width(cost, SMALL) + face.width(distance, SMALL) + 5.0))
    page.labels.append(Label(cost, x, top - 4.0, size, role="note"))
    page.labels.append(Label(distance, x + side, top - 4.0, size, "right", role="note"))
    mask = attention.mask
    page.panels.append(
        MapPanel(
            title=card.name,
            values=card.values,
            hidden=None if mask is None or mask.all() else ~mask[0],
            row_labels=tuple(printable(text) for text in attention.query_tokens),
            col_labels=tuple(printable(text) for text in attention.key_tokens),
            box=Box(x, top, side, side),
            layer=attention.layers[0],
            head=attention.heads[0],
            scale=scale,
        )
    )


def _row_tokens(page: _Page, tokens: _TokenLabels, top: float) -> None:
    cell = page.side / len(tokens.texts)
    for i in range(0, len(tokens.texts), tokens.step):
        y = top + (i + 0.5) * cell + MIDDLE * tokens.size
        page.labels.append(Label(tokens.texts[i], page.left - 4.0, y, tokens.size, "right", role="row"))


def _col_tokens(page: _Page, tokens: _TokenLabels, row: _Row) -> float:
    """Labels under the maps of the last row; returns the room that they take."""
    cell = page.side / len(tokens.texts)
    top = page.panels[-1].box.y + page.side
    for col in range(len(row.cards)):
        left = page.left + col * (page.side + GAP)
        for i in range(0, len(tokens.texts), tokens.step):
            x = left + (i + 0.5) * cell + MIDDLE * tokens.size
            page.labels.append(Label(tokens.texts[i], x, top + 4.0, tokens.size, "right", 90, role="column"))
    return max(page.face.width(text, tokens.size) for text in tokens.texts) - 6.0


def _bar(page: _Page, scale: Scale, top: float) -> tuple[Box, list[tuple[float, float]]]:
    bar = Box(page.right + 12.0, top, BAR, page.side)
    found = ticks(scale.kind, scale.low, scale.high, 6)
    for value, place in found:
        y = bar.y + bar.height * (1 - place)
        page.lines.append(Line(bar.x + BAR, y, bar.x + BAR + 2.0, y, 0.6))
        page.labels.append(Label(number(value), bar.x + BAR + 4.0, y + 0.36 * SMALL, SMALL, role="tick"))
    widest = max(page.face.width(number(value), SMALL) for value, _ in found)
    x = bar.x + BAR + 6.0 + widest + ASCENT * SMALL
    middle = bar.y + bar.height / 2
    page.labels.append(Label(scale.label, x, middle, SMALL + 0.6, "center", 90, tone="soft", role="bar"))
    return bar, found


def _check_pixels(width: float, height: float, dpi: float) -> None:
    across, down = width / 72 * dpi, height / 72 * dpi
    if across * down > 2 * PIXELS:
        raise SelectionError(f"a picture of {across:,.0f} x {down:,.0f} pixels is too large", "choose a lower dpi")
