"""Sums over texts: they merge in any way, and give what plain NumPy or slow loops give of all texts at once."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnviz.axis import Tokens
from attnviz.corpora.links import LinksOfText, TopLinks
from attnviz.corpora.merge import merged
from attnviz.corpora.places import TOKENS, Places, place_sums
from attnviz.corpora.summary import CELLS, NATS, SHARE, SIZE, Summary, arrays_of, state_of
from attnviz.engine.tile import Tile, all_allowed

GRIDS = [SHARE, NATS, SIZE]


def texts_of(seed, n, holes=0.2):
    """[text, number, layer, head] with values inside and outside of the grids, and holes."""
    random = np.random.default_rng(seed)
    values = np.stack(
        [random.random((n, 2, 3)), random.exponential(3, (n, 2, 3)), np.exp(random.normal(1, 3, (n, 2, 3)))], 1
    )
    values[random.random(values.shape) < holes] = np.nan
    return values


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 40), st.lists(st.integers(0, 40), max_size=4))
def test_merged_summaries_are_the_summary_of_all(seed, n, cuts):
    values = texts_of(seed, n)
    edges = sorted({0, n, *(cut for cut in cuts if cut < n)})
    parts = [Summary.of(list(values[a:b]), GRIDS) for a, b in itertools.pairwise(edges)]
    total, whole = merged(parts, Summary.merge), Summary.of(list(values), GRIDS)
    for name in ("count", "low", "high", "cells"):
        np.testing.assert_array_equal(getattr(total, name), getattr(whole, name))
    known = whole.count > 0
    np.testing.assert_allclose(total.mean[known], np.nanmean(values[:, known], axis=0), rtol=1e-12)
    several = whole.count > 1
    deviation = np.nanstd(values[:, several], axis=0, ddof=1)
    np.testing.assert_allclose(total.deviation()[several], deviation, rtol=1e-9, atol=1e-12)
    assert np.isnan(total.deviation()[~several]).all() and np.isnan(total.quantile(0.5, GRIDS)[~known]).all()


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_quantiles_differ_by_less_than_a_cell(share):
    values = texts_of(3, 5000, holes=0.0)
    got = Summary.of(list(values), GRIDS).quantile(share, GRIDS)
    wanted = np.quantile(values, share, axis=0, method="inverted_cdf")
    for number, grid in enumerate(GRIDS):
        edges = grid.edges()
        cell = np.clip(np.searchsorted(edges, wanted[number], side="right") - 1, 0, CELLS - 1)
        width = edges[cell + 1] - edges[cell]
        inside = (wanted[number] > edges[0]) & (wanted[number] < edges[-1])
        assert inside.any()
        assert (np.abs(got[number] - wanted[number])[inside] <= width[inside]).all()


def test_the_outer_quantiles_are_the_extremes():
    values = texts_of(3, 500)
    summary = Summary.of(list(values), GRIDS)
    np.testing.assert_array_equal(summary.quantile(0.0, GRIDS), np.nanmin(values, axis=0))
    np.testing.assert_array_equal(summary.quantile(1.0, GRIDS), np.nanmax(values, axis=0))


def test_a_state_comes_back_from_its_arrays():
    summary = Summary.of(list(texts_of(1, 5)), GRIDS)
    again = state_of(Summary, "x", arrays_of(summary, "x"))
    np.testing.assert_array_equal(again.cells, summary.cells)
    np.testing.assert_array_equal(again.mean, summary.mean)


@pytest.mark.parametrize("count", range(1, 12))
def test_the_tree_keeps_the_order_of_its_parts(count):
    assert merged([str(i) for i in range(count)], str.__add__) == "".join(map(str, range(count)))


def tiles(weights, allowed=None, rows_each=None):
    """The tiles of [layer, head, query, key], some rows at a time."""
    n_layers, n_heads, n, n_key = weights.shape
    for layer in range(n_layers):
        for start in range(0, n, rows_each or n):
            rows = range(start, min(start + (rows_each or n), n))
            mask = all_allowed(len(rows), n_key) if allowed is None else allowed[None, rows.start : rows.stop]
            yield Tile(
                "self", layer, range(n_heads), rows, range(n_key), weights[layer, :, rows.start : rows.stop], mask
            )


def drawn(seed, n, causal=False):
    weights = np.random.default_rng(seed).dirichlet(np.full(n, 0.2), (2, 3, n)).astype(np.float32)
    allowed = np.tril(np.ones((n, n), bool)) if causal else np.ones((n, n), bool)
    weights = weights * allowed
    return weights / weights.sum(-1, keepdims=True), allowed


@pytest.mark.parametrize("causal", [False, True])
def test_variability_is_the_papers_formula(causal):
    """Against a slow loop over texts and places; the cells' mean may hide what `short` says, and no more."""
    lengths = (4, 12, 30, 10, 7, 12, 9)
    maps = [drawn(i, n, causal) for i, n in enumerate(lengths)]
    collected = []
    for weights, allowed in maps:
        places = Places(2, 3)
        for tile in tiles(weights, allowed, rows_each=3):
            places.take(tile)
        collected.append(places.weights)
    result = merged([place_sums(collected[:3]), place_sums(collected[3:])], lambda a, b: a.merge(b)).result()
    apart, total = np.zeros((2, 3)), np.zeros((2, 3))
    for i in range(TOKENS):
        for j in range(TOKENS):
            there = [weights[:, :, i, j] for weights, allowed in maps if len(allowed) > max(i, j) and allowed[i, j]]
            if there:
                apart += sum(abs(each - np.mean(there, axis=0)) for each in there)
                total += sum(there)
    wanted = apart / (2 * total)
    assert (wanted > 0.3).all()
    assert (result["variability"] <= wanted + 1e-6).all()
    assert (wanted <= result["variability"] + result["short"] + 1e-6).all()
    assert (result["short"] < 0.05).all()


def test_the_same_pattern_in_every_text_does_not_vary():
    weights, _ = drawn(1, 12)
    places = Places(2, 3)
    for tile in tiles(weights):
        places.take(tile)
    result = place_sums([places.weights] * 9).result()
    np.testing.assert_allclose(result["variability"], 0, atol=1e-7)


def words(n, seed):
    return replace(Tokens.plain([f"w{seed}.{i}" for i in range(n)]), special=tuple(i == 0 for i in range(n)))


def links_of(seed, n, causal=False, so_far=None, rows_each=None, count=4):
    weights, allowed = drawn(seed, n, causal)
    tokens = words(n, seed)
    collector = LinksOfText(2, 3, count, seed, tokens, tokens, so_far)
    for tile in tiles(weights, allowed, rows_each):
        for part in (tile.part(slice(h, h + 1)) for h in range(3)) if rows_each else [tile]:
            collector.take(part)
    return collector.links


def slow_links(seeds, n, causal, count):
    """All lifts of all texts in plain loops, sorted."""
    found = {}
    for seed in seeds:
        weights, allowed = drawn(seed, n, causal)
        for layer in range(2):
            for head in range(3):
                for i in range(1, n):
                    for j in range(1, n):
                        seen = [k for k in range(n) if allowed[k, j] and k != i]
                        if not allowed[i, j] or not seen or allowed[i].sum() < 2:
                            continue
                        rest = sum(float(weights[layer, head, k, j]) for k in seen) / len(seen)
                        lift = float(weights[layer, head, i, j]) - rest
                        found.setdefault((layer, head), []).append((-np.float32(lift), seed, i, j))
    return {at: sorted(links)[:count] for at, links in found.items()}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("rows_each", [None, 3])
def test_the_strongest_links_of_all_texts(causal, rows_each):
    seeds, n, count = [5, 2, 9, 7], 8, 4
    apart = merged([links_of(seed, n, causal, rows_each=rows_each) for seed in seeds], TopLinks.merge)
    in_turn = None
    for seed in seeds:
        links = links_of(seed, n, causal, in_turn, rows_each)
        in_turn = links if in_turn is None else in_turn.merge(links)
    for (layer, head), wanted in slow_links(seeds, n, causal, count).items():
        for links in (apart, in_turn):
            got = [
                (int(links.text[layer, head, k]), int(links.query[layer, head, k]), int(links.key[layer, head, k]))
                for k in range(count)
            ]
            assert got == [(text, i, j) for _, text, i, j in wanted]
            np.testing.assert_allclose(links.lift[layer, head], [-float(each[0]) for each in wanted], atol=1e-6)
            assert links.query_token[layer, head, 0] == f"w{wanted[0][1]}.{wanted[0][2]}"


def test_a_text_of_one_token_has_no_links():
    links = links_of(1, 2)
    assert (links.text[links.lift == -np.inf] == -1).all()
    assert links_of(3, 1).text.max() == -1
