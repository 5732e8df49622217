"""Queries and keys in a plane, and one pair number by number: by hand, for every family, and what must not change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.paths import REFERENCE, ROOT

import attnviz
from attnviz import steps as walk
from attnviz.measures.plane import principal
from attnviz.measures.qk import neurons, plane, together

CASES = sorted(path.name for path in REFERENCE.iterdir() if path.is_dir())
INPUTS = {"input_ids": "ids", "token_type_ids": "token_types", "decoder_input_ids": "target_ids"}
ARRAYS = ("pixel_values", "input_values", "input_features")
BIASED = {"relative", "before_scale", "capped", "biased", "counted"}


def case(name):
    expected = np.load(REFERENCE / name / "expected.npz")
    given = {ours: expected[theirs].tolist() for theirs, ours in INPUTS.items() if theirs in expected}
    return attnviz.load(REFERENCE / name), given | {key: expected[key] for key in ARRAYS if key in expected}


def softmax(rows):
    exp = np.exp(rows - rows.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


# One pair


def test_a_pair_by_hand():
    """sample_inputs/by_hand.npz: q of "tea" is [1, 1, 1, 1], k of "like" is [0, 2, 0, 0]; d_k = 4 halves the score."""
    steps = walk(attnviz.load(ROOT / "sample_inputs" / "by_hand.npz"), "I like tea", query="tea")
    found = neurons(steps, 1)
    assert (found.q.tolist(), found.k.tolist()) == ([1, 1, 1, 1], [0, 2, 0, 0])
    assert found.product.tolist() == [0, 2, 0, 0]
    assert [(s.name, s.value, s.added) for s in found.stages] == [
        ("raw", 2, None),
        ("scaled", 1, None),
        ("masked", 1, None),
    ]
    assert found.weight == pytest.approx(math.e / (1 + math.e + math.e**2))
    assert found.allowed
    assert found.plain
    assert found.strongest(2) == [1, 0]


def test_a_pair_that_may_not_be_seen():
    steps = walk(attnviz.load(ROOT / "sample_inputs" / "by_hand.npz"), "I like tea", query="like")
    found = neurons(steps, 2)
    assert (found.allowed, found.weight, found.stages[-1].value) == (False, 0, -math.inf)
    assert found.total == found.stages[0].value


@pytest.mark.parametrize("name", CASES)
def test_products_add_up_to_the_score_in_every_family(name):
    """q * k sums to the raw score, and each operation leads from one number to the next."""
    model, given = case(name)
    steps = walk(model, **given, layer=-1, head=-1)
    for key in {0, steps.strongest, len(steps.keys) - 1}:
        found = neurons(steps, key)
        size = max(1.0, float(np.abs(found.product).sum()))
        value = found.stages[0].value
        if not found.allowed and math.isnan(value):  # out of reach: no score was made
            continue
        assert found.total == pytest.approx(value, abs=2e-5 * size)
        assert found.stages[0].name == "raw"
        for stage in found.stages[1:-1]:
            if stage.added is not None:
                value += stage.added
            elif stage.name == "scaled":
                value *= steps.facts.scale
            elif stage.name == "capped":
                value = steps.facts.softcap * math.tanh(value / steps.facts.softcap)
            assert stage.value == pytest.approx(value, abs=2e-5 * size)
        if found.allowed:
            assert found.stages[-1].value == found.stages[-2].value
        if found.plain and found.allowed:
            assert found.stages[-1].value == pytest.approx(found.total * steps.facts.scale, abs=2e-5 * size)
        assert found.plain == (not BIASED & {stage.name for stage in found.stages})


def test_families_of_every_kind_are_among_them():
    """Plain, rotary, grouped, biased by distance, relative and capped: so that the test above is not about one kind."""
    kinds = {}
    for name in ("bert", "llama", "t5", "deberta_v2", "gemma2", "mpt"):
        model, given = case(name)
        given |= {"stream": "encoder"} if name == "t5" else {}
        steps = walk(model, **given)
        kinds[name] = {stage.name for stage in neurons(steps, 0).stages} & BIASED
        assert bool(steps.facts.rotary) == (name in ("llama", "gemma2"))
    assert kinds == {
        "bert": set(),
        "llama": set(),
        "t5": {"biased"},
        "deberta_v2": {"relative"},
        "gemma2": {"capped"},
        "mpt": {"biased"},
    }


# The plane


def test_two_dimensions_are_kept_as_they_are():
    """In two dimensions nothing is lost: the distances equal the distances of q' and k'."""
    generator = np.random.default_rng(0)
    q, k = generator.normal(size=(5, 2)), 3 * generator.normal(size=(7, 2)) + 4
    found = plane(q, k)
    moved, _ = together(q, k)
    points = np.concatenate([found.queries, found.keys])
    np.testing.assert_allclose(
        ((points[:, None] - points) ** 2).sum(-1), ((moved[:, None] - moved) ** 2).sum(-1), atol=1e-9
    )
    assert sum(found.shares) == pytest.approx(1)


def test_factor_by_hand():
    """Queries at -1 and 1, keys at 10 and 18: their means are 0 and 14, their spreads 1 and 4, so that c is 2."""
    moved, factor = together([[-1.0], [1.0]], [[10.0], [18.0]])
    assert factor == 2
    assert moved.tolist() == [[-2], [2], [-2], [2]]


def test_moving_and_scaling_change_no_weight():
    """The paper's two freedoms: weights after the softmax are the same as from q . k."""
    generator = np.random.default_rng(1)
    q, k = generator.normal(size=(6, 8)) + 1, 5 * generator.normal(size=(9, 8)) - 2
    moved, factor = together(q, k)
    middle = factor * q.mean(0)  # where both clouds would stand without being centred
    np.testing.assert_allclose(softmax((moved[:6] + middle) @ (moved[6:] + middle).T), softmax(q @ k.T), atol=1e-12)


def test_both_clouds_are_centred_and_equally_wide():
    generator = np.random.default_rng(2)
    moved, _ = together(generator.normal(size=(6, 8)) + 3, 7 * generator.normal(size=(9, 8)))
    np.testing.assert_allclose(moved[:6].mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(moved[6:].mean(0), 0, atol=1e-12)
    assert (moved[:6] ** 2).sum(-1).mean() == pytest.approx((moved[6:] ** 2).sum(-1).mean())


def test_near_means_high_where_a_plane_can_hold_it():
    """Points on a circle: the nearest key has the highest score."""
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], -1)
    found = plane(circle, circle)
    assert found.agreement < -0.95
    away = ((found.queries[:, None] - found.keys) ** 2).sum(-1)
    assert away.argmin(-1).tolist() == list(range(12))
    assert plane(circle, -circle).agreement == pytest.approx(found.agreement)  # still: high is near


def test_components_by_hand():
    """(0, 0), (2, 2), (4, 4): one direction, the points at -2, 0, 2 times the root of 2; the last has the sign."""
    points, shares = principal([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]])
    assert np.abs(points[:, 0]).tolist() == pytest.approx([8**0.5, 0, 8**0.5])
    assert points[0, 0] > 0  # of equals the first
    assert shares == pytest.approx((1, 0))


def test_components_do_not_depend_on_the_sign_of_the_decomposition():
    values = np.random.default_rng(3).normal(size=(9, 5))
    mirror = np.diag([-1.0, 1, -1, 1, -1])
    points, shares = principal(values)
    np.testing.assert_allclose(principal(values @ mirror)[0], points, atol=1e-9)
    assert principal(values)[0].tolist() == points.tolist()
    assert points.argmax(0).tolist() == np.abs(points).argmax(0).tolist()
    assert shares[0] > shares[1]
    np.testing.assert_allclose(points.var(0) / values.var(0).sum(), shares)


def test_one_token():
    found = plane([[1.0, 2.0]], [[3.0, 4.0]])
    assert (found.queries.tolist(), found.keys.tolist(), found.agreement) == ([[0, 0]], [[0, 0]], 0)
