"""Page -> a terminal, or plain columns in a pipe. One printer for every analysis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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
        if type(part) not in PRINTERS:
            raise SelectionError(f"a terminal cannot show a {type(part).__name__}", "write a picture with -o")
        PRINTERS[type(part)](part, out, width, options)
    coloured = Screen.of(out, width).colour
    print_footing([note for note in page.notes if coloured or note not in page.shading], out, width=width)
    for following in page.following:
        Screen.of(out, width).print("")
        print_page(following, out, width=width, options=replace(options, title=None))


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


def _sentence(sentence: Sentence, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_listing import print_sentence

    print_sentence(sentence.text, sentence.lead, out, width=width, style=sentence.style)


def _facts(facts: Facts, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_tensors import print_facts

    print_facts(facts.pairs, out, width=width)


def _tokens(table: TokenTable, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal import print_tokens

    print_tokens(table.tokens, out, width=width)


def _tensors(table: TensorTable, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_tensors import print_tensors

    print_tensors(table.tensors, out, width=width)


def _tensor(tensor: TensorValues, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_tensors import print_tensor

    print_tensor(tensor, out, width=width)


def _words(board: WordBoard, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_rows import print_board

    print_board(
        board.words, board.values, board.rows, board.cols, out, width=width, axes=board.axes, heading=board.heading
    )


def _lines(part: LinesOfWeight, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_lines import print_lines

    print_lines(part, out, width=width)


def _text(part: RunningText, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_lines import print_text

    print_text(part, out, width=width)


def _walk(walk: Walk, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_steps import print_walk

    print_walk(walk, out, width)


def _cards(part: Cards, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_relatives import print_cards

    print_cards(part, out, width=width, decimals=max(options.decimals, 1))


def _timings(part: Timings, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_relatives import print_timings

    print_timings(part, out, width=width)


def _catalogue(part: Catalogue, out: Any, width: int | None, options: FigureOptions) -> None:
    from attnviz.render.terminal_mechanisms import print_catalogue

    print_catalogue(part, out, width=width)


PRINTERS: dict[type, Callable[[Any, Any, int | None, FigureOptions], None]] = {
    Table: _table,
    Sentence: _sentence,
    Facts: _facts,
    TokenTable: _tokens,
    TensorTable: _tensors,
    TensorValues: _tensor,
    Listing: _listing,
    WordBoard: _words,
    MapGrid: _maps,
    LinesOfWeight: _lines,
    RunningText: _text,
    Walk: _walk,
    Cards: _cards,
    Timings: _timings,
    Catalogue: _catalogue,
}
