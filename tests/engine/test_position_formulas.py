"""Positions at distances and lengths that small random texts do not reach, against the papers' formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.random_specs import alibis, rotaries
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.slow_formulas import alibi, bucket, disentangled_row, rotary_angle, sinusoid

from attnviz.engine import positions
from attnviz.engine.spec import Buckets, Disentangled, Sinusoidal, Spec


@settings(max_examples=60, deadline=None)
@given(rotaries(12))
def test_rotary_angles(rotary) -> None:
    """The last position of every length: below, at and beyond the length where a scaling starts.

    24 rad are good to 2e-6.
    """
    for length in range(1, 25):
        cos, sin = positions.rotary_tables(rotary, np.arange(length))
        for pair in range((rotary.dim + 1) // 2):
            angle, factor = rotary_angle(rotary, length - 1, pair, length)
            assert cos[-1, pair] == pytest.approx(factor * math.cos(angle), abs=1e-5)
            assert sin[-1, pair] == pytest.approx(factor * math.sin(angle), abs=1e-5)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("n_buckets", "farthest"), [(32, 128), (32, 20), (16, 64), (8, 16), (6, 13)])
def test_every_bucket(n_buckets, farthest, bidirectional) -> None:
    """Distances on both sides of every edge; on an edge, where logarithms are whole, the next bucket begins."""
    rule = Buckets(n_buckets, farthest, bidirectional)
    distances = np.arange(-300, 301)
    np.testing.assert_array_equal(positions.bucket(rule, distances), [bucket(rule, 0, int(d)) for d in distances])


@pytest.mark.parametrize(
    ("buckets", "farthest"), [(0, 64), (256, 512), (32, 128), (32, 100), (16, 50), (8, 9), (4, 23)]
)
def test_every_row_of_disentangled_positions(buckets, farthest) -> None:
    rule = Disentangled(span=buckets or farthest, buckets=buckets, max_relative=farthest)
    n = 600
    wanted = [disentangled_row(rule, 0, distance) for distance in range(1 - n, n)]
    np.testing.assert_array_equal(positions.disentangled_places(rule, n, n), wanted)


@settings(max_examples=30, deadline=None)
@given(alibis, st.integers(1, 20))
def test_alibi_far_away(rule, n_heads) -> None:
    """Whole numbers above 256 are themselves rounded to bfloat16. Differences between rows alone are free."""
    n = 600
    bias = positions.DistanceBias(Spec(n_layers=1, n_heads=n_heads, d_model=n_heads, d_mlp=1, bias=rule), None, n, n)
    rows, cols, heads = range(590, 592), range(250, n), range(n_heads // 2, n_heads)
    scores = np.zeros((len(heads), len(rows), len(cols)), np.float32)
    bias.add_(scores, heads, rows, cols)
    wanted = np.array([[[alibi(rule, h, n_heads, i, j) for j in cols] for i in rows] for h in heads])
    np.testing.assert_allclose(scores - scores[..., :1], wanted - wanted[..., :1], rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("width", [7, 8])
def test_sinusoids_far_away(interleaved, width) -> None:
    rule = Sinusoidal(interleaved, offset=2)
    at = np.array([0, 1, 511, 10_000])
    wanted = [sinusoid(rule, int(p), width) for p in at]
    np.testing.assert_allclose(positions.sinusoidal(rule, at, width), wanted, atol=1e-6)


def test_sinusoids_that_end_at_the_base() -> None:
    """Width 5, base 100: frequencies 1 and 1 / 100, sines first, a zero at the end; position 2 adds nothing."""
    rule = Sinusoidal(interleaved=False, base=100.0, offset=1, ends_at_base=True, zero_row=2)
    found = positions.sinusoidal(rule, np.array([0, 1, 4]), 5)
    sines, cosines = [math.sin(1), math.sin(0.01)], [math.cos(1), math.cos(0.01)]
    np.testing.assert_allclose(found[0], [*sines, *cosines, 0], atol=1e-7)
    np.testing.assert_array_equal(found[1], np.zeros(5))
    np.testing.assert_allclose(found[2, 1], math.sin(0.05), atol=1e-7)
