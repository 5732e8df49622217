"""Figure -> a matplotlib Figure -> PNG, SVG or PDF bytes.

Every place is settled in the Figure, so there is one Axes as large as the picture, whose units are points with y
downwards. No pyplot and no state that outlives a call; text is never measured here.
"""

from __future__ import annotations

import io
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.figure import Figure as Canvas
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.path import Path as Outline
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

from attnviz.errors import SelectionError, one_of
from attnviz.render.png import encode
from attnviz.render.theme import HIDDEN, PAPER, TONES, colour, is_dark, over, table
from attnviz.views.figure import Box, Figure, Label, MapPanel, Scale
from attnviz.views.fonts import FontFile
from attnviz.views.measure import MIDDLE, Typeface, typeface

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from numpy.typing import NDArray

FORMATS = ("png", "svg", "pdf")
VECTOR_SIDE = 64  # cells a side up to which a panel is drawn as shapes in SVG and PDF
VECTOR_CELLS = 50_000  # and cells of all panels together: twelve heads of 64 tokens
_LAP = 0.4  # points by which a shape runs under its right and lower neighbours, so that no seam shows between them
_SQUARES = 8.0  # dots of a fine printer to a pixel of a picture, from which on it is drawn as a square
_RASTER_DPI = 300.0  # an image in a PDF is at least this fine: some programs smooth a coarser one

# What a matplotlibrc could change; pinned so that a picture is the same wherever it is drawn.
_RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "attnviz",
    "svg.image_inline": True,
    "pdf.fonttype": 42,
    "pdf.compression": 6,
    "path.simplify": False,
    "path.sketch": None,
    "path.effects": [],
    "text.usetex": False,
    "text.antialiased": True,
    "text.hinting": "none",  # hinted letters would be wider or narrower than they were measured
    "image.composite_image": False,
    "axes.unicode_minus": True,
}


def draw(figure: Figure) -> Canvas:
    """The Figure as a matplotlib Figure, ready for `savefig`; its canvas is Agg's and it belongs to no window."""
    canvas = Canvas(figsize=(figure.width / 72, figure.height / 72), dpi=figure.dpi, facecolor=PAPER, layout="none")
    axes = canvas.add_axes((0, 0, 1, 1), xlim=(0, figure.width), ylim=(figure.height, 0), frame_on=False)
    axes.set_axis_off()
    face = figure.face or typeface(figure.font or None, [label.text for label in figure.labels])
    cells = sum(panel.values.size for panel in figure.panels)
    for panel in figure.panels:
        _panel(axes, panel, figure.scale, face, cells <= VECTOR_CELLS)
    for image in figure.images:
        axes.add_image(_placed(Photo(axes, image.picture, image.box, shapes=False), "picture"))
    if figure.bar is not None:
        steps = table(figure.scale.cmap)[::-1, None]  # highest at the top
        if any(panel.picture is not None for panel in figure.panels):
            steps = over(np.full_like(steps, 128), steps)
        axes.add_image(_placed(Cells(axes, steps, figure.bar, shapes=True), "bar"))
    for line in figure.lines:
        drawn = Line2D(
            [line.x0, line.x1], [line.y0, line.y1], linewidth=line.width, color=TONES[line.tone], solid_capstyle="butt"
        )
        _add(axes, drawn, 3.0)
    for label in figure.labels:
        _text(axes, label, face)
    return canvas


def to_bytes(figure: Figure, kind: str) -> bytes:
    """The picture as a PNG, SVG or PDF file: the same bytes for the same Figure. Raises SelectionError."""
    if kind not in FORMATS:
        raise SelectionError(one_of("format", kind, FORMATS))
    with rc_context({**_RC, "svg.fonttype": "none" if figure.svg_text == "keep" else "path"}):
        canvas = draw(figure)
        return {"png": _png, "svg": _svg, "pdf": _pdf}[kind](canvas, figure)


# --- artists -------------------------------------------------------------------------------------------------------


class Cells(AxesImage):
    """A matrix of coloured cells: an image on a raster canvas, shapes (or one sharp image) on a vector canvas.

    colours: uint8 [row, column, 3]; box: where it goes, in points.
    """

    def __init__(self, axes: Axes, colours: NDArray[np.uint8], box: Box, shapes: bool) -> None:
        extent = (box.x, box.x + box.width, box.y + box.height, box.y)
        super().__init__(axes, extent=extent, interpolation="nearest", origin="upper", resample=False)
        self.set_data(colours)
        self.colours, self.box = colours, box
        self.shapes = shapes

    def draw(self, renderer: RendererBase) -> None:
        if not renderer.option_scale_image():  # Agg
            self._draw_pixels(renderer)
        elif self.shapes:
            self._draw_shapes(renderer)
        else:
            self._draw_image(renderer)

    def _draw_pixels(self, renderer: RendererBase) -> None:
        """Each pixel has the colour of the cell that its middle lies in. Much faster than AxesImage's resampling."""
        left, bottom, width, height = self.get_window_extent(renderer).bounds
        x0, x1, y0, y1 = (round(edge) for edge in (left, left + width, bottom, bottom + height))
        colours = self._sampled(width, height)
        rows, cols = colours.shape[:2]
        across = ((np.arange(x0, x1) + 0.5 - left) * (cols / width)).astype(int).clip(0, cols - 1)
        up = ((np.arange(y0, y1) + 0.5 - bottom) * (rows / height)).astype(int).clip(0, rows - 1)
        image = np.full((y1 - y0, x1 - x0, 4), 255, np.uint8)
        image[..., :3] = colours[rows - 1 - up][:, across]
        gc = renderer.new_gc()
        renderer.draw_image(gc, x0, y0, image)
        gc.restore()

    def _sampled(self, width: float, height: float) -> NDArray[np.uint8]:
        """The colours to be spread over so many pixels."""
        return self.colours

    def _finest(self) -> float:
        """Dots of a fine printer to the side of a cell."""
        rows, cols = self.colours.shape[:2]
        return _RASTER_DPI / 72 * max(self.box.width / cols, self.box.height / rows)

    def _finer(self) -> int:
        """How many pixels of an image make the side of a cell."""
        return math.ceil(self._finest())

    def _draw_shapes(self, renderer: RendererBase) -> None:
        """Runs of one colour as rectangles, each running a little under those drawn after it."""
        rows, cols = self.colours.shape[:2]
        wide, high = self.box.width / cols, self.box.height / rows
        right, bottom = self.box.x + self.box.width, self.box.y + self.box.height
        gc = renderer.new_gc()
        gc.set_linewidth(0)
        gc.set_antialiased(False)
        to_canvas = self.axes.transData
        renderer.open_group("cells", gid=self.get_gid())
        for i, row in enumerate(self.colours):
            starts = np.flatnonzero(np.any(row[1:] != row[:-1], axis=-1)) + 1
            y0 = self.box.y + i * high
            y1 = min(y0 + high + _LAP, bottom)
            for start, stop in zip([0, *starts.tolist()], [*starts.tolist(), cols], strict=True):
                x0 = self.box.x + start * wide
                x1 = min(self.box.x + stop * wide + _LAP, right)
                path = Outline([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], closed=True)
                renderer.draw_path(gc, path, to_canvas, tuple((row[start] / 255).tolist()))
        renderer.close_group("cells")
        gc.restore()

    def _draw_image(self, renderer: RendererBase) -> None:
        """The colours as they are, each cell some whole pixels wide, placed by a transform."""
        fine = self.colours.repeat(self._finer(), 0).repeat(self._finer(), 1)
        opaque = np.full((*fine.shape[:2], 1), 255, np.uint8)
        image = np.concatenate([fine, opaque], axis=-1)[::-1]  # these canvases take the lowest row first
        left, bottom, width, height = self.get_window_extent(renderer).bounds
        gc = renderer.new_gc()
        gc.set_gid(self.get_gid())
        renderer.draw_image(gc, left, bottom, np.ascontiguousarray(image), Affine2D().scale(width, height))
        gc.restore()


class Photo(Cells):
    """A picture of many pixels: smoothed where it is drawn smaller or a little larger, in squares where much larger."""

    def _sampled(self, width: float, height: float) -> NDArray[np.uint8]:
        from PIL import Image

        if self._finest() >= _SQUARES:
            return self.colours
        size = (max(round(width), 1), max(round(height), 1))
        return np.asarray(Image.fromarray(self.colours).resize(size, Image.Resampling.BICUBIC))

    def _finer(self) -> int:
        return super()._finer() if self._finest() >= _SQUARES else 1


class Words(Text):
    """A piece of text whose width is known: on a raster canvas it goes straight to its place, without being measured."""

    width = 0.0  # points

    def draw(self, renderer: RendererBase) -> None:
        if renderer.option_scale_image():
            super().draw(renderer)
            return
        x, y = self.get_transform().transform(self.get_unitless_position())
        back = renderer.points_to_pixels(self.width) * {"left": 0.0, "center": 0.5, "right": 1.0}[self.get_ha()]
        x, y = (x - back, y) if self.get_rotation() == 0 else (x, y - back)
        gc = renderer.new_gc()
        gc.set_foreground(self.get_color())
        renderer.draw_text(gc, x, renderer.height - y, self.get_text(), self.get_fontproperties(), self.get_rotation(), mtext=self)
        gc.restore()


def _panel(axes: Axes, panel: MapPanel, scale: Scale, face: Typeface, few: bool) -> None:
    colours = colour(scale.unit(panel.values), scale.cmap)
    if panel.hidden is not None:
        colours[panel.hidden] = HIDDEN
    shapes = few and max(panel.values.shape) <= VECTOR_SIDE
    cells = Cells
    if panel.picture is not None:
        colours, shapes, cells = over(panel.picture, colours), False, Photo
    gid = "-".join(f"{what}-{i}" for what, i in (("layer", panel.layer), ("head", panel.head)) if i is not None)
    image = _placed(cells(axes, colours, panel.box, shapes), gid or "map")
    image.set_clim(scale.low, scale.high)
    axes.add_image(image)
    wide, high = panel.box.width / panel.values.shape[1], panel.box.height / panel.values.shape[0]
    if panel.cell_text:
        dark = is_dark(colours)
        for i, row in enumerate(panel.cell_text):
            for j, text in enumerate(row):
                if text:
                    x, y = panel.box.x + (j + 0.5) * wide, panel.box.y + (i + 0.5) * high + 0.36 * panel.cell_size
                    label = Label(text, x, y, panel.cell_size, "center", tone="paper" if dark[i, j] else "ink")
                    _text(axes, label, face, 4.0)
    thick = min(max(0.09 * min(wide, high), 0.7), 1.6)
    for i, j in panel.marks:
        for width, tone in ((thick + 1.0, "paper"), (thick, "mark")):
            corner = (panel.box.x + j * wide, panel.box.y + i * high)
            outline = Rectangle(corner, wide, high, fill=False, linewidth=width, edgecolor=TONES[tone], joinstyle="miter")
            _add(axes, outline, 5.0)


def _placed(image: Cells, gid: str) -> Cells:
    image.set_gid(gid)
    return image


def _text(axes: Axes, label: Label, face: Typeface, order: float = 6.0) -> None:
    """One Text for each piece of the label that one font can draw, its baseline through the label's point."""
    runs = face.runs(label.text, label.weight)
    x, y, align = label.x, label.y, label.align
    if len(runs) > 1:  # pieces follow each other from where the first begins
        start = {"left": 0.0, "center": 0.5, "right": 1.0}[align] * face.width(label.text, label.size, label.weight)
        x, y, align = (x - start, y, "left") if label.rotation == 0 else (x, y + start, "left")
    for piece, font in runs:
        text = Words(
            x,
            y,
            piece,
            color=TONES[label.tone],
            fontproperties=_properties(font, label),
            rotation=label.rotation,
            rotation_mode="anchor",
            horizontalalignment=align,
            verticalalignment="baseline",
            parse_math=False,
            usetex=False,
        )
        text.width = step = face.width(piece, label.size, label.weight)
        _add(axes, text, order)
        x, y = (x + step, y) if label.rotation == 0 else (x, y - step)


def _properties(font: FontFile, label: Label) -> FontProperties:
    """The font by its file, so that nothing is searched for; the family's name is for an SVG's reader."""
    return FontProperties(family=font.family, size=label.size, weight=label.weight, fname=font.path)


def _add(axes: Axes, artist: Artist, order: float) -> None:
    artist.set_zorder(order)
    artist.set_clip_on(False)
    axes.add_artist(artist)


# --- files ---------------------------------------------------------------------------------------------------------


def _png(canvas: Canvas, figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    agg = FigureCanvasAgg(canvas)
    agg.draw()
    return encode(np.asarray(agg.buffer_rgba())[..., :3], figure.dpi, _described(figure))


def _svg(canvas: Canvas, figure: Figure) -> bytes:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    file = io.BytesIO()
    said = _described(figure)
    metadata = {
        "Title": said["Title"],
        "Description": said["Description"],
        "Creator": said["Software"],
        "Keywords": [f"{key}: {value}" for key, value in figure.meta.items()],
        "Date": None,
        "Type": None,
    }
    kept = {key: value for key, value in metadata.items() if value or key in ("Date", "Type")}
    FigureCanvasSVG(canvas).print_svg(file, metadata=kept)
    # a reader without the font takes its own sans serif, not a book face
    return re.sub(rb"(font-family: '[^'\";]*')(?=[;\"])", rb"\1, sans-serif", file.getvalue())


def _pdf(canvas: Canvas, figure: Figure) -> bytes:
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    file = io.BytesIO()
    said = _described(figure)
    metadata = {
        "Title": said["Title"],
        "Subject": said["Description"],
        "Creator": said["Software"],
        "Keywords": "; ".join(f"{key}: {value}" for key, value in figure.meta.items()),
        "CreationDate": None,
    }
    FigureCanvasPdf(canvas).print_pdf(file, metadata=metadata)
    return file.getvalue()


def _described(figure: Figure) -> dict[str, str]:
    """What a file says about itself: the caption, and what made it."""
    from attnviz import __version__

    said = {"Title": figure.title, "Description": figure.caption, "Software": f"attnviz {__version__}"}
    return {key: value for key, value in {**said, **figure.meta}.items() if value}
