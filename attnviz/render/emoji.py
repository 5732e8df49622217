"""Emoji as pixels: characters of a font that keeps coloured bitmaps of one size, which Pillow reads.

Each character is drawn by itself, so that a picture is as wide as it was measured: characters that a zero-width joiner
would join, and the two letters of a flag, are side by side. In an SVG the text stays text, and its viewer joins them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.fonts import FontFile

ABOVE, BELOW = 1.1, 0.35  # ems that a stamp has above and below the baseline


def stamp(text: str, font: FontFile, size: float) -> NDArray[np.uint8]:
    """The text `size` pixels to the em, as colours and opacity, uint8 [y, x, 4]; its baseline is `ABOVE` ems down."""
    from PIL import Image, ImageDraw, ImageFont

    em = font.strike
    face = ImageFont.truetype(font.path, em, font.index, layout_engine=ImageFont.Layout.BASIC)
    width = sum(map(font.advance, text))
    page = Image.new("RGBA", (max(math.ceil(width * em), 1), math.ceil((ABOVE + BELOW) * em)))
    pen: Any = ImageDraw.Draw(page)
    x = 0.0
    for char in text:
        pen.text((round(x * em), round(ABOVE * em)), char, font=face, embedded_color=True, anchor="ls")
        x += font.advance(char)
    wide, high = (max(round(side * size / em), 1) for side in page.size)
    return np.asarray(page.resize((wide, high), Image.Resampling.LANCZOS))
