"""The colour map `ink`: white paper for 0, blue ink that grows darker, as even to the eye as a map can be.

It is a curve through CIELAB (CIE 15:2004, D65): lightness L* falls in equal steps from 100 to 18, so that a print in
grey shows the same order and equal steps stay equal; hue turns a little, from sky to indigo, and chroma grows fast at
first, so that small weights leave the white of the paper at once. People who see no red or green see the same steps,
because the hues are blue throughout; a test measures this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DARKEST = 18.0  # L* of the last colour: white numbers on it have a contrast of 14:1
_CHROMA = 42.0
_HUES = (240.0, 290.0)  # degrees

# Linear sRGB of XYZ relative to D65 white, each row summing to 1 (IEC 61966-2-1).
_TO_RGB = np.array(
    [[3.0799551, -1.5371390, -0.5428161], [-0.9212586, 1.8760111, 0.0452475], [0.0528874, -0.2040259, 1.1511385]]
)


def colours() -> NDArray[np.uint8]:
    """The map as uint8 [256, 3], red, green and blue of sRGB."""
    share = np.linspace(0.0, 1.0, 256)
    lightness = 100.0 + (_DARKEST - 100.0) * share
    chroma = _CHROMA * (1.0 - (1.0 - share) ** 1.8)
    hue = np.radians(_HUES[0] + (_HUES[1] - _HUES[0]) * share)
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    return (_encoded(_linear(lab)) * 255).round().astype(np.uint8)


def _linear(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB [..., 3] -> linear sRGB [..., 3]."""
    y = (lab[..., 0] + 16) / 116
    roots = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    knee = 6 / 29  # below it the cube is replaced by its tangent
    xyz = np.where(roots > knee, roots**3, 3 * knee**2 * (roots - 4 / 29))
    return xyz @ _TO_RGB.T


def _encoded(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear sRGB -> sRGB, 0 to 1."""
    linear = np.clip(linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
