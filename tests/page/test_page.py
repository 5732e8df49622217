"""Pictures of many panels: a page unless a size is asked for, layers in columns, and nothing that touches anything."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.drawn_boards import boards
from helpers.toy_attention import attention, texts, words

from attnviz.page.figure_options import FigureOptions
from attnviz.page.heatmap import heatmap
from attnviz.page.label_bounds import bounds
from attnviz.page.parts import Board, MapTable, Page
from attnviz.page.place import place

ROOM = 961 * 1321  # points, a page upright or across


def panels_of(figure):
    """{(layer, head): box}"""
    return {(panel.layer, panel.head): panel.box for panel in figure.panels}


@pytest.mark.parametrize(
    ("n_layers", "n_heads", "n"),
    [
        (30, 9, 12),
        (30, 9, 40),
        (48, 25, 8),
        (32, 32, 15),
        (12, 12, 120),
        (1, 128, 10),
        (80, 1, 10),
        (6, 64, 6),
        (31, 4, 9),
    ],
)
def test_every_head_of_a_model_fits_a_page(n_layers, n_heads, n):
    figure = heatmap(attention(n_layers, n_heads, words(n)))
    assert len(figure.panels) == n_layers * n_heads
    assert figure.width * figure.height <= ROOM and max(figure.width, figure.height) <= 1322
    cells = [panel.box.width / panel.values.shape[1] * figure.dpi / 72 for panel in figure.panels]
    assert min(cells) > 0.999
    sides = np.array(
        [bounds(label, figure.face) for label in figure.labels]
        + [(box.x, box.y, box.x + box.width, box.y + box.height) for box in (panel.box for panel in figure.panels)]
    )
    assert (sides[:, :2] > -0.3).all() and (sides[:, 2:] < np.array([figure.width, figure.height]) + 0.3).all()
    deep = np.minimum(sides[:, None, 2:], sides[None, :, 2:]) - np.maximum(sides[:, None, :2], sides[None, :, :2])
    assert not np.triu((deep > 0.3).all(-1), 1).any()


def test_layers_of_a_deep_model_run_down_columns():
    figure = heatmap(attention(30, 9, words(12)))
    at = panels_of(figure)
    assert "layers in 2 columns, each from top to bottom" in figure.notes
    assert any(note.startswith("panels made small enough for one page") for note in figure.notes)
    assert at[0, 0].y == at[15, 0].y and at[14, 8].y == at[29, 8].y  # beside each other
    assert all(at[layer, 8].x < at[layer + 15, 0].x for layer in range(15))
    assert all(at[layer, 0].y < at[layer + 1, 0].y for layer in (*range(14), *range(15, 29)))
    named = [text for text in texts(figure, "heading") if text.startswith("layer")]
    assert named == [f"layer {i}" for i in range(30)]
    assert texts(figure, "heading").count("head 0") == 2  # above either column


def test_labels_of_the_columns_stand_under_the_lowest_panel_of_each():
    figure = heatmap(attention(31, 9, words(12)))
    at = panels_of(figure)
    below = [label.y for label in figure.labels if label.role == "column"]
    for column in ((15, 0), (30, 8)):  # 16 layers, then 15
        box = at[column]
        middle = box.y + box.height
        assert any(0 < y - middle < 20 for y in below)


def test_few_panels_keep_their_size():
    figure = heatmap(attention(6, 12, words(16)))
    assert not any("page" in note or "columns" in note for note in figure.notes)
    assert len({panel.box.x for panel in figure.panels}) == 12


@pytest.mark.parametrize("asked", [{"width": 30.0}, {"height": 60.0}, {"width": 20.0, "height": 20.0}])
def test_a_size_that_was_asked_for_is_kept(asked):
    figure = heatmap(attention(30, 9, words(12)), **asked)
    for side, inches in asked.items():
        assert getattr(figure, side) == pytest.approx(inches * 72, abs=1)
    assert not any("page" in note for note in figure.notes)


def test_dots_make_a_page_finer_and_not_larger():
    found = attention(30, 9, words(12))
    coarse, fine = heatmap(found, dpi=100), heatmap(found, dpi=400)
    assert fine.width == pytest.approx(coarse.width, rel=0.2)
    assert fine.dpi == 400


def test_more_tokens_than_pixels_are_drawn_as_the_largest_of_a_block():
    found = attention(30, 9, words(150))
    weights = np.zeros_like(found.weights)
    weights[..., 0] = 0.5
    weights[7, 3, 100, 70] = 0.5
    figure = heatmap(replace(found, weights=weights))
    (note,) = (note for note in figure.notes if note.startswith("drawn as the largest of"))
    k = int(note.split()[5])
    panel = next(panel for panel in figure.panels if (panel.layer, panel.head) == (7, 3))
    assert panel.values.shape == (math.ceil(150 / k),) * 2 and k > 1
    assert panel.values[100 // k, 70 // k] == 0.5 and np.count_nonzero(panel.values[:, 1:]) == 1


# --- other pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_layers", "n", "columns"), [(30, 12, 2), (30, 40, 2), (6, 12, 1), (12, 120, 2)])
def test_what_moves_in_every_layer_fits_a_page(n_layers, n, columns):
    found = attention(n_layers, 1, words(n))
    measures = dict.fromkeys(("weights", "norm", "residual", "alti", "zeroing"), found)
    table = MapTable(measures, [str(layer) for layer in range(n_layers)], "layer", "share of the row")
    figure = place(Page("norms", parts=(table,)), FigureOptions())
    assert figure.width * figure.height <= 1.05 * ROOM and max(figure.width, figure.height) <= 1320
    maps = [panel for panel in figure.panels if not panel.title.startswith("bar")]
    assert len(maps) == 5 * n_layers
    tops = [panel.box.y for panel in maps[::5]]
    assert tops.index(max(tops)) == math.ceil(n_layers / columns) - 1
    assert any("columns, each from top to bottom" in note for note in figure.notes) == (columns > 1)
    assert any("token is named beside the map" in note for note in figure.notes) == (n != 12 or n_layers == 30)
    sides = np.array([bounds(label, figure.face) for label in figure.labels])
    assert (sides[:, :2] > 0).all() and (sides[:, 2:] < [figure.width, figure.height]).all()


@pytest.mark.parametrize(("n", "abreast"), [(8, 2), (72, 2), (270, 2)])
def test_boards_of_every_pair_of_heads_fit_a_page_and_say_how_many_are_named(n, abreast):
    values = np.linspace(0, 1, n * n).reshape(n, n)
    names = [f"{i // 9}.{i % 9}" for i in range(n)]
    all = [Board(values, "composition", kind, cell_text=()) for kind in ("queries", "keys", "values")]
    figure = boards(all, layers=names, heads=names, axes=("reading head", "writing head"))
    assert figure.width * figure.height <= 1.05 * ROOM and max(figure.width, figure.height) <= 1282
    assert len({panel.box.x for panel in figure.panels if panel.title in ("queries", "keys", "values")}) == abreast
    first = figure.panels[0].box
    assert first.width == pytest.approx(first.height, rel=0.5)
    said = [note for note in figure.notes if note.endswith(" is named")]
    named = [len(set(texts(figure, role))) for role in ("row", "column")]
    for axis, count in zip(("reading", "writing"), named, strict=True):
        assert any(f"{axis} head is named" in note for note in said) == (count < n)


def test_indices_one_after_another_need_no_remark():
    values = np.linspace(0, 1, 4000).reshape(4, 1000)
    figure = boards([Board(values)], layers=range(4), heads=range(1000))
    assert len(texts(figure, "column")) < 1000 and not any("is named" in note for note in figure.notes)
