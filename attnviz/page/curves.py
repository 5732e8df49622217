"""Curves -> Figure: a line per head over the steps of training, and below it boards of heads and steps.

Lines are coloured by layer, from light to dark; the heads that changed most are thick, and named at their ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from attnviz.page.boards import MARGIN, _Grid, ends
from attnviz.page.colours import RGB
from attnviz.page.figure import Box, Dot, Figure, Fill, Line
from attnviz.page.numbers import round_up
from attnviz.page.parts import Boards, Curves
from attnviz.page.scale import number, ticks
from attnviz.page.sheet import Sheet, finished, started, worded
from attnviz.page.text_metrics import MIDDLE

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import Page

BASE, SMALL = 9.0, 7.0  # points: sizes of text, as on boards
WIDE, HIGH = 380.0, 190.0  # points: the plot, unless the boards or the page need another width
NAMES = 34.0  # points at the right for the names of heads
RAMP: tuple[RGB, ...] = ((236, 164, 44), (214, 92, 72), (150, 44, 118), (44, 28, 110))  # first layer to last
PALE, PALEST, THIN, THICK = 0.45, 0.12, 0.8, 1.9  # how much of a thin line covers, at most and at least; widths
MANY = 40  # heads from which thin lines become paler
NEAR, NEAR_THIN = 0.5, 1.5  # points of a line that are nearer than this to the one before are left out
TALLEST = 320.0  # points: the height of a board
BARE = 120.0  # points: the least width of a plot


def curves_page(page: Page, options: FigureOptions) -> Figure:
    """The page of curves, with the boards that stand below them.

    Raises SelectionError: no such font, or no room.
    """
    part, boards = page.part(Curves), page.part(Boards)
    texts = [part.label, part.unit, *part.names, *boards.layers, *boards.heads, *boards.axes, "0123456789.,−layer…"]
    texts += [text for board in boards.boards for text in (board.heading, board.label)]
    words = worded(page, options, texts)
    grid = _Grid(words.face, boards, boards.boards)
    grid.settle(None if options.width is None else options.width * 72.0)
    grid.high = min(grid.high, TALLEST / len(boards.layers))
    words.notes.extend(grid.thinning())
    width = grid.width if options.width is not None else max(grid.width, 2 * MARGIN + grid.left + WIDE + NAMES)
    sizes = {"margin": MARGIN, "indent": grid.left, "foot": 8.0, "base": BASE, "small": SMALL}
    least = 2 * MARGIN + grid.left + NAMES + BARE
    sheet = started(words, width, shrink=False, least=least, scale=grid.scales[0], **sizes)
    left = MARGIN + grid.left
    box = Box(left, sheet.y + 18.0, min(sheet.wide - MARGIN - NAMES - left, 1.6 * WIDE), HIGH)
    _plot(sheet, part, box)
    sheet.y = box.y + box.height + 42.0
    _, top, bar_end = grid.place(sheet, False)
    sheet.y = max(top, bar_end + 4.0) + 2.0
    return finished(sheet, ". ".join(map(ends, boards.boards)))


def colour_of(layer: int, layers: Sequence[int]) -> RGB:
    """The colour of a layer among the drawn layers, from light for the first to dark for the last."""
    first, last = min(layers), max(layers)
    place = (len(RAMP) - 1) * ((layer - first) / (last - first) if last > first else 1.0)
    at = min(int(place), len(RAMP) - 2)
    red, green, blue = (round(a + (place - at) * (b - a)) for a, b in zip(RAMP[at], RAMP[at + 1], strict=True))
    return red, green, blue


def _plot(sheet: Sheet, part: Curves, box: Box) -> None:
    """Axes, lines, and the names of the stressed heads."""
    values = np.asarray(part.values, float)
    known = values[np.isfinite(values)]
    high = round_up(max(float(known.max(initial=0.0)), part.threshold or 0.0))
    heading, size = sheet.face.shrunk(part.label, BASE, _key(sheet, part, box) - box.x - 6.0, "bold")
    sheet.word(heading, box.x, box.y - 8.0, size, weight="bold", tone="soft", role="heading")
    _axes(sheet, part, box, high)

    def up(value: float) -> float:
        return box.y + box.height * (1 - max(value, 0.0) / high)

    across = [box.x + box.width * part.place(step) for step in part.steps]
    pale = max(PALEST, PALE * min(1.0, MANY / len(values)))
    order = [i for i in range(len(values)) if i not in part.stressed] + list(reversed(part.stressed))
    for i in order:
        rgb, stressed = colour_of(part.layers[i], part.layers), i in part.stressed
        points = [(x, up(y)) for x, y in zip(across, values[i].tolist(), strict=True) if math.isfinite(y)]
        points = _apart(points, NEAR if stressed else NEAR_THIN)
        for (x0, y0), (x1, y1) in pairwise(points):
            width, share = (THICK, 1.0) if stressed else (THIN, pale)
            sheet.lines.append(Line(x0, y0, x1, y1, width, rgb=rgb, share=share))
        if stressed or len(points) == 1:
            sheet.dots += [Dot(x, y, 1.5, rgb) for x, y in points if len(points) < 40]
    _names(sheet, part, box, [(up(values[i, -1]), i) for i in part.stressed if math.isfinite(values[i, -1])])


def _apart(points: list[tuple[float, float]], least: float) -> list[tuple[float, float]]:
    """Points with at least this much between them along the steps; the last one always."""
    kept = points[:1]
    for point in points[1:-1]:
        if point[0] - kept[-1][0] >= least:
            kept.append(point)
    return kept + points[1:][-1:]


def _key(sheet: Sheet, part: Curves, box: Box) -> float:
    """The colours of layers, above the plot at the right, with the first and the last layer; returns its left edge."""
    layers = sorted(set(part.layers))
    if len(layers) == 1:
        return box.x + box.width
    patches = layers if len(layers) <= 24 else [layers[round(k * (len(layers) - 1) / 23)] for k in range(24)]
    wide = min(9.0, min(72.0, 0.25 * box.width) / len(patches))
    right = box.x + box.width
    x = right - sheet.face.width(str(layers[-1]), SMALL) - 4.0 - wide * len(patches)
    for k, layer in enumerate(patches):
        sheet.fills.append(Fill(Box(x + k * wide, box.y - 13.5, wide, 5.0), colour_of(layer, part.layers)))
    sheet.word(f"layer {layers[0]}", x - 4.0, box.y - 8.5, SMALL, "right", tone="soft", role="tick")
    sheet.word(str(layers[-1]), right, box.y - 8.5, SMALL, "right", tone="soft", role="tick")
    return x - 4.0 - sheet.face.width(f"layer {layers[0]}", SMALL)


def _axes(sheet: Sheet, part: Curves, box: Box, high: float) -> None:
    """Grid lines with their numbers, a mark for each checkpoint, round steps below, and the threshold."""
    right, bottom = box.x + box.width, box.y + box.height
    for value, place in ticks("linear", 0.0, high, 6):
        y = bottom - box.height * place
        sheet.lines.append(Line(box.x, y, right, y, 0.4, "grid"))
        sheet.word(number(value), box.x - 4.0, y + MIDDLE * SMALL, SMALL, "right", role="tick")
    if part.threshold is not None:
        y = bottom - box.height * part.threshold / high
        for k in range(0, int(box.width), 6):
            sheet.lines.append(Line(box.x + k, y, min(box.x + k + 3.0, right), y, 0.7, "soft"))
    for step in part.steps:
        x = box.x + box.width * part.place(step)
        sheet.lines.append(Line(x, bottom, x, bottom + 2.5, 0.5, "soft"))
    taken = -math.inf
    for step in _round_steps(part, box.width):
        x, text = box.x + box.width * part.place(step), step_text(step)
        half = sheet.face.width(text, SMALL) / 2
        if x - half > taken + 4.0:
            sheet.word(text, x, bottom + 4.0 + SMALL, SMALL, "center", tone="soft", role="tick")
            taken = x + half
    middle = box.x + box.width / 2
    sheet.word(part.unit, middle, bottom + 4.0 + SMALL + 3.0 + BASE, BASE, "center", tone="soft", role="axis")


def _round_steps(part: Curves, width: float) -> list[float]:
    """Steps that are named: round ones from the first to the last; powers of ten by the logarithm."""
    first, last = part.steps[0], part.steps[-1]
    if first == last:
        return [first]
    if part.log:
        positive = [step for step in part.steps if step > 0]
        low, high = positive[0], positive[-1]
        powers = [10.0**k for k in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
        finer = [m * p / 10 for p in (*powers, 10 * (powers[-1] if powers else low)) for m in (1, 2, 5)]
        found = powers if len(powers) > 2 else sorted({each for each in finer if low <= each <= high})
        return ([0.0] if first <= 0 else []) + (found or [low, high])
    step = round_up((last - first) / max(2.0, width / 60.0))
    if part.unit == "order":
        step = max(1.0, math.ceil(step))
    return [k * step for k in range(math.ceil(first / step - 1e-9), math.floor(last / step + 1e-9) + 1)]


def step_text(step: float) -> str:
    """`0`, `500`, `10,000`, `2M`."""
    if step >= 1e6 and step % 1e5 == 0:
        return f"{step / 1e6:g}M"
    return f"{int(step):,}" if step == int(step) else f"{step:g}"


def _names(sheet: Sheet, part: Curves, box: Box, at: list[tuple[float, int]]) -> None:
    """The stressed heads' names at the right, moved apart and led to the ends of their lines."""
    pitch, right = 1.25 * SMALL, box.x + box.width * part.place(part.steps[-1])
    ordered, places = sorted(at), list[float]()
    for y, _ in ordered:
        places.append(max(y, places[-1] + pitch if places else -math.inf))
    limit = box.y + box.height
    for k in range(len(places) - 1, -1, -1):  # names that were moved below the plot go up again
        places[k] = min(places[k], limit)
        limit = places[k] - pitch
    for (y, i), place in zip(ordered, places, strict=True):
        rgb = colour_of(part.layers[i], part.layers)
        sheet.lines.append(Line(right + 2.0, y, right + 8.0, place, 0.5, rgb=rgb))
        sheet.word(part.names[i], right + 10.0, place + MIDDLE * SMALL, SMALL, weight="bold")
