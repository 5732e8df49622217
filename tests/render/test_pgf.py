"""PGF pictures and the escapes for TeX and Typst: nothing that a token spells becomes a command."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from attnviz.attention import Attention, Tokens
from attnviz.errors import OutputError
from attnviz.page.heatmap import heatmap
from attnviz.render import escapes, formats
from attnviz.render.pgf import MAX_CELLS
from attnviz.render.scene import patches

SIGNS = "\\{}#$%&_^~`*[]<>@\"'-,?!|;:=+/()"
LETTERS = "aZ09 éßłñÅşœ…→−≥×·–“”"
COMMANDS = re.compile(r"\\([a-zA-Z]+|.)", re.S)


def picture(words, **how):
    n = len(words)
    weights = np.eye(n, dtype=np.float32)[None, None]
    tokens = Tokens.plain(words)
    return heatmap(Attention(weights, None, tokens, tokens, (0,), (0,), model="m"), **how)


def pgf(words, **how):
    return formats.encode("pgf", picture(words, **how)).decode("ascii")


def arguments(text, name, count):
    """The arguments of every use of a macro."""
    uses = []
    for match in re.finditer(rf"\\{name}(?=\{{)", text):
        at, values = match.end(), []
        for _ in range(count):
            depth, start = 0, at
            while True:
                at += 2 if text[at] == "\\" else 1
                depth += {"{": 1, "}": -1}.get(text[at - 1], 0) if text[at - 2] != "\\" or at - 2 < start else 0
                if depth == 0:
                    break
            values.append(text[start + 1 : at - 1])
        uses.append(values)
    return uses


def read(tex):
    """The text that TeX prints for an escaped text, by a reader of the few commands that the escapes use."""
    printed = {code: char for char, code in escapes._TEX.items()}
    out, at = "", 0
    codes = sorted([*printed, *accented()], key=len, reverse=True)
    known = printed | accented()
    while at < len(tex):
        code = next((code for code in codes if tex.startswith(code, at)), None)
        if code is not None:
            out, at = out + known[code], at + len(code)
            continue
        assert tex[at] not in "\\{}#$%&_^~", f"TeX would act on {tex[at:]!r}"
        out, at = out + tex[at], at + 1
    return out


def accented():
    import unicodedata

    return {
        escapes.tex_character(char): char
        for char in map(chr, range(0xC0, 0x250))
        if unicodedata.decomposition(char) and escapes.tex_character(char)
    }


@pytest.mark.parametrize("seed", range(20))
def test_whatever_a_token_spells_tex_prints_it(seed):
    chance = random.Random(seed)
    for _ in range(20):
        text = "".join(chance.choices(SIGNS * 3 + LETTERS, k=chance.randint(1, 30)))
        assert read(escapes.tex(text)) == text


@pytest.mark.parametrize("text", ["a\nb", "\\end{document}", '"); #panic("x', "\\u{41}", "`*_#$@<a>[x]//", "ü\u2028日"])
def test_a_string_of_typst_holds_the_text_and_ends_with_it(text):
    """Read as Typst reads a string: a backslash takes the next character, and the first bare quote ends it."""
    code = escapes.typst(text)
    inner = re.fullmatch(r'"((?:[^"\\\n]|\\[\\"])*)"', code)
    assert inner is not None
    assert re.sub(r"\\(.)", r"\1", inner[1]) == escapes.visible(text)


def test_cells_of_the_picture_are_those_of_the_other_formats():
    figure = picture(list("abcd"), decimals=0)
    text = formats.encode("pgf", figure).decode()
    wanted = [
        (*rgb, round(x0, 3), round(figure.height - y1, 3), round(x1 - x0, 3), round(y1 - y0, 3))
        for patch in patches(figure)
        for x0, y0, x1, y1, rgb in patch.runs()
    ]
    cells = [tuple(float(n) for value in cell for n in value.split(",")) for cell in arguments(text, "avf", 5)]
    assert len(cells) >= 4
    assert np.allclose(cells, wanted, atol=2e-3)


def test_labels_stand_where_the_figure_has_them():
    figure = picture(["50%", "it's", "{x}"], decimals=0)
    labels = {escapes.tex(label.text): label for label in figure.labels}
    drawn = arguments(formats.encode("pgf", figure).decode(), "avt", 7)
    assert len(drawn) == len(figure.labels)
    for align, x, y, turn, _, size, text in drawn:
        label = labels[text.removeprefix(r"\bfseries{}").removeprefix("{}")]
        twins = [other for other in figure.labels if other.text == label.text]
        places = [(round(other.x, 3), round(figure.height - other.y, 3), other.rotation) for other in twins]
        assert (float(x), float(y), float(turn)) in places
        assert align in ("left", "right", "")
        assert float(size) in [pytest.approx(other.size, abs=1e-3) for other in twins]


def test_letters_that_tex_may_lack_are_outlines():
    text = pgf(["мир", "cat"], decimals=0)
    assert "cat" in text and text.isascii()
    assert len(re.findall(r"\\pgfpathclose", text)) > 4  # и and р have holes, each letter is drawn twice
    assert len(arguments(text, "avt", 7)) == len(picture(["мир", "cat"], decimals=0).labels) - 2


def test_the_file_uses_only_commands_of_pgf_and_latex():
    names = set(COMMANDS.findall(re.sub(r"(?m)^%.*$", "", pgf(["\\input{x}", "мир", "%", "\\write18"]))))
    own = {"avc", "avr", "avf", "avs", "avm", "avl", "avb", "avt"}
    basic = {"def", "begingroup", "endgroup", "begin", "end", "definecolor", "color", "sffamily", "fontsize"}
    basic |= {"selectfont", "bfseries", "textbackslash", "ensuremath", "cdot", "{", "}", "%", "ldots"}
    assert {name for name in names if not name.startswith("pgf")} <= own | basic


def test_what_made_it_stays_in_the_comment():
    text = pgf(["a", "b"], meta={"command": "attnviz heatmap 'a\\end{x}\nb'"})
    line = next(line for line in text.splitlines() if line.startswith("% command"))
    assert "end{x}" in line and line.isascii()
    assert text.count("\\end{x}") == 1


def test_too_many_cells_are_refused_with_their_number():
    n = 200
    weights = np.random.default_rng(0).dirichlet(np.ones(n), n).astype(np.float32)[None, None]
    tokens = Tokens.plain([str(i) for i in range(n)])
    figure = heatmap(Attention(weights, None, tokens, tokens, (0,), (0,)))
    with pytest.raises(OutputError, match=rf"{MAX_CELLS:,} coloured cells at most; this picture has \d\d,\d\d\d"):
        formats.encode("pgf", figure)
