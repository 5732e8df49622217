"""Whether a long text can be known to have too many tokens from its beginning alone.

To split a text takes about a kilobyte of memory for a token; a model of 512 positions need not split a whole book to
refuse it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attnviz.errors import InputError

LEAST = 4096  # characters; a text as short is split whole
PER_TOKEN = (16, 200)  # characters of a first part for each token that fits; the second if the first says nothing


def too_long(split: Callable[[str], Any], text: str, most: int) -> int:
    """How many of the text's first characters have more tokens than `most` by themselves; 0 if that is not known.

    A first part ends at white space if there is any, and must have twice as many tokens as fit: at its end it may be
    split otherwise than in the whole text, and how many characters a token takes, or a tokenizer drops, is not known.

    Args:
        split: a text to something as long as it has tokens; an InputError says that this part cannot be split.
    """
    for per_token in PER_TOKEN:
        size = max(LEAST, per_token * most)
        if len(text) <= size:
            return 0
        part = _whole_words(text[:size])
        try:
            if len(split(part)) > 2 * most + 16:
                return len(part)
        except InputError:  # a part may be white space alone; the whole text is then asked
            continue
    return 0


def _whole_words(part: str) -> str:
    """The part without what follows its last white space; all of it if there is none in its second half."""
    for at in range(len(part) - 1, len(part) // 2, -1):
        if part[at].isspace():
            return part[:at]
    return part
