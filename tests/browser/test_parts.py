"""Parts of results in a browser: tables sort and filter, boards tell their numbers, charts follow the keyboard."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.browser import expect
from helpers.web_pages import page_of

import attnviz
from attnviz.page.parts import (
    Bars,
    Board,
    Boards,
    Curves,
    Depth,
    Distances,
    DotProduct,
    Entry,
    Facts,
    LinesOfWeight,
    LinesPanel,
    Link,
    Listing,
    Paragraph,
    Plot,
    Plots,
    Ranges,
    Rows,
    RunningText,
    Scatter,
    Sentence,
    SignedMap,
    SignedMaps,
    Table,
    TensorValues,
    Timing,
    Timings,
    TokenBars,
    WordBoard,
)
from attnviz.show import encode_result

HOSTILE = "</script><img src=x onerror=alert(1)>"
VALUES = np.array([[0.5, 0.25, np.nan], [0.125, 1.0, 0.0]])
NAMES = ("a", "b", HOSTILE)
ROWS = Rows(
    [{"layer": i // 3, "head": i % 3, "token": NAMES[i % 3], "weight": (7 * i % 24) / 24} for i in range(24)], 24
)
LINKS = (Link(0, 1, 0.9), Link(1, 2, 0.4, strand=1), Link(2, 0, 0.2))
PARTS = {
    "Boards": Boards((Board(VALUES, "share", marks=((0, 1),)),), ("0", "1"), ("0", "1", "2")),
    "Depth": Depth(VALUES, ("0", "1"), "share"),
    "Bars": Bars("strongest", (Entry(HOSTILE, "0.1", 0.9, 0.5), Entry("b", "0.2", 0.5, -0.1))),
    "Ranges": Ranges(
        HOSTILE, ("0.0", "1.1"), np.array([[0.1, 0.2, 0.3, 0.5, 0.9], [np.nan] * 5]), np.array([0.4, np.nan]), "share"
    ),
    "WordBoard": WordBoard("words", (NAMES, NAMES), np.nan_to_num(VALUES), ("0", "1"), ("0", "1", "2")),
    "LinesOfWeight": LinesOfWeight((LinesPanel("head 0", LINKS, ("0", "1"), (("0", "0"),)),), NAMES, NAMES, 1.0),
    "RunningText": RunningText(
        (Paragraph("head 0", (0.1, 0.9, 0.0), ("0", "0")),),
        NAMES,
        (False, True, True),
        1.0,
        passages=((0, "0"), (2, "<b>")),
    ),
    "SignedMaps": SignedMaps((SignedMap("head 0", VALUES[:, :2] - 0.5),), NAMES[:2], NAMES[1:], "change"),
    "Distances": Distances(1 - np.eye(3), NAMES, (0, 2, 1), ((0, 2, 0.5), (3, 1, 1.0)), "head"),
    "Scatter": Scatter(np.eye(3)[:, :2], NAMES, (0, 1, 1), "layer", links=((0, 1, 0.5),), link="weights"),
    "DotProduct": DotProduct(("q", "k"), (HOSTILE, "b"), (np.arange(8.0), np.ones(8) - 2), (("q · k", "-28"),)),
    "Plots": Plots((Plot("head 0", (np.array([1.0, 0.5, 0.1]),)),), ("W_OV",)),
    "Curves": Curves((0, 10, 1000), VALUES, ("0.0", HOSTILE), (0, 1), "share", log=True, stressed=(1,), threshold=0.4),
    "Timings": Timings((Timing("full", "keys", "full", "n²", (128, 256, 512), (1e-4, 4e-4, 2e-3), 2.0),)),
    "TokenBars": TokenBars(
        "before and after", NAMES, np.array([[0.5, 0.25], [0.4, 0.0], [0.1, 0.75]]), ("whole", "less"), "p", (0,), True
    ),
    "TensorValues": TensorValues("w", HOSTILE, "F32", np.arange(12.0).reshape(3, 4)),
    "Table": Table(("name", "number"), [(HOSTILE, "0.5"), ("b", "0.25")], "lr"),
    "Rows": ROWS,
    "Facts": Facts([("name", HOSTILE)]),
    "Sentence": Sentence(HOSTILE, "lead"),
    "Listing": Listing(("word", "text"), [((HOSTILE,), "text")]),
}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_all_parts_fit_the_window(opened, width, dark):
    page = opened(page_of(*PARTS.values()), size=(width, 800), dark=dark)
    expect(page.locator("main .part")).not_to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("kind", PARTS)
def test_a_part_is_shown(opened, kind):
    page = opened(page_of(PARTS[kind]))
    part = page.locator("main > .part").first
    expect(part).to_be_visible()
    assert "cannot show" not in page.locator("main").inner_text()
    assert page.locator("img").count() == 0


def test_a_click_on_a_header_sorts(opened):
    page = opened(page_of(ROWS))
    column = page.locator("tbody tr td:nth-child(4)")
    page.get_by_role("button", name="weight").click()
    falling = [float(text) for text in column.all_inner_texts()]
    assert falling == sorted(falling, reverse=True)
    expect(page.locator("th").nth(3)).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name="weight").press("Enter")
    rising = [float(text) for text in column.all_inner_texts()]
    assert rising == sorted(rising)
    expect(page.locator("th").nth(3)).to_have_attribute("aria-sort", "ascending")


def test_words_filter_the_rows(opened):
    page = opened(page_of(ROWS))
    page.get_by_role("searchbox").fill("onerror 5")
    rows = page.locator("tbody tr").all_inner_texts()
    assert rows
    assert all("onerror" in row and "5" in row for row in rows)
    page.get_by_role("searchbox").fill("")
    expect(page.locator("tbody tr")).to_have_count(24)


def test_a_cell_has_its_whole_number(opened):
    page = opened(page_of(Rows([{"x": 0.123456789}], 1)))
    cell = page.locator("tbody td")
    expect(cell).to_have_text("0.123")
    expect(cell).to_have_attribute("title", "0.123456789")


def test_arrows_move_over_a_board(opened):
    page = opened(page_of(PARTS["Boards"]))
    page.locator("canvas.matrix").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tip")).to_contain_text("layer 0 · head 0")
    expect(page.locator(".tip")).to_contain_text("share 0.500")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tip")).to_contain_text("no number")
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_be_hidden()


def test_a_head_of_a_board_is_marked_in_the_rows(opened):
    page = opened(page_of(PARTS["Boards"], ROWS))
    page.locator("canvas.matrix").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("tr.chosen")).to_have_count(1)
    assert page.locator("tr.chosen").inner_text().split("\t")[:2] == ["1", "0"]
    assert page.locator("tbody tr").first.get_attribute("class") == "chosen"


def test_a_chart_tells_its_points(opened):
    page = opened(page_of(PARTS["Depth"]))
    page.locator(".chart").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tip")).to_contain_text("layer 0 · head 0")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".tip")).to_contain_text("layer 1 · head 2")


def test_a_token_keeps_its_lines(opened):
    page = opened(page_of(PARTS["LinesOfWeight"]))
    page.locator("svg text.word").first.click()
    expect(page.locator("path.strand.faded")).to_have_count(2)
    expect(page.locator("path.strand:not(.faded)")).to_have_count(1)


def test_products_are_sorted_on_demand(opened):
    page = opened(page_of(PARTS["DotProduct"]))
    page.get_by_label("largest products first").check()
    page.locator(".chart").nth(2).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tip")).to_contain_text("dimension 7")


def test_the_theme_turns_on_a_page_without_an_explorer(opened):
    page = opened(page_of(ROWS))
    assert page.locator("html").get_attribute("data-theme") == "light"
    page.get_by_role("button", name="Dark page").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.keyboard.press("t")
    assert page.locator("html").get_attribute("data-theme") == "light"


def test_a_board_has_the_numbers_of_a_result(opened):
    result = attnviz.stats(attnviz.load("tiny"), "The cat sat on the mat")
    page = opened(encode_result(result, "html"))
    page.locator("canvas.matrix").focus()
    page.keyboard.press("ArrowDown")
    told = page.locator(".tip").inner_text().split()
    assert float(told[-1]) == pytest.approx(result.rows()[0]["entropy"], rel=2e-3)
