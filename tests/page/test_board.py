"""Boards: one number per head."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from helpers.drawn_boards import board, boards

from attnviz.errors import InputError, SelectionError
from attnviz.page.below import LIFT
from attnviz.page.boards import numbers
from attnviz.page.figure_options import FigureOptions
from attnviz.page.fitted import stripped
from attnviz.page.label_bounds import bounds
from attnviz.page.parts import Bars, Board, Boards, Depth, Entry, Page, Paragraph, RunningText
from attnviz.page.place import place
from attnviz.render.image import to_bytes


def texts(figure, role):
    return [label.text for label in figure.labels if label.role == role]


def test_a_cell_a_head_with_its_number():
    values = np.array([[0.5, 1.0, 0.126], [0.0, 0.25, np.nan]])
    found = board(values, layers=(2, 5), heads=(0, 3, 9), label="share", title="A model", marks=[(1, 1)])
    (panel,) = found.panels
    assert panel.cell_text == ((".50", "1", ".13"), (".00", ".25", ""))
    assert panel.hidden.tolist() == [[False] * 3, [False, False, True]]
    assert panel.marks == ((1, 1),)
    assert (texts(found, "row"), texts(found, "column"), texts(found, "axis")) == (
        ["2", "5"],
        ["0", "3", "9"],
        ["layer", "head"],
    )
    assert (found.scale.low, found.scale.high, found.scale.label) == (0.0, 1.0, "share")
    assert found.notes == ("grey: not defined",)
    assert found.bar is not None and found.bar_ticks[0] == (0.0, 0.0) and found.bar_ticks[-1] == (1.0, 1.0)


def test_signed_values_diverge_from_0():
    found = board(np.array([[0.31, -0.1]]), layers=[0], heads=range(2), label="lift", signed=True)
    assert (found.scale.low, found.scale.high, found.scale.cmap) == (-0.4, 0.4, "inks")
    assert found.panels[0].cell_text == ((".31", "−.10"),)


def test_a_number_does_not_reach_what_its_value_does_not():
    """0.397 of the 0.4 that is asked for would be printed as .40, though the head has it not."""
    values = np.array([[0.397, 0.4, 0.3949, 0.199, np.nan]])
    one = Board(values, "score", least=np.full((1, 5), 0.4))
    assert numbers(one) == [[".39", ".40", ".39", ".20", ""]]
    assert numbers(Board(values, "score"))[0][0] == ".40"
    large = np.array([[29.96, 30.0, 12.0]])
    assert numbers(Board(large, "keys", least=np.full((1, 3), 30.0))) == [["29.9", "30.0", "12.0"]]


def test_boards_of_one_scale_share_its_bar_and_others_have_their_own():
    values = np.array([[0.2, 0.4]])
    how = {"layers": [0], "heads": range(2)}
    one = boards([Board(values, "share", "a", high=1.0), Board(values / 2, "share", "b", high=1.0)], **how)
    assert len(one.panels) == 2 and one.bar is not None
    two = boards([Board(values, "share", "a", high=1.0), Board(values * 50, "nats", "b")], **how)
    assert two.bar is None
    assert [(p.title, p.scale.high) for p in two.panels] == [("a", 1), ("bar share", 1), ("b", 20), ("bar nats", 20)]
    assert two.panels[2].cell_text == (("10.0", "20.0"),)
    assert texts(two, "heading") == ["a", "b"] and texts(two, "axis").count("layer") == 1


def test_nothing_stands_outside_the_page_or_on_another_board():
    values = np.random.default_rng(0).random((12, 16)) * 300
    many = [
        Board(values, f"number {i}", f"board {i} with a heading that is too long for its place", high=300.0 + i)
        for i in range(5)
    ]
    for width in (None, 5.5):
        found = boards(many, layers=range(12), heads=range(16), title="A title", notes=["a note"], width=width)
        boxes = [panel.box for panel in found.panels]
        for box in boxes:
            assert box.x >= 0 and box.y >= 0
            assert box.x + box.width <= found.width and box.y + box.height <= found.height
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                apart = a.x >= b.x + b.width or b.x >= a.x + a.width or a.y >= b.y + b.height or b.y >= a.y + a.height
                assert apart
        ends = [(s.x, s.x + found.face.width(s.text, s.size, "bold"), s.y) for s in found.labels if s.role == "heading"]
        assert all(b[2] != a[2] or b[0] >= a[1] or b[1] <= a[0] for a in ends for b in ends if a != b)
        for label in found.labels:
            assert 0 <= label.x <= found.width and 0 <= label.y <= found.height
    assert found.width == pytest.approx(5.5 * 72)


def places(figure):
    """(name, (left, top, right, bottom)) of all labels, boards and bars."""
    boxes = [panel.box for panel in figure.panels] + ([figure.bar] if figure.bar else [])
    labels = [(label.text, bounds(label, figure.face)) for label in figure.labels]
    return labels + [("box", (box.x, box.y, box.x + box.width, box.y + box.height)) for box in boxes]


def touching(figure):
    """Pairs of labels and boxes that are less than half a point apart, and what leaves the page."""
    found = places(figure)
    out = [a for a, (x0, y0, x1, y1) in found if min(x0, y0) < 0 or x1 > figure.width or y1 > figure.height]
    near = [
        (a, b)
        for (a, one), (b, other) in combinations(found, 2)
        if min(min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1)) > -0.5
    ]
    return near, out


LONG = "weight on the previous token"


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (2, 2), (1, 5), (3, 3)])
@pytest.mark.parametrize("label", ["score", "entropy (nats)", "strongest lift", LONG])
def test_nothing_touches_on_a_board_of_few_heads(shape, label):
    values = np.linspace(0.1, 1.2, shape[0] * shape[1]).reshape(shape)
    rows, cols = shape
    how = {
        "heads": [f"{i}.11" for i in range(cols)],
        "title": "A title",
        "notes": ["a note"],
        "axes": ("", "layer.head"),
    }
    alone = board(values, layers=range(rows), label=label, **how)
    headed = [Board(values, label, heading, high=2.0) for heading in ("previous-token ≥ 0.40 · 0", "sink · 2")]
    names = [[str(i) for i in range(size)] for size in (rows, cols)]
    deep = (Boards((Board(values, label),), *names), Depth(values, names[0], label))
    for found in (
        alone,
        boards(headed[::-1], layers=range(rows), **how),
        boards(headed * 2, layers=range(rows), abreast=2, **how),
        boards([replace(one, high=3.0 - i) for i, one in enumerate(headed)], layers=range(rows), **how),
        place(Page("A title", "", deep, ("a note",)), FigureOptions()),
    ):
        assert touching(found) == ([], [])
    (name,) = (placed for placed in alone.labels if placed.role == "bar")
    _, top, _, bottom = bounds(name, alone.face)
    assert name.text == label and name.size == 9.0  # the bar is as high as its name is long
    assert alone.bar.y <= top + 1e-6 and bottom <= alone.bar.y + alone.bar.height + 1e-6


def test_many_heads_have_fewer_names_and_no_numbers():
    found = board(np.zeros((80, 64)), layers=range(80), heads=range(64), label="x")
    assert found.panels[0].cell_text == ()
    assert texts(found, "column")[:3] == ["0", "4", "8"] and texts(found, "row")[:2] == ["0", "2"]


def test_cells_may_hold_words():
    words = [["prev", ""], ["", "sink"]]
    found = board(np.eye(2), layers=range(2), heads=range(2), label="x", cell_text=words)
    assert found.panels[0].cell_text == (("prev", ""), ("", "sink"))


def test_bare_is_the_board_alone():
    found = board(np.eye(2), layers=range(2), heads=range(2), label="share", title="A model", notes=["x"])
    found = stripped(found)
    assert found.bar is None and not texts(found, "title") and not texts(found, "note")
    assert found.caption == "A model. share from 0 to 1. x."


def test_every_format_paints_it():
    found = board(np.eye(3), layers=range(3), heads=range(3), label="share", title="A model")
    for format, start in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        drawn = to_bytes(found, format)
        assert drawn.startswith(start) and drawn == to_bytes(found, format)
    assert b">share<" in to_bytes(found, "svg")


def test_errors():
    with pytest.raises(InputError, match=r"values must be \[2 layers, 3 heads\]; got \[3, 2\]"):
        board(np.zeros((3, 2)), layers=range(2), heads=range(3), label="x")
    with pytest.raises(SelectionError, match="leaves no room for 64 columns"):
        board(np.zeros((2, 64)), layers=range(2), heads=range(64), label="x", width=1.0)


def test_a_word_among_numbers_keeps_its_name():
    names = [*map(str, range(9)), "mlp"]
    part = Boards((Board(np.zeros((30, 10)), "x"),), [str(i) for i in range(30)], names, ("layer", "part"))
    figure = place(Page("t", "", (part,)), FigureOptions(width=1.6))
    assert texts(figure, "column")[-1] == "mlp" and "9" not in texts(figure, "column")
    assert not [note for note in figure.notes if "is named" in note]
    crowded = replace(part, heads=[f"cross {i}" for i in range(9)] + ["mlp"])
    figure = place(Page("t", "", (crowded,)), FigureOptions(width=1.6))
    assert [note for note in figure.notes if "part is named" in note]


@pytest.mark.parametrize(("weights", "high"), [(((0.9, 0.0), (0.0, 0.4)), 9.0), (((0.9, 0.5), (0.0, 0.4)), 4.0)])
def test_bars_that_never_lie_over_each_other_are_equally_high(weights, high):
    entries = tuple(Entry("text", "0.1", *pair) for pair in weights)
    part = Boards((Board(np.eye(2), "x"),), "01", "01")
    figure = place(Page("t", "", (part, Bars("list", entries))), FigureOptions())
    assert {fill.box.height for fill in figure.fills if fill.rgb == LIFT} == {high}


@pytest.mark.parametrize("width", [2.0, 2.6, 3.25, 6.5])
def test_the_key_of_a_running_text_is_on_the_page(width):
    part = RunningText((Paragraph("head 0", (0.1, 0.807), ("0", "0")),), ("a", "b"), (False, True), 0.80731)
    figure = place(Page("t", "", (part,)), FigureOptions(width=width))
    ends = [label.x + figure.face.width(label.text, label.size) for label in figure.labels if label.role == "tick"]
    assert len(ends) == 4 and max(ends) <= figure.width
