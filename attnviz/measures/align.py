"""Two lists of tokens side by side: which is which, what came in and what went out."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnviz.axis import Tokens

NONE = -1  # stands for a token that the other list does not have
Place = tuple[int, int]


def align(first: Tokens, second: Tokens) -> tuple[Place, ...]:
    """The tokens of both lists in one order: (place in the first, place in the second), `NONE` for none.

    Tokens of the same text match, in order, longest runs first (difflib, after Ratcliff and Obershelp 1988). Tokens
    between two matches are paired in turn where both lists have the same number of them, as "tired" and "wide" at the
    end of a sentence; else they went out of the first list and came into the second. The marks by which tokenizers say
    that a piece joins its word do not count, so that lists of different models can be compared.
    """
    a, b = _names(first), _names(second)
    if a == b:
        return tuple((i, i) for i in range(len(a)))
    places: list[Place] = []
    for _, a0, a1, b0, b1 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if a1 - a0 == b1 - b0:
            places += zip(range(a0, a1), range(b0, b1), strict=True)
        else:
            places += [(i, NONE) for i in range(a0, a1)] + [(NONE, j) for j in range(b0, b1)]
    return tuple(places)


def labels(places: tuple[Place, ...], first: Tokens, second: Tokens) -> tuple[str, ...]:
    """Called `it`; `tired|wide` where they differ; `−very` for what went out, `+very` for what came in."""
    return tuple(_label(first.text[i] if i >= 0 else None, second.text[j] if j >= 0 else None) for i, j in places)


def _label(first: str | None, second: str | None) -> str:
    if first is None:
        return f"+{second}"
    if second is None:
        return f"−{first}"
    return first if _bare(first) == _bare(second) else f"{first}|{second}"


def _names(tokens: Tokens) -> list[tuple[str, bool]]:
    return [(_bare(text), special) for text, special in zip(tokens.text, tokens.special, strict=True)]


def _bare(text: str) -> str:
    return text.removeprefix("##").strip(" ·␣▁") or text
