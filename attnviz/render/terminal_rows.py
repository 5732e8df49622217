"""Rows of numbers in a terminal, or as plain columns in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from attnviz.render.terminal_columns import columns
from attnviz.render.terminal_screen import Screen, cells, clean

if TYPE_CHECKING:
    from rich.console import Console


def print_rows(
    rows: Sequence[Sequence[str]],
    header: Sequence[str],
    align: str,
    out: Console | IO[str] | None = None,
    *,
    width: int | None = None,
    title: str = "",
    subtitle: str = "",
    notes: Sequence[str] = (),
    bold: Sequence[int] = (),
) -> None:
    """Print rows of short texts under a header; in a pipe nothing else.

    Args:
        rows: texts, as many a row as the header has; an empty one is `-` in a pipe.
        align: a letter a column, `l` or `r`.
        out, width: as for `attnviz.render.terminal.print_maps`. A narrow window has narrower gaps, then folds texts.
        title, subtitle, notes: above and below, at a terminal.
        bold: columns to stress.
    """
    screen = Screen.of(out, width)
    if screen.plain:
        screen.print(*columns([[text or "-" for text in row] for row in rows], header, align))
        return
    from rich.table import Table
    from rich.text import Text

    screen.print_wrapped(clean(title), "bold")
    screen.print_wrapped(clean(subtitle), "dim")
    shown = [[clean(text) for text in row] for row in rows]
    needed = sum(max(map(cells, column)) for column in zip(header, *shown, strict=True))
    gap = next((gap for gap in (3, 2) if needed + gap * (len(header) - 1) <= screen.width), 1)
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    for place, (name, side) in enumerate(zip(header, align, strict=True)):
        style, numbers = "bold" if place in bold else "", side == "r"
        table.add_column(name, justify="right" if numbers else "left", no_wrap=numbers, overflow="fold", style=style)
    for row in shown:
        table.add_row(*map(Text, row))
    screen.console.print(table, width=screen.width)
    if notes:
        screen.print("")
        screen.print_notes(notes)
