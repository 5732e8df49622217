"""Two Attentions against each other: aligned by hand, changes worked by hand, what cannot be compared."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.errors import InputError
from attnviz.measures.align import NONE, align, labels
from attnviz.measures.diff import diff


def plain(text):
    return Tokens.plain(text.split())


def attention(text, weights, mask=None, **how):
    weights = np.array(weights, np.float32)
    weights = weights.reshape((1,) * (4 - weights.ndim) + weights.shape)
    tokens = plain(text)
    shape = weights.shape[:2]
    return Attention(weights, mask, tokens, tokens, tuple(range(shape[0])), tuple(range(shape[1])), **how)


# Alignment


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("it was tired", "it was tired", [(0, 0), (1, 1), (2, 2)]),
        ("it was tired", "it was wide", [(0, 0), (1, 1), (2, 2)]),
        ("it was very tired", "it was tired", [(0, 0), (1, 1), (2, NONE), (3, 2)]),
        ("it was tired", "it was so very tired", [(0, 0), (1, 1), (NONE, 2), (NONE, 3), (2, 4)]),
        ("a b c", "x b c d", [(0, 0), (1, 1), (2, 2), (NONE, 3)]),
        ("a b", "x y z b", [(0, NONE), (NONE, 0), (NONE, 1), (NONE, 2), (1, 3)]),
    ],
)
def test_alignment_by_hand(first, second, expected):
    assert list(align(plain(first), plain(second))) == expected


def test_labels_say_what_went_and_what_came():
    first, second = plain("it was very tired"), plain("it was quite clearly wide")
    assert labels(align(first, second), first, second) == (
        "it", "was", "−very", "−tired", "+quite", "+clearly", "+wide",
    )  # fmt: skip
    first, second = plain("it was tired"), plain("it was wide")
    assert labels(align(first, second), first, second) == ("it", "was", "tired|wide")


def test_marks_of_pieces_do_not_count():
    first, second = plain("play ##ing"), plain("play ing")
    assert labels(align(first, second), first, second) == ("play", "##ing")


def test_a_special_token_is_not_the_word_of_that_text():
    words = plain("a </s>")
    special = replace(words, special=(False, True))
    assert labels(align(words, special), words, special) == ("a", "</s>")  # in turn: as many on both sides
    assert list(align(replace(words, special=(True, False)), plain("b c a"))) == [
        (0, NONE), (1, NONE), (NONE, 0), (NONE, 1), (NONE, 2),
    ]  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_alignment_has_every_token_once_and_in_order(first, second):
    found = align(Tokens.plain(first), Tokens.plain(second))
    assert [i for i, _ in found if i != NONE] == list(range(len(first)))
    assert [j for _, j in found if j != NONE] == list(range(len(second)))
    assert (NONE, NONE) not in found


# Differences

BEFORE = [[[1.0, 0.0], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]]]  # [head, query, key]
AFTER = [[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.25, 0.75]]]


def test_a_change_by_hand():
    found = diff(attention("a b", BEFORE), attention("a b", AFTER))
    assert found.change[0, 0].tolist() == [[0, 0], [0, 0]]
    assert found.change[0, 1].tolist() == [[-1, 1], [0.25, -0.25]]
    # row 0 shares no key: ln 2; row 1: [0, 1] and [1/4, 3/4], whose mean is [1/8, 7/8]
    row = (math.log(1 / (7 / 8)) + 0.25 * math.log(2) + 0.75 * math.log((3 / 4) / (7 / 8))) / 2
    assert found.distance[0].tolist() == pytest.approx([0.0, math.sqrt((math.log(2) + row) / 2)])
    first, second = found.ranked()
    assert (first.head, first.row, first.column, first.before, first.after, first.change) == (1, 0, 0, 1, 0, -1)
    assert (second.head, second.distance) == (0, 0.0)


def test_the_other_way_round_is_the_same_with_the_sign_turned():
    generator = np.random.default_rng(0)
    a, b = (attention("a b c d", generator.dirichlet(np.full(4, 0.3), (2, 3, 4))) for _ in range(2))
    there, back = diff(a, b), diff(b, a)
    assert np.array_equal(there.change, -back.change)
    np.testing.assert_allclose(there.distance, back.distance, atol=1e-12)


def test_equal_attention_does_not_differ():
    a = attention("a b", BEFORE)
    found = diff(a, a)
    assert not found.change.any()
    assert not found.distance.any()


def test_a_token_that_came_in_takes_its_weight_from_nothing():
    """`a b` and `a new b`: of the rows a and b, what `new` gets was 0 before."""
    found = diff(
        attention("a b", [[0.5, 0.5], [0.0, 1.0]]),
        attention("a new b", [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.0, 0.75, 0.25]]),
    )
    assert found.row_labels == ("a", "b")
    assert found.column_labels == ("a", "+new", "b")
    assert (found.gone, found.come) == ((), ("new",))
    assert found.change[0, 0].tolist() == [[0, 0.5, -0.5], [0, 0.75, -0.75]]


def test_a_token_that_went_out_loses_its_weight():
    there = diff(attention("a x b", np.eye(3)[[1, 1, 1]]), attention("a b", np.eye(2)))
    assert there.column_labels == ("a", "−x", "b")
    assert there.change[0, 0].tolist() == [[1, -1, 0], [0, -1, 1]]
    assert there.gone == ("x",)
    assert there.distance[0, 0] == pytest.approx(math.sqrt(math.log(2)))


def test_hidden_where_neither_may_attend():
    causal = np.tri(2, dtype=bool)[None]
    weights = [[1.0, 0.0], [0.5, 0.5]]
    assert diff(attention("a b", weights, causal), attention("a b", weights, causal)).hidden[0, 0].tolist() == [
        [False, True], [False, False],
    ]  # fmt: skip
    everything = np.ones((1, 2, 2), bool)
    assert diff(attention("a b", weights, causal), attention("a b", weights, everything)).hidden is None
    assert diff(attention("a b", weights, causal), attention("a b", weights)).hidden is None


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (attention("a b", BEFORE[:1]), "as many layers and heads"),
        (replace(attention("a b", BEFORE), cell=2), "cells of 1 and of 2 tokens"),
        (attention("a b", np.array(BEFORE) * [-1, 1]), "negative weights"),
        (attention("x y z", np.ones((2, 3, 3)) / 3), "no query in common"),
    ],
)
def test_what_cannot_be_compared(second, said):
    with pytest.raises(InputError, match=said):
        diff(attention("a b", BEFORE), second)
