"""Lines of weight and running text: what hovering, clicking and keys show."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from helpers.browser import expect
from helpers.toy_attention import attention
from helpers.web_pages import explorer_page, small_attention

from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.page.parts.explorer import Details

QUERY, KEY = ".column.query [data-i='{}']", ".column.key [data-i='{}']"


def with_tokens(text: str, **changes) -> Attention:
    """2 x 2 heads over these words. changes: fields of their `Tokens`."""
    words = text.split()
    tokens = dataclasses.replace(Tokens.plain(words), **changes)
    return dataclasses.replace(attention(2, 2, words, seed=2), queries=tokens, keys=tokens)


def strongest(values: np.ndarray, count: int = 5) -> list[int]:
    return np.argsort(-values, kind="stable")[:count].tolist()


def test_hovering_a_query_lists_its_strongest_keys(opened, small):
    page = opened(small, hash="view=lines&layer=1&head=2")
    page.hover(QUERY.format(3))
    rows = page.locator(".tip tr")
    expect(rows).to_have_count(5)
    weights, text = small_attention().weights[1, 2, 3], small_attention().key_tokens
    assert [row.split("\t")[0].strip() for row in rows.all_inner_texts()] == [
        f"{text[i]} ({i})" for i in strongest(weights)
    ]
    first = float(rows.first.locator(".figure").inner_text())
    assert first == pytest.approx(weights.max(), abs=1 / 500)


def test_hovering_a_key_lists_the_queries_that_attend_to_it(opened, small):
    page = opened(small, hash="view=lines&layer=0&head=1")
    page.hover(KEY.format(7))
    expect(page.locator(".tip")).to_contain_text("gets attention from")
    column = small_attention().weights[0, 1, :, 7]
    expect(page.locator(".tip tr").first).to_contain_text(f"({column.argmax()})")


def test_tokens_are_shaded_by_the_weight_they_get(opened, small):
    page = opened(small, hash="view=lines&layer=1&head=2&token=3")
    most = int(small_attention().weights[1, 2, 3].argmax())
    grounds = [page.locator(KEY.format(i)).evaluate("e => e.style.backgroundColor") for i in range(13)]
    assert grounds[most]
    sums = [sum(map(int, re.findall(r"\d+", ground))) if ground else 765 for ground in grounds]
    assert min(sums) == sums[most]


def test_several_queries_are_one(opened, small):
    page = opened(small, hash="view=lines&layer=1&head=2")
    page.click(QUERY.format(2))
    page.click(QUERY.format(6), modifiers=["Shift"])
    page.locator(QUERY.format(9)).focus()
    page.keyboard.press("Space")
    expect(page.locator(".lines-box .remark")).to_contain_text("Mean of 3 queries: cat (2), mat (6), was (9)")
    mean = small_attention().weights[1, 2, [2, 6, 9]].mean(0)
    first = page.locator(".partners-panel tr").first
    expect(first).to_contain_text(f"({mean.argmax()})")
    assert float(first.locator(".figure").inner_text()) == pytest.approx(mean.max(), abs=1 / 500)
    assert "together=2,6,9" in page.url


def test_a_token_clicked_twice_is_let_go(opened, small):
    page = opened(small, hash="view=lines")
    page.click(QUERY.format(2))
    expect(page.locator(QUERY.format(2))).to_have_attribute("aria-selected", "true")
    page.click(QUERY.format(2))
    expect(page.locator(".tokens [aria-selected=true]")).to_have_count(0)
    assert "token=" not in page.url


def test_a_column_is_walked_by_arrow_keys(opened, small):
    page = opened(small, hash="view=lines&layer=1&head=2")
    page.locator(QUERY.format(0)).focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(QUERY.format(1))).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator(KEY.format(int(small_attention().weights[1, 2, 1].argmax())))).to_be_focused()
    assert "layer=1&head=2" in page.url


def test_heads_lie_over_each_other(opened, small):
    page = opened(small, hash="view=lines&layer=0&head=0")
    page.click(".head-picker summary")
    page.click(".swatch >> nth=4")
    expect(page.locator(".head-legend li")).to_have_count(2)
    assert "heads=0.0,1.1" in page.url
    page.hover(QUERY.format(5))
    expect(page.locator(".tip tr").nth(1).locator(".figure")).to_have_count(2)
    page.click(".head-legend .remove >> nth=0")
    expect(page.locator(".head-legend li")).to_have_text(["layer 1 · head 1"])


def test_at_most_eight_heads_are_taken(opened):
    page = opened(explorer_page(attention(3, 4, "a b c d e".split())), hash="view=lines")
    page.click(".head-picker summary")
    for row in range(3):
        page.click(f".grid-row:nth-child({row + 2}) button.edge")
    expect(page.locator(".head-legend li")).to_have_count(8)
    expect(page.locator(".head-picker [role=status]")).to_contain_text("At most 8")


def test_lines_are_drawn_on_the_canvas(opened, small):
    page = opened(small, hash="view=lines")
    inked = """canvas => {
        const empty = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
        return canvas.toDataURL() !== empty.toDataURL();
    }"""
    assert page.locator("canvas.under").evaluate(inked)
    assert not page.locator("canvas.over").evaluate(inked)
    page.click(QUERY.format(2))
    expect(page.locator(".between")).to_contain_class("faded")
    assert page.locator("canvas.over").evaluate(inked)


def test_special_tokens_can_be_left_out(opened, small):
    page = opened(small, hash="view=lines&rests=out")
    expect(page.locator(KEY.format(0))).to_have_count(0)
    page.click("#tab-text")
    expect(page.locator(".running .special")).to_have_count(0)


def test_long_columns_scroll_together(opened):
    words = [f"word{i}" for i in range(150)]
    page = opened(explorer_page(attention(1, 1, words)), hash="view=lines&token=100")
    expect(page.locator(QUERY.format(100))).to_be_in_viewport()
    tops = "() => [...document.querySelectorAll('.column')].map(c => c.scrollTop)"
    before = page.evaluate(tops)
    page.hover(QUERY.format(100))
    way = -120 if before[1] > 1000 else 120
    page.mouse.wheel(0, way)
    for _ in range(100):  # a wheel's way is smooth, and takes a while
        page.wait_for_timeout(50)
        ways = [top - first for top, first in zip(page.evaluate(tops), before, strict=True)]
        if ways == [way, way]:
            break
    assert ways == [way, way]


def test_a_pair_has_quarters(opened):
    tokens = with_tokens("a b c d e f", segments=(0, 0, 0, 1, 1, 1))
    page = opened(explorer_page(tokens), hash="view=lines")
    expect(page.locator(".token.border")).to_have_count(2)
    page.click("text=A→B")
    page.mouse.move(0, 0)
    page.click(QUERY.format(1))
    expect(page.locator(".lines-box .remark")).to_contain_text("3 lines")


def test_compared_sources_are_hovered_together(opened, small):
    both = small_attention()
    page = opened(explorer_page(both, both, names=("one", "two"), compared=True), hash="view=lines")
    expect(page.locator(".lines-box")).to_have_count(2)
    page.hover(".lines-box:nth-child(1) " + QUERY.format(4))
    expect(page.locator(".lines-box:nth-child(2) " + QUERY.format(4))).to_contain_class("on")


def test_a_text_is_shaded_by_what_its_token_attends_to(opened, small):
    page = opened(small, hash="view=text&layer=1&head=2")
    expect(page.locator(".text-sentence")).to_contain_text("No token chosen")
    page.click(".running .word >> nth=3")
    expect(page.locator(".word[aria-selected=true]")).to_have_text("sat")
    weights = small_attention().weights[1, 2]
    page.hover(f".running .word >> nth={weights[3].argmax()}")
    assert float(page.locator(".tip div").inner_text()) == pytest.approx(weights[3].max(), abs=1 / 500)
    page.click("text=what attends to it")
    page.hover(f".running .word >> nth={weights[:, 3].argmax()}")
    assert float(page.locator(".tip div").inner_text()) == pytest.approx(weights[:, 3].max(), abs=1 / 500)


def test_arrow_keys_choose_the_next_word(opened, small):
    page = opened(small, hash="view=text&token=3")
    page.locator(".word >> nth=3").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".word[aria-selected=true]")).to_have_text("on")
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    expect(page.locator(".word[aria-selected=true]")).to_have_count(0)


def test_a_text_from_right_to_left(opened):
    text = "[CLS] שלום עולם , זה bert . [SEP]"
    special = tuple(word.startswith("[") for word in text.split())
    page = opened(explorer_page(with_tokens(text, special=special)), hash="view=text&token=1")
    expect(page.locator(".running")).to_have_attribute("dir", "rtl")
    boxes = [page.locator(f".word >> nth={i}").bounding_box()["x"] for i in range(5)]
    assert boxes == sorted(boxes, reverse=True)
    page.locator(".word >> nth=1").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".word[aria-selected=true]")).to_have_text("עולם")


def test_heads_are_compared_on_one_token(opened, small):
    page = opened(small, hash="view=text&heads=0.0,1.2&token=4")
    expect(page.locator(".text-panel h3")).to_have_text(["layer 0 · head 0", "layer 1 · head 2"])
    expect(page.locator(".word[aria-selected=true]")).to_have_text(["on", "on"])


def test_a_pooled_text_is_written_in_full(opened):
    words = [f"w{i}" for i in range(12)]
    cells = dataclasses.replace(attention(1, 1, [f"{words[3 * i]} {3 * i}–{3 * i + 2}" for i in range(4)]), cell=3)
    details = Details(tokens=(Tokens.plain(words), Tokens.plain(words)), links=(((7, 4, 0.9), (2, 11, 0.5)),))
    page = opened(explorer_page(cells, details=(details,)), hash="view=text&token=2")
    expect(page.locator(".word")).to_have_text([" ".join(words[3 * i : 3 * i + 3]) for i in range(4)])
    expect(page.locator(".word[aria-selected=true]")).to_have_text("w6 w7 w8")
    page.click("#tab-lines")
    page.click(".exact-links button >> nth=0")
    expect(page.locator(QUERY.format(2))).to_have_attribute("aria-selected", "true")
    expect(page.locator(KEY.format(1))).to_contain_class("partner")


def test_the_slider_steps_through_new_tokens(opened):
    words = "The cat sat on the mat today".split()
    whole = attention(1, 2, words, seed=3)
    tokens = Tokens.plain(words)
    rows = dataclasses.replace(whole, weights=whole.weights[:, :, 2:6], queries=tokens.take(range(3, 7)), keys=tokens)
    page = opened(explorer_page(rows, details=(Details(generated=3),)), hash="view=text", reduced=True)
    expect(page.locator(".steps button")).to_be_hidden()
    page.locator(".steps-slider").fill("1")
    expect(page.locator(".steps-text")).to_have_text("2 of 4: the")
    expect(page.locator(".word[aria-selected=true]")).to_have_text("the")
    expect(page.locator(".text-sentence")).to_have_text("Shade: where the head looked for the model to write the")
    kinds = page.locator(".word").evaluate_all("words => words.map(word => word.dataset.kind)")
    assert kinds == ["", "", "", "new", "new", "later", "later"]
    page.hover(".word >> nth=0")
    assert float(page.locator(".tip div").inner_text()) == pytest.approx(rows.weights[0, 0, 1, 0], abs=1 / 500)


def test_a_patch_is_chosen_by_a_click(opened):
    words = ["[class]", *(f"{i // 3},{i % 3}" for i in range(6))]
    picture = np.linspace(0, 255, 40 * 60 * 3).reshape(40, 60, 3).astype(np.uint8)
    patches = dataclasses.replace(attention(1, 1, words, seed=4), grid=(2, 3))
    page = opened(explorer_page(patches, details=(Details(picture=picture),)), hash="view=text")
    box = page.locator(".patches").bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.75 * box["height"])
    expect(page.locator(".text-sentence")).to_contain_text("1,1 (5)")
    page.locator(".patches").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".text-sentence")).to_contain_text("0,1 (2)")
    page.click(".no-patches button")
    expect(page.locator(".text-sentence")).to_contain_text("[class] (0)")
