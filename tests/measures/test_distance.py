"""Jensen-Shannon distance between rows and maps: worked by hand, against the formula in loops, and its properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attnviz.errors import InputError
from attnviz.measures.distance import MOST, between_heads, divergence, jensen_shannon

LN2 = math.log(2)
# [0.5, 0.5] against [1, 0]: m = [0.75, 0.25], KL(p, m) = (ln(2/3) + ln 2) / 2, KL(q, m) = ln(4/3)
HALF_ONE = (0.5 * math.log(2 / 3) + 0.5 * LN2) / 2 + 0.5 * math.log(4 / 3)


def slow_divergence(p, q):
    """Lin 1991: KL(p, m) / 2 + KL(q, m) / 2 with m the mean of both, term by term."""
    total = 0.0
    for a, b in zip(p, q, strict=True):
        m = (a + b) / 2
        total += (a * math.log(a / m) if a > 0 else 0.0) / 2 + (b * math.log(b / m) if b > 0 else 0.0) / 2
    return total


def rows(n_key=5, n_rows=3):
    """Rows that sum to 1, some of their weights 0."""
    values = arrays(np.float64, (n_rows, n_key), elements=st.floats(0, 1).map(lambda x: x if x > 0.1 else 0.0))
    return values.map(lambda x: x + np.eye(n_rows, n_key) * (x.sum(-1, keepdims=True) == 0)).map(
        lambda x: x / x.sum(-1, keepdims=True)
    )


def test_by_hand():
    assert divergence([0.5, 0.5], [1.0, 0.0]) == pytest.approx(HALF_ONE)
    assert pytest.approx(0.2157616) == HALF_ONE
    assert divergence([1.0, 0.0], [0.0, 1.0]) == pytest.approx(LN2)
    assert divergence([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]) == 0.0


def test_the_distance_of_maps_is_the_root_of_the_mean():
    first = [[0.5, 0.5], [1.0, 0.0]]
    second = [[1.0, 0.0], [1.0, 0.0]]
    assert jensen_shannon(first, second) == pytest.approx(math.sqrt(HALF_ONE / 2))


def test_maps_that_share_no_key_are_the_furthest():
    assert jensen_shannon(np.eye(4), np.eye(4)[::-1]) == pytest.approx(MOST)
    assert pytest.approx(math.sqrt(LN2)) == MOST


def test_what_a_row_lacks_is_one_more_key():
    """A row that gives half of its weight away beside one that gives all of it to a key: as with three keys."""
    assert divergence([0.5, 0.0], [1.0, 0.0]) == pytest.approx(HALF_ONE)
    assert divergence([0.5, 0.0], [0.5, 0.0]) == 0.0
    assert divergence([0.0, 0.0], [0.0, 0.0]) == 0.0
    assert divergence([0.0, 0.0], [0.3, 0.7]) == pytest.approx(LN2)


def test_rows_that_sum_to_more_than_1_are_divided_by_their_sum():
    assert divergence([1.0, 1.0], [2.0, 0.0]) == pytest.approx(HALF_ONE)


def test_negative_weights_have_none():
    with pytest.raises(InputError, match="negative weights have no Jensen-Shannon distance"):
        divergence([1.5, -0.5], [1.0, 0.0])


def test_no_rows_at_all():
    assert jensen_shannon(np.zeros((2, 0, 3)), np.zeros((2, 0, 3))).tolist() == [0.0, 0.0]


@settings(max_examples=60, deadline=None)
@given(rows(), rows())
def test_against_the_formula_in_loops(first, second):
    slow = [slow_divergence(p, q) for p, q in zip(first, second, strict=True)]
    np.testing.assert_allclose(divergence(first, second), slow, atol=2e-13)


@settings(max_examples=60, deadline=None)
@given(rows(), rows(), rows())
def test_a_metric(a, b, c):
    """Symmetric, 0 for equal, bounded, and no way round is shorter."""
    ab, bc, ac = jensen_shannon(a, b), jensen_shannon(b, c), jensen_shannon(a, c)
    assert ab == jensen_shannon(b, a)
    assert jensen_shannon(a, a) == 0
    assert 0 <= ab <= MOST + 1e-12
    assert ac <= ab + bc + 1e-6


def test_between_heads_is_the_same_for_every_pair():
    maps = np.random.default_rng(3).dirichlet(np.full(7, 0.3), (6, 5)).astype(np.float32)
    seen = []
    found = between_heads(maps, seen.append)
    slow = [[0.0 if i == j else float(jensen_shannon(maps[i], maps[j])) for j in range(6)] for i in range(6)]
    np.testing.assert_allclose(found, slow, atol=1e-12)
    assert sum(seen) == pytest.approx(1)
    assert np.array_equal(found, found.T)


def test_between_heads_in_parts(monkeypatch):
    """Attention that is too large to be compared in one piece gives the same."""
    maps = np.random.default_rng(4).dirichlet(np.full(5, 0.3), (7, 4))
    whole = between_heads(maps)
    monkeypatch.setattr("attnviz.measures.distance._AT_ONCE", 1)
    np.testing.assert_allclose(between_heads(maps), whole, atol=1e-12)
