"""Untrusted text inside TeX and Typst sources: every character is printed, none is understood as a command."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from attnviz.files.text import visible

# ASCII that TeX would act on, or that its old fonts hold at another place. A pair of braces after a sign keeps it from
# joining the next one to a ligature: -- would become a dash, ,, and '' quotation marks, ?` an upturned question mark.
_TEX = {
    **{char: f"\\{char}" for char in "{}#$%&_"},
    **{char: f"{char}{{}}" for char in "'-,?!"},
    **{char: f"{{{char}}}" for char in "[]*@"},
    "`": r"\`{}",
    '"': r"{\char34}",
    "\xa0": "~",
}
# Signs that TeX has by name, letters that are no base letter with an accent among them; and signs of mathematics.
_NAMED = (
    "\\ textbackslash ^ textasciicircum ~ textasciitilde < textless > textgreater | textbar – textendash — textemdash "
    "… ldots “ textquotedblleft ” textquotedblright ‘ textquoteleft ’ textquoteright ␣ textvisiblespace § S ß ss "
    "æ ae Æ AE ø o Ø O œ oe Œ OE ł l Ł L ı i ¿ textquestiondown ¡ textexclamdown"
).split()
_MATHEMATICS = r"− - ≥ \geq ≤ \leq × \times ± \pm → \rightarrow · \cdot".split()
_TEX |= {char: rf"\{name}{{}}" for char, name in zip(_NAMED[::2], _NAMED[1::2], strict=True)}
_TEX |= {char: rf"\ensuremath{{{sign}}}" for char, sign in zip(_MATHEMATICS[::2], _MATHEMATICS[1::2], strict=True)}
_ACCENTS = dict(
    zip("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327", "`'^~=u.\"rHvc", strict=True)
)
_DOTLESS = {"i": r"\i", "j": r"\j"}  # below an accent


def tex_character(char: str) -> str:
    """One character in TeX's ASCII, which every engine prints; "" if it needs a font that TeX may lack."""
    if char in _TEX:
        return _TEX[char]
    if char.isascii():
        return char if char.isprintable() else ""
    base, accent = (*unicodedata.normalize("NFD", char), "", "")[:2]
    if base + accent != unicodedata.normalize("NFD", char) or accent not in _ACCENTS or not base.isascii():
        return ""
    return rf"\{_ACCENTS[accent]}{{{_DOTLESS.get(base, base)}}}"


def tex(text: str) -> str:
    """A text for TeX; characters that tex_character lacks stay as they are, for XeLaTeX and LuaLaTeX."""
    return "".join(tex_character(char) or char for char in visible(text))


def typst(text: str) -> str:
    """A text as a string of Typst's, in quotation marks: within one, only \\ and " have a meaning."""
    return '"' + visible(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def remarks(sign: str, facts: Mapping[str, str], use: str) -> list[str]:
    """Comments for the top of a file, in ASCII: what it is, what made it, and how it is used."""
    texts = [*(f"{name}: {fact}" for name, fact in facts.items()), f"Use: {use}"]
    return [f"{sign} {visible(text).encode('ascii', 'backslashreplace').decode('ascii')}" for text in texts]
