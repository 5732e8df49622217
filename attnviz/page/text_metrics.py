"""Text widths, and what fits: every label is measured before it is placed, with the numbers of the font itself."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from attnviz.page.fonts import FontFile, default_font, fallback_fonts, find_font

SMALLEST = 5.0  # points: below this a label is not read but guessed
ASCENT, DESCENT = 0.77, 0.24  # ink of letters without accents above and below the baseline, in ems
TALL_ASCENT, TALL_DESCENT = 1.02, 0.36  # room for scripts that stack marks, and for Chinese characters
STACKED_ASCENT, STACKED_DESCENT = 1.10, 0.50  # room for Tibetan and Burmese, which stack whole letters
MIDDLE = 0.30  # the height, in ems, at which a line of text looks centred: between half an x and half a capital
LOST = "\N{WHITE SQUARE}"  # stands for a character that no font here has; a note on the picture says which
SAYS = "  "  # between the name of a head and what it does

_MARKS = {
    "\n": "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}",
    "\t": "\N{RIGHTWARDS ARROW TO BAR}",
    "\r": "\N{SYMBOL FOR CARRIAGE RETURN}",
}
_JOINERS = frozenset("\u200c\u200d")


@dataclass(frozen=True)
class Typeface:
    """The fonts that text is drawn with, the first that has a character being the one that draws it.

    missing: characters asked for that none of them has.
    """

    regular: tuple[FontFile, ...]
    bold: tuple[FontFile, ...]
    missing: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        return self.regular[0].family

    def runs(self, text: str, weight: str = "normal") -> list[tuple[str, FontFile]]:
        """The text in pieces of one font each, in order; characters without a font have become `LOST`."""
        return list(_runs(text, self.bold if weight == "bold" else self.regular))

    def width(self, text: str, size: float, weight: str = "normal") -> float:
        """Width in points: the sum of advances, which shaping (kerning, ligatures, joined letters) rarely exceeds."""
        return size * _ems(text, self.bold if weight == "bold" else self.regular)

    def cut(self, text: str, size: float, room: float, weight: str = "normal") -> str:
        """The text, or as much of its beginning as fits `room` points with an ellipsis."""
        if self.width(text, size, weight) <= room:
            return text
        while text and self.width(text + "…", size, weight) > room:
            text = text[:-1]
            while text and unicodedata.category(text[-1])[0] in "MC":
                text = text[:-1]
        return text.rstrip() + "…" if text else ""

    def wrap(self, text: str, size: float, room: float, weight: str = "normal") -> list[str]:
        """The text in lines that fit `room` points, broken at spaces; a word that does not fit alone is cut.

        A dot that parts two remarks is dropped where a line ends between them.
        """
        lines: list[str] = []
        line = ""
        for word in text.split(" "):
            longer = f"{line} {word}" if line else word
            if line and self.width(longer, size, weight) > room:
                lines.append(line)
                longer = word
            line = longer
        lines += [line] if line else []
        lines = [line.removeprefix("· ").removesuffix(" ·") for line in lines]
        return [self.cut(line, size, room, weight) for line in lines if line != "·"]

    def shrunk(self, text: str, size: float, room: float, weight: str = "normal") -> tuple[str, float]:
        """A text that fits `room` points, and its size: smaller letters, and only from `SMALLEST` on cut short."""
        size = max(min(SMALLEST, size), min(size, room / max(self.width(text, 1.0, weight), 1e-9)))
        return self.cut(text, size, room + 0.01, weight), size


def typeface(font: str | None, texts: Iterable[str]) -> Typeface:
    """The font asked for (DejaVu Sans unless named), and further fonts for the characters that it lacks.

    Other fonts are looked for only if a character is missing. Raises SelectionError for a font that is not there.
    """
    regular, bold = find_font(font or "")
    chain, heavy = [regular], [bold]
    wanted = {char for text in texts for char in text} - _JOINERS
    missing = {char for char in wanted if not regular.has(char)}
    if font:
        chain.append(default_font())
        heavy.append(default_font(bold=True))
        missing = {char for char in missing if not chain[1].has(char)}
    if missing:
        others = fallback_fonts(sorted(missing))
        missing = {char for char in missing if not any(other.has(char) for other in others)}
        chain += others
    # a bold line may hold characters that only the regular fonts have
    return Typeface(tuple(chain), tuple(dict.fromkeys([*heavy, *chain])), tuple(sorted(missing)))


def printable(text: str) -> str:
    """A label as it can be drawn: breaks and lone spaces get a visible mark, unprintable characters a replacement."""
    if text.isprintable() and text.strip():
        return text
    if text and not text.strip(" \u00a0"):
        return "␣" * min(len(text), 3)
    return "".join(_visible(char) for char in text)


def one_line(text: str) -> str:
    """A title or a remark as it can be drawn: any white space is one space, unprintable characters are replaced."""
    return "".join(_visible(char) for char in " ".join(text.split()))


def tallness(texts: Iterable[str]) -> tuple[float, float]:
    """Ink above and below the baseline of the texts, in ems: that of plain letters, or more where one holds more."""
    inks = [_ink(text) for text in texts]
    return max((ASCENT, *(above for above, _ in inks))), max((DESCENT, *(below for _, below in inks)))


def _visible(char: str) -> str:
    if char in _MARKS:
        return _MARKS[char]
    kind = unicodedata.category(char)
    if kind == "Cf":
        return char if char in _JOINERS else ""
    if kind.startswith("Z"):
        return " "
    return "\N{REPLACEMENT CHARACTER}" if kind in ("Cc", "Cs") else char


@cache
def _ink(text: str) -> tuple[float, float]:
    """Ink of a text above and below the baseline, in ems.

    Latin, Greek, Cyrillic and common signs: as DejaVu Sans draws them, whose capitals with an accent are higher than
    most fonts'. Other scripts stack marks on letters, which the outlines of single characters do not show.
    """
    if text.isascii():
        return ASCENT, DESCENT
    text = unicodedata.normalize("NFC", text)
    if any(0x0F00 <= ord(char) < 0x10A0 for char in text):
        return STACKED_ASCENT, STACKED_DESCENT
    if any(ord(char) > 0x52F and not 0x1E00 <= ord(char) <= 0x25FF for char in text):
        return TALL_ASCENT, TALL_DESCENT
    inks = [default_font().ink(char) or (TALL_ASCENT, TALL_DESCENT) for char in text]
    return max(above for above, _ in inks), max(below for _, below in inks)


def is_shaped(text: str) -> bool:
    """Whether a text has letters that join or stack (Hebrew to Tibetan, Khmer): it is narrower than measured."""
    return any(
        0x0590 <= ord(char) < 0x1100 or 0x1780 <= ord(char) < 0x1AB0 or 0xFB1D <= ord(char) < 0xFF00 for char in text
    )


@cache
def _runs(text: str, fonts: tuple[FontFile, ...]) -> tuple[tuple[str, FontFile], ...]:
    for font in fonts:
        if all(_advance(font, char) is not None for char in text):
            return ((text, font),)
    pieces: list[tuple[str, FontFile]] = []
    for char in text:
        last = pieces[-1][1] if pieces else None
        marks = unicodedata.category(char)[0] in "MZ" or char in _JOINERS
        follows = last is not None and marks and _advance(last, char) is not None
        able = last if follows else next((f for f in fonts if _advance(f, char) is not None), None)
        if able is None and char in _JOINERS:
            continue
        piece, drawer = (char, able) if able is not None else (LOST, fonts[0])
        if pieces and pieces[-1][1] is drawer:
            pieces[-1] = (pieces[-1][0] + piece, drawer)
        else:
            pieces.append((piece, drawer))
    return tuple(pieces)


@cache
def _advance(font: FontFile, char: str) -> float | None:
    return font.advance(char) if font.has(char) else None


@cache
def _ems(text: str, fonts: tuple[FontFile, ...]) -> float:
    return sum(_advance(font, char) or 0.0 for piece, font in _runs(text, fonts) for char in piece)
