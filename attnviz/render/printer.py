"""Page -> a terminal, or plain columns in a pipe. One printer for every analysis."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any

from attnviz.errors import SelectionError
from attnviz.page import parts
from attnviz.page.figure_options import FigureOptions
from attnviz.render.terminal_screen import Screen, clean

if TYPE_CHECKING:
    from rich.console import Console

# A part -> its printer, "module:function" of this room, called with the part, the Screen and the FigureOptions.
PRINTERS: dict[type, str] = {
    parts.Table: "terminal_rows:print_table",
    parts.Listing: "terminal_rows:print_listing",
    parts.WordBoard: "terminal_rows:print_board",
    parts.Sentence: "terminal_rows:print_sentence",
    parts.Facts: "terminal_rows:print_facts",
    parts.TokenTable: "terminal_rows:print_tokens",
    parts.MapGrid: "terminal:print_grid",
    parts.TensorTable: "terminal_tensors:print_tensors",
    parts.TensorValues: "terminal_tensors:print_tensor",
    parts.LinesOfWeight: "terminal_lines:print_lines",
    parts.RunningText: "terminal_lines:print_text",
    parts.Walk: "terminal_steps:print_walk",
    parts.Cards: "terminal_mechanisms:print_cards",
    parts.Timings: "terminal_mechanisms:print_timings",
    parts.TokenBars: "terminal_bars:print_token_bars",
    parts.Catalogue: "terminal_mechanisms:print_catalogue",
}


def print_page(
    page: parts.Page,
    out: Screen | Console | IO[str] | None = None,
    *,
    width: int | None = None,
    options: FigureOptions | None = None,
) -> None:
    """Print title, parts and notes; in a pipe the parts alone, as plain columns.

    Args:
        out: a Screen, a rich Console or a text file; standard output by default.
        width: columns of the window; asked of the terminal by default.
        options: a title instead of the usual one; the scale, colours and digits of maps, the digits of a table.

    Raises:
        SelectionError: a part that a terminal cannot show.
    """
    screen, options = Screen.of(out, width), options or FigureOptions()
    title = page.title if options.title is None else options.title
    if title and not screen.plain:
        screen.print_wrapped(clean(title), "bold")
        screen.print_wrapped(clean(page.subtitle), "dim")
        screen.print("")
    for part in page.parts:
        _printer(part)(part, screen, options)
    notes = [note for note in page.notes if screen.colour or note not in page.shading]
    if notes and not screen.plain:
        screen.print("")
        screen.print_notes(notes)
    for following in page.following:
        screen.print("")
        print_page(following, screen, options=replace(options, title=None))


def _printer(part: parts.Part) -> Any:
    if type(part) not in PRINTERS:
        raise SelectionError(f"a terminal cannot show a {type(part).__name__}", "write a picture with -o")
    module, _, function = PRINTERS[type(part)].partition(":")
    return getattr(import_module(f"attnviz.render.{module}"), function)
