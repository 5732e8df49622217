"""Which scales and colour maps there are, and round numbers for their limits and ticks."""

from __future__ import annotations

import math
from difflib import get_close_matches

from attnviz.errors import SelectionError, one_of
from attnviz.page.numbers import ROUND, compact
from attnviz.page.numbers import round_up as round_up

SCALES = ("auto", "linear", "sqrt", "log", "row")
WHITE = "ink"  # the usual map: white at 0
SEQUENTIAL = (WHITE, "viridis", "cividis", "magma", "inferno", "plasma", "Greys", "Blues")
PALE = frozenset({WHITE, "Greys", "Blues"})  # maps whose first colour is that of paper
GREYS = frozenset({"Greys"})  # maps without colour, where a masked cell is hatched
INKS = "inks"  # the map of numbers with signs: white at 0, red is plus
DIVERGING = (INKS, "RdBu", "PuOr", "BrBG", "coolwarm")
RAINBOWS = frozenset(
    "jet rainbow hsv gist_rainbow turbo nipy_spectral spectral gist_ncar prism flag brg gnuplot gnuplot2 cmrmap".split()
)
FEW = 16  # keys to a row up to which colour grows evenly with the weight, if nobody says otherwise
LOG_SPAN = 1000.0  # a log scale runs over three decades: a thousandth of the largest weight is the least that is shown

_TICKS = 6
number = compact  # a short number for a scale: 0, 0.25, 0.001, 1


def check_scale(kind: str) -> str:
    """The scale's name, or SelectionError."""
    if kind not in SCALES:
        raise SelectionError(one_of("scale", kind, SCALES))
    return kind


def check_vmax(vmax: float | str | None) -> float | None:
    """A limit that was asked for, None if it is to be chosen. Raises SelectionError for what is no limit."""
    if vmax in (None, "auto"):
        return None
    if isinstance(vmax, (int, float)) and math.isfinite(vmax) and vmax > 0:
        return float(vmax)
    raise SelectionError(f"vmax must be a number above 0, or auto; got {vmax!r}")


def check_cmap(name: str, signed: bool = False) -> str:
    """The map's name as render.theme knows it, whatever its case; `_r` at its end turns a map round.

    Raises SelectionError for a map that is not offered, and says why a rainbow is not.
    """
    offered = DIVERGING if signed else SEQUENTIAL
    base, turned = (name[:-2], "_r") if name.lower().endswith("_r") else (name, "")
    known = {offer.lower(): offer for offer in SEQUENTIAL + DIVERGING}
    cmap = known.get(base.lower())
    if cmap is not None and cmap in offered:
        return cmap + turned
    if base.casefold() in RAINBOWS:
        why = "its brightness goes up and down, so it shows edges that the weights do not have"
        raise SelectionError(f"cmap {name} is a rainbow: {why}", f"one of {', '.join(offered)}")
    if cmap is not None:
        kind = "a sequential map for values from 0 up" if cmap in SEQUENTIAL else "a diverging map for signed values"
        raise SelectionError(f"cmap {name} is {kind}, which these are not", f"one of {', '.join(offered)}")
    close = get_close_matches(base.lower(), known, n=1)
    hint = f"did you mean {known[close[0]]}?" if close else ""
    raise SelectionError(one_of("cmap", name, offered), hint)


def masked(cmap: str) -> str:
    """The look of a masked cell on a map: grey, or hatched."""
    return "hatched" if cmap.removesuffix("_r") in GREYS else "grey"


def round_down(value: float) -> float:
    """The next round number that is not above `value`; 0 for what is not above 0."""
    if value <= 0 or not math.isfinite(value):
        return 0.0
    decade = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return float(f"{max(step for step in (*ROUND, 7.0, 9.0) if step * decade <= value * (1 + 1e-6)) * decade:.6g}")


def short(value: float, decimals: int) -> str:
    """.64 for 0.64; 1 for 1.00: a cell has no room for what everyone knows."""
    text = f"{abs(value):.{decimals}f}"
    sign = "−" if value < 0 and text.strip("0.") else ""  # nothing has no sign
    return sign + ("1" if text == f"{1:.{decimals}f}" else text.removeprefix("0"))


def ticks(kind: str, low: float, high: float, room: int = 6) -> list[tuple[float, float]]:
    """Where a colour bar is labelled: (value, place from 0 to 1), both ends and at most four between them.

    A scale from -high to high has 0 and the same numbers on both sides of it, at most seven in all.

    room: how many labels the bar has room for, one above the other.
    """
    if kind == "panel":
        return [(0.0, 0.0), (1.0, 1.0)]
    if kind == "row":
        low, high = 0.0, 1.0
    if low == -high:
        return _mirrored(high, room)
    most = max(2, min(room, _TICKS))
    if kind == "log":
        return _log_ticks(low, high, most)
    if kind == "sqrt":
        return _apart(_squares(high, most), 0.75 / max(room - 1, 1))
    span = high - low
    count = _even(span, most)
    values = [low + i * span / count for i in range(count + 1)]
    if count == 1:  # no round step divides the scale: round numbers below the limit, and the limit
        step = round_up(span / (most - 1))
        values = [low + i * step for i in range(math.floor(span / step - 0.4) + 1)] + [high]
    marks = [(float(f"{value:.6g}"), (value - low) / span) for value in values]
    return _apart(marks, 0.75 / max(room - 1, 1))


def _mirrored(high: float, room: int) -> list[tuple[float, float]]:
    """Round numbers from -high to high, the same on both sides of 0, which is always among them."""
    up = ticks("linear", 0.0, high, max(2, (min(room, _TICKS + 1) + 1) // 2))
    down = [(-value, 0.5 - place / 2) for value, place in reversed(up[1:])]
    return down + [(value, 0.5 + place / 2) for value, place in up]


def _apart(marks: list[tuple[float, float]], least: float) -> list[tuple[float, float]]:
    """The first, the last, and between them, from the highest down, each that is `least` away from both sides."""
    apart = [marks[-1]]
    for tick in marks[-2:0:-1]:
        if apart[-1][1] - tick[1] >= least and tick[1] - marks[0][1] >= least:
            apart.append(tick)
    return [marks[0], *reversed(apart)]


def _squares(high: float, most: int) -> list[tuple[float, float]]:
    """Round numbers from 0 to `high` whose square roots are about as far from each other, with their places."""
    decade = math.floor(math.log10(high))
    rounds = [float(f"{step * 10.0**e:.6g}") for e in range(decade - 3, decade + 1) for step in (1.0, 2.0, 5.0)]
    nearest = set()
    for i in range(1, most - 1):
        apart = {abs(math.sqrt(value / high) - i / (most - 1)): value for value in rounds}
        nearest.add(apart[min(apart)])
    between = sorted(value for value in nearest if value < high)
    return [(value, math.sqrt(value / high)) for value in (0.0, *between, high)]


def _even(span: float, most: int) -> int:
    """Into how many equal steps, each a round number, a linear scale can be cut; 1 if it cannot."""
    top = math.floor(math.log10(span) + 1e-9)
    for steps in ((1.0, 2.0, 2.5, 5.0), (3.0, 4.0, 6.0)):
        for step in (step * 10.0**e for e in (top - 1, top) for step in steps):
            count = round(span / step)
            if abs(span / step - count) < 1e-6 and 2 <= count <= most - 1:
                return count
    return 1


def _log_ticks(low: float, high: float, most: int) -> list[tuple[float, float]]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    values = {low, high} | {10.0**e for e in range(first, last + 1)}
    span = math.log(high / low)
    marks: list[tuple[float, float]] = []
    for value in sorted(values, key=lambda v: (v not in (low, high), v)):  # the ends have the first claim to room
        place = math.log(value / low) / span
        if all(abs(place - other) >= 1 / max(most, 2) for _, other in marks):
            marks.append((float(f"{value:.6g}"), place))
    return sorted(marks)
