"""Page -> a terminal, or plain columns in a pipe. One printer for every analysis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any

from attnviz.errors import SelectionError
from attnviz.page.figure_options import FigureOptions
from attnviz.page.parts import (
    Cards,
    Catalogue,
    Facts,
    LinesOfWeight,
    Listing,
    MapGrid,
    Page,
    Part,
    RunningText,
    Sentence,
    Table,
    TensorTable,
    TensorValues,
    Timings,
    TokenTable,
    Walk,
    WordBoard,
)
from attnviz.render.terminal_rows import print_footing, print_heading
from attnviz.render.terminal_screen import Screen

if TYPE_CHECKING:
    from rich.console import Console


def print_page(
    page: Page,
    out: Console | IO[str] | None = None,
    *,
    width: int | None = None,
    options: FigureOptions | None = None,
) -> None:
    """Print title, parts and notes; in a pipe the parts alone, as plain columns.

    out, width: as for `attnviz.render.terminal.print_maps`. options: a title instead of the usual one; the scale,
    colours and digits of maps, the digits of a table's numbers.

    Raises:
        SelectionError: a part that a terminal cannot show.
    """
    options = options or FigureOptions()
    if title := page.title if options.title is None else options.title:
        print_heading(title, page.subtitle, out, width=width)
    for part in page.parts:
        _print_part(part, out, width, options)
    coloured = Screen.of(out, width).colour
    print_footing([note for note in page.notes if coloured or note not in page.shading], out, width=width)
    for following in page.following:
        Screen.of(out, width).print("")
        print_page(following, out, width=width, options=replace(options, title=None))


def _print_part(part: Part, out: Any, width: int | None, options: FigureOptions) -> None:
    printer = PRINTERS.get(type(part))
    if printer is None:
        raise SelectionError(f"a terminal cannot show a {type(part).__name__}", "write a picture with -o")
    if isinstance(printer, str):
        module, _, function = printer.partition(":")
        getattr(import_module(f"attnviz.render.{module}"), function)(part, out, width=width)
    else:
        printer(part, out, width, options)


def _table(table: Table, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_rows import print_rows

    rows = table.texts(options.decimals, piped=Screen.of(out, width).plain)
    print_rows(rows, table.header, table.align, out, width=width, bold=table.bold)


def _listing(listing: Listing, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_listing import print_listing

    rows = listing.rows
    if listing.fold is not None and not Screen.of(out, width).plain:
        rows = [(words, _folded(sentence, listing.between, listing.fold)) for words, sentence in rows]
    print_listing(rows, listing.header, out, width=width, styles=listing.styles, between=listing.between)


def _folded(sentence: str, between: str, most: int) -> str:
    """A list with its first items, and how many more there are."""
    items = sentence.split(between)
    return sentence if len(items) <= most else between.join([*items[:most], f"and {len(items) - most} more"])


def _maps(grid: MapGrid, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal import print_attention

    print_attention(
        grid.attention,
        out,
        width=width,
        scale=options.scale,
        vmax=options.vmax,
        cmap=options.cmap,
        decimals=options.decimals,
        query=grid.query,
    )


def _words(board: WordBoard, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_rows import print_board

    print_board(
        board.words, board.values, board.rows, board.cols, out, width=width, axes=board.axes, heading=board.heading
    )


def _cards(part: Cards, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_relatives import print_cards

    print_cards(part, out, width=width, decimals=max(options.decimals, 1))


# A part -> its printer: a function of the part, `out`, `width` and the figure options; or "module:function" of this
# room, called with the part, `out` and `width`.
PRINTERS: dict[type, Callable[[Any, Any, int | None, FigureOptions], None] | str] = {
    Table: _table,
    Listing: _listing,
    WordBoard: _words,
    MapGrid: _maps,
    Cards: _cards,
    Sentence: "terminal_listing:print_sentence",
    Facts: "terminal_tensors:print_facts",
    TensorTable: "terminal_tensors:print_tensors",
    TensorValues: "terminal_tensors:print_tensor",
    TokenTable: "terminal:print_tokens",
    LinesOfWeight: "terminal_lines:print_lines",
    RunningText: "terminal_lines:print_text",
    Walk: "terminal_steps:print_walk",
    Timings: "terminal_relatives:print_timings",
    Catalogue: "terminal_mechanisms:print_catalogue",
}
