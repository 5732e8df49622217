"""A running text on shades as TeX and Typst, for a document of one's own: words flow and break as its words do.

Each file is a snippet that says what made it. Nothing that a token spells is understood as a command (see `escapes`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from attnviz.errors import OutputError
from attnviz.page.figure import Figure
from attnviz.page.parts import Paragraph, RunningText
from attnviz.page.running_text import shade
from attnviz.render import escapes
from attnviz.render.image import described
from attnviz.render.theme import rgb

if TYPE_CHECKING:
    from attnviz.page.colours import RGB

    Write = Callable[[str, RGB | None, RGB, bool], str]  # word, its ground, its letters, whether it is the query

_TEX_HEAD = r"""\par\begingroup
\setlength{\fboxsep}{1.2pt}\setlength{\lineskip}{1.5pt}\setlength{\lineskiplimit}{1.5pt}%
\def\avw#1#2#3{\colorbox[RGB]{#1}{\color[RGB]{#2}\vphantom{Ag}#3}}%"""
_TYPST_HEAD = """
#[
#let avw(ground, ink, body) = box(fill: ground, outset: (y: 2.2pt), inset: (x: 1pt), text(fill: ink, body))
"""


def write_tex(figure: Figure, file: IO[bytes]) -> None:
    r"""The text as a file for \input in LaTeX: \colorbox from xcolor, a paragraph for each head."""
    lines = [*escapes.remarks("%", described(figure), _tex_use(figure)), _TEX_HEAD]
    text = _text(figure)
    for paragraph in text.paragraphs:
        if len(text.paragraphs) > 1:
            lines.append(rf"\noindent\textbf{{{escapes.tex(paragraph.title)}}}\par\nobreak")
        lines.append(r"\noindent" + _flowing(text, paragraph, _tex_word, "%\n", "\n", "\\par\\noindent\n") + r"\par")
    file.write("\n".join([*lines, r"\endgroup", ""]).encode("utf-8"))


def write_typst(figure: Figure, file: IO[bytes]) -> None:
    """The text as a file for #include in Typst: boxes with a fill, a paragraph for each head."""
    lines = [*escapes.remarks("//", described(figure), '#include "THIS FILE" where the text stands.'), _TYPST_HEAD]
    text = _text(figure)
    for paragraph in text.paragraphs:
        if len(text.paragraphs) > 1:
            lines += [f"#strong({escapes.typst(paragraph.title)}) #linebreak()"]
        lines += [_flowing(text, paragraph, _typst_word, "", "\n", "\n\n"), ""]
    file.write("\n".join([*lines, "]", ""]).encode("utf-8"))


def _tex_use(figure: Figure) -> str:
    plain = all(map(escapes.tex_character, "".join(_text(figure).words)))
    beyond = "" if plain else "; XeLaTeX or LuaLaTeX, and a font with its letters"
    return rf"\usepackage{{xcolor}} in the preamble, and \input{{THIS FILE}} where the text stands{beyond}."


def _text(figure: Figure) -> RunningText:
    """The text. Raises OutputError: the figure draws something else."""
    if figure.text is None:
        raise OutputError("this picture is no running text", "lines --as text makes one")
    return figure.text


def _flowing(text: RunningText, paragraph: Paragraph, write: Write, joint: str, space: str, passage: str) -> str:
    """The words one after the other, with a space where the text has one, and each passage on a line of its own."""
    parts, firsts = [], {first for first, _ in text.passages}
    for i, (word, value) in enumerate(zip(text.words, paragraph.values, strict=True)):
        ground, tone = shade(value, text.high)
        parts.append("" if i == 0 else passage if i in firsts else space if text.spaced[i] else joint)
        parts.append(write(word, ground, rgb(tone), i == text.chosen))
    return "".join(parts)


def _tex_word(word: str, ground: RGB | None, letters: RGB, chosen: bool) -> str:
    text = escapes.tex(word)
    text = rf"\underline{{\textbf{{{text}}}}}" if chosen else text
    if ground is None:
        return text
    return rf"\avw{{{','.join(map(str, ground))}}}{{{','.join(map(str, letters))}}}{{{text}}}"


def _typst_word(word: str, ground: RGB | None, letters: RGB, chosen: bool) -> str:
    text = escapes.typst(word)
    text = f"underline(strong({text}))" if chosen else text
    return f"#{text}" if ground is None else f"#avw({_rgb(ground)}, {_rgb(letters)}, {text})"


def _rgb(colour: RGB) -> str:
    return 'rgb("#{:02x}{:02x}{:02x}")'.format(*colour)
