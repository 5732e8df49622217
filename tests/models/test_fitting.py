"""A text that is far too long for a model is refused by its beginning; whatever may fit is split whole."""

from __future__ import annotations

import pytest

import attnviz
from attnviz.errors import InputError
from attnviz.tokens.fitting import too_long
from attnviz.tokens.tokenizer import Tokenizer

SENTENCE = "The animal did not cross the street because it was too tired. "


def words(text):
    """A tokenizer for which white space is nothing."""
    if not text.strip():
        raise InputError("the text is empty")
    return text.split()


def test_the_first_part_says_enough():
    assert too_long(words, "a " * 50_000, 100) == 4095  # whole words of the first 4,096 characters
    assert too_long(words, "日" * 50_000, 100) == 0  # one word after all
    assert too_long(list, "日" * 50_000, 100) == 4096
    assert too_long(words, "a " * 2000, 100) == 0  # short: split whole


def test_what_a_tokenizer_drops_is_no_reason_to_refuse():
    assert too_long(words, " " * 1_000_000 + "a b c", 100) == 0
    assert too_long(words, " " * 10_000 + "a " * 50_000, 100) == 19_999  # the longer part is asked
    assert too_long(lambda part: part.replace("\x01", ""), "\x01" * 100_000 + "abc", 100) == 0


def test_nearly_too_long_is_not_judged_by_a_part():
    """The end of a part may be split otherwise than it is in the whole text."""
    few = "a" * 20 + " "
    assert len(words(few * 195)) > 100 and too_long(words, few * 195 + " " * 20_000, 100) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": SENTENCE * 2000}, "the text has more than 512 tokens"),
        ({"text": "hello", "pair": SENTENCE * 2000}, "the pair text has more than 512 tokens"),
    ],
)
def test_a_long_text_is_not_split_whole(monkeypatch, given, said):
    split, encode = [], Tokenizer.encode

    def watched(self, text, pair=None):
        split.append(len(text) + len(pair or ""))
        return encode(self, text, pair)

    monkeypatch.setattr(Tokenizer, "encode", watched)
    with pytest.raises(InputError, match=said + r" \(its first 8,1\d\d characters alone\); this model's learned"):
        attnviz.load("minilm").attend(**given)
    assert sum(split) <= 8192


def test_tiny_says_what_reads_more():
    with pytest.raises(InputError, match=r"more than 128 tokens \(its first 4,0\d\d characters alone\)") as refused:
        attnviz.load().attend(SENTENCE * 200)
    assert "-m minilm reads 512 tokens" in refused.value.hint


def test_a_long_text_of_few_tokens_is_read():
    """A word that the vocabulary does not hold is one token, however long; so is white space none."""
    model = attnviz.load("minilm")
    with pytest.warns(attnviz.errors.AttnvizWarning, match="unknown"):
        assert model.attend("x" * 20_000, layers=[0]).weights.shape[-1] == 3
    assert model.attend("hello" + " " * 200_000 + "there", layers=[0]).weights.shape[-1] == 4
    assert attnviz.tokenize(SENTENCE * 200, "minilm").text[-1] == "[SEP]"  # to see how it is split, any length will do
