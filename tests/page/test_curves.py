"""Curves over training steps: where steps stand, and that names can be read."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from attnviz.page.curves import colour_of
from attnviz.page.figure_options import FigureOptions
from attnviz.page.parts import Board, Boards, Curves, Page
from attnviz.page.place import place

NAMES = [f"{layer}.{head}" for layer in range(3) for head in range(4)]


def figure(values, steps, stressed=(0, 1, 2, 3, 4), log=False, **options):
    curves = Curves(
        steps, values, NAMES, [int(name[0]) for name in NAMES], "induction score", "step", log, stressed, 0.4
    )
    boards = Boards((Board(values, "score"),), NAMES, list(map(str, steps)), ("layer.head", "step"))
    return place(Page("run", "", (curves, boards)), FigureOptions(**options))


def test_steps_stand_where_they_are():
    linear = Curves((100, 200, 1100), np.zeros((1, 3)), ["0.0"], [0], "")
    assert [linear.place(step) for step in linear.steps] == [0.0, 0.1, 1.0]
    log = Curves((1, 10, 10_000), np.zeros((1, 3)), ["0.0"], [0], "", log=True)
    assert [log.place(step) for step in log.steps] == pytest.approx([0, 0.25, 1])
    with_zero = Curves((0, 1, 10_000), np.zeros((1, 3)), ["0.0"], [0], "", log=True)
    first, second, last = map(with_zero.place, with_zero.steps)
    assert first == 0.0 < second < 0.1 and last == 1.0
    assert Curves((7,), np.zeros((1, 1)), ["0.0"], [0], "").place(7) == 0.5


@pytest.mark.parametrize("options", [{}, {"width": 3.25}])
def test_names_of_heads_that_end_together_are_apart(options):
    drawn = figure(np.full((12, 4), 0.01), (0, 10, 100, 1000), log=True, **options)
    names = sorted(label.y for label in drawn.labels if label.weight == "bold" and label.text in NAMES)
    assert len(names) == 5 and min(b - a for a, b in pairwise(names)) > 7.0
    heading, key = (
        next(label for label in drawn.labels if label.text == text) for text in ("induction score", "layer 0")
    )
    face = drawn.face
    assert heading.x + face.width(heading.text, heading.size, "bold") < key.x - face.width(key.text, key.size)
    assert all(0 <= label.x <= drawn.width and 0 <= label.y <= drawn.height for label in drawn.labels)


def test_a_line_ends_at_its_number_and_gaps_are_left_out():
    values = np.tile(np.linspace(0, 1, 5), (12, 1))
    values[1, 2] = np.nan
    drawn = figure(values, (0, 1, 2, 3, 4), stressed=(1,))
    first, *others = (line for line in drawn.lines if line.width == 1.9)
    assert len(others) == 2  # three lines between the four numbers that are known
    assert others[-1].y1 < first.y0
    assert others[-1].x1 - first.x0 == pytest.approx(4 * (first.x1 - first.x0))


def test_layers_go_from_light_to_dark():
    shades = [sum(colour_of(layer, range(6))) for layer in range(6)]
    assert shades == sorted(shades, reverse=True) and len(set(shades)) == 6
