"""Numbers of every head, against the measures that look at whole maps."""

from __future__ import annotations

import numpy as np
import pytest

import attnviz
from attnviz.engine.tile import Tile, all_allowed
from attnviz.measures.lift import strongest
from attnviz.measures.overview import HighestLift, StrongestLinks, overview

TEXT = "The animal did not cross the street because it was too tired"


@pytest.fixture(scope="module")
def attention():
    return attnviz.load().attend(TEXT)


@pytest.mark.parametrize("causal", [False, True])
def test_the_highest_lift_is_that_of_the_strongest_weight(attention, causal):
    if causal:
        attention = attnviz.load("seeded", causal=True).attend(TEXT)
    found = overview(attention)[-1]
    assert found.name == "lift"
    for (layer, head), value in zip(attention.places, found.values, strict=True):
        best = strongest(attention.select(heads=[f"{layer}.{head}"]))
        assert value == pytest.approx(best.lift, abs=1e-6)


def test_statistics_equal_those_of_the_command(attention):
    rows = {(row["layer"], row["head"]): row for row in attnviz.stats(attention).rows()}
    numbers = overview(attention)
    assert [each.name for each in numbers[:2]] == ["entropy", "span"]
    for each in numbers[:-1]:
        for place, value in zip(attention.places, each.values, strict=True):
            assert value == pytest.approx(rows[place][each.name], abs=1e-5), (each.name, place)


def test_pairs_have_the_numbers_of_their_heads(attention):
    whole = {each.name: dict(zip(attention.places, each.values, strict=True)) for each in overview(attention)}
    pairs = attention.select(heads=["3.1", "0.2"])
    for each in overview(pairs):
        assert each.values == pytest.approx([whole[each.name][place] for place in pairs.places])


def test_cross_attention_has_no_neighbours_and_what_is_no_number_is_none():
    weights = np.full((1, 1, 2, 3), np.nan, np.float32)
    numbers = overview(_foreign(weights))
    assert "previous" not in {each.name for each in numbers}
    assert all(value is None or np.isfinite(value) for each in numbers for value in each.values)


def _foreign(weights):
    from attnviz.axis import Tokens

    axes = (
        Tokens.plain([f"q{i}" for i in range(weights.shape[2])]),
        Tokens.plain([f"k{i}" for i in range(weights.shape[3])]),
    )
    return attnviz.Attention(weights, None, *axes, layers=(0,), heads=(0,), stream="cross")


@pytest.mark.parametrize("rows", [1, 3, 40])
def test_strongest_links_are_those_of_the_whole_map(rows):
    generator = np.random.default_rng(rows)
    weights = generator.integers(0, 50, (2, 40, 40)).astype(np.float32) / 50  # with equal ones
    keys = np.ones(40, bool)
    keys[[0, 7] if rows == 3 else [0]] = False
    links = StrongestLinks([4], [0, 1], keys, 25)
    for start in range(0, 40, rows):
        stop = min(start + rows, 40)
        part = weights[:, start:stop]
        links.take(Tile("self", 4, range(2), range(start, stop), range(40), part, all_allowed(stop - start, 40)))
    for head in range(2):
        every = [(i, j, float(weights[head, i, j])) for i in range(40) for j in range(40) if keys[j]]
        wanted = sorted(every, key=lambda link: (-link[2], link[0], link[1]))[:25]
        assert links.of(4, head) == wanted


def test_queries_without_a_choice_have_no_lift():
    lift = HighestLift(1, 1, np.ones(2, bool), np.ones(2, bool))
    allowed = np.array([[[True, False], [True, True]]])
    weights = np.array([[[1.0, 0.0], [0.25, 0.75]]], np.float32)
    lift.take(Tile("self", 0, range(1), range(2), range(2), weights, allowed))
    assert lift.result().tolist() == [[0.25 - 1.0]], "the second key is seen by one query alone"
