"""The marks of a Figure in the order in which they are painted: coloured cells, frames, lines, text.

Every renderer walks over them. Colours are settled here, so that a PNG, an SVG and a PDF cannot differ in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from attnviz.page.colours import is_dark
from attnviz.page.figure import Box, Dot, Figure, Fill, Label, Line, MapPanel, Scale
from attnviz.page.text_metrics import Typeface, typeface
from attnviz.render.cell_marks import cell_size, strokes
from attnviz.render.theme import HIDDEN, colour, over, rgb, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.colours import RGB
    from attnviz.page.fonts import FontFile

VECTOR_SIDE = 64  # cells a side up to which a panel is drawn as shapes in SVG and PDF
VECTOR_CELLS = 50_000  # and cells of all panels together: twelve heads of 64 tokens
EDGE = 0.4  # points, the width of the line around a panel
PRINTER = 300.0  # dots an inch of a printer, for which pictures are made
_LAP = 0.4  # points by which a rectangle runs under its right and lower neighbours
_SQUARES = 8.0  # printer's dots per pixel of a picture, from which on the pixel is drawn as a square
_SHARES = {"left": 0.0, "center": 0.5, "right": 1.0}  # of a label's width, before its point


@dataclass(frozen=True, eq=False)
class Patch:
    """Coloured cells: uint8 [row, column, 3], spread over a box (points).

    name: what an SVG calls it. low, high: the limits of the scale. shapes: few enough to be drawn as shapes.
    photo: the cells are pixels of a picture.
    """

    colours: NDArray[np.uint8]
    box: Box
    name: str
    low: float = 0.0
    high: float = 1.0
    shapes: bool = False
    photo: bool = False

    def runs(self) -> Iterator[tuple[float, float, float, float, tuple[int, int, int]]]:
        """Runs of one colour as rectangles: left, top, right and bottom edge in points, and the colour.

        Each runs a little under the rectangles that follow, so that no seam shows between them.
        """
        box = self.box
        rows, cols = self.colours.shape[:2]
        wide, high = box.width / cols, box.height / rows
        for i, row in enumerate(self.colours):
            starts = (np.flatnonzero(np.any(row[1:] != row[:-1], axis=-1)) + 1).tolist()
            top = box.y + i * high
            bottom = min(top + high + _LAP, box.y + box.height)
            for start, stop in zip([0, *starts], [*starts, cols], strict=True):
                right = min(box.x + stop * wide + _LAP, box.x + box.width)
                red, green, blue = row[start].tolist()
                yield box.x + start * wide, top, right, bottom, (red, green, blue)

    def dots(self) -> float:
        """A printer's dots per side of a cell."""
        rows, cols = self.colours.shape[:2]
        return PRINTER / 72 * max(self.box.width / cols, self.box.height / rows)

    def sampled(self, width: float, height: float) -> NDArray[np.uint8]:
        """The colours for so many pixels: a fine picture is smoothed first."""
        if not self.photo or self.dots() >= _SQUARES:
            return self.colours
        from PIL import Image

        size = (max(round(width), 1), max(round(height), 1))
        return np.asarray(Image.fromarray(self.colours).resize(size, Image.Resampling.BICUBIC))

    def finer(self) -> int:
        """Pixels of an image per side of a cell: some programs smooth a coarse image."""
        return 1 if self.photo and self.dots() < _SQUARES else int(np.ceil(self.dots()))

    def pixels(self, left: float, top: float, width: float, height: float) -> tuple[int, int, NDArray[np.uint8]]:
        """The cells spread over a box in pixels: left edge, top edge, uint8 [y, x, 3].

        Each pixel has the colour of the cell that its middle lies in.
        """
        x0, x1, y0, y1 = (round(edge) for edge in (left, left + width, top, top + height))
        colours = self.sampled(width, height)
        rows, cols = colours.shape[:2]
        across = ((np.arange(x0, x1) + 0.5 - left) * (cols / width)).astype(int).clip(0, cols - 1)
        down = ((np.arange(y0, y1) + 0.5 - top) * (rows / height)).astype(int).clip(0, rows - 1)
        return x0, y0, colours.take(across, 1).take(down, 0)


@dataclass(frozen=True)
class Frame:
    """A line around a box, its middle on the edge; width in points."""

    box: Box
    width: float
    rgb: RGB


Mark = Patch | Frame | Fill | Line | Dot | Label


def marks(figure: Figure) -> Iterator[Mark]:
    """Everything that a picture shows, the lowest first; each line has its `rgb`."""
    yield from patches(figure)
    yield from _frames(figure)
    yield from figure.fills
    for line in strokes(figure):
        yield line if line.rgb is not None else replace(line, rgb=rgb(line.tone))
    yield from figure.dots
    yield from _numbers(figure)
    yield from _outlines(figure)
    yield from figure.labels


def face(figure: Figure) -> Typeface:
    """The fonts of a figure's labels."""
    return figure.face or typeface(figure.font or None, [label.text for label in figure.labels])


def pieces(label: Label, face: Typeface, width: float | None = None) -> Iterator[tuple[str, FontFile, float, float]]:
    """The pieces of a label that one font each can draw, and the points from which their baselines run.

    width: of the whole label in points, if it is not what the fonts say.
    """
    width = face.width(label.text, label.size, label.weight) if width is None else width
    before = _SHARES[label.align] * width
    x, y = (label.x - before, label.y) if label.rotation == 0 else (label.x, label.y + before)
    for piece, font in face.runs(label.text, label.weight):
        yield piece, font, x, y
        step = face.width(piece, label.size, label.weight)
        x, y = (x + step, y) if label.rotation == 0 else (x, y - step)


def patches(figure: Figure) -> Iterator[Patch]:
    """The panels, the pictures beside them and the colour bar."""
    few = sum(panel.values.size for panel in figure.panels) <= VECTOR_CELLS
    for panel in figure.panels:
        yield _panel(panel, panel.scale or figure.scale, few)
    for image in figure.images:
        yield Patch(image.picture, image.box, "picture", photo=True)
    if figure.bar is not None:
        steps = table(figure.scale.cmap)[::-1, None]  # highest at the top
        if any(panel.picture is not None for panel in figure.panels):
            steps = over(np.full_like(steps, 128), steps, figure.scale.cmap)
        yield Patch(steps, figure.bar, "bar", shapes=True)


def _frames(figure: Figure) -> Iterator[Frame]:
    """The edges of panels and of the colour bar, where their colours begin with the white of the paper."""
    boxes = [panel.box for panel in figure.panels] + ([figure.bar] if figure.bar is not None else [])
    return (Frame(box, EDGE, rgb("edge")) for box in boxes)


def _outlines(figure: Figure) -> Iterator[Frame]:
    """Lines around the marked cells; a light line under each shows it on any colour."""
    for panel in figure.panels:
        wide, high = cell_size(panel)
        thick = min(max(0.09 * min(wide, high), 0.7), 1.6)
        for i, j in panel.marks:
            box = Box(panel.box.x + j * wide, panel.box.y + i * high, wide, high)
            yield Frame(box, thick + 1.0, rgb("paper"))
            yield Frame(box, thick, rgb("mark"))


def _numbers(figure: Figure) -> Iterator[Label]:
    """The numbers in the cells, black or white by the colour under them."""
    for panel in figure.panels:
        if not panel.cell_text:
            continue
        wide, high = cell_size(panel)
        dark = is_dark(_colours(panel, panel.scale or figure.scale))
        for i, row in enumerate(panel.cell_text):
            y = panel.box.y + (i + 0.5) * high + 0.36 * panel.cell_size
            for j, text in enumerate(row):
                if text:
                    x = panel.box.x + (j + 0.5) * wide
                    yield Label(text, x, y, panel.cell_size, "center", tone="paper" if dark[i, j] else "black")


def _panel(panel: MapPanel, scale: Scale, few: bool) -> Patch:
    colours = _colours(panel, scale)
    shapes = few and max(panel.values.shape) <= VECTOR_SIDE
    if panel.picture is not None:
        colours, shapes = over(panel.picture, colours, scale.cmap), False
    named = (("layer", panel.layer), ("head", panel.head))
    name = "-".join(f"{what}-{i}" for what, i in named if i is not None)
    name = name or re.sub(r"[^a-z0-9]+", "-", panel.title.lower()).strip("-") or "map"
    return Patch(colours, panel.box, name, scale.low, scale.high, shapes, panel.picture is not None)


def _colours(panel: MapPanel, scale: Scale) -> NDArray[np.uint8]:
    colours = colour(scale.unit(panel.values), scale.cmap)
    if panel.hidden is not None:
        colours[panel.hidden] = HIDDEN
    return colours
