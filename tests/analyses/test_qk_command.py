"""`attnviz qk`: the pair that is asked for or stands out most, its numbers, the plane, files, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import REFERENCE
from helpers.sentences import TIRED as TEXT

import attnviz
from attnviz import steps as walk
from attnviz.measures.lift import strongest
from attnviz.measures.qk import neurons, plane
from attnviz.page.figure_options import FigureOptions
from attnviz.page.place import place


def listed(run, *words):
    status, out, err = run("qk", *words, "--json")
    assert status == 0
    return json.loads(out), err


def test_it_and_animal(run):
    """Layer 3, head 1 of all-MiniLM-L6-v2: weight 0.64, the highest lift of this pair in the layer."""
    found, err = listed(run, TEXT, "-m", "minilm", "-l", "3", "--pair-of", "it:animal")
    assert err == "head 1: the highest lift in layer 3 (weight 0.64, lift 0.55); --head chooses another\n"
    products = [row["value"] for row in found if row["part"] == "pair"]
    scores = {row["name"]: row["value"] for row in found if row["part"] == "score"}
    assert len(products) == 32
    assert sum(products) == pytest.approx(scores["raw"], abs=1e-4)
    assert scores["masked"] == pytest.approx(sum(products) / 32**0.5, abs=1e-4)
    assert [row["value"] for row in found if row["part"] == "weight"] == [pytest.approx(0.64, abs=5e-3)]
    assert all(row["value"] == pytest.approx(row["q"] * row["k"]) for row in found if row["part"] == "pair")


def test_nothing_named_is_the_highest_lift_of_the_last_layer(run):
    found, err = listed(run, "the cat sat on the mat")
    attention = attnviz.load("seeded").attend("the cat sat on the mat", layers=-1)
    best = strongest(attention)
    query, key = attention.query_tokens[best.query], attention.key_tokens[best.key]
    assert err == (
        f"head {best.head}, {query} → {key}: the highest lift in layer 1 (weight {best.weight:.2f}, "
        f"lift {best.lift:.2f}); --head, --query and --key-token choose another\n"
    )
    assert [row["value"] for row in found if row["part"] == "weight"] == [pytest.approx(best.weight, abs=1e-6)]


def test_a_head_without_a_pair(run):
    _, err = listed(run, "the cat sat on the mat", "-H", 3)
    best = strongest(attnviz.load("seeded").attend("the cat sat on the mat", layers=-1, heads=3))
    assert f"(weight {best.weight:.2f}, lift {best.lift:.2f}); --query and --key-token choose another" in err
    assert "head" not in err


def test_a_query_or_a_key_alone_leaves_the_other_to_the_highest_lift(run):
    text, attention = "the cat sat on the mat", attnviz.load("seeded").attend("the cat sat on the mat", layers=-1)
    for words, best, left in (
        (("--query", "sat"), strongest(attention, query=2), "--key-token"),
        (("--key-token", "cat"), strongest(attention, key=1), "--query"),
    ):
        found, err = listed(run, text, *words)
        pair = f"{attention.query_tokens[best.query]} → {attention.key_tokens[best.key]}"
        assert err.startswith(f"head {best.head}, {pair}: the highest lift in layer 1 (weight {best.weight:.2f}")
        assert err.endswith(f"; --head and {left} choose another\n")
        assert [row["value"] for row in found if row["part"] == "weight"] == [pytest.approx(best.weight, abs=1e-6)]


def test_query_and_key_token_are_pair_of_in_two(run):
    both = listed(run, "the cat sat", "-H", 0, "--query", "sat", "--key-token", "cat")
    assert both == listed(run, "the cat sat", "-H", 0, "--pair-of", "sat:cat")


def test_from_python_it_is_the_same(run):
    found, _ = listed(run, "the cat sat", "-l", 0, "-H", 2, "--pair-of", "sat:cat")
    model = attnviz.load("seeded")
    result = attnviz.qk(model, "the cat sat", layer=0, head=2, query="sat", key_token="cat")
    assert list(result.rows()) == found
    assert list(attnviz.qk(model, "the cat sat", layer=-2, head=2, pair_of="sat:cat").rows()) == found
    chosen = attnviz.qk(model, "the cat sat")
    assert chosen.messages[0].startswith(f"head {chosen.facts.heads[0]}, ")
    with pytest.raises(attnviz.AttnvizError, match="wanted a Model, whose pass is watched"):
        attnviz.qk(model.attend("the cat sat"))


def test_head_and_pair_named_need_no_choice(run):
    assert listed(run, "the cat sat", "-H", 0, "--pair-of", "sat:cat")[1] == ""


def test_the_plane_is_that_of_the_function(run):
    found, _ = listed(run, "the cat sat", "-H", 0, "--pair-of", "sat:cat")
    steps = walk(attnviz.load("seeded"), "the cat sat", layer=-1, head=0, query="sat")
    flat = plane(steps.used("q"), steps.used("k"))
    for side, places in (("query", flat.queries), ("key", flat.keys)):
        got = [(row["x"], row["y"]) for row in found if row["part"] == "plane" and row["side"] == side]
        np.testing.assert_allclose(got, places)
    assert {tuple(row) for row in found} == {tuple(found[0])}  # the same keys in every row


@pytest.mark.parametrize("name", ["llama", "t5", "gpt_oss", "deberta_v2", "falcon"])
def test_other_families(run, name):
    """Rotary, grouped, biased, relative, with a sink: whatever they add is in the list."""
    found, _ = listed(run, "-m", REFERENCE / name, "--ids", "5,6,7,8", "-H", 0, "--pair-of", "2:1")
    products = [row["value"] for row in found if row["part"] == "pair"]
    scores = [row for row in found if row["part"] == "score"]
    assert sum(products) == pytest.approx(scores[0]["value"], abs=1e-4)
    added = {row["name"] for row in scores if row["added"] is not None}
    assert added == {"t5": {"biased"}, "deberta_v2": {"relative"}}.get(name, set())


def test_a_long_text_is_looked_through_by_some_queries(run, monkeypatch):
    monkeypatch.setattr("attnviz.models.source.SAMPLE_WEIGHTS", 20 * 4 * 60)
    text = " ".join(f"w{i}" for i in range(60))
    _, err = listed(run, text)
    assert "the highest lift in layer 1, of 20 queries (weight" in err
    _, err = listed(run, text, "--pair-of", "w33:w7")
    assert "of 21 queries" in err


def test_plain_columns(run):
    status, out, _ = run("qk", "the cat sat", "-H", 0, "--pair-of", "sat:cat")
    pair, flat = out.split("\n\n")
    lines = [line.split() for line in pair.splitlines()]
    assert status == 0
    assert lines[0] == ["dimension", "q", "k", "q*k"]
    assert [line[0] for line in lines[1:]] == [*map(str, range(16)), "raw", "scaled", "masked", "weight"]
    assert sum(float(line[3]) for line in lines[1:17]) == pytest.approx(float(lines[17][3]), abs=0.02)
    assert [line.split()[0] for line in flat.splitlines()] == ["side"] + ["query"] * 3 + ["key"] * 3


def test_all_vectors_in_a_file(run):
    assert run("qk", "the cat sat", "-H", 0, "--pair-of", "sat:cat", "-o", "a.npz")[1] == "a.npz\n"
    found = np.load("a.npz")
    np.testing.assert_allclose(found["q"][2].astype(float) * found["k"][1], found["product"])
    assert found["pair"].tolist() == [2, 1]
    assert found["queries"].shape == found["keys"].shape == (3, 2)


@pytest.mark.parametrize("name", ["x.png", "x.svg", "x.pdf", "x.json"])
def test_files_that_it_writes(run, name):
    status, out, _ = run("qk", "the cat sat", "-o", name)
    assert (status, out) == (0, f"{name}\n")
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "json": b'[{"part"'}
    assert Path(name).read_bytes().startswith(starts[name[2:]])


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["the cat", "-l", "0-1"], 2, "--layer wants one index"),
        (["the cat", "--pair-of", "cat:the", "--query", "cat"], 2, "--pair-of names a query and a key: leave out"),
        (["the cat", "--pair-of", "cat"], 1, "a mark is QUERY:KEY"),
        (["the cat", "--pair-of", "dog:cat"], 1, "'dog' is not among the queries"),
        (["the cat", "-H", "9"], 1, "head 9 is not there"),
        (["the cat", "--mechanism", "additive"], 1, "additive has no steps to walk through"),
    ],
)
def test_how_it_ends(run, words, status, said):
    got, out, err = run("qk", *words)
    assert (got, out) == (status, "")
    assert said in err


# The picture


def drawn(text="the cat sat on a mat", **how):
    result = attnviz.qk(attnviz.load("seeded"), text, head=0, pair_of="#2:#1")
    return place(result.page(), FigureOptions(**how))


def test_the_picture_has_both_clouds_and_every_name():
    found = drawn()
    assert found.title == "Queries and keys · seeded · layer 1 · head 0"
    assert len(found.dots) == 6 + 6 + 2
    names = [label.text for label in found.labels]
    for word in ("the", "cat", "sat", "on", "a", "mat"):
        assert names.count(word) == 2


def test_bars_have_the_size_of_the_products():
    steps = walk(attnviz.load("seeded"), "the cat sat on a mat", layer=-1, head=0, query=2)
    pair = neurons(steps, 1)
    found = drawn()
    bars = [fill.box.height for fill in found.fills]
    np.testing.assert_allclose(np.array(bars) / max(bars), np.abs(pair.product) / np.abs(pair.product).max(), atol=1e-9)


def test_lines_are_as_thick_as_the_weights():
    steps = walk(attnviz.load("seeded"), "the cat sat on a mat", layer=-1, head=0, query=2)
    lines = [line for line in drawn().lines if line.share == 0.35][:-1]  # the last is the legend's
    expected = [0.4 + 4 * weight for weight in steps.weights if weight >= 0.03]
    assert sorted(line.width for line in lines) == pytest.approx(sorted(expected))


def test_the_way_to_the_score_in_words():
    model = attnviz.load(REFERENCE / "t5")
    result = attnviz.qk(model, ids=[5, 6, 7, 8], stream="encoder", head=0, pair_of="#2:#1")
    said = [text for text, _ in result.page().parts[1].steps]
    assert said[0] == "q · k"
    assert said[1] == "not scaled"
    assert said[2].startswith("+ bias by distance ")
    assert said[2].endswith("= score before the softmax")
    hidden = attnviz.qk(attnviz.load("seeded", causal=True), "a b c", head=0, pair_of="a:c")
    assert ("behind the mask", "−∞") in hidden.page().parts[1].steps


@pytest.mark.parametrize("width", [None, 3.25, 12.0])
def test_everything_stands_on_the_page(width):
    found = drawn(width=width)
    for box in [panel.box for panel in found.panels] + [fill.box for fill in found.fills]:
        assert 0 <= box.x <= box.x + box.width <= found.width
        assert box.y + box.height <= found.height


def test_a_pair_of_tokens_is_not_taken_for_a_second_text(run):
    status, out, err = run("qk", TEXT, "-m", "tiny", "--pair", "it:animal")
    assert (status, out) == (2, "")
    assert err == (
        "error: --pair it:animal would be a second text\nhint: for a query and a key write --pair-of it:animal\n"
    )
    assert run("qk", TEXT, "-m", "tiny", "--pair", "It slept", "--json")[0] == 0
