"""Mechanisms on one text, and how long they take, as tables in a terminal; plain aligned columns in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol

from attnviz.page.groups import long_title
from attnviz.render.terminal_cells import bar
from attnviz.render.terminal_columns import columns
from attnviz.render.terminal_screen import Screen, cells, clean, fit

if TYPE_CHECKING:
    from rich.console import Console

    from attnviz.page.mechanisms import Card

GAP = "  "
MOST_BAR, LEAST_BAR = 30, 8


class Curve(Protocol):
    """How long one mechanism took, as `attnviz.page.scaling.Curve` has it."""

    @property
    def name(self) -> str: ...
    @property
    def setting(self) -> str: ...
    @property
    def cost(self) -> str: ...
    @property
    def n(self) -> tuple[int, ...]: ...
    @property
    def seconds(self) -> tuple[float, ...]: ...
    @property
    def exponent(self) -> float: ...


class _Line(NamedTuple):
    """A mechanism's texts."""

    name: str
    cost: str
    keys: str
    distance: str
    numbers: str


def print_comparison(
    cards: Sequence[Card],
    title: str,
    subtitle: str = "",
    notes: Sequence[str] = (),
    out: Console | IO[str] | None = None,
    *,
    width: int | None = None,
    decimals: int = 2,
    grouped: bool = True,
) -> None:
    """Print mechanisms on one text: cost, keys that a query sees on average, distance from the model's own attention.

    Args:
        cards: as they are drawn by `attnviz.page.mechanisms.figure`.
        title, subtitle, notes: words before and behind; a pipe gets the table alone.
        out, width: as for `attnviz.render.terminal.print_maps`.
        decimals: of the distances.
        grouped: those of one group under its title.
    """
    screen = Screen.of(out, width)
    lines = [_Line(c.name, c.cost, f"{c.keys:.1f}", f"{c.distance:.{decimals}f}", c.detail) for c in cards]
    if screen.plain:
        rows = [(c.group, *line[:4], "yes" if c.exact else "no") for c, line in zip(cards, lines, strict=True)]
        screen.print(*columns(rows, ("group", "name", "cost", "keys", "distance", "exact"), "lllrrl"))
        return
    screen.print_wrapped(clean(title), "bold")
    screen.print_wrapped(clean(subtitle), "dim")
    _comparison(cards, lines, screen, grouped)
    screen.print("")
    screen.print_notes(notes)


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
    screen.print("", Text(GAP.join(head).rstrip(), "dim"))
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


def print_scaling(curves: Sequence[Curve], out: Console | IO[str] | None = None, *, width: int | None = None) -> None:
    """Print milliseconds for growing numbers of tokens, and the exponent of the fit to the longer texts.

    Args:
        curves: what was measured.
        out, width: as for `attnviz.render.terminal.print_maps`. Where not all sizes fit, the longest stay.
    """
    screen = Screen.of(out, width)
    sizes = sorted({n for curve in curves for n in curve.n})
    if screen.plain:
        rows = [(curve.setting, curve.cost, _power(curve), *_times(curve, sizes)) for curve in curves]
        screen.print(*columns(rows, ("mechanism", "cost", "exponent", *sizes), "llr" + "r" * len(sizes)))
        return
    from rich.text import Text

    screen.print(Text("Milliseconds for n tokens, one head of 64 dimensions, one thread", "bold"))
    names = max(cells(curve.name) for curve in curves)
    costs = max(*(cells(curve.cost) for curve in curves), len("cost"))
    times = [_times(curve, sizes) for curve in curves]
    pitch = [max(cells(f"{n:,}"), *(cells(row[i]) for row in times)) for i, n in enumerate(sizes)]
    fixed = names + costs + len("n^2.00") + 2 * len(GAP)
    while len(sizes) > 1 and fixed + sum(pitch) + len(GAP) * len(pitch) > screen.width:
        sizes, pitch, times = sizes[1:], pitch[1:], [row[1:] for row in times]
    head = [fit("", names), fit("cost", costs), fit("fit", 6)]
    head += [fit(f"{n:,}", wide, "right") for n, wide in zip(sizes, pitch, strict=True)]
    screen.print("", Text(GAP.join(head), "dim"))
    for curve, row in zip(curves, times, strict=True):
        line = [fit(curve.name, names), fit(curve.cost, costs), fit(f"n^{_power(curve)}", 6)]
        line += [fit("" if text == "-" else text, wide, "right") for text, wide in zip(row, pitch, strict=True)]
        screen.print(Text(GAP.join(line).rstrip()))
    screen.print("")
    settings = [curve.setting for curve in curves if curve.setting != curve.name]
    screen.print_notes(
        [*([f"at the longest text: {' '.join(settings)}"] if settings else []), "fit: over the longer texts"]
    )


def _power(curve: Curve) -> str:
    return "-" if curve.exponent != curve.exponent else f"{curve.exponent:.2f}"


def _times(curve: Curve, sizes: Sequence[int]) -> list[str]:
    """Milliseconds for each size, '-' where a text was not tried."""
    return list(_each(dict(zip(curve.n, curve.seconds, strict=True)), sizes))


def _each(taken: dict[int, float], sizes: Sequence[int]) -> Iterator[str]:
    for n in sizes:
        value = 1000 * taken[n] if n in taken else None
        if value is None:
            yield "-"
        else:
            yield f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
