"""Tokens: what stands along one axis of an attention map."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

# A character of several bytes (so never an ASCII one), and which of its pieces this is.
_GOES_ON = re.compile(r"◌?(\\[xuU][0-9a-f]+|[^\x00-\x7f])[₂₃₄]")
_BETWEEN_EMOJI = {"\\u200d": "\u200d", "\\ufe0f": "\ufe0f"}


@dataclass(frozen=True)
class Tokens:
    """The tokens along one axis, all tuples of one length.

    text: what a person reads; ids: vocabulary ids, -1 where there is none; words: index of the word a token belongs
    to, -1 for none; special: added by the tokenizer; segments: 0 for the first text, 1 for the pair; spans: first and
    last-plus-one character in the text, or () where unknown.
    """

    text: tuple[str, ...]
    ids: tuple[int, ...]
    words: tuple[int, ...]
    special: tuple[bool, ...]
    segments: tuple[int, ...]
    spans: tuple[tuple[int, int], ...] = ()

    def __len__(self) -> int:
        return len(self.text)

    @classmethod
    def plain(cls, text: Sequence[str], ids: Sequence[int] | None = None) -> Tokens:
        """Tokens about which only their labels (and perhaps ids) are known: each is its own word, none is special."""
        n = len(text)
        return cls(
            text=tuple(map(str, text)),
            ids=tuple(map(int, ids)) if ids is not None else (-1,) * n,
            words=tuple(range(n)),
            special=(False,) * n,
            segments=(0,) * n,
        )

    def take(self, index: Iterable[int]) -> Tokens:
        """The tokens at these places, in this order."""
        places = [int(i) for i in index]

        def pick(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(values[i] for i in places) if values else ()

        return Tokens(*(pick(getattr(self, name)) for name in ("text", "ids", "words", "special", "segments", "spans")))

    def cells(self, cell: int) -> Tokens:
        """Cells of `cell` neighbouring tokens, each labelled by its first token and the range of its indices."""
        if cell == 1:
            return self
        n = len(self)
        starts = range(0, n, cell)
        stops = [min(start + cell, n) for start in starts]
        text = (
            f"{self.text[a]} {a}–{b - 1}" if b - a > 1 else f"{self.text[a]} {a}"
            for a, b in zip(starts, stops, strict=True)
        )
        return replace(
            self.take(starts),
            text=tuple(text),
            words=(-1,) * len(starts),
            special=tuple(all(self.special[a:b]) for a, b in zip(starts, stops, strict=True)),
            spans=(),
        )

    def groups(self) -> list[list[int]]:
        """Neighbouring tokens that belong to one word, in order; a token that is in no word is a group of its own."""
        groups: list[list[int]] = []
        last: tuple[int, int] | None = None
        for i, (word, segment) in enumerate(zip(self.words, self.segments, strict=True)):
            key = None if word < 0 else (word, segment)
            if key is not None and key == last:
                groups[-1].append(i)
            else:
                groups.append([i])
            last = key
        return groups

    def merged(self) -> Tokens:
        """Words instead of pieces, each with its first piece's id, word and segment."""
        return _merged(self, self.groups())


def _merged(tokens: Tokens, groups: list[list[int]]) -> Tokens:
    first = tokens.take(g[0] for g in groups)
    text = []
    for group in groups:
        word = tokens.text[group[0]]
        for i in group[1:]:
            word = _piece(word, tokens.text[i])
        text.append(word)
    spans = tuple((tokens.spans[g[0]][0], tokens.spans[g[-1]][1]) for g in groups) if tokens.spans else ()
    return replace(first, text=tuple(text), spans=spans)


def _piece(word: str, label: str) -> str:
    """The word so far and the next piece of it, without the marks that only tell pieces apart (see tokens/labels.py).

    WordPiece's `##` says that a piece follows, `日₂` that it continues the character before it, `◌` that a mark has
    lost its letter; a first piece `␣` is the word's own leading space. A mark that makes several emoji one, or one of a
    sign, is shown by its number where it is a token of its own.
    """
    if label.startswith("##") and len(label) > 2:
        return word + label[2:]
    if (more := _GOES_ON.match(label)) and word.endswith((more[1], _BETWEEN_EMOJI.get(more[1], more[1]))):
        return word + label[more.end() :]
    if label[:6] in _BETWEEN_EMOJI and word and unicodedata.category(word[-1]) in ("So", "Sk", "Mn", "Cf"):
        return word + _BETWEEN_EMOJI[label[:6]] + label[6:]
    return ("" if word == "␣" else word) + label.removeprefix("◌")
