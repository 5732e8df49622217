"""Figure -> a matplotlib Figure, for SVG and PDF, and for users who continue with matplotlib.

Every place is settled in the Figure, so there is one Axes as large as the picture, whose units are points with y
downwards. No pyplot and no state that outlives a call.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from matplotlib import rcParams
from matplotlib.artist import Artist
from matplotlib.figure import Figure as Canvas
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

from attnviz.errors import OutputError
from attnviz.page.figure import Dot, Figure, Fill, Label, Line
from attnviz.page.fonts import FontFile
from attnviz.page.text_metrics import Typeface, is_shaped
from attnviz.render.emoji import ABOVE, BELOW, stamp
from attnviz.render.scene import Frame, Mark, Patch, face, marks, pieces
from attnviz.render.theme import PAPER, TONES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import GraphicsContextBase, RendererBase


def draw(figure: Figure) -> Canvas:
    """The Figure as a matplotlib Figure, ready for `savefig`; it belongs to no window."""
    plain = cast(Any, "none")  # no layout engine, whatever a matplotlibrc says; the stubs do not know the word
    canvas = Canvas(figsize=(figure.width / 72, figure.height / 72), dpi=figure.dpi, facecolor=PAPER, layout=plain)
    axes = canvas.add_axes((0, 0, 1, 1), xlim=(0, figure.width), ylim=(figure.height, 0), frame_on=False)
    axes.set_axis_off()
    letters = face(figure)
    for order, mark in enumerate(marks(figure)):
        if isinstance(mark, Patch):
            axes.add_image(Cells(axes, mark)).set_zorder(order)
            continue
        for artist in _texts(mark, letters) if isinstance(mark, Label) else [_shape(mark)]:
            artist.set_zorder(order)
            artist.set_clip_on(False)
            axes.add_artist(artist)
    return canvas


def _shape(mark: Mark) -> Artist:
    """A frame, a rectangle, a line or a disc."""
    match mark:
        case Frame(box, width, rgb):
            frame = Rectangle((box.x, box.y), box.width, box.height, fill=False, linewidth=width, edgecolor=_code(rgb))
            frame.set_joinstyle("miter")
            return frame
        case Fill(box, rgb):
            return Rectangle((box.x, box.y), box.width, box.height, linewidth=0, facecolor=_code(rgb))
        case Line(x0, y0, x1, y1, width, _, rgb, share) if rgb is not None:
            return Line2D([x0, x1], [y0, y1], linewidth=width, color=_code(rgb), alpha=share, solid_capstyle="butt")
        case Dot(x, y, radius, rgb):
            return Circle((x, y), radius, linewidth=0, facecolor=_code(rgb))
    raise TypeError(mark)


class Cells(AxesImage):
    """A matrix of coloured cells: an image on a raster canvas, shapes (or one sharp image) on a vector canvas."""

    def __init__(self, axes: Axes, patch: Patch) -> None:
        box = patch.box
        extent = (box.x, box.x + box.width, box.y + box.height, box.y)
        super().__init__(axes, extent=extent, interpolation="nearest", origin="upper", resample=False)
        self.set_data(patch.colours)
        self.set_clim(patch.low, patch.high)
        self.set_gid(patch.name)
        self.patch = patch

    def draw(self, renderer: RendererBase) -> None:
        if not renderer.option_scale_image():  # Agg
            self._draw_pixels(renderer)
        elif self.patch.shapes:
            self._draw_shapes(renderer)
        else:
            self._draw_image(renderer)

    def _draw_pixels(self, renderer: RendererBase) -> None:
        """Cell by cell, much faster than AxesImage's resampling."""
        left, bottom, width, height = self.get_window_extent(renderer).bounds
        x, y, colours = self.patch.pixels(left, -bottom - height, width, height)
        opaque = np.full((*colours.shape[:2], 1), 255, np.uint8)
        image = np.concatenate([colours, opaque], axis=-1)[::-1]
        gc = renderer.new_gc()
        renderer.draw_image(gc, x, -y - colours.shape[0], np.ascontiguousarray(image))
        gc.restore()

    def _draw_shapes(self, renderer: RendererBase) -> None:
        """Runs of one colour as rectangles."""
        gc = renderer.new_gc()
        gc.set_linewidth(0)
        gc.set_antialiased(False)
        to_canvas = self.axes.transData
        renderer.open_group("cells", gid=self.get_gid())
        for x0, y0, x1, y1, (red, green, blue) in self.patch.runs():
            path = Outline([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], closed=True)
            renderer.draw_path(gc, path, to_canvas, (red / 255, green / 255, blue / 255))
        renderer.close_group("cells")
        gc.restore()

    def _draw_image(self, renderer: RendererBase) -> None:
        """The colours as they are, each cell some whole pixels wide, placed by a transform."""
        finer = self.patch.finer()
        fine = self.patch.colours.repeat(finer, 0).repeat(finer, 1)
        opaque = np.full((*fine.shape[:2], 1), 255, np.uint8)
        image = np.concatenate([fine, opaque], axis=-1)[::-1]  # these canvases take the lowest row first
        left, bottom, width, height = self.get_window_extent(renderer).bounds
        gc = renderer.new_gc()
        gc.set_gid(cast(Any, self.get_gid()))  # a name, whatever the stubs say
        renderer.draw_image(gc, left, bottom, np.ascontiguousarray(image), Affine2D().scale(width, height))
        gc.restore()


class Words(Text):
    """A piece of text of one line, placed without matplotlib's layout, which takes longer than drawing it.

    width: in points, by our own metrics, for a raster canvas. A vector canvas measures the text itself.
    """

    width = 0.0

    def draw(self, renderer: RendererBase) -> None:
        text = self.get_text()
        if is_shaped(text):
            super().draw(renderer)
            return
        renderer.open_group("text", self.get_gid())
        x, y = self.get_transform().transform(self.get_unitless_position())
        share = {"left": 0.0, "center": 0.5, "right": 1.0}[self.get_horizontalalignment()]
        back = share * self._width(renderer) if share else 0.0
        turn = self.get_rotation()
        x, y = (x - back, y) if turn == 0 else (x, y - back)
        gc = renderer.new_gc()
        gc.set_foreground(self.get_color())
        if renderer.flipy():
            y = renderer.get_canvas_width_height()[1] - y
        renderer.draw_text(gc, x, y, text, self.get_fontproperties(), turn, mtext=self)
        gc.restore()
        renderer.close_group("text")

    def _width(self, renderer: RendererBase) -> float:
        if renderer.option_scale_image():
            return renderer.get_text_width_height_descent(self.get_text(), self.get_fontproperties(), False)[0]
        return cast(float, renderer.points_to_pixels(self.width))


class Emoji(Artist):
    """Characters of a font of coloured bitmaps, from x and a baseline y on in points of the picture.

    Text in an SVG whose text is kept; an image elsewhere, since matplotlib has no such fonts.
    """

    def __init__(self, text: str, font: FontFile, label: Label, x: float, y: float) -> None:
        super().__init__()
        self.text, self.font, self.label, self.place = text, font, label, (x, y)

    def draw(self, renderer: RendererBase) -> None:
        gc = renderer.new_gc()
        x, y = self.get_transform().transform(self.place)
        if hasattr(renderer, "_draw_text_as_text") and rcParams["svg.fonttype"] == "none":
            height = renderer.get_canvas_width_height()[1]
            own = properties(self.font, self.label)
            renderer.draw_text(gc, x, height - y, self.text, own, self.label.rotation)
        else:
            self._draw_image(renderer, gc, x, y)
        gc.restore()

    def _draw_image(self, renderer: RendererBase, gc: GraphicsContextBase, x: float, y: float) -> None:
        size = cast(float, renderer.points_to_pixels(self.label.size))
        whole = not renderer.option_scale_image()  # pixels of the canvas, Agg's; a page's image is as fine as the font
        picture = stamp(self.text, self.font, size if whole else self.font.strike)
        wide, high = len(picture[0]) * size / self.font.strike, (ABOVE + BELOW) * size
        if self.label.rotation:
            picture, wide, high, x = np.rot90(picture), high, wide, x - ABOVE * size
        else:
            y -= BELOW * size
        image = np.ascontiguousarray(picture[::-1])  # canvases take the lowest row first
        if whole:
            renderer.draw_image(gc, round(x), round(y), image)
        else:
            renderer.draw_image(gc, x, y, image, Affine2D().scale(wide, high))


def _texts(label: Label, face: Typeface) -> Iterator[Artist]:
    """One artist for each piece of the label that one font can draw, its baseline through the label's point."""
    runs = face.runs(label.text, label.weight)
    alone = len(runs) == 1 and not runs[0][1].strike  # else pieces follow each other from where the first begins
    places = [(*runs[0], label.x, label.y)] if alone else pieces(label, face)
    for piece, font, x, y in places:
        if font.strike:
            yield Emoji(piece, font, label, x, y)
            continue
        text = Words(
            x,
            y,
            piece,
            color=TONES[label.tone],
            fontproperties=properties(font, label),
            rotation=label.rotation,
            rotation_mode="anchor",
            horizontalalignment=cast(Any, label.align if alone else "left"),
            verticalalignment="baseline",
            parse_math=False,
            usetex=False,
        )
        text.width = face.width(piece, label.size, label.weight)
        yield text


def properties(font: FontFile, label: Label) -> FontProperties:
    """The font by its file, so that nothing is searched for; the family's name is for an SVG's reader.

    Raises OutputError for a further face of a collection, where matplotlib knows only first ones.
    """
    path: Any = font.path
    if font.index:
        try:
            from matplotlib.font_manager import FontPath
        except ImportError:
            raise OutputError(
                f"font {font.family} is face {font.index} of {Path(path).name}, which this matplotlib cannot draw",
                "write PNG, or install matplotlib 3.11",
            ) from None
        path = FontPath(path, font.index)
    return FontProperties(family=font.family, size=label.size, weight=label.weight, fname=path)


def _code(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)
