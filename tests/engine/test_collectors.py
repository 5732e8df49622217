"""Collectors with tiles of any shape, heads split and in any order, arrays overwritten after each call."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import attnviz
from attnviz.engine import tiles
from attnviz.engine.collectors import Dense, Pooled
from attnviz.engine.mean import MeanOfHeads
from attnviz.engine.tile import Tile, all_allowed
from attnviz.measures.statistics import Statistics


@dataclass(frozen=True, eq=False)
class Map:
    """weights [layer, head, query, key], 0 where `mask` [layer, query, key] is False, and the tiles they come in."""

    weights: Any
    mask: Any
    tiles: list[tuple[int, range, range, range]]  # layer, heads, rows, cols

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.weights.shape


def ranges(draw: Any, n: int) -> list[range]:
    """A range of n split into runs."""
    cuts = sorted({0, n, *draw(st.sets(st.integers(1, max(n - 1, 1)), max_size=3))} & {*range(n + 1)})
    return [range(a, b) for a, b in pairwise(cuts)]


@st.composite
def maps(draw: Any, n_tokens: int = 0) -> Map:
    """Few different weights, so that many are equal; causal or windowed masks; tiles only as wide as necessary."""
    n_layers, n_heads = draw(st.integers(1, 2)), draw(st.integers(1, 5))
    n_query, n_key = (n_tokens, n_tokens) if n_tokens else (draw(st.integers(1, 12)), draw(st.integers(1, 12)))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 16)))
    i, j = np.arange(n_query)[:, None], np.arange(n_key)[None]
    masks = []
    for _ in range(n_layers):
        reach = draw(st.sampled_from([1, 3, 12]))
        masks.append((abs(i - j) <= reach) & ((j <= i) if draw(st.booleans()) else True))
    mask = np.stack(masks)
    weights = rng.integers(0, 6, (n_layers, n_heads, n_query, n_key)).astype(np.float32) / 8
    weights *= mask[:, None]
    parts = []
    for layer in range(n_layers):
        for heads in ranges(draw, n_heads):
            part = []
            for rows in ranges(draw, n_query):
                seen = np.flatnonzero(mask[layer, rows.start : rows.stop].any(0))
                low, high = (seen[0], seen[-1] + 1) if len(seen) else (0, 1)
                cols = range(draw(st.integers(0, low)), draw(st.integers(high, n_key)))
                part.append((layer, heads, rows, cols))
            parts.append(part)
    # Tiles of a head come in row order; tiles of different heads and layers in any order.
    order = draw(st.permutations([k for k, part in enumerate(parts) for _ in part]))
    streams = [iter(part) for part in parts]
    return Map(weights, mask, [next(streams[k]) for k in order])


def tiles_of(found: Map, says_all: bool) -> Iterator[Tile]:
    """The tiles; their arrays are overwritten after each. says_all: `allowed` takes one byte if nothing is masked."""
    for layer, heads, rows, cols in found.tiles:
        at = np.s_[rows.start : rows.stop, cols.start : cols.stop]
        weights = found.weights[(layer, slice(heads.start, heads.stop), *at)].copy()
        allowed = found.mask[(layer, *at)][None].copy()
        given = all_allowed(len(rows), len(cols)) if says_all and allowed.all() else allowed
        yield Tile("self", layer, heads, rows, cols, weights, given)
        weights[:] = np.nan
        allowed[:] = ~allowed


def deliver(collector: Any, found: Map, says_all: bool = True) -> None:
    """Pass whole tiles to the collector, or only the runs of heads that it wants."""
    for tile in tiles_of(found, says_all):
        wants = [collector.wants(tile.layer, h) for h in tile.heads]
        if all(wants):
            collector.take(tile)
            continue
        for place, wanted in enumerate(wants):
            if wanted:
                collector.take(tile.part(slice(place, place + 1)))


chosen = st.lists(st.integers(0, 4), min_size=1, max_size=4, unique=True)


@settings(max_examples=150, deadline=None)
@given(maps(), chosen, chosen, st.booleans(), st.data())
def test_dense_keeps_what_was_delivered(found, layers, heads, says_all, data) -> None:
    """Layers and heads in the requested order, within a window of rows and columns."""
    n_layers, n_heads, n_query, n_key = found.shape
    layers = [layer for layer in layers if layer < n_layers] or [0]
    heads = [head for head in heads if head < n_heads] or [n_heads - 1]
    rows = range(data.draw(st.integers(0, n_query - 1)), n_query)
    cols = range(0, data.draw(st.integers(1, n_key)))
    dense = Dense(layers, heads, rows, cols)
    deliver(dense, found, says_all)
    at = np.s_[rows.start : rows.stop, cols.start : cols.stop]
    np.testing.assert_array_equal(dense.result(), found.weights[layers][:, heads][(..., *at)])
    mask = found.mask[layers][(slice(None), *at)]
    assert len(dense.mask) == (1 if (mask == mask[:1]).all() else len(layers))
    np.testing.assert_array_equal(np.broadcast_to(dense.mask, mask.shape), mask)


def test_dense_joins_the_masks_of_heads_that_differ() -> None:
    """`allowed` by head: a place is open where any head may attend, whichever run of heads comes first."""
    allowed = np.array([[[True, False, False]], [[False, True, False]]])
    weights = allowed.astype(np.float32)
    for order in ((0, 1), (1, 0)):
        dense = Dense([0], [0, 1], range(1), range(3))
        tile = Tile("self", 0, range(0, 2), range(0, 1), range(0, 3), weights, allowed, own_masks=True)
        for head in order:
            dense.take(tile.part(slice(head, head + 1)))
        np.testing.assert_array_equal(dense.mask, [[[True, True, False]]])
        np.testing.assert_array_equal(dense.result()[0, :, 0], [[1, 0, 0], [0, 1, 0]])


@settings(max_examples=100, deadline=None)
@given(maps(), st.integers(1, 5), st.sampled_from(["max", "mean"]), chosen, st.booleans())
def test_pooled_cells_are_those_of_the_map(found, cell, pool, heads, says_all) -> None:
    n_layers, n_heads, n_query, n_key = found.shape
    heads = [head for head in heads if head < n_heads] or [0]
    pooled = Pooled(range(n_layers), heads, n_query, n_key, cell, pool)
    deliver(pooled, found, says_all)
    cells = pooled.result()
    assert cells.shape == (n_layers, len(heads), -(-n_query // cell), -(-n_key // cell))
    mask = np.broadcast_to(pooled.mask, (n_layers, *cells.shape[2:]))
    for layer, place, r, c in np.ndindex(cells.shape):
        at = np.s_[r * cell : (r + 1) * cell, c * cell : (c + 1) * cell]
        values = found.weights[(layer, heads[place], *at)][found.mask[(layer, *at)]]
        assert mask[layer, r, c] == (len(values) > 0)
        wanted = 0 if not len(values) else values.max() if pool == "max" else values.mean()
        assert cells[layer, place, r, c] == pytest.approx(wanted, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 9).flatmap(lambda n: maps(n)), st.integers(1, 4))
def test_statistics_of_a_text(found, every) -> None:
    special = np.arange(found.shape[2]) % every == 0
    statistics = Statistics(*found.shape[:2], special)
    deliver(statistics, found)
    check_statistics(statistics, found, special)


@pytest.mark.parametrize(("first", "last"), [(i, j) for i in range(6) for j in range(i + 1, 7)])
def test_heads_of_a_part_find_their_own_keys(first, last) -> None:
    """Six heads share three keys, two to each; any run of them does so after the cut."""
    keys = np.arange(3.0)[:, None, None] * np.ones((3, 5, 2))
    weights = np.zeros((6, 3, 5), np.float32)
    tile = Tile("self", 0, range(6), range(3), range(5), weights, all_allowed(3, 5), k=keys, v=-keys)
    part = tile.part(slice(first, last))
    group = len(part.heads) // len(part.k)
    assert len(part.heads) == group * len(part.k) == group * len(part.v)
    assert [part.k[i // group, 0, 0] for i in range(len(part.heads))] == [head // 2 for head in range(first, last)]
    np.testing.assert_array_equal(part.v, -part.k)


def test_statistics_of_texts_count_by_their_rows() -> None:
    """Three of five rows look at themselves; of the three rows with a previous token, two look there."""
    parts = []
    for weights in (np.eye(2), np.eye(3, k=-1) + np.diag([1.0, 0, 0])):
        n = len(weights)
        found = Map(
            weights[None, None].astype(np.float32),
            np.ones((1, n, n), bool),
            [(0, range(1), range(n), range(n))],
        )
        parts.append(Statistics(1, 1, np.zeros(n, bool)))
        deliver(parts[-1], found)
    both = parts[0].state().merge(parts[1].state())
    got = {name: value[0, 0] for name, value in both.result().items()}
    assert got["self"] == pytest.approx(3 / 5)
    assert got["previous"] == pytest.approx(2 / 3)
    assert got["first"] == pytest.approx(3 / 5)
    assert got["distance"] == pytest.approx(2 / 5)
    assert got["entropy"] == 0 and got["span"] == got["confidence"] == 1


def test_statistics_of_one_token() -> None:
    """There is no token before it or after it: 0, and no warning about a division."""
    statistics = Statistics(1, 1, np.zeros(1, bool))
    one = range(1)
    deliver(statistics, Map(np.ones((1, 1, 1, 1), np.float32), np.ones((1, 1, 1), bool), [(0, one, one, one)]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = {name: value[0, 0] for name, value in statistics.result().items()}
    assert got["previous"] == got["next"] == 0
    assert got["self"] == got["confidence"] == got["span"] == 1


def check_statistics(statistics: Statistics, found: Map, special: Any) -> None:
    got = statistics.result()
    for layer, head in np.ndindex(found.shape[:2]):
        a = found.weights[layer, head].astype(float)
        n, mass = len(a), a.sum()
        if mass == 0:
            continue
        entropy = [-sum(w * np.log(w) for w in row if w > 0) for row in a]
        wanted = {
            "entropy": np.mean(entropy),
            "span": np.mean(np.exp(entropy)),
            "confidence": np.mean([row.max() for row in a]),
            "distance": sum(a[i, j] * abs(i - j) for i in range(n) for j in range(n)) / mass,
            "previous": sum(a[i, i - 1] for i in range(1, n)) / max(n - 1, 1),
            "next": sum(a[i, i + 1] for i in range(n - 1)) / max(n - 1, 1),
            "self": sum(a[i, i] for i in range(n)) / n,
            "first": sum(a[i, 0] for i in range(n)) / n,
            "special": sum(a[i, j] for i in range(n) for j in range(n) if special[j]) / n,
        }
        for name, value in wanted.items():
            assert got[name][layer, head] == pytest.approx(value, abs=1e-5), name


def test_a_part_of_a_tile_is_cut_by_head() -> None:
    """Arrays with a row per head are cut, and so are keys and values; a mask for all heads is unchanged."""
    rng = np.random.default_rng(0)
    per_head = [rng.standard_normal((4, 3, 5)) for _ in range(4)]
    shared = [rng.standard_normal((1, 5, 2)) for _ in range(2)]
    by_head = rng.integers(0, 2, (4, 3, 5)).astype(bool)
    weights, scores, q, outputs = per_head
    k, v = shared
    for allowed, cut in ((by_head, by_head[1:3]), (by_head[:1], by_head[:1])):
        tile = Tile("cross", 7, range(8, 12), range(2, 5), range(1, 6), weights, allowed, scores, q, k, v, outputs)
        part = tile.part(slice(1, 3))
        assert (part.stream, part.layer, part.heads) == ("cross", 7, range(9, 11))
        assert (part.rows, part.cols) == (range(2, 5), range(1, 6))
        for got, whole in zip((part.weights, part.scores, part.q, part.outputs), per_head, strict=True):
            np.testing.assert_array_equal(got, whole[1:3])
        np.testing.assert_array_equal(part.k, k)  # of one group, shared by all four heads
        np.testing.assert_array_equal(part.v, v)
        np.testing.assert_array_equal(part.allowed, cut)
    bare = Tile("self", 0, range(0, 4), range(2, 5), range(1, 6), weights, by_head).part(slice(0, 2))
    assert bare.scores is bare.q is bare.k is bare.v is bare.outputs is None


@pytest.mark.parametrize("pool", [None, "max", "mean"])
def test_the_mean_over_heads_in_the_place_of_each(monkeypatch, pool) -> None:
    """For heads in one tile or one by one from threads; pooling then uses the mean."""
    model = attnviz.load("seeded", n_heads=4, causal=True)
    ready = model.prepare(" ".join(f"w{i % 5}" for i in range(23)))
    every = range(23)

    def keeper(some: list[int]) -> Dense | Pooled:
        return Dense([0, 1], some, every, every) if pool is None else Pooled([0, 1], some, 23, 23, 4, pool)

    def found(some: list[int]) -> Any:
        kept = keeper(some)
        model.observe(ready, [MeanOfHeads(kept, 4)])
        return kept.result()

    heads = Dense([0, 1], [0, 1, 2, 3], every, every)
    model.observe(ready, [heads])
    mean = keeper([0])
    for layer in (0, 1):
        weights = heads.result()[layer].mean(0, keepdims=True)
        mean.take(Tile("self", layer, range(1), every, every, weights, heads.mask[:1]))
    np.testing.assert_allclose(found([3, 1]), np.repeat(mean.result(), 2, axis=1), atol=2e-6)
    monkeypatch.setattr(tiles, "WHOLE_LAYER", 0)
    monkeypatch.setattr(tiles, "TILE", 23 * 9)
    np.testing.assert_allclose(found([0, 1, 2, 3]), np.repeat(mean.result(), 4, axis=1), atol=2e-6)
