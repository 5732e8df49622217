"""Numbers of an ablation by hand: divergence, change of direction, and what two rankings have in common."""

from __future__ import annotations

import math

import numpy as np
import pytest

from attnviz.measures.ablation import common, divergence, log_probabilities, turned


def test_divergence_by_hand():
    """(1/2, 1/2) to (1/4, 3/4): 1/2 ln 2 + 1/2 ln (2/3) = ln 2 - 1/2 ln 3."""
    before, after = np.log([0.5, 0.5]), np.log([0.25, 0.75])
    assert divergence(before, after) == pytest.approx(math.log(2) - math.log(3) / 2, rel=1e-14)
    assert divergence(after, before) == pytest.approx(0.75 * math.log(3) - math.log(2), rel=1e-14)  # not symmetric
    np.testing.assert_array_equal(divergence(np.stack([before, after]), np.stack([before, after])), [0.0, 0.0])


def test_a_token_that_was_never_given_adds_nothing():
    with np.errstate(divide="ignore"):
        never, even = np.log([1.0, 0.0]), np.log([0.5, 0.5])
    assert divergence(never, even) == pytest.approx(math.log(2))
    assert divergence(even, never) == math.inf


def test_log_probabilities_of_large_scores():
    scores = np.array([1000.0, 1000.0 + math.log(3)])
    np.testing.assert_allclose(np.exp(log_probabilities(scores)), [0.25, 0.75], rtol=1e-12)
    assert log_probabilities(np.float32([[1, 2, 3]])).dtype == np.float64


def test_turned_by_hand():
    """Cosines 1, 0, -1 and 1/sqrt(2): 1 less each is 0, 1, 2 and 1 - 1/sqrt(2)."""
    before = np.array([[1.0, 0.0]] * 4)
    after = np.array([[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0], [3.0, 3.0]])
    assert turned(before, after) == pytest.approx((0 + 1 + 2 + 1 - 1 / math.sqrt(2)) / 4, rel=1e-14)
    for i, value in enumerate([0, 1, 2, 1 - 1 / math.sqrt(2)]):
        assert turned(before[i : i + 1], after[i : i + 1]) == pytest.approx(value, abs=1e-15)


def test_turned_is_exactly_0_for_equal_vectors_and_keeps_small_digits():
    vectors = np.random.default_rng(0).standard_normal((3, 7, 33)).astype(np.float32)
    np.testing.assert_array_equal(turned(vectors, vectors), np.zeros(3))
    angle = 1e-9
    assert turned([[1.0, 0.0]], [[math.cos(angle), math.sin(angle)]]) == pytest.approx(angle**2 / 2, rel=1e-6)
    assert turned([[0.0, 0.0]], [[1.0, 0.0]]) == 0


def test_common_counts_the_places_of_both():
    assert common([5, 4, 3, 2], [1, 9, 8, 0], 2) == 1
    assert common([5, 4, 3, 2], [5, 4, 3, 2], 4) == 4
    assert common([1, 0], [0, 1], 1) == 0
