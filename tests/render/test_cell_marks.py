"""Marks for prints in grey: masked cells of grey maps are hatched, negative cells have a dash."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.toy_attention import attention

from attnviz.page.figure import Box, Figure, MapPanel, Scale
from attnviz.page.heatmap import heatmap
from attnviz.page.scale import GREYS, INKS
from attnviz.render.cell_marks import HATCH, strokes
from attnviz.render.raster import paint
from attnviz.render.theme import HIDDEN, MAPS, table


def panel(values, hidden=None, scale=None, title="a", texts=()):
    rows, cols = values.shape
    return MapPanel(title, values, hidden, ("a",) * rows, ("b",) * cols, Box(10, 20, 80, 60), texts, 7.0, scale=scale)


def figure(*panels, scale=None, bar=None):
    return Figure(100.0, 100.0, panels, scale or Scale(), bar=bar, dpi=288)


def hatched(figure):
    return [line for line in strokes(figure) if line.rgb == HATCH]


def dashes(figure):
    return [line for line in strokes(figure) if line.rgb is None and line.y0 == line.y1]


def test_the_maps_without_colour_are_known():
    grey = {name for name in MAPS if (table(name) == table(name)[:, :1]).all()}
    assert grey == GREYS


def test_every_stroke_lies_in_hidden_cells_and_every_hidden_cell_has_strokes():
    hidden = np.random.default_rng(3).random((6, 8)) < 0.4
    lines = hatched(figure(panel(np.zeros((6, 8), np.float32), hidden), scale=Scale(cmap="Greys")))
    seen = np.zeros_like(hidden)
    for line in lines:
        assert line.x1 - line.x0 == pytest.approx(line.y0 - line.y1)  # they rise to the right
        for share in np.linspace(0.001, 0.999, 97):
            x, y = (a + share * (b - a) for a, b in ((line.x0, line.x1), (line.y0, line.y1)))
            cell = int((y - 20) / 10), int((x - 10) / 10)
            assert hidden[cell]
            seen[cell] = True
    assert (seen == hidden).all()


@pytest.mark.parametrize("cmap", ["Greys", "Greys_r"])
def test_a_masked_cell_differs_from_every_colour_of_a_grey_map(cmap):
    """Its pixels are of two greys; a weight's are of one, whichever it is."""
    hidden = np.array([[False, True], [False, False]])
    value = float(np.abs(table(cmap).astype(int)[:, 0] - HIDDEN[0]).argmin() / 255)  # drawn as masked cells are
    pixels = paint(figure(panel(np.full((2, 2), value, np.float32), hidden), scale=Scale(cmap=cmap)))
    cells = [pixels[90 + 120 * i : 180 + 120 * i, 60 + 160 * j : 180 + 160 * j] for i in (0, 1) for j in (0, 1)]
    spread = [int(cell.max()) - int(cell.min()) for cell in cells]
    assert spread[1] > 40 and spread[0] == spread[2] == spread[3] == 0
    assert abs(int(cells[0].max()) - HIDDEN[0]) <= 2


def test_maps_of_colours_are_not_hatched_and_the_note_says_which():
    causal = attention(causal=True)
    for cmap, word in (("ink", "grey"), ("Greys", "hatched"), ("Greys_r", "hatched"), ("viridis", "grey")):
        drawn = heatmap(causal, cmap=cmap)
        assert bool(hatched(drawn)) == (word == "hatched")
        assert f"{word}: later tokens, not allowed" in drawn.notes


def test_negative_cells_have_a_dash_and_no_others():
    values = np.array([[-1.0, -0.5, -0.01, 0.0], [0.2, 1.0, -0.3, -0.9]], np.float32)
    signed = Scale("linear", -1.0, 1.0, INKS)
    at = {(int((line.y0 - 20) / 30), int(((line.x0 + line.x1) / 2 - 10) / 20)) for line in dashes(
        figure(panel(values, np.array([[0, 0, 0, 0], [0, 0, 0, 1]], bool)), scale=signed))}  # fmt: skip
    assert at == {(0, 0), (0, 1), (1, 2)}
    assert not dashes(figure(panel(values, texts=(("−1",) * 4,) * 2), scale=signed))
    assert not dashes(figure(panel(abs(values))))


def test_a_print_in_grey_keeps_the_sign():
    """Two cells equally far from 0 are equally light except for the dash."""
    values = np.array([[-0.7, 0.7]], np.float32)
    pixels = paint(figure(panel(values), scale=Scale("linear", -1.0, 1.0, INKS)))
    grey = pixels @ np.array([0.2126, 0.7152, 0.0722])
    minus, plus = grey[90:300, 60:180], grey[90:300, 220:340]
    assert abs(minus[0, 0] - plus[0, 0]) < 12
    assert np.ptp(plus) == 0 and np.ptp(minus) > 60


def test_the_colour_bar_says_what_a_dash_means():
    signed = Scale("linear", -2.0, 2.0, INKS)
    bar = Box(92, 20, 6, 60)
    lines = dashes(figure(panel(np.zeros((1, 1), np.float32)), scale=signed, bar=bar))
    assert len(lines) >= 3 and all(50 < line.y0 < 80 and 92 < line.x0 < line.x1 < 98 for line in lines)
    steps = MapPanel("bar x", np.zeros((64, 1), np.float32), None, ("",) * 64, ("",), bar, scale=signed)
    assert [line.y0 for line in dashes(figure(steps))] == [line.y0 for line in lines]
