"""`attnviz generate`: what is printed, what is written, how it ends."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from helpers import command_line
from PIL import Image

import attnviz
from attnviz import generate

run = command_line.run  # a fixture

PROMPT = "the cat saw the dog and"


def test_the_new_text_and_its_heads(run) -> None:
    status, out, err = run("generate", PROMPT, "--max-new", "8")
    found = generate(attnviz.load("seeded", causal=True), PROMPT, max_new=8)
    lines = out.splitlines()
    assert status == 0
    assert err == "seeded: a model that continues a text sees only what came before (--causal)\n"
    assert lines[0] == found.text
    assert lines[2].split() == ["layer", "head", "retrieval", "lookback"]
    shown = [line.split() for line in lines[3:]]
    assert {(int(row[0]), int(row[1])) for row in shown} == {(i, j) for i in range(2) for j in range(4)}
    for layer, head, share, back in shown:
        assert share == f"{found.retrieval[int(layer), int(head)]:.2f}"
        assert back == f"{found.lookback[int(layer), int(head)]:.2f}"
    assert [row[2] for row in shown] == sorted((row[2] for row in shown), reverse=True)


def test_every_head_as_json(run) -> None:
    rows = json.loads(run("generate", PROMPT, "--json", "-q", "--causal")[1])
    assert [set(row) for row in rows] == [{"layer", "head", "retrieval", "lookback"}] * 8
    one = json.loads(run("generate", "cat", "--max-new", "1", "--json", "-q", "-l", "1", "-H", "2")[1])
    assert one == [{"layer": 1, "head": 2, "retrieval": 1.0, "lookback": None}]


def test_every_new_token(run) -> None:
    rows = json.loads(run("generate", PROMPT, "--by", "token", "--json", "-q", "--max-new", "5")[1])
    found = generate(attnviz.load("seeded", causal=True), PROMPT, max_new=5)
    assert [row["token"] for row in rows] == list(found.new.text)
    assert [row["probability"] for row in rows] == list(found.probabilities)
    for i, row in enumerate(rows):
        weights = found.attention.weights[row["layer"], row["head"], :, row["key"]]
        allowed = found.attention.mask[0, :, row["key"]]
        others = [w for j, w in enumerate(weights) if j != i and allowed[j]]
        assert row["weight"] == pytest.approx(weights[i])
        assert row["lift"] == pytest.approx(weights[i] - np.mean(others), abs=1e-6)
        assert row["key_token"] == found.attention.key_tokens[row["key"]]


def test_the_text_alone(run) -> None:
    found = generate(attnviz.load("seeded", causal=True), PROMPT, max_new=3)
    assert run("generate", PROMPT, "--by", "text", "-q", "--max-new", "3")[:2] == (0, f"{found.text}\n")


def test_files(run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("generate", PROMPT, "-o", "new.npz", "-q", "--max-new", "4")[:2] == (0, "new.npz\n")
    kept = attnviz.open("new.npz")
    found = generate(attnviz.load("seeded", causal=True), PROMPT, max_new=4)
    assert np.array_equal(kept.weights, found.attention.weights)
    assert (kept.query_tokens, kept.key_tokens) == (found.new.text, found.attention.key_tokens)
    assert run("heatmap", "--from", "new.npz", "-l", "0", "-o", "new.png")[0] == 0
    run("generate", PROMPT, "-o", "heads.csv", "-q")
    assert next(csv.reader(Path("heads.csv").read_text().splitlines())) == ["layer", "head", "retrieval", "lookback"]
    assert run("generate", PROMPT, "-l", "1", "-o", "map.svg", "-q", "--max-new", "4")[0] == 0
    shown = [line for line in re.sub(r"<[^>]+>", "\n", Path("map.svg").read_text()).splitlines() if line.strip()]
    assert {"seeded · layer 1 · 4 heads", "head 3"} <= set(shown)
    assert any("from which the token was chosen" in line for line in shown)
    assert run("generate", PROMPT, "--by", "head", "-o", "board.svg", "-q")[0] == 0
    shown = re.sub(r"<[^>]+>", "\n", Path("board.svg").read_text())
    assert "share fetched" in shown and "share of prompt" in shown and "…" not in shown
    assert "retrieval" in shown and "lookback" in shown and "random weights, seed 0" in shown


def test_a_picture_shows_the_leading_heads_unless_some_are_chosen(run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    size = ("--n-layers", "6", "--n-heads", "5", "--d-model", "40", "-q", "--max-new", "5", "--causal")

    def shown(*words):
        assert run("generate", PROMPT, *size, *words, "-o", "a.svg")[0] == 0
        text = re.sub(r"<[^>]+>", "\n", Path("a.svg").read_text())
        return re.findall(r"^\d\.\d$", text, re.MULTILINE), " ".join(text.split())

    rows = json.loads(run("generate", PROMPT, *size, "--json")[1])
    names = [f"{row['layer']}.{row['head']}" for row in rows]
    assert rows[11]["retrieval"] > 0
    heads, text = shown()
    assert heads[:12] == names[:12]  # what follows are the colour bar's numbers
    assert "12 of 30 heads, the ones with the highest retrieval; -l all draws all" in text
    heads, text = shown("--top", "3")
    assert heads[:3] == names[:3] and "3 of 30 heads" in text
    for words in (("-l", "all"), ("-l", "2"), ("-H", "1")):
        assert "of 30 heads" not in shown(*words)[1]
    run("generate", PROMPT, *size, "-o", "a.npz")
    assert attnviz.open("a.npz").weights.shape[:2] == (6, 5)  # the numbers cover all heads


def test_heads_that_fetched_nothing_are_not_drawn_beside_one_that_did(run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    size = ("--n-layers", "6", "--n-heads", "5", "--d-model", "40", "-q", "--max-new", "1", "--causal")
    rows = json.loads(run("generate", PROMPT, *size, "--json")[1])
    fetched = sum((row["retrieval"] or 0) > 0 for row in rows)
    assert 0 < fetched < 12
    run("generate", PROMPT, *size, "-o", "a.svg")
    assert f"{fetched} of 30 heads" in " ".join(re.sub(r"<[^>]+>", "\n", Path("a.svg").read_text()).split())


def test_pictures_are_the_same_every_time(run, tmp_path) -> None:
    for name in ("a.png", "b.png"):
        run("generate", PROMPT, "--by", "head", "-o", str(tmp_path / name), "-q")
    a, b = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert a.replace(b"a.png", b"b.png")[:50] == b[:50] and len(a) == len(b)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("generate",), 2, "wanted a text"),
        (("generate", "cat", "--by", "nothing"), 2, "--by must be one of"),
        (("generate", "cat", "--pair", "dog"), 2, "--pair"),
        (("generate", "cat", "--by", "token", "-o", "x.png"), 2, "--by token has no picture"),
        (("generate", "cat", "--max-new", "0"), 2, "--max-new"),
        (("generate", "cat", "--stream", "cross"), 1, "cross"),
        (("generate", "cat", "--mechanism", "additive"), 1, "cannot continue a text"),
    ],
)
def test_what_cannot_be(run, words, status, said, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    got, out, err = run(*words)
    assert (got, out) == (status, "")
    assert said in err and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_from_python_it_is_the_same(tmp_path) -> None:
    model = attnviz.load("seeded", causal=True)
    result = attnviz.generate(model, PROMPT, max_new=4, layers=1, words=True)
    assert {row["layer"] for row in result.rows()} == {1} and len(list(result.rows())) == 4
    assert [row["token"] for row in attnviz.generate(model, PROMPT, max_new=4, by="token").rows()] == [*result.new.text]
    saved = attnviz.open(result.save(str(tmp_path / "new.npz")))
    assert np.array_equal(saved.weights, result.attention.weights)
    assert Image.open(result.save(str(tmp_path / "new.gif"), dpi=40, frame_ms=300)).info["duration"] == 300
    assert str(result).splitlines()[0] == result.text
    with pytest.raises(attnviz.AttnvizError, match="one text is continued"):
        attnviz.generate(model, PROMPT, "and more")
    with pytest.raises(attnviz.AttnvizError, match="wanted a Model, which continues a text; got Attention"):
        attnviz.generate(model.attend(PROMPT), PROMPT)


def test_a_window_of_a_mechanism_holds_while_going_on(run) -> None:
    """A window is a field of the engine's own: new tokens see two tokens back."""
    rows = json.loads(run("generate", PROMPT, "--mechanism", "window:2", "--by", "token", "--json", "-q")[1])
    n = len(PROMPT.split())
    assert all(n + row["index"] - 1 - row["key"] <= 2 for row in rows)
