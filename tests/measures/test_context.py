"""The score of sources, against slow loops written from its formula."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

import attnviz
from attnviz.engine.collectors import Dense
from attnviz.engine.tile import Tile, all_allowed
from attnviz.measures.context import Keys, PointedAt, combined, pointed, shared_words


def random_attention(random, n_layers, n_heads, n):
    """Causal weights [layer, head, query, key] whose rows sum to 1."""
    scores = random.standard_normal((n_layers, n_heads, n, n)) * 3
    scores[..., ~np.tri(n, dtype=bool)] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def slow_lift(w, row, key, begin, df):
    """One number from the definition. w: [query, key] of one head."""
    n = len(w)
    column = sum(w[i][key] for i in range(key + 1, n)) / (n - key - 1)
    usual = max(column, statistics.median(w[i][key] for i in range(begin, n)))
    return max(0.0, w[row][key] - usual) * df**-0.5


def slow_half(weights, rows, source, words, begin, n_sources, share=0.06):
    """A half of the score, from the definition, in Python's own floats."""
    vectors = []
    for head in weights.reshape(-1, *weights.shape[-2:]).tolist():
        vector = []
        for key in range(begin):
            df = len({source[k] for k in range(begin) if source[k] >= 0 and words[k].lower() == words[key].lower()})
            inside = key > 0 and source[key] >= 0
            lifts = [slow_lift(head, row, key, begin, df) for row in rows] if inside else [0.0]
            vector.append(max(lifts))
        vectors.append(vector)
    best = sorted(vectors, key=max, reverse=True)[: max(1, round(share * len(vectors)))]
    tokens = [sum(max(vector) * vector[key] for vector in best) for key in range(begin)]
    sums = [sum(value for value, own in zip(tokens, source, strict=False) if own == k) for k in range(n_sources)]
    return [value / sum(sums) for value in sums]


def tiles(weights, rows_at_once, heads_at_once):
    """The tiles of a pass: some heads and rows, and the keys that these rows reach."""
    n_layers, n_heads, n, _ = weights.shape
    for layer in range(n_layers):
        for head in range(0, n_heads, heads_at_once):
            heads = range(head, min(head + heads_at_once, n_heads))
            for start in range(0, n, rows_at_once):
                rows = range(start, min(start + rows_at_once, n))
                part = weights[layer, heads.start : heads.stop, rows.start : rows.stop, : rows.stop].copy()
                yield Tile("self", layer, heads, rows, range(rows.stop), part, all_allowed(len(rows), rows.stop))


WORDS = "the Cat sat . the dog ran . a cat hid . where ? cat sat".split()
SOURCE = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, -1, -1, -1, -1, -1]
BEGIN = 11


@pytest.mark.parametrize(("rows_at_once", "heads_at_once"), [(16, 3), (5, 1), (1, 2)])
def test_the_halves_equal_the_formula_in_loops(rows_at_once, heads_at_once):
    weights = random_attention(np.random.default_rng(3), 4, 9, len(WORDS))
    keys, groups = Keys.of(SOURCE[:BEGIN], WORDS[:BEGIN], 3), [[14, 15], [12, 13]]
    collector = PointedAt(4, 9, len(WORDS), BEGIN, keys, groups)
    for tile in tiles(weights, rows_at_once, heads_at_once):
        collector.take(tile)
        tile.weights[:] = np.nan  # the engine reuses a tile's memory
    halves = [pointed(lifts, keys)[0] for lifts in collector.lifts]
    for half, rows in zip(halves, groups, strict=True):
        np.testing.assert_allclose(half, slow_half(weights, rows, SOURCE, WORDS, BEGIN, 3), atol=1e-6)
    answer, question = halves
    product = (question + 0.05) * (answer + 0.05)
    np.testing.assert_allclose(combined(question, answer), product / product.sum(), atol=1e-12)


def test_tokens_outside_sources_and_the_first_token_count_nothing():
    weights = random_attention(np.random.default_rng(4), 1, 2, len(WORDS))
    source = [-1 if i == 5 else own for i, own in enumerate(SOURCE)]
    collector = PointedAt(1, 2, len(WORDS), BEGIN, Keys.of(source[:BEGIN], WORDS[:BEGIN], 3), [[14]])
    for tile in tiles(weights, 16, 2):
        collector.take(tile)
    assert (collector.lifts[..., [0, 5]] == 0).all() and (collector.lifts[..., 1:] > 0).any()


def test_a_token_of_many_sources_counts_less():
    keys = Keys.of([0, 0, 1, 2, -1], ["x", " Bus", "bus", "BUS", "bus"], 3)
    np.testing.assert_allclose(keys.rarity, [0, 3**-0.5, 3**-0.5, 3**-0.5, 0], rtol=1e-6)


def test_cross_attention_lifts_what_is_above_an_even_share():
    weights = np.array([[[0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.5, 0.0]]], np.float32)
    keys = Keys.of([0, 1, 1, -1], list("abcd"), 2, first=False)
    collector = PointedAt(1, 1, 2, 0, keys, [[0, 1]], crossed=True)
    collector.take(Tile("cross", 0, range(1), range(2), range(4), weights, all_allowed(2, 4)))
    np.testing.assert_allclose(collector.lifts[0, 0, 0], [0.45, 0, 0.25, 0], atol=1e-6)
    np.testing.assert_allclose(pointed(collector.lifts[0], keys)[0], [0.45 / 0.7, 0.25 / 0.7], atol=1e-6)


def test_a_head_counts_by_its_largest_entry():
    """Two of four heads, 0.8 and 0.4 at most; the third and the fourth are left out."""
    lifts = np.array([[[0.8, 0, 0.2], [0, 0.3, 0]], [[0.1, 0, 0.4], [0, 0.39, 0]]], np.float32)
    keys = Keys.of([0, 1, 2], list("abc"), 3, first=False)
    shares, tokens = pointed(lifts, keys, share=0.5)
    wanted = np.array([0.8 * 0.8 + 0.4 * 0.1, 0, 0.8 * 0.2 + 0.4 * 0.4])
    np.testing.assert_allclose(shares, wanted / wanted.sum(), atol=1e-7)
    np.testing.assert_allclose(tokens, shares)


def test_a_row_that_points_is_not_diluted_by_rows_that_do_not():
    """An answer of one word, and the same word in an answer of six: the source that it reads gets the same lift."""
    weights = np.full((1, 1, 12, 12), 1 / 12)
    weights[0, 0, 6, 2] = 0.9
    keys, found = Keys.of([0, 0, 0, 1, 1, 1], list("abcdef"), 2, first=False), []
    for rows in ([6], [6, 7, 8, 9, 10, 11]):
        collector = PointedAt(1, 1, 12, 6, keys, [rows])
        collector.take(Tile("self", 0, range(1), range(12), range(12), weights[0].copy(), all_allowed(12, 12)))
        found.append(collector.lifts[0, 0, 0])
    np.testing.assert_array_equal(*found)
    assert found[0].argmax() == 2


def test_heads_that_point_nowhere_leave_equal_shares():
    keys = Keys.of([0, 1], ["a", "b"], 2, first=False)
    assert pointed(np.zeros((1, 1, 2), np.float32), keys)[0].tolist() == [0.5, 0.5]


def test_shared_words_are_weighed_by_their_rarity():
    sources = [["bob", "has", "a", "bus"], ["ann", "has", "a", "bus"], ["carl", "has", "a", "car"]]
    shares = shared_words(["bob", "has", "bus", "zebra"], sources)
    log = np.log
    total = log(4) + log(4 / 3) + log(2)
    expected = [total, log(4 / 3) + log(2), log(4 / 3)]
    np.testing.assert_allclose(shares, np.array(expected) / total)
    assert shared_words(["zebra"], sources).tolist() == [0, 0, 0]


@pytest.mark.parametrize("mechanism", [None, "window:70"])
def test_a_long_text_in_tiles_gives_what_its_whole_maps_give(mechanism):
    """One head at a time, from several threads, in tiles of some rows; and in windows, which skip the first keys."""
    model, n, begin = attnviz.load("seeded", n_layers=2, n_heads=4, causal=True, mechanism=mechanism), 900, 860
    words = [f"w{i % 211}" for i in range(n)]
    source = [i // 43 for i in range(begin)]
    keys, groups = Keys.of(source, words[:begin], 20), [[890, 899], [870]]
    collector = PointedAt(2, 4, n, begin, keys, groups)
    model_input = model.prepare(" ".join(words))
    whole = Dense(range(2), range(4), range(n), range(n))
    model.observe(model_input, [collector, whole])
    weights = whole.result().astype(np.float64)
    later = np.tri(n, k=-1)[:, :begin]
    column = (weights[..., :begin] * later).sum(2) / later.sum(0)
    usual = np.maximum(column, np.median(weights[:, :, begin:, :begin], axis=2))
    for lifts, rows in zip(collector.lifts, groups, strict=True):
        wanted = np.maximum(weights[:, :, rows, :begin] - usual[:, :, None], 0).max(2) * keys.rarity
        np.testing.assert_allclose(lifts, wanted, rtol=0, atol=1e-6)
        assert wanted.max() > 1e-4
