"""Page -> Figure: where each part stands, in points. The only place that turns parts into a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from attnviz.errors import SelectionError
from attnviz.page.fitted import fitted
from attnviz.page.parts import MapGrid, Page

if TYPE_CHECKING:
    from attnviz.page.figure import Figure
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.frames import Frames


def place(page: Page, options: FigureOptions, meta: Mapping[str, str] | None = None) -> Figure:
    """The page as a Figure.

    Args:
        page: its parts that a picture can show; a page of tables alone has no picture.
        options: size, letters and colours. meta: what made it, for the file to carry.

    Raises:
        SelectionError: there is nothing to draw, no such font, or no room.
    """
    if page.parts and isinstance(page.parts[0], MapGrid):  # its cells are whole pixels: it sees to every size itself
        return map_grid(page, options, meta)
    name = PLACERS.get(type(page.parts[0]).__name__) if page.parts else None
    if name is None:
        raise SelectionError(f"{page.title} has no picture", "write .json or .csv, or leave out -o")
    module, _, function = name.partition(":")
    placer = getattr(import_module(module), function)
    titled = page if options.title is None else replace(page, title=options.title)

    def drawn(width: float | None) -> Figure:
        figure: Figure = placer(titled, replace(options, width=width))
        return figure

    figure = fitted(drawn, options.width, options.height, options.font_size, options.bare)
    return replace(figure, meta=dict(meta or {}))


def frames(page: Page, options: FigureOptions, meta: Mapping[str, str] | None = None) -> Frames:
    """A page of maps query by query, one Figure each. Raises SelectionError for a page of anything else."""
    grid = page.parts[0]
    if not isinstance(grid, MapGrid):
        raise SelectionError(f"{page.title} has no frames", "write .png, .svg or .pdf")
    from attnviz.page.frames import by_query

    return by_query(grid.attention, meta=meta, **_look_of_maps(page, options))


def map_grid(page: Page, options: FigureOptions, meta: Mapping[str, str] | None) -> Figure:
    """A page of maps."""
    from attnviz.page.heatmap import heatmap

    grid = page.part(MapGrid)
    return heatmap(grid.attention, query=grid.query, marks=grid.marks, meta=meta, **_look_of_maps(page, options))


def _look_of_maps(page: Page, options: FigureOptions) -> dict[str, Any]:
    """The options that `heatmap` takes."""
    return {**vars(options), "title": (page.title if options.title is None else options.title) or None}


# The kind of a page's first part -> "module:function" that lays the page out, imported when such a page is drawn.
PLACERS: dict[str, str] = {
    "Boards": "attnviz.page.boards:boards_page",
    "Distances": "attnviz.page.distances:distances_and_points",
    "Scatter": "attnviz.page.dot_product:plane_and_product",
    "LinesOfWeight": "attnviz.page.lines:lines_of_weight",
    "RunningText": "attnviz.page.running_text:running_text",
    "Walk": "attnviz.page.steps:walk",
    "Diagrams": "attnviz.page.diagram:diagrams",
    "MapTable": "attnviz.page.map_table:map_table",
    "Curves": "attnviz.page.curves:curves_page",
    "Plots": "attnviz.page.plots:plots",
    "Cards": "attnviz.page.mechanism_cards:cards_page",
    "TokenBars": "attnviz.page.token_bars:token_bars",
    "Timings": "attnviz.page.scaling:timings_page",
}
