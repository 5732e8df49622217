"""Readable labels for tokens in any script. The rules, in the order in which they are applied:

1. Bytes are decoded together. A character that is split over several tokens is shown whole on the token where it
   begins; the following tokens show it with a number: `日`, `日₂`, `日₃`. Bytes that are no UTF-8 show as `<0xE6>`.
2. One space before a word is dropped: it marks only that a word begins. Pieces that continue a word get no mark
   (WordPiece's own `##` stays).
3. Any other white space is shown: `␣` space, `⏎` line feed, `⇥` tab, `⍽` no-break space; four or more alike as `␣×8`.
   A single space between two visible characters stays a space.
4. Characters that are invisible or would disturb the line around them (control characters, bidirectional overrides,
   joiners with nothing to join, private use) are shown escaped: `\\x1b`, `\\u202e`. A mark without a letter is
   shown on `◌`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_SPACES = {" ": "␣", "\n": "⏎", "\r": "\\r", "\t": "⇥", "\u00a0": "⍽"}
_JOINERS = "\u200c\u200d"
# Letters and symbols that leave no ink, and the replacement character for lost text.
_NO_INK = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffd")
# Format characters that do leave ink: the Arabic and Syriac number and verse signs.
_FORMAT_WITH_INK = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
_PLACES = "₀₁₂₃₄"
_RUN = re.compile(r"([␣⏎⇥⍽])\1{3,}")


def readable(pieces: Sequence[bytes | str]) -> list[str]:
    """A label for each piece: bytes are decoded together; a str is a special token's name and shown unchanged."""
    own, tails = decode_together(pieces)
    return [
        named(piece) if isinstance(piece, str) else tail + visible(without_lead(text))
        for piece, text, tail in zip(pieces, own, tails, strict=True)
    ]


def decode_together(pieces: Sequence[bytes | str]) -> tuple[list[str], list[str]]:
    """For each piece the text that begins in it, and the label of a character that it only continues, or ''.

    A str has the text '', and bytes before and after it are not decoded together.
    """
    own, tails = [""] * len(pieces), [""] * len(pieces)
    start = 0
    while start < len(pieces):
        stop = start
        while stop < len(pieces) and isinstance(pieces[stop], bytes):
            stop += 1
        _decode_run([piece for piece in pieces[start:stop] if isinstance(piece, bytes)], start, own, tails)
        start = stop + 1
    return own, tails


def _decode_run(run: Sequence[bytes], first: int, own: list[str], tails: list[str]) -> None:
    data = b"".join(run)
    owner = [first + i for i, piece in enumerate(run) for _ in piece]
    at = 0
    while at < len(data):
        size = _length(data[at])
        try:
            char = data[at : at + size].decode("utf-8")
        except UnicodeDecodeError:
            char, size = f"<0x{data[at]:02X}>", 1
        own[owner[at]] += char
        place = 1
        for other, before in zip(owner[at + 1 : at + size], owner[at : at + size - 1], strict=True):
            if other != before:
                place += 1
                tails[other] = visible(char) + _PLACES[place]
        at += size


def _length(lead: int) -> int:
    """The number of bytes of a UTF-8 character, from its first byte."""
    return 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


def without_lead(text: str) -> str:
    """The text without the space that marks the beginning of a word."""
    return text[1:] if text[:1] == " " and text[1:2] and not text[1].isspace() else text


def named(special: str) -> str:
    """A special token's name, safe to print. Some names hold SentencePiece's `▁`."""
    return visible(special.replace("▁", "_"))


def visible(text: str) -> str:
    """The text with white space shown and everything invisible or unruly escaped (rules 3 and 4)."""
    if text.isascii() and text.isalnum():
        return text
    shown = "".join(_shown(text, i) for i in range(len(text)))
    return _RUN.sub(lambda run: f"{run[1]}×{len(run[0])}", shown)


def _shown(text: str, i: int) -> str:
    char = text[i]
    before, after = text[i - 1 : i], text[i + 1 : i + 2]
    if char == " " and _inked(before) and _inked(after):
        return char
    if char in _SPACES:
        return _SPACES[char]
    if char in _JOINERS:
        return char if _inked(before) and _inked(after) else _escaped(char)
    if not _inked(char):
        return _escaped(char)
    if unicodedata.category(char)[0] == "M" and not (_inked(before) or (before and before in _JOINERS)):
        return _escaped(char) if _selector(char) else "◌" + char
    return char


@lru_cache(4096)
def _inked(char: str) -> bool:
    """Whether a character is visible and does not combine or reorder. '' is not."""
    if not char or char in _NO_INK or ord(char) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(char) <= 0xFDEF:
        return False
    kind = unicodedata.category(char)
    return char in _FORMAT_WITH_INK or kind == "Cn" or kind[0] not in "CZ"


def _selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef" or "\u180b" <= char <= "\u180f"


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
