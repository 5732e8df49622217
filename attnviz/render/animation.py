"""Figures one after another as GIF and as animated PNG: equal figures give equal bytes.

Source: GIF89a (CompuServe 1990), sections 17 to 27, its compression by Pillow; PNG (third edition), written by `png`.
"""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Collection, Iterator
from typing import IO, TYPE_CHECKING

import numpy as np

from attnviz.errors import OutputError
from attnviz.page.figure import Figure
from attnviz.render import png
from attnviz.render.image import described
from attnviz.render.raster import paint
from attnviz.render.theme import table

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

MILLISECONDS = 800  # a frame
MAX_PIXELS = 1_000_000_000  # of all frames: a minute, and more than programs that show them can hold
_STEPS, _GREYS = 128, 24  # colours kept for the colour map, so that no part of it is missing, and for letters


def write_gif(frames: Collection[Figure], file: IO[bytes], milliseconds: int = MILLISECONDS) -> None:
    """Write a GIF that begins again at its end.

    Each frame has 256 colours: its most frequent colours as they were, all other colours within half a hundredth of the
    colour map.

    Raises OutputError: more pixels than MAX_PIXELS, or frames of different sizes.
    """
    delay = max(round(milliseconds / 10), 2)
    for i, (figure, pixels) in enumerate(_painted(frames)):
        high, wide, _ = pixels.shape
        if i == 0:
            file.write(b"GIF89a" + struct.pack("<HHBBB", wide, high, 0x70, 0, 0))
            file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")  # again and again
        palette, data = _compressed(_with_palette(figure, pixels))
        file.write(b"!\xf9\x04" + struct.pack("<BHBB", 0x04, delay, 0, 0))  # it stays until the next is drawn
        file.write(b"," + struct.pack("<HHHHB", 0, 0, wide, high, 0x80 | _exponent(palette)) + palette + data)
    file.write(b";")


def _compressed(picture: Image) -> tuple[bytes, bytes]:
    """The palette of a picture and its pixels by LZW in blocks, out of a GIF that Pillow writes of it alone."""
    single = io.BytesIO()
    picture.save(single, "GIF", optimize=False, interlace=0)
    gif = single.getvalue()
    at = 13 + 3 * 2 ** ((gif[10] & 7) + 1)
    palette = gif[13:at]
    while gif[at] == 0x21:  # an extension: its label, and blocks until one of no bytes
        at += 2
        while gif[at]:
            at += gif[at] + 1
        at += 1
    own = gif[at + 9]  # of the image's descriptor: whether a palette of its own follows
    start = at + 10
    if own & 0x80:
        palette = gif[start : start + 3 * 2 ** ((own & 7) + 1)]
        start += len(palette)
    return palette, gif[start:-1]


def _exponent(palette: bytes) -> int:
    """The code of GIF for the size of a palette of 2, 4, ... or 256 colours."""
    return (len(palette) // 3).bit_length() - 2


def write_apng(frames: Collection[Figure], file: IO[bytes], milliseconds: int = MILLISECONDS) -> None:
    """Write an animated PNG that begins again at its end; a reader of plain PNG shows its first frame.

    Raises OutputError: as for `write_gif`.
    """
    numbers = itertools.count()
    for i, (figure, pixels) in enumerate(_painted(frames)):
        if i == 0:
            file.write(png.start(pixels, figure.dpi, described(figure), frames=len(frames)))
        file.write(png.frame(pixels, numbers, milliseconds, first=i == 0))
    file.write(png.END)


def _painted(frames: Collection[Figure]) -> Iterator[tuple[Figure, NDArray[np.uint8]]]:
    """Each frame and its pixels [y, x, 3], painted when it is asked for."""
    size: tuple[int, ...] = ()
    for figure in frames:
        pixels = paint(figure)
        if len(frames) * pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
            high, wide = pixels.shape[:2]
            raise OutputError(
                f"{len(frames)} frames of {wide:,} x {high:,} pixels are more than {MAX_PIXELS:,}",
                "choose fewer layers or tokens, or a lower --dpi",
            )
        if size not in ((), pixels.shape):
            raise OutputError(f"frames of different sizes: {list(size[:2])} and {list(pixels.shape[:2])} pixels")
        size = pixels.shape
        yield figure, pixels


def _with_palette(figure: Figure, pixels: NDArray[np.uint8]) -> Image:
    """The picture with 256 colours: colours of its colour maps, greys, and its most frequent colours."""
    from PIL import Image

    codes = _coded(pixels)
    there = np.zeros(1 << 24, bool)  # a look-up of all colours is far quicker than sorting all pixels
    there[codes] = True
    colours = np.flatnonzero(there).astype(np.uint32)
    place = np.zeros(1 << 24, np.uint32)
    place[colours] = np.arange(len(colours), dtype=np.uint32)
    places = place[codes]
    counts = np.bincount(places.ravel(), minlength=len(colours))
    fixed = _fixed(figure)
    others = np.setdiff1d(colours, fixed)
    palette = np.concatenate([fixed, others[np.argsort(-counts[place[others]], kind="stable")]])[:256]
    wanted = np.array_split(_parts(colours), len(colours) // 4096 + 1)
    nearest = np.concatenate([_nearest(part, _parts(palette)) for part in wanted])
    picture = Image.fromarray(nearest.astype(np.uint8)[places], "P")
    picture.putpalette(_parts(palette).astype(np.uint8).tobytes())
    return picture


def _fixed(figure: Figure) -> NDArray[np.uint32]:
    """Colours that every frame keeps."""
    maps = {(panel.scale or figure.scale).cmap for panel in figure.panels} | {figure.scale.cmap}
    steps = np.linspace(0, 255, max(_STEPS // len(maps), 2)).round().astype(int)
    greys = np.linspace(26, 255, _GREYS).round().astype(np.uint8)[:, None].repeat(3, 1)
    return np.unique(np.concatenate([_coded(greys), *(_coded(table(name)[steps]) for name in sorted(maps))]))


def _coded(colours: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Colours [..., 3] as one number each [...]."""
    red, green, blue = (colours[..., part].astype(np.uint32) for part in range(3))
    return (red << 16) + (green << 8) + blue


def _parts(codes: NDArray[np.uint32]) -> NDArray[np.int32]:
    """Red, green and blue [n, 3] of coded colours [n]."""
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1).astype(np.int32)


def _nearest(colours: NDArray[np.int32], table: NDArray[np.int32]) -> NDArray[np.intp]:
    """For each colour [n, 3] the place in the table [m, 3] of the nearest."""
    return ((colours[:, None] - table) ** 2).sum(-1).argmin(-1)
