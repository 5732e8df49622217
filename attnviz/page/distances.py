"""Distances with their dendrogram, and the same things as points in a plane: side by side, or one below the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page.figure import Box, Figure, Line, Scale
from attnviz.page.parts import Distances, Page, Scatter
from attnviz.page.points import plane
from attnviz.page.scale import WHITE, round_up
from attnviz.page.sheet import BESIDE, MARGIN, Sheet, beside, finished, started, worded
from attnviz.page.wording import over_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.figure_options import FigureOptions

SIDE, MOST = 330.0, 520.0  # points: the side of map and plane, and what it grows to if that gives every head a name
NAMED = 5.6  # points of a cell with a name beside it
TREE, GAP = 46.0, 18.0  # height of the dendrogram; between map and plane


def distances_and_points(page: Page, options: FigureOptions) -> Figure:
    """A page of `Distances` and a `Scatter`. Raises SelectionError: no such font, or no room."""
    distances, points = page.part(Distances), page.part(Scatter)
    names = distances.names
    words = worded(page, options, [*names, "distance", "0123456789.−%≥"])
    words.notes.extend(filter(None, [_over(distances.values)]))
    side = min(max(SIDE, NAMED * len(names)), MOST)
    left = MARGIN + beside(words.face, names, side / len(names))
    sheet = started(words, left + 2 * side + GAP + BESIDE + MARGIN, least=200.0)
    room = sheet.wide - left - BESIDE - MARGIN
    abreast = room >= 420.0
    side = min((room - GAP) / 2 if abreast else room, side)
    top = sheet.y
    _matrix(sheet, distances, Box(left, top + TREE + 4.0, side, side))
    square = Box(left + side + BESIDE + GAP, top + 14.0, side, side + TREE - 10.0)
    if not abreast:
        sheet.y = top + TREE + side + 34.0
        square = Box(left, sheet.y, side, side)
    nameless = plane(sheet, points, square)
    sheet.y = square.y + square.height + 26.0
    words.notes.extend([*sheet.thinning(distances.unit), *nameless])
    return finished(sheet)


def limit(distances: NDArray[Any]) -> float:
    """The distance that is white: a round number above nine tenths of all, so that one odd head does not set it."""
    return round_up(float(np.quantile(distances[np.triu_indices(len(distances), 1)], 0.9)))


def _over(distances: NDArray[Any]) -> str:
    """The number of pairs further apart than the colour bar goes, as a note, or ''."""
    apart, high = distances[np.triu_indices(len(distances), 1)], limit(distances)
    return over_note(int((apart > high).sum()), high, "", unit="distance")


def _matrix(sheet: Sheet, distances: Distances, box: Box) -> None:
    """The matrix in the order of the dendrogram, which stands above it."""
    order = list(distances.order)
    values = distances.values[np.ix_(order, order)]
    # Things alike are dark, as much is dark everywhere else; the bar says so, because its numbers fall.
    scale = Scale("linear", 0.0, limit(distances.values), f"{WHITE}_r", "distance (dark: alike)")
    names = [distances.names[place] for place in order]
    sheet.map(values, box, scale, title="distances", rows=names, cols=names, upright=True)
    above = bool((values > scale.high).any())
    sheet.bar(scale, box.x + box.width + 7.0, box.y, min(box.height, 150.0), above)
    _tree(sheet, distances, box)


def _tree(sheet: Sheet, distances: Distances, box: Box) -> None:
    """The dendrogram: each join a bracket at its height over the middles of what it joins."""
    n = len(distances.names)
    cell = box.width / n
    across = {head: box.x + (place + 0.5) * cell for place, head in enumerate(distances.order)}
    highest = max((height for *_, height in distances.joins), default=0.0) or 1.0
    base = box.y - 2.0
    up = dict.fromkeys(range(n), base)
    for place, (first, second, height) in enumerate(distances.joins):
        y = base - (TREE - 6.0) * height / highest
        for part in (first, second):
            sheet.lines.append(Line(across[part], y, across[part], up[part], 0.6, "soft"))
        left, right = sorted((across[first], across[second]))
        sheet.lines.append(Line(left, y, right, y, 0.6, "soft"))
        across[n + place], up[n + place] = (left + right) / 2, y
