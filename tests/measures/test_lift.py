"""Lift: the weight less the mean of its column over the other rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import attnviz
from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.measures.lift import lift, lifts, strongest


def attention(weights, mask=None, special=()):
    weights = np.asarray(weights, np.float32)
    n_layers, n_heads, n, _ = weights.shape
    tokens = Tokens.plain([f"t{i}" for i in range(n)])
    tokens = replace(tokens, special=tuple(i in special for i in range(n)))
    mask = None if mask is None else np.asarray(mask, bool)
    return Attention(weights, mask, tokens, tokens, tuple(range(n_layers)), tuple(range(n_heads)))


def test_by_hand():
    weights = [[0.5, 0.5, 0.0], [0.75, 0.0, 0.25], [0.25, 0.25, 0.5]]
    assert lift(np.array(weights)).tolist() == [
        [0.0, 0.375, -0.375],  # .5 - (.75 + .25)/2; .5 - (0 + .25)/2; 0 - (.25 + .5)/2
        [0.375, -0.375, 0.0],
        [-0.375, 0.0, 0.375],
    ]


def test_of_a_causal_map_only_rows_that_may_see_the_key_are_asked():
    weights = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.25, 0.25, 0.5]])
    found = lift(weights, np.tri(3, dtype=bool))
    assert found.tolist() == [[0.625, 0.0, 0.0], [-0.125, 0.25, 0.0], [-0.5, -0.25, 0.0]]


def test_a_head_that_sends_every_token_to_one_says_nothing():
    weights = np.zeros((5, 5))
    weights[:, 2] = 1.0
    assert not lift(weights).any()


@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(1, 7))
def test_is_the_slow_loop(seed, n_query, n_key):
    random = np.random.default_rng(seed)
    mask = random.random((n_query, n_key)) < 0.7
    weights = np.where(mask, random.random((2, n_query, n_key)), 0)
    found = lift(weights, mask)
    for h in range(2):
        for i in range(n_query):
            for j in range(n_key):
                others = [weights[h, k, j] for k in range(n_query) if k != i and mask[k, j]]
                wanted = weights[h, i, j] - sum(others) / len(others) if others and mask[i, j] else 0.0
                assert found[h, i, j] == pytest.approx(wanted, abs=1e-12)


def test_without_a_mask_a_triangle_is_causal():
    weights = [[[[1.0, 0.0], [0.5, 0.5]]]]
    assert lifts(attention(weights))[0, 0].tolist() == [[0.5, 0.0], [-0.5, 0.0]]
    assert lifts(attention(weights, np.ones((1, 2, 2))))[0, 0].tolist() == [[0.5, -0.5], [-0.5, 0.5]]


def test_a_mask_a_layer():
    weights = np.full((2, 1, 2, 2), 0.5)
    weights[0, 0] = [[1, 0], [0.25, 0.75]]
    masks = np.stack([np.tri(2, dtype=bool), np.ones((2, 2), bool)])
    assert lifts(attention(weights, masks))[:, 0].tolist() == [[[0.75, 0], [-0.75, 0]], [[0, 0], [0, 0]]]


def test_the_strongest_is_by_lift_not_by_weight():
    everyone, one = np.zeros((4, 4)), np.full((4, 4), 0.25)
    everyone[:, 1] = 1.0
    one[3] = [0.1, 0.1, 0.7, 0.1]
    found = attention([[everyone, one]])
    best = strongest(found)
    assert (best.layer, best.head, best.query, best.key) == (0, 1, 3, 2)
    assert best.weight == pytest.approx(0.7) and best.lift == pytest.approx(0.45)
    best = strongest(found, by="weight")
    assert (best.head, best.query, best.key, best.lift) == (0, 0, 1, 0.0)


def test_the_head_that_links_two_tokens_by_its_true_index():
    weights = np.full((2, 3, 3, 3), 1 / 3)
    weights[1, 2, 0] = [0, 0.2, 0.8]
    found = replace(attention(weights), layers=(4, 9), heads=(1, 5, 7))
    best = strongest(found, query=0, key=2)
    assert (best.layer, best.head, best.query, best.key) == (9, 7, 0, 2)
    assert best.lift == pytest.approx(0.8 - 1 / 3)


def test_rows_without_a_choice_and_special_tokens_are_passed_over():
    weights = np.array([[[[1.0, 0, 0], [0.1, 0.9, 0], [0.2, 0.2, 0.6]]]])
    assert strongest(attention(weights)).query == 1
    assert strongest(attention(weights, special={1})).key == 2
    assert strongest(attention(weights, special={1}), special=True).key == 1
    assert strongest(attention(np.ones((1, 1, 1, 1)))).weight == 1.0
    assert strongest(attention(weights, special={0, 1, 2})).query == 1


def test_of_a_published_model(minilm):
    """Two heads whose weights are equal, of which one sends every token to "animal"."""
    found = attnviz.load(minilm).attend("The animal didn't cross the street because it was too tired")
    it, animal = found.query_tokens.index("it"), found.key_tokens.index("animal")
    pairs = [(found.weights[at], lifts(found)[at]) for at in ((5, 11, it, animal), (3, 1, it, animal))]
    assert np.allclose(pairs, [(0.65, 0.25), (0.64, 0.55)], atol=0.005)
    best = strongest(found, query=it, key=animal)
    assert (best.layer, best.head) == (3, 1)
    best = strongest(found, query=it, key=animal, by="weight")
    assert (best.layer, best.head) == (5, 11)
