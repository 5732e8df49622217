"""The list of mechanisms in a terminal, by groups. No numbers are loaded for it.

In a pipe every mechanism is a line of plain columns, its formula, whose spaces stay, at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import IO, TYPE_CHECKING, NamedTuple

from attnviz.page.groups import long_title
from attnviz.render.terminal_listing import print_listing
from attnviz.render.terminal_screen import Screen, cells

if TYPE_CHECKING:
    from rich.console import Console

    from attnviz.page.parts import Catalogue

GAP = 2
BESIDE = 112  # columns of a window in which the source stands beside the formula
LEAST = 60  # and of one in which the formula stands beside the name
HEADER = ("name", "group", "cost", "exact", "source", "formula")


class Entry(NamedTuple):
    """One mechanism. numbers: what may be set, as it is typed, `reach=2`; '' for nothing."""

    name: str
    group: str
    formula: str
    source: str
    cost: str
    exact: bool
    numbers: str = ""


def print_catalogue(part: Catalogue, out: Console | IO[str] | None = None, *, width: int | None = None) -> None:
    """Print mechanisms, those of one group under its title.

    Args:
        part: in the order of their groups.
        out, width: as for `attnviz.render.terminal.print_maps`.
    """
    screen, entries = Screen.of(out, width), [Entry(*entry) for entry in part.entries]
    if screen.plain:
        rows = [((e.name, e.group, e.cost, "yes" if e.exact else "no", e.source), e.formula) for e in entries]
        print_listing(rows, HEADER, screen.console)
        return
    # The widest of each column, so that the groups' columns stand below each other.
    names = max(cells(e.name) for e in entries)
    costs = max(max(cells(e.cost) for e in entries), len("cost"))
    sources = max(cells(e.source) for e in entries)
    for place, (group, members) in enumerate(groupby(entries, key=lambda e: e.group)):
        screen.print(*([""] if place else []))
        screen.print_wrapped(long_title(group), "bold")
        if screen.width < LEAST:
            _stacked(list(members), screen)
        else:
            _table(list(members), screen, (names, costs, sources), header=place == 0)
    screen.print("")
    screen.print_wrapped("--mechanism NAME takes one, with its numbers if need be: window:3, dilated:2,gap=3", "dim")


def _table(entries: Sequence[Entry], screen: Screen, widths: tuple[int, int, int], header: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    names, costs, sources = widths
    beside = screen.width >= BESIDE
    formulas = screen.width - names - costs - 2 * GAP - (sources + GAP if beside else 0)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=header, header_style="dim")
    table.add_column("name", min_width=names, max_width=names, no_wrap=True)
    table.add_column("formula", min_width=formulas, max_width=formulas, overflow="fold")
    table.add_column("cost", min_width=costs, max_width=costs, no_wrap=True)
    if beside:
        table.add_column("source", min_width=sources, max_width=sources, no_wrap=True)
    for entry in entries:
        below = _small(entry, source=not beside)
        said = Text.assemble(entry.formula, (f"\n{below}" if below else "", "dim"))
        row = (Text(entry.name, "bold"), said, Text(entry.cost))
        table.add_row(*row, *([Text(entry.source)] if beside else []))
    screen.console.print(table, width=screen.width)


def _stacked(entries: Sequence[Entry], screen: Screen) -> None:
    """A narrow window: name and cost, then formula and source indented below them."""
    from rich.text import Text

    for entry in entries:
        screen.print_wrapped(Text.assemble((entry.name, "bold"), f"  {entry.cost}"))
        for line in (Text(entry.formula), Text(_small(entry, source=True), "dim")):
            for broken in line.wrap(screen.console, screen.width - GAP):
                screen.print(Text(" " * GAP).append_text(broken))


def _small(entry: Entry, source: bool) -> str:
    """What stands below a formula: `Wang 2020, Linformer · approximate · rank=4`."""
    parts = (entry.source if source else "", "" if entry.exact else "approximate", entry.numbers)
    return " · ".join(part for part in parts if part)
