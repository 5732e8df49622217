"""The board: every head as a small picture that has its colours, in order, opened by pointer and keyboard."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.browser import expect
from helpers.toy_attention import attention, words
from helpers.web_pages import WORDS, explorer_page, small_attention

from attnviz.render.html.document import colour_tables

PIXELS = """(canvas) => {
    const { width, height } = canvas;
    return [height, width, [...canvas.getContext("2d").getImageData(0, 0, width, height).data]];
}"""


def pixels(cell):
    """Colours of a picture, [row, column, 3]."""
    height, width, data = cell.locator("canvas").evaluate(PIXELS)
    return np.array(data, dtype=np.uint8).reshape(height, width, 4)[..., :3]


def ink():
    import base64

    return np.frombuffer(base64.b64decode(colour_tables()["ink"]), dtype=np.uint8).reshape(256, 3)


def colours_of(weights, high):
    """Colours of values on a linear scale up to `high`."""
    return ink()[np.clip(np.floor(weights / high * 256), 0, 255).astype(int)]


def thumb(page, layer, head):
    return page.get_by_role("gridcell", name=f"layer {layer} · head {head}", exact=True)


def test_every_head_has_its_picture(opened, small):
    page = opened(small, hash="scale=linear&high=0.5")
    expect(page.get_by_role("gridcell")).to_have_count(6)
    for layer in range(2):
        for head in range(3):
            shown = pixels(thumb(page, layer, head)).astype(int)
            wanted = colours_of(small_attention().weights[layer, head], 0.5).astype(int)
            # A stored value may lie in the neighbouring colour.
            assert np.abs(shown - wanted).max() <= 4


def test_pictures_of_a_long_text_keep_its_largest_weights(opened):
    tokens = words(130)
    given = attention(2, 2, tokens, seed=3, peak=0.05)
    page = opened(explorer_page(given), hash="scale=linear&high=1")
    starts = np.floor(np.linspace(0, 130, 48, endpoint=False)).astype(int)
    for layer in range(2):
        for head in range(2):
            largest = np.maximum.reduceat(np.maximum.reduceat(given.weights[layer, head], starts, 0), starts, 1)
            shown = pixels(thumb(page, layer, head)).astype(int)
            assert shown.shape == (48, 48, 3)
            assert np.abs(shown - colours_of(largest, 1.0)).max() <= 6


def test_pictures_of_a_long_text_leave_special_tokens_out(opened):
    tokens = ("[CLS]", *words(128), "[SEP]")
    given = attention(1, 2, tokens, seed=3, peak=0.05)
    assert given.queries.special[0] and given.keys.special[129]
    page = opened(explorer_page(given), hash="scale=linear&high=1&rests=out")
    starts = np.floor(np.linspace(0, 128, 48, endpoint=False)).astype(int)
    for head in range(2):
        plain = given.weights[0, head, 1:-1, 1:-1]
        largest = np.maximum.reduceat(np.maximum.reduceat(plain, starts, 0), starts, 1)
        shown = pixels(thumb(page, 0, head)).astype(int)
        assert shown.shape == (48, 48, 3)
        assert np.abs(shown - colours_of(largest, 1.0)).max() <= 6


def test_hidden_cells_are_grey(opened):
    page = opened(explorer_page(attention(1, 2, WORDS, seed=2, causal=True)))
    shown = pixels(thumb(page, 0, 1))
    upper = np.triu(np.ones(shown.shape[:2], dtype=bool), 1)
    assert (shown[upper] == 230).all()
    assert not (shown[~upper] == 230).all(1).any()


def test_special_tokens_are_left_out(opened, small):
    page = opened(small)
    page.locator("#rests").uncheck()
    expect(page.locator(".explorer[data-ready=yes]")).to_be_visible()
    assert pixels(thumb(page, 0, 0)).shape[0] == len(WORDS) - 2


def test_a_picture_opens_its_map(opened, small):
    page = opened(small)
    thumb(page, 1, 2).click()
    expect(page.locator(".explorer[data-view=map][data-ready=yes]")).to_be_visible()
    assert "layer=1&head=2" in page.url


def test_keys_move_over_the_board_and_open_a_map(opened, small):
    page = opened(small)
    thumb(page, 0, 0).focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    expect(thumb(page, 1, 2)).to_be_focused()
    expect(thumb(page, 1, 2)).to_have_attribute("aria-selected", "true")
    expect(page.locator("[aria-live]").first).to_have_text("layer 1 · head 2")
    assert page.locator(".thumb[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    expect(page.locator(".explorer[data-view=map][data-ready=yes]")).to_be_visible()


def test_heads_are_sorted_by_a_statistic(opened, small):
    page = opened(small)
    page.get_by_label("Sorted by").select_option("entropy")
    expect(page.locator(".flow .thumb")).to_have_count(6)
    weights = small_attention().weights.astype(float)
    entropy = -(weights * np.log(np.maximum(weights, 1e-30))).sum(-1).mean(-1)
    order = sorted(np.ndindex(2, 3), key=lambda place: -entropy[place])
    captions = page.locator(".caption").all_inner_texts()
    assert [text.split(" · ")[0] for text in captions] == [f"{layer}.{head}" for layer, head in order]
    assert [float(text.split(" · ")[1]) for text in captions] == pytest.approx(
        [entropy[place] for place in order], abs=0.01
    )
    assert "sort=entropy" in page.url
    expect(page.locator(".flow .thumb").first).to_have_attribute(
        "aria-label", f"layer {order[0][0]} · head {order[0][1]}, entropy (nats) {captions[0].split(' · ')[1]}"
    )


def test_the_tip_has_the_statistics_of_a_head(opened, small):
    page = opened(small)
    thumb(page, 1, 0).hover()
    expect(page.locator(".tip")).to_contain_text("layer 1 · head 0")
    expect(page.locator(".tip")).to_contain_text("entropy (nats)")


def test_two_sides_stand_abreast(opened):
    sides = attention(2, 2, WORDS, seed=1), attention(2, 2, WORDS, seed=2)
    page = opened(explorer_page(*sides, names=("before", "after"), compared=True))
    expect(page.locator(".board h3")).to_have_text(["before", "after"])
    expect(page.get_by_role("grid")).to_have_count(2)
    boxes = [page.get_by_role("grid").nth(i).bounding_box() for i in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]


@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_twelve_columns_fit(opened, width):
    page = opened(explorer_page(attention(2, 12, WORDS)), size=(width, 900))
    box = page.locator(".thumb").first.bounding_box()
    assert min(box["width"], box["height"]) >= 38
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width > 360:
        scroll = page.locator(".board .scroll")
        assert scroll.evaluate("(element) => element.scrollWidth <= element.clientWidth")


def test_picture_cells_are_whole_pixels(opened, small):
    page = opened(small)
    box = page.locator(".thumb canvas").first.bounding_box()
    assert box["width"] % len(WORDS) == 0 and box["height"] % len(WORDS) == 0


def test_layers_of_one_head_stand_in_a_row(opened):
    page = opened(explorer_page(attention(4, 1, WORDS)))
    expect(page.locator(".flow .thumb")).to_have_count(4)
    assert len({page.locator(".thumb").nth(i).bounding_box()["y"] for i in range(4)}) == 1


def test_many_layers_stand_in_blocks_on_a_wide_screen(opened):
    page = opened(explorer_page(attention(24, 6, WORDS[:4])), size=(2000, 900))
    grids = page.get_by_role("grid")
    expect(grids).to_have_count(2)
    expect(page.get_by_role("gridcell")).to_have_count(24 * 6)
    assert grids.nth(1).get_attribute("aria-label").endswith("layers 12 to 23")
    thumb(page, 11, 5).focus()
    page.keyboard.press("ArrowDown")
    expect(thumb(page, 12, 5)).to_be_focused()
    page.set_viewport_size({"width": 900, "height": 900})
    expect(grids).to_have_count(1)
