"""Named spans: brackets over their keys and beside their queries, labels that touch nothing, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.cli import main
from attnviz.errors import SelectionError
from attnviz.page.heatmap import heatmap
from attnviz.page.label_bounds import bounds
from attnviz.page.spans import parse_span

SPANS = [(1, 2, "Subject"), (6, 8, "place"), (9, 11, "the reason for it"), (12, 17, "State")]


def attention(n_layers=1, n_heads=1, n=19, **more):
    weights = np.random.default_rng(0).dirichlet(np.full(n, 0.2), (n_layers, n_heads, n)).astype(np.float32)
    tokens = Tokens.plain([f"word{i}" for i in range(n)])
    base = {"layers": tuple(range(n_layers)), "heads": tuple(range(n_heads)), "model": "m"}
    return Attention(weights, None, tokens, tokens, **{**base, **more})


def spans_of(figure, rotation):
    return [label for label in figure.labels if label.role == "span" and label.rotation == rotation]


def overlapping(figure):
    places = [(label.text, bounds(label, figure.face)) for label in figure.labels]
    return [
        (text, neighbour)
        for (text, a), (neighbour, b) in combinations(places, 2)
        if min(a[2], b[2]) - max(a[0], b[0]) > 0.3 and min(a[3], b[3]) - max(a[1], b[1]) > 0.3
    ]


@pytest.mark.parametrize("spans", [SPANS[:2], SPANS, [(i, i, f"span {i}") for i in range(19)]])
@pytest.mark.parametrize("width", [None, 3.25, 6.5])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 3)])
def test_no_letters_overlap(spans, width, shape):
    figure = heatmap(attention(*shape), spans=spans, width=width)
    assert overlapping(figure) == []
    for label in figure.labels:
        left, top, right, bottom = bounds(label, figure.face)
        assert left > -0.5 and right < figure.width + 0.5 and top > -0.5 and bottom < figure.height + 0.5, label.text


def test_brackets_reach_from_the_first_to_the_last_of_their_tokens():
    figure = heatmap(attention(), spans=SPANS)
    box, cell = figure.panels[0].box, figure.panels[0].box.width / 19
    over = [line for line in figure.lines if line.y0 == line.y1 and line.y0 < box.y and line.x0 >= box.x]
    wanted = [(box.x + first * cell, box.x + (last + 1) * cell) for first, last, _ in SPANS]
    assert [(line.x0, line.x1) for line in over] == [pytest.approx(ends, abs=1.01) for ends in wanted]
    beside = [line for line in figure.lines if line.x0 == line.x1 and line.x0 < box.x]
    wanted = [(box.y + first * cell, box.y + (last + 1) * cell) for first, last, _ in SPANS]
    assert [(line.y0, line.y1) for line in beside] == [pytest.approx(ends, abs=1.01) for ends in wanted]
    ticks = [line for line in figure.lines if line.y0 != line.y1 and line.x0 == line.x1 and line.y1 < box.y]
    assert len(ticks) == 2 * len(SPANS)


def test_every_column_of_panels_has_them_over_its_highest_and_every_row_beside_its_first():
    figure = heatmap(attention(2, 3), spans=SPANS[:2])
    assert [label.text for label in spans_of(figure, 0)] == ["Subject", "place"] * 3
    assert [label.text for label in spans_of(figure, 90)] == ["Subject", "place"] * 2


def test_a_label_without_room_is_a_number_that_a_note_explains():
    figure = heatmap(attention(1, 4), spans=SPANS, width=3.25)
    texts = {label.text for label in figure.labels if label.role == "span"}
    assert "3" in texts and "the reason for it" not in texts
    assert "3 the reason for it" in next(note for note in figure.notes if note.startswith("spans: "))
    whole = heatmap(attention(), spans=[(1, 9, "Subject")])
    assert not any(note.startswith("spans") for note in whole.notes)


def test_without_spans_nothing_moves():
    plain, empty = heatmap(attention()), heatmap(attention(), spans=[])
    assert (plain.width, plain.height, plain.labels, plain.lines) == (
        empty.width, empty.height, empty.labels, empty.lines
    )  # fmt: skip


def test_queries_of_another_text_and_single_queries_have_none():
    cross = replace(attention(), queries=Tokens.plain([f"wort{i}" for i in range(19)]), stream="cross")
    for figure in (heatmap(cross, spans=SPANS), heatmap(attention(1, 3), spans=SPANS, query=4)):
        assert len(spans_of(figure, 0)) == 4 and spans_of(figure, 90) == []


def test_spans_of_a_pooled_text_count_its_tokens():
    pooled = attention(n=10, cell=4)
    figure = heatmap(pooled, spans=[(8, 39, "rest")])
    box = figure.panels[0].box
    line = next(line for line in figure.lines if line.y0 == line.y1 and line.y0 < box.y)
    assert (line.x0, line.x1) == pytest.approx((box.x + 0.2 * box.width, box.x + box.width), abs=1.01)


@pytest.mark.parametrize(
    ("spans", "says"),
    [
        ([(15, 19, "end")], "span 15-19:end lies outside of the text, whose tokens are 0 to 18"),
        ([(-1, 2, "start")], "outside"),
        ([(3, 2, "back")], "outside"),
        ([(5, 8, "b"), (0, 5, "a")], "spans 0-5:a and 5-8:b overlap"),
    ],
)
def test_what_no_text_holds_is_refused_in_one_line(spans, says):
    with pytest.raises(SelectionError, match=says):
        heatmap(attention(), spans=spans)


@pytest.mark.parametrize(
    ("text", "span"),
    [("0-12:Source", (0, 12, "Source")), ("3:it", (3, 3, "it")), (" 4-5 : a: b ", (4, 5, "a: b"))],
)
def test_a_span_is_written_as_range_and_label(text, span):
    assert parse_span(text) == span


@pytest.mark.parametrize("text", ["Source", "0-12", "0-12:", "a-b:c", "9-3:back", "0:  ", "-1-3:x"])
def test_what_is_no_span_says_how_it_is_written(text):
    with pytest.raises(SelectionError, match=r"as in 0-12:Source|the first lies after the last"):
        parse_span(text)


def test_the_command_draws_them_and_counts_the_tokens_before_any_are_cut(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["heatmap", "the cat sat on the mat", "-m", "seeded", "-l", "0", "-H", "0", "-o", "a.svg"]
    assert main([*words, "--span", "1-2:who & what", "--span", "4-5:where", "--tokens", "2-5"]) == 0
    assert Path("a.svg").read_text().count(">who &amp; what<") == 2
    capsys.readouterr()
    for more, status, says in (
        (["--span", "9-12:far"], 1, "outside of the text"),
        (["--span", "0-1:a", "--tokens", "2-5"], 2, "outside of --tokens 2-5"),
        (["--span", "cat"], 2, "--span: a span is FIRST-LAST:LABEL"),
        (["--span", "0-1:a", "--rows", "0-2"], 2, "leave out --rows and --cols"),
    ):
        assert main([*words, *more]) == status
        err = capsys.readouterr().err
        assert says in err and len(err.splitlines()) <= 2
