"""Which font has a character that no installed font has, and in which package Debian and Ubuntu keep it.

The name of a character begins with its script, and the Noto families are named after scripts, so that a list of the
families says it for all of them.

Source: the names of characters, Unicode 14 to 16; Noto fonts of 2020 and 2022 as Debian 12 packages them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

CORE, CJK, EMOJI = "fonts-noto-core", "fonts-noto-cjk", "fonts-noto-color-emoji"
_SCRIPTS = (  # each is a family "Noto Sans ..."
    "Adlam, Arabic, Armenian, Avestan, Balinese, Bamum, Bassa Vah, Batak, Bengali, Bhaiksuki, "
    "Brahmi, Buginese, Buhid, Carian, Caucasian Albanian, Chakma, Cham, Cherokee, Coptic, Cuneiform, Cypriot, Deseret, "
    "Devanagari, Duployan, Elbasan, Elymaic, Ethiopic, Georgian, Glagolitic, Gothic, Grantha, Gujarati, "
    "Gunjala Gondi, Gurmukhi, Hanifi Rohingya, Hanunoo, Hatran, Hebrew, Imperial Aramaic, Inscriptional Pahlavi, "
    "Inscriptional Parthian, Javanese, Kaithi, Kannada, Kayah Li, Kharoshthi, Khmer, Khojki, Khudawadi, Lao, Lepcha, "
    "Limbu, Linear A, Linear B, Lisu, Lycian, Lydian, Mahajani, Malayalam, Mandaic, Manichaean, Marchen, "
    "Masaram Gondi, Medefaidrin, Meetei Mayek, Mende Kikakui, Meroitic, Miao, Modi, Mongolian, Mro, Multani, "
    "Myanmar, Nabataean, New Tai Lue, Newa, Nushu, Ogham, Ol Chiki, Old Hungarian, Old Italic, Old North Arabian, "
    "Old Permic, Old Persian, Old Sogdian, Old South Arabian, Old Turkic, Oriya, Osage, Osmanya, Pahawh Hmong, "
    "Palmyrene, Pau Cin Hau, Phoenician, Psalter Pahlavi, Rejang, Runic, Samaritan, Saurashtra, Sharada, Shavian, "
    "Siddham, SignWriting, Sinhala, Sogdian, Sora Sompeng, Soyombo, Sundanese, Syloti Nagri, Syriac, Tagalog, "
    "Tagbanwa, Tai Le, Tai Tham, Tai Viet, Takri, Tamil, Telugu, Thaana, Thai, Tifinagh, Tirhuta, Ugaritic, Vai, "
    "Wancho, Warang Citi, Yi, Zanabazar Square"
)
_FAMILIES = {  # beginnings of names, in capitals, and families
    **{script.upper(): f"Noto Sans {script}" for script in _SCRIPTS.split(", ")},
    **{script.upper(): f"Noto Serif {script}" for script in ("Ahom", "Dogra", "Tangut", "Tibetan", "Yezidi")},
    "AEGEAN": "Noto Sans Linear B",
    "ANATOLIAN HIEROGLYPH": "Noto Sans Anatolian Hieroglyphs",
    "ARABIC MATHEMATICAL": "Noto Sans Math",
    "BYZANTINE MUSICAL": "Noto Music",
    "CANADIAN SYLLABICS": "Noto Sans Canadian Aboriginal",
    "EGYPTIAN HIEROGLYPH": "Noto Sans Egyptian Hieroglyphs",
    "GREEK MUSICAL": "Noto Music",
    "INDIC SIYAQ": "Noto Sans Indic Siyaq Numbers",
    "MATHEMATICAL": "Noto Sans Math",
    "MAYAN NUMERAL": "Noto Sans Mayan Numerals",
    "MUSICAL SYMBOL": "Noto Music",
    "NKO": "Noto Sans NKo",
    "NYIAKENG PUACHUE": "Noto Serif Hmong Nyiakeng",
    "PHAGS-PA": "Noto Sans PhagsPa",
    "VEDIC": "Noto Sans Devanagari",
}
_LONGEST = sorted(_FAMILIES, key=len, reverse=True)  # "TAI LE", and not "TAI"
_CJK = ((0x1100, 0x11FF), (0x2E80, 0x31FF), (0x3200, 0x4DBF), (0x4E00, 0x9FFF), (0xA960, 0xA97F), (0xAC00, 0xD7FF),
        (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF), (0x1F200, 0x1F2FF), (0x20000, 0x3FFFF))  # fmt: skip
_EMOJI = ((0x1F170, 0x1F1FF), (0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F7E0, 0x1F7FF), (0x1F900, 0x1F9FF),
          (0x1FA70, 0x1FAFF))  # fmt: skip
# The emoji that DejaVu Sans lacks and that are single characters.
_EARLY = set("⌚⌛⏩⏪⏫⏬⏭⏮⏯⏰⏱⏲⏳⏸⏹⏺⚽⚾⛄⛅⛈⛎⛏⛑⛓⛔⛩⛪⛰⛱⛲⛳⛴⛵⛷⛸⛹⛺⛽✅✊✋✨❌❎❓❔❕❗➕➖➗➰➿⬛⬜⭐⭕🀄🃏")


def family(char: str) -> str:
    """A family of fonts that has the character, '' where none can be named (private use, or not assigned)."""
    code, kind = ord(char), unicodedata.category(char)
    if kind in ("Cn", "Co", "Cs"):
        return ""
    if char in _EARLY or _within(code, _EMOJI):
        return "Noto Color Emoji"
    if _within(code, _CJK):
        return "Noto Sans CJK"
    name = unicodedata.name(char, "TANGUT IDEOGRAPH").removeprefix("COMBINING ")  # the only ones without a name
    script = next((key for key in _LONGEST if f"{name} ".startswith((f"{key} ", f"{key}-"))), None)
    if script is not None:
        return _FAMILIES[script]
    return {"Sm": "Noto Sans Math", "So": "Noto Sans Symbols2"}.get(kind, "Noto Sans")


def _within(code: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(low <= code <= high for low, high in ranges)


def package(name: str) -> str:
    """Where Debian and Ubuntu keep a family that `family` names."""
    return {"Noto Sans CJK": CJK, "Noto Color Emoji": EMOJI}.get(name, CORE)


def install(missing: Iterable[str]) -> str:
    """`install e.g. Noto Sans Tamil (Debian: fonts-noto-core)`, '' where there is nothing to name."""
    names = [name for name in dict.fromkeys(map(family, missing)) if name]
    if not names:
        return ""
    packages = {package(name): name for name in reversed(names)}  # the first family of each
    firsts = [name for name in names if name in packages.values()]
    shown = [*firsts, *(name for name in names if name not in firsts)][: max(2, len(firsts))]
    return f"install e.g. {', '.join(shown)} (Debian: {' '.join(map(package, firsts))})"
