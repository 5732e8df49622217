"""Naming layers, heads, tokens and cells."""

from __future__ import annotations

import numpy as np
import pytest

from attnviz.attention import Attention, crop
from attnviz.axis import Tokens
from attnviz.errors import SelectionError
from attnviz.select import find_mark, find_token, parse_range, resolve_indices

WORDS = Tokens.plain(["[CLS]", "the", "cat", "and", "the", "##rap", "3", "a:b", ":", "It"])


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("all", [0, 1, 2, 3, 4, 5]),
        ("3", [3]),
        ("-1", [5]),
        ("0-3", [0, 1, 2, 3]),
        ("0,2,5", [0, 2, 5]),
        ("5,0-1,-2", [5, 0, 1, 4]),
        ("-3--1", [3, 4, 5]),
        ("2,2,1-2", [2, 1]),
        (" 1 , 2 ", [1, 2]),
    ],
)
def test_indices(text, want):
    assert resolve_indices("layer", text, range(6)) == want


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("6", "layer 6 is not there; layers 0-5 are"),
        ("-7", "layer -7 is not there; layers 0-5 are"),
        ("0-999999999999", "layer 999999999999 is not there; layers 0-5 are"),
        ("3-1", "layers 3-1: the first lies after the last"),
        ("", "wanted all, 3, -1, 0-3 or 0,2,5; got ''"),
        ("1,,2", "wanted all, 3, -1, 0-3 or 0,2,5; got '1,,2'"),
        ("one", "wanted all, 3, -1, 0-3 or 0,2,5; got 'one'"),
        ("1" * 5000, "wanted all"),
        ("٣", "layer 3|wanted all"),
    ],
)
def test_indices_that_are_not_there(text, says):
    if text == "٣":  # another script's digit is that digit
        assert resolve_indices("layer", text, range(6)) == [3]
        return
    with pytest.raises(SelectionError) as caught:
        resolve_indices("layer", text, range(6))
    assert str(caught.value).startswith(says)


def test_indices_are_true_indices_of_what_is_held():
    assert resolve_indices("head", "all", (2, 5, 9)) == [2, 5, 9]
    assert resolve_indices("head", "-1,2", (2, 5, 9)) == [9, 2]
    with pytest.raises(SelectionError, match="head 0 is not there; heads 2, 5, 9 are"):
        resolve_indices("head", "0", (2, 5, 9))
    with pytest.raises(SelectionError, match="head 3 is not there; heads 2, 5, 9 are"):
        resolve_indices("head", "2-5", (2, 5, 9))
    with pytest.raises(SelectionError, match="head 1 is not there; head 0 is the only one"):
        resolve_indices("head", "1", (0,))


@pytest.mark.parametrize(
    ("wanted", "want"),
    [
        ("cat", 2),
        ("the#1", 1),
        ("the#2", 4),
        ("5", 5),
        ("#5", 5),
        ("-1", 9),
        ("3", 6),  # the token "3" goes before the index
        ("#3", 3),
        ("Cat", 2),
        ("rap", 5),
        ("it", 9),
        ("THE#2", 4),
    ],
)
def test_tokens(wanted, want):
    assert find_token(WORDS, wanted) == want


@pytest.mark.parametrize(
    ("wanted", "says", "hint"),
    [
        ("the", "'the' stands 2 times among the keys: the#1 (index 1), the#2 (index 4)", "as in the#1 or #1"),
        ("the#3", "'the#3': 'the' stands 2 times among the keys", ""),
        ("99", "keys: index 99 is not there; 0-9 are", ""),
        ("cats", "'cats' is not among the keys", "there are: cat"),
        ("zzz", "'zzz' is not among the keys", "there are: [CLS], the, cat, and"),
        ("", "'' is not among the keys", "there are: [CLS]"),
    ],
)
def test_tokens_that_are_not_there(wanted, says, hint):
    with pytest.raises(SelectionError) as caught:
        find_token(WORDS, wanted, "keys")
    assert str(caught.value) == says
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("wanted", "want"),
    [("cat:the#2", (2, 4)), ("a:b:cat", (7, 2)), ("cat:a:b", (2, 7)), ("::It", (8, 9)), ("0:#3", (0, 3))],
)
def test_marks(wanted, want):
    assert find_mark(WORDS, WORDS, wanted) == want


def test_marks_that_are_not_there():
    with pytest.raises(SelectionError, match="a mark is QUERY:KEY, as in it:animal; got 'cat'"):
        find_mark(WORDS, WORDS, "cat")
    with pytest.raises(SelectionError, match="'dog' is not among the keys"):
        find_mark(WORDS, WORDS, "cat:dog")


def test_range():
    assert parse_range("3-9") == (3, 9)
    assert parse_range("4") == (4, 4)
    for wrong in ("9-3", "a", "-1", "1,2", ""):
        with pytest.raises(SelectionError):
            parse_range(wrong)


def test_crop_keeps_places_and_says_so():
    weights = np.random.default_rng(0).random((1, 1, 10, 10), np.float32)
    whole = Attention(weights, np.tri(10, dtype=bool)[None], WORDS, WORDS, (0,), (0,))
    part = crop(whole, (2, 4), (1, 4))
    np.testing.assert_array_equal(part.weights, weights[:, :, 2:5, 1:5])
    np.testing.assert_array_equal(part.mask, whole.mask[:, 2:5, 1:5])
    assert (part.query_tokens, part.key_tokens) == (("cat", "and", "the"), ("the", "cat", "and", "the"))
    assert part.reduced == "tokens 1-4 of 0-9"
    assert part.meta["origin"] == [2, 1]
    assert crop(part, (1, 1), None).meta["origin"] == [3, 1]
    assert crop(whole, (1, 1), None).reduced == ""
    with pytest.raises(SelectionError, match="tokens 5-10 are not there; the keys are 0-9"):
        crop(whole, None, (5, 10))
