"""A page of boards, and what stands below them, as a Figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from attnviz.page.below import Need, add, need
from attnviz.page.board import boards
from attnviz.page.parts import Bars, Board, Boards, Depth, Page, Part, SignedMaps
from attnviz.page.text_metrics import printable

if TYPE_CHECKING:
    from attnviz.page.figure import Figure
    from attnviz.page.figure_options import FigureOptions


def boards_page(page: Page, options: FigureOptions, meta: Mapping[str, str]) -> Figure:
    """Boards, and below them at most one plot or list, or the maps of some of their heads."""
    if isinstance(page.parts[-1], SignedMaps):
        from attnviz.page.signed_maps import board_and_maps

        return board_and_maps(page, options, meta)
    first = page.parts[0]
    assert isinstance(first, Boards)
    below = _below(page.parts[1:])
    needed = Need() if below is None else need(below, options.font)
    figure = boards(
        [_printable(board) for board in first.boards],
        layers=first.layers,
        heads=first.heads,
        axes=first.axes,
        abreast=first.abreast,
        title=page.title,
        subtitle=page.subtitle,
        notes=(*needed.notes, *page.notes),
        room=needed.room,
        words=needed.words,
        width=options.width,
        dpi=options.dpi,
        font=options.font,
        svg_text=options.svg_text,
        meta=meta,
    )
    return figure if below is None else add(figure, below)


def _printable(board: Board) -> Board:
    """A board whose cells hold nothing that a picture cannot show, whatever a stranger's token is."""
    if board.cell_text is None:
        return board
    return replace(board, cell_text=[[printable(text) for text in row] for row in board.cell_text])


def _below(parts: Sequence[Part]) -> Depth | Bars | None:
    """The first plot or list that has something to show."""
    return next(
        (part for part in parts if isinstance(part, Depth) or (isinstance(part, Bars) and part.entries)),
        None,
    )
