"""Heads that attend alike: planted configurations, dendrograms worked by hand, orders that do not depend on chance."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.errors import InputError
from attnviz.measures.distance import jensen_shannon
from attnviz.measures.plane import classical_scaling, upright
from attnviz.measures.similar import joins, leaves, similar


def pairwise(points):
    points = np.asarray(points, float)
    return np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))


def attention(weights, **how):
    weights = np.asarray(weights, np.float32)
    n_layers, n_heads, n, m = weights.shape
    queries, keys = (Tokens.plain([str(i) for i in range(size)]) for size in (n, m))
    return Attention(weights, None, queries, keys, tuple(range(n_layers)), tuple(range(n_heads)), **how)


# Classical scaling


def test_a_planted_plane_comes_back():
    """Points of a plane, turned into distances and back: the same distances, all of them in two dimensions."""
    planted = np.random.default_rng(0).normal(size=(9, 2)) * [3, 1]
    found, shares = classical_scaling(pairwise(planted))
    np.testing.assert_allclose(pairwise(found), pairwise(planted), atol=1e-9)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-9)
    assert sum(shares) == pytest.approx(1)
    assert shares[0] > shares[1] > 0


def test_a_line_by_hand():
    """Points at 0, 1 and 3: their mean is 4/3, and the furthest of them from it lies above 0."""
    found, shares = classical_scaling(pairwise([[0], [1], [3]]))
    assert found[:, 0].tolist() == pytest.approx([-4 / 3, -1 / 3, 5 / 3])
    assert found[:, 1].tolist() == pytest.approx([0, 0, 0], abs=1e-7)
    assert shares == pytest.approx((1, 0))


def test_a_rectangle_by_hand():
    """4 x 3: the longer side is the first dimension, the eigenvalues are 4 * 2^2 and 4 * 1.5^2."""
    found, shares = classical_scaling(pairwise([[0, 0], [4, 0], [4, 3], [0, 3]]))
    assert found.tolist() == [pytest.approx(p) for p in ([2, 1.5], [-2, 1.5], [-2, -1.5], [2, -1.5])]
    assert shares == pytest.approx((16 / 25, 9 / 25))


def test_more_dimensions_than_points():
    found, shares = classical_scaling(pairwise([[0], [2]]), 3)
    assert found[:, 0].tolist() == pytest.approx([1, -1])
    assert shares == pytest.approx((1, 0, 0))
    assert classical_scaling(np.zeros((1, 1)))[0].tolist() == [[0, 0]]


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(7)))
def test_the_map_does_not_depend_on_the_order_of_the_points(order):
    """No two of these are equally far from the middle, so that the signs are settled."""
    distances = pairwise(np.random.default_rng(5).normal(size=(7, 3)))
    order = list(order)
    whole = classical_scaling(distances)[0]
    np.testing.assert_allclose(classical_scaling(distances[np.ix_(order, order)])[0], whole[order], atol=1e-8)


def test_signs_are_settled():
    points = np.array([[-3.0, 1.0], [2.0, -1.0]])
    assert upright(points).tolist() == [[3, 1], [-2, -1]]
    assert np.array_equal(upright(points), upright(-points))
    assert np.array_equal(upright(-upright(points)), upright(points))


def test_distances_of_heads_fit_a_euclidean_space():
    """The root of the divergence does: the full scaling keeps every distance (Fuglede and Topsoe 2004)."""
    maps = np.random.default_rng(1).dirichlet(np.full(6, 0.2), (8, 5))
    distances = np.array([[float(jensen_shannon(a, b)) for b in maps] for a in maps])
    found, _ = classical_scaling(distances, 7)
    np.testing.assert_allclose(pairwise(found), distances, atol=1e-6)


# The dendrogram


def test_joins_by_hand():
    """Points at 0, 1, 5, 7: 0-1 at 1; 5-7 at 2; the two groups at the mean of 5, 7, 4, 6."""
    assert joins(pairwise([[0], [1], [5], [7]])) == ((0, 1, 1.0), (2, 3, 2.0), (4, 5, 5.5))


def test_a_group_of_two_weighs_twice():
    """0, 1 and 4 join at (4 + 3) / 2; 10 joins all three at (10 + 9 + 6) / 3."""
    assert [height for *_, height in joins(pairwise([[0], [1], [4], [10]]))] == pytest.approx([1, 3.5, 25 / 3])


def test_leaves_meet_at_their_nearest_ends():
    distances = pairwise([[5], [0], [7], [1]])
    assert leaves(joins(distances), distances) == (1, 3, 0, 2)  # 0, 1, 5, 7


def test_equal_distances_keep_the_order():
    distances = np.ones((4, 4)) - np.eye(4)
    assert sorted(leaves(joins(distances), distances)) == [0, 1, 2, 3]
    assert joins(distances)[0] == (0, 1, 1.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 5))
def test_every_head_has_one_place(n, seed):
    distances = pairwise(np.random.default_rng(seed).normal(size=(n, 2)))
    tree = joins(distances)
    assert sorted(leaves(tree, distances)) == list(range(n))
    heights = [height for *_, height in tree]
    assert heights == sorted(heights)  # average linkage never turns back


# Heads

PREVIOUS = np.eye(6, k=-1) + np.eye(6) * (np.arange(6) == 0)[:, None]
FIRST = np.tile(np.eye(6)[0], (6, 1))
EVEN = np.full((6, 6), 1 / 6)


def nearly(weights, much=0.02):
    return (1 - much) * weights + much * EVEN


def test_planted_kinds_of_heads_stand_together():
    """Two layers with two previous-token, two first-token and two even heads among them."""
    weights = np.array([[PREVIOUS, FIRST, EVEN], [nearly(FIRST), nearly(EVEN, 0.5), nearly(PREVIOUS)]])
    found = similar(attention(weights))
    assert found.names == ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2))
    kinds = ["previous", "first", "even", "first", "even", "previous"]
    ordered = [kinds[head] for head in found.order]
    assert sum(a != b for a, b in itertools.pairwise(ordered)) == 2  # three runs
    assert [found.nearest(head) for head in range(6)] == [5, 3, 4, 1, 2, 0]
    assert {frozenset(join[:2]) for join in found.joins[:3]} == {frozenset(p) for p in ((0, 5), (1, 3), (2, 4))}
    apart = pairwise(found.places)
    assert apart[0, 5] < 0.2 < apart[0, 1]


def test_the_distance_of_planted_heads_by_hand():
    """The two share row 1, and row 0: both give all to the first token; the other four share no key."""
    found = similar(attention([[PREVIOUS, FIRST]]))
    assert found.distances[0, 1] == pytest.approx(math.sqrt(4 / 6 * math.log(2)))
    assert found.shares == pytest.approx((1, 0))


def test_equal_heads():
    found = similar(attention([[EVEN, EVEN, EVEN]]))
    assert not found.distances.any()
    assert not found.places.any()
    assert found.shares == (0, 0)


def test_one_head_alone():
    with pytest.raises(InputError, match="one head has nothing to be compared with"):
        similar(attention([[EVEN]]))


def test_negative_weights():
    with pytest.raises(InputError, match="negative weights"):
        similar(attention([[EVEN, -EVEN]]))
