"""Colours of letters on colours, by WCAG 2.1: relative luminance, and black or white, whichever reads better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RGB = tuple[int, int, int]
INK: RGB = (0, 94, 162)  # of lines and shades that all have one colour
# Of heads laid over each other: far apart for most colour-blind readers (Okabe and Ito 2008, darkened), then more.
HEADS: tuple[RGB, ...] = (
    (0, 114, 178),
    (196, 78, 0),
    (0, 128, 92),
    (176, 74, 134),
    (122, 92, 0),
    (58, 63, 163),
    (42, 159, 214),
    (140, 28, 19),
    (110, 110, 110),
    (90, 150, 30),
    (220, 150, 20),
    (20, 70, 60),
)
_WEIGHTS = np.array([0.2126, 0.7152, 0.0722], np.float32)  # of linear red, green and blue in the luminance


def luminance(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Colours of sRGB [..., 3] -> relative luminance [...], 0 to 1."""
    part = np.asarray(rgb, np.float32) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ _WEIGHTS, np.float32)


def is_dark(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Colours [..., 3] -> bool [...]: whether white text reads better on them than black.

    At a luminance of 0.18 black and white have a contrast of 4.6:1 each; elsewhere the one chosen here has more.
    """
    return luminance(rgb) < 0.18


def letters_on(rgb: RGB) -> str:
    """The tone of letters on a colour: paper or black."""
    return "paper" if is_dark(np.array(rgb, np.uint8)) else "black"


def tint(rgb: RGB, share: float) -> RGB:
    """A colour on white paper that covers it by so much."""
    red, green, blue = (round(255 + share * (part - 255)) for part in rgb)
    return red, green, blue
