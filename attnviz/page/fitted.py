"""A finished page made to fit: letters of a given size, a given width and height, or nothing but its contents.

Every page lays itself out for a width, with letters of its own size. So a size of letters is reached by a layout for a
page so much narrower or wider, enlarged as a whole; a height by the layout that fits it with the largest letters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError
from attnviz.page.figure import Box, Figure, Label, MapPanel, Scale
from attnviz.page.label_bounds import bounds
from attnviz.page.text_metrics import typeface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.text_metrics import Typeface

    Draw = Callable[[float | None], Figure]  # a width in inches, None to choose it -> the page

LEAST = 3.8  # points: smaller letters cannot be read
_EDGE = 3.0  # points around a page that is bare
_DASH = 3.5  # points: a smaller cell has no room for a dash
_FAINTEST = 0.08  # of the scale: below it a colour is hardly one
_BESIDE = 60.0  # points to the right of a colour bar in which its numbers and its name stand
_DRAWN = ("panels", "labels", "lines", "images", "fills", "dots")  # what a Figure places, and the fields that say where
_ACROSS, _DOWN, _LENGTHS = ("x", "x0", "x1"), ("y", "y0", "y1"), ("width", "height", "size", "radius", "cell_size")
_WORDS = frozenset({"title", "subtitle", "note"})
_TRIED = tuple(1.12**step for step in range(-10, 15))  # layouts for a height: widths as shares of the usual one


def fitted(
    draw: Draw,
    width: float | None = None,
    height: float | None = None,
    font_size: float | None = None,
    bare: bool = False,
) -> Figure:
    """The page with the size asked for.

    Args:
        draw: lays the page out for a width in inches, or for the width that it chooses when it gets None.
        width, height: inches. A page that does not fill both exactly is centred on white paper.
        font_size: points of an ordinary label. bare: without title, notes and colour bars.

    Raises:
        SelectionError: letters would be too small to read, or `draw` has no room.
    """

    def drawn(inches: float | None) -> Figure:
        return stripped(draw(inches)) if bare else draw(inches)

    if height is None and font_size is None and not (bare and width):
        return drawn(width)
    usual = drawn(width)
    times = 1.0 if font_size is None else font_size / usual.font_size
    if height is not None:
        figure = _as_high(drawn, usual, width, height * 72.0, None if font_size is None else times)
    elif width is not None:
        figure = _as_wide(drawn, usual, width * 72.0, times)
    else:
        figure = scaled(usual, times)
    if font_size is not None and abs(figure.font_size / font_size - 1) > 0.01:
        raise SelectionError("this picture's letters follow its width: leave out the font size or the width")
    smallest = _smallest(figure)
    if smallest < LEAST:
        asked = " and ".join(
            f"{what} {value:g}{unit}"
            for what, value, unit in (("width", width, " in"), ("height", height, " in"), ("font size", font_size, ""))
            if value is not None
        )
        raise SelectionError(f"{asked}: letters of {smallest:.1f} points would be too small", "ask for a larger size")
    return figure


def _smallest(figure: Figure) -> float:
    """Points of the smallest letters."""
    return min((label.size for label in figure.labels), default=LEAST)


def _as_wide(drawn: Draw, figure: Figure, width: float, times: float) -> Figure:
    """A page of `width` points with letters `times` as large: the room that was stripped off at its sides is used."""
    inches = width / times
    for _ in range(4):
        figure = scaled(drawn(inches / 72.0), times)
        if abs(figure.width - width) < 0.5:
            break
        inches += (width - figure.width) / times
    return on_paper(figure, width, figure.height)


def _as_high(drawn: Draw, usual: Figure, width: float | None, height: float, times: float | None) -> Figure:
    """A page of `height` points, and of `width` inches if that is given: the layout whose letters are largest.

    times: how much larger letters must be; None: as large as the height allows.
    """
    if width is None and times is None:
        return scaled(usual, height / usual.height)
    across = math.inf if width is None else width * 72.0
    best: tuple[tuple[bool, float], Figure] | None = None
    for share in _TRIED:
        try:
            figure = drawn(usual.width * share / 72.0)
        except SelectionError:  # too narrow for its panels
            continue
        room = min(across / figure.width, height / figure.height)
        if times is not None and room < times:
            continue
        by = room if times is None else times
        filled = figure.width * figure.height * by**2 / (height * min(across, usual.width * by))
        # Letters that can be read, then large letters and little white paper.
        worth = _smallest(figure) * by >= LEAST, min(by, 1.0) * filled**0.3
        if best is None or worth > best[0]:
            best = worth, scaled(figure, by)
    if best is None:
        raise SelectionError(
            f"a height of {height / 72:g} in leaves no room for this picture", "ask for a larger height or smaller font"
        )
    figure = best[1]
    return on_paper(figure, figure.width if width is None else width * 72.0, height)


def scaled(figure: Figure, times: float) -> Figure:
    """The page with everything so many times as large, except its pixels."""
    if times == 1.0:
        return figure
    large = _placed(figure, times, 0.0, 0.0)
    return replace(large, width=figure.width * times, height=figure.height * times, font_size=figure.font_size * times)


def on_paper(figure: Figure, width: float, height: float) -> Figure:
    """The page in the middle of paper of this size, in points."""
    moved = _placed(figure, 1.0, (width - figure.width) / 2, (height - figure.height) / 2)
    return replace(moved, width=width, height=height)


def _placed(figure: Figure, times: float, right: float, down: float) -> Figure:
    """Everything so many times as large, then moved to the right and down, on paper of the same size."""

    def moved(thing: Any) -> Any:
        values = {name: getattr(thing, name, None) for name in ("box", *_ACROSS, *_DOWN, *_LENGTHS)}
        changes = {
            name: moved(value) if name == "box" else value * times + right * (name in _ACROSS) + down * (name in _DOWN)
            for name, value in values.items()
            if value is not None
        }
        return replace(thing, **changes)

    drawn: dict[str, Any] = {name: tuple(map(moved, getattr(figure, name))) for name in _DRAWN}
    return replace(figure, bar=None if figure.bar is None else moved(figure.bar), **drawn)


def stripped(figure: Figure) -> Figure:
    """The page without title, notes and colour bars, cut to what is left; its caption says what they said."""
    bars = [panel.box for panel in figure.panels if is_bar(panel)]
    bars += [figure.bar] if figure.bar is not None else []

    def stays(label: Label) -> bool:
        of_bar = label.role in ("tick", "bar") and any(_beside(bar, label.x, label.y) for bar in bars)
        return label.role not in _WORDS and not of_bar

    bare = replace(
        figure,
        panels=tuple(panel for panel in figure.panels if not is_bar(panel)),
        labels=tuple(filter(stays, figure.labels)),
        lines=tuple(line for line in figure.lines if not any(_beside(bar, line.x1, line.y1) for bar in bars)),
        bar=None,
        bar_ticks=(),
    )
    left, top, right, bottom = _extent(bare)
    cut = _placed(bare, 1.0, _EDGE - left, _EDGE - top)
    return replace(cut, width=right - left + 2 * _EDGE, height=bottom - top + 2 * _EDGE)


def is_bar(panel: MapPanel) -> bool:
    """Whether a panel is a colour bar rather than a map."""
    return panel.title.startswith("bar ") and not any(panel.row_labels)


def dashed(panel: MapPanel, scale: Scale, times: float = 1.0) -> NDArray[np.bool_]:
    """Which cells [row, column] of a map have a dash, because a negative number is not printed in them.

    times: the panel will be drawn so much larger.
    """
    rows, cols = panel.values.shape
    side = times * min(panel.box.width / cols, panel.box.height / rows)
    if scale.low >= 0 or panel.cell_text or side < _DASH:
        return np.zeros((rows, cols), bool)
    negative = panel.values < _FAINTEST * scale.low
    return negative if panel.hidden is None else negative & ~panel.hidden


def _beside(bar: Box, x: float, y: float) -> bool:
    inside = bar.x - 0.1 <= x <= bar.x + bar.width + _BESIDE
    return inside and bar.y - 10.0 <= y <= bar.y + bar.height + 10.0


def _extent(figure: Figure) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of all that is drawn, in points."""
    face: Typeface = figure.face or typeface(None, [label.text for label in figure.labels])
    boxes = [bounds(label, face) for label in figure.labels]
    areas = [panel.box for panel in figure.panels]
    areas += [image.box for image in figure.images] + [fill.box for fill in figure.fills]
    boxes += [(box.x, box.y, box.x + box.width, box.y + box.height) for box in areas]
    boxes += [
        (min(line.x0, line.x1), min(line.y0, line.y1), max(line.x0, line.x1), max(line.y0, line.y1))
        for line in figure.lines
    ]
    boxes += [(dot.x - dot.radius, dot.y - dot.radius, dot.x + dot.radius, dot.y + dot.radius) for dot in figure.dots]
    if not boxes:
        return 0.0, 0.0, figure.width, figure.height
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)
