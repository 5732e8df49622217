"""The view "neuron": its numbers are the numbers of the model, for any family."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
from helpers.browser import expect
from helpers.paths import REFERENCE

import attnviz
from attnviz.analyses.every_head import Wish, every_head
from attnviz.page.parts import Explorer, Page
from attnviz.render.formats import encode
from attnviz.select import chosen_heads

IDS = [3, 14, 15, 9, 2, 6, 5]


@cache
def made(case):
    """A page with queries and keys, the attention and the vectors. case: a family, or the seeded model."""
    model = attnviz.load("seeded" if case == "seeded" else REFERENCE / case)
    inputs = {"text": "the cat saw the dog"} if case == "seeded" else {"ids": IDS}
    stream = model.streams[0]
    at = chosen_heads(None, "all", *model.size(stream))
    attention, details = every_head(model, inputs, stream, at, Wish(vectors=True))
    part = Explorer((attention,), details=(details,))
    return encode("html", Page("a page", "", (part,), ())), attention, details.vectors


def numbers(text):
    return [float(found.replace("−", "-")) for found in re.findall(r"[−-]?\d+\.?\d*(?:e-?\d+)?", text)]


@pytest.mark.parametrize("case", ["seeded", "llama", "gpt2", "qwen3", "falcon"])
def test_scores_and_weights_are_the_models(opened, case):
    file, attention, vectors = made(case)
    page = opened(file, hash="view=neuron&layer=1&head=2&token=4")
    head = attention.places.index((1, 2))
    products = vectors.queries[head][4] * vectors.keys[vectors.of[head]]
    scores = products.sum(-1, dtype=np.float64) * vectors.scaling[head]
    rows = page.locator(".neuron tbody tr:not(.of-query)")
    seen = set()
    for row in rows.all():
        key = int(row.locator("th small").inner_text())
        score, weight = (numbers(text)[0] for text in row.locator("td.value").all_inner_texts())
        assert score == pytest.approx(scores[key], abs=0.011 + 1e-3 * abs(scores[key]))
        assert weight == pytest.approx(float(attention.weights[1, 2, 4, key]), abs=3e-3)
        seen.add(key)
    allowed = np.ones(attention.weights.shape[-1], bool) if attention.mask is None else attention.mask[-1, 4]
    assert seen == set(np.flatnonzero(allowed).tolist())
    assert "softmax of the scores" in page.locator(".neuron .about").inner_text()


def test_a_pair_is_a_sentence_and_bars(opened):
    file, attention, vectors = made("llama")
    page = opened(file, hash="view=neuron&layer=0&head=1&token=5")
    page.locator(".neuron tbody button", has_text=re.compile(r"\b2$")).click()
    head = attention.places.index((0, 1))
    products = vectors.queries[head][5].astype(float) * vectors.keys[vectors.of[head]][2]
    total, factor, score, weight = numbers(page.locator(".neuron .sum").inner_text())
    assert total == pytest.approx(products.sum(), rel=0.01, abs=0.02)
    assert factor == pytest.approx(vectors.scaling[head], rel=0.01)
    assert score == pytest.approx(products.sum() * vectors.scaling[head], rel=0.01, abs=0.02)
    assert weight == pytest.approx(float(attention.weights[0, 1, 5, 2]), abs=3e-3)
    assert page.locator(".bars rect").count() == len(products)
    assert page.locator(".bars rect.down").count() == (products < 0).sum()
    assert "token=5&key=2" in page.url
    page.get_by_label("largest products first").check()
    heights = page.locator(".bars rect").evaluate_all("bars => bars.map((bar) => Number(bar.getAttribute('height')))")
    assert heights == sorted(heights, reverse=True)


def test_what_a_model_adds_is_named(opened):
    page = opened(made("bloom")[0], hash="view=neuron&token=4")
    expect(page.locator(".neuron .about")).to_contain_text("a bias for the distance of the two tokens is added (ALiBi)")
    expect(page.locator(".neuron .sum")).to_contain_text("with what the model adds")


def test_the_query_is_chosen_from_a_list_and_keys_in_order(opened):
    page = opened(made("gpt2")[0], hash="view=neuron")
    page.locator("#neuron-query").select_option("3")
    assert "token=3" in page.url
    page.get_by_label("keys in order").check()
    keys = page.locator(".neuron tbody th small").all_inner_texts()
    assert keys == ["0", "1", "2", "3"]


def test_pages_without_vectors_have_no_such_view(opened, small):
    assert opened(small).locator("#tab-neuron").count() == 0
