"""The seeded model: reproducible numbers, and rows that are neither uniform nor one-hot."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.sentences import TIRED

import attnviz
from attnviz.checkpoints.seeded import SeededWeights, seeded_spec
from attnviz.errors import ConfigError


def test_stored_values() -> None:
    """Recorded once; every release of NumPy must draw the same numbers (NEP 19)."""
    weights = SeededWeights(0, seeded_spec())
    np.testing.assert_array_equal(
        weights.get("layers.0.q.weight", (64, 64))[0, :3],
        np.array(Q_WEIGHT, np.float32),
    )
    np.testing.assert_array_equal(
        weights.rows("embed.tokens", ["animal"], (1, 64))[0, :3], np.array(ANIMAL, np.float32)
    )


Q_WEIGHT = [0.10153728723526001, -0.00890645943582058, -0.11522387713193893]
ANIMAL = [0.7104991674423218, 0.7715804576873779, -1.516953468322754]


def test_a_word_has_one_vector_whatever_stands_beside_it() -> None:
    weights = SeededWeights(3, seeded_spec())
    one = weights.rows("embed.tokens", ["street"], (1, 64))[0]
    many = weights.rows("embed.tokens", ["the", "street", "the"], (1, 64))
    np.testing.assert_array_equal(many[1], one)
    np.testing.assert_array_equal(many[0], many[2])
    assert abs(np.corrcoef(many[0], many[1])[0, 1]) < 0.5


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_neither_uniform_nor_one_hot(seed) -> None:
    weights = attnviz.load("seeded", seed=seed).attend(TIRED).weights.astype(float)
    entropy = -(weights * np.log(np.where(weights > 0, weights, 1))).sum(-1)
    assert 0.4 < entropy.mean() / np.log(weights.shape[-1]) < 0.7


def test_other_seed_other_map() -> None:
    a, b = (attnviz.load("seeded", seed=seed).attend(TIRED).weights for seed in (0, 1))
    assert abs(a - b).max() > 0.3


def test_sizes() -> None:
    attention = attnviz.load("seeded", n_layers=3, n_heads=5, d_model=20).attend("one two")
    assert attention.weights.shape == (3, 5, 2, 2)
    with pytest.raises(ConfigError, match="d_model 64 must be a multiple of n_heads 5"):
        attnviz.load("seeded", n_heads=5)
    with pytest.raises(ConfigError, match="n_layers must be a whole number from 1 to 1000; got 0"):
        attnviz.load("seeded", n_layers=0)
