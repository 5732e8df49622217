"""The colour map `ink`: white paper for 0, blue ink that grows darker, as even to the eye as a map can be.

It is a curve through CIELAB (CIE 15:2004, D65): lightness L* falls in equal steps from 100 to 18, so that a print in
grey shows the same order and equal steps stay equal; hue turns a little, from sky to indigo, and chroma grows fast at
first, so that small weights leave the white of the paper at once. People who see no red or green see the same steps,
because the hues are blue throughout; a test measures this.

Numbers with signs have the map `inks`: two such curves that meet at white, blue for minus and brick for plus, equally
light at equal distance from 0. A dark terminal has the counterparts `NIGHT` and `EMBER`, from its ground to light
colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Curve:
    """A way through CIELAB from a ground without colour.

    last: L* of its end; chroma: how colourful it is; fall: the share of that which the end lacks; hues: degrees.
    """

    last: float
    chroma: float
    fall: float
    hues: tuple[float, float]


INK = Curve(18.0, 42.0, 0.0, (240.0, 290.0))  # white numbers on its last colour have a contrast of 14:1
NIGHT = Curve(88.0, 38.0, 0.45, (290.0, 240.0))  # on a dark terminal: the lighter, the more
BRICK = Curve(18.0, 50.0, 0.15, (48.0, 28.0))  # the other sign, on paper
EMBER = Curve(88.0, 46.0, 0.45, (30.0, 65.0))  # the other sign, on a dark terminal

# Linear sRGB of XYZ relative to D65 white, each row summing to 1 (IEC 61966-2-1).
_TO_RGB = np.array(
    [[3.0799551, -1.5371390, -0.5428161], [-0.9212586, 1.8760111, 0.0452475], [0.0528874, -0.2040259, 1.1511385]]
)
_WEIGHTS = np.array([0.2126729, 0.7151522, 0.0721750])  # of linear red, green and blue in relative luminance Y


def colours(curve: Curve = INK, first: float = 100.0, count: int = 256) -> NDArray[np.uint8]:
    """The map as uint8 [count, 3], red, green and blue of sRGB. first: L* of the ground that it begins at."""
    share = np.linspace(0.0, 1.0, count)
    lightness = first + (curve.last - first) * share
    chroma = curve.chroma * (1.0 - (1.0 - share) ** 1.8) * (1.0 - curve.fall * share**3)
    hue = np.radians(curve.hues[0] + (curve.hues[1] - curve.hues[0]) * share)
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    return (_encoded(_linear(lab)) * 255).round().astype(np.uint8)


def signed() -> NDArray[np.uint8]:
    """The map `inks` as uint8 [256, 3], from the most negative to the most positive; the middle two are white."""
    return np.concatenate([colours(INK, count=128)[::-1], colours(BRICK, count=128)])


def lightness(red: float, green: float, blue: float) -> float:
    """L*, 0 to 100, of an sRGB colour whose parts are 0 to 1."""
    part = np.array([red, green, blue])
    y = float(np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4) @ _WEIGHTS)
    return 116 * y ** (1 / 3) - 16 if y > (6 / 29) ** 3 else y * (29 / 3) ** 3


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
