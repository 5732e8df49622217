"""The map: one head large. Values at the pointer are the array's; zoom, windows, choices and keys."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from helpers.browser import expect
from helpers.toy_attention import attention
from helpers.web_pages import WORDS, explorer_page, small_attention

READY = ".explorer[data-view=map][data-ready=yes]"


def cells(page, panel=0):
    """Where a panel's cells lie in the window: left, top, width, height."""
    frame = page.locator(".frame").nth(panel)
    box = frame.bounding_box()
    left, top, wide, high = (float(number) for number in frame.get_attribute("data-cells").split())
    return box["x"] + left, box["y"] + top, wide, high


def middle(page, row, col, shape, panel=0):
    """The middle of a cell of `shape` seen cells."""
    left, top, wide, high = cells(page, panel)
    return left + (col + 0.5) * wide / shape[1], top + (row + 0.5) * high / shape[0]


def tip_value(page):
    return float(page.locator(".tip strong").first.inner_text().replace("\u2212", "-"))


def window(page):
    found = re.search(r"window=([\d,]+)", page.url)
    return tuple(int(number) for number in found[1].split(",")) if found else None


def test_the_tip_has_the_value_of_the_cell(opened, small):
    page = opened(small, hash="view=map&layer=1&head=2")
    n = len(WORDS)
    weights = small_attention().weights[1, 2]
    rng = np.random.default_rng(0)
    for row, col in rng.integers(0, n, (12, 2)):
        page.mouse.move(*middle(page, row, col, (n, n)))
        expect(page.locator(".tip .pair")).to_have_text(f"{WORDS[row]} {row} \u2192 {WORDS[col]} {col}")
        assert tip_value(page) == pytest.approx(weights[row, col], abs=float(weights.max()) / 500)


def test_the_share_and_rank_of_a_cell(opened, small):
    page = opened(small, hash="view=map&layer=0&head=0")
    n = len(WORDS)
    weights = small_attention().weights[0, 0]
    col = int(weights[4].argmax())
    page.mouse.move(*middle(page, 4, col, (n, n)))
    expect(page.locator(".tip")).to_contain_text(f"{100 * weights[4, col]:.0f} % of the row, 1st of {n} keys")


def test_a_click_chooses_a_query_and_a_key_and_escape_clears(opened, small):
    page = opened(small, hash="view=map")
    page.mouse.click(*middle(page, 3, 7, (13, 13)))
    page.wait_for_url("**token=3&key=7**")
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "token" not in url and "key" not in url)


def test_a_label_chooses_its_query(opened, small):
    page = opened(small, hash="view=map")
    left, _, _, _ = cells(page)
    _, y = middle(page, 5, 0, (13, 13))
    page.mouse.click(left - 12, y)
    page.wait_for_url(lambda url: "token=5" in url and "key=" not in url)


def test_ctrl_chooses_several_queries(opened, small):
    page = opened(small, hash="view=map")
    page.mouse.click(*middle(page, 3, 7, (13, 13)))
    page.keyboard.down("Control")
    page.mouse.click(*middle(page, 5, 2, (13, 13)))
    page.wait_for_url("**together=3,5**")
    left, _, _, _ = cells(page)
    _, y = middle(page, 8, 0, (13, 13))
    page.mouse.click(left - 12, y)
    page.wait_for_url("**together=3,5,8**")
    page.mouse.click(*middle(page, 5, 2, (13, 13)))
    page.wait_for_url("**together=3,8**")
    page.keyboard.up("Control")
    page.mouse.click(*middle(page, 4, 4, (13, 13)))
    page.wait_for_url(lambda url: "token=4&key=4" in url and "together" not in url)


def test_numbers_of_a_head_say_that_they_count_all_tokens(opened, small):
    page = opened(small, hash="view=map")
    said = page.get_by_text("These numbers count all tokens")
    expect(said).to_be_hidden()
    page.keyboard.press("s")
    expect(said).to_be_visible()


def test_a_wheel_zooms_around_the_pointer(opened, small):
    page = opened(small, hash="view=map")
    page.mouse.move(*middle(page, 9, 9, (13, 13)))
    for _ in range(3):
        page.mouse.wheel(0, -120)
    page.wait_for_url("**window=**")
    row, col, rows, cols = window(page)
    assert rows < 13 and cols < 13
    assert row <= 9 < row + rows and col <= 9 < col + cols
    expect(page.locator(READY)).to_be_visible()
    page.mouse.move(*middle(page, 9 - row, 9 - col, (rows, cols)))
    expect(page.locator(".tip .pair")).to_have_text(f"{WORDS[9]} 9 \u2192 {WORDS[9]} 9")


def test_the_address_opens_a_window(opened, small):
    page = opened(small, hash="view=map&window=2,4,5,6")
    page.mouse.move(*middle(page, 0, 0, (5, 6)))
    expect(page.locator(".tip .pair")).to_have_text(f"{WORDS[2]} 2 \u2192 {WORDS[4]} 4")
    expect(page.locator(".map .about")).to_contain_text("queries 2 to 6, keys 4 to 9 of 13")
    page.get_by_role("button", name="the whole map").click()
    page.wait_for_url(lambda url: "window" not in url)


def test_a_drag_moves_a_zoomed_map(opened, small):
    page = opened(small, hash="view=map&window=2,4,5,6")
    page.mouse.move(*middle(page, 3, 3, (5, 6)))
    page.mouse.down()
    page.mouse.move(*middle(page, 1, 2, (5, 6)), steps=4)
    page.mouse.up()
    page.wait_for_url("**window=4,5,5,6**")


def test_a_drag_with_shift_or_beside_the_rows_selects_a_window(opened, small):
    page = opened(small, hash="view=map")
    page.keyboard.down("Shift")
    page.mouse.move(*middle(page, 2, 3, (13, 13)))
    page.mouse.down()
    page.mouse.move(*middle(page, 6, 8, (13, 13)), steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.wait_for_url("**window=2,3,5,6**")
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "window" not in url)
    expect(page.locator(READY)).to_be_visible()
    left, _, _, _ = cells(page)
    ys = [middle(page, row, 0, (13, 13))[1] for row in (4, 9)]
    page.mouse.move(left - 10, ys[0])
    page.mouse.down()
    page.mouse.move(left - 10, ys[1], steps=4)
    page.mouse.up()
    page.wait_for_url("**window=4,0,6,13**")


def test_keys_move_a_cursor_that_speaks(opened, small):
    page = opened(small, hash="view=map")
    page.locator("#tab-table").focus()
    page.locator(".frame").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "End", "ArrowLeft"):
        page.keyboard.press(key)
    value = small_attention().weights[0, 0][2, 11]
    spoken = page.locator("[aria-live]").first.inner_text()
    assert spoken.startswith(f"{WORDS[2]} to {WORDS[11]}: ")
    assert float(spoken.rsplit(" ", 1)[1]) == pytest.approx(value, abs=0.002)
    page.keyboard.press("Enter")
    page.wait_for_url("**token=2&key=11**")
    page.keyboard.press("+")
    page.wait_for_url("**window=**")
    assert "layer=0&head=0" in page.url  # the arrows are the map's own
    page.keyboard.press("0")
    page.wait_for_url(lambda url: "window" not in url)


def test_the_cursor_takes_the_window_with_it(opened, small):
    page = opened(small, hash="view=map&window=0,0,4,4")
    page.locator(".frame").focus()
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    page.wait_for_url("**window=2,0,4,4**")


def test_special_tokens_are_left_out(opened, small):
    page = opened(small, hash="view=map&rests=out")
    page.mouse.move(*middle(page, 0, 0, (11, 11)))
    expect(page.locator(".tip .pair")).to_have_text(f"{WORDS[1]} 1 \u2192 {WORDS[1]} 1")


def test_hidden_cells_say_so(opened):
    page = opened(explorer_page(attention(1, 2, WORDS, seed=2, causal=True)), hash="view=map&layer=0&head=0")
    page.mouse.move(*middle(page, 2, 9, (13, 13)))
    expect(page.locator(".tip")).to_contain_text("attending not allowed")


def test_the_legend_says_what_the_colours_leave_out(opened, small):
    page = opened(small, hash="view=map&high=0.3")
    above = int((small_attention().weights[0, 0] > 0.3).sum())
    expect(page.locator(".legend-remarks").first).to_contain_text(f"{above} cells above 0.300 have the last colour")
    expect(page.locator(".legend-remarks").first).to_contain_text("no value moves by more than half a step")


def test_a_rectangle_has_its_own_rows_and_columns(opened):
    given = attention(1, 2, WORDS[:5], keys=WORDS, seed=4)
    page = opened(explorer_page(given), hash="view=map&head=1&layer=0")
    page.mouse.move(*middle(page, 4, 12, (5, 13)))
    expect(page.locator(".tip .pair")).to_have_text(f"{WORDS[4]} 4 \u2192 {WORDS[12]} 12")
    assert tip_value(page) == pytest.approx(given.weights[0, 1, 4, 12], abs=0.002)


def test_two_sides_are_linked_and_have_a_difference(opened):
    before, after = attention(2, 2, WORDS, seed=1), attention(2, 2, WORDS, seed=2)
    page = opened(
        explorer_page(before, after, names=("before", "after"), compared=True), hash="view=map&layer=1&head=1"
    )
    expect(page.locator(".panel figcaption")).to_have_text(["before", "after", "difference"])
    page.mouse.move(*middle(page, 5, 2, (13, 13), panel=2))
    values = [float(text.replace("\u2212", "-")) for text in page.locator(".tip strong").all_inner_texts()]
    one, two = before.weights[1, 1, 5, 2], after.weights[1, 1, 5, 2]
    assert values == pytest.approx([two - one, one, two], abs=0.004)
    page.mouse.click(*middle(page, 5, 2, (13, 13), panel=1))
    page.wait_for_url("**token=5&key=2**")


def test_a_pair_has_four_quarters(opened):
    segments = (0,) * 7 + (1,) * 6
    given = attention(1, 2, WORDS, seed=1)
    given = replace(
        given, queries=replace(given.queries, segments=segments), keys=replace(given.keys, segments=segments)
    )
    page = opened(explorer_page(given), hash="view=map&layer=0&head=0")
    quarter = page.get_by_role("button", name="queries of the second text, keys of the first")
    quarter.click()
    page.wait_for_url("**window=7,0,6,7**")
    expect(quarter).to_have_attribute("aria-pressed", "true")
    quarter.click()
    page.wait_for_url(lambda url: "window" not in url)


@pytest.mark.parametrize("width", [360, 1280, 2560])
@pytest.mark.parametrize("dark", [False, True])
def test_a_map_fits_the_width(opened, small, width, dark):
    page = opened(small, hash="view=map", size=(width, 900), dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    _, _, wide, high = cells(page)
    assert wide % 13 == 0 and high % 13 == 0  # cells are whole pixels


def test_a_drag_over_the_whole_map_selects_a_window(opened, small):
    page = opened(small, hash="view=map")
    page.mouse.move(*middle(page, 1, 2, (13, 13)))
    page.mouse.down()
    page.mouse.move(*middle(page, 4, 8, (13, 13)), steps=4)
    page.mouse.up()
    page.wait_for_url("**window=1,2,4,7**")


def test_a_tap_chooses_a_cell_and_shows_its_value(opened, small):
    page = opened(small, hash="view=map", size=(360, 800), touch=True)
    page.locator(".frame").scroll_into_view_if_needed()
    page.touchscreen.tap(*middle(page, 6, 3, (13, 13)))
    page.wait_for_url("**token=6&key=3**")
    expect(page.locator(".tip .pair")).to_have_text(f"{WORDS[6]} 6 \u2192 {WORDS[3]} 3")
