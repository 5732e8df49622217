"""Mechanisms in a terminal: the list of all by groups, several on one text, and how long they take.

In a pipe: plain aligned columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from attnviz.page.groups import long_title
from attnviz.page.parts import Listing
from attnviz.render.terminal_layout import GAP, aligned, bar, columns, rich_table, widest, widths
from attnviz.render.terminal_rows import print_listing
from attnviz.render.terminal_screen import Screen, fit

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import Cards, Catalogue, Timing, Timings

BESIDE = 112  # columns of a window in which the source is beside the formula
LEAST = 60  # columns of a window in which the formula is beside the name
MOST_BAR, LEAST_BAR = 30, 8


class Entry(NamedTuple):
    """One mechanism of the list. numbers: the parameters as they are typed, `reach=2`; '' for none."""

    name: str
    group: str
    formula: str
    source: str
    cost: str
    exact: bool
    numbers: str = ""

    def remark(self, source: bool) -> str:
        """The line below the formula: `Wang 2020, Linformer · approximate · rank=4`. source: whether it is named."""
        parts = (self.source if source else "", "" if self.exact else "approximate", self.numbers)
        return " · ".join(filter(None, parts))


def print_catalogue(part: Catalogue, screen: Screen, options: FigureOptions) -> None:
    """Print mechanisms, each group under its title. The entries come in the order of their groups."""
    entries = [Entry(*entry) for entry in part.entries]
    if screen.plain:
        rows = [((e.name, e.group, e.cost, "yes" if e.exact else "no", e.source), e.formula) for e in entries]
        print_listing(Listing(("name", "group", "cost", "exact", "source", "formula"), rows), screen, options)
        return
    # One width for each column of all groups, so that the groups are aligned.
    taken = widths(("name", "cost", ""), *((e.name, e.cost, e.source) for e in entries))
    for i, (group, members) in enumerate(groupby(entries, key=lambda entry: entry.group)):
        screen.print(*([""] if i else []))
        screen.print_wrapped(long_title(group), "bold")
        if screen.width >= LEAST:
            _print_group(list(members), screen, taken, header=i == 0)
            continue
        for entry in members:
            screen.print_wrapped(Text.assemble((entry.name, "bold"), f"  {entry.cost}"))
            for line in (Text(entry.formula), Text(entry.remark(source=True), "dim")):
                screen.print(*screen.wrapped(line, GAP))
    screen.print("")
    screen.print_wrapped("--mechanism NAME takes one, with its numbers if need be: window:3, dilated:2,gap=3", "dim")


def _print_group(entries: Sequence[Entry], screen: Screen, taken: Sequence[int], header: bool) -> None:
    names, costs, sources = taken
    beside = screen.width >= BESIDE
    formulas = screen.width - names - costs - 2 * GAP - (sources + GAP if beside else 0)
    table = rich_table("dim" if header else None)
    headed = {"name": names, "formula": formulas, "cost": costs, **({"source": sources} if beside else {})}
    for name, width in headed.items():
        table.add_column(name, min_width=width, max_width=width, no_wrap=name != "formula", overflow="fold")
    for entry in entries:
        below = entry.remark(source=not beside)
        formula = Text.assemble(entry.formula, (f"\n{below}" if below else "", "dim"))
        row = (Text(entry.name, "bold"), formula, Text(entry.cost))
        table.add_row(*row, *([Text(entry.source)] if beside else []))
    screen.console.print(table, width=screen.width)


def print_cards(part: Cards, screen: Screen, options: FigureOptions) -> None:
    """Print mechanisms on one text: cost, keys per query on average, distance from the model's own attention."""
    cards, decimals, header = part.cards, max(options.decimals, 1), ("cost", "keys", "distance")
    rows = [(card.name, card.cost, f"{card.keys:.1f}", f"{card.distance:.{decimals}f}") for card in cards]
    if screen.plain:
        lines = [(card.group, *row, "yes" if card.exact else "no") for card, row in zip(cards, rows, strict=True)]
        screen.print(*columns(lines, ("group", "name", *header, "exact"), "lllrrl"))
        return
    taken, details = widths(("", *header), *rows), widest(card.detail for card in cards)
    room = screen.width - sum(taken) - 4 * GAP
    beside = room >= LEAST_BAR + GAP + details
    length = min(MOST_BAR, room - details - GAP if beside else room)
    screen.print(Text(aligned(("", *header), taken, "llrr").rstrip(), "dim"))
    pairs = zip(cards, rows, strict=True)
    for group, members in groupby(pairs, key=lambda pair: pair[0].group if part.grouped else ""):
        screen.print_wrapped(long_title(group) if group else "", "bold")
        for card, row in members:
            line = Text(aligned(row, taken, "llrr") + " " * GAP)
            drawn = bar(min(card.distance, 1.0), length, screen.blocks) if length >= LEAST_BAR else ""
            line.append(fit(drawn, length) if beside else drawn, "" if card.exact else "dim")
            if beside and card.detail:
                line.append(" " * GAP + card.detail, "dim")
            line.rstrip()
            screen.print(line)


def print_timings(part: Timings, screen: Screen, _: FigureOptions) -> None:
    """Print milliseconds for growing numbers of tokens, and the exponent of the fit to the longer texts.

    Where not all sizes fit, the longest stay.
    """
    curves = part.timings
    sizes = sorted({n for curve in curves for n in curve.n})
    times = [_milliseconds(curve, sizes) for curve in curves]
    powers = ["-" if curve.exponent != curve.exponent else f"{curve.exponent:.2f}" for curve in curves]
    if screen.plain:
        lines = [(c.setting, c.cost, power, *row) for c, power, row in zip(curves, powers, times, strict=True)]
        screen.print(*columns(lines, ("mechanism", "cost", "exponent", *sizes), "llr" + "r" * len(sizes)))
        return
    header = ["", "cost", "fit", *(f"{n:,}" for n in sizes)]
    rows = [[c.name, c.cost, f"n^{power}", *row] for c, power, row in zip(curves, powers, times, strict=True)]
    taken = widths(header, *rows)
    taken[2] = len("n^2.00")
    while len(taken) > 4 and sum(taken) + GAP * (len(taken) - 1) > screen.width:
        del taken[3], header[3]  # the shortest text
        for row in rows:
            del row[3]
    sides = "lll" + "r" * (len(taken) - 3)
    screen.print(Text(aligned(header, taken, sides), "dim"))
    for row in rows:
        screen.print(Text(aligned(["" if text == "-" else text for text in row], taken, sides).rstrip()))


def _milliseconds(curve: Timing, sizes: Sequence[int]) -> list[str]:
    """A time for each size, '-' where a text was not tried."""
    times = {n: 1000 * seconds for n, seconds in zip(curve.n, curve.seconds, strict=True)}
    digits = {n: 2 if time < 10 else 1 if time < 100 else 0 for n, time in times.items()}
    return [f"{times[n]:.{digits[n]}f}" if n in times else "-" for n in sizes]
