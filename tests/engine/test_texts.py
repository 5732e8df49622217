"""Several texts in one pass: each text's numbers are the ones that it has alone, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.paths import REFERENCE
from helpers.random_specs import text_cases
from hypothesis import given, settings

import attnviz
from attnviz.engine.collectors import Dense, Pooled
from attnviz.engine.forward import run
from attnviz.engine.kernels import linear, one_product
from attnviz.engine.texts import EachText, run_texts, together
from attnviz.errors import InputError
from attnviz.measures.norms import Moved
from attnviz.measures.statistics import Statistics


def collectors(spec, n):
    """Whole maps, some maps in cells, and statistics."""
    layers, heads = range(spec.n_layers), range(spec.n_heads)
    special = np.arange(n) % 3 == 0
    return [
        Dense(layers, heads, range(n), range(n)),
        Pooled([spec.n_layers - 1], [spec.n_heads - 1], n, n, 2, "mean"),
        Statistics(spec.n_layers, spec.n_heads, special),
    ]


def numbers(each):
    dense, pooled, statistics = each
    return {"maps": dense.result(), "masks": dense.mask, "cells": pooled.result(), **statistics.result()}


def check(spec, tensors, texts, n):
    alone, together_ = ([collectors(spec, n) for _ in texts] for _ in range(2))
    for text, each in zip(texts, alone, strict=True):
        run(spec, tensors, text, {"self": each})
    shares = []
    run_texts(spec, tensors, texts, together_, progress=shares.append)
    assert sum(shares) == pytest.approx(1)
    for one, other in zip(alone, together_, strict=True):
        for (name, wanted), got in zip(numbers(one).items(), numbers(other).values(), strict=True):
            np.testing.assert_array_equal(got, wanted, err_msg=name)
    first, second = alone[0][0].result(), alone[-1][0].result()
    assert not np.array_equal(first, second)  # else the texts could be exchanged unseen


def turned(text, k):
    """The text's tokens, k places further on."""
    ids = None if text.ids is None else np.roll(text.ids, k)
    return replace(text, ids=ids, words=(*text.words[k:], *text.words[:k]))


CASES = (
    "bert", "llama", "mistral", "gpt2", "bloom", "gemma2", "deberta_v2", "xlnet", "longformer", "mixtral", "gpt_oss",
    "deepseek_v3", "mpt",
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_texts_of_a_checkpoint(case):
    model = attnviz.load(REFERENCE / case)
    random, n = np.random.default_rng(1), 11
    texts = [
        model.prepare(ids=random.integers(5, 40, n).tolist()).inputs[model.alone] for _ in range(5)
    ]  # fmt: skip
    check(model.spec, model.tensors, texts, n)


@pytest.mark.parametrize("case", CASES)
def test_one_product_of_all_texts_differs_by_rounding(case):
    model = attnviz.load(REFERENCE / case)
    random, n = np.random.default_rng(2), 11
    texts = [model.prepare(ids=random.integers(5, 40, n).tolist()).inputs[model.alone] for _ in range(5)]
    alone, at_once = ([collectors(model.spec, n) for _ in texts] for _ in range(2))
    for text, each in zip(texts, alone, strict=True):
        run(model.spec, model.tensors, text, {"self": each})
    run_texts(model.spec, model.tensors, texts, at_once, exact=False)
    for one, other in zip(alone, at_once, strict=True):
        for (name, wanted), got in zip(numbers(one).items(), numbers(other).values(), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5, err_msg=name)


def test_one_product_is_one(monkeypatch):
    shapes = []
    matmul = np.matmul
    monkeypatch.setattr(np, "matmul", lambda a, b, out: shapes.append(a.shape) or matmul(a, b, out=out))
    x, weight = np.ones((3, 4, 5), np.float32), np.ones((6, 5), np.float32)
    with one_product():
        assert linear(x, weight).shape == (3, 4, 6)
    linear(x, weight)
    assert shapes == [(12, 5), (3, 4, 5)]


def test_most_checkpoints_take_texts_together():
    specs = {case: attnviz.load(REFERENCE / case).spec for case in CASES}
    assert {case for case, spec in specs.items() if not together(spec)} <= {"xlnet", "longformer"}


@settings(max_examples=60, deadline=None)
@given(text_cases())
def test_texts_of_random_specs(case):
    n = len(case.inputs.words) if case.inputs.ids is None else len(case.inputs.ids)
    texts = [turned(case.inputs, k) for k in (0, 1, 2)]
    alone, at_once = ([collectors(case.spec, n) for _ in texts] for _ in range(2))
    for text, each in zip(texts, alone, strict=True):
        run(case.spec, case.tensors(), text, {"self": each})
    run_texts(case.spec, case.tensors(), texts, at_once)
    for one, other in zip(alone, at_once, strict=True):
        for (name, wanted), got in zip(numbers(one).items(), numbers(other).values(), strict=True):
            np.testing.assert_array_equal(got, wanted, err_msg=name)


def test_texts_that_do_not_fit_into_one_tile_come_in_groups(monkeypatch):
    model = attnviz.load("seeded", n_heads=4, causal=True)
    texts = [model.prepare(f"a b c d e f {word}").inputs[model.alone] for word in "stuvwxyz"]
    monkeypatch.setattr("attnviz.engine.texts.WHOLE_LAYER", 3 * 4 * 49)  # three of eight at once
    check(model.spec, model.tensors, texts, 7)


def test_what_needs_a_text_alone_is_refused():
    model = attnviz.load("seeded")
    text = model.prepare("a b c").inputs[model.alone]
    with pytest.raises(InputError, match="when it passes alone"):
        run_texts(model.spec, model.tensors, [text, text], [[Moved([0], ["norm"], 3, 4)]] * 2)
    assert EachText(collectors(model.spec, 3)).needs == frozenset()


def test_a_model_shows_texts_of_many_lengths_to_their_own_collectors():
    model = attnviz.load("seeded", causal=True)
    inputs = [model.prepare(text) for text in ("a b c", "d e", "f g h", "i j k l", "m n", "o p q")]
    alone, at_once = (
        [[Statistics(2, 4, np.zeros(len(each.keys), bool))] for each in inputs] for _ in range(2)
    )  # fmt: skip
    for each, collectors_ in zip(inputs, alone, strict=True):
        model.observe(each, collectors_)
    shares = []
    model.observe_texts(inputs, at_once, shares.append)
    assert sum(shares) == pytest.approx(1)
    for one, other in zip(alone, at_once, strict=True):
        for name, wanted in one[0].result().items():
            np.testing.assert_array_equal(other[0].result()[name], wanted, err_msg=name)


def test_texts_of_two_lengths_are_refused_by_the_engine():
    model = attnviz.load("seeded")
    texts = [model.prepare(text).inputs[model.alone] for text in ("a b c", "d e")]
    with pytest.raises(InputError, match=r"2 texts of lengths \[2, 3\] and 2 lists"):
        run_texts(model.spec, model.tensors, texts, [collectors(model.spec, 3), collectors(model.spec, 2)])
