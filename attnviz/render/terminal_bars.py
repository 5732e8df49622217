"""Bars of tokens in a terminal; plain columns in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from attnviz.page.numbers import compact
from attnviz.render.terminal_layout import GAP, bar, columns, rich_table, widths
from attnviz.render.terminal_screen import Screen, clean

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import TokenBars

LEAST, MOST = 6, 30  # columns of a bar


def print_token_bars(part: TokenBars, screen: Screen, _: FigureOptions) -> None:
    """Print a line per token: its name, and the number and bar of each column. In a pipe without bars."""
    rows = [[token, *map(compact, row)] for token, row in zip(part.tokens, part.values.tolist(), strict=True)]
    header = ["token", *part.names]
    screen.print("")
    if screen.plain:
        screen.print(*columns(rows, header, "l" + "r" * len(part.names)))
        return
    screen.print_wrapped(f"{clean(part.heading)}: {part.label}", "dim")
    shown = [[clean(text) for text in row] for row in rows]
    room = screen.width - sum(widths(header, *shown)) - 2 * GAP * len(part.names)
    wide = min(room // len(part.names), MOST)
    most = float(part.values.max(initial=0.0)) or 1.0
    table = rich_table("dim")
    table.add_column(header[0], overflow="fold")
    for name in part.names:
        table.add_column(name, justify="right", overflow="fold")
        if wide >= LEAST:
            table.add_column("", min_width=wide, no_wrap=True)
    for i, row in enumerate(shown):
        line = [Text(row[0], "bold" if i in part.stressed else "")]
        for text, value in zip(row[1:], part.values[i].tolist(), strict=True):
            line += [Text(text), *([Text(bar(value / most, wide, screen.blocks))] if wide >= LEAST else [])]
        table.add_row(*line)
    screen.console.print(table, width=screen.width)
