"""Properties of mechanisms: where they are exact, their averages, and relations between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.mechanism_cases import CASES, HEADS, LAYER, SCALE, D, N, draw, given, values
from helpers.paths import REFERENCE
from hypothesis import given as anything
from hypothesis import settings
from hypothesis import strategies as st
from oracles import mechanism_formulas as slow

import attnviz
from attnviz.engine.spec import Blocks
from attnviz.variants import parse
from attnviz.variants.applied import kind
from attnviz.variants.approximate import Linformer, orthogonal_features, positive_features
from attnviz.variants.scoring import additive_scores, general_scores

TEXT = "the cat that sat on the mat saw the other cat sit on a hat"  # 15 tokens


def weights(asked, g):
    return kind(parse(asked), draw).weights(g)[0]


def full(g):
    """Softmax attention of every head, in slow loops."""
    pairs = zip(g.q.tolist(), g.k.tolist(), strict=True)
    return np.array([slow.attention(q, k, slow.scaled(q, k, g.scale), slow.ahead(g.causal)) for q, k in pairs])


# Where a mechanism is attention to all keys: a window as wide as the text, one bucket, full rank, a memory that holds
# everything, slots of one token, an order that is that of the text.
EITHER = (
    *("scaled-dot", "window:14", "local-m:14", "dilated:14,gap=1", "bigbird:15", "bigbird:1,random=15"),
    *("lsh:1", "lsh:1,rounds=3", "adaptive-span:14"),
)
ONLY_CAUSAL = (
    *("permutation:0", "memory:15", "memory:4,memory=14", "memory:1,memory=14"),
    *("compressed-memory:15", "compressed-memory:4,memory=14", "compressed-memory:4,memory=3,rate=1"),
)


@pytest.mark.parametrize("asked", [*EITHER, "full", "linformer:15"])
def test_exact_for_a_model_that_sees_both_ways(asked) -> None:
    plain = attnviz.load("seeded", seed=1).attend(TEXT)
    found = attnviz.load("seeded", seed=1, mechanism=asked).attend(TEXT)
    np.testing.assert_allclose(found.weights, plain.weights, atol=1e-5)
    assert found.mask.all()


@pytest.mark.parametrize("asked", [*EITHER, *ONLY_CAUSAL, "causal"])
def test_exact_for_a_causal_model(asked) -> None:
    plain = attnviz.load("seeded", seed=1, causal=True).attend(TEXT)
    found = attnviz.load("seeded", seed=1, causal=True, mechanism=asked).attend(TEXT)
    np.testing.assert_allclose(found.weights, plain.weights, atol=1e-5)
    np.testing.assert_array_equal(found.mask[0], np.tri(15, dtype=bool))


@pytest.mark.parametrize(
    ("asked", "less"),
    [
        ("window:14", "window:12"),
        ("lsh:1", "lsh:2"),
        ("linformer:15", "linformer:14"),
        ("adaptive-span:14", "adaptive-span:10"),
    ],
)
def test_one_step_less_is_not_exact(asked, less) -> None:
    exact, other = (attnviz.load("seeded", mechanism=name).attend(TEXT, layers=0).weights for name in (asked, less))
    assert np.abs(exact - other).max() > 0.02


@pytest.mark.parametrize("case", ["llama", "gpt2", "bert", "qwen3"])
def test_exact_on_a_loaded_model(case) -> None:
    """Grouped heads, rotary positions, biases and norms of queries and keys come before the mechanism."""
    ids = [5, 9, 3, 7, 5, 2, 11, 4]
    model = attnviz.load(REFERENCE / case)
    plain = model.attend(ids=ids)
    assert plain.weights.max() > 0.6
    for asked in ("lsh:1", "dilated:8,gap=1", *(("memory:3,memory=8",) if model.spec.causal else ("linformer:8",))):
        np.testing.assert_allclose(model.with_mechanism(asked).attend(ids=ids).weights, plain.weights, atol=1e-5)
    parted = model.with_mechanism("window:1").attend(ids=ids)
    far = np.abs(np.subtract.outer(range(8), range(8))) > 1
    assert not parted.weights[..., far].any() and not parted.mask[0][far].any()


# --- random features -----------------------------------------------------------------------------------------------


def estimates(x, y, m, draws, orthogonal=True):
    """phi(x) . phi(y) under so many draws of Omega."""
    found = np.empty(draws)
    for i in range(draws):
        omega = orthogonal_features(draw, f"{i}", m, len(x)) if orthogonal else draw(f"{i}", (m, len(x)))
        a, b = (positive_features(v[None], omega)[0] for v in (x, y))
        found[i] = a @ b
    return found


@pytest.mark.parametrize("angle", [0.0, 1.0, np.pi / 2, 2.5])
def test_random_features_are_unbiased(angle) -> None:
    """Lemma 1: their mean over many draws is exp(x . y), within four standard errors, which are small beside it."""
    x, across = np.array([0.6, -0.3, 0.5, 0.1]), np.array([0.3, 0.6, -0.1, 0.5])
    y = np.cos(angle) * x + np.sin(angle) * across
    found = estimates(x.astype(np.float32), y.astype(np.float32), 8, 1500)
    want, error = np.exp(x @ y), found.std() / np.sqrt(len(found))
    assert error < 0.03 * want
    assert abs(found.mean() - want) < 4 * error


def test_orthogonal_features_err_less_than_independent_ones() -> None:
    """Theorem 2."""
    x, y = np.random.default_rng(5).standard_normal((2, 8)).astype(np.float32) * 0.6
    assert estimates(x, y, 8, 1500).var() < 0.85 * estimates(x, y, 8, 1500, orthogonal=False).var()


def test_rows_of_omega() -> None:
    """Orthogonal within a block of d, as long as normal vectors are, and each as normal as any."""
    omega = orthogonal_features(draw, "omega", 10, 4)
    for block in (omega[:4], omega[4:8], omega[8:]):
        gram = block @ block.T
        assert np.abs(gram - np.diag(np.diagonal(gram))).max() < 1e-9
    many = np.concatenate([orthogonal_features(draw, f"omega {i}", 4, 4) for i in range(2000)])
    np.testing.assert_allclose(many.T @ many / len(many), np.eye(4), atol=0.06)
    np.testing.assert_allclose(np.mean(many**4, axis=0), 3, atol=0.3)  # normal: not all of one length


def test_more_features_come_nearer() -> None:
    g = replace(given(), scale=0.3 * SCALE)  # wide scores want more features than can be held
    few, more, most = (np.abs(weights(f"performer:{m}", g) - full(g)).sum(-1).mean() for m in (16, 256, 4096))
    assert most < more < few
    assert most < 0.3 * few


@pytest.mark.parametrize("asked", ["performer:32", "linear"])
@pytest.mark.parametrize("causal", [False, True])
def test_features_of_any_size_make_rows_of_1(asked, causal) -> None:
    """Exponentials of thousands neither overflow nor vanish, though the first keys be far smaller than the last."""
    g = given(causal)
    g = replace(g, q=g.q * 40, k=g.k * np.linspace(-200, 1, N, dtype=np.float32)[:, None])
    found = weights(asked, g)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    out = kind(parse(asked), draw).output(g, values(N))
    np.testing.assert_allclose(out, found @ values(N), atol=1e-5)
    if causal:
        np.testing.assert_allclose(found[:, 0, 0], 1)


def test_a_drawn_projection_keeps_products_on_average() -> None:
    """E^T E is the identity on average, so that (E q) . (E k) is q . k (Wang 2020, theorem 2)."""
    many = [Linformer(4, number, draw).projection(6, 0) for number in range(1, 3001)]
    mean = np.mean([e.T @ e for e in many], axis=0)
    np.testing.assert_allclose(mean, np.eye(6), atol=0.06)
    assert not np.array_equal(many[0], many[1])


# --- which keys ----------------------------------------------------------------------------------------------------


def allowed(asked, g):
    found = kind(parse(asked), draw).weights(g)[1]
    return np.ones((HEADS, N, N), bool) if found is None else np.broadcast_to(found, (HEADS, N, N))


@pytest.mark.parametrize(("asked", "causal"), CASES)
def test_rows_sum_to_one_or_say_why_not(asked, causal) -> None:
    total = weights(asked, given(causal)).sum(-1)
    if asked.startswith("local-p"):  # the Gaussian is at most 1
        assert (total > 0).all() and (total < 1).any() and (total < 1 + 1e-6).all()
    elif asked not in ("mamba", "linformer:5,drawn=1"):
        np.testing.assert_allclose(total, 1, atol=1e-5)
    else:
        assert (weights(asked, given(causal)) < -0.01).any()
        assert parse(asked).signed
        return
    assert (weights(asked, given(causal)) >= 0).all() and not parse(asked).signed


def test_more_rounds_of_hashing_see_more() -> None:
    g = given()
    one, two, five = (allowed(f"lsh:8,rounds={rounds}", g) for rounds in (1, 2, 5))
    assert (one <= two).all() and (two <= five).all()
    assert one.sum() < two.sum() < five.sum()
    assert one[:, range(N), range(N)].all()


@anything(st.floats(0.01, 100), st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_hashing_looks_at_directions_alone(factor, seed) -> None:
    g = given(seed=seed)
    longer = replace(g, k=g.k * np.float32(factor))
    np.testing.assert_array_equal(allowed("lsh:6", g), allowed("lsh:6", longer))


def test_nearby_vectors_share_a_bucket_more_often() -> None:
    """Andoni 2015: a small angle, one bucket; a right angle, seldom; opposite ones, never."""
    x = np.random.default_rng(0).standard_normal(6)
    x /= np.linalg.norm(x)
    across = np.random.default_rng(1).standard_normal(6)
    across -= (across @ x) * x
    across /= np.linalg.norm(across)
    share = []
    for angle in (0.1, 0.8, np.pi / 2, np.pi):
        k = np.cos(angle) * x + np.sin(angle) * across
        # 600 copies of the pair as heads, each with a hash of its own; the first token's view of the second.
        q = np.broadcast_to(np.stack([x, x]).astype(np.float32), (600, 2, 6))
        keys = np.broadcast_to(np.stack([x, k]).astype(np.float32), (600, 2, 6))
        made = kind(parse("lsh:2"), draw)
        hidden = [made.hashes(replace(given(), q=q, k=keys), head) for head in range(600)]
        share.append(np.mean([of_q[0, 0] == of_k[0, 1] for of_q, of_k in hidden]))
    np.testing.assert_allclose(
        share, [1 - 0.1 / np.pi, 1 - 0.8 / np.pi, 0.5, 0], atol=0.07
    )  # one plane: 1 - angle / pi


@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_token_sees_as_many_as_stand_before_it_in_the_order(order) -> None:
    seen = allowed(f"permutation:{order}", given())
    assert sorted(seen[0].sum(-1)) == list(range(1, N + 1))
    assert (seen[0] == seen[1]).all()  # the order is that of all heads
    assert (seen[0] != np.tri(N, dtype=bool)).any() == (order > 0)


def test_spans_rise_from_head_to_head() -> None:
    reach = [np.abs(np.subtract.outer(range(N), range(N)))[seen].max() for seen in allowed("adaptive-span", given())]
    assert reach == sorted(reach) and reach[0] < reach[-1]


def test_blocks_without_chance_are_those_of_the_engine() -> None:
    """The arithmetic that BigBird's checkpoints run, for a text that is long enough."""
    model = attnviz.load("seeded")
    want = replace(model, spec=replace(model.spec, blocks=Blocks(2, 0))).attend(TEXT)
    found = model.with_mechanism("bigbird:2,random=0").attend(TEXT)
    np.testing.assert_allclose(found.weights, want.weights, atol=1e-6)
    np.testing.assert_array_equal(found.mask, want.mask)
    assert not want.mask.all()


@pytest.mark.parametrize("causal", [False, True])
def test_a_dilated_window_without_gaps_is_a_window(causal) -> None:
    model = attnviz.load("seeded", causal=causal)
    found, want = (model.with_mechanism(name).attend(TEXT) for name in ("dilated:3,gap=1", "window:3"))
    np.testing.assert_allclose(found.weights, want.weights, atol=1e-6)
    np.testing.assert_array_equal(found.mask, want.mask)


def test_random_blocks_are_drawn_for_each_head_and_layer() -> None:
    seen = allowed("bigbird:1,random=2", given())
    assert (seen[0] != seen[1]).any()
    other = kind(parse("bigbird:1,random=2"), draw).weights(replace(given(), layer=LAYER + 1))[1]
    assert (other[0] != seen[0]).any()
    np.testing.assert_array_equal(seen[:, 1:-1].sum(-1)[:, 2:-2], 7)  # the ends, itself and two neighbours, two more


# --- scores --------------------------------------------------------------------------------------------------------


def test_concat_is_additive_with_both_matrices_side_by_side() -> None:
    rng = np.random.default_rng(3)
    q, k, w, u = (rng.standard_normal(shape).astype(np.float32) for shape in ((5, 4), (7, 4), (6, 4), (6, 4)))
    v = rng.standard_normal(6).astype(np.float32)
    want = [[v @ np.tanh(np.concatenate([w, u], 1) @ np.concatenate([x, y])) for y in k] for x in q]
    np.testing.assert_allclose(additive_scores(q, k, w, u, v), want, atol=1e-5)


def test_general_with_an_identity_is_the_dot_product() -> None:
    g = given()
    np.testing.assert_allclose(
        general_scores(g.q[0], g.k[0], np.eye(D, dtype=np.float32)), g.q[0] @ g.k[0].T, atol=1e-5
    )


@pytest.mark.parametrize("asked", ["general", "concat", "additive", "transformer-xl", "t5"])
def test_what_is_drawn_is_drawn_wide(asked) -> None:
    """Rows are neither uniform nor one-hot: their mean entropy lies well between 0 and ln n."""
    text = " ".join(f"w{i}" for i in range(40))
    found = attnviz.load("seeded", mechanism=asked).attend(text, layers=0).weights.astype(np.float64)
    entropy = -np.sum(found * np.log(np.maximum(found, 1e-30)), axis=-1).mean() / np.log(40)
    assert 0.25 < entropy < 0.8


def test_a_scale_is_that_of_the_model() -> None:
    g = replace(given(), scale=0.1)
    for asked in ("dilated:12,gap=1", "lsh:1", "linformer:13", "bigbird:13"):
        np.testing.assert_allclose(weights(asked, g), full(g), atol=1e-5)
    assert np.abs(full(g) - full(replace(g, scale=SCALE))).max() > 0.1
