"""Mechanisms on one text, and how long they take, as tables in a terminal; plain aligned columns in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import IO, TYPE_CHECKING, NamedTuple

from attnviz.page.groups import long_title
from attnviz.render.terminal_cells import bar
from attnviz.render.terminal_columns import columns
from attnviz.render.terminal_screen import Screen, cells, fit

if TYPE_CHECKING:
    from rich.console import Console

    from attnviz.page.parts import Card, Cards, Timing, Timings

GAP = "  "
MOST_BAR, LEAST_BAR = 30, 8


class _Line(NamedTuple):
    """A mechanism's texts."""

    name: str
    cost: str
    keys: str
    distance: str
    numbers: str


def print_cards(
    part: Cards, out: Console | IO[str] | None = None, *, width: int | None = None, decimals: int = 2
) -> None:
    """Print mechanisms on one text: cost, keys that a query sees on average, distance from the model's own attention.

    Args:
        out, width: as for `attnviz.render.terminal.print_maps`; a pipe gets plain columns.
        decimals: of the distances.
    """
    screen = Screen.of(out, width)
    lines = [_Line(c.name, c.cost, f"{c.keys:.1f}", f"{c.distance:.{decimals}f}", c.detail) for c in part.cards]
    if screen.plain:
        rows = [(c.group, *line[:4], "yes" if c.exact else "no") for c, line in zip(part.cards, lines, strict=True)]
        screen.print(*columns(rows, ("group", "name", "cost", "keys", "distance", "exact"), "lllrrl"))
        return
    _comparison(part.cards, lines, screen, part.grouped)


def _comparison(cards: Sequence[Card], lines: Sequence[_Line], screen: Screen, grouped: bool) -> None:
    from rich.text import Text

    heads = _Line("", "cost", "keys", "distance", "")
    names, costs, keys, distances, numbers = (max(map(cells, column)) for column in zip(*lines, heads, strict=True))
    fixed = names + costs + keys + distances + 4 * len(GAP)
    room = screen.width - fixed
    beside = room >= LEAST_BAR + len(GAP) + numbers
    length = min(MOST_BAR, room - numbers - len(GAP) if beside else room)
    if length < LEAST_BAR:  # a window so narrow has no bars
        length = 0
    head = [fit("", names), fit("cost", costs), fit("keys", keys, "right"), fit("distance", distances, "right")]
    screen.print(Text(GAP.join(head).rstrip(), "dim"))
    pairs = list(zip(cards, lines, strict=True))
    for group, members in groupby(pairs, key=lambda pair: pair[0].group if grouped else ""):
        screen.print_wrapped(long_title(group) if group else "", "bold")
        for card, said in members:
            line = Text(fit(said.name, names) + GAP + fit(said.cost, costs) + GAP, "")
            line.append(fit(said.keys, keys, "right") + GAP + fit(said.distance, distances, "right") + GAP)
            drawn = bar(min(card.distance, 1.0), length, screen.blocks) if length else ""
            line.append(fit(drawn, length) if beside else drawn, "" if card.exact else "dim")
            if beside and said.numbers:
                line.append(GAP + said.numbers, "dim")
            line.rstrip()
            screen.print(line)


def print_timings(part: Timings, out: Console | IO[str] | None = None, *, width: int | None = None) -> None:
    """Print milliseconds for growing numbers of tokens, and the exponent of the fit to the longer texts.

    out, width: as for `attnviz.render.terminal.print_maps`. Where not all sizes fit, the longest stay.
    """
    screen, curves = Screen.of(out, width), part.timings
    sizes = sorted({n for curve in curves for n in curve.n})
    if screen.plain:
        rows = [(curve.setting, curve.cost, _power(curve), *_times(curve, sizes)) for curve in curves]
        screen.print(*columns(rows, ("mechanism", "cost", "exponent", *sizes), "llr" + "r" * len(sizes)))
        return
    from rich.text import Text

    names = max(cells(curve.name) for curve in curves)
    costs = max(*(cells(curve.cost) for curve in curves), len("cost"))
    times = [_times(curve, sizes) for curve in curves]
    pitch = [max(cells(f"{n:,}"), *(cells(row[i]) for row in times)) for i, n in enumerate(sizes)]
    fixed = names + costs + len("n^2.00") + 2 * len(GAP)
    while len(sizes) > 1 and fixed + sum(pitch) + len(GAP) * len(pitch) > screen.width:
        sizes, pitch, times = sizes[1:], pitch[1:], [row[1:] for row in times]
    head = [fit("", names), fit("cost", costs), fit("fit", 6)]
    head += [fit(f"{n:,}", wide, "right") for n, wide in zip(sizes, pitch, strict=True)]
    screen.print(Text(GAP.join(head), "dim"))
    for curve, row in zip(curves, times, strict=True):
        line = [fit(curve.name, names), fit(curve.cost, costs), fit(f"n^{_power(curve)}", 6)]
        line += [fit("" if text == "-" else text, wide, "right") for text, wide in zip(row, pitch, strict=True)]
        screen.print(Text(GAP.join(line).rstrip()))


def _power(curve: Timing) -> str:
    return "-" if curve.exponent != curve.exponent else f"{curve.exponent:.2f}"


def _times(curve: Timing, sizes: Sequence[int]) -> list[str]:
    """Milliseconds for each size, '-' where a text was not tried."""
    return list(_each(dict(zip(curve.n, curve.seconds, strict=True)), sizes))


def _each(taken: dict[int, float], sizes: Sequence[int]) -> Iterator[str]:
    for n in sizes:
        value = 1000 * taken[n] if n in taken else None
        if value is None:
            yield "-"
        else:
            yield f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
