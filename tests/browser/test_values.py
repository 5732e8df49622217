"""Numbers read from a page equal the array within 1/500 of the largest value of each map."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers.node import ran
from helpers.paths import ROOT
from helpers.toy_attention import attention, words
from helpers.web_pages import WORDS, explorer_page, small_attention

READER = ROOT / "tests" / "browser" / "js" / "values.mjs"


def sinking():
    """Every query gives its first key nearly all its weight, so that the rest is small."""
    drawn = attention(2, 2, words(40), seed=3, peak=0.5)
    weights = drawn.weights * np.float32(0.01)
    weights[..., 0] += np.float32(0.99)
    return replace(drawn, weights=weights)


def signed():
    """The difference of two attentions."""
    one, other = (attention(2, 2, WORDS, seed=seed, peak=0.3) for seed in (1, 2))
    return replace(one, weights=one.weights - other.weights)


def masked_by_bits():
    """A window around each query, of its own width in each layer."""
    drawn = attention(2, 2, words(17), seed=4)
    away = np.abs(np.subtract.outer(np.arange(17), np.arange(17)))
    mask = np.stack([away <= 2, away <= 5])
    return replace(drawn, weights=(drawn.weights * mask[:, None]).astype(np.float32), mask=mask)


CASES = {
    "even": lambda: attention(3, 4, WORDS, seed=0),
    "peaked": lambda: attention(2, 2, WORDS, seed=1, peak=0.02),
    "causal": lambda: attention(2, 2, WORDS, seed=2, causal=True),
    "rectangular": lambda: attention(1, 2, WORDS, keys=words(5), seed=5),
    "sinking": sinking,
    "signed": signed,
    "window": masked_by_bits,
    "one token": lambda: attention(1, 1, ("a",)),
    "zeros": lambda: replace(signed(), weights=np.zeros((2, 2, 13, 13), np.float32), mask=np.ones((1, 13, 13), bool)),
    "long": lambda: attention(2, 2, words(300), seed=6, peak=0.1),
}


@pytest.mark.parametrize("case", CASES)
def test_values_of_a_file_are_those_of_the_array(tmp_path, case):
    drawn = CASES[case]()
    file = tmp_path / "page.html"
    file.write_bytes(explorer_page(drawn))
    maps = json.loads(ran(READER, file))
    arrays = [weights for layer in drawn.weights for weights in layer]
    assert [tuple(each["place"]) for each in maps] == list(drawn.places)
    for read, weights in zip(maps, arrays, strict=True):
        largest = float(np.abs(weights).max())
        apart = np.abs(np.reshape(read["values"], weights.shape) - weights.astype(np.float64)).max()
        assert apart <= largest / 500 * (1 + 1e-6), read["place"]
        if drawn.mask is None or drawn.mask.all():
            assert read["allowed"] is None
        else:
            which = read["place"][0] if len(drawn.mask) > 1 else 0
            assert np.array_equal(np.reshape(read["allowed"], weights.shape), drawn.mask[which])


def test_small_pages_are_finer_than_promised(tmp_path):
    drawn = small_attention()
    file = tmp_path / "page.html"
    file.write_bytes(explorer_page(drawn))
    read = np.reshape([each["values"] for each in json.loads(ran(READER, file))], drawn.weights.shape)
    assert np.abs(read - drawn.weights).max() <= drawn.weights.max() / 50_000
