"""Names of layers, heads and tokens as a person writes them, and their indices."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from attnviz.errors import SelectionError

if TYPE_CHECKING:
    from attnviz.axis import Tokens

Pairs = tuple[tuple[int, int], ...]
# Names of layers and heads in Python: indices, or text as on the command line; None for all.
LayerChoice = Iterable[int] | int | str | None
HeadChoice = Iterable[int | str | tuple[int, int]] | int | str | None

_PART = re.compile(r"(-?\d+)(?:-(-?\d+))?")
_PAIR = re.compile(r"(-?\d{1,18})\.(-?\d{1,18})(?:-(-?\d{1,18}))?")


def parse_indices(text: str) -> tuple[tuple[int, int], ...] | None:
    """`all` -> None; `3`, `-1`, `0-3`, `0,2,5` or a mixture -> ((first, last), ...).

    Raises SelectionError for any other text. The model's size is not known here: see `resolve_indices`.
    """
    if text.strip() == "all":
        return None
    parts = [_PART.fullmatch(part.strip()) for part in text.split(",")]
    if any(part is None or len(part[0]) > 18 for part in parts):
        raise SelectionError(f"wanted all, 3, -1, 0-3 or 0,2,5; got {text!r}")
    return tuple((int(part[1]), int(part[2] or part[1])) for part in parts if part)


def parse_heads(text: str) -> None:
    """Whether `text` names heads: of all chosen layers, as `parse_indices` reads them, or of layers of their own.

    Raises SelectionError if it reads as neither, or mixes both.
    """
    if of_pairs(text):
        _pairs(text)
    else:
        parse_indices(text)


def of_pairs(text: str) -> bool:
    """Whether heads are named with their layers, as in 3.1,5.11."""
    return "." in text


def resolve_indices(what: str, text: str, have: Sequence[int]) -> list[int]:
    """The true indices that `text` names among those there are, in the order asked, each once.

    Raises SelectionError if one of them is not there.
    """
    ranges = parse_indices(text)
    return list(have) if ranges is None else _indices(what, ranges, have)


def resolve_pairs(text: str, have: Mapping[int, Sequence[int]]) -> Pairs:
    """The (layer, head) pairs that `3.1,5.11`, `-1.0` or `3.0-3` name, in the order asked, each once.

    have: the heads of each layer there is. Raises SelectionError if one of them is not there.
    """
    chosen: dict[tuple[int, int], None] = {}
    for layer, heads in _pairs(text):
        (true,) = _indices("layer", ((layer, layer),), list(have))
        for head in _indices("head", (heads,), have[true], f" of layer {true}"):
            chosen[true, head] = None
    return tuple(chosen)


@dataclass(frozen=True)
class Chosen:
    """Which layers and heads: all these heads of all these layers, or `pairs` of them alone, unless that is ()."""

    layers: list[int]
    heads: list[int]
    pairs: Pairs = ()

    @property
    def asked(self) -> list[int] | str:
        """The heads as `Attention.select` and `Model.attend` take them: beside `layers`, pairs alone."""
        return named_pairs(self.pairs) if self.pairs else self.heads

    @property
    def beside(self) -> list[int] | None:
        """The layers to be given with `asked`."""
        return None if self.pairs else self.layers

    @property
    def count(self) -> int:
        """The number of maps."""
        return len(self.pairs) or len(self.layers) * len(self.heads)


def chosen_heads(layers: LayerChoice, heads: HeadChoice, n_layers: int, n_heads: int) -> Chosen:
    """The layers and heads that are named, in a stack of that size; pairs name their layers themselves.

    Raises SelectionError if something is not there, or for pairs beside `layers`.
    """
    asked = asked_heads(heads, layers)
    if isinstance(asked, str) and of_pairs(asked):
        pairs = resolve_pairs(asked, dict.fromkeys(range(n_layers), range(n_heads)))
        layers_of, heads_of = occurring(pairs)
        return Chosen(list(layers_of), list(heads_of), pairs)
    return Chosen(chosen("layer", layers, n_layers), chosen("head", asked, n_heads))


def chosen(what: str, wanted: LayerChoice, count: int) -> list[int]:
    """True indices, in the order asked for, from None (all), one index, several, or text."""
    if wanted is None or isinstance(wanted, str):
        return resolve_indices(what, wanted or "all", range(count))
    asked = _whole(what, wanted)
    if not asked:
        raise SelectionError(f"no {what} was named")
    indices: dict[int, None] = {}
    for index in asked:
        if not -count <= index < count:
            shown = f"{what}s 0-{count - 1}" if count > 1 else f"only {what} 0"
            raise SelectionError(f"{what} {index} is not there; the model has {shown}")
        indices[index % count] = None
    return list(indices)


def asked_heads(heads: HeadChoice, layers: object = None) -> LayerChoice:
    """Heads as Python names them: plain indices as they are, items such as "0-3" or (3, 1) as one text.

    Raises SelectionError for pairs beside `layers`, and for numbers such as 3.1, which are no text.
    """
    if heads is None or isinstance(heads, int):
        return heads
    items = [heads] if isinstance(heads, (str, float)) or not isinstance(heads, Iterable) else list(heads)
    if any(isinstance(item, float) for item in items):
        raise SelectionError("heads are whole numbers, or text with their layers", 'as in heads=["3.1", "5.11"]')
    if not any(isinstance(item, (str, tuple)) for item in items):
        return _whole("head", items)
    text = ",".join(".".join(map(str, item)) if isinstance(item, tuple) else str(item) for item in items)
    parse_heads(text)
    if of_pairs(text) and layers is not None:
        raise SelectionError(f"heads {text} name their layers: leave out layers")
    return None if text.strip() == "all" else text


def named_pairs(pairs: Pairs) -> str:
    """`3.1,5.11`, as `resolve_pairs` reads them."""
    return ",".join(f"{layer}.{head}" for layer, head in pairs)


def listed_pairs(pairs: Pairs) -> str:
    """Pairs for a message, cut where they would be long."""
    return _cut(named_pairs(pairs[:100]))


def occurring(pairs: Pairs) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The layers and the heads that occur in pairs, in rising order."""
    return tuple(sorted({layer for layer, _ in pairs})), tuple(sorted({head for _, head in pairs}))


def places_of(what: str, wanted: LayerChoice, have: Sequence[int], length: int) -> list[int] | None:
    """Positions along an axis of `length` of the true indices `wanted`; None for all of them."""
    if wanted is None:
        return None
    asked = resolve_indices(what, wanted, have) if isinstance(wanted, str) else _whole(what, wanted)
    if length != len(have):
        raise SelectionError(f"{what}s were averaged: {what} {asked[0] if asked else ''} cannot be taken out again")
    if not asked:
        raise SelectionError(f"no {what} was named")
    places = []
    for index in asked:
        true = have[index] if -len(have) <= index < 0 else index
        if true not in have:
            shown = f"{have[0]}-{have[-1]}" if len(have) > 1 else str(have[0])
            raise SelectionError(f"{what} {index} is not there; {what}s {shown} are")
        places.append(have.index(true))
    return places


def _whole(what: str, wanted: Iterable[Any] | int) -> list[int]:
    """One index or several as a list. Raises SelectionError for what is no whole number."""
    several = isinstance(wanted, Iterable) and not isinstance(wanted, str)
    items: list[Any] = list(wanted) if several else [wanted]  # type: ignore[arg-type]
    try:
        return [operator.index(item) for item in items]
    except TypeError:
        raise SelectionError(f"{what}s are whole numbers here; got {_cut(repr(items)[1:-1])}") from None


def parse_range(text: str) -> tuple[int, int]:
    """`3-9` -> (3, 9); `3` -> (3, 3). Raises SelectionError otherwise."""
    ends = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text.strip())
    if not ends:
        raise SelectionError(f"wanted a range of tokens such as 3-9; got {text!r}")
    first, last = int(ends[1]), int(ends[2] or ends[1])
    if first > last:
        raise SelectionError(f"tokens {text}: the first lies after the last")
    return first, last


def find_token(tokens: Tokens, wanted: str | int, axis: str = "tokens") -> int:
    """The place of a token named by its text, by text#2 (the second of that text) or by its index.

    Text goes before index: `3` is the token "3" where there is one; `#3` is always the fourth token. Case and the
    marks of word pieces are ignored where nothing fits exactly. Raises SelectionError if nothing or several fit.
    """
    wanted = wanted if isinstance(wanted, str) else f"#{wanted}"
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
                times = "once" if len(places) == 1 else f"{len(places)} times"
                raise SelectionError(f"{wanted!r}: {numbered[1]!r} stands {times} among the {axis}")
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


def evenly(tokens: Tokens, most: int, words: bool = False, special: bool = True) -> list[int]:
    """At most so many tokens, spread evenly over a text, the first and the last among them; all where that many fit.

    words: whole words, so that there may be a few more. special: whether special tokens count; where all that count
    fit, special tokens are included too, so that the text is whole.
    """
    groups = tokens.groups() if words else [[i] for i in range(len(tokens))]
    if not special:
        groups = [group for group in groups if not all(tokens.special[i] for i in group)] or groups
    if sum(map(len, groups)) <= most:
        return list(range(len(tokens)))
    count = max(1, most * len(groups) // sum(map(len, groups)))
    step = (len(groups) - 1) / max(count - 1, 1)
    return [i for place in sorted({round(k * step) for k in range(count)}) for i in groups[place]]


def _indices(what: str, ranges: Iterable[tuple[int, int]], have: Sequence[int], where: str = "") -> list[int]:
    """The true indices in these ranges, each once. where: words behind an index that is not there."""
    chosen: dict[int, None] = {}
    for ends in ranges:
        first, last = (have[i] if -len(have) <= i < 0 else i for i in ends)
        for end in (first, last):
            if end not in have:
                raise SelectionError(f"{what} {end}{where} is not there; {_shown(what, have)}")
        if first > last:
            raise SelectionError(f"{what}s {ends[0]}-{ends[1]}{where}: the first lies after the last")
        for index in range(first, last + 1):
            if index not in have:
                raise SelectionError(f"{what} {index}{where} is not there; {_shown(what, have)}")
            chosen[index] = None
    return list(chosen)


def _pairs(text: str) -> list[tuple[int, tuple[int, int]]]:
    """`3.1,5.0-2` -> [(layer, (first head, last head)), ...]."""
    parts = [part.strip() for part in text.split(",")]
    heads = [_PAIR.fullmatch(part) for part in parts]
    plain = next((part for part in parts if _PART.fullmatch(part) or part == "all"), None)
    if plain is not None and any(heads):
        raise SelectionError(
            f"{_cut(text)}: {plain} names no layer, other heads do", "write each with its layer, as in 3.1,5.11"
        )
    if not all(heads):
        raise SelectionError(f"wanted heads with their layers, as in 3.1, 3.1,5.11 or 3.0-3; got {_cut(text)!r}")
    return [(int(head[1]), (int(head[2]), int(head[3] or head[2]))) for head in heads if head]


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
