"""The look of attnviz: inks, greys and colour maps, the same in a file, a page and a terminal. NumPy only."""

from __future__ import annotations

import base64
import zlib
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from attnviz.errors import SelectionError, one_of
from attnviz.render import ink
from attnviz.render.colormaps import PACKED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.colours import RGB

    Kind = TypeVar("Kind", bound=np.generic)

PAPER = "#ffffff"
TONES = {"ink": "#1a1a1a", "soft": "#555555", "faint": "#8a8a8a", "paper": PAPER, "mark": "#ff5a36"}
# Colours of curves, far apart in brightness and distinct for most colour-blind readers (Okabe and Ito 2008, darkened).
TONES |= dict(zip((f"curve{i}" for i in range(8)), (
    "#0072b2", "#c44e00", "#00805c", "#b04a86", "#7a5c00", "#3a3fa3", "#2a9fd6", "#8c1c13",
), strict=True)) | {"grid": "#e4e4e4", "black": "#000000", "edge": "#c4c4c4"}  # fmt: skip
HIDDEN = (230, 230, 230)  # a cell where attending was not allowed
_OWN = {"ink": ink.colours, "inks": ink.signed}
MAPS = (*_OWN, *PACKED)
FAMILY = "DejaVu Sans"
COVER = 0.65  # share by which a cell's colour hides the picture under it, on a map that does not begin at white
_PALEST, _NEARLY_WHITE = 170, 240  # the black of a picture under ink; a map's first colour, if it is paper


@cache
def rgb(tone: str) -> RGB:
    """Red, green and blue, 0 to 255, of a name in TONES."""
    red, green, blue = bytes.fromhex(TONES[tone][1:])
    return red, green, blue


@cache
def table(cmap: str) -> NDArray[np.uint8]:
    """A colour map as uint8 [256, 3]; `_r` at the end of its name turns it round. Raises SelectionError."""
    name = cmap.removesuffix("_r")
    if name not in MAPS:
        raise SelectionError(one_of("cmap", cmap, MAPS))
    colours = _OWN[name]() if name in _OWN else _unpacked(PACKED[name])
    colours = colours[::-1].copy() if cmap != name else colours
    colours.flags.writeable = False
    return colours


def _unpacked(text: str) -> NDArray[np.uint8]:
    """A table of `colormaps` as uint8 [256, 3]."""
    steps = np.frombuffer(zlib.decompress(base64.b85decode(text)), np.uint8).reshape(3, 256)
    return np.ascontiguousarray(np.cumsum(steps, axis=1, dtype=np.uint8).T)


def colour(unit: NDArray[np.floating], cmap: str) -> NDArray[np.uint8]:
    """Positions 0 to 1 on a colour map [...] -> colours uint8 [..., 3], as matplotlib takes them; ends are clipped."""
    return picked(table(cmap), unit)


def picked(table: NDArray[Kind], unit: NDArray[np.floating]) -> NDArray[Kind]:
    """Positions 0 to 1 [...] -> the rows of a table of 256; ends are clipped."""
    return table[np.clip(np.asarray(unit, np.float32) * 256, 0, 255).astype(np.uint8)]


def over(picture: NDArray[np.uint8], cells: NDArray[np.uint8], cmap: str) -> NDArray[np.uint8]:
    """Colours of cells [row, column, 3] over a picture [y, x, 3], which shows in soft greys -> [y, x, 3].

    A map that begins at white is printed over the picture as ink is over paper: a pale grey print is multiplied by the
    colours, so that no weight leaves the picture as it is and much weight is dark wherever it lies. Laid over it, white
    would hide the picture most where there is nothing to show. Any other map lies over greys that keep to the middle,
    with the same share everywhere. Either way the colours stay in order.
    """
    high, wide = picture.shape[:2]
    rows = np.arange(high) * cells.shape[0] // high
    cols = np.arange(wide) * cells.shape[1] // wide
    grey = (picture @ np.array([0.2126, 0.7152, 0.0722], np.float32))[..., None]
    spread = cells[rows][:, cols].astype(np.float32)
    if table(cmap)[0].min() > _NEARLY_WHITE:
        return (spread * (_PALEST + (255 - _PALEST) * grey / 255) / 255).round().astype(np.uint8)
    return (COVER * spread + (1 - COVER) * (60 + 0.55 * grey)).round().astype(np.uint8)
