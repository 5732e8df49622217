"""Pages of a given size: lengths as people write them, letters of a given size, and pictures without words."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.drawn_boards import boards
from helpers.drawn_lines import lines
from helpers.sentences import TIRED
from PIL import Image

import attnviz
from attnviz.cli.figure_options import Picture
from attnviz.cli.options import UsageError
from attnviz.errors import SelectionError
from attnviz.page.figure_options import FigureOptions, length
from attnviz.page.fitted import fitted, is_bar, scaled, stripped
from attnviz.page.label_bounds import bounds
from attnviz.page.parts import Board
from attnviz.page.place import place

VALUES = np.linspace(0.0, 1.0, 72).reshape(6, 12)


def board(width=None, **how):
    return boards([Board(VALUES)], layers=range(6), heads=range(12), title="A board", notes=["a note"], width=width)


@pytest.fixture(scope="module")
def changed():
    page = attnviz.diff(attnviz.load("seeded"), "the cat sat", "the dog sat").page()
    return lambda width: place(page, FigureOptions(width=width))


@pytest.fixture(scope="module")
def linked():
    attention = attnviz.load("seeded").attend(TIRED)
    return lambda width: lines(attention, width=width)


PAGES = ("board", "changed", "linked")


@pytest.fixture
def draw(request, changed, linked):
    return {"board": board, "changed": changed, "linked": linked}[request.param]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("3.25", 3.25),
        ("3.25in", 3.25),
        ("3.25 IN", 3.25),
        ("8.255cm", 3.25),
        ("82.55mm", 3.25),
        (".5in", 0.5),
        ("7", 7),
    ],
)
def test_lengths(text, wanted):
    assert length("--width", text) == pytest.approx(wanted, abs=1e-9)
    assert FigureOptions(height=text).height == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("text", ["", "wide", "8,25cm", "-3", "3px", "1e3", "nan", "3.25 in.", "3 2"])
def test_what_is_no_length(text):
    with pytest.raises(SelectionError, match=r"--height wants a length such as 3.25in, 8.25cm, 82mm or 3.25; got"):
        Picture(height=text)
    with pytest.raises(SelectionError, match=r"width wants a length such as 3.25in, 8.25cm, 82mm or 3.25; got"):
        FigureOptions(width=text)


@pytest.mark.parametrize("text", ["1mm", "600cm", "0"])
def test_lengths_that_no_picture_has(text):
    with pytest.raises(UsageError, match=r"--width wants 0\.5 to 100 inches"):
        Picture(width=text)


def test_python_takes_the_same_lengths(tmp_path):
    attention = attnviz.load("seeded").attend(TIRED)
    attnviz.stats(attention).save(str(tmp_path / "x.png"), width="15cm", height="180mm", dpi=100, bare=True)
    assert Image.open(tmp_path / "x.png").size == (590, 708)
    drawn = attention.heatmap(width="8.255cm", height="50.8mm")
    assert drawn.get_size_inches().tolist() == pytest.approx([3.25, 2.0])


@pytest.mark.parametrize("draw", PAGES, indirect=True)
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(
    "asked", [{"width": 5.0}, {"height": 9.0}, {"width": 6.5, "height": 9.0}, {"width": 6.0, "font_size": 7.5}]
)
def test_a_page_has_the_size_asked_for_and_all_of_it(draw, asked, bare):
    figure = fitted(draw, bare=bare, **asked)
    assert figure.width == pytest.approx(72 * asked.get("width", figure.width / 72), abs=0.01)
    assert figure.height == pytest.approx(72 * asked.get("height", figure.height / 72), abs=0.01)
    if "font_size" in asked:
        assert figure.font_size == pytest.approx(7.5)
    for label in figure.labels:
        left, top, right, bottom = bounds(label, figure.face)
        assert left >= -0.5 and top >= -0.5 and right <= figure.width + 0.5 and bottom <= figure.height + 0.5, (
            label.text
        )
    for panel in figure.panels:
        assert panel.box.x >= 0 and panel.box.x + panel.box.width <= figure.width + 0.1
        assert panel.box.y >= 0 and panel.box.y + panel.box.height <= figure.height + 0.1


@pytest.mark.parametrize("draw", PAGES, indirect=True)
def test_a_bare_page_keeps_its_contents(draw):
    """Titles, notes and colour bars are gone; every map, name of a token, heading and line is there."""
    whole = draw(None)
    bare = stripped(whole)
    gone = {label.text for label in whole.labels} - {label.text for label in bare.labels}
    assert {label.role for label in bare.labels}.isdisjoint({"title", "subtitle", "note"}) and whole.title in gone
    assert [p.title for p in bare.panels] == [panel.title for panel in whole.panels if not is_bar(panel)]
    for role in ("row", "column", "heading", "axis", "text"):
        names = [[label.text for label in page.labels if label.role == role] for page in (whole, bare)]
        assert names[0] == names[1]
    assert bare.bar is None and bare.caption == whole.caption and bare.height < whole.height
    assert bare.width <= whole.width


def test_larger_letters_are_a_larger_page_or_less_beside_them():
    usual = board()
    assert fitted(board, font_size=2 * usual.font_size).width == pytest.approx(2 * usual.width)
    narrow = fitted(board, width=4.0, font_size=12.0)
    assert narrow.width == pytest.approx(4.0 * 72) and narrow.font_size == 12.0
    sizes = [label.size for label in narrow.labels if label.role == "row"]
    assert sizes == [pytest.approx(12.0 / usual.font_size * 7.0)] * 6


def test_scaling_keeps_all_proportions(changed):
    figure = changed(None)
    large = scaled(figure, 2.0)
    assert [(2 * one.x, 2 * one.y, 2 * one.size) for one in figure.labels] == [(a.x, a.y, a.size) for a in large.labels]
    assert [2 * panel.box.height for panel in figure.panels] == [panel.box.height for panel in large.panels]


@pytest.mark.parametrize("asked", [{"width": 2.0, "height": 0.5}, {"height": 0.5}, {"font_size": 2.0}])
def test_letters_too_small_to_read_are_refused(changed, asked):
    with pytest.raises(SelectionError, match=r"too small|no room"):
        fitted(changed, **asked)


@pytest.mark.parametrize(
    "command",
    [["stats"], ["focus", "--token", "it"], ["links"], ["roles"], ["similar"], ["circuits"], ["lines", "-l", "0"]],
)
def test_commands_take_the_size_and_print_a_bare_caption(run, tmp_path, command):
    path = tmp_path / "x.png"
    text = [] if command[0] == "circuits" else [TIRED]
    model = ["seeded"] if command[0] == "circuits" else ["-m", "seeded"]
    size = ["--width", "15cm", "--height", "180mm", "--bare", "--dpi", "100"]
    status, out, err = run(*command, *text, *model, *size, "-o", str(path))
    assert status == 0, err
    assert out.split() == [str(path)] and "seeded" in err.splitlines()[-1]
    assert Image.open(path).size == (590, 708)  # 15 cm and 180 mm at 100 dots per inch
