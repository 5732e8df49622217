"""Statistics of heads: known answers, loops from the formulas, and what `attnviz stats` prints and draws."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from helpers.analysis_cases import made, random_map
from helpers.sentences import TIRED as TEXT
from hypothesis import given
from hypothesis import strategies as st
from oracles.slow_statistics import slow_statistics

import attnviz
from attnviz.errors import InputError, SelectionError
from attnviz.measures.statistics import names
from attnviz.models.source import AttentionSource
from attnviz.page.figure_options import FigureOptions
from attnviz.page.parts import Board, Boards, Depth, Page
from attnviz.page.place import place

STATISTICS = names()


def statistics(source):
    return attnviz.stats(source).values


def figure(values, layers, heads, **page):
    """A board of these numbers, and below it the numbers against depth."""
    rows, cols = ([str(index) for index in axis] for axis in (layers, heads))
    parts = (Boards((Board(values, "entropy (nats)"),), rows, cols), Depth(values, rows, "entropy (nats)"))
    return place(Page(parts=parts, **page), FigureOptions())


def test_known_answers():
    n = 4
    previous = np.eye(n, k=-1)
    previous[0, 0] = 1.0
    uniform, sink = np.full((n, n), 1 / n), np.zeros((n, n))
    sink[:, 3] = 1.0
    found = statistics(made([previous, uniform, sink], special=[3]))
    assert list(found) == list(STATISTICS)
    first = {name: values[0].tolist() for name, values in found.items()}
    assert first["previous"] == [1.0, 0.25, 0.0]
    assert first["entropy"] == pytest.approx([0, math.log(4), 0])
    assert first["span"] == pytest.approx([1, 4, 1])
    assert first["distance"] == pytest.approx([0.75, 1.25, 1.5])
    assert first["confidence"] == [1.0, 0.25, 1.0]
    assert first["next"] == pytest.approx([0, 0.25, 1 / 3])  # of three rows that have one
    assert first["self"] == pytest.approx([0.25, 0.25, 0.25])
    assert first["first"] == pytest.approx([0.5, 0.25, 0])
    assert first["special"] == pytest.approx([0, 0.25, 1])


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.booleans())
def test_is_the_slow_loop(seed, n, causal):
    random = np.random.default_rng(seed)
    special = sorted({0, int(random.integers(n))})
    one = made([random_map(random, n, causal), random_map(random, n, causal)], causal=causal, special=special)
    found = statistics(one)
    for head in range(2):
        wanted = slow_statistics(one.weights[0, head], one.key_special)
        for name in STATISTICS:
            assert found[name][0, head] == pytest.approx(wanted[name], abs=2e-5), name


@pytest.mark.parametrize("causal", [False, True])
def test_of_a_model_they_are_told_from_tiles(causal):
    model = attnviz.load("seeded", causal=causal, n_layers=3)
    text = " ".join(f"w{i % 37}" for i in range(700))  # several tiles
    found = statistics(AttentionSource.of(model, model.prepare(text), layers=[2, 0], heads=[3, 1]))
    held = statistics(model.attend(text).select(layers=[2, 0], heads=[3, 1]))
    for name in STATISTICS:
        assert found[name].shape == (2, 2)
        assert found[name] == pytest.approx(held[name], rel=1e-4), name


def test_without_special_tokens(minilm):
    model = attnviz.load(minilm)
    found = statistics(AttentionSource.of(model, model.prepare(TEXT), special=False))
    held = model.attend(TEXT).without_special()
    assert len(held.queries) == 13
    for head in (0, 7):
        wanted = slow_statistics(held.weights[2, head], held.key_special)
        assert {name: found[name][2, head] for name in STATISTICS} == pytest.approx(wanted, abs=1e-5)
    assert not found["special"].any()


def test_what_means_nothing_is_no_number():
    found = statistics(attnviz.load("seeded").attend("word"))
    assert np.isnan(found["previous"]).all() and np.isnan(found["next"]).all() and (found["self"] == 1).all()
    cross = attnviz.load("seeded", n_layers=1).with_mechanism("cross").attend("the cat sat", "a dog", stream="cross")
    found = statistics(cross)
    nothing = {name for name, values in found.items() if np.isnan(values).all()}
    assert nothing == {"distance", "previous", "next", "self"}
    pooled = attnviz.load("seeded").attend(TEXT, cells=3)
    with pytest.raises(InputError, match="cells of pooled attention are no tokens"):
        statistics(pooled)


def test_layers_above_the_last_one_are_not_computed():
    model, seen = attnviz.load("seeded", n_layers=4), []

    class Watch:
        needs: frozenset[str] = frozenset()

        def wants(self, layer, head):
            return True

        def take(self, tile):
            seen.append(tile.layer)

    AttentionSource.of(model, model.prepare("a b c"), layers=[1]).observe([Watch()])
    assert set(seen) == {1}


def test_json(run):
    status, out, err = run("stats", TEXT, "--json")
    rows = json.loads(out)
    assert (status, err) == (0, "")
    assert [list(row) for row in rows] == [["layer", "head", *STATISTICS]] * 8
    assert [(row["layer"], row["head"]) for row in rows] == [(i, j) for i in range(2) for j in range(4)]
    found = statistics(attnviz.load("seeded").attend(TEXT))
    for name in STATISTICS:
        assert [row[name] for row in rows] == pytest.approx(found[name].reshape(-1).tolist(), abs=1e-6)


def test_by_a_number_the_largest_come_first(run):
    status, out, _ = run("stats", TEXT, "-m", "minilm", "--by", "special", "--top", "2", "--no-special")
    assert status == 0  # without special tokens they all have 0: the order stays that of layers and heads
    assert [line.split()[:2] for line in out.splitlines()] == [["layer", "head"], ["0", "0"], ["0", "1"]]
    status, out, _ = run("stats", TEXT, "-m", "minilm", "--by", "special", "--top", "2")
    header, *lines = [line.split() for line in out.splitlines()]
    assert header == ["layer", "head", *STATISTICS]
    assert lines == [
        ["2", "7", "0.70", "2.10", "6.90", "0.82", "0.06", "0.01", "0.08", "0.81", "0.92"],
        ["4", "5", "0.53", "1.74", "6.77", "0.90", "0.07", "0.01", "0.08", "0.90", "0.92"],
    ]


def test_of_a_file_and_of_words(run, tmp_path):
    found = attnviz.load("minilm").attend(TEXT, layers=[3])
    found.save(tmp_path / "held.npz")
    _, out, _ = run("stats", "--from", "held.npz", "--words", "--json", "-H", "1")
    (row,) = json.loads(out)
    words = found.select(heads=[1]).words()
    assert (row["layer"], row["head"]) == (3, 1) and len(words.queries) < len(found.queries)
    assert {name: row[name] for name in STATISTICS} == pytest.approx(
        slow_statistics(words.weights[0, 0], words.key_special), abs=1e-5
    )
    assert json.loads(run("stats", TEXT, "-m", "minilm", "-l", "3", "-H", "1", "--words", "--json")[1]) == [
        pytest.approx(row, abs=1e-6)
    ]
    found.mean("heads").save(tmp_path / "mean.npz")
    _, out, _ = run("stats", "--from", "mean.npz", "--json")
    assert [(row["layer"], row["head"]) for row in json.loads(out)] == [(3, None)]
    np.save(tmp_path / "foreign.npy", np.full((3, 3), 1 / 3, np.float32))
    _, out, _ = run("stats", "--from", "foreign.npy", "--json", "-q")
    assert json.loads(out)[0]["span"] == pytest.approx(3.0)


def test_the_picture_is_a_board_and_a_plot_against_depth():
    values = np.array([[0.0, 2.0], [1.0, 1.0], [3.0, np.nan]])
    found = figure(values, layers=(0, 1, 2), heads=(4, 5), title="A model")
    assert found.panels[0].cell_text == (("0.0", "2.0"), ("1.0", "1.0"), ("3.0", ""))
    assert len(found.dots) == 5
    box = found.panels[0].box
    assert all(dot.y > box.y + box.height for dot in found.dots)
    heights = [dot.y for dot in found.dots]  # 0 lies lowest, 3 highest, in equal steps
    steps = [(heights[0] - y) / (heights[0] - heights[4]) * 3 for y in heights]
    assert steps == pytest.approx([0, 2, 1, 1, 3])
    means = [line for line in found.lines if line.tone == "curve0"]
    assert [line.y0 for line in means] == pytest.approx([heights[2], heights[2]])
    assert means[1].y1 == pytest.approx(heights[4])
    words = [label.text for label in found.labels]
    assert "entropy (nats) against depth" in words and "layer (dot: a head, line: mean)" in words
    with pytest.raises(SelectionError, match="one of"):
        attnviz.stats(made([np.eye(3)]), by="spam")


def test_a_file_of_each_kind(run, tmp_path):
    for name, start in (
        ("a.png", b"\x89PNG"),
        ("a.svg", b"<?xml"),
        ("a.json", b"[{"),
        ("a.csv", b"layer,head,entropy"),
    ):
        status, out, err = run("stats", "a b c", "-o", name)
        assert (status, out, err) == (0, f"{name}\n", "")
        assert (tmp_path / name).read_bytes().startswith(start)
    assert b"command" in (tmp_path / "a.png").read_bytes()


def test_errors(run):
    for words, status, said in (
        (("a", "--by", "spam"), 2, "--by"),
        (("a", "-l", "7"), 1, "layer 7 is not there"),
        (("a", "-o", "x.txt"), 2, "ends in '.txt'"),
        (("a", "--json", "-o", "x.png"), 2, "--json prints to standard output"),
        ((), 2, "wanted a text"),
    ):
        found = run("stats", *words)
        assert found[0] == status and found[1] == "" and said in found[2], found
