"""The heatmap's Figure: which panels, labels, limits and words it holds, and that nothing touches anything."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from helpers.toy_attention import SENTENCE, attention, special, texts, words
from hypothesis import given, settings
from hypothesis import strategies as st

from attnviz.errors import InputError, SelectionError
from attnviz.page import fonts
from attnviz.page.heatmap import heatmap
from attnviz.page.label_bounds import bounds
from attnviz.page.scale import ticks
from attnviz.page.table import table

# --- panels --------------------------------------------------------------------------------------------------------


def test_panels_are_heads_in_reading_order():
    found = attention(n_heads=7)
    figure = heatmap(found)
    assert [panel.head for panel in figure.panels] == list(range(7))
    assert {panel.layer for panel in figure.panels} == {0}
    assert texts(figure, "heading") == [f"head {i}" for i in range(7)]
    places = [(panel.box.y, panel.box.x) for panel in figure.panels]
    assert places == sorted(places)
    for i, panel in enumerate(figure.panels):
        np.testing.assert_array_equal(panel.values, found.weights[0, i])


def test_rows_of_panels_are_layers():
    found = attention(n_layers=3, n_heads=4, layers=(2, 5, 7), heads=(0, 1, 8, 9))
    figure = heatmap(found)
    assert [(panel.layer, panel.head) for panel in figure.panels] == [(i, j) for i in (2, 5, 7) for j in (0, 1, 8, 9)]
    tops = [panel.box.y for panel in figure.panels]
    assert tops == sorted(tops) and len(set(tops)) == 3
    assert texts(figure, "heading") == ["head 0", "head 1", "head 8", "head 9", "layer 2", "layer 5", "layer 7"]


def test_several_layers_of_one_head_are_named_by_layer():
    figure = heatmap(attention(n_layers=4, heads=(6,)))
    assert texts(figure, "heading") == [f"layer {i}" for i in range(4)]
    assert figure.title == "toy · layers 0–3 · head 6"


def test_labels_stand_on_the_outer_panels_only():
    figure = heatmap(attention(n_heads=6))
    boxes = [panel.box for panel in figure.panels]
    left, lowest = min(box.x for box in boxes), max(box.y + box.height for box in boxes)
    across, down = len({box.x for box in boxes}), len({box.y for box in boxes})
    rows = [label for label in figure.labels if label.role == "row"]
    cols = [label for label in figure.labels if label.role == "column"]
    assert [label.text for label in rows] == list(SENTENCE) * down
    assert [label.text for label in cols] == list(SENTENCE) * across
    assert all(label.x < left for label in rows) and all(label.y > lowest for label in cols)
    assert texts(figure, "axis") == ["query", "key"]


@pytest.mark.parametrize("tokens", [SENTENCE, ("a", "bb", "c"), ("猫", "在", "上"), ("disestablishment",) * 9])
def test_labels_stand_in_the_middle_of_their_cells(tokens):
    figure = heatmap(attention(tokens=tokens))
    box, n = figure.panels[0].box, len(tokens)
    for role, start, cell, near, far in (("row", box.y, box.height / n, 1, 3), ("column", box.x, box.width / n, 0, 2)):
        for i, label in enumerate(label for label in figure.labels if label.role == role):
            sides = bounds(label, figure.face)
            assert (sides[near] + sides[far]) / 2 == pytest.approx(start + (i + 0.5) * cell, abs=0.1 * label.size)


def test_an_incomplete_last_row_has_its_labels_too():
    figure = heatmap(attention(n_heads=7))
    across = len({panel.box.x for panel in figure.panels})
    assert 7 % across
    assert texts(figure, "column") == list(SENTENCE) * across


def test_one_query_is_a_row_a_head():
    found = attention(n_layers=2, n_heads=3)
    figure = heatmap(found, query=2, marks=[(2, 1), (3, 1)])
    assert [panel.layer for panel in figure.panels] == [0, 1]
    np.testing.assert_array_equal(figure.panels[1].values, found.weights[1, :, 2])
    assert figure.panels[0].row_labels == ("head 0", "head 1", "head 2")
    assert figure.panels[0].marks == ((0, 1), (1, 1), (2, 1))
    assert figure.title == "toy · layers 0, 1 · 3 heads · query “animal”"
    assert figure.subtitle.startswith("each row: one head's weights")
    assert texts(figure, "axis") == ["key"]


def test_one_query_of_one_head_is_a_row_a_layer():
    found = attention(n_layers=3)
    figure = heatmap(found, query=1)
    (panel,) = figure.panels
    np.testing.assert_array_equal(panel.values, found.weights[:, 0, 1])
    assert panel.row_labels == ("layer 0", "layer 1", "layer 2")


# --- limits --------------------------------------------------------------------------------------------------------


def test_a_short_text_ends_at_a_round_number_above_all():
    found = attention(n_heads=3, seed=4)
    top = float(found.weights.max())
    assert 0.6 < top < 0.8
    figure = heatmap(found)
    assert (figure.scale.low, figure.scale.high) == (0.0, 0.8)
    assert figure.scale.label == "attention weight" and texts(figure, "tick")[-1] == "0.8"


def test_a_limit_that_was_asked_for_is_kept_and_says_what_it_cuts():
    found = attention(seed=4)
    assert heatmap(found, vmax=0.37).scale.high == 0.37
    figure = heatmap(found, vmax=0.3)
    above = int((found.weights > 0.3).sum())
    assert above > 1 and f"{above} weights above 0.3 drawn as 0.3" in figure.notes
    assert texts(figure, "tick")[-1] == "≥0.3"
    assert not any("above" in note for note in heatmap(found, vmax=1).notes)


def resting(n, share, column=0, **more):
    """Every row gives `share` to one column and draws the rest from a few keys near itself."""
    found = attention(tokens=words(n), seed=1, **more)
    near = np.exp(-(np.subtract.outer(np.arange(n), np.arange(n)) ** 2) / 8.0).astype(np.float32)
    weights = near / near.sum(-1, keepdims=True) * (1 - share)
    weights[:, column] += share
    return replace(found, weights=np.broadcast_to(weights, found.weights.shape).copy())


@pytest.mark.parametrize("column", [0, 57])
def test_a_long_text_shows_patterns_beside_a_token_that_takes_most(column):
    """The pattern's own largest weight is about 0.4 x 0.2: a scale to 1 would hide it."""
    found = resting(100, 0.6, column)
    pattern = np.delete(found.weights[0, 0], [0, column], 1)
    figure = heatmap(found)
    assert pattern.max() / 3 < figure.scale.high < 1.35 * pattern.max()
    count = int((found.weights > figure.scale.high * (1 + 1e-6)).sum())
    why = ", a limit that about a quarter of the rows reach, the first key aside,"
    assert any(f"{count} weights above {figure.scale.high:g}{why} drawn as " in note for note in figure.notes)
    assert texts(figure, "tick")[-1].startswith("≥")


def test_a_quarter_of_the_rows_of_a_long_text_reach_the_limit():
    found = attention(tokens=("[CLS]", *words(150), "[SEP]"), n_heads=2, peak=0.05)
    high = heatmap(found).scale.high
    reached = (found.weights[..., 1:-1].max(-1) > high).mean()
    assert 0.15 < reached < 0.35


def test_a_long_text_of_sharp_heads_keeps_its_limit():
    """Heads that look at one token each need no lower limit; nor does a map that holds one weight."""
    n = 90
    found = attention(tokens=words(n))
    shifted = np.eye(n, k=-1, dtype=np.float32) * 0.95 + 0.05 / n
    assert heatmap(replace(found, weights=shifted[None, None])).scale.high == 1.0
    lone = np.zeros((1, 1, n, n), np.float32)
    lone[0, 0, 51, 7] = 1
    figure = heatmap(replace(found, weights=lone))
    assert figure.scale.high == 1.0 and not any("reach" in note for note in figure.notes)
    assert heatmap(replace(found, weights=lone * 0)).scale.high == 1.0


def test_logarithmic_colours_of_a_long_text_are_limited_by_its_sinks_alone():
    found = resting(100, 0.6, 57)
    assert heatmap(found, scale="log").scale.high == 0.8
    assert heatmap(found, scale="sqrt").scale.high == heatmap(found, scale="linear").scale.high < 0.15
    assert heatmap(found, vmax=1).scale.high == 1


def test_a_first_key_that_takes_most_sets_no_limit():
    """Xiao et al. 2024: 0.6 and more of every row, and 0.08 to the token itself, which must be visible."""
    found = resting(64, 0.6)
    figure = heatmap(found)
    rest = found.weights[..., 1:].max()
    assert rest <= figure.scale.high < 1.35 * rest
    assert "64 weights to the first key above 0.15 drawn as 0.15" in figure.notes
    assert texts(figure, "tick")[-1] == "≥0.15"


def test_special_tokens_set_no_limit_and_nothing_else_lies_above_it():
    found = attention(tokens=SENTENCE)
    weights = np.full((1, 1, 6, 6), 0.02, np.float32)
    weights[..., 5], weights[..., 2] = 0.5, 0.35
    figure = heatmap(replace(found, weights=weights))
    assert figure.scale.high == 0.4 and any(
        note.startswith("6 weights to special tokens or the first key above 0.4") for note in figure.notes
    )
    without = heatmap(replace(found, weights=weights).without_special())
    assert without.scale.high == 0.4 and not any("above" in note for note in without.notes)


@pytest.mark.parametrize(("n", "kind"), [(1, "linear"), (16, "linear"), (17, "sqrt"), (100, "sqrt")])
def test_many_keys_in_a_row_have_square_root_colours(n, kind):
    figure = heatmap(attention(tokens=words(n)))
    assert figure.scale.kind == kind == table(attention(tokens=words(n))).scale.kind
    note = "colour grows with the square root of the weight, as more than 16 keys share a row"
    assert (note in figure.notes) == (kind == "sqrt")
    assert f"{kind} from 0 to" in figure.caption
    assert heatmap(attention(tokens=words(n)), scale="linear").scale.kind == "linear"
    pooled = replace(attention(tokens=words(n)), cell=20)
    assert heatmap(pooled).scale.kind == "sqrt"


def test_auto_limits_a_short_text_too():
    found = resting(12, 0.6)
    figure = heatmap(found, vmax="auto")
    assert figure.scale.high < 0.15
    # The first column, and a weight on the diagonal.
    assert figure.notes[0].startswith("13 weights above 0.12, a limit that about a quarter")


def test_auto_passes_over_special_tokens():
    found = attention(tokens=SENTENCE)
    weights = np.full((1, 1, 6, 6), 0.02, np.float32)
    weights[..., 0], weights[..., 5] = 0.4, 0.5
    weights[..., 2] = 0.1
    assert heatmap(replace(found, weights=weights), vmax="auto").scale.high == 0.1


def test_weights_of_nothing_but_special_tokens_have_a_limit():
    found = attention(tokens=("[CLS]", "[SEP]"), peak=50.0)
    assert heatmap(found, vmax="auto").scale.high in (0.5, 0.6)


@pytest.mark.parametrize("n", [1, 2, 6, 63, 64, 65, 150])
@pytest.mark.parametrize(
    "options",
    [{}, {"vmax": "auto"}, {"scale": "log"}, {"scale": "sqrt", "vmax": "auto"}, {"vmax": 0.2}, {"scale": "row"}],
)
def test_a_terminal_has_the_same_limits(n, options):
    found = attention(tokens=words(n), n_heads=2, peak=0.1, causal=n == 65)
    assert table(found, **options).scale == heatmap(found, **options).scale
    one = replace(found, weights=found.weights[:, :, :1], queries=found.queries.take([0]), mask=None)
    assert table(one, **options).scale == heatmap(replace(found, mask=None), query=0, **options).scale


def test_each_row_by_its_own_largest():
    figure = heatmap(attention(), scale="row")
    assert figure.scale.label == "share of the row's largest"
    assert "each row coloured by its own largest weight" in figure.notes
    np.testing.assert_allclose(figure.scale.unit(figure.panels[0].values).max(-1), 1)


@pytest.mark.parametrize(
    ("kind", "note", "labels"),
    [
        ("linear", None, ["0", "0.2", "0.4", "0.6", "0.8"]),
        ("sqrt", "colour grows with the square root of the weight", ["0", "0.02", "0.1", "0.2", "0.5", "0.8"]),
        ("log", "logarithmic colour, from 0.0008; what is less has its first colour", ["8e-4", "0.01", "0.1", "0.8"]),
        ("row", "each row coloured by its own largest weight", ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
    ],
)
def test_kinds_of_scale(kind, note, labels):
    figure = heatmap(attention(n_heads=3, seed=4), scale=kind, font_size=9)
    assert figure.scale.kind == kind
    assert note is None or note in figure.notes
    shown = texts(figure, "tick")
    assert shown[-1] == labels[-1] and set(shown) <= {*labels, "0.0008", "0.001"}


@pytest.mark.parametrize("high", [1, 0.8, 0.7, 0.64, 0.33, 0.25, 0.12, 0.015, 3e-6, 40.0, 0.9999])
@pytest.mark.parametrize("most", [2, 3, 4, 6])
def test_ticks_end_at_the_limits_and_keep_apart(high, most):
    for kind in ("linear", "sqrt"):
        found = ticks(kind, 0.0, high, most)
        assert 2 <= len(found) <= most
        assert found[0] == (0.0, 0.0) and found[-1] == (pytest.approx(high), pytest.approx(1.0))
        places = [place for _, place in found]
        assert all(b - a > 0.3 / most for a, b in pairwise(places)) or kind == "sqrt"
    values = [value for value, _ in ticks("log", high / 1000, high, most)]
    assert values == sorted(values) and values[0] == pytest.approx(high / 1000)


@pytest.mark.parametrize("high", [1, 0.8, 0.5, 0.3, 0.25, 0.12, 0.015, 3e-6, 40.0, 7.0])
@pytest.mark.parametrize("room", [2, 3, 4, 5, 6, 12])
def test_ticks_of_a_scale_with_signs_name_zero_and_the_same_numbers_on_both_sides(high, room):
    found = ticks("linear", -high, high, room)
    assert found[0] == (-high, 0.0) and found[-1] == (high, 1.0) and (0.0, 0.5) in found
    assert [(-value, 1 - place) for value, place in reversed(found)] == [
        (value, pytest.approx(place)) for value, place in found
    ]
    assert all(place == pytest.approx(0.5 + value / high / 2, abs=1e-5) for value, place in found)
    assert len(found) <= max(room, 3)


def test_a_bar_from_minus_a_half_to_a_half_is_labelled_in_quarters():
    assert [value for value, _ in ticks("linear", -0.5, 0.5)] == [-0.5, -0.25, 0, 0.25, 0.5]
    assert [value for value, _ in ticks("linear", -0.3, 0.3, 12)] == [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]


# --- labels and numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "width"), [(120, None), (60, 3.03), (300, 5.5)])
def test_thinned_labels_say_every_how_many(n, width):
    figure = heatmap(attention(tokens=words(n)), width=width)
    shown = texts(figure, "row")
    step = int(shown[1][1:])
    assert step > 1 and shown == [f"w{i}" for i in range(0, n, step)]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(step, "th")
    assert f"every {step}{ending} token labelled" in figure.notes


def test_no_room_for_labels_is_said():
    figure = heatmap(attention(n_layers=12, n_heads=12, tokens=words(40)), width=3.25)
    assert not texts(figure, "row") and "no room for token labels" in figure.notes
    assert "numbers: layers down, heads across" in figure.notes
    assert texts(figure, "heading")[:2] == ["0", "1"]


def test_a_figure_of_too_many_tokens_for_its_pixels_draws_the_largest_of_each_block():
    n = 400
    found = attention(tokens=words(n), peak=0.01)
    figure = heatmap(found, width=1.5, dpi=100)
    values = figure.panels[0].values
    k = -(-n // len(values))
    assert k > 1 and figure.notes[0] == f"drawn as the largest of {k} x {k} weights a cell"
    assert values[0, 0] == found.weights[0, 0, :k, :k].max() and values.max() == found.weights.max()
    assert figure.subtitle == "each row: one query's weights over the keys" or figure.subtitle == ""
    step = next(note for note in figure.notes if note.endswith("token labelled"))
    second = int(texts(figure, "row")[1][1:])
    assert f"every {second}" in step


def test_numbers_stand_in_the_cells_but_for_the_smallest():
    found = attention(seed=4)
    figure = heatmap(found)
    (panel,) = figure.panels
    for i, row in enumerate(panel.cell_text):
        for j, text in enumerate(row):
            weight = found.weights[0, 0, i, j]
            assert text == (f"{weight:.2f}".removeprefix("0") if weight >= 0.04 else "")
    assert "numbers below 0.04 left out" in figure.notes
    assert panel.cell_size >= 5.5


def test_numbers_are_as_exact_as_asked():
    weights = np.array([[[[1.0, 0.0], [0.125, 0.875]]]], np.float32)
    found = replace(attention(tokens=("a", "b")), weights=weights)
    assert heatmap(found).panels[0].cell_text == (("1", ""), (".12", ".88"))
    assert heatmap(found, decimals=3).panels[0].cell_text == (("1", ""), (".125", ".875"))
    assert heatmap(found, decimals=0).panels[0].cell_text == ()
    assert not any("left out" in note for note in heatmap(found).notes)


def test_small_cells_hold_no_numbers():
    assert heatmap(attention(tokens=words(60))).panels[0].cell_text == ()


@pytest.mark.parametrize(
    ("n_layers", "n_heads", "tokens", "width"),
    [(1, 1, 15, 3.25), (1, 8, 15, None), (1, 8, 15, 3.25), (1, 1, 40, None), (1, 2, 40, None), (2, 3, 15, 6)],
)
def test_numbers_that_do_not_fit_are_said_with_a_width_that_shows_them(n_layers, n_heads, tokens, width):
    found = attention(n_layers=n_layers, n_heads=n_heads, tokens=words(tokens))
    figure = heatmap(found, width=width)
    (note,) = [note for note in figure.notes if note.startswith("numbers")]
    assert not figure.panels[0].cell_text
    wider = re.fullmatch(r"numbers in the cells: from a width of ([\d.]+) in", note)
    large = heatmap(found, width=float(wider[1]))
    assert large.panels[0].cell_text and not any("from a width" in note for note in large.notes)
    assert float(wider[1]) > (width or 0)


def test_numbers_that_no_picture_shows_or_nobody_wants_are_not_spoken_of():
    for found, how in ((attention(tokens=words(200)), {}), (attention(tokens=words(40)), {"decimals": 0})):
        assert not any(note.startswith("numbers") for note in heatmap(found, **how).notes)


def test_marks_are_drawn_named_and_bold():
    found = attention()
    figure = heatmap(found, marks=[(4, 2)])
    assert figure.panels[0].marks == ((4, 2),)
    assert figure.subtitle.startswith(f"tired → animal {found.weights[0, 0, 4, 2]:.2f} · ")
    bold = [(label.role, label.text) for label in figure.labels if label.weight == "bold" and label.role != "title"]
    assert bold == [("row", "tired"), ("column", "animal")]


def test_two_texts_are_parted():
    tokens = replace(special(SENTENCE), segments=(0, 0, 0, 1, 1, 1))
    figure = heatmap(replace(attention(), queries=tokens, keys=tokens))
    box = figure.panels[0].box
    lines = [line for line in figure.lines if line.tone == "paper"]
    assert [(line.x0, line.y0) for line in lines] == [
        (box.x, pytest.approx(box.y + box.height / 2)),
        (pytest.approx(box.x + box.width / 2), box.y),
    ]
    assert "lines part the two texts" in figure.notes


# --- words ---------------------------------------------------------------------------------------------------------


def test_masked_cells_are_hidden_and_explained():
    figure = heatmap(attention(causal=True))
    np.testing.assert_array_equal(figure.panels[0].hidden, ~np.tri(6, dtype=bool))
    assert figure.notes[0] == "grey: later tokens, not allowed"
    found = attention()
    mask = np.ones((1, 6, 6), bool)
    mask[0, 1, 4] = False
    assert heatmap(replace(found, mask=mask)).notes[0] == "grey: not allowed"
    assert heatmap(replace(found, mask=np.ones((1, 6, 6), bool))).panels[0].hidden is None


def test_layers_may_have_masks_of_their_own():
    found = attention(n_layers=2)
    mask = np.ones((2, 6, 6), bool)
    mask[1, :, 5] = False
    figure = heatmap(replace(found, mask=mask))
    assert figure.panels[0].hidden is None and figure.panels[1].hidden[:, 5].all()


def test_what_the_picture_says_of_its_model():
    found = attention(meta={"random": True, "seed": 7, "notes": ["a remark"], "ignored_keys": ("x_scale", "y_norm")})
    figure = heatmap(found, name="My model")
    assert figure.title == "My model · layer 0 · head 0"
    assert figure.subtitle.startswith("random weights, seed 7")
    assert figure.notes[-2:] == ("a remark", "ignored configuration keys: x_scale, y_norm")
    once = heatmap(attention(meta={"ignored_keys": ["x_scale"], "notes": "one remark"}))
    assert once.notes[-2:] == ("one remark", "ignored configuration key: x_scale")


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({}, "toy · layer 0 · head 0"),
        ({"stream": "cross"}, "toy · cross-attention · layer 0 · head 0"),
        ({"stream": "decoder"}, "toy · decoder self-attention · layer 0 · head 0"),
        ({"heads": (0, 1, 2)}, "toy · layer 0 · mean over heads 0–2"),
        ({"layers": (1, 4), "heads": (5,)}, "toy · mean over layers 1, 4 · head 5"),
        ({"model": ""}, "layer 0 · head 0"),
    ],
)
def test_titles(change, title):
    assert heatmap(replace(attention(), **change)).title == title


def test_a_title_and_a_name_of_ones_own():
    figure = heatmap(attention(), title="What\n  it says")
    assert figure.title == "What it says" and texts(figure, "title") == ["What it says"]


def test_reduced_attention_says_so_once():
    found = attention(n_heads=3).mean("heads").without_special()
    figure = heatmap(found)
    assert figure.title == "toy · layer 0 · mean over heads 0–2"
    assert figure.notes[0] == "special tokens left out"
    assert not any("mean over" in note or "rows sum" in note for note in figure.notes)
    assert figure.subtitle == "each row: one query's weights over the keys"


def test_rows_that_do_not_sum_to_one_are_noted():
    found = attention()
    assert "rows sum to 0.5" in heatmap(replace(found, weights=found.weights / 2)).notes


def test_pooled_attention_is_not_called_rows_of_weights():
    found = attention(tokens=words(30), cell=8, reduced="max over cells of 8 x 8 tokens")
    found = replace(found, weights=found.weights * 1.7)
    figure = heatmap(found)
    assert figure.subtitle == "each cell: the largest weight of 8 x 8 tokens"
    assert not any("sum" in text for text in (*figure.notes, figure.subtitle, figure.caption))
    narrow = heatmap(found, width=2.0)
    assert any(note.startswith("every ") and note.endswith(" cell labelled") for note in narrow.notes)
    mean = heatmap(replace(found, reduced="special tokens left out; mean over cells of 8 x 8 tokens"))
    assert mean.subtitle == "each cell: the mean weight of 8 x 8 tokens" and mean.notes[0] == "special tokens left out"
    assert heatmap(replace(found, reduced="")).subtitle == "each cell: 8 x 8 tokens"


def test_caption_says_all_of_it():
    found = attention(causal=True, seed=4, meta={"random": True, "seed": 0})
    assert heatmap(found, decimals=0).caption == (
        "toy · layer 0 · head 0. Random weights, seed 0 · each row: one query's weights over the keys, summing to 1. "
        "Colour: attention weight, linear from 0 to 0.8 (ink). grey: later tokens, not allowed. "
        "1 weight to special tokens or the first key above 0.8 drawn as 0.8."
    )


def test_a_bare_picture_has_no_words_but_labels():
    found = attention(n_heads=2, causal=True)
    figure = heatmap(found, bare=True)
    assert figure.bar is None
    assert {label.role for label in figure.labels} == {"heading", "row", "column", "axis"}
    assert "grey: later tokens" in figure.caption and "Colour: attention weight" in figure.caption
    assert figure.height < heatmap(found).height


def test_who_made_it():
    figure = heatmap(attention(meta={"digest": "abc", "seed": 3, "other": 1}), meta={"command": "attnviz heatmap x"})
    assert figure.meta.pop("version").startswith("attnviz ")
    assert figure.meta == {"model": "toy", "digest": "abc", "seed": "3", "command": "attnviz heatmap x"}


# --- sizes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [3.03, 3.25, 5.5, 6.75])
@pytest.mark.parametrize(("n_layers", "n_heads"), [(1, 1), (1, 12), (6, 12)])
def test_a_width_is_kept(width, n_layers, n_heads):
    figure = heatmap(attention(n_layers, n_heads), width=width)
    assert figure.width == width * 72.0
    assert max(panel.box.x + panel.box.width for panel in figure.panels) > 0.7 * figure.width


def test_width_and_height_are_kept():
    figure = heatmap(attention(n_heads=4), width=5.5, height=3.0)
    assert (figure.width, figure.height) == (396.0, 216.0)


def test_cells_are_whole_pixels_and_square():
    for options in ({}, {"width": 3.03}, {"dpi": 150}):
        figure = heatmap(attention(n_heads=12), **options)
        box = figure.panels[0].box
        pixels = box.width / 6 * figure.dpi / 72
        assert pixels == pytest.approx(round(pixels), abs=1e-6) and box.width == pytest.approx(box.height)


# --- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": "cube"}, "scale must be one of auto, linear, sqrt, log, row; got 'cube'"),
        (
            {"cmap": "jet"},
            "cmap jet is a rainbow: its brightness goes up and down, so it shows edges that the weights do not have",
        ),
        ({"cmap": "RdBu"}, "cmap RdBu is a diverging map for signed values, which these are not"),
        ({"vmax": "most"}, "vmax must be a number above 0, or auto; got 'most'"),
        ({"vmax": float("nan")}, "vmax must be a number above 0, or auto; got nan"),
        ({"vmax": 1, "scale": "row"}, "vmax has no meaning with scale row: each row has a largest weight of its own"),
        ({"width": 0.6}, "width 0.6 in leaves no room for 1 panel"),
        ({"width": 0.1}, "width must be from 0.5 to 100; got 0.1"),
        ({"height": 0.7}, "height 0.7 in leaves no room for 1 panel"),
        ({"dpi": 5000}, "dpi must be from 20 to 2400; got 5000"),
        ({"svg_text": "outline"}, "svg text must be one of keep, paths; got 'outline'"),
        ({"query": 6}, "query must be an index from 0 to 5; got 6"),
        ({"marks": [(0, 6)]}, "a mark must be within 6 queries and 6 keys; got 0:6"),
        ({"font": "No Such Font"}, "font 'No Such Font' is not installed"),
        ({"width": 90, "dpi": 2400}, "a picture of 216,000 x"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(SelectionError) as caught:
        heatmap(attention(), **options)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_weights_that_cannot_be_drawn():
    found = attention()
    with pytest.raises(InputError, match=r"nothing to draw: weights are \[0, 1, 6, 6\]"):
        heatmap(replace(found, weights=found.weights[:0], layers=()))
    broken = found.weights.copy()
    broken[0, 0, 1, 1] = np.nan
    with pytest.raises(InputError, match="weights are not finite numbers"):
        heatmap(replace(found, weights=broken))


# --- fonts ---------------------------------------------------------------------------------------------------------


def test_characters_without_a_font_are_named(monkeypatch):
    """With matplotlib's fonts alone there is no Chinese: a box stands for each character, and a note says which."""
    monkeypatch.setattr(fonts, "folders", lambda: [fonts._shipped()])
    figure = heatmap(attention(tokens=("猫", "ok", "说话")))
    runs = [figure.face.runs(label.text) for label in figure.labels if label.role == "row"]
    assert [text for run in runs for text, _ in run] == ["□", "ok", "□□"]
    advice = "install e.g. Noto Sans CJK (Debian: fonts-noto-cjk)"
    assert f"no font here has U+732B U+8BDD U+8BF4 (drawn □); {advice}" in figure.notes
    assert "no font" not in " ".join(heatmap(attention(tokens=("Ünï", "Ω", "Ж"))).notes)


@pytest.mark.parametrize(("version", "joined"), [("3.9.4", False), ("3.10.7", False), ("3.11.0", True), ("4.0", True)])
def test_letters_that_an_old_library_cannot_join_are_noted(monkeypatch, version, joined):
    monkeypatch.setattr("importlib.metadata.version", lambda _: version)
    figure = heatmap(attention(tokens=("القطة", "تنام")))
    note = f"letters that join are drawn apart: matplotlib {version} cannot join them, 3.11 can"
    assert (note in figure.notes) is not joined
    assert not any("join" in note for note in heatmap(attention(tokens=("猫", "cat"))).notes)


def test_signs_that_cannot_be_seen_are_shown():
    figure = heatmap(attention(tokens=(" ", "a\nb", "\t", "\u202e", "e\u0301")))
    assert texts(figure, "row")[:3] == ["␣", "a↵b", "⇥"]
    assert "\u202e" not in "".join(label.text for label in figure.labels)


# --- nothing touches anything --------------------------------------------------------------------------------------

PIECES = (
    "the",
    "[CLS]",
    ".",
    "gy",
    "antidisestablishmentarianism",
    "猫",
    "我爱北京天安门",
    "x" * 90,
    "␣",
    "日本語 の文",
)
EDGE = 0.3  # points


@st.composite
def requests(draw):
    n_layers, n_heads = draw(st.sampled_from([(1, 1), (1, 2), (1, 5), (1, 7), (1, 12), (2, 3), (4, 1), (6, 12)]))
    n_query = draw(st.sampled_from([1, 2, 3, 7, 15, 40, 120]))
    n_key = draw(st.sampled_from([n_query, n_query, n_query, 1, 9, 60]))
    pieces = st.sampled_from(PIECES)
    queries = draw(st.lists(pieces, min_size=n_query, max_size=n_query))
    one_text = n_key == n_query and draw(st.booleans())
    keys = queries if one_text else draw(st.lists(pieces, min_size=n_key, max_size=n_key))
    found = attention(
        n_layers, n_heads, tuple(queries), tuple(keys), model=draw(st.sampled_from(["m", "m" * 40, "型"]))
    )
    options = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "width": st.sampled_from([2.0, 3.03, 5.5, 9.0]),
                "height": st.sampled_from([2.0, 4.0]),
                "font_size": st.sampled_from([4.0, 7.0, 14.0]),
                "vmax": st.sampled_from([0.012, 0.7, 1.0]),
                "scale": st.sampled_from(["log", "sqrt"]),
                "bare": st.booleans(),
                "query": st.just(0),
                "marks": st.just([(0, 0), (n_query - 1, n_key - 1)]),
                "spans": st.sampled_from([[(0, n_key - 1, "all of it, 文")], [(i, i, f"s {i}") for i in range(n_key)]]),
                "dpi": st.sampled_from([72.0, 150.0]),
                "title": st.just("A title that is rather longer than most titles are, to be sure of it"),
            },
        )
    )
    return found, options


def overlap(a, b):
    """The overlap of two boxes (left, top, right, bottom), in points."""
    return min(min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1]))


@settings(max_examples=250, deadline=None, derandomize=True)
@given(requests())
def test_nothing_leaves_the_picture_or_touches_anything(request):
    found, options = request
    try:
        figure = heatmap(found, **options)
    except SelectionError as error:
        assert "leaves no room for" in str(error)
        return
    placed = [(label.text, bounds(label, figure.face)) for label in figure.labels]
    boxes = [panel.box for panel in figure.panels] + ([figure.bar] if figure.bar else [])
    panels = [("panel", (box.x, box.y, box.x + box.width, box.y + box.height)) for box in boxes]
    for name, (left, top, right, bottom) in placed + panels:
        inside = left >= -EDGE and top >= -EDGE and right <= figure.width + EDGE and bottom <= figure.height + EDGE
        assert inside, f"{name} leaves the picture"
    sides = np.array([box for _, box in placed + panels])
    for i, j in combinations(range(len(panels)), 2):
        assert overlap(panels[i][1], panels[j][1]) <= 1e-6, "panels overlap"
    deep = np.minimum(sides[:, None, 2:], sides[None, :, 2:]) - np.maximum(sides[:, None, :2], sides[None, :, :2])
    touching = np.argwhere(np.triu((deep > EDGE).all(-1), 1))
    assert not len(touching), [(placed + panels)[i][0] for i in touching[0]]
