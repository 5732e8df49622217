"""Maps in rows and columns -> Figure: a row per layer or head, a column per measure, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import SelectionError
from attnviz.page.cell_numbers import printed
from attnviz.page.colour_limits import is_signed, scaled
from attnviz.page.figure import Box, Figure, Scale
from attnviz.page.maps import hidden_cells
from attnviz.page.page_size import fit
from attnviz.page.parts import MapTable
from attnviz.page.scale import INKS, check_cmap, check_scale, masked, round_up
from attnviz.page.sheet import BASE, BESIDE, MARGIN, Sheet, below, beside, finished, no_room, started, worded
from attnviz.page.text_metrics import LOST, printable
from attnviz.page.wording import colour_note, colours, from_model, hidden_reason, reductions

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.maps import hidden_cells
from attnviz.page.parts import Page

_GAP, _BLOCK, _LONGEST = 13.0, 14.0, 90.0  # points: between maps, before a column of layers; a name at most
_SIDES = (250.0, 200.0, 165.0, 140.0, 124.0, 112.0)  # of maps abreast
_PRINTED = 15_000  # numbers in cells, over all maps
_NARROWEST = 40.0  # points of a map
_SIGNS = "0123456789.−" + LOST


@dataclass(frozen=True)
class _Places:
    """Where maps stand, in points: side and height of each, the first one's corner, and rows of maps in `columns`."""

    side: float
    down: float
    left: float
    top: float
    block: float
    columns: int
    stacked: int

    def box(self, row: int, col: int) -> Box:
        column, line = divmod(row, self.stacked)
        x = self.left + column * self.block + col * (self.side + _GAP)
        return Box(x, self.top + line * (self.down + _GAP), self.side, self.down)

    def lowest(self, row: int, rows: int) -> bool:
        """Whether nothing stands below this row of maps."""
        return row % self.stacked == self.stacked - 1 or row == rows - 1


def map_table(page: Page, options: FigureOptions) -> Figure:
    """The page of a table of maps.

    Raises:
        SelectionError: an option's value is not possible, or the width leaves no room.
    """
    table = page.part(MapTable)
    first, scale = next(iter(table.columns.values())), _shared(table, options)
    queries, keys = ([printable(text) for text in texts] for texts in (first.query_tokens, first.key_tokens))
    words = worded(page, options, [*queries, *keys, *table.columns, _SIGNS])
    face, notes = words.face, words.notes
    notes += [*_remarks(first, scale.cmap), *filter(None, [colour_note(scale)])]
    if any(is_signed(attention.weights) for attention in table.columns.values()):
        notes.append("red above 0, blue below, on a scale of its own")
    names = [face.cut(text, 7.4, _LONGEST) for text in queries]
    side, columns = _side(len(table.columns), len(table.rows), first.weights.shape[2:], options.width)
    left = MARGIN + BASE * 1.6 + beside(face, names, side / len(keys))
    if options.width is not None:
        side = (options.width * 72.0 - left - BESIDE - MARGIN + _GAP) / len(table.columns) - _GAP
        if side < _NARROWEST:
            what = f" for {len(table.columns)} maps side by side"
            raise no_room(options.width * 72.0, what, "ask for a larger one, or for fewer maps")
    block = len(table.columns) * (side + _GAP) + _BLOCK
    sheet = started(words, left + columns * block - _BLOCK - _GAP + BESIDE + MARGIN)
    down, stacked = side * len(queries) / len(keys), -(-len(table.rows) // columns)
    places = _Places(side, down, left, sheet.y + 12.0, block, columns, stacked)
    tight = max(face.width(f"{table.by} {name}", BASE) for name in table.rows) > down + _GAP
    row_names = table.rows if tight else [f"{table.by} {name}" for name in table.rows]
    for row, name in enumerate(row_names):
        _row(sheet, table, row, places, scale, (names, keys), options.decimals)
        middle = places.box(row, 0).x - 0.7 * BASE if row >= stacked else MARGIN + 0.6 * BASE
        sheet.word(name, middle, places.box(row, 0).y + down / 2, BASE, "center", rotation=90, tone="soft")
    sheet.y = places.top + stacked * (down + _GAP)
    sheet.bar(scale, left + columns * block - _BLOCK, places.top, max(down, 90.0))
    sheet.y += below(face, keys, side / len(keys)) - _GAP + 9.0
    notes += [f"{table.by}s in {columns} columns, each from top to bottom"] if columns > 1 else []
    notes += [f"beside the maps: {'layer.head' if table.by == 'head' else table.by}"] if tight else []
    notes += sheet.thinning("token")
    return finished(sheet, colours(scale))


def _shared(table: MapTable, options: FigureOptions) -> Scale:
    """The scale of all maps without signs; its end is a round number above all of them unless one is asked for."""
    check_scale(options.scale)
    if options.scale == "log":
        raise SelectionError("these maps have no logarithmic colours: wanted linear, sqrt or row")
    plain = [attention.weights for attention in table.columns.values() if not is_signed(attention.weights)]
    high = options.vmax if isinstance(options.vmax, (int, float)) else None
    high = high or round_up(max((float(weights.max(initial=0.0)) for weights in plain), default=1.0)) or 1.0
    n_key = len(next(iter(table.columns.values())).keys)
    cmap = check_cmap(options.cmap)
    return scaled(options.scale, 1.0 if options.scale == "row" else high, cmap, n_key, table.label)


def _row(
    sheet: Sheet,
    table: MapTable,
    row: int,
    places: _Places,
    shared: Scale,
    names: tuple[Sequence[str], Sequence[str]],
    decimals: int,
) -> None:
    """The maps of one row in their places. names: of queries and of keys."""
    first = next(iter(table.columns.values()))
    count = sum(attention.weights.size for attention in table.columns.values())
    printing = decimals > 0 and count <= _PRINTED and places.side / len(first.keys) > 9.0
    at, allowed = divmod(row, first.weights.shape[1]), first.maps()[row][1]
    for col, (heading, attention) in enumerate(table.columns.items()):
        values, scale = attention.weights[at], shared
        if is_signed(values):
            end = round_up(float(np.abs(attention.weights).max()))
            scale = Scale("linear", -end, end, INKS, "signed")
        sheet.map(
            values,
            places.box(row, col),
            scale,
            title=f"{table.by} {table.rows[row]}  {heading}",
            heading=heading if row % places.stacked == 0 else "",
            room=places.side + _GAP - 3.0,
            hidden=hidden_cells(allowed),
            rows=names[0],
            cols=names[1],
            shown=(row < places.stacked and col == 0, places.lowest(row, len(table.rows))),
            printed=printed(values, decimals, scale.high) if printing else (),
            at=first.places[row],
        )


def _side(columns: int, rows: int, cells: Sequence[int], width: float | None) -> tuple[float, int]:
    """The side of a map, and in how many columns rows of maps stand, so that all of them fit a page."""
    queries, keys = cells
    roomy = _SIDES[min(columns, len(_SIDES)) - 1]
    roomy = max(roomy, min(6.0 * keys, 1.7 * roomy))
    fitting = fit((columns, rows), (queries, keys), rows > 1, roomy / keys, gap=_GAP)
    return fitting.cell * keys, fitting.columns if width is None else 1


def _remarks(attention: Attention, cmap: str) -> list[str]:
    hidden = hidden_reason(attention)
    return [*reductions(attention), *([f"{masked(cmap)}: {hidden}"] if hidden else []), *from_model(attention)]
