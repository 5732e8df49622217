"""Marks in cells that a print in grey keeps: hatching where a grey map is masked, a dash where a number is negative.

A masked cell is grey, which in a map of greys is a weight as well; there it is hatched. Maps of numbers with signs are
equally light on both sides of 0, so that without colour the sign would be lost; a negative cell has a dash, unless it
holds a number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from attnviz.page.colours import is_dark
from attnviz.page.figure import Box, Figure, Line, MapPanel, Scale
from attnviz.page.fitted import dashed, is_bar
from attnviz.page.scale import GREYS
from attnviz.render.theme import colour

if TYPE_CHECKING:
    from numpy.typing import NDArray

PITCH = 4.5  # points between the strokes of a hatching, along both axes
HATCH = (140, 140, 140)
_BAR_PITCH = 9.0  # points between the dashes on a colour bar


def strokes(figure: Figure) -> Iterator[Line]:
    """All lines of a figure: first the marks of its cells, then its own lines."""
    for panel in figure.panels:
        scale = panel.scale or figure.scale
        if panel.hidden is not None and scale.cmap.removesuffix("_r") in GREYS:
            yield from _hatching(panel)
        if scale.low < 0:
            yield from _on_bar(panel.box, scale) if is_bar(panel) else _dashes(panel, scale)
    if figure.bar is not None and figure.scale.low < 0:
        yield from _on_bar(figure.bar, figure.scale)
    yield from figure.lines


def cell_size(panel: MapPanel) -> tuple[float, float]:
    """Width and height of a cell in points."""
    rows, cols = panel.values.shape
    return panel.box.width / cols, panel.box.height / rows


def _hatching(panel: MapPanel) -> Iterator[Line]:
    """Strokes that rise to the right over the hidden cells, in step with the hatching of other panels."""
    box, hidden = panel.box, panel.hidden
    assert hidden is not None
    wide, high = cell_size(panel)
    edges = np.arange(hidden.shape[1] + 1) * wide
    levels = np.arange(hidden.shape[0] + 1) * high
    first = math.ceil((box.x + box.y) / PITCH) * PITCH - box.x - box.y
    for total in np.arange(first, box.width + box.height, PITCH):  # x + y of a stroke within the panel
        left, right = max(0.0, total - box.height), min(box.width, total)
        cuts = np.concatenate([[left, right], edges, total - levels])
        cuts = np.unique(cuts[(cuts >= left) & (cuts <= right)])
        middle = (cuts[:-1] + cuts[1:]) / 2
        rows = ((total - middle) / high).astype(int).clip(0, hidden.shape[0] - 1)
        inside = hidden[rows, (middle / wide).astype(int).clip(0, hidden.shape[1] - 1)]
        turns = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
        for start, stop in turns.reshape(-1, 2).tolist():
            x0, x1, base = float(cuts[start]), float(cuts[stop]), box.y + float(total)
            yield Line(box.x + x0, base - x0, box.x + x1, base - x1, 0.5, rgb=HATCH)


def _dashes(panel: MapPanel, scale: Scale) -> Iterator[Line]:
    wide, high = cell_size(panel)
    side = min(wide, high)
    for i, j in np.argwhere(dashed(panel, scale)).tolist():
        middle = panel.box.x + (j + 0.5) * wide, panel.box.y + (i + 0.5) * high
        yield _dash(*middle, side, scale, panel.values[i, j])


def _on_bar(box: Box, scale: Scale) -> Iterator[Line]:
    """Dashes on the negative part of a colour bar, which explain the dashes in the cells."""
    share = -scale.low / (scale.high - scale.low)
    count = max(int(share * box.height / _BAR_PITCH), 1)
    for k in range(count):
        part = (k + 0.5) / count
        y = box.y + box.height * (1 - share * part)
        yield _dash(box.x + box.width / 2, y, min(box.width, _BAR_PITCH), scale, scale.low * (1 - part))


def _dash(x: float, y: float, side: float, scale: Scale, value: float) -> Line:
    under: NDArray[np.uint8] = colour(scale.unit(np.array([[value]], np.float32)), scale.cmap)[0, 0]
    half = 0.2 * min(side, 14.0)
    return Line(x - half, y, x + half, y, min(max(0.06 * side, 0.4), 0.8), "paper" if is_dark(under) else "ink")
