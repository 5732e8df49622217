"""Bars of tokens: their widths are the numbers, names are at their left, numbers at their ends."""

from __future__ import annotations

import numpy as np
import pytest

from attnviz.errors import SelectionError
from attnviz.page.figure_options import FigureOptions
from attnviz.page.parts import Page, TokenBars
from attnviz.page.place import place
from attnviz.page.plots import COLOURS

VALUES = np.array([[0.8, 0.2], [0.1, 0.5], [0.0, 0.05], [0.1, 0.25]])
PART = TokenBars(
    "heading", ["Paris", "the", "a", "9 other tokens"], VALUES, ("before", "after"), "probability", (0,), True
)


def drawn(part=PART, **options):
    return place(Page("title", "subtitle", (part,)), FigureOptions(**options))


def bars(figure, colour):
    """The widths of the bars of one colour from top to bottom, without the key."""
    fills = [fill for fill in figure.fills if fill.rgb == COLOURS[colour]]
    return [fill.box.width for fill in sorted(fills, key=lambda fill: fill.box.y)][1:]


def test_a_bar_is_as_long_as_its_number():
    figure = drawn()
    before, after = bars(figure, 0), bars(figure, 1)
    unit = before[0] / 0.8
    assert before == pytest.approx([0.8 * unit, 0.1 * unit, 0.1 * unit])  # 0 has no bar
    assert after == pytest.approx([0.2 * unit, 0.5 * unit, 0.05 * unit, 0.25 * unit])


def test_names_are_at_the_left_and_numbers_at_the_ends():
    figure = drawn()
    rows = [label for label in figure.labels if label.role == "row"]
    assert [label.text for label in rows] == ["Paris", "the", "a", "9 other tokens"]
    assert [label.weight for label in rows] == ["bold", "normal", "normal", "normal"]
    assert [label.text for label in figure.labels if label.role == "cell"] == [
        "0.8", "0.2", "0.1", "0.5", "0", "0.05", "0.1", "0.25",
    ]  # fmt: skip
    assert "Paris 0.8 and 0.2" in figure.caption


def test_one_number_per_token_has_one_bar():
    part = TokenBars("vectors", ["a", "b"], VALUES[:2, :1], ("turn",), "1 − cosine")
    figure = drawn(part)
    assert not [fill for fill in figure.fills if fill.rgb == COLOURS[1]]
    first, second = (fill.box.width for fill in figure.fills)
    assert first == pytest.approx(8 * second)
    assert "1 − cosine" in {label.text for label in figure.labels}


@pytest.mark.parametrize("width", [2.2, 3.25, 5.0, 11.0])
def test_everything_is_on_the_page(width):
    long = TokenBars(
        "h",
        ["an unreasonably long name of one single token"] * 2,
        VALUES[:2],
        ("whole model", "without 240 heads"),
        "p",
    )
    figure = drawn(long, width=width)
    for fill in figure.fills:
        assert fill.box.x >= 0 and fill.box.x + fill.box.width <= figure.width + 0.1
    for label in figure.labels:
        wide = figure.face.width(label.text, label.size, label.weight)
        left = {"left": label.x, "right": label.x - wide, "center": label.x - wide / 2}[label.align]
        assert left >= 0 and left + wide <= figure.width + 0.5, label.text


def test_numbers_that_are_all_0_have_no_bars():
    figure = drawn(TokenBars("h", ["a"], np.zeros((1, 1)), ("x",), "x"))
    assert not figure.fills
    with pytest.raises(SelectionError, match="no room"):
        drawn(width=1.0)
