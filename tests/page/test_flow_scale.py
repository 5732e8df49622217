"""Colours of flow: it fills up, so that white is no longer 0 where nearly all of it is large; and what says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.toy_attention import attention, texts, words
from hypothesis import given
from hypothesis import strategies as st

from attnviz.page.colour_limits import flowing
from attnviz.page.heatmap import heatmap
from attnviz.page.scale import round_down, round_up
from attnviz.render.scene import patches


def flows(*least, n=10):
    """Maps, one a layer, of even steps from `least` to 1."""
    found = attention(len(least), 1, words(n))
    weights = np.stack([np.linspace(low, 1, n * n, dtype=np.float32).reshape(n, n) for low in least])[:, None]
    return replace(found, weights=weights, meta={"measure": "flow"})


@pytest.mark.parametrize(
    ("least", "low"),
    [(0.0, 0.0), (0.05, 0.0), (0.4, 0.4), (0.5, 0.5), (0.68, 0.7), (0.79, 0.8), (0.9, 0.9)],
)
def test_white_is_a_round_number_that_nine_tenths_exceed(least, low):
    flow = flows(least)
    scale = flowing(flow.weights, "ink")
    assert (scale.low, scale.high) == (low, 1.0)
    assert (flow.weights >= scale.low).mean() >= 0.9 or low == 0
    figure = heatmap(flow)
    assert any(note == f"white: {low:g} and less" for note in figure.notes) == (low > 0)
    assert texts(figure, "tick")[0] == (f"≤{low:g}" if low else "0")


def test_what_is_below_white_is_counted():
    figure = heatmap(flows(0.68))  # of a hundred even steps from 0.68 to 1 seven lie below 0.7
    assert "7 flows below 0.7 drawn as 0.7" in figure.notes
    assert not any("drawn as" in note for note in heatmap(flows(0.0)).notes)
    several = heatmap(flows(0.0, 0.68, 0.68))
    assert "14 flows below the lower end of their layer's scale drawn as that" in several.notes


def test_what_is_hidden_or_was_not_asked_for_does_not_count():
    weights = np.full((1, 1, 4, 4), 0.9, np.float32) * np.tri(4, dtype=np.float32)
    assert flowing(weights, "ink").low == 0.9
    assert flowing(np.zeros((1, 1, 2, 2), np.float32), "ink").high == 1.0


def test_each_layer_has_a_scale_of_its_own_and_its_heading_says_which():
    figure = heatmap(flows(0.0, 0.5, 0.8))
    assert [(panel.scale.low, panel.scale.high) for panel in figure.panels] == [(0.0, 1.0), (0.5, 1.0), (0.8, 1.0)]
    assert texts(figure, "heading") == ["layer 0: 0 to 1", "layer 1: 0.5 to 1", "layer 2: 0.8 to 1"]
    assert sorted(texts(figure, "tick")) == ["high", "low"]
    assert any(note.startswith("each layer has a scale of its own") for note in figure.notes)
    drawn = [patch.colours for patch in patches(figure)][:3]
    assert all(len(np.unique(colours.reshape(-1, 3), axis=0)) > 30 for colours in drawn)  # differences can be seen
    assert "flow, layer by layer (ink)" in figure.caption.replace("attention weight", "flow")


@pytest.mark.parametrize("asked", [{"vmax": 1.0}, {"scale": "linear"}, {"scale": "sqrt"}])
def test_a_scale_that_was_asked_for_begins_at_nothing(asked):
    figure = heatmap(flows(0.5, 0.8), **asked)
    assert (figure.scale.low, figure.scale.high) == (0.0, 1.0)
    assert not any("white:" in note or "of its own" in note for note in figure.notes)
    assert {panel.scale for panel in figure.panels} == {None}


def test_one_query_has_one_scale_and_its_own_sums():
    flow = flows(0.0, 0.8)
    weights = np.zeros_like(flow.weights)
    weights[:, :, 3] = flow.weights[:, :, 3]  # the rows of other queries are not needed
    figure = heatmap(replace(flow, weights=weights), query=3)
    assert len(figure.panels) == 1 and figure.panels[0].scale is None
    low, high = sorted(weights[:, 0, 3].sum(-1))
    assert f"rows sum to {low:.3g}–{high:.3g}" in figure.notes


@given(st.floats(1e-6, 1e6))
def test_round_numbers_below_and_above(value):
    assert round_down(value) <= value * 1.00001 and round_up(value) >= value * 0.99999
    assert round_down(value) >= value / 2.1


def test_round_down():
    assert [round_down(value) for value in (0.71, 0.7, 0.099, 0.0, 1.0, 0.95)] == [0.7, 0.7, 0.09, 0.0, 1.0, 0.9]
