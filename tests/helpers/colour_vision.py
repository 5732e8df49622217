"""Colours as eyes see them: lightness, contrast, and without red or green."""

from __future__ import annotations

import numpy as np

# sRGB to XYZ (IEC 61966-2-1), and its white.
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
# Linear sRGB as seen without the cones for green or for red: Machado, Oliveira and Fernandes 2009, table 1.
DEUTERANOPE = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
PROTANOPE = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)


def linear(colours):
    part = colours / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def lab(light):
    """Linear sRGB [..., 3] -> CIELAB."""
    share = light @ XYZ.T / XYZ.sum(1)
    roots = np.where(share > (6 / 29) ** 3, np.cbrt(share), share * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(roots, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def contrast(one, other):
    """WCAG 2.1: (lighter + 0.05) / (darker + 0.05) of relative luminance."""
    low, high = sorted(linear(np.asarray(colour)) @ XYZ[1] for colour in (one, other))
    return (high + 0.05) / (low + 0.05)
