"""Roles of heads: heads made to have one, a loop from the definitions, and what `attnviz roles` prints and draws."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from helpers.analysis_cases import made, random_map
from hypothesis import given
from hypothesis import strategies as st

import attnviz
from attnviz.errors import InputError
from attnviz.measures.roles import NAMES, ROLES, role_scores
from attnviz.models.repeated import repeated_tokens
from attnviz.models.source import AttentionSource


def roles(*sources):
    return role_scores([AttentionSource.of(source) for source in sources])


WORDS = ("The", "cat", "saw", "a", "dog", ",", "the", "cat", "saw", "a", "bird", ".")


def looking_at(places):
    """A head whose query i gives all of its weight to places[i]."""
    return np.eye(len(places))[list(places)]


def holders(found):
    return {name: np.flatnonzero(s.score[0] >= s.threshold[0]).tolist() for name, s in found.items()}


def test_heads_made_to_have_a_role_have_it_and_no_other():
    n = len(WORDS)
    previous = looking_at([0, *range(n - 1)])
    following = looking_at([*range(1, n), n - 1])
    #           The cat saw a dog , the cat saw a bird .
    duplicate = looking_at([0, 4, 3, 6, 0, 2, 1, 1, 2, 3, 4, 9])
    induction = looking_at([0, 4, 3, 6, 0, 2, 1, 2, 3, 4, 8, 9])
    sink = looking_at([0] * n)
    delimiter = looking_at([5, 5, 11, 5, 11, 11, 5, 5, 11, 5, 5, 11])
    broad = np.full((n, n), 1 / n)
    found = roles(made([previous, following, duplicate, induction, sink, delimiter, broad], text=WORDS))
    assert holders(found) == {
        "previous-token": [0],
        "next-token": [1],
        "duplicate-token": [2],
        "induction": [3],
        "sink": [4],
        "delimiter": [5],
        "positional": [0, 1],
        "broad": [6],
    }
    for head, name in enumerate(("previous-token", "next-token", "duplicate-token", "induction", "sink", "delimiter")):
        assert found[name].score[0, head] == pytest.approx(1.0), name
    assert found["broad"].score[0] == pytest.approx([0, 0, 0, 0, 0, 0, 1])
    assert {name: int(s.queries[0, 0]) for name, s in found.items()} == {
        "previous-token": 11,
        "next-token": 11,
        "duplicate-token": 3,  # the second cat, saw and a
        "induction": 3,
        "sink": 11,
        "delimiter": 12,
        "positional": 12,
        "broad": 12,
    }


def test_what_no_query_can_do_is_no_number():
    causal = roles(made([np.tri(3) / [[1], [2], [3]]], text=("a", "b", "c"), causal=True))
    undefined = {name for name, s in causal.items() if np.isnan(s.score).all()}
    assert undefined == {"next-token", "duplicate-token", "induction", "delimiter"}
    cross = attnviz.load("seeded", n_layers=1).with_mechanism("cross").attend("the cat sat", "a dog", stream="cross")
    found = roles(cross)
    assert {name for name, s in found.items() if np.isfinite(s.score).all()} == {"sink", "broad"}


def test_in_a_short_text_an_even_head_has_no_role_of_a_token():
    """Two tokens a row: an even head gives half to the one before, which is more than 0.4."""
    even = roles(made([np.tri(2) / [[1], [2]]], causal=True))["previous-token"]
    assert even.score[0, 0] == pytest.approx(0.5)
    assert even.threshold[0, 0] == pytest.approx(0.7)


def slow_roles(weights, mask, text, special):
    """Scores of one head from their definitions, in plain loops."""
    n = len(text)
    marks = [i > 0 and (special[i] or all(c in ".,;" for c in text[i])) for i in range(n)]
    patterns = {
        "previous-token": lambda i: [i - 1],
        "next-token": lambda i: [i + 1],
        "duplicate-token": lambda i: [j for j in range(i) if text[j] == text[i] and not special[i]],
        "induction": lambda i: [j for j in range(1, i) if text[j - 1] == text[i] and not special[i]],
        "sink": lambda i: [0] if i > 0 else [],
        "delimiter": lambda i: [j for j in range(n) if marks[j]],
    }
    found = {}
    for name, places in patterns.items():
        rows = [[j for j in places(i) if 0 <= j < n and mask[i][j]] for i in range(n)]
        scores = [sum(weights[i][j] for j in row) for i, row in enumerate(rows) if row]
        found[name] = sum(scores) / len(scores) if scores else math.nan
    shares = []
    for i in range(n):
        seen = sum(mask[i])
        if seen > 1:
            shares.append(-sum(x * math.log(x) for x in weights[i] if x > 0) / math.log(seen))
    found["broad"] = sum(shares) / len(shares) if shares else math.nan
    best = 0.0
    for away in range(-(n // 2), n // 2 + 1):
        hits = sum(sum(mask[i]) > 1 and int(np.argmax(weights[i])) == i + away for i in range(n))
        best = max(best, hits / (n - abs(away)))
    found["positional"] = best if shares else math.nan
    return found


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.booleans())
def test_is_the_slow_loop(seed, n, causal):
    random = np.random.default_rng(seed)
    text = random.choice(["a", "b", "c", "."], n).tolist()
    one = made([random_map(random, n, causal) for _ in range(2)], text=text, causal=causal, special=[int(n / 2)])
    found = roles(one)
    for head in range(2):
        wanted = slow_roles(one.weights[0, head].tolist(), one.mask[0].tolist(), text, one.key_special)
        for name in NAMES:
            assert found[name].score[0, head] == pytest.approx(wanted[name], abs=1e-5, nan_ok=True), name


@pytest.mark.parametrize("causal", [False, True])
def test_of_a_model_they_are_told_from_tiles(causal):
    model = attnviz.load("seeded", causal=causal)
    text = " ".join(f"w{i % 37}" for i in range(700))  # several tiles
    through, held = roles(AttentionSource.of(model, model.prepare(text))), roles(model.attend(text))
    for name in NAMES:
        assert through[name].score == pytest.approx(held[name].score, rel=1e-4, nan_ok=True), name
        assert (through[name].queries == held[name].queries).all()


def test_repeated_random_tokens(minilm):
    model = attnviz.load(minilm)
    one = repeated_tokens(model)
    ids, special = one.queries.ids, one.queries.special
    assert len(ids) == 102 and ids[1:51] == ids[51:101] and len(set(ids[1:51])) == 50
    assert special == (True, *[False] * 100, True)
    found = roles(one)
    assert np.argwhere(found["previous-token"].score > 0.9).tolist() == [[0, 2]]
    assert found["duplicate-token"].queries.tolist() == [[50] * 12] * 6
    other = repeated_tokens(model, seed=1)
    assert other.queries.ids != ids
    both = roles(one, other)["duplicate-token"]
    assert both.score == pytest.approx(
        (found["duplicate-token"].score + roles(other)["duplicate-token"].score) / 2, abs=1e-6
    )
    short = repeated_tokens(attnviz.load("seeded"), length=3)
    assert len(short.queries) == 6 and short.queries.text[:3] == short.queries.text[3:]
    with pytest.raises(InputError, match="self-attention of one text"):
        repeated_tokens(model, stream="cross")


def test_json(run):
    status, out, err = run("roles", "the cat saw the dog", "--random", "--json", "-l", "1", "-H", "0,2")
    rows = json.loads(out)
    assert (status, err) == (0, "")
    assert len(rows) == 2 * (8 + 6)
    assert list(rows[0]) == ["on", "role", "layer", "head", "score", "threshold", "queries", "holds"]
    assert [row["role"] for row in rows[:16:2]] == list(NAMES)
    assert {row["on"] for row in rows[:16]} == {"text"} and {row["on"] for row in rows[16:]} == {"random"}
    none = [row for row in rows if row["role"] == "delimiter"]
    assert [(row["score"], row["queries"], row["holds"]) for row in none] == [(None, 0, False)] * 2


def test_columns(run):
    status, out, _ = run("roles", "The cat saw the dog.", "-m", "minilm", "--top", "2")
    lines = out.splitlines()
    assert status == 0 and lines[0].split()[:4] == ["role", "from", "queries", "heads"]
    assert lines[1].split() == ["previous-token", "0.40", "7", "2", "0.2", "1.00,", "2.11", "0.46"]
    assert [line.split()[0] for line in lines[1:]] == [*NAMES, "none"]
    assert lines[5].endswith("more") and lines[5].count(",") == 2
    assert "roles" not in out  # no title in a pipe
    status, out, _ = run("roles", "--random", "-m", "minilm", "--top", "1")
    assert [line.split()[0] for line in out.splitlines()[1:-1]] == [
        r.name for r in ROLES if r.name not in ("delimiter", "positional")
    ]


def test_files_of_each_kind(run, tmp_path):
    for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.json", b"[{"), ("a.csv", b"on,role,layer")):
        status, out, err = run("roles", "a b a b", "--random", "-o", name)
        assert (status, out, err) == (0, f"{name}\n", "")
        assert (tmp_path / name).read_bytes().startswith(start)
    drawn = (tmp_path / "a.svg").read_text()
    assert "induction ≥ " in drawn and "previous-token, random ≥ 0.40 · 0<" in drawn


def test_errors(run):
    for words, status, said in (
        (("a", "-o", "a.png"), 1, "no role can be told of so short a text"),
        ((), 2, "wanted a text"),
        (("--random", "--from", "a.npz"), 2, "--random needs a model"),
    ):
        found = run("roles", *words)
        assert found[0] == status and found[1] == "" and said in found[2], found


def test_the_highest_score_without_a_role_looks_lower_than_the_threshold(run):
    """A score of 0.399 under a threshold of 0.40 is printed as 0.39, not as 0.40."""
    found = {}
    for text in (
        "The cat sat on the mat",
        "The animal didn't cross the street because it was too tired",
        "a b a b a b",
    ):
        for seed in range(6):
            out = run("roles", text, "-m", "seeded", "--seed", seed, "--n-layers", 3)[1]
            for line in out.splitlines():
                words = line.split()
                if "none; the highest is" in line and len(words) > 3:
                    least = next(float(word) for word in words if re.fullmatch(r"\d\.\d\d", word))
                    found[least, float(words[-1])] = line
    assert len(found) > 20
    assert [line for (least, highest), line in found.items() if highest >= least] == []
