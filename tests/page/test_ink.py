"""The default colour map: even to the eye, in grey and without red or green; numbers on every map can be read."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.colour_vision import DEUTERANOPE, PROTANOPE, contrast, lab, linear

from attnviz.page.colours import is_dark
from attnviz.render.theme import MAPS, table


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


@pytest.mark.parametrize("name", MAPS)
def test_numbers_can_be_read_on_every_colour(name):
    for colour, dark in zip(table(name), is_dark(table(name)), strict=True):
        assert contrast(colour, [255] * 3 if dark else [0] * 3) >= 4.5


def test_signs_grow_both_ways_from_white():
    """Blue and red are equally light at equal distance from 0, and steps are as even as in `ink`."""
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
