"""Find the words of a text, and the word that a token belongs to. One rule for every tokenizer.

- A word is a sequence of letters, digits and their marks. An apostrophe, hyphen, underscore or middle dot between two
  of them belongs to it (didn't, l'homme, well-known, snake_case), and so does a number's point or comma (3.14; 30,000).
- Single letters with points between them are one word, the last point included: U.K., e.g.
- In scripts written without spaces (Han, kana, Thai, Lao, Khmer, Burmese) every character, with its marks, is a word:
  otherwise a sentence would be one.
- An emoji with all that belongs to it (skin tone, joined figures, a flag's two letters) is one word.
- Every other visible character is a word by itself. White space belongs to no word.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

Span = tuple[int, int]

# The text is first written as one class letter per character, because `re` knows no Unicode properties: l letter, d
# digit, m mark, c character of a script without spaces, a apostrophe or middle dot, h hyphen or underscore, p point, n
# comma, e emoji or symbol, t skin tone, r regional indicator, z joiner, s white space, x the rest.
_RUN = r"[ld][mz]*(?:(?:[ah]|(?<=d)p(?=d)|(?<=d)n(?=ddd(?!d)))?[ld][mz]*)*"
_WORD = re.compile(
    rf"lm*(?:plm*)+p?(?![ldm])(?:[ah]{_RUN})?"  # U.K., U.K.'s
    rf"|{_RUN}"
    r"|c[mz]*"
    r"|rr?"
    r"|e[mt]*(?:ze[mt]*)*"
    r"|[^s][mz]*"
)
_NO_SPACES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3040, 0x30FF),  # kana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # half-width kana
    (0x1AFF0, 0x1B16F),
    (0x20000, 0x323AF),
)
_ONE = {"'": "a", "’": "a", "＇": "a", "·": "a", "-": "h", "‐": "h", "‑": "h", "_": "h", ".": "p", ",": "n"}


@lru_cache(16384)
def _kind(char: str) -> str:
    if char in _ONE:
        return _ONE[char]
    code, category = ord(char), unicodedata.category(char)
    if char.isspace() or category[0] == "Z":
        return "s"
    if code in (0x200C, 0x200D):
        return "z"
    if category[0] == "M":
        return "m"
    if category[0] in "LN":
        return "c" if any(low <= code <= high for low, high in _NO_SPACES) else "d" if category[0] == "N" else "l"
    if 0x1F1E6 <= code <= 0x1F1FF:
        return "r"
    if 0x1F3FB <= code <= 0x1F3FF:
        return "t"
    if category in ("So", "Cn"):
        return "e"
    # The tag characters that turn a black flag into Scotland's belong to the flag, as a mark belongs to a letter.
    return "m" if 0xE0020 <= code <= 0xE007F else "x"


def find_words(text: str) -> list[Span]:
    """First and last-plus-one character of every word, in order."""
    return [match.span() for match in _WORD.finditer("".join(map(_kind, text)))]


def word_of(words: Sequence[Span], spans: Sequence[Span]) -> list[int]:
    """The index of the first word that each span overlaps, -1 for none (white space, or an empty span)."""
    ends = [end for _, end in words]
    indices = []
    for start, end in spans:
        at = bisect_right(ends, start)
        indices.append(at if at < len(words) and words[at][0] < end and start < end else -1)
    return indices


def trimmed(text: str, span: Span) -> Span:
    """The span without white space at its ends, unless it is all white space."""
    start, end = span
    part = text[start:end]
    if not part.strip():
        return start, end
    return end - len(part.lstrip()), start + len(part.rstrip())
