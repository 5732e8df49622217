"""Which installed font a picture takes for what DejaVu Sans lacks, and which it tells its reader to install."""

from __future__ import annotations

import shutil

import pytest

from attnviz.page import advice, fonts

# A character of each script, and the family in Debian 12's packages that has it.
FAMILIES = {
    "Noto Sans Tamil": "தூ௹", "Noto Sans Bengali": "বাং৳", "Noto Sans Khmer": "ខ្មែ៛", "Noto Sans Devanagari": "हि",
    "Noto Sans Telugu": "తె", "Noto Sans Gujarati": "ગુ", "Noto Sans Gurmukhi": "ਪੰ", "Noto Sans Malayalam": "മ",
    "Noto Sans Kannada": "ಕ", "Noto Sans Oriya": "ଓ", "Noto Sans Sinhala": "සි", "Noto Sans Thai": "ไทย",
    "Noto Sans Myanmar": "မြ", "Noto Serif Tibetan": "བོ", "Noto Sans Ethiopic": "አ", "Noto Sans Hebrew": "\u05b0",
    "Noto Sans Arabic": "\u0608ۖ", "Noto Sans Armenian": "\u0560", "Noto Sans Syriac": "ܐ", "Noto Sans Thaana": "ހ",
    "Noto Sans Mongolian": "ᠮ",
    "Noto Sans Cherokee": "Ꭰ", "Noto Sans Canadian Aboriginal": "ᐃ", "Noto Sans NKo": "ߏ",
    "Noto Sans Tai Tham": "ᨠ", "Noto Sans Tai Le": "ᥐ", "Noto Sans New Tai Lue": "ᦀ", "Noto Sans PhagsPa": "ꡀ",
    "Noto Sans Ol Chiki": "ᱚ", "Noto Serif Tangut": "𗀀", "Noto Sans Linear B": "𐀀",
    "Noto Sans Egyptian Hieroglyphs": "𓀀",
    "Noto Sans CJK": "猫日ゕカ한ᄀㄅ，ｱ𠀀㋿", "Noto Color Emoji": "🦙🚪⏰✅✨🇩🀄", "Noto Sans Math": "𝒜⨌",
    "Noto Music": "𝄞",
    "Noto Sans Symbols2": "🡸🂡", "Noto Sans": "ꜳꭅ", "": "\ue000\u0378\U000f0000",
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_advice_names_a_font_that_has_the_character(name):
    given = FAMILIES[name]
    assert {char: advice.family(char) for char in given} == dict.fromkeys(given, name)


def test_advice_names_one_family_of_each_package():
    assert advice.install("ூ") == "install e.g. Noto Sans Tamil (Debian: fonts-noto-core)"
    assert advice.install("தকខ") == "install e.g. Noto Sans Tamil, Noto Sans Bengali (Debian: fonts-noto-core)"
    assert advice.install("தক🦙") == (
        "install e.g. Noto Sans Tamil, Noto Color Emoji (Debian: fonts-noto-core fonts-noto-color-emoji)"
    )
    assert advice.install("🦙த猫") == (
        "install e.g. Noto Color Emoji, Noto Sans Tamil, Noto Sans CJK "
        "(Debian: fonts-noto-color-emoji fonts-noto-core fonts-noto-cjk)"
    )
    assert advice.install("\ue000") == ""  # nobody knows what it is


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("NotoSansTibetan-Regular.ttf", "NotoSerifTibetan-Regular.ttf"),
        ("NotoSerifTibetan-Regular.ttf", "NotoSerifTibetan-Bold.ttf"),
        ("NotoSerifTibetan-Bold.ttf", "unifont.otf"),  # it has every character, its marks beside their letters
        ("NotoSansSymbols-Regular.ttf", "Lohit-Tamil.ttf"),
    ],
)
def test_the_plainest_font_is_taken(first, second, tmp_path, monkeypatch):
    """The choice between two fonts that have a character does not depend on their folders."""
    monkeypatch.setattr(fonts, "folders", lambda: [tmp_path])
    for places in (("a", "b"), ("b", "a")):
        for name, place in zip((first, second), places, strict=True):
            (tmp_path / place).mkdir(exist_ok=True)
            shutil.copy(fonts._shipped() / "DejaVuSans.ttf", tmp_path / place / name)
        assert [font.path for font in fonts.fallback_fonts("Ж")] == [str(tmp_path / places[0] / first)]
        for name, place in zip((first, second), places, strict=True):
            (tmp_path / place / name).unlink()
