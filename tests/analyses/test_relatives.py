"""Mechanisms side by side on one text, their distances, and how long they take."""

from __future__ import annotations

import math

import numpy as np
import pytest

import attnviz
from attnviz.analyses.side_by_side import chosen, compare
from attnviz.checkpoints.seeded import SeededWeights, seeded_spec
from attnviz.errors import SelectionError
from attnviz.measures.distance import total_variation
from attnviz.variants import GROUPS, MECHANISMS, scaling

TEXT = "The cat sat on the mat and slept"
DRAW = SeededWeights(0, seeded_spec()).normal


def names(found):
    return [relative.asked.name for relative in found]


# --- distances -----------------------------------------------------------------------------------------------------


def test_total_variation_by_hand() -> None:
    """Rows (1/2, 1/2, 0) and (1, 0, 0) differ by 1/2; disjoint ones by 1; equal ones by 0."""
    first = np.array([[0.5, 0.5, 0], [1, 0, 0], [0.2, 0.3, 0.5]])
    second = np.array([[1, 0, 0], [0, 0.5, 0.5], [0.2, 0.3, 0.5]])
    assert total_variation(first, second) == pytest.approx((0.5 + 1 + 0) / 3)
    assert total_variation(first, first) == 0


def test_signed_rows_are_first_divided_by_the_sum_of_their_sizes() -> None:
    """(-3, 1) becomes (-3/4, 1/4), and a row of zeros stays: 1/2 (3/4 + 3/4) and 1/2."""
    assert total_variation(np.array([[-3.0, 1.0], [0, 0]]), np.array([[0.0, 1.0], [1, 0]])) == pytest.approx(0.625)


@pytest.mark.parametrize("layer", [0, 1, -1])
def test_each_is_the_models_own_with_that_mechanism(layer) -> None:
    model = attnviz.load("seeded", seed=3)
    found, left_out = compare(model, TEXT, layer=layer, head=2, mechanisms=["additive", "window:1", "lsh:2"])
    assert not left_out and names(found) == ["additive", "window:1", "lsh:2"]
    own = model.attend(TEXT, layers=layer, heads=2).weights[0, 0]
    for relative in found:
        alone = model.with_mechanism(relative.asked.name, layer).attend(TEXT, layers=layer, heads=2)
        np.testing.assert_array_equal(relative.attention.weights, alone.weights)
        want = 0.5 * np.abs(alone.weights[0, 0].astype(float) - own).sum(-1).mean()
        assert relative.distance == pytest.approx(want, abs=1e-6)
        assert want > 0.005


def test_what_is_exact_has_no_distance() -> None:
    found, _ = compare(attnviz.load("seeded"), TEXT, mechanisms=["full", "window:8", "lsh:1", "linformer:8"])
    assert max(relative.distance for relative in found) < 1e-6


# --- which ---------------------------------------------------------------------------------------------------------


def test_groups_and_all_of_them() -> None:
    assert chosen(["scoring", "lsh:8"]) == ["scaled-dot", "dot", "general", "concat", "additive", "lsh:8"]
    assert chosen([]) == [name for name, one in MECHANISMS.items() if one.group != "input"]
    found, left_out = compare(attnviz.load("seeded"), TEXT)
    assert names(found) == chosen([]) and not left_out
    assert {relative.asked.mechanism.group for relative in found} == set(GROUPS) - {"input"}


def test_what_a_text_or_a_model_cannot_have_is_left_out_and_said() -> None:
    found, left_out = compare(attnviz.load("seeded", causal=True), "two words")
    assert left_out == {
        "lsh": "lsh wants no more buckets than tokens, 2; got 4",
        "linformer": "linformer has no causal form: its slots mix earlier and later tokens",
    }
    assert set(names(found)) == set(chosen([])) - set(left_out)


def test_what_was_asked_for_by_name_is_an_error() -> None:
    with pytest.raises(SelectionError, match="lsh wants no more buckets than tokens, 2; got 4"):
        compare(attnviz.load("seeded"), "two words", mechanisms=["keys", "lsh"])
    with pytest.raises(SelectionError, match="there is no mechanism 'windw'"):
        compare(attnviz.load("seeded"), TEXT, mechanisms=["windw"])


def test_a_group_that_needs_more_than_a_text_is_asked_for_by_name() -> None:
    with pytest.raises(SelectionError, match="--mechanism input: a text alone has none") as caught:
        compare(attnviz.load("seeded"), TEXT, mechanisms=["input"])
    assert caught.value.hint == "name one: cross (with --pair), patches (with --image)"


def test_between_two_texts() -> None:
    found, left_out = compare(attnviz.load("seeded"), TEXT, mechanisms=["cross", "scoring"], pair="ein zwei drei")
    assert names(found) == ["cross", "scaled-dot", "dot", "general", "concat", "additive"] and not left_out
    assert [relative.attention.weights.shape for relative in found] == [(1, 1, 8, 3)] * 6
    assert found[0].distance == found[1].distance == 0 and min(one.distance for one in found[2:]) > 0.05


def test_over_a_picture() -> None:
    pixels = np.random.default_rng(0).uniform(-1, 1, (3, 64, 64)).astype(np.float32)
    found, _ = compare(attnviz.load("seeded"), None, mechanisms=["patches", "window"], pixel_values=pixels)
    assert [relative.attention.weights.shape for relative in found] == [(1, 1, 17, 17)] * 2
    assert found[0].distance == 0 < found[1].distance


def test_progress_comes_to_one() -> None:
    shares: list[float] = []
    compare(attnviz.load("seeded"), "two words", mechanisms=["keys", "approximation"], progress=shares.append)
    assert sum(shares) == pytest.approx(1) and len(shares) == len(chosen(["keys", "approximation"]))


# --- how long ------------------------------------------------------------------------------------------------------


def test_the_exponent_of_a_fit() -> None:
    n = [128, 256, 512, 1024, 2048]
    assert scaling.fitted(n, [3e-9 * x**2 for x in n]) == pytest.approx(2)
    assert scaling.fitted(n, [7e-6 * x**1.5 for x in n]) == pytest.approx(1.5)
    # Only the last four count: a slow start is no cost.
    assert scaling.fitted(n, [1.0, *(1e-6 * x for x in n[1:])]) == pytest.approx(1)
    assert math.isnan(scaling.fitted([128], [0.1]))


@pytest.mark.parametrize("name", scaling.measured_names())
def test_each_is_measured(name) -> None:
    """A clock that ticks at every look: each measurement takes a tick."""
    ticks = iter(range(10**6))
    setting, seconds = scaling.measure(name, DRAW, sizes=(64, 128), clock=lambda: 0.05 * next(ticks))
    assert seconds == pytest.approx((0.05, 0.05))
    assert setting.split(":")[0] == name and scaling.fitted((64, 128), seconds) == pytest.approx(0)


def test_texts_are_not_doubled_once_one_takes_long() -> None:
    times = iter([0, 0, 0.1, 1, 1, 1.5, *([9] * 9)])
    assert scaling.measure("full", DRAW, sizes=(16, 32, 64), clock=lambda: next(times)) == ("full", (0.1, 0.5))


def test_the_shortest_of_several_counts() -> None:
    times = iter([0, 0, 0.05, 0.05, 0.07, 0.07, 0.13])
    _, seconds = scaling.measure("linear", DRAW, sizes=(16,), clock=lambda: next(times))
    assert seconds == (pytest.approx(0.02),)


def test_what_costs_less_than_its_square_takes_less() -> None:
    """Not timed, counted: how many pairs of queries and keys are looked at for 256 and for 1024 tokens."""
    from attnviz.variants.applied import kind
    from attnviz.variants.base import Grouped, VariantInput
    from attnviz.variants.table import parse

    def pairs(asked, n):
        q, k = (DRAW(f"{which}{n}", (1, n, 16)) for which in "qk")
        made = kind(parse(asked), DRAW)
        assert isinstance(made, Grouped)
        return sum(len(group.rows) * len(group.cols) for group in made.groups(VariantInput(0, q, k, 0.25, False), 0))

    growth = {
        asked: pairs(asked, 1024) / pairs(asked, 256)
        for asked in ("dilated:8", "local-p:8", "bigbird:8", "adaptive-span:8", "memory:16", "permutation", "lsh:8")
    }
    assert growth.pop("permutation") == pytest.approx(16, rel=0.3)
    assert growth.pop("lsh:8") == pytest.approx(16, rel=0.3)
    lsh = pairs("lsh:64", 1024) / pairs("lsh:16", 256)  # buckets of one size
    assert max(*growth.values(), lsh) < 8
