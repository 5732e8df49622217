"""`attnviz similar`: numbers, files, the picture, how it ends; rows of long texts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.sentences import TIRED as TEXT

import attnviz
from attnviz.axis import Tokens
from attnviz.engine.collectors import Rows
from attnviz.measures.similar import similar
from attnviz.models.source import affordable_rows, attend_rows
from attnviz.page.distances import limit
from attnviz.page.figure_options import FigureOptions
from attnviz.page.layout import ordinal
from attnviz.page.place import place
from attnviz.page.scale import number
from attnviz.select import Chosen, evenly


def test_every_head_with_its_nearest(run):
    status, out, err = run("similar", TEXT, "-m", "minilm", "--json", "-q")
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert sorted((row["layer"], row["head"]) for row in found) == [(i, j) for i in range(6) for j in range(12)]
    assert [row["place"] for row in found] == list(range(72))
    kin = {(row["layer"], row["head"]): row for row in found}
    # Layer 0, head 2 looks at the token before: nothing else in this model does.
    assert kin[0, 2]["distance"] == max(row["distance"] for row in found)
    by_hand = similar(attnviz.load("minilm").attend(TEXT))
    for row in found:
        head = by_hand.names.index((row["layer"], row["head"]))
        assert row["distance"] == pytest.approx(float(np.sort(by_hand.distances[head])[1]))
        assert (row["x"], row["y"]) == pytest.approx(tuple(by_hand.places[head]))


def test_the_numbers_are_the_same_twice(run):
    first, second = (run("similar", "the cat sat on the mat", "--json")[1] for _ in range(2))
    assert first == second


def test_plain_columns(run):
    status, out, _ = run("similar", "the cat sat", "-l", 1, "-H", "0,2,3")
    lines = [line.split() for line in out.splitlines()]
    assert status == 0
    assert lines[0] == ["layer", "head", "nearest", "distance", "x", "y"]
    assert sorted(line[1] for line in lines[1:]) == ["0", "2", "3"]


def test_from_a_file(run):
    attnviz.load("seeded").attend("the cat sat").save("a.npz")
    assert run("similar", "--from", "a.npz", "--json")[1] == run("similar", "the cat sat", "--json")[1]


def test_words_and_special_tokens(run):
    words = ["--words", "--no-special", "--json"]
    found = json.loads(run("similar", "unbelievable cats sat", "-m", "minilm", "-l", "0", *words)[1])
    attention = attnviz.load("minilm").attend("unbelievable cats sat", layers=0).words().without_special()
    assert min(row["distance"] for row in found) == pytest.approx(
        float(np.min(similar(attention).distances + np.eye(12)))
    )


def test_all_distances_in_a_file(run):
    assert run("similar", "the cat sat", "-o", "a.npz")[1] == "a.npz\n"
    found = np.load("a.npz")
    assert found["distances"].shape == (8, 8)
    assert found["joins"].shape == (7, 3)
    assert found["names"].tolist() == [[i, j] for i in range(2) for j in range(4)]
    assert json.loads(str(found["meta"]))["model"] == "seeded"


@pytest.mark.parametrize("name", ["x.png", "x.svg", "x.pdf", "x.csv", "x.json"])
def test_files_that_it_writes(run, name):
    status, out, _ = run("similar", "the cat sat", "-o", name)
    assert (status, out) == (0, f"{name}\n")
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "csv": b"layer,head,place", "json": b'[{"layer"'}
    assert Path(name).read_bytes().startswith(starts[name[2:]])


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["the cat", "-l", "0", "-H", "1"], 1, "one head has nothing to be compared with"),
        (["the cat", "--json", "-o", "x.png"], 2, "--json prints to standard output"),
        (["the cat", "-l", "7"], 1, "layer 7 is not there"),
        (["the cat", "-o", "x.gif"], 2, "ends in '.gif'"),
        ([], 2, "wanted a text"),
    ],
)
def test_how_it_ends(run, words, status, said):
    got, out, err = run("similar", *words)
    assert (got, out) == (status, "")
    assert said in err


# Rows of long texts


def test_places_are_spread_evenly():
    tokens = Tokens.plain([str(i) for i in range(11)])
    assert evenly(tokens, 11) == list(range(11))
    assert evenly(tokens, 3) == [0, 5, 10]
    assert evenly(tokens, 6) == [0, 2, 4, 6, 8, 10]


def test_words_stay_whole_and_special_tokens_out():
    pieces = Tokens(
        text=("[CLS]", "un", "##believ", "##able", "cat", "[SEP]"),
        ids=(0,) * 6,
        words=(-1, 0, 0, 0, 1, -1),
        special=(True, False, False, False, False, True),
        segments=(0,) * 6,
    )
    assert evenly(pieces, 4, words=True, special=False) == list(range(6))  # whole: --no-special drops them later
    assert evenly(pieces, 3, words=True, special=False) == [1, 2, 3]
    assert evenly(pieces, 2, special=False) == [1, 4]
    assert evenly(pieces, 3, words=True) == [0, 5]


@pytest.mark.parametrize("causal", [False, True])
def test_some_rows_are_those_of_the_whole_map(causal):
    """In tiles too: 700 tokens are more than one."""
    model = attnviz.load("seeded", causal=causal)
    text = " ".join(f"w{i % 37}" for i in range(700))
    rows = [0, 3, 350, 351, 699]
    found = attend_rows(model, model.prepare(text), Chosen([1], [3, 0]), rows)
    whole = model.attend(text, layers=1, heads=[3, 0])
    np.testing.assert_array_equal(found.weights, whole.weights[:, :, rows])
    np.testing.assert_array_equal(found.mask[0], whole.mask[0][rows])
    assert found.query_tokens == tuple(whole.query_tokens[i] for i in rows)
    assert found.reduced == "5 of 700 queries, evenly spread"


def test_room_for_rows():
    assert affordable_rows(72, 15) > 15
    assert affordable_rows(144, 512) == (1 << 22) // (144 * 512)
    assert affordable_rows(270, 8192) == 16
    assert affordable_rows(144, 512, times=8) == 8 * (1 << 22) // (144 * 512)


def test_a_long_text_is_compared_by_some_rows(run, monkeypatch):
    monkeypatch.setattr("attnviz.models.source.SAMPLE_WEIGHTS", 30 * 8 * 90)
    text = " ".join(f"w{i % 23}" for i in range(90))
    status, out, err = run("similar", text, "--json")
    assert (status, err) == (0, "a long text: 30 of 90 queries, evenly spread are compared\n")
    whole = similar(attnviz.load("seeded").attend(text))
    for row in json.loads(out):
        head = whole.names.index((row["layer"], row["head"]))
        assert row["distance"] == pytest.approx(float(np.sort(whole.distances[head])[1]), abs=0.06)


def test_rows_keeps_only_what_it_is_asked_for():
    keep = Rows([2], [1], [0], 4)
    assert keep.wants(2, 1)
    assert not keep.wants(2, 0)
    assert not keep.wants(1, 1)


# The picture


def drawn(text="the cat sat on the mat", **how):
    return figure(attnviz.load("seeded"), text, **how)


def figure(*subject, **how):
    return place(attnviz.similar(*subject).page(), FigureOptions(**how))


def test_the_picture_has_every_head_once():
    found = drawn()
    assert found.title == "Heads that attend alike · seeded · layers 0, 1 · heads 0–3"
    heads = [f"{i}.{j}" for i in range(2) for j in range(4)]
    for role in ("row", "column", "text"):
        assert sorted(label.text for label in found.labels if label.role == role and label.text in heads) == heads
    assert len({(dot.x, dot.y) for dot in found.dots}) == 8 + 2  # and the legend's


def test_the_dendrogram_has_three_lines_a_join():
    found = drawn()
    upright = [line for line in found.lines if line.tone == "soft" and line.x0 == line.x1 and line.width == 0.6]
    assert len(upright) == 2 * 7
    assert len({line.x0 for line in upright}) >= 8


def test_the_distances_are_in_the_order_of_the_dendrogram():
    attention = attnviz.load("seeded").attend("the cat sat on the mat")
    found = similar(attention)
    panel = figure(attention).panels[0]
    order = list(found.order)
    np.testing.assert_allclose(panel.values, found.distances[np.ix_(order, order)], atol=1e-6)
    assert panel.row_labels == tuple(f"{found.names[i][0]}.{found.names[i][1]}" for i in order)


def heads_apart(n, far=()):
    """n heads of one layer, alike except the heads in `far`."""
    weights = np.full((1, n, 4, 4), 0.25, np.float32)
    for head in range(n):
        weights[0, head, :, 0] += 0.002 * head
    for head in far:
        weights[0, head] = np.eye(4)
    weights /= weights.sum(-1, keepdims=True)
    tokens = Tokens.plain("abcd")
    return attnviz.Attention(weights, None, tokens, tokens, (0,), tuple(range(n)), meta={})


def test_two_heads_are_a_small_board_of_their_distance():
    result = attnviz.similar(heads_apart(2, far=[1]))
    figure = place(result.page(), FigureOptions())
    (panel,) = figure.panels
    np.testing.assert_allclose(panel.values, result.similarity.distances, atol=1e-6)
    assert panel.row_labels == panel.col_labels == ("0.0", "0.1")
    assert not any("plane" in label.text for label in figure.labels)


def test_dark_is_alike_and_the_bar_says_so():
    """A head is darkest beside itself, in grey too; the bar's numbers fall from light to dark."""
    found = drawn()
    panel = found.panels[0]
    lightness = patch_of(found, panel).astype(float).mean(-1)
    nearness = -panel.values
    order = np.argsort(nearness.ravel())
    assert lightness.ravel()[order[0]] > 200 and lightness.diagonal().max() < 70
    assert (np.diff(lightness.ravel()[order]) <= 1e-9).all()
    assert any(label.text == "distance (dark: alike)" for label in found.labels if label.role == "bar")


def patch_of(found, panel):
    from attnviz.render.scene import patches

    return next(patch.colours for patch in patches(found) if patch.box == panel.box)


def test_one_odd_head_does_not_set_the_scale():
    attention = heads_apart(30, far=[7])
    distances = similar(attention).distances
    high = limit(distances)
    assert high < distances[7].max() / 2
    picture = figure(attention)
    assert any(label.text == f"≥{number(high)}" for label in picture.labels if label.role == "tick")
    beyond = sum(distances[i, j] > high for i in range(30) for j in range(i))  # each pair once
    assert 29 <= beyond < 50  # the odd head is that far from all other heads
    assert f"{beyond} distances above {number(high)} drawn as {number(high)}" in picture.notes
    assert not any("drawn as" in note for note in figure(heads_apart(4)).notes)


@pytest.mark.parametrize(("n", "every"), [(72, 1), (90, 1), (144, 2), (270, 4)])
def test_every_head_is_named_or_it_is_said(n, every):
    found = figure(heads_apart(n))
    for role in ("row", "column"):
        named = [label for label in found.labels if label.role == role]
        assert len(named) == -(-n // every)
        places = sorted(label.y if role == "row" else label.x for label in named)
        assert min(np.diff(places)) > 5.0  # points: none touches another
    said = [note for note in found.notes if "is named beside the map" in note]
    assert said == ([f"every {ordinal(every)} head is named beside the map"] if every > 1 else [])


@pytest.mark.parametrize("width", [None, 3.25, 12.0])
def test_everything_stands_on_the_page(width):
    found = drawn(width=width)
    for panel in found.panels:
        assert 0 <= panel.box.x <= panel.box.x + panel.box.width <= found.width
        assert panel.box.y + panel.box.height <= found.height
    for dot in found.dots:
        assert 0 < dot.x < found.width
        assert 0 < dot.y < found.height


def test_from_python(run):
    attention = attnviz.load("seeded").attend("the cat sat on the mat")
    result = attnviz.similar(attention, layers=1)
    assert result.rows() == json.loads(run("similar", "the cat sat on the mat", "-l", 1, "--json")[1])
    assert result.rows() == attnviz.similar(attnviz.load("seeded"), "the cat sat on the mat", layers=1).rows()
    assert result.save("heads.svg") == "heads.svg"
    assert "Heads that attend alike" in Path("heads.svg").read_text("utf-8")
