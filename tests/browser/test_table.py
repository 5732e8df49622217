"""The view "table": the numbers of a map, in pages where they are many, as links, and as a file."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.browser import expect
from helpers.toy_attention import attention, words
from helpers.web_pages import WORDS, explorer_page, small_attention

HASH = "view=table&layer=1&head=2"


def test_the_table_has_the_numbers_of_the_map(opened, small):
    page = opened(small, hash=HASH)
    weights = small_attention().weights[1, 2]
    rows = page.locator(".table tbody tr")
    assert rows.count() == 13
    got = [[float(cell) for cell in row.locator("td").all_inner_texts()] for row in rows.all()]
    np.testing.assert_allclose(got, weights, atol=weights.max() / 500 + 5e-4)
    assert page.locator(".table thead th[scope=col]").all_inner_texts()[1].split() == ["The", "1"]
    assert page.locator(".table tbody th[scope=row]").count() == 13
    expect(page.locator(".table caption")).to_contain_text("layer 1 · head 2: attention weight. Rows are queries")


def test_resting_places_are_left_out(opened, small):
    page = opened(small, hash=HASH + "&rests=out")
    assert page.locator(".table tbody tr").count() == 11
    assert "[CLS]" not in page.locator(".table table").inner_text()


def test_a_query_is_chosen_by_its_name(opened, small):
    page = opened(small, hash=HASH)
    page.locator(".table tbody th button").nth(9).click()
    expect(page.locator(".table tr.chosen th")).to_have_text("was 9")
    assert "token=9" in page.url


def test_hidden_cells_say_so(opened):
    page = opened(explorer_page(attention(1, 1, WORDS, causal=True)), hash="view=table")
    assert page.locator(".table td.hidden").count() == 13 * 12 // 2
    assert page.locator(".table tbody tr").nth(0).locator("td").nth(1).inner_text() == "not allowed"


def test_many_numbers_come_in_pages(opened):
    drawn = attention(1, 1, words(120), seed=3)
    page = opened(explorer_page(drawn), hash="view=table&token=110")
    assert page.locator(".table td").count() <= 5001
    expect(page.locator(".table caption")).to_contain_text("20 of 120 queries, 50 of 120 keys")
    expect(page.locator(".pager .number").nth(0)).to_have_text("queries 100–119 of 120")
    page.get_by_role("button", name="next keys").click()
    expect(page.locator(".pager .number").nth(1)).to_have_text("keys 50–99 of 120")
    value = float(page.locator(".table tr.chosen td").nth(3).inner_text())
    assert value == pytest.approx(float(drawn.weights[0, 0, 110, 53]), abs=float(drawn.weights.max()) / 400)
    expect(page.get_by_role("button", name="next queries")).to_be_disabled()


def test_links_are_sorted_and_follow_the_chosen_query(opened, small):
    page = opened(small, hash=HASH)
    page.get_by_label("one row per link").check()
    weights = small_attention().weights[1, 2]
    query, key = np.unravel_index(weights.argmax(), weights.shape)
    first = page.locator(".links tbody tr").nth(0).locator("td").all_inner_texts()
    assert first[1:3] == [f"{WORDS[query]} ({query})", f"{WORDS[key]} ({key})"]
    expect(page.locator(".links caption")).to_contain_text("169 links, the strongest first; 169 are listed")
    page.locator("h1").click()
    page.keyboard.press("]")
    expect(page.locator(".links caption")).to_contain_text("13 links from [CLS] (0)")
    values = [float(row.locator("td").nth(3).inner_text()) for row in page.locator(".links tbody tr").all()]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("kind", ["one row per query", "one row per link"])
def test_numbers_are_saved_as_a_file(opened, kind):
    names = ("plain", 'a "quoted", one', "line\nbreak", "</script>")
    drawn = attention(1, 1, names, causal=True, seed=2)
    drawn = replace(drawn, meta={**drawn.meta, "model": "../toy model"})
    page = opened(explorer_page(drawn), hash="view=table")
    page.get_by_label(kind).check()
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as CSV").click()
    ending = "map.csv" if kind == "one row per query" else "links.csv"
    assert download.value.suggested_filename == f"toy_model-self-layer-0-head-0-{ending}"
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    weights = drawn.weights[0, 0]
    if kind == "one row per query":
        assert header == ["", "query", *(f"{name} ({i})" for i, name in enumerate(names))]
        assert [row[1] for row in rows] == list(names)
        assert rows[0][3:] == ["", "", ""]
        got = [[float(cell or 0) for cell in row[2:]] for row in rows]
        np.testing.assert_allclose(got, weights, atol=1 / 500)
    else:
        assert len(rows) == 10
        for query, name, key, _, weight in rows:
            assert names[int(query)] == name
            assert float(weight) == pytest.approx(float(weights[int(query), int(key)]), abs=1 / 500)


def test_the_table_scrolls_by_keyboard(opened):
    page = opened(explorer_page(attention(1, 2, words(60))), hash="view=table", size=(500, 500))
    region = page.get_by_role("region", name="table of")
    region.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert region.evaluate("element => element.scrollLeft") > 0
    assert "head=1" not in page.url, "arrows move the table, not the head"
