"""Figure -> pixels, for PNG.

matplotlib's figures take half a second to import and to draw, and on a first run they look through all fonts of the
system. A heatmap is rectangles on whole pixels and lines of text, so it is painted here, and only the letters come from
matplotlib's FreeType. A test compares the result with the picture that matplotlib makes of the same Figure.
"""

from __future__ import annotations

import io
import math
import sys
from functools import cache
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page.figure import Dot, Figure, Fill, Label, Line
from attnviz.page.fonts import FontFile, alone
from attnviz.page.text_metrics import Typeface, is_shaped
from attnviz.render.emoji import ABOVE, stamp
from attnviz.render.scene import Frame, Patch, face, marks, pieces
from attnviz.render.theme import rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.colours import RGB

    Ink = NDArray[np.float32]  # red, green, blue, 0 to 255

_FINE = 4  # letters are drawn so many times larger and averaged, so that they stand on quarters of a pixel


def paint(figure: Figure) -> NDArray[np.uint8]:
    """The picture as uint8 [y, x, 3], `figure.dpi` pixels to the inch."""
    paper = _Paper(figure.width, figure.height, figure.dpi / 72)
    pen = _Pen(paper, face(figure))
    painters: dict[type, Any] = {
        Patch: paper.cells,
        Frame: paper.frame,
        Fill: paper.area,
        Line: paper.line,
        Dot: paper.disc,
        Label: pen.write,
    }
    for mark in marks(figure):
        painters[type(mark)](mark)
    return paper.pixels


class _Paper:
    """uint8 [y, x, 3], white at first. Places and widths are given in points; scale: pixels to a point."""

    def __init__(self, width: float, height: float, scale: float) -> None:
        self.pixels = np.full((int(height * scale + 1e-6), int(width * scale + 1e-6), 3), 255, np.uint8)
        self.scale = scale
        self.cut = self.pixels.shape[0] - height * scale  # of the highest row: a layout's whole pixels begin below

    def down(self, y: float) -> float:
        """Points from the top -> pixels from the top."""
        return y * self.scale + self.cut

    def cells(self, patch: Patch) -> None:
        """Coloured cells; what lies outside the paper is left out."""
        box, scale = patch.box, self.scale
        left, top, colours = patch.pixels(box.x * scale, self.down(box.y), box.width * scale, box.height * scale)
        paper, part = self._shared(left, top, colours)
        paper[:] = part

    def _shared(self, left: int, top: int, part: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """The pixels that lie under a part [y, x, ...] of the picture, and the rows and columns of it on the paper."""
        high, wide = self.pixels.shape[:2]
        rows, cols = part.shape[:2]
        x0, x1, y0, y1 = max(left, 0), min(left + cols, wide), max(top, 0), min(top + rows, high)
        x1, y1 = max(x0, x1), max(y0, y1)
        return self.pixels[y0:y1, x0:x1], part[y0 - top : y1 - top, x0 - left : x1 - left]

    def fill(self, left: int, top: int, right: int, bottom: int, ink: Ink, share: float = 1.0) -> None:
        """Whole pixels in one colour."""
        part = self.pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        part[:] = ink if share == 1 else part + share * (ink - part) + 0.5

    def area(self, fill: Fill) -> None:
        box, ink = fill.box, _ink(fill.rgb)
        left, right = round(box.x * self.scale), round((box.x + box.width) * self.scale)
        self.fill(left, round(self.down(box.y)), right, round(self.down(box.y + box.height)), ink)

    def line(self, line: Line) -> None:
        """A line; an upright or level one is whole pixels thick, at least one."""
        assert line.rgb is not None
        ink = _ink(line.rgb)
        thick = max(round(line.width * self.scale), 1)
        left, right = sorted((round(line.x0 * self.scale), round(line.x1 * self.scale)))
        top, bottom = sorted((round(self.down(line.y0)), round(self.down(line.y1))))
        if line.x0 == line.x1:
            self.fill(left - thick // 2, top, left - thick // 2 + thick, bottom, ink, line.share)
        elif line.y0 == line.y1:
            self.fill(left, top - thick // 2, right, top - thick // 2 + thick, ink, line.share)
        else:
            self.slant(line, ink)

    def slant(self, line: Line, ink: Ink) -> None:
        """A line across pixels; pixels at its edge are covered in part. Only pixels near it are looked at."""
        start = np.array([line.x0 * self.scale, self.down(line.y0)])
        way = np.array([line.x1 * self.scale, self.down(line.y1)]) - start
        length, half = math.hypot(*way), max(line.width * self.scale, 1.0) / 2
        long = 0 if abs(way[0]) >= abs(way[1]) else 1  # along x or along y: one step a pixel
        first, last = sorted((start[long], start[long] + way[long]))
        steps = np.arange(math.floor(first - half) - 1, math.ceil(last + half) + 1)
        middle = start[1 - long] + (steps + 0.5 - start[long]) * (way[1 - long] / way[long])
        reach = math.ceil((half + 1) * length / abs(way[long]))
        across = np.floor(middle)[:, None].astype(int) + np.arange(-reach, reach + 1)
        places = (steps[:, None] + 0.5, across + 0.5)
        x, y = places[long] - start[0], places[1 - long] - start[1]
        along, off = (x * way[0] + y * way[1]) / length, np.abs(x * way[1] - y * way[0]) / length
        ends = np.minimum(along, length - along) + 0.5
        cover = line.share * np.minimum(half + 0.5 - off, ends).clip(0, 1)
        pixels = (np.broadcast_to(steps[:, None], across.shape), across)
        self.dab(pixels[long], pixels[1 - long], cover.astype(np.float32), ink)

    def disc(self, dot: Dot) -> None:
        x, y, radius = dot.x * self.scale, self.down(dot.y), dot.radius * self.scale
        left, top, side = math.floor(x - radius) - 1, math.floor(y - radius) - 1, math.ceil(2 * radius) + 3
        across, down = np.arange(side) + left + 0.5 - x, (np.arange(side) + top + 0.5 - y)[:, None]
        cover = (radius + 0.5 - np.hypot(across, down)).clip(0, 1).astype(np.float32)
        self.blend(left, top, cover, _ink(dot.rgb))

    def frame(self, frame: Frame) -> None:
        box, half = frame.box, max(frame.width * self.scale / 2, 0.5)
        left, right = box.x * self.scale, (box.x + box.width) * self.scale
        top, bottom = self.down(box.y), self.down(box.y + box.height)
        outer = [round(edge) for edge in (left - half, top - half, right + half, bottom + half)]
        thick, ink = max(round(2 * half), 1), _ink(frame.rgb)
        self.fill(outer[0], outer[1], outer[2], outer[1] + thick, ink)
        self.fill(outer[0], outer[3] - thick, outer[2], outer[3], ink)
        self.fill(outer[0], outer[1], outer[0] + thick, outer[3], ink)
        self.fill(outer[2] - thick, outer[1], outer[2], outer[3], ink)

    def dab(self, x: NDArray[np.int64], y: NDArray[np.int64], cover: NDArray[np.float32], ink: Ink) -> None:
        """Ink on single pixels, each named once."""
        inside = (cover > 0) & (x >= 0) & (y >= 0) & (x < self.pixels.shape[1]) & (y < self.pixels.shape[0])
        at, share = (y[inside], x[inside]), cover[inside, None]
        old = self.pixels[at].astype(np.float32)
        self.pixels[at] = (old + share * (ink - old) + 0.5).astype(np.uint8)

    def blend(self, left: int, top: int, cover: NDArray[np.float32], ink: Ink) -> None:
        """Ink where `cover` [y, x], 0 to 1, says how much of a pixel it takes. ink: [3] or [y, x, 3]."""
        paper, share = self._shared(left, top, cover[..., None])
        colour = ink if ink.ndim == 1 else self._shared(left, top, ink)[1]
        paper[:] = paper + share * (colour - paper) + 0.5


class _Pen:
    """Writes labels on paper."""

    def __init__(self, paper: _Paper, face: Typeface) -> None:
        self.paper, self.face = paper, face
        self.fonts: dict[FontFile, Any] = {}
        self.drawn: dict[tuple[str, FontFile, float], tuple[NDArray[np.uint8], int, int]] = {}
        self.covers: dict[tuple[object, ...], tuple[int, int, NDArray[np.float32]]] = {}

    def write(self, label: Label) -> None:
        """The label, its baseline through its point, piece by piece of one font each."""
        runs, width = self.face.runs(label.text, label.weight), None
        if len(runs) == 1 and is_shaped(runs[0][0]):  # joined letters are narrower than those they are made of
            shape, origin, _ = self._shape(runs[0][0], runs[0][1], label.size)
            width = (shape.shape[1] - origin) / (_FINE * self.paper.scale)
        for piece, font, x, y in pieces(label, self.face, width):
            write = self._stamp if font.strike else self._piece
            write(piece, font, label, x, y)

    def _stamp(self, text: str, font: FontFile, label: Label, x: float, y: float) -> None:
        """Emoji, on whole pixels."""
        size = label.size * self.paper.scale
        picture, above = stamp(text, font, size), round(ABOVE * size)
        left, top = round(x * self.paper.scale), round(self.paper.down(y))
        if label.rotation:
            picture, left, top = np.rot90(picture), left - above, top - picture.shape[1]
        else:
            top -= above
        ink: Ink = np.asarray(picture, np.float32)
        self.paper.blend(left, top, ink[..., 3] / np.float32(255), ink[..., :3])

    def _piece(self, text: str, font: FontFile, label: Label, x: float, y: float) -> None:
        across = round(x * self.paper.scale * _FINE)
        down = round(self.paper.down(y) * _FINE)
        key = (text, font, label.size, label.rotation, across % _FINE, down % _FINE)
        if key not in self.covers:
            self.covers[key] = self._cover(text, font, label, across % _FINE, down % _FINE)
        left, top, cover = self.covers[key]
        self.paper.blend(across // _FINE + left, down // _FINE + top, cover, _ink(rgb(label.tone)))

    def _cover(
        self, text: str, font: FontFile, label: Label, across: int, down: int
    ) -> tuple[int, int, NDArray[np.float32]]:
        """The corner of a text from the pixel of its origin, and the share of ink in each pixel [y, x].

        across, down: where in that pixel the origin lies, in parts of it.
        """
        shape, x, y = self._shape(text, font, label.size)
        if label.rotation:
            x, y, shape = y, shape.shape[1] - x, np.rot90(shape)
        left, top = across - x, down - y
        before = (left % _FINE, top % _FINE)
        wide, high = (-(-(skip + side) // _FINE) for skip, side in zip(before, shape.shape[::-1], strict=True))
        fine = np.zeros((high * _FINE, wide * _FINE), np.float32)
        fine[before[1] : before[1] + shape.shape[0], before[0] : before[0] + shape.shape[1]] = shape
        cover = fine.reshape(high, _FINE, wide, _FINE).sum((1, 3)) / (255 * _FINE * _FINE)
        return left // _FINE, top // _FINE, cover

    def _shape(self, text: str, file: FontFile, size: float) -> tuple[NDArray[np.uint8], int, int]:
        """The text, `_FINE` times too large, as uint8 [y, x] and the place of its origin in it."""
        key = (text, file, size)
        if key not in self.drawn:
            font = self._font(file)
            font.set_size(size * _FINE, 72 * self.paper.scale)
            font.set_text(text, 0.0, flags=_unhinted())
            font.draw_glyphs_to_bitmap(antialiased=True)
            start, below = font.get_bitmap_offset()[0], font.get_descent()  # in 64ths, as is the height
            above = (font.get_width_height()[1] - below) // 64 + 1
            self.drawn[key] = np.array(font.get_image(), np.uint8), -(start // 64), above
        return self.drawn[key]

    def _font(self, file: FontFile) -> Any:
        if file not in self.fonts:
            self.fonts[file] = _freetype().FT2Font(io.BytesIO(alone(file)) if file.index else file.path)
        return self.fonts[file]


@cache
def _freetype() -> Any:
    """matplotlib's FreeType without the rest of matplotlib.

    The package takes ten times as long to import, and makes a folder in the user's home or complains that it cannot.
    """
    name = "matplotlib.ft2font"
    package = None if "matplotlib" in sys.modules else find_spec("matplotlib")
    spec = PathFinder.find_spec(name, package.submodule_search_locations) if package is not None else None
    if spec is None or spec.loader is None:
        return import_module(name)
    try:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError:  # one that cannot do without its package
        return import_module(name)
    finally:
        sys.modules.pop(name, None)  # a later import of matplotlib finds all of it
    return module


def _unhinted() -> Any:
    """FreeType's flag for letters as wide as they were measured; older matplotlib has it under another name."""
    flags = getattr(_freetype(), "LoadFlags", None)
    return _freetype().LOAD_NO_HINTING if flags is None else flags.NO_HINTING


@cache
def _ink(rgb: RGB) -> Ink:
    return np.array(rgb, np.float32)
