"""Shaded running text as TeX and Typst: every word in its place, readable on its shade, and nothing but a word."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.drawn_lines import lines, text

from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.cli import main
from attnviz.errors import OutputError
from attnviz.page.colours import luminance
from attnviz.render import escapes, formats

HOSTILE = ["\\end{document}", "}", "{", "#1", "$x$", "%", "&", "a_b^c", "~", "`", "*", "[", "]", "<a>", "@x", "日本"]
HOSTILE += ['"', '");', '\\"', "//", "/*"]
BOX = re.compile(r"\\avw\{([\d,]+)\}\{([\d,]+)\}\{")
TYPST_WORD = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def figure(words, weights=None, heads=1):
    n = len(words)
    weights = np.linspace(0, 1, n) if weights is None else np.asarray(weights)
    rows = np.broadcast_to(weights.astype(np.float32), (1, heads, n, n))
    tokens = Tokens.plain(words)
    return text(Attention(rows, None, tokens, tokens, (0,), tuple(range(heads))), 0)


def contrast(ground, letters):
    light = sorted(float(luminance(np.array(rgb, np.uint8))) + 0.05 for rgb in (ground, letters))
    return light[1] / light[0]


def typst_strings(source):
    """The strings of a Typst source, outside of which there may be no untrusted text."""
    body = source.partition("\n#[")[2]
    words = [re.sub(r"\\(.)", r"\1", inner) for inner in TYPST_WORD.findall(body)]
    return [word for word in words if not re.fullmatch("#[0-9a-f]{6}", word)], body


def test_words_of_tex_stand_in_order_with_spaces_where_the_text_has_them():
    source = formats.encode("tex", figure(["the", "cat", "sat"], [0, 0.25, 1])).decode()
    flow = source[source.index(r"\noindent") :]
    plain = re.sub(r"\\avw\{[\d,]+\}\{[\d,]+\}\{(\w+)\}", r"\1", flow.replace(r"\underline{\textbf{the}}", "the"))
    assert plain.split(r"\par")[0] == "\\noindent" + "the\ncat\nsat"


def test_passages_begin_lines_of_their_own():
    drawn = figure(["the", "cat", "sat", "down"], [0, 0, 0, 0])
    drawn = replace(drawn, text=replace(drawn.text, passages=((0, "0"), (2, "1"))))
    tex = formats.encode("tex", drawn).decode()
    assert tex.split("\\noindent")[-2:] == ["\\underline{\\textbf{the}}\ncat\\par", "\nsat\ndown\\par\n\\endgroup\n"]
    typst = formats.encode("typ", drawn).decode()
    assert '#"cat"\n\n#"sat"\n#"down"' in typst


@pytest.mark.parametrize("weights", [np.linspace(0, 1, 40), np.linspace(0, 1, 40) ** 3])
def test_letters_are_read_on_every_shade(weights):
    shaded = figure([f"w{i}" for i in range(40)], weights)
    boxes = BOX.findall(formats.encode("tex", shaded).decode())
    pairs = [[tuple(map(int, rgb.split(","))) for rgb in box] for box in boxes]
    assert len(pairs) > 20
    assert min(contrast(*pair) for pair in pairs) >= 4.5
    typst = formats.encode("typ", shaded).decode()
    codes = re.findall(r'avw\(rgb\("#(\w{6})"\), rgb\("#(\w{6})"\)', typst)
    assert [[tuple(bytes.fromhex(code)) for code in pair] for pair in codes] == pairs


def test_hostile_tokens_stay_words_in_tex():
    source = formats.encode("tex", figure(HOSTILE)).decode()
    body = source[source.index(r"\noindent") :]
    depth = 0
    for sign in re.findall(r"\\.|[{}]", body):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    commands = set(re.findall(r"\\([a-zA-Z]+)", body))
    assert commands <= {"noindent", "avw", "underline", "textbf", "par", "endgroup", "char"} | {
        command for code in escapes._TEX.values() for command in re.findall(r"\\([a-zA-Z]+)", code)
    }
    assert body.count(r"\end") == 1  # of \endgroup
    assert "XeLaTeX" in source  # for 日本


def test_hostile_tokens_stay_strings_in_typst():
    words, body = typst_strings(formats.encode("typ", figure(HOSTILE)).decode())
    assert words == HOSTILE
    rest = TYPST_WORD.sub("", body)
    own = "let avw ground ink body box fill outset inset y x pt text rgb underline strong"
    assert set(re.findall(r"[a-z]+", rest)) <= set(own.split())


def test_several_heads_are_paragraphs_with_their_names():
    shaded = figure(["the", "cat"], heads=2)
    tex, typst = (formats.encode(name, shaded).decode() for name in ("tex", "typ"))
    assert [f"\\noindent\\textbf{{{panel.title}}}" in tex for panel in shaded.text.paragraphs] == [True, True]
    assert [f'#strong("{panel.title}")' in typst for panel in shaded.text.paragraphs] == [True, True]


def test_lines_are_no_running_text():
    tokens = Tokens.plain(["a", "b"])
    attention = Attention(np.full((1, 1, 2, 2), 0.5, np.float32), None, tokens, tokens, (0,), (0,))
    with pytest.raises(OutputError, match="no running text"):
        formats.encode("tex", lines(attention))


def test_the_command_writes_both_and_refuses_them_for_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["lines", "The cat sat on the mat", "--query", "sat", "-l", "0", "-H", "0"]
    for name in ("a.tex", "a.typ"):
        assert main([*words, "--as", "text", "-o", name]) == 0
        assert any("command: attnviz lines" in line for line in Path(name).read_text().splitlines()[:8])
    assert main([*words, "-o", "b.tex"]) == 2
    assert ".tex holds a running text, not lines" in capsys.readouterr().err
