"""Rows of numbers, and boards of words, in a terminal; plain columns in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from attnviz.render.terminal_columns import columns, number
from attnviz.render.terminal_screen import Screen, cells, clean, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import Console

WORD, LEAST = 9, 5  # columns of a word on a board: as many as it may want, and as few as it must have


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

    print_heading(title, subtitle, screen.console, width=screen.width)
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
    print_footing(notes, screen.console, width=screen.width)


def print_board(
    words: Sequence[Sequence[str]],
    values: NDArray[Any],
    rows: Sequence[str],
    cols: Sequence[str],
    out: Console | IO[str] | None = None,
    *,
    width: int | None = None,
    axes: tuple[str, str] = ("layer", "head"),
    heading: str = "",
    notes: Sequence[str] = (),
) -> None:
    """Print a word and a number for every head: a board at a terminal, a line a head in a pipe.

    Args:
        words, values: [row][column]; at a terminal words are shortened to fit, and the larger numbers are bold.
        rows, cols: their names; axes: what these are. A board of one row may leave its name and axis empty.
        out, width: as for `attnviz.render.terminal.print_maps`.
        heading, notes: above and below, at a terminal.
    """
    from rich.text import Text

    screen = Screen.of(out, width)
    if screen.plain:
        lines = [
            [*([row] if axes[0] else []), col, words[i][j], number(float(values[i, j]), 2)]
            for i, row in enumerate(rows)
            for j, col in enumerate(cols)
        ]
        header = [*filter(None, axes), "word", "value"]
        screen.print("", *columns(lines, header, "rrlr"[-len(header) :]))
        return
    first = max(map(cells, rows)) + 2
    longest = max(cells(clean(word)) for row in words for word in row)
    fitting = max((screen.width - first) // (max(min(longest, WORD), LEAST) + 1), 1)
    if len(cols) > fitting and (screen.width - first) // len(cols) > LEAST:
        fitting = len(cols)
    wide = min((screen.width - first) // min(fitting, len(cols)) - 1, max(longest, LEAST))
    most = max(float(abs(values).max()), 1e-9)
    screen.print("")
    screen.print_wrapped(f"{heading}, down {axes[0]}s, along {axes[1]}s" if axes[0] else heading, "dim")
    for start in range(0, len(cols), fitting):
        part = range(start, min(start + fitting, len(cols)))
        line = fit("", first) + " ".join(fit(cols[j], wide) for j in part)
        screen.print(*([""] if start else []), Text(line.rstrip(), "dim"))
        for i, row in enumerate(rows):
            shown = Text(fit(row, first), "dim")
            for j in part:
                share = abs(float(values[i, j])) / most
                style = "bold" if share >= 0.5 else "" if share >= 0.15 else "dim"
                shown.append(fit(clean(words[i][j]), wide) + " ", style=style)
            shown.rstrip()
            screen.print(shown)
    print_footing(notes, screen.console, width=screen.width)


def print_heading(title: str, subtitle: str, out: Console | IO[str] | None = None, *, width: int | None = None) -> None:
    """Print a title and what stands under it, and an empty line; nothing in a pipe."""
    screen = Screen.of(out, width)
    if not screen.plain:
        screen.print_wrapped(clean(title), "bold")
        screen.print_wrapped(clean(subtitle), "dim")
        screen.print(*([""] if title or subtitle else []))


def print_footing(notes: Sequence[str], out: Console | IO[str] | None = None, *, width: int | None = None) -> None:
    """Print remarks below a result; nothing in a pipe."""
    screen = Screen.of(out, width)
    if notes and not screen.plain:
        screen.print("")
        screen.print_notes(notes)
