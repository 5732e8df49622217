"""A text with lines of weight, and a text shaded by one token: what is drawn, where, and what a terminal shows."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import command_line
from helpers.colour_vision import contrast
from helpers.drawn_lines import lines, page, text
from helpers.sentences import TIRED
from rich.console import Console

import attnviz
from attnviz.analyses.lines import pieces
from attnviz.analyses.strongest_lines import TOLD_APART
from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.errors import InputError, SelectionError
from attnviz.measures.resting import resting
from attnviz.page.colours import HEADS, INK, letters_on, tint
from attnviz.page.figure_options import FigureOptions
from attnviz.page.label_bounds import bounds
from attnviz.page.lines import FAINT, REST, THICK, THIN, stroke
from attnviz.render.image import to_bytes
from attnviz.render.printer import print_page
from attnviz.render.theme import TONES

run = command_line.run  # a fixture

WEIGHTS = np.array([[[0.9, 0.1, 0.0], [0.25, 0.25, 0.5], [0.005, 0.195, 0.8]], np.eye(3)], np.float32)[None]


def small(n_heads=1):
    tokens = Tokens.plain(["The", "cat", "sat"])
    return Attention(
        WEIGHTS[:, :n_heads], None, tokens, tokens, (4,), tuple(range(7, 7 + n_heads)), model="toy", meta={}
    )


def strokes(figure):
    """The lines between the texts: the lines with their own colour and strength."""
    return [line for line in figure.lines if line.rgb is not None and line.x1 - line.x0 > 30]


def words(figure, role):
    return {label.text: label for label in figure.labels if label.role == role}


def test_a_line_for_every_weight_that_is_strong_enough_the_strongest_last() -> None:
    figure = lines(small())
    links = page(small()).parts[0].panels[0].links
    assert [(link.row, link.col) for link in links] == [(0, 1), (2, 1), (1, 1), (1, 0), (1, 2), (2, 2), (0, 0)]
    assert [link.value for link in links] == pytest.approx([0.1, 0.195, 0.25, 0.25, 0.5, 0.8, 0.9])
    drawn = strokes(figure)
    assert [line.width for line in drawn] == sorted(line.width for line in drawn)
    assert [line.share for line in drawn] == sorted(line.share for line in drawn)
    assert {line.rgb for line in drawn} == {INK}
    assert "weights below 0.05 are not drawn" in figure.notes


def test_lines_that_are_no_thicker_than_the_scale_goes_are_counted() -> None:
    """The scale ends at 0.5, the largest weight to a plain token; two lines to the special ones have more."""
    weights = np.array([[0.9, 0.1, 0.0], [0.4, 0.5, 0.1], [0.8, 0.0, 0.2]], np.float32)[None, None]
    tokens = replace(Tokens.plain(["[CLS]", "cat", "sat"]), special=(True, False, False))
    figure = lines(Attention(weights, None, tokens, tokens, (0,), (0,), model="toy", meta={}))
    assert "2 weights to special tokens or the first key above 0.5 drawn as 0.5" in figure.notes
    assert list(words(figure, "tick")) == ["0.05", "0.15", "≥0.5"]
    assert "The thickest line: weight 0.5 and more" in figure.caption
    within = lines(small())
    assert list(words(within, "tick"))[-1] == "1"
    assert not any("drawn as" in note for note in within.notes)


def test_lines_run_from_the_query_to_the_key() -> None:
    """Each ends beside both names, at the height of their middle."""
    figure = lines(small())
    left, right = words(figure, "row"), words(figure, "column")
    for link, line in zip(page(small()).parts[0].panels[0].links, strokes(figure), strict=True):
        query, key = left[("The", "cat", "sat")[link.row]], right[("The", "cat", "sat")[link.col]]
        assert line.x0 > query.x and line.x1 < key.x
        assert abs(line.y0 - query.y) < query.size / 2 and abs(line.y1 - key.y) < key.size / 2
    assert left["The"].y < left["cat"].y < left["sat"].y
    assert (left["The"].align, right["The"].align) == ("right", "left")


def test_width_and_strength_of_a_line() -> None:
    assert stroke(0.0) == (THIN, FAINT)
    assert stroke(1.0) == (THICK, 1.0) == stroke(3.0)
    assert stroke(0.5)[0] == pytest.approx((THIN + THICK) / 2)
    assert stroke(0.5)[1] < 0.5  # weak lines are fainter than they are thin


def test_one_query_alone() -> None:
    figure = lines(small(), query=1)
    part = page(small(), 1).parts[0]
    assert {(link.row, link.col) for link in part.panels[0].links} == {(1, 0), (1, 1), (1, 2)}
    assert len(strokes(figure)) == 3 and len(figure.fills) == 3
    left = words(figure, "row")
    assert (left["cat"].weight, left["cat"].tone, left["The"].tone) == ("bold", "ink", "faint")
    assert part.high == 0.5  # the scale is that of what is shown
    assert "query “cat”" in figure.title


def test_heads_over_each_other_have_colours_of_their_own_and_do_not_hide_each_other() -> None:
    figure = lines(small(2), overlay=True)
    (panel,) = page(small(2), overlay=True).parts[0].panels
    assert panel.strands == ("head 7", "head 8") and len(HEADS) == TOLD_APART
    drawn = strokes(figure)
    assert {line.rgb for line in drawn} == set(HEADS[:2])
    strong = [line for line in drawn if line.share > 0.8]
    first = [line.y0 for line in strong if line.rgb == HEADS[0]]
    second = [line.y0 for line in strong if line.rgb == HEADS[1]]
    assert len({*first, *second}) == len(first) + len(second)
    assert {"head 7", "head 8"} <= {label.text for label in figure.labels if label.role == "tick"}
    many = attnviz.load("seeded", n_heads=16, d_model=64).attend("a b")
    with pytest.raises(SelectionError, match="16 heads are too many"):
        lines(many, overlay=True)


def resting_heads(n=6, n_heads=2, specials=True):
    """Head 0 looks at the token before, head 1 at all alike; both give half of each row to the first token."""
    before = np.eye(n, k=-1) + np.eye(n) * (np.arange(n) == 0)
    even = np.full((n, n), 1 / n)
    weights = 0.5 * np.stack([before, even][:n_heads])
    weights[..., 0] += 0.5
    tokens = Tokens.plain(["[CLS]", *(f"w{i}" for i in range(1, n))])
    tokens = replace(tokens, special=(specials, *(False,) * (n - 1)))
    return Attention(weights[None].astype(np.float32), None, tokens, tokens, (0,), tuple(range(n_heads)), meta={})


@pytest.mark.parametrize("specials", [True, False])
def test_lines_to_where_heads_rest_are_grey_and_set_no_scale(specials) -> None:
    """The first token counts as a resting place without being special, as most of the weight goes there."""
    found = resting_heads(n=16, specials=specials)
    figure = lines(found)
    what = "special tokens" if specials else "the first token"
    assert f"grey: lines to {what}, where heads rest" in figure.notes
    part = page(found).parts[0]
    assert part.rests == {0} and part.high == 0.5
    for panel in part.panels:
        grey = [link.col == 0 for link in panel.links]
        assert grey == sorted(grey, reverse=True) and any(grey)  # under all other lines
    drawn = strokes(figure)
    assert {line.rgb for line in drawn} == {INK, REST}
    assert max(line.share for line in drawn if line.rgb == REST) < max(line.share for line in drawn if line.rgb == INK)


def test_a_first_token_that_few_look_at_is_no_resting_place() -> None:
    even = np.full((1, 2, 9, 9), 1 / 9, np.float32)
    tokens = Tokens.plain([f"w{i}" for i in range(9)])
    assert not resting(Attention(even, None, tokens, tokens, (0,), (0, 1), meta={})).any()
    assert not resting(small(2)).any()  # 0.39 of three keys' weight is little more than a third


def test_a_query_keeps_its_strongest_lines() -> None:
    """Head 0 has one word to each query; head 1, alike to all, keeps three, and says so."""
    shown = page(resting_heads(n=8))
    first, second = ([link for link in panel.links if link.col] for panel in shown.parts[0].panels)
    assert [(link.row, link.col) for link in sorted(first, key=lambda one: one.row)] == [
        (i, i - 1) for i in range(2, 8)
    ]
    assert [sum(link.row == i for link in second) for i in range(8)] == [3] * 8
    assert "the 3 strongest lines of each query" in shown.notes
    alone = page(resting_heads(n=8), 5)
    assert sum(link.row == 5 for link in alone.parts[0].panels[1].links) == 8  # a single query shows all its lines
    assert not any("strongest" in note for note in alone.notes)


def test_heads_over_each_other_show_one_line_of_each_query_and_no_resting_place() -> None:
    shown = page(resting_heads(n=8), overlay=True)
    (panel,) = shown.parts[0].panels
    assert not any(link.col == 0 for link in panel.links)
    assert (
        max(sum((link.row, link.strand) == (i, head) for link in panel.links) for i in range(8) for head in (0, 1)) == 1
    )
    assert {"the strongest line of each query", "lines to special tokens are left out"} <= set(shown.notes)


def test_one_panel_has_no_second_title() -> None:
    assert not [label for label in lines(small()).labels if label.role == "heading"]
    assert not [label for label in lines(small(2), overlay=True).labels if label.role == "heading"]
    assert [label.text for label in lines(small(2)).labels if label.role == "heading"] == ["head 7", "head 8"]


@pytest.mark.parametrize(("n_layers", "n_heads", "n"), [
    (1, 12, 16), (1, 12, 40), (3, 12, 16), (6, 12, 15), (12, 12, 40), (30, 9, 15), (6, 12, 100), (24, 32, 20),
])  # fmt: skip
def test_many_panels_fit_a_page(n_layers, n_heads, n) -> None:
    """With very many panels only the outer ones have names, and a note says so; each has its own lines and its name."""
    tokens = Tokens.plain([f"w{i}" for i in range(n)])
    even = np.full((n_layers, n_heads, n, n), 1 / n, np.float32)
    figure = lines(Attention(even, None, tokens, tokens, tuple(range(n_layers)), tuple(range(n_heads)), meta={}))
    assert max(figure.width, figure.height) <= 1320
    assert figure.width * figure.height <= 960 * 1320
    assert min(label.size for label in figure.labels) >= 5
    named = [label for label in figure.labels if label.role == "heading"]
    assert len(named) == n_layers * n_heads == len({(label.x, label.y) for label in named})
    names = {f"{layer}.{head}" for layer in range(n_layers) for head in range(n_heads)}
    if n_layers > 1:
        assert {label.text.removeprefix("head ") for label in named} == names
    rows = [label for label in figure.labels if label.role == "row"]
    assert ("tokens are named beside the outer panels" in figure.notes) == (len(rows) < n * len(named))
    for label in figure.labels:
        left, top, right, bottom = bounds(label, figure.face)
        assert left >= 0 and top >= 0 and right <= figure.width and bottom <= figure.height


def test_lift_instead_of_weight() -> None:
    """The diagonal head: lift of each is 1; what other queries give it is 0. By hand: 0.9 - (0.25 + 0.005) / 2."""
    links = page(small(), by="lift").parts[0].panels[0].links
    best = links[-1]
    assert (best.row, best.col, best.value) == (0, 0, pytest.approx(0.9 - 0.255 / 2))
    assert all(link.value > 0 for link in links)


def test_a_panel_a_head_side_by_side(minilm) -> None:
    found = attnviz.load(minilm).attend(TIRED, layers=[2, 3])
    figure = lines(found)
    panels = page(found).parts[0].panels
    assert [panel.title for panel in panels][:2] == ["head 2.0", "head 2.1"]
    assert len(panels) == 24
    heads = [label for label in figure.labels if label.role == "heading"]
    assert len(heads) == 24 and len({label.x for label in heads}) == 6  # a divisor of the layer's 12 heads
    assert all(line.x1 <= figure.width for line in figure.lines)
    narrow = lines(found.select(3, 1), width=3.25)
    assert narrow.width == pytest.approx(3.25 * 72)
    with pytest.raises(SelectionError, match="no room for lines"):
        lines(found, width=1.0)
    broken = small()
    broken.weights[0, 0, 0, 0] = np.nan
    try:
        with pytest.raises(InputError, match="NaN"):
            lines(broken)
    finally:
        broken.weights[0, 0, 0, 0] = 0.9


def test_pictures_carry_their_words_and_are_the_same_every_time(minilm) -> None:
    found = attnviz.load(minilm).attend(TIRED, layers=3, heads=1)
    for figure in (lines(found), text(found, found.query_tokens.index("it"))):
        svg = to_bytes(figure, "svg").decode()
        shown = re.sub(r"<[^>]+>", "\n", svg).split("\n")
        assert set(found.key_tokens) <= set(shown)
        assert to_bytes(figure, "svg").decode() == svg
        assert to_bytes(figure, "png") == to_bytes(figure, "png")
    pixels = to_bytes(lines(found), "png")
    assert pixels[:4] == b"\x89PNG"


# Running text


def test_where_a_text_has_spaces(minilm) -> None:
    model = attnviz.load(minilm)
    found = model.tokens("Untokenizable, isn't it?")
    spelled, spaced = pieces(found)
    joined = "".join(" " * apart + word for word, apart in zip(spelled, spaced, strict=True))
    assert joined == "[CLS] untokenizable, isn't it? [SEP]"
    by_ids = model.tokens(ids=found.ids)  # no places in a text: between words
    joined = "".join(" " * apart + word for word, apart in zip(*pieces(by_ids), strict=True))
    assert joined == "[CLS] untokenizable , isn ' t it ? [SEP]"


def test_words_are_shaded_by_one_querys_weights() -> None:
    figure = text(small(), 1)
    part = figure.text
    assert (part.words, part.chosen, part.high) == (("The", "cat", "sat"), 1, 0.5)
    assert part.paragraphs[0].values == pytest.approx((0.25, 0.25, 0.5))
    shades = [fill.rgb for fill in figure.fills[:3]]
    assert shades[0] == shades[1] and sum(shades[2]) < sum(shades[0])
    labels = words(figure, "row")
    for fill, word in zip(figure.fills, part.words, strict=False):
        assert fill.box.x < labels[word].x < fill.box.x + fill.box.width
        assert fill.box.y < labels[word].y < fill.box.y + fill.box.height
    assert [line.tone for line in figure.lines] == ["mark"]  # under the one that was asked
    assert len(text(small(2), 0).text.paragraphs) == 2


def test_letters_can_be_read_on_every_shade() -> None:
    """Every colour of a head and the grey of resting places, from paper to full."""
    for colour in (INK, REST, *HEADS):
        for share in np.linspace(0.0, 1.0, 101):
            shade = tint(colour, share)
            assert contrast(shade, [255] * 3 if letters_on(shade) == "paper" else [0] * 3) >= 4.5


@pytest.mark.parametrize("view", ["text", "lines"])
def test_shaded_words_have_the_contrast_of_their_shade(minilm, view) -> None:
    attention = attnviz.load(minilm).attend(TIRED, layers=3, heads=1)
    figure = text(attention, 10) if view == "text" else lines(attention, query=10)
    tones = {tone: [int(code[i : i + 2], 16) for i in (1, 3, 5)] for tone, code in TONES.items()}
    shaded = 0
    for label in figure.labels:
        left, top, right, bottom = bounds(label, figure.face)
        x, y = (left + right) / 2, (top + bottom) / 2
        for fill in figure.fills:
            box = fill.box
            if box.x < x < box.x + box.width and box.y < y < box.y + box.height:
                assert contrast(fill.rgb, tones[label.tone]) >= 4.5, label.text
                shaded += 1
    assert shaded >= (8 if view == "text" else 4)


def test_a_long_text_is_broken_into_lines() -> None:
    tokens = Tokens.plain([f"word{i}" for i in range(80)])
    found = Attention(np.full((1, 1, 80, 80), 1 / 80, np.float32), None, tokens, tokens, (0,), (0,), meta={})
    figure = text(found, 0, width=4.0)
    placed = [label for label in figure.labels if label.role == "row"]
    assert len({label.y for label in placed}) > 8
    assert all(label.x < figure.width for label in placed)


# Terminal


def printed(shown, width=60, terminal=True, colour=None):
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=terminal, color_system=colour, no_color=colour is None, highlight=False
    )
    print_page(shown, console)
    return out.getvalue()


def test_lines_in_a_terminal_without_colours() -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", printed(page(small()), width=40))
    assert [line.rstrip() for line in shown.splitlines()] == [
        "toy · layer 4 · head 7",
        "queries at the left, keys at the right",
        "",
        "The ⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤ The",
        "cat ⠤⠤⠤⠤⠤⠤⠤⠤⣀⣀⣀⣀⣀⣀⣀⣀                 cat",
        "sat ⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠭⠭⠭⠭⠭⠭⠭⠭⠶⠶⠶⠶⠶⠶⠶⠦ sat",
        "The > The 0.90   sat > sat 0.80",
        "cat > sat 0.50   cat > The 0.25",
        "cat > cat 0.25   sat > cat 0.19",
        "",
        "weights below 0.05 are not drawn",
    ]


def test_lines_in_a_pipe() -> None:
    out = io.StringIO()
    print_page(page(small()), out)
    rows = [line.split() for line in out.getvalue().splitlines()]
    assert rows[0] == ["layer", "head", '""', "query", '""', "key", "weight"]
    assert rows[1] == ["4", "7", "0", "The", "0", "The", "0.9000"]
    assert [float(row[-1]) for row in rows[1:]] == sorted((float(row[-1]) for row in rows[1:]), reverse=True)


def test_a_text_in_a_terminal_has_numbers_where_there_are_no_colours() -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", printed(page(small(), 1, shape="text")))
    assert "The(.25) cat(.25) sat(.50)" in shown
    coloured = printed(page(small(), 1, shape="text"), colour="truecolor")
    assert "48;2;177;228;254msat" in coloured and "(.25)" not in coloured


def test_windows_of_any_width(minilm) -> None:
    found = attnviz.load(minilm).attend(TIRED, layers=3, heads=[1, 2])
    for width in (30, 60, 80, 120):
        for shown in (page(found), page(found, overlay=True), page(found, 10, shape="text")):
            plain = re.sub(r"\x1b\[[0-9;]*m", "", printed(shown, width=width, colour="truecolor"))
            assert max(map(len, plain.splitlines())) <= width


# The command


def test_the_head_with_the_highest_lift(run) -> None:
    status, out, err = run("lines", "The cat sat on the mat")
    assert status == 0
    layer, head = map(int, re.match(r"layer (\d), head (\d): the highest lift", err).groups())
    assert {tuple(line.split()[:2]) for line in out.splitlines()[1:]} == {(str(layer), str(head))}
    every = json.loads(run("lines", "The cat sat on the mat", "-l", "all", "--by", "lift", "--json")[1])
    assert (every[0]["layer"], every[0]["head"]) == (layer, head)
    assert len(every) == 2 * 4 * 36
    assert [row["lift"] for row in every] == sorted((row["lift"] for row in every), reverse=True)


def test_it_and_animal(run, minilm) -> None:
    words = ("lines", TIRED, "-m", str(minilm), "-l", "3", "-H", "1", "--query", "it", "--json", "--top", "1")
    row = json.loads(run(*words)[1])[0]
    names = [
        "layer",
        "head",
        "query",
        "query_token",
        "key",
        "key_token",
        "weight",
        "lift",
    ]  # as `links --json` has them
    assert list(row) == names and (row["query"], row["key"]) == (10, 2)
    assert (row["query_token"], row["key_token"]) == ("it", "animal")
    assert (round(row["weight"], 2), round(row["lift"], 2)) == (0.64, 0.55)


def test_files(run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "a.svg", "a.pdf", "a.json", "a.csv"):
        assert run("lines", "the cat sat", "-o", name, "-q")[:2] == (0, f"{name}\n")
        assert run("lines", "the cat sat", "--as", "text", "-o", name, "-q")[:2] == (0, f"{name}\n")
    assert run("export", "the cat sat", "-o", "a.npz")[0] == 0
    assert run("lines", "--from", "a.npz", "-l", "1", "--overlay", "-o", "b.svg")[0] == 0
    assert "head 3" in Path("b.svg").read_text()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("lines",), 2, "wanted a text"),
        (("lines", "a b", "--as", "circle"), 2, "--as must be one of"),
        (("lines", "a b", "--by", "size"), 2, "--by must be one of"),
        (("lines", "a b", "--as", "text", "--overlay"), 2, "--overlay"),
        (("lines", "a b", "--query", "dog"), 1, "dog"),
        (("lines", "a b", "-l", "7"), 1, "layer 7"),
    ],
)
def test_what_cannot_be(run, words, status, said) -> None:
    got, out, err = run(*words)
    assert (got, out) == (status, "") and said in err


def test_a_long_text_is_pooled_for_lines_and_refused_as_a_text(run, tmp_path) -> None:
    long = tmp_path / "long.txt"
    long.write_text("word " * 9000)
    status, out, err = run("lines", "--file", str(long), "--as", "text")
    assert (status, out) == (1, "") and "choose a head" in err
    long.write_text("word " * 300)
    status, out, err = run("lines", "--file", str(long), "--json", "--top", "1", "-q")
    assert status == 0 and re.match(r"word \d+–\d+", json.loads(out)[0]["key_token"])


# From Python


def test_from_python_as_the_command_has_it(run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = attnviz.load("seeded")
    rows = json.loads(run("lines", "The cat sat on the mat", "--query", "cat", "--by", "lift", "--json")[1])
    result = attnviz.lines(model, "The cat sat on the mat", query="cat", by="lift")
    assert result.rows() == rows
    assert result.messages[0].startswith(f"layer {rows[0]['layer']}, head {rows[0]['head']}: the highest lift")
    attention = model.attend("The cat sat on the mat")
    assert attnviz.lines(attention, query=2, layers=1, top=3).rows() == json.loads(
        run("lines", "The cat sat on the mat", "--query", "2", "-l", "1", "--top", "3", "--json")[1]
    )
    shaded = attnviz.lines(attention, heads="1.2", shape="text", query="cat")
    assert shaded.save("cat.tex") == "cat.tex" and r"\underline{\textbf{" in Path("cat.tex").read_text()
    assert str(shaded).split()[:4] == ["layer", "head", '""', "token"]


def test_a_long_text_is_pooled_unless_single_tokens_are_asked_for() -> None:
    model, text = attnviz.load("seeded"), "word " * 150
    assert len(attnviz.lines(model, text, layers=0).facts.keys) <= 100
    assert len(attnviz.lines(model, text, layers=0, query=3, heads=1).facts.keys) == 150


def test_options_that_cannot_be() -> None:
    attention = small()
    for named, said in (
        ({"overlay": True, "shape": "text"}, "overlay is for lines"),
        ({"by": "size"}, "by must be one of weight, lift"),
        ({"query": "dog"}, "'dog' is not among the queries"),
    ):
        with pytest.raises(SelectionError, match=said):
            attnviz.lines(attention, **named)


def test_standard_input_is_read_once(run) -> None:
    words = ("lines", "--file", "-", "--as", "text", "-l", "1", "-H", "1", "--query", "cat")
    status, out, err = run(*words, stdin=b"the cat sat")
    assert status == 0, err
    assert "cat" in out


def test_a_title_of_ones_own_stands_above_the_lines_in_a_terminal_too() -> None:
    out = io.StringIO()
    print_page(page(small()), Console(file=out, width=60, force_terminal=True), options=FigureOptions(title="Mine"))
    assert re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()[0] == "Mine"
