"""The default colour map: even to the eye, in grey and without red or green; numbers on every map can be read."""

import numpy as np
import pytest

from attnviz.page.colours import is_dark
from attnviz.render.theme import MAPS, table

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


def test_it_begins_with_the_white_of_paper_and_ends_dark():
    colours = table("ink")
    assert colours.shape == (256, 3) and colours[0].tolist() == [255, 255, 255]
    assert lab(linear(colours))[-1, 0] == pytest.approx(18, abs=0.5)


def test_lightness_falls_evenly():
    """Each step of eight colours by 82/32 of L*, as near as whole bytes allow: one of green is 0.3 of L*."""
    lightness = lab(linear(table("ink")))[:, 0]
    np.testing.assert_allclose(np.diff(lightness[::8]), -82 * 8 / 255, atol=0.3)
    assert (np.diff(lightness) < 0).all()


def test_steps_of_colour_are_even_too():
    """The distance in CIELAB, with chroma and hue: no step stands out as an edge that the weights do not have."""
    steps = np.linalg.norm(np.diff(lab(linear(table("ink")))[::8], axis=0), axis=-1)
    assert steps.max() / steps.min() < 1.6


@pytest.mark.parametrize("eye", [DEUTERANOPE, PROTANOPE])
def test_it_falls_evenly_for_whoever_sees_no_green_or_no_red(eye):
    lightness = lab(np.clip(linear(table("ink")) @ eye.T, 0, 1))[:, 0]
    steps = np.diff(lightness[::8])
    assert steps.max() < 0 and steps.min() / steps.max() < 1.45


def contrast(one, other):
    """WCAG 2.1: (lighter + 0.05) / (darker + 0.05) of relative luminance."""
    low, high = sorted(linear(np.asarray(colour)) @ XYZ[1] for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", MAPS)
def test_numbers_can_be_read_on_every_colour(name):
    for colour, dark in zip(table(name), is_dark(table(name)), strict=True):
        assert contrast(colour, [255] * 3 if dark else [0] * 3) >= 4.5


def test_signs_grow_both_ways_from_white():
    """Blue and red are equally light at equal distance from 0, and steps are as even as those of `ink`."""
    colours = table("inks")
    assert colours[127:129].tolist() == [[255, 255, 255]] * 2
    light = lab(linear(colours))
    np.testing.assert_allclose(light[:, 0], light[::-1, 0], atol=0.6)
    np.testing.assert_allclose(np.diff(light[128::8, 0]), -82 * 8 / 127, atol=0.35)
    np.testing.assert_allclose(light[[0, 255], 0], 18, atol=0.5)
    assert (light[:64, 2] < -20).all() and (light[192:, 1] > 20).all()  # blue; red
    for side in (light[:128], light[128:]):
        steps = np.linalg.norm(np.diff(side[::8], axis=0), axis=-1)
        assert steps.max() / steps.min() < 1.6


@pytest.mark.parametrize("eye", [DEUTERANOPE, PROTANOPE])
def test_signs_are_told_apart_by_whoever_sees_no_green_or_no_red(eye):
    """At a tenth of the scale and beyond: a distance of 10 in CIELAB is a plain difference."""
    seen = lab(np.clip(linear(table("inks")) @ eye.T, 0, 1))
    apart = np.linalg.norm(seen[:128] - seen[:127:-1], axis=-1)[::-1]
    assert apart[13:].min() > 10
