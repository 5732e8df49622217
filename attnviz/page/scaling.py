"""Seconds over tokens, a curve per mechanism -> Figure: both axes logarithmic, so that n^p is a line of slope p."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from attnviz.errors import SelectionError
from attnviz.page.figure import Figure, Line
from attnviz.page.parts import Page, Timing, Timings
from attnviz.page.sheet import BASE, Sheet, finished, no_room, started, worded

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions

MARGIN, WIDE, HIGH, GAP = 20.0, 320.0, 250.0, 40.0  # points: round the page, a plot, between plots
TICKS, NAMES = 32.0, 172.0  # for the numbers at the left, for the names at the curves' ends
NARROWEST = 130.0
SMALL = 7.0
ABREAST = 2
POINT = 3.4  # the side of a measured point
TITLES = {
    "scoring": "Scoring",
    "keys": "Keys: few of them",
    "keys, many": "Keys: more of them in longer texts",
    "approximation": "Approximations, and a state space",
}
POWERS = str.maketrans("0123456789.-", "⁰¹²³⁴⁵⁶⁷⁸⁹·⁻")
TONES = tuple(f"curve{i}" for i in range(8))
REFERENCE = "full"
SUBTITLE = (
    "one head of 64 dimensions, one thread, this machine · behind each name: the exponent of a fit over the longer "
    "texts, and the cost by the paper"
)
_SIGNS = "0123456789,.µ⁰¹²³⁴⁵⁶⁷⁸⁹·⁻"


def timings_page(page: Page, options: FigureOptions) -> Figure:
    """A plot per group, with full attention in grey in each; curves end in their names, exponents and costs.

    Raises SelectionError: there is no curve, no such font, or no room for a plot.
    """
    part = page.part(Timings)
    curves = part.timings
    if not curves:
        raise SelectionError("there is nothing to measure")
    names = [text for curve in curves for text in (curve.name, curve.cost)]
    words = worded(replace(page, subtitle=SUBTITLE), options, [*names, *TITLES.values(), _SIGNS])
    plots = _plots(curves)
    abreast, wide = _sizes(len(plots), options.width)
    pitch = TICKS + wide + NAMES + GAP
    across = 2 * MARGIN + abreast * pitch - GAP
    sizes = {"margin": MARGIN, "indent": TICKS, "foot": 16.0, "small": SMALL}
    sheet = started(words, across, title_size=13.0, shrink=False, **sizes)
    n_range = (min(curve.n[0] for curve in curves), max(curve.n[-1] for curve in curves))
    times = [second for curve in curves for second in curve.seconds]
    top = sheet.y + 24.0
    for place, (name, members) in enumerate(plots):
        row, col = divmod(place, abreast)
        x, sheet.y = MARGIN + TICKS + col * pitch, top + row * (HIGH + 62.0)
        plot = _Plot(sheet, x, sheet.y, wide, n_range, (0.8 * min(times), 1.25 * max(times)))
        plot.draw(TITLES.get(name, name), members)
    sheet.y += HIGH + 34.0
    return finished(sheet, ", ".join(f"{curve.name} n^{curve.exponent:.2f}" for curve in curves))


def _sizes(plots: int, width: float | None) -> tuple[int, float]:
    """Plots abreast, and how wide each is in points."""
    if width is None:
        return min(ABREAST, plots), WIDE
    for abreast in range(min(ABREAST, plots), 0, -1):
        wide = (width * 72.0 - 2 * MARGIN + GAP) / abreast - GAP - TICKS - NAMES
        if wide >= (NARROWEST if abreast == 1 else 1.5 * NARROWEST):
            return abreast, wide
    raise no_room(width * 72.0, " for a plot")


def _plots(curves: Sequence[Timing]) -> list[tuple[str, list[Timing]]]:
    """The curves of each plot; the state space joins the approximations, full attention is in all plots."""
    reference = [curve for curve in curves if curve.name == REFERENCE]
    groups: dict[str, list[Timing]] = {name: [] for name in TITLES}
    for curve in curves:
        if curve.name != REFERENCE:
            group = "approximation" if curve.group == "state space" else curve.group
            # Mechanisms that see more keys in a longer text have a plot of their own, to keep both readable.
            group = "keys, many" if group == "keys" and "n" in curve.cost.replace("n·", "", 1) else group
            groups[group].append(curve)
    plots = [(name, [*reference, *members]) for name, members in groups.items() if members]
    return plots or [("keys, many", reference)]


@dataclass
class _Plot:
    """One pair of axes. x, y: its left upper corner; n, seconds: the ends of both axes."""

    sheet: Sheet
    x: float
    y: float
    wide: float
    n: tuple[int, int]
    seconds: tuple[float, float]

    def at(self, n: float, seconds: float) -> tuple[float, float]:
        across = math.log(n / self.n[0]) / (math.log(self.n[1] / self.n[0]) or 1.0)
        up = math.log(seconds / self.seconds[0]) / math.log(self.seconds[1] / self.seconds[0])
        return self.x + self.wide * across, self.y + HIGH * (1 - up)

    def draw(self, title: str, curves: Sequence[Timing]) -> None:
        title, size = self.sheet.face.shrunk(title, BASE + 1.0, self.wide + NAMES, "bold")
        self.sheet.word(title, self.x, self.y - 10.0, size, weight="bold", tone="soft", role="heading")
        self._axes()
        ends = []
        for place, curve in enumerate(curves):
            tone = "faint" if curve.name == REFERENCE else TONES[(place - 1) % len(TONES)]
            points = [self.at(n, seconds) for n, seconds in zip(curve.n, curve.seconds, strict=True)]
            for (x0, y0), (x1, y1) in pairwise(points):
                self.sheet.lines.append(Line(x0, y0, x1, y1, 1.4, tone))
            for x, y in points:
                self.sheet.lines.append(Line(x - POINT / 2, y, x + POINT / 2, y, POINT, tone))
            ends.append((points[-1], curve, tone))
        self._names(ends)

    def _axes(self) -> None:
        right, bottom = self.x + self.wide, self.y + HIGH
        doublings = round(math.log2(self.n[1] / self.n[0]))
        widest = self.sheet.face.width(f"{self.n[1]:,}", SMALL) + 6.0
        step = max(1, math.ceil(widest * max(doublings, 1) / self.wide))
        for k in range(doublings + 1):
            n = self.n[0] * 2**k
            x, _ = self.at(n, self.seconds[0])
            self.sheet.lines.append(Line(x, self.y, x, bottom, 0.4, "grid"))
            if (doublings - k) % step == 0:
                self.sheet.word(f"{n:,}", x, bottom + 10.0, SMALL, "center", tone="soft", role="tick")
        first, last = (math.log10(seconds) for seconds in self.seconds)
        for power in range(math.ceil(first), math.floor(last) + 1):
            _, y = self.at(self.n[0], 10.0**power)
            self.sheet.lines.append(Line(self.x, y, right, y, 0.4, "grid"))
            self.sheet.word(_duration(power), self.x - 5.0, y + 0.35 * SMALL, SMALL, "right", tone="soft", role="tick")
        middle = self.x + self.wide / 2
        self.sheet.word("tokens, n", middle, bottom + 22.0, BASE, "center", tone="soft", role="axis")

    def _names(self, ends: Sequence[tuple[tuple[float, float], Timing, str]]) -> None:
        """Names at the right, moved apart and led to their curves; a curve that ends early is named at its end."""
        pitch, x = 1.3 * SMALL, self.x + self.wide + 12.0
        last: dict[float, float] = {}  # the lowest name so far, by the place of the curve's end
        ordered = sorted(ends, key=lambda end: end[0][1])
        for (right, y), curve, tone in ordered:
            early = right < self.x + self.wide - 1.0
            place = max(y, last.get(right, -math.inf) + pitch)
            last[right] = place
            left = right + 12.0 if early else x
            self.sheet.lines.append(Line(right + 2.0, y, left - 2.0, place, 0.5, tone))
            power = f"{curve.exponent:.2f}".translate(POWERS) if curve.exponent == curve.exponent else ""
            text = f"{curve.name}  n{power}" if power else curve.name
            self.sheet.word(text, left, place + 0.35 * SMALL, SMALL, tone=tone, weight="bold")
            after = left + self.sheet.face.width(text, SMALL, "bold") + 6.0
            self.sheet.word(curve.cost, after, place + 0.35 * SMALL, SMALL, tone="faint")


def _duration(power: int) -> str:
    """A power of ten in seconds: `10 µs`, `1 ms`, `1 s`."""
    unit, factor = next(((u, p) for u, p in (("s", 0), ("ms", -3), ("µs", -6)) if power >= p), ("ns", -9))
    return f"{10 ** (power - factor)} {unit}"
