"""Page -> Figure: where each part stands, in points. The only place that turns parts into a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnviz.errors import SelectionError
from attnviz.page.below import Need, add, need
from attnviz.page.board import boards
from attnviz.page.diagram import diagrams
from attnviz.page.distances import distances_and_points
from attnviz.page.dot_product import plane_and_product
from attnviz.page.fitted import fitted
from attnviz.page.frames import Frames, by_query
from attnviz.page.heatmap import heatmap
from attnviz.page.lines import lines_of_weight
from attnviz.page.map_table import map_table
from attnviz.page.mechanisms import cards_page
from attnviz.page.parts import (
    Bars,
    Board,
    Boards,
    Cards,
    Depth,
    Diagrams,
    Distances,
    LinesOfWeight,
    MapGrid,
    MapTable,
    Page,
    Part,
    Plots,
    RunningText,
    Scatter,
    SignedMaps,
    Timings,
    Walk,
)
from attnviz.page.plots import plots
from attnviz.page.running_text import running_text
from attnviz.page.scaling import timings_page
from attnviz.page.signed_maps import board_and_maps
from attnviz.page.steps import walk
from attnviz.page.text_metrics import printable

if TYPE_CHECKING:
    from attnviz.page.figure import Figure
    from attnviz.page.figure_options import FigureOptions


def place(page: Page, options: FigureOptions, meta: Mapping[str, str] | None = None) -> Figure:
    """The page as a Figure.

    Args:
        page: its parts that a picture can show; a page of tables alone has no picture.
        options: size, letters and colours. meta: what made it, for the file to carry.

    Raises:
        SelectionError: there is nothing to draw, no such font, or no room.
    """
    placer = PLACERS.get(type(page.parts[0])) if page.parts else None
    if placer is None:
        raise SelectionError(f"{page.title} has no picture", "write .json or .csv, or leave out -o")
    titled = page if options.title is None else replace(page, title=options.title)

    def drawn(width: float | None) -> Figure:
        return placer(titled, replace(options, width=width), dict(meta or {}))

    if placer is _map_grid:  # it sees to every size itself, so that its cells are whole pixels
        return drawn(options.width)
    return fitted(drawn, width=options.width, height=options.height, font_size=options.font_size, bare=options.bare)


def frames(page: Page, options: FigureOptions, meta: Mapping[str, str] | None = None) -> Frames:
    """A page of maps query by query, one Figure each. Raises SelectionError for a page of anything else."""
    grid = page.parts[0]
    if not isinstance(grid, MapGrid):
        raise SelectionError(f"{page.title} has no frames", "write .png, .svg or .pdf")
    return by_query(grid.attention, meta=dict(meta or {}), **_look_of_maps(page, options))


def _map_grid(page: Page, options: FigureOptions, meta: Mapping[str, str]) -> Figure:
    """A page of maps."""
    grid = page.parts[0]
    assert isinstance(grid, MapGrid)
    return heatmap(grid.attention, query=grid.query, marks=grid.marks, meta=meta, **_look_of_maps(page, options))


def _look_of_maps(page: Page, options: FigureOptions) -> dict[str, Any]:
    """The options that `heatmap` takes."""
    look = {**vars(options), "title": (page.title if options.title is None else options.title) or None}
    del look["frame_ms"]
    return look


def _boards(page: Page, options: FigureOptions, meta: Mapping[str, str]) -> Figure:
    """Boards, and below them at most one plot or list, or the maps of some of their heads."""
    if isinstance(page.parts[-1], SignedMaps):
        return board_and_maps(page, options, meta)
    first = page.parts[0]
    assert isinstance(first, Boards)
    below = _below(page.parts[1:])
    needed = need(below[0], options.font) if below else Need()
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
        meta=meta,
        **look_of(options),
    )
    for part in below[:1]:
        assert figure.face is not None
        figure = add(figure, part, figure.face)
    return figure


def _printable(board: Board) -> Board:
    """A board whose cells hold nothing that a picture cannot show, whatever a stranger's token is."""
    if board.cell_text is None:
        return board
    return replace(board, cell_text=[[printable(text) for text in row] for row in board.cell_text])


def _below(parts: Sequence[Part]) -> list[Depth | Bars]:
    """The plots and lists that have something to show."""
    return [part for part in parts if isinstance(part, Depth) or (isinstance(part, Bars) and part.entries)]


def look_of(options: FigureOptions) -> dict[str, Any]:
    """The options that every layout takes; `fitted` sees to the others."""
    return {"width": options.width, "dpi": options.dpi, "font": options.font, "svg_text": options.svg_text}


# The type of a page's first part -> the layout of the page.
PLACERS: dict[type, Callable[[Page, FigureOptions, Mapping[str, str]], Figure]] = {
    Boards: _boards,
    MapGrid: _map_grid,
    Distances: distances_and_points,
    Scatter: plane_and_product,
    LinesOfWeight: lines_of_weight,
    RunningText: running_text,
    Walk: walk,
    Diagrams: diagrams,
    MapTable: map_table,
    Plots: plots,
    Cards: cards_page,
    Timings: timings_page,
}
