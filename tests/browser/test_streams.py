"""Pages of whole models: streams of an encoder-decoder, a pair of texts, writing of other directions, long texts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.browser import Opened, expect
from helpers.toy_attention import attention, words
from helpers.web_pages import explorer_page

import attnviz

VIEWS = ("board", "map", "lines", "text", "table")
ARABIC = tuple("[CLS] القطة جلست على السجادة [SEP]".split())
CHINESE = ("[CLS]", *"猫坐在垫子上", "[SEP]")


def walk(page) -> None:
    """Click through all views; each draws."""
    for view in VIEWS:
        page.locator(f"#tab-{view}").click()
        Opened.wait(page)
        expect(page.locator(f".explorer[data-view={view}][data-ready=yes]")).to_be_visible()
        assert page.locator(".stage").inner_text().strip() or page.locator(".stage canvas").count()


def test_three_streams_of_an_encoder_decoder(opened):
    names = ("encoder", "decoder", "cross")
    streams = (attention(2, 2, words(6)), attention(2, 2, words(4), causal=True), attention(2, 2, words(4), words(6)))
    named = tuple(replace(each, stream=name) for each, name in zip(streams, names, strict=True))
    page = opened(explorer_page(*named), hash="view=map&stream=cross&layer=1&head=0&token=3&key=5")
    choice = page.locator("#choose-stream")
    assert choice.input_value() == "2" and choice.locator("option").count() == 3
    walk(page)
    choice.select_option("1")
    Opened.wait(page)
    assert "stream=decoder" in page.url or "decoder" in page.evaluate("location.hash")
    walk(page)


def test_two_sides_of_a_comparison(opened):
    page = explorer_page(attention(2, 2, seed=1), attention(2, 2, seed=2), names=("before", "after"), compared=True)
    opened_page = opened(page, hash="layer=1&head=1&token=2")
    assert opened_page.locator("#choose-stream").count() == 0
    walk(opened_page)


@pytest.mark.parametrize("texts", [ARABIC, CHINESE], ids=["Arabic", "Chinese"])
def test_every_writing(opened, texts):
    page = opened(explorer_page(attention(2, 2, texts)), hash="token=2")
    walk(page)
    page.locator("#tab-text").click()
    Opened.wait(page)
    for word in texts[1:-1]:
        expect(page.locator(".stage").get_by_text(word, exact=True).first).to_be_visible()


def test_one_head_opens_as_a_map(opened):
    page = opened(explorer_page(attention(1, 1)))
    expect(page.locator(".explorer[data-view=map]")).to_be_visible()
    walk(page)


def test_one_token(opened):
    walk(opened(explorer_page(attention(1, 2, ("a",)))))


def test_a_mean_over_heads(opened):
    page = opened(explorer_page(attention(2, 3).mean("heads")))
    walk(page)


def test_a_thousand_heads(opened):
    walk(opened(explorer_page(attention(32, 32, words(6)))))


def test_a_page_of_a_real_model(opened):
    page = opened(attnviz.load("tiny").attend("The cat sat on the mat").html().text.encode())
    walk(page)
