"""States of collectors that sum: two halves merged are one pass over both, and the same parts give the same bytes."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace

import numpy as np
from helpers.analysis_cases import made, random_map
from hypothesis import given, settings
from hypothesis import strategies as st

import attnviz
from attnviz.engine.collectors import Sums
from attnviz.engine.tile import Tile
from attnviz.measures.distance import between_heads, distance_sums
from attnviz.measures.links import Columns
from attnviz.measures.norms import summary
from attnviz.measures.roles import Roles
from attnviz.measures.scores import Scores
from attnviz.measures.statistics import Statistics
from attnviz.models.source import AttentionSource

HEADS = 3
cases = given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.booleans(), st.data())


def text_of(random, n, causal):
    """One layer of peaked heads over tokens of which some come again, some are special."""
    attention = made([random_map(random, n, causal) for _ in range(HEADS)], causal=causal)
    words = [f"w{i}" for i in random.integers(0, 4, n)]
    special = tuple(bool(i) for i in random.integers(0, 2, n))
    tokens = replace(attention.queries, text=tuple(words), special=special)
    return replace(attention, queries=tokens, keys=tokens)


def tile_of(random, attention, rows):
    """Some rows of an attention, with scores that may have made them."""
    weights, allowed = attention.weights[0, :, rows.start : rows.stop], attention.mask[:1, rows.start : rows.stop]
    q, k = (np.random.default_rng(0).normal(size=(HEADS, weights.shape[-1], 4)).astype(np.float32) for _ in range(2))
    scores = np.where(allowed, (q @ k.swapaxes(-1, -2))[:, rows.start : rows.stop] * 0.5, -np.inf).astype(np.float32)
    q = q[:, rows.start : rows.stop]
    return Tile("self", 0, range(HEADS), rows, range(weights.shape[-1]), weights, allowed, scores, q, k)


def same(left, right, exact=False):
    """Whether two results hold the same numbers."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name], exact) for name in left)
    if isinstance(left, tuple):
        return all(same(a, b, exact) for a, b in zip(left, right, strict=True))
    if not isinstance(left, (np.ndarray, float, int)):
        return same(vars(left), vars(right), exact)
    if exact:
        return np.asarray(left).tobytes() == np.asarray(right).tobytes()
    return np.allclose(left, right, rtol=1e-6, atol=1e-9, equal_nan=True)


COLLECTORS = {
    "statistics": lambda attention: Statistics(1, HEADS, np.array(attention.keys.special)),
    "columns": lambda attention: Columns(1, HEADS, len(attention.keys), query=1),
    "scores": lambda attention: Scores(1, HEADS),
}


@cases
@settings(max_examples=60, deadline=None)
def test_two_halves_are_one_pass_over_both(seed, n, causal, data):
    random = np.random.default_rng(seed)
    attention, cut = text_of(random, n, causal), data.draw(st.integers(1, n - 1))
    halves = [tile_of(random, attention, rows) for rows in (range(cut), range(cut, n))]
    for name, make in COLLECTORS.items():
        whole, parts = make(attention), [make(attention) for _ in halves]
        for tile, part in zip(halves, parts, strict=True):
            whole.take(tile)
            part.take(tile)
        first, second = (part.state() for part in parts)
        assert same(first.merge(second).result(), whole.result()), name
        assert same(second.merge(first).result(), whole.result()), name


@cases
@settings(max_examples=60, deadline=None)
def test_of_two_texts_every_query_counts_as_much(seed, n, causal, data):
    random = np.random.default_rng(seed)
    texts = [text_of(random, size, causal) for size in (n, data.draw(st.integers(2, 9)))]
    states = []
    for text in texts:
        roles, statistics = Roles(1, HEADS, text.queries, text.keys), COLLECTORS["statistics"](text)
        for collector in (roles, statistics):
            collector.take(tile_of(random, text, range(len(text.queries))))
        states.append((roles.state(), statistics.state()))
    (roles, statistics), (other_roles, other_statistics) = states
    alone, others = roles.result(), other_roles.result()
    for name, (score, _, queries) in roles.merge(other_roles).result().items():
        counts = [alone[name].queries, others[name].queries]
        totals = [
            np.where(each[name].queries > 0, each[name].score, 0) * each[name].queries for each in (alone, others)
        ]
        assert np.array_equal(queries, sum(counts)), name
        assert np.allclose(np.where(queries > 0, score, 0) * queries, sum(totals), atol=1e-9), name
    both = statistics.merge(other_statistics).result()
    sizes = [len(text.queries) for text in texts]
    for name in ("entropy", "span", "confidence", "self", "first", "special"):
        each = statistics.result()[name], other_statistics.result()[name]
        assert np.allclose(both[name], np.average(each, axis=0, weights=sizes), rtol=1e-6, atol=1e-9), name


@cases
@settings(max_examples=60, deadline=None)
def test_distances_and_shares_of_two_halves_are_those_of_all_rows(seed, n, causal, data):
    random = np.random.default_rng(seed)
    attention, cut = text_of(random, n, causal), data.draw(st.integers(1, n - 1))
    maps = attention.weights[0]
    halves = distance_sums(maps[:, :cut]).merge(distance_sums(maps[:, cut:]))
    assert np.allclose(halves.result(), between_heads(maps), atol=1e-9)
    one, other, special = maps[0], maps[1], attention.key_special
    twice = summary(one, other, special).merge(summary(one, other, special))
    assert np.allclose(twice.result(), summary(one, other, special).result())
    loop = [
        sum(row[j] for row in one for j in range(n) if special[j]) / n,
        sum(one[i, i] for i in range(n)) / n,
        sum(abs(float(one[i, j]) - float(other[i, j])) for i in range(n) for j in range(n)) / 2 / n,
    ]
    assert np.allclose(twice.result(), loop, atol=1e-6)


def test_states_are_small_and_the_same_parts_give_the_same_bytes():
    """The state from another process has no tokens and no maps, and three texts merge to the same bits again."""
    model = attnviz.load("seeded", n_layers=2, n_heads=4)
    texts = [" ".join(f"w{i % k}" for i in range(40 * k)) for k in (1, 3, 7)]

    def merged():
        states = []
        for text in texts:
            source = AttentionSource.of(model, model.prepare(text))
            special = np.array(source.keys.special, bool)
            collectors = [Statistics(*source.size, special), Roles(*source.size, source.queries, source.keys)]
            source.observe(collectors)
            sent = pickle.dumps([collector.state() for collector in collectors])
            assert len(sent) < 4000
            states.append(pickle.loads(sent))
        return [first.merge(second).merge(third) for first, second, third in zip(*states, strict=True)]

    for once, again in zip(merged(), merged(), strict=True):
        assert isinstance(once, Sums) and len(fields(once)) > 1
        assert same(once, again, exact=True) and same(once.result(), again.result(), exact=True)
