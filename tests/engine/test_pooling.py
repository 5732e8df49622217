"""Collectors that keep less than everything, against the dense map, in one pass and over odd tile sizes."""

from __future__ import annotations

import numpy as np
import pytest

import attnviz
from attnviz.engine import tiles
from attnviz.engine.collectors import Dense, Pooled
from attnviz.errors import SelectionError
from attnviz.measures.statistics import Statistics

N = 101
TEXT = " ".join(f"w{i % 17}" for i in range(N))


def by_hand(weights, mask, cell, pool):
    """Pooling as documented: over the allowed places of each cell."""
    n_cells = -(-N // cell)
    out = np.zeros((*weights.shape[:2], n_cells, n_cells), np.float32)
    seen = np.zeros((n_cells, n_cells), bool)
    for r in range(n_cells):
        for c in range(n_cells):
            at = np.s_[r * cell : (r + 1) * cell, c * cell : (c + 1) * cell]
            allowed = mask[0][at]
            seen[r, c] = allowed.any()
            if seen[r, c]:
                values = weights[(slice(None), slice(None), *at)][..., allowed]
                out[:, :, r, c] = values.max(-1) if pool == "max" else values.mean(-1)
    return out, seen


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 7, 16, 64])
def test_one_pass_feeds_all(monkeypatch, causal, rows) -> None:
    """rows: query rows per tile, 0 for a whole layer; most of these numbers divide neither the text nor the cells."""
    if rows:
        monkeypatch.setattr(tiles, "WHOLE_LAYER", 0)
        monkeypatch.setattr(tiles, "TILE", rows * N)
    model = attnviz.load("seeded", causal=causal)
    given = model.prepare(TEXT)
    everything = range(N)
    dense = Dense(range(2), range(4), everything, everything)
    window = Dense([1], [0, 3], range(40, 61), range(35, 90))
    pooled = [Pooled(range(2), range(4), N, N, cell, pool) for cell in (4, 10) for pool in ("max", "mean")]
    special = np.arange(N) % 5 == 0
    statistics = Statistics(2, 4, special)
    model.observe(given, [dense, window, *pooled, statistics])
    np.testing.assert_array_equal(window.result(), dense.weights[1:, [0, 3], 40:61, 35:90])
    np.testing.assert_array_equal(window.mask, dense.mask[:, 40:61, 35:90])
    for keep in pooled:
        wanted, seen = by_hand(dense.weights, dense.mask, keep.cell, keep.pool)
        np.testing.assert_allclose(keep.result(), wanted, atol=1e-7)
        np.testing.assert_array_equal(keep.mask[0], seen)
    check_statistics(statistics, dense.weights.astype(float), special)


def check_statistics(statistics, a, special) -> None:
    """Each number from its formula, with plain loops over rows."""
    entropy = -(a * np.log(np.where(a > 0, a, 1))).sum(-1)
    i, j = np.arange(N)[:, None], np.arange(N)[None]
    wanted = {
        "entropy": entropy.mean(-1),
        "span": np.exp(entropy).mean(-1),
        "confidence": a.max(-1).mean(-1),
        "distance": (a * abs(i - j)).sum((-1, -2)) / a.sum((-1, -2)),
        "previous": np.mean([a[..., r, r - 1] for r in range(1, N)], 0),
        "next": np.mean([a[..., r, r + 1] for r in range(N - 1)], 0),
        "self": np.mean([a[..., r, r] for r in range(N)], 0),
        "first": a[..., 0].mean(-1),
        "special": a[..., special].sum(-1).mean(-1),
    }
    got = statistics.result()
    assert set(got) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, atol=2e-5, rtol=2e-5, err_msg=name)


def test_statistics_of_two_texts_add_up() -> None:
    model, parts = attnviz.load("seeded"), []
    for text in ("one two three", "four five six seven"):
        given = model.prepare(text)
        parts.append(Statistics(2, 4, np.zeros(len(given.keys), bool)))
        model.observe(given, [parts[-1]])
    first, second = (part.result() for part in parts)
    both = parts[0].state().merge(parts[1].state()).result()
    np.testing.assert_allclose(both["self"], (3 * first["self"] + 4 * second["self"]) / 7)
    np.testing.assert_allclose(both["previous"], (2 * first["previous"] + 3 * second["previous"]) / 5)


def test_cells_of_a_text() -> None:
    model = attnviz.load("seeded", causal=True)
    found = model.attend(TEXT, cells=10, pool="mean")
    assert found.cell == 11 and found.weights.shape == (2, 4, 10, 10)
    assert found.query_tokens[0] == "w0 0–10" and found.query_tokens[-1] == "w14 99–100"
    assert found.reduced == "mean over cells of 11 x 11 tokens"
    assert not found.mask[0][np.triu_indices(10, 1)].any()
    assert model.attend(TEXT, cells=N).cell == 1
    with pytest.raises(SelectionError, match="cells must be a whole number from 1; got 0"):
        model.attend(TEXT, cells=0)
    with pytest.raises(SelectionError, match="pool must be one of max, mean; got 'median'"):
        model.attend(TEXT, cells=5, pool="median")


def test_a_window_of_the_text() -> None:
    model = attnviz.load("seeded")
    whole, part = model.attend(TEXT), model.attend(TEXT, rows=(40, 50), cols=(0, 30))
    np.testing.assert_array_equal(part.weights, whole.weights[:, :, 40:50, :30])
    assert part.query_tokens == whole.query_tokens[40:50]
    with pytest.raises(SelectionError, match="rows must lie within 0-100; got 90-120"):
        model.attend(TEXT, rows=(90, 121))
