"""Printed output, as exact text on consoles of fixed width. Spaces at the ends of lines are not compared."""

from __future__ import annotations

import io
import re
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.errors import SelectionError
from attnviz.measures.tensors import Histogram, Numbers, TensorRow, histogram, numbers
from attnviz.page.figure import Figure
from attnviz.page.heatmap import heatmap
from attnviz.page.numbers import number
from attnviz.page.parts import Facts, Listing, Page, Table, TensorTable, TensorValues, TokenTable
from attnviz.page.table import table
from attnviz.render import ink, terminal_query, terminal_table, theme
from attnviz.render.printer import print_page
from attnviz.render.progress import progress
from attnviz.render.terminal import print_attention, print_maps
from attnviz.render.terminal_cells import half_lines, pooled
from attnviz.render.terminal_layout import bar, columns
from attnviz.render.terminal_query import print_query
from attnviz.render.terminal_screen import clean, fit

TOKENS = Tokens(
    text=("[CLS]", "the", "animal", "the"),
    ids=(101, 1996, 4111, 1996),
    words=(-1, 0, 1, 2),
    special=(True, False, False, False),
    segments=(0, 0, 0, 0),
    spans=((0, 0), (0, 3), (4, 10), (11, 14)),
)
WEIGHTS = np.array(
    [
        [[1, 0, 0, 0], [0.25, 0.75, 0, 0], [0.5, 0.375, 0.125, 0], [0.0625, 0.0625, 0.25, 0.625]],
        [[1, 0, 0, 0], [0.9, 0.1, 0, 0], [0.2, 0.3, 0.5, 0], [0.004, 0.006, 0.99, 0]],
    ],
    np.float32,
)
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


pytestmark = pytest.mark.usefixtures("no_settings")


def attention(heads=2, causal=True, tokens=TOKENS):
    mask = np.tri(4, dtype=bool)[None] if causal else None
    return Attention(WEIGHTS[None, np.arange(heads) % 2], mask, tokens, tokens, (3,), tuple(range(heads)), model="toy")


def figure(heads=2, causal=True, tokens=TOKENS, cmap="viridis") -> Figure:
    """The panels, without the words that stand on every picture."""
    return replace(table(attention(heads, causal, tokens), vmax=1, cmap=cmap), title="toy", subtitle="", notes=())


def terminal(width, colour=None):
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=colour, _environ={})


def shown(printer, *args, width=None, colour=None, **options):
    """The text of `printer` at a terminal of this width, or in a pipe; without styles unless `colours` is given."""
    out = terminal(width, colour) if width else io.StringIO()
    printer(*args, out=out, **options)
    text = out.file.getvalue() if width else out.getvalue()
    return text if colour else "\n".join(line.rstrip() for line in ESCAPE.sub("", text).splitlines())


def print_part(part, out):
    print_page(Page(parts=(part,)), out)


def lines(text):
    """A block of expected text, without its first and last line break."""
    return text.removeprefix("\n").rstrip("\n ")


# --- a pipe --------------------------------------------------------------------------------------------------------


def test_piped_table():
    assert shown(print_maps, figure()) == lines("""
layer 3  head 0
query   [CLS]   the  animal   the
[CLS]    1.00     -       -     -
the      0.25  0.75       -     -
animal   0.50  0.38    0.12     -
the      0.06  0.06    0.25  0.62

layer 3  head 1
query   [CLS]   the  animal   the
[CLS]    1.00     -       -     -
the      0.90  0.10       -     -
animal   0.20  0.30    0.50     -
the      0.00  0.01    0.99  0.00
""")


def test_large_numbers_are_written_with_a_power_of_ten():
    """A file may hold what is no weight: 1e38 in four characters, not in 41; what is exact stays as it was."""
    weights = np.array([[[[1e38, 0.5], [-1.25e38, 9_999_999]]]], np.float32)
    found = Attention(weights, None, Tokens.plain(["a", "b"]), Tokens.plain(["c", "d"]), (0,), (0,), model="toy")
    drawn = replace(table(found, vmax=1), title="", subtitle="", notes=())
    assert shown(print_maps, drawn) == lines("""
layer 0  head 0
query         c           d
a          1e38        0.50
b      -1.25e38  9999999.00
""")
    assert [number(value, 2) for value in (1e7, 3.402e38, -1e38, float("inf"))] == [
        "1e7", "3.4e38", "-1e38", "inf",
    ]  # fmt: skip
    folded = terminal_table.plan(drawn.panels[0], 22, 2)
    assert folded is not None and folded.texts[1][0] == "-1.25e38"  # shortened, it would be another number


def test_piped_table_is_never_cut_and_has_no_escape_codes():
    tokens = Tokens.plain(["a" * 200, "a b", "\x1b[31m", ""])
    out = io.StringIO()
    print_maps(figure(1, False, tokens), out)
    text = out.getvalue()
    assert "a" * 200 in text and "\x1b" not in text
    rows = [line.split(" ") for line in text.splitlines()[1:]]
    assert {len([field for field in row if field]) for row in rows} == {5}
    assert [next(filter(None, row)) for row in rows[2:]] == ["a␣b", "�[31m", '""']


def test_piped_numbers_read_back():
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(7, 0.3), (2, 3, 5)).astype(np.float32)
    made = Attention(
        weights, None, Tokens.plain("abcde"), Tokens.plain("tuvwxyz"), (0, 4), (1, 2, 5), stream="cross", model="m"
    )
    out = io.StringIO()
    print_attention(made, out, decimals=6)
    blocks = out.getvalue().split("\n\n")
    names = [block.splitlines()[0] for block in blocks]
    assert names == [f"layer {layer}  head {head}" for layer in (0, 4) for head in (1, 2, 5)]
    read = [[[float(x) for x in row.split()[1:]] for row in block.splitlines()[2:]] for block in blocks]
    np.testing.assert_allclose(np.array(read).reshape(weights.shape), weights, atol=5.1e-7)


def test_piped_mean_is_named():
    assert shown(print_attention, attention().mean("heads")).splitlines()[0] == "layer 3  heads 0-1 (mean)"


def test_columns_count_wide_characters_twice():
    rows = [("猫", 1, "x"), ("座って", 10, ""), ("cat", 2.5, "a b")]
    assert columns(rows, ("token", "n", "note"), "lrl") == [
        "token     n  note",
        "猫        1  x",
        '座って   10  ""',
        "cat     2.5  a␣b",
    ]


def test_columns_of_nothing():
    assert columns([]) == [] and columns([], ("a", "b")) == ["a  b"]


# --- tables --------------------------------------------------------------------------------------------------------


def test_tables_side_by_side():
    assert shown(print_maps, figure(), width=80) == lines("""
toy

head 3.0                         head 3.1
        [CLS] the  animal the            [CLS] the  animal the
 [CLS]  1.00   ·     ·     ·      [CLS]  1.00   ·     ·     ·
   the  0.25  0.75   ·     ·        the  0.90  0.10   ·     ·
animal  0.50  0.38  0.12   ·     animal  0.20  0.30  0.50   ·
   the  0.06  0.06  0.25  0.62      the  0.00  0.01  0.99  0.00

· later tokens, not allowed
""")


def test_table_in_a_narrow_window_folds_its_labels():
    assert shown(print_maps, figure(1), width=24) == lines("""
toy

head 3.0
        [CL     ani
        S]  the mal the
 [CLS]  1.0  ·   ·   ·
   the  .25 .75  ·   ·
animal  .50 .38 .12  ·
   the  .06 .06 .25 .62

· later tokens, not
allowed
""")


def test_full_table_goes_on_below():
    text = shown(print_maps, figure(1, causal=False), width=20, compact=False, decimals=3)
    assert text == lines("""
toy

head 3.0
keys 0-1 of 4
        [CLS]  the
 [CLS]  1.000 0.000
   the  0.250 0.750
animal  0.500 0.375
   the  0.062 0.062

head 3.0
keys 2-3 of 4
        animal  the
 [CLS]  0.000  0.000
   the  0.000  0.000
animal  0.125  0.000
   the  0.250  0.625
""")


def test_one_panel_needs_no_name_beside_a_title_that_has_it():
    one = replace(figure(1), title="toy · layer 3 · head 0")
    assert "head 3.0" not in shown(print_maps, one, width=80)
    assert "head 3.0" in shown(print_maps, replace(one, title="mine"), width=80)


def test_table_in_colour():
    text = shown(print_maps, figure(1), width=40, colour="truecolor")
    purple, green, grey = "48;2;58;82;139", "48;2;94;201;97", "48;2;57;57;57"  # 0.25 and 0.75 of viridis; masked
    row = text.splitlines()[5]
    assert row == (
        f"   the \x1b[38;2;255;255;255;{purple}m 0.25 \x1b[0m\x1b[38;2;0;0;0;{green}m 0.75\x1b[0m"
        f"\x1b[38;2;255;255;255;{grey}m   ·   \x1b[0m\x1b[38;2;255;255;255;{grey}m  ·  \x1b[0m"
    )
    ends = [tuple(theme.colour(np.array(x), "viridis").tolist()) for x in (0.0, 1.0)]
    legend = text.splitlines()[-2]
    assert legend.startswith("0 \x1b[38;2;{};{};{}".format(*ends[0]))
    assert "38;2;{};{};{};".format(*ends[1]) in legend and legend.endswith(" 1  attention weight")


def code(colours, place):
    return "{};{};{}".format(*colours[place])


@pytest.mark.parametrize("ground", ["dark", "light"])
def test_the_default_grows_from_the_background(monkeypatch, ground):
    """Zero has no colour at all; 0.25 and 0.75 are a quarter and three quarters of the way to light or dark blue."""
    monkeypatch.setenv("ATTNVIZ_BACKGROUND", ground)
    night = ground == "dark"
    map_ = ink.colours(ink.NIGHT, 12.0) if night else theme.table("ink")
    text = shown(print_maps, figure(1, causal=False, cmap="ink"), width=40, colour="truecolor")
    first, last = ("255;255;255", "0;0;0") if night else ("0;0;0", "255;255;255")
    assert text.splitlines()[4:6] == [
        f" [CLS] \x1b[38;2;{last};48;2;{code(map_, 255)}m 1.00 \x1b[0m 0.00  0.00  0.00",
        f"   the \x1b[38;2;{first};48;2;{code(map_, 64)}m 0.25 \x1b[0m"
        f"\x1b[38;2;{last};48;2;{code(map_, 192)}m 0.75\x1b[0m  0.00  0.00",
    ]
    assert text.splitlines()[-1].startswith("0  \x1b[") and f"38;2;{code(map_, 255)};" in text.splitlines()[-1]
    masked = shown(print_maps, figure(1, cmap="ink"), width=40, colour="truecolor")
    assert f"48;2;{'57;57;57' if night else '229;229;229'}m   ·   " in masked


def test_what_is_written_as_zero_is_the_background():
    small = replace(attention(1, causal=False), weights=np.full((1, 1, 4, 4), 0.0049, np.float32))
    for printer, more in ((print_attention, {}), (print_attention, {"query": 2})):
        text = shown(printer, small, width=60, colour="truecolor", scale="sqrt", vmax=0.01, **more)
        assert "0.00" in text and "48;2;" not in text.rsplit("attention weight", 1)[0].rsplit("\n", 1)[0]
    finer = shown(print_attention, small, width=60, colour="truecolor", scale="sqrt", vmax=0.01, decimals=3)
    assert "48;2;" in finer.splitlines()[4]


def test_few_colours_of_the_default():
    row = shown(print_maps, figure(1, causal=False, cmap="ink"), width=40, colour="256").splitlines()[5]
    assert row == "   the \x1b[38;5;231;48;5;25m 0.25 \x1b[0m\x1b[38;5;16;48;5;110m 0.75\x1b[0m  0.00  0.00"


def test_marks_are_underlined():
    text = shown(print_maps, table(attention(1), marks=[(3, 2)]), width=60, colour="truecolor")
    assert re.findall(r"\x1b\[1;4;[\d;]*m([^\x1b]*)\x1b", text) == ["0.25"]


# --- maps of cells -------------------------------------------------------------------------------------------------


def test_ramp_of_glyphs_without_colour():
    assert shown(print_maps, figure(4), width=40, compact=True) == lines("""
toy

       head 0  head 1  head 2  head 3
         a       a       a       a
       [ n     [ n     [ n     [ n
       C i     C i     C i     C i
       Ltmt    Ltmt    Ltmt    Ltmt
       Shah    Shah    Shah    Shah
       ]ele    ]ele    ]ele    ]ele
 [CLS] @///    @///    @///    @///
   the :#//    @.//    :#//    @.//
animal +-./    :-+/    +-./    :-+/
   the   :*      @       :*      @

0 | .:-=+*#%@| 1  attention weight
/ later tokens, not allowed
""")


def test_every_row_of_maps_has_its_key_names():
    """In a narrow window they stand below each other, and the names above the first would be out of sight."""
    text = shown(print_maps, figure(6), width=24, compact=True).splitlines()
    titles = [i for i, line in enumerate(text) if "head" in line and "toy" not in line]
    assert len(titles) == 3
    for i in titles:
        assert text[i + 1].split() == ["a"] * 2 and text[i + 6].split() == ["]ele"] * 2
        assert text[i + 7].startswith(" [CLS] @")


def test_one_head_has_cells_of_two_columns():
    assert shown(print_maps, figure(1, causal=False), width=80, compact=True) == lines("""
toy

           a
       [   n
       C   i
       L t m t
       S h a h
       ] e l e
 [CLS] @@
   the ::##
animal ++--..
   the     ::**

0 | .:-=+*#%@| 1  attention weight
""")


def test_wide_labels_stand_in_cells_of_two_columns():
    tokens = Tokens.plain(["猫", "が", "いる", "。"])
    assert shown(print_maps, figure(1, False, tokens), width=80, compact=True).splitlines()[2:5] == [
        "         い",
        "     猫がる。",
        "  猫 @@",
    ]


def test_half_blocks_have_the_colours_of_their_two_cells():
    rng = np.random.default_rng(1)
    unit = rng.random((5, 6)).astype(np.float32)
    colour = [[tuple(c) for c in row] for row in theme.colour(unit, "viridis").tolist()]
    console = terminal(40, "truecolor")
    for line in half_lines(colour):
        console.print(line)
    out = console.file.getvalue().splitlines()
    assert len(out) == 3
    for i, line in enumerate(out):
        codes = re.findall(r"\x1b\[38;2;(\d+);(\d+);(\d+)(?:;48;2;(\d+);(\d+);(\d+))?m▀", line)
        assert len(codes) == 6
        for j, code in enumerate(codes):
            assert tuple(map(int, code[:3])) == colour[2 * i][j]
            lower = tuple(map(int, code[3:])) if code[3] else None
            assert lower == (colour[2 * i + 1][j] if 2 * i + 1 < 5 else None)


def test_maps_in_colour():
    text = shown(print_maps, figure(3), width=40, colour="truecolor", compact=True)
    row = text.splitlines()[9]
    yellow, purple, green, grey = "253;231;36", "58;82;139", "94;201;97", "57;57;57"
    assert row.startswith(
        f" [CLS] the \x1b[38;2;{yellow};48;2;{purple}m▀\x1b[0m\x1b[38;2;{grey};48;2;{green}m▀\x1b[0m"
        f"\x1b[38;2;{grey};48;2;{grey}m▀\x1b[0m\x1b[38;2;{grey};48;2;{grey}m▀\x1b[0m    \x1b["
    )
    assert row.count("▀") == 12
    assert "each line holds two rows of cells" in text


def test_half_blocks_leave_the_background_alone():
    """A cell of zero is drawn by nobody: an upper one leaves the lower half block, two of them a space."""
    row = shown(print_maps, figure(3, causal=False, cmap="ink"), width=40, colour="truecolor", compact=True)
    night = ink.colours(ink.NIGHT, 12.0)
    first, second = f"{code(night, 255)};48;2;{code(night, 64)}m▀", f"{code(night, 192)}m▄"
    assert row.splitlines()[9].startswith(f" [CLS] the \x1b[38;2;{first}\x1b[0m\x1b[38;2;{second}\x1b[0m  ")


def test_signed_numbers_leave_zero_to_the_background():
    values = np.array([[-1.0, 0.0, 0.001], [0.5, 1.0, 0.25]])
    rows = shown(print_part, tensor(values), width=60, colour="truecolor").splitlines()
    zero, small = rows[5].split("-1.00")[1].split("0.00")[:2]
    assert "48;2;" not in zero + small  # the cell before it ends, and nothing begins
    red, blue = ink.colours(ink.EMBER, 12.0, 128), ink.colours(ink.NIGHT, 12.0, 128)
    assert f"48;2;{code(blue, 127)}m -1.00" in rows[5] and f"48;2;{code(red, 127)}m  1.00" in rows[6]


def test_a_long_text_is_pooled_and_says_so():
    tokens = Tokens.plain([f"t{i}" for i in range(100)])
    weights = np.zeros((1, 1, 100, 100), np.float32)
    weights[0, 0, 51, 7] = 1
    made = Attention(weights, None, tokens, tokens, (0,), (0,), model="m")
    text = shown(print_attention, made, width=40, scale="linear").splitlines()
    assert text[4] == "       0    20   40   60   80"
    assert text[5] == " 0 t0" and text[29] == "96 t96"
    assert text[5 + 51 // 4] == "48 t48  @" and "".join(text[5:30]).count("@") == 1
    assert text[-2:] == ["each cell is the largest of 4 x 4 (rows", "x columns) · rows sum to 0–1"]


def test_layers_begin_a_line_of_maps():
    made = Attention(np.tile(WEIGHTS[None], (3, 8, 1, 1)), None, TOKENS, TOKENS, (0, 1, 2), tuple(range(16)), model="m")
    titles = [
        line.split() for line in shown(print_attention, made, width=120).splitlines() if re.match(" *[01][.]", line)
    ]
    assert titles == [[f"{layer}.{head}" for head in range(16) if head // 8 == part]
                      for layer in (0, 1) for part in (0, 1)]  # fmt: skip


def test_many_heads_become_maps_unless_numbers_are_asked_for():
    many = figure(12)
    wide = [f"t{i}" for i in range(40)]
    long = Attention(
        np.full((1, 12, 40, 40), 0.025, np.float32),
        None,
        Tokens.plain(wide),
        Tokens.plain(wide),
        (0,),
        tuple(range(12)),
    )
    assert "0.25" in shown(print_maps, many, width=80)
    assert "0.03" not in shown(print_attention, long, width=80)
    assert "0.03" in shown(print_attention, long, width=80, compact=False)


# --- one query -----------------------------------------------------------------------------------------------------


def test_query():
    assert shown(print_query, figure(), 3, width=80) == lines("""
toy
query 3: the

head 3.0                                 head 3.1
0 [CLS]   0.06 █▌                        0 [CLS]   0.00 ▏
1 the     0.06 █▌                        1 the     0.01 ▏
2 animal  0.25 █████▊                    2 animal  0.99 ███████████████████████
3 the     0.62 ██████████████▌           3 the     0.00
""")


def test_query_ranked(monkeypatch):
    monkeypatch.setattr(terminal_query, "MANY_KEYS", 3)
    monkeypatch.setattr(terminal_query, "TOP", 2)
    assert shown(print_query, figure(1), 2, width=40) == lines("""
toy
query 2: animal

head 3.0
0 [CLS]  0.50 ██████████████████████████
1 the    0.38 ███████████████████▌
1 more: 0.12 in all
""")


def test_query_piped():
    assert shown(print_query, figure(1), 2) == lines("""
layer 3  head 0  query animal
index  key     weight
    0  [CLS]     0.50
    1  the       0.38
    2  animal    0.12
    3  the          -
""")


def test_an_attention_of_one_query_is_a_list():
    one = attention(1)
    one = replace(one, weights=one.weights[:, :, 2:3], mask=one.mask[:, 2:3], queries=one.queries.take([2]))
    text = shown(print_attention, one, width=80).splitlines()
    assert "animal" in text[0] and not any(line.startswith("query") for line in text)
    assert text[3:8] == [
        "head 3.0",
        "0 [CLS]   0.50 ██████████████████████████████",
        "1 the     0.38 ██████████████████████▌",
        "2 animal  0.12 ███████▌",
        "3 the        ·",
    ]
    assert any(line.startswith("· not allowed") for line in text)


def test_many_keys_are_ranked_and_summed_up():
    tokens = Tokens.plain([f"t{i}" for i in range(50)])
    weights = np.arange(50, dtype=np.float32)[None, None, None].repeat(50, 2)
    made = Attention(weights / weights.sum(-1, keepdims=True), None, tokens, tokens, (0,), (0,))
    text = shown(print_attention, made, width=60, query=1, decimals=3).splitlines()
    ranked = [int(line.split()[0]) for line in text if re.match(r" ?\d+ t", line)]
    assert ranked == list(range(49, 29, -1))
    assert f"30 more: {sum(range(30)) / sum(range(50)):.3f} in all" in text


def test_query_out_of_range():
    with pytest.raises(SelectionError, match="query must be 0 to 3; got 4"):
        print_query(figure(), 4, io.StringIO())


# --- words, scales, settings ---------------------------------------------------------------------------------------


def test_heading_says_model_and_seed():
    seeded = replace(attention(1), meta={"random": True, "seed": 7}, reduced="something pooled")
    text = shown(print_attention, seeded, width=120)
    assert text.splitlines()[0] == "toy · layer 3 · head 0"
    assert "random weights, seed 7" in text.splitlines()[1]
    assert "something pooled" in text.splitlines()[-1]


@pytest.mark.parametrize(
    "options",
    [{}, {"vmax": 0.5}, {"vmax": "auto"}, {"scale": "log"}, {"scale": "row", "cmap": "magma"}, {"cmap": "greys"}],
)
def test_limits_are_those_of_the_picture(options):
    from attnviz.page.heatmap import heatmap

    assert table(attention(), **options).scale == heatmap(attention(), **options).scale


@pytest.mark.parametrize("options", [{"vmax": 0}, {"vmax": "most"}, {"scale": "cube"}, {"cmap": "jet"}])
def test_options_that_are_not_there(options):
    with pytest.raises(SelectionError):
        table(attention(), **options)


@pytest.mark.parametrize(
    ("settings", "coloured", "plain"),
    [
        ({}, False, True),
        ({"FORCE_COLOR": "1", "COLORTERM": "truecolor"}, True, False),
        ({"FORCE_COLOR": "1", "TERM": "xterm-256color"}, True, False),
        ({"FORCE_COLOR": "1", "COLORTERM": "truecolor", "NO_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, False),
    ],
)
def test_environment(monkeypatch, settings, coloured, plain):
    monkeypatch.setenv("TERM", "xterm")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    out = io.StringIO()
    print_maps(figure(), out, width=60)
    assert ("\x1b[38;" in out.getvalue()) is coloured
    assert out.getvalue().startswith("layer 3  head 0\nquery") is plain
    assert "0.62" in out.getvalue()


def test_ascii_terminal():
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=out, width=60, force_terminal=True, color_system=None, _environ={})
    print_maps(figure(), console)
    print_query(figure(), 3, console)
    print_part(tensor(np.arange(40.0)), console)
    out.flush()
    text = out.buffer.getvalue().decode("ascii")
    assert ". later tokens, not allowed" in text and "3 the     0.62 ###" in text


WORDS = st.sampled_from(
    ["a", "because", "antidisestablishmentarianism", "猫", "座って", "🙂", "[CLS]", "\n", "", "e\u0301", "\x1b[2J"]
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(20, 130), st.integers(1, 30), st.integers(1, 70), st.integers(1, 7), st.data()
)  # fmt: skip
def test_nothing_is_wider_than_the_window(width, n_query, n_key, n_heads, data):
    words = data.draw(st.lists(WORDS, min_size=3, max_size=6))
    queries, keys = (Tokens.plain([words[i % len(words)] for i in range(n)]) for n in (n_query, n_key))
    rng = np.random.default_rng(width)
    weights = rng.dirichlet(np.full(n_key, 0.2), (1, n_heads, n_query)).astype(np.float32)
    mask = rng.random((1, n_query, n_key)) < 0.8 if data.draw(st.booleans()) else None
    made = Attention(weights, mask, queries, keys, (0,), tuple(range(n_heads)), stream="cross", model="m" * 30)
    console = terminal(width, data.draw(st.sampled_from([None, "256", "truecolor"])))
    compact = data.draw(st.sampled_from([None, True, False]))
    print_attention(made, console, compact=compact, scale=data.draw(st.sampled_from(["sqrt", "row"])))
    print_attention(made, console, query=n_query - 1)
    print_part(TokenTable(keys), console)
    print_part(tensor(weights[0], "some.long.name." * 4), console)
    print_page(model_page([("key", "v" * 90)], [TensorRow.of("s" * 50, "o" * 30, "F32", weights)]), console)
    text = console.file.getvalue()
    assert "\x1b[2J" not in text
    assert max(cell_len(line) for line in ESCAPE.sub("", text).splitlines()) <= width


# --- rows ----------------------------------------------------------------------------------------------------------


def test_items_of_a_sentence_stay_whole():
    rows = [(("sink", "3"), "2.4 0.84, 3.4 0.77, 1.4 0.66"), (("broad", "0"), "none")]
    assert shown(print_part, Listing(("role", "heads", "layer.head"), rows, ", "), width=44) == lines("""
role   heads  layer.head
sink   3      2.4 0.84, 3.4 0.77, 1.4 0.66
broad  0      none
""")
    long = [(("sink", "5"), "2.4 0.84, 3.4 0.77, 1.4 0.66, 4.3 0.61, 2.1 0.5")]
    assert shown(print_part, Listing((), long, ", "), width=44) == lines("""
sink  5  2.4 0.84, 3.4 0.77, 1.4 0.66,
         4.3 0.61, 2.1 0.5
""")
    assert shown(print_part, Listing((), long, ", ")).startswith("sink  5  2.4 0.84, 3.4 0.77, 1.4 0.66, 4.3")


def test_rows_stand_below_their_title():
    page = Page("toy", "b", (Table(("name", "n"), [("a", "1")], "lr"),), ("c",))
    assert shown(print_page, page, width=40) == lines("""
toy
b

name   n
a      1

c
""")


# --- tokens --------------------------------------------------------------------------------------------------------


def test_tokens():
    assert shown(print_part, TokenTable(TOKENS), width=80) == lines("""
index  token     id  chars  word
    0  [CLS]    101      -     -  special
    1  the     1996    0:3     0
    2  animal  4111   4:10     1
    3  the     1996  11:14     2
""")


def test_tokens_piped():
    assert shown(print_part, TokenTable(TOKENS)) == lines("""
index  token     id  start  end  word  special
    0  [CLS]    101      -    -     -  special
    1  the     1996      0    3     0  -
    2  animal  4111      4   10     1  -
    3  the     1996     11   14     2  -
""")


def test_tokens_of_a_pair_without_ids():
    pair = replace(Tokens.plain(["a", "b"]), segments=(0, 1))
    assert shown(print_part, TokenTable(pair)).splitlines() == [
        "index  token  id  start  end  word  special  segment",
        "    0  a       -      -    -     0  -              0",
        "    1  b       -      -    -     1  -              1",
    ]


# --- models and tensors --------------------------------------------------------------------------------------------

ROWS = [
    TensorRow.of(
        "encoder.layer.0.attention.self.query.weight", "layers.0.q.weight", "F32", np.arange(12.0).reshape(2, 6)
    ),
    TensorRow.of("b", "b", "BF16", np.zeros(3), nbytes=6),
    TensorRow("ids", "", (2,), "I64"),
]


def model_page(facts, tensors=tuple(ROWS)):
    return Page(parts=(Facts(facts), TensorTable(tensors)))


def tensor(values, stored="w", ours="", dtype=""):
    return TensorValues(stored, ours, dtype or str(values.dtype), values)


def test_inspect_piped():
    assert shown(print_page, model_page([("model", "toy"), ("family", "bert"), ("d_head", "32")])) == lines("""
model   toy
family  bert
d_head  32

stored                                       ours               shape  dtype  mean   std  min  max
encoder.layer.0.attention.self.query.weight  layers.0.q.weight  2x6    F32     5.5  3.45    0   11
b                                            b                  3      BF16      0     0    0    0
ids                                          -                  2      I64       -     -    -    -

total  3  17  102
""")


def test_inspect_wide():
    assert shown(print_page, model_page([("model", "toy")]), width=120) == lines("""
model  toy

stored                                       ours               shape  dtype  mean   std  min  max
encoder.layer.0.attention.self.query.weight  layers.0.q.weight  2 x 6  F32     5.5  3.45    0   11
b                                                               3      BF16      0     0    0    0
ids                                                             2      I64       -     -    -    -

3 tensors · 17 numbers · 102 bytes
""")


def test_inspect_at_80_columns():
    assert shown(print_page, model_page([("model", "toy")]), width=80) == lines("""
model  toy

stored                                       shape  dtype  mean   std  min  max
encoder.layer.0.attention.self.query.weight  2 x 6  F32     5.5  3.45    0   11
  layers.0.q.weight
b                                            3      BF16      0     0    0    0
ids                                          2      I64       -     -    -    -

3 tensors · 17 numbers · 102 bytes
""")


def test_inspect_narrow():
    assert shown(print_page, model_page([("model", "toy")]), width=40) == lines("""
model  toy

encoder.layer.0.attention.self.query.wei
ght
  layers.0.q.weight
  2 x 6  F32
  mean 5.5  std 3.45  min 0  max 11
b
  3  BF16
  mean 0  std 0  min 0  max 0
ids
  2  I64

3 tensors · 17 numbers · 102 bytes
""")


ODD = np.array([[np.nan, -2, 1], [0, np.inf, 4]], np.float32)


def test_small_tensor():
    assert shown(print_part, tensor(ODD, ours="layers.0.w", dtype="F32"), width=60) == lines("""
w
layers.0.w
2 x 3  F32
mean 0.75  std 2.17  min -2  max 4  zeros 1  NaN 1
infinite 1

     0     1     2
0    ·   -2.00  1.00
1   0.00   ·    4.00

· not finite

  -2 to -1.6 1 ████████████████████████████████████████
-1.6 to -1.2 0
-1.2 to -0.8 0
-0.8 to -0.4 0
-0.4 to    0 0
   0 to  0.4 1 ████████████████████████████████████████
 0.4 to  0.8 0
 0.8 to  1.2 1 ████████████████████████████████████████
 1.2 to  1.6 0
 1.6 to    2 0
   2 to  2.4 0
 2.4 to  2.8 0
 2.8 to  3.2 0
 3.2 to  3.6 0
 3.6 to    4 1 ████████████████████████████████████████
""")


def test_tensor_piped():
    assert shown(print_part, tensor(np.array([1.0, 1.0]))).splitlines() == [
        "stored    w",
        "shape     2",
        "dtype     float64",
        "mean      1",
        "std       0",
        "min       1",
        "max       1",
        "zeros     0",
        "nan       0",
        "infinite  0",
        "",
        "from  to  count",
        "   1   1      2",
    ]


def test_large_tensor_is_pooled_by_size():
    values = np.zeros((60, 60), np.float32)
    values[10, 20], values[11, 21], values[50, 3] = 0.5, -1, 0.75
    text = shown(print_part, tensor(values), width=40).splitlines()
    assert text[5] == "   0    10   20   30   40   50"
    cells = [line[3:] for line in text[6:36]]
    assert cells[5] == " " * 10 + "M" and cells[25] == " P"
    assert all(not line for i, line in enumerate(cells) if i not in (5, 25))
    assert text[37] == "-1 |Mm- +pP| 1  value"
    assert text[38:40] == ["each cell is the largest by size of 2 x", "2 (rows x columns)"]


def test_axes_beyond_two_are_laid_out_as_columns():
    text = shown(print_part, tensor(np.ones((2, 3, 20))), width=100)
    assert "2 x 3 x 20  float64" in text and "columns: axes 1 to 2, the last one fastest" in text


def test_empty_and_scalar_tensors():
    assert "0 x 4  float64" in shown(print_part, tensor(np.zeros((0, 4))), width=60)
    assert "scalar  float64" in shown(print_part, tensor(np.array(3.0)), width=60)
    assert "NaN 2" in shown(print_part, tensor(np.full(2, np.nan)), width=60)


def test_statistics_do_not_depend_on_the_chunks(monkeypatch):
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(13, 7)) * 3 + 100).astype(np.float32)
    for chunk in (1, 2, 5, 91, 1000):
        monkeypatch.setattr("attnviz.measures.tensors.CHUNK", chunk)
        found = numbers(values)
        exact = values.astype(np.float64)
        assert found.mean == pytest.approx(exact.mean(), rel=1e-12)
        assert found.std == pytest.approx(exact.std(), rel=1e-9)
        assert (found.min, found.max) == (exact.min(), exact.max())
        assert histogram(values).counts.sum() == 91


def test_statistics_of_odd_numbers():
    assert numbers(ODD) == Numbers(6, 0.75, pytest.approx(4.6875**0.5), -2.0, 4.0, zeros=1, nan=1, infinite=1)
    assert numbers(np.array([np.nan])) == Numbers(1, nan=1)
    assert numbers(np.zeros(0)) == Numbers(0)


def test_statistics_of_bfloat16():
    import ml_dtypes

    found = numbers(np.array([1.5, -2, 0], ml_dtypes.bfloat16))
    assert (found.min, found.max, found.zeros) == (-2.0, 1.5, 1)


def test_histogram():
    found = histogram(np.array([0, 1, 2, 9, 10.0]), bins=2)
    assert isinstance(found, Histogram)
    assert found.counts.tolist() == [3, 2] and found.edges.tolist() == [0, 5, 10]
    assert histogram(np.array([np.nan])).counts.tolist() == []


# --- pieces --------------------------------------------------------------------------------------------------------


def test_pooled():
    values = np.array([[0.1, 0.9, 0.3], [0.4, 0.2, 0.8], [0.5, 0.6, 0.7]], np.float32)
    hidden = np.array([[0, 1, 0], [0, 1, 0], [0, 0, 1]], bool)
    cells, gone = pooled(values, hidden, 2, 2, signed=False)
    np.testing.assert_array_equal(cells, np.array([[0.4, 0.8], [0.6, 0]], np.float32))
    assert gone.tolist() == [[False, False], [False, True]]
    signed, _ = pooled(np.array([[1.0, -2.0], [1.5, 0.0]], np.float32), None, 2, 2, signed=True)
    assert signed.tolist() == [[-2.0]]


@pytest.mark.parametrize(
    ("text", "width", "align", "made"),
    [
        ("abc", 5, "right", "  abc"),
        ("abc", 6, "center", " abc  "),
        ("abcdef", 4, "left", "abc…"),
        ("座って", 5, "left", "座っ…"),
        ("座って", 4, "left", "座… "),
        ("abc", 0, "left", ""),
    ],
)
def test_fit(text, width, align, made):
    assert fit(text, width, align) == made


def test_clean():
    assert clean("a\x1b[2J\n\t\x7f\x9b\u202eb\ud800") == "a␛[2J↵⇥␡\\x9b�b?"


def test_bar():
    assert [bar(x, 4, True) for x in (0, 1e-9, 0.25, 0.53, 1, 7)] == ["", "▏", "█", "██▏", "████", "████"]
    assert [bar(x, 4, False) for x in (0, 1e-9, 0.5, 2)] == ["", "#", "##", "####"]


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_progress_waits(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Screen())
    with progress("work", 3) as advance:
        advance()
        advance(2)
    assert sys.stderr.getvalue() == ""


def test_progress_of_long_work(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Screen())
    start = time.monotonic()
    monkeypatch.setattr("attnviz.render.progress.time.monotonic", lambda: start + 100)
    monkeypatch.setattr("attnviz.render.progress.PATIENCE", 0)
    with progress("reading the model", 4) as advance:
        advance(1)
        advance(1)
    assert "reading the model" in sys.stderr.getvalue() and "50%" in sys.stderr.getvalue()


def test_no_progress_in_a_pipe_or_when_quiet(monkeypatch):
    monkeypatch.setattr("attnviz.render.progress.PATIENCE", 0)
    for stream, quiet in ((io.StringIO(), False), (Screen(), True)):
        monkeypatch.setattr(sys, "stderr", stream)
        with progress("work", quiet=quiet) as advance:
            advance(1)
        assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("value", "decimals", "sign", "said"),
    [
        (-0.004, 2, "", "0.00"),
        (-0.0, 2, "", "0.00"),
        (-0.004, 2, "+", "+0.00"),
        (-0.006, 2, "", "-0.01"),
        (0.25, 2, "+", "+0.25"),
        (-0.25, 2, "+", "-0.25"),
        (-0.4, 0, "", "0"),
        (-10.0, 1, "", "-10.0"),
        (float("nan"), 2, "", "nan"),
    ],
)
def test_no_zero_has_a_minus(value, decimals, sign, said):
    assert number(value, decimals, sign) == said


COLOUR_WORDS = re.compile(r"\b(white|grey|red|blue|colou?r|coloured)\b")


@pytest.mark.parametrize("colour", [None, "truecolor"])
@pytest.mark.parametrize("ground", ["dark", "light"])
@pytest.mark.parametrize("options", [{}, {"scale": "row"}, {"scale": "log"}, {"scale": "sqrt", "vmax": 0.01}])
@pytest.mark.parametrize("measure", ["", "flow"])
def test_words_follow_the_medium(monkeypatch, ground, colour, options, measure):
    """No legend names white, which may be the text's colour; without colours no legend names shades beside numbers."""
    monkeypatch.setenv("ATTNVIZ_BACKGROUND", ground)
    weights = np.linspace(0.5, 1.0, 400, dtype=np.float32).reshape(1, 1, 20, 20)
    tokens = Tokens.plain([f"t{i}" for i in range(20)])
    found = Attention(weights, None, tokens, tokens, (0,), (0,), meta={"measure": measure} if measure else {})
    numbers = ESCAPE.sub("", shown(print_attention, found, width=160, colour=colour, **options))
    glyphs = ESCAPE.sub("", shown(print_attention, found, width=160, colour=colour, compact=True, **options))
    assert not COLOUR_WORDS.search(numbers) and not COLOUR_WORDS.search(glyphs)
    assert ("shade" in numbers or "drawn as" in numbers) == (colour is not None)
    assert "shade" in glyphs or "drawn as" in glyphs
    picture = heatmap(found, **options)
    assert COLOUR_WORDS.search(" ".join(picture.notes))
