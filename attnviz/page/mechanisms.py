"""Mechanisms side by side -> Figure: a card each, with its formula, its cost and how far it is from full attention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError
from attnviz.page.colour_limits import limits
from attnviz.page.figure import Figure, Scale
from attnviz.page.groups import TITLES
from attnviz.page.mechanisms_page import BASE, MARGIN, SMALL, bar, place_rows, rows_of, settled
from attnviz.page.options import check_options
from attnviz.page.parts import DISTANCE, Card, Cards, Page
from attnviz.page.scale import WHITE, check_cmap, check_scale, masked
from attnviz.page.text_metrics import LOST, one_line, printable, typeface
from attnviz.page.wording import caption, colour_note, font_note, from_model, over_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.figure_options import FigureOptions

_PIXELS = 200_000_000
_SIGNS = "0123456789.,–−·≥…costdianer" + LOST


def cards_page(page: Page, options: FigureOptions, meta: Mapping[str, str]) -> Figure:
    """Cards with a map each, all on one colour scale but for those with signs; fewer stand abreast on a narrow page.

    Raises:
        SelectionError: an option's value is not there or not possible, or there is nothing to draw.
    """
    part = page.parts[0]
    assert isinstance(part, Cards)
    cards, grouped, scale, vmax = part.cards, part.grouped, options.scale, options.vmax
    cmap, decimals, width, font = options.cmap or WHITE, options.decimals, options.width, options.font
    check_scale(scale)
    if not cards:
        raise SelectionError("there is no mechanism to draw")
    first = cards[0].attention
    check_options(first, width, None, None, min(decimals, 6), options.dpi, options.svg_text, (), None)
    shared, why = _shared(cards, scale, vmax, check_cmap(cmap))
    said, below = one_line(page.title), page.subtitle
    above = 0 if scale == "row" else sum(int((c.values > shared.high * (1 + 1e-6)).sum()) for c in _plain(cards))
    over = over_note(above, shared.high, why, any(cards[0].attention.key_special))
    remarks = [*_remarks(cards, shared, over, part.left_out), *page.notes]
    words = [text for card in cards for text in (card.name, card.formula, card.cost, card.detail)]
    tokens = [printable(text) for text in (*first.query_tokens, *first.key_tokens)]
    face = typeface(font, [said, below, *remarks, *words, *tokens, *TITLES.values(), _SIGNS])

    sizes = [len(list(members)) for _, members in groupby(cards, key=lambda card: card.group)]
    widest = max(sizes) if grouped else len(cards)
    dpi = options.dpi or 200.0
    on = settled(cards, face, shared, widest, None if width is None else width * 72.0, decimals)
    drawn = [_thinned(card, on.side, dpi) for card in cards]
    pooled = drawn[0].attention.cell
    remarks += [f"drawn as the largest of {pooled} x {pooled} weights a cell"] if pooled > 1 else []
    remarks += [*on.thinning(), *filter(None, [font_note(face)])]
    on.text(said, 13.0, "bold", role="title")
    on.text(below, 9.0, tone="soft", role="subtitle")
    on.y += 9.0
    place_rows(on, rows_of(drawn, on, grouped))
    remarks += ["numbers near 0 left out"] if any(panel.cell_text for panel in on.panels) else []
    box, bar_ticks = bar(on, shared, on.panels[0].box.y, above > 0)
    on.text(" · ".join(remarks), SMALL + 0.4, tone="soft", role="note")
    height = math.ceil((on.y + MARGIN - 6.0) / 72 * dpi) * 72 / dpi
    _check_pixels(on.wide, height, dpi)
    return Figure(
        width=on.wide,
        height=height,
        panels=on.snapped(height, dpi),
        scale=shared,
        title=said,
        subtitle=below,
        caption=caption(said, below, shared, remarks),
        notes=tuple(remarks),
        labels=tuple(on.labels),
        lines=tuple(on.lines),
        bar=box,
        bar_ticks=tuple(bar_ticks),
        face=face,
        font=face.family,
        font_size=BASE,
        dpi=dpi,
        svg_text=options.svg_text,
        meta=dict(meta),
    )


def _remarks(cards: Sequence[Card], shared: Scale, over: str, left_out: Sequence[str]) -> list[str]:
    signed = any(card.signed for card in cards)
    said = [DISTANCE + ("; rows with signs are first divided by their size" if signed else "")]
    if any(card.hidden is not None for card in cards):
        said.append(f"{masked(shared.cmap)}: not allowed")
    if signed:
        said.append("red above 0, blue below" + (", on a scale of its own" if shared.low >= 0 else ""))
    said += [note for note in (colour_note(shared), over) if note]
    if left_out:
        said.append(f"left out, as this model or text cannot have them: {', '.join(left_out)}")
    return said + _common(cards)


def _common(cards: Sequence[Card]) -> list[str]:
    """Notes that whoever computed the attention put on every card; what a card says of itself stands on it."""
    notes = [from_model(card.attention) for card in cards]
    if len(cards) == 1:
        return [note for note in notes[0] if not note.startswith(cards[0].name.partition(":")[0])]
    return [note for note in notes[0] if all(note in other for other in notes[1:])]


def _plain(cards: Sequence[Card]) -> list[Card]:
    return [card for card in cards if not card.signed]


def _shared(cards: Sequence[Card], kind: str, vmax: float | str | None, cmap: str) -> tuple[Scale, str]:
    """One scale for all panels without signs (of all, if each has some), and why weights may lie above its end."""
    these = [card.attention for card in _plain(cards) or cards]
    weights = np.concatenate([attention.weights for attention in these], axis=1)
    return limits(replace(these[0], weights=weights), kind, vmax, cmap)


def _thinned(card: Card, side: float, dpi: float) -> Card:
    """The same card with neighbouring cells drawn as their largest by size, if a cell would be under a pixel."""
    rows, cols = card.values.shape
    k = math.ceil(max(rows, cols) / max(0.9 * side / 72 * dpi, 1.0))
    if k <= 1:
        return card

    def blocks(values: NDArray[Any], fill: float) -> NDArray[Any]:
        """[row, column] -> [row, column, k * k], filled up at the ends."""
        down, across = math.ceil(rows / k), math.ceil(cols / k)
        padded = np.full((down * k, across * k), fill, values.dtype)
        padded[:rows, :cols] = values
        return padded.reshape(down, k, across, k).swapaxes(1, 2).reshape(down, across, k * k)

    cells = blocks(card.values, 0.0)
    most = np.take_along_axis(cells, np.abs(cells).argmax(-1, keepdims=True), -1)[None, None, ..., 0]
    mask = (
        None if card.attention.mask is None else np.logical_or.reduce(blocks(card.attention.mask[0], False), -1)[None]
    )
    queries, keys = card.attention.queries.cells(k), card.attention.keys.cells(k)
    return replace(card, attention=replace(card.attention, weights=most, mask=mask, queries=queries, keys=keys, cell=k))


def _check_pixels(width: float, height: float, dpi: float) -> None:
    across, down = width / 72 * dpi, height / 72 * dpi
    if across * down > _PIXELS:
        raise SelectionError(f"a picture of {across:,.0f} x {down:,.0f} pixels is too large", "choose a lower dpi")
