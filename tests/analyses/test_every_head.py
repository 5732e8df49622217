"""Queries and keys of every head give its weights, in every family that adds nothing to their products."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.paths import REFERENCE

import attnviz
from attnviz.analyses.every_head import Wish, every_head
from attnviz.errors import InputError
from attnviz.select import chosen_heads

CASES = sorted(p.name for p in REFERENCE.iterdir() if p.is_dir() and p.name != "wavlm")
ADD = {
    "a bias for the distance": "beit bloom mpnet mpt mt5 t5 umt5",
    "a term for the distance": "deberta deberta_v2 xlnet",
    "squashed": "gemma2",
    "the first block": "bigbird_pegasus",
    "outside the text": "gpt_oss",
}


def opened(case):
    expected = np.load(REFERENCE / case / "expected.npz")
    names = {"input_ids": "ids", "decoder_input_ids": "target_ids"}
    inputs = {ours: expected[theirs].tolist() for theirs, ours in names.items() if theirs in expected}
    arrays = ("pixel_values", "input_values", "input_features")
    return attnviz.load(REFERENCE / case), inputs | {name: expected[name] for name in arrays if name in expected}


@pytest.mark.parametrize("case", CASES)
def test_softmax_of_the_products_is_the_weights(case):
    model, inputs = opened(case)
    own = ("cross", "decoder") if case == "bigbird_pegasus" else ("cross",)  # streams that add nothing
    for stream in model.streams if "target_ids" in inputs else model.streams[:1]:
        given = {name: value for name, value in inputs.items() if stream != "encoder" or name != "target_ids"}
        at = chosen_heads(None, "all", *model.size(stream, "pixel_values" in inputs))
        attention, details = every_head(model, given, stream, at, Wish(vectors=True))
        vectors, worst = details.vectors, 0.0
        for i, (weights, mask) in enumerate(attention.maps()):
            scores = vectors.queries[i].astype(float) @ vectors.keys[vectors.of[i]].T * vectors.scaling[i]
            scores = scores if mask is None else np.where(mask, scores, -np.inf)
            again = np.exp(scores - scores.max(-1, keepdims=True))
            worst = max(worst, float(np.abs(again / again.sum(-1, keepdims=True) - weights).max()))
        said = [words for words, names in ADD.items() if case in names.split() and stream not in own]
        assert all(words in vectors.note for words in said)
        assert bool(said) == bool(vectors.note)
        assert (worst > 1e-3) == bool(said), f"{stream}: {worst}"


def test_a_mean_over_heads_has_no_queries_and_keys():
    model, inputs = opened("wavlm")
    at = chosen_heads(None, "all", *model.size("self"))
    with pytest.raises(InputError, match="the mean over all heads"):
        every_head(model, inputs, "self", at, Wish(vectors=True))
    _, details = every_head(model, inputs, "self", at, Wish(vectors=True, own_heads=True))
    assert len(details.vectors.queries) == at.count


def test_pairs_have_the_vectors_of_their_heads():
    model = attnviz.load("seeded")
    every = every_head(model, {"text": "a b c"}, "self", chosen_heads(None, "all", 2, 4), Wish(vectors=True))
    some = every_head(model, {"text": "a b c"}, "self", chosen_heads(None, "1.3,0.2", 2, 4), Wish(vectors=True))
    for index, place in enumerate(some[0].places):
        there = every[0].places.index(place)
        assert np.array_equal(some[1].vectors.queries[index], every[1].vectors.queries[there])
        first, second = some[1].vectors, every[1].vectors
        assert np.array_equal(first.keys[first.of[index]], second.keys[second.of[there]])


def test_too_many_numbers_are_refused_before_the_pass(monkeypatch):
    monkeypatch.setattr("attnviz.analyses.every_head.NUMBERS", 10)
    model = attnviz.load("seeded")
    monkeypatch.setattr(type(model), "observe", None)
    with pytest.raises(InputError, match="too many for a page"):
        every_head(model, {"text": "a b c"}, "self", chosen_heads(None, "all", 2, 4), Wish(vectors=True))
