"""What a person writes to name layers, heads and tokens, and what it stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from attnviz.errors import SelectionError

if TYPE_CHECKING:
    from attnviz.attention import Attention, Tokens

_PART = re.compile(r"(-?\d+)(?:-(-?\d+))?")


def parse_indices(text: str) -> tuple[tuple[int, int], ...] | None:
    """`all` -> None; `3`, `-1`, `0-3`, `0,2,5` or a mixture -> ((first, last), ...).

    Raises SelectionError if it reads as none of these. What the model has is not known here: see `resolve_indices`.
    """
    if text.strip() == "all":
        return None
    found = [_PART.fullmatch(part.strip()) for part in text.split(",")]
    if any(part is None or len(part[0]) > 18 for part in found):
        raise SelectionError(f"wanted all, 3, -1, 0-3 or 0,2,5; got {text!r}")
    return tuple((int(part[1]), int(part[2] or part[1])) for part in found if part)


def resolve_indices(what: str, text: str, have: Sequence[int]) -> list[int]:
    """The true indices that `text` names among those there are, in the order asked, each once.

    Raises SelectionError if one of them is not there.
    """
    ranges = parse_indices(text)
    if ranges is None:
        return list(have)
    chosen: dict[int, None] = {}
    for ends in ranges:
        first, last = (have[i] if -len(have) <= i < 0 else i for i in ends)
        for end in (first, last):
            if end not in have:
                raise SelectionError(f"{what} {end} is not there; {_shown(what, have)}")
        if first > last:
            raise SelectionError(f"{what}s {ends[0]}-{ends[1]}: the first lies after the last")
        for index in range(first, last + 1):
            if index not in have:
                raise SelectionError(f"{what} {index} is not there; {_shown(what, have)}")
            chosen[index] = None
    return list(chosen)


def parse_range(text: str) -> tuple[int, int]:
    """`3-9` -> (3, 9); `3` -> (3, 3). Raises SelectionError otherwise."""
    found = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text.strip())
    if not found:
        raise SelectionError(f"wanted a range of tokens such as 3-9; got {text!r}")
    first, last = int(found[1]), int(found[2] or found[1])
    if first > last:
        raise SelectionError(f"tokens {text}: the first lies after the last")
    return first, last


def find_token(tokens: Tokens, wanted: str, axis: str = "tokens") -> int:
    """The place of a token named by its text, by text#2 (the second of that text) or by its index.

    Text goes before index: `3` is the token "3" where there is one; `#3` is always the fourth token. Case and the
    marks of word pieces are passed over where nothing fits exactly. Raises SelectionError if nothing or several fit.
    """
    for same in (_exact, _loose):
        places = [i for i, text in enumerate(tokens.text) if same(text) == same(wanted)]
        if len(places) > 1:
            listed = ", ".join(f"{tokens.text[i]}#{k} (index {i})" for k, i in enumerate(places, 1))
            raise SelectionError(
                f"{wanted!r} stands {len(places)} times among the {axis}: {_cut(listed)}",
                f"name one of them, as in {wanted}#1 or #{places[0]}",
            )
        if places:
            return places[0]
    numbered = re.fullmatch(r"(.+)#(\d{1,9})", wanted, re.DOTALL)
    if numbered:
        for same in (_exact, _loose):
            places = [i for i, text in enumerate(tokens.text) if same(text) == same(numbered[1])]
            if places and 1 <= int(numbered[2]) <= len(places):
                return places[int(numbered[2]) - 1]
            if places:
                raise SelectionError(f"{wanted!r}: {numbered[1]!r} stands {len(places)} time(s) among the {axis}")
    index = re.fullmatch(r"#?(-?\d{1,9})", wanted)
    if index:
        place = int(index[1])
        if not -len(tokens) <= place < len(tokens):
            raise SelectionError(f"{axis}: index {place} is not there; 0-{len(tokens) - 1} are")
        return place % len(tokens)
    near = get_close_matches(wanted, dict.fromkeys(tokens.text), n=3, cutoff=0.5)
    listed = ", ".join(near) if near else _cut(", ".join(dict.fromkeys(tokens.text)))
    raise SelectionError(f"{wanted!r} is not among the {axis}", f"there are: {listed}")


def find_mark(queries: Tokens, keys: Tokens, wanted: str) -> tuple[int, int]:
    """The cell (query, key) that `it:animal` names. A token with a colon in it works too, if one split fits."""
    cuts = [i for i, sign in enumerate(wanted) if sign == ":"]
    if not cuts:
        raise SelectionError(f"a mark is QUERY:KEY, as in it:animal; got {wanted!r}")
    failures = []
    for cut in cuts:
        try:
            return find_token(queries, wanted[:cut], "queries"), find_token(keys, wanted[cut + 1 :], "keys")
        except SelectionError as error:
            failures.append(error)
    raise failures[0]


def crop(attention: Attention, rows: tuple[int, int] | None, cols: tuple[int, int] | None) -> Attention:
    """Only these queries and keys, each (first, last); None for all.

    meta["origin"] then holds the indices of the first query and key left, so that numbers keep their places. Rows
    sum to less than 1 if keys go; `reduced` names the tokens kept. Raises SelectionError if an axis ends before `last`.
    """
    sizes = (len(attention.queries), len(attention.keys))
    for ends, size, what in zip((rows, cols), sizes, ("queries", "keys"), strict=True):
        if ends is not None and ends[1] >= size:
            raise SelectionError(f"tokens {ends[0]}-{ends[1]} are not there; the {what} are 0-{size - 1}")
    (top, bottom), (left, right) = rows or (0, sizes[0] - 1), cols or (0, sizes[1] - 1)
    at, to = slice(top, bottom + 1), slice(left, right + 1)
    before = attention.meta.get("origin", (0, 0))
    note = ""
    if right - left + 1 < sizes[1]:
        note = f"tokens {left}-{right} of 0-{sizes[1] - 1}"
    return replace(
        attention,
        weights=attention.weights[:, :, at, to],
        mask=None if attention.mask is None else attention.mask[:, at, to],
        queries=attention.queries.take(range(top, bottom + 1)),
        keys=attention.keys.take(range(left, right + 1)),
        reduced="; ".join(filter(None, (attention.reduced, note))),
        meta={**attention.meta, "origin": [before[0] + top, before[1] + left]},
    )


def _shown(what: str, have: Sequence[int]) -> str:
    if len(have) == 1:
        return f"{what} {have[0]} is the only one"
    if list(have) == list(range(have[0], have[-1] + 1)):
        return f"{what}s {have[0]}-{have[-1]} are"
    return f"{what}s {_cut(', '.join(map(str, have)))} are"


def _exact(text: str) -> str:
    return text


def _loose(text: str) -> str:
    """Without case, and without the marks that say how a piece joins its word."""
    return text.removeprefix("##").strip(" ·␣▁").casefold() or text


def _cut(listed: str, room: int = 160) -> str:
    return listed if len(listed) <= room else listed[: room - 4].rsplit(",", 1)[0] + ", ..."
