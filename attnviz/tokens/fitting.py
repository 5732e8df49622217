"""Decide from its beginning that a long text has too many tokens.

Splitting takes about a kilobyte of memory per token; a model of 512 positions should refuse a book without splitting
all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attnviz.errors import InputError

LEAST = 4096  # characters; texts up to this length are split whole
PER_TOKEN = (16, 200)  # characters per token in the first part; the second number if the first gives no result


def too_long(split: Callable[[str], Any], text: str, most: int) -> int:
    """A number of first characters that alone have more tokens than `most`; 0 if that is not known.

    A first part ends at white space if there is any, and must have twice the tokens that fit: at its end it may be
    split differently than in the whole text, and the characters per token, or dropped by a tokenizer, are not known.

    Args:
        split: a text -> a sequence with one item per token; raises InputError for a part that cannot be split.
    """
    for per_token in PER_TOKEN:
        size = max(LEAST, per_token * most)
        if len(text) <= size:
            return 0
        part = _whole_words(text[:size])
        try:
            if len(split(part)) > 2 * most + 16:
                return len(part)
        except InputError:  # a part may be white space alone; then the whole text is split
            continue
    return 0


def _whole_words(part: str) -> str:
    """The part up to its last white space; the whole part if its second half has none."""
    for at in range(len(part) - 1, len(part) // 2, -1):
        if part[at].isspace():
            return part[:at]
    return part
