"""Maps of attention in a terminal, or as plain columns in a pipe.

`print_attention` prints an Attention, `print_maps` any Figure of map panels (so that a picture and its print agree).

At a terminal a panel is a table of numbers on colours where it fits the window (`terminal_table`), else a map of cells
(`terminal_maps`); one query alone is a list with bars (`terminal_query`). Without colour the table's numbers say all,
and a map becomes a ramp of glyphs. In a pipe each panel is a block, blocks are separated by an empty line, and every
field is one word:

    layer 3  head 1
    query   [CLS]   the  animal
    [CLS]    0.91  0.05    0.04
    the      0.30  0.20    0.50
    animal   0.85     -    0.15

A masked cell is `-`, spaces inside a token are `␣`. Layer 3, head 1 alone: `awk -v RS= '/^layer 3  head 1\n/'`.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from attnviz.render.terminal_cells import legend, mask_reason, panel_name
from attnviz.render.terminal_layout import columns
from attnviz.render.terminal_maps import print_compact, remarks
from attnviz.render.terminal_query import print_query
from attnviz.render.terminal_screen import Screen, clean
from attnviz.render.terminal_table import Plan, count_lines, plan, print_tables, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from attnviz.attention import Attention
    from attnviz.page.figure import Figure
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import MapGrid

MOST_LINES = 120  # tables longer than this together become maps


def print_grid(grid: MapGrid, screen: Screen, options: FigureOptions) -> None:
    """Print the maps of a page, or the row of its one query."""
    names = ("scale", "vmax", "cmap", "decimals")
    print_attention(grid.attention, screen, query=grid.query, **{name: getattr(options, name) for name in names})


def print_attention(
    attention: Attention,
    out: Screen | Console | IO[str] | None = None,
    *,
    scale: str = "auto",
    vmax: float | str | None = None,
    cmap: str = "ink",
    decimals: int = 2,
    compact: bool | None = None,
    query: int | None = None,
) -> None:
    """Print every layer and head of an Attention.

    Args:
        out, decimals, compact: see `print_maps`.
        scale, vmax, cmap: see `attnviz.page.table.table`.
        query: the index of the one row to print, as a list with bars. An Attention of one query is printed so too.

    Raises:
        SelectionError: an option's value is not there or not possible.
    """
    from attnviz.page.table import table

    figure = table(attention, scale=scale, vmax=vmax, cmap=cmap)
    if query is None and len(attention.queries) == 1 and not compact:
        query = 0
    if query is None:
        print_maps(figure, out, decimals=decimals, compact=compact)
    else:
        print_query(figure, query, out, decimals=decimals)


def print_maps(
    figure: Figure,
    out: Screen | Console | IO[str] | None = None,
    *,
    width: int | None = None,
    decimals: int = 2,
    compact: bool | None = None,
) -> None:
    """Print a figure's map panels.

    Args:
        figure: panels, scale, title, subtitle and notes are used; geometry is not.
        out: a Screen, a rich Console or a text file; standard output by default.
        width: columns of the window; asked of the terminal by default.
        decimals: of the numbers in the cells.
        compact: True for maps of cells; False for tables of numbers, which continue below where the window ends; None
            takes tables where they fit and are not too many.
    """
    screen = Screen.of(out, width)
    if screen.plain:
        for i, panel in enumerate(figure.panels):
            numbers = zip(panel.row_labels, texts(panel, decimals), strict=True)
            rows = [[label, *(text or "-" for text in row)] for label, row in numbers]
            lines = columns(rows, ["query", *panel.col_labels], "l" + "r" * len(panel.col_labels))
            screen.print(*([""] if i else []), clean(panel_name(panel, plain=True)), *lines)
        return
    plans = _plans(figure, screen, decimals, compact)
    screen.print_wrapped(clean(figure.title), "bold")
    screen.print_wrapped(clean(figure.subtitle), "dim")
    first = figure.panels[0] if figure.panels else None
    named = len(figure.panels) != 1 or first is None or f"layer {first.layer} · head {first.head}" not in figure.title
    print_panels(figure, screen, plans, named, mask_reason(figure.panels))


def print_panels(figure: Figure, screen: Screen, plans: Sequence[Plan], named: bool, masked: str) -> None:
    """Print panels as tables by their plans, or as maps of cells if there are none; then the legend and the notes.

    named: whether each table has its name above it. masked: why cells are masked, or ''.
    """
    if plans:
        print_tables(figure.panels, plans, figure.scale, screen, named)
    else:
        print_compact(figure, screen)
    marks = legend(figure.scale, screen, masked, bool(plans))
    notes = [*([] if plans else remarks(figure, screen)), *figure.remarks(screen.colour or not plans)]
    if marks or notes:
        screen.print("", *marks)
    screen.print_notes(notes)


def _plans(figure: Figure, screen: Screen, decimals: int, compact: bool | None) -> list[Plan]:
    """A plan per table, or [] if there are to be maps."""
    if compact or (compact is None and len(figure.panels) > MOST_LINES):
        return []
    plans = []
    for panel in figure.panels:
        how = plan(panel, screen.width, decimals, split=compact is False)
        if how is None:
            return []
        plans.append(how)
    return plans if compact is False or count_lines(figure.panels, plans, screen) <= MOST_LINES else []
