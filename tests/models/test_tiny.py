"""The learned model inside the package: what it attends to, how it splits, and that it is what is drawn by default."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import DATA
from helpers.sentences import TIRED, WIDE

import attnviz
from attnviz.models.find import TINY

STORED = np.load(DATA / "tiny.npz")  # by torch: scripts/tiny, attention.npz
HEADS = json.loads(TINY.with_name("heads.json").read_text())


@pytest.fixture(scope="module")
def tiny():
    return attnviz.load("tiny")


@pytest.fixture
def bare(run, monkeypatch):
    """Commands as a newcomer types them: no model is named anywhere."""
    monkeypatch.delenv("ATTNVIZ_MODEL")
    return run


@pytest.mark.parametrize("i", range(3))
def test_the_shipped_file_gives_the_stored_attention(tiny, i):
    found = tiny.attend(str(STORED[f"{i}.text"]))
    assert list(STORED[f"{i}.pieces"]) == list(found.query_tokens)
    np.testing.assert_allclose(found.weights, STORED[f"{i}.weights"], rtol=0, atol=1e-5)


# ---- how it splits


def longest_match(word, pieces):
    """WordPiece as its paper has it: the longest piece that fits, again and again; [UNK] if none does."""
    found, start = [], 0
    while start < len(word):
        lead = "##" if start else ""
        end = next((end for end in range(len(word), start, -1) if lead + word[start:end] in pieces), None)
        if end is None:
            return ["[UNK]"]
        found.append(lead + word[start:end])
        start = end
    return found


def test_a_thousand_words_split_as_the_teachers_pieces_would(tiny, minilm):
    """Words of the teacher's vocabulary that tiny has as one piece and that it has not; and longer ones made of two."""
    teachers = json.loads((minilm / "tokenizer.json").read_text())["model"]["vocab"]
    pieces = {tiny.tokenizer._name(i) for i in range(tiny.tokenizer.n_vocab)}
    assert pieces <= set(teachers)
    plain = sorted(word for word in teachers if word.isascii() and word.isalpha() and len(word) > 2)
    words = plain[:: len(plain) // 700][:700]
    words += [a + b for a, b in zip(words[:300], words[400:700], strict=True)]
    assert len(words) == 1000
    # a text as long as the test: splitting does not ask for positions
    names = [tiny.tokenizer._name(i) for i in tiny.tokens(" ".join(words)).ids[1:-1]]
    assert names == [piece for word in words for piece in longest_match(word, pieces)]
    alone = sum(word in pieces for word in words)
    assert 200 < alone < 500  # both kinds are there


def test_it_reads_english_in_lower_case(tiny):
    assert tiny.tokens("THE Café").text == tiny.tokens("the cafe").text


# ---- what its heads do


def test_every_row_of_heads_names_a_head_of_both_models(tiny):
    keys = ["layer", "head", "teacher_layer", "teacher_head", "does", "js", "top1"]
    assert all([key for key in row if key != "title"] == keys for row in HEADS)
    assert len({(row["layer"], row["head"]) for row in HEADS}) == len(HEADS) >= 24
    assert len({(row["teacher_layer"], row["teacher_head"]) for row in HEADS}) == len(HEADS)
    assert all(row["layer"] < tiny.n_layers and row["head"] < tiny.n_heads for row in HEADS)
    assert all(row["layer"] == row["teacher_layer"] < 6 and row["teacher_head"] < 12 for row in HEADS)
    assert {row["head"] for row in HEADS if row["layer"] == 5} == set(range(8))  # nothing drawn by default is untaught


def test_each_head_is_near_to_its_teachers_and_to_no_other(tiny, minilm):
    """On sentences of its own: in the mean as the card says of longer texts, and for each head nearer than the rest."""
    teacher = attnviz.load(minilm)
    texts = [
        "She gave the old man a glass of water and went home.",
        "Why do birds sing in the early morning?",
        "The committee will publish its report in the spring.",
        "My brother, who lives in the city, never answers his phone.",
    ]
    distance = np.zeros((len(HEADS), len(HEADS)))
    for text in texts:
        ours, theirs = tiny.attend(text), teacher.attend(text)
        assert ours.query_tokens == theirs.query_tokens
        q = np.array([ours.weights[row["layer"], row["head"]] for row in HEADS], float)
        p = np.array([theirs.weights[row["teacher_layer"], row["teacher_head"]] for row in HEADS], float)
        distance += divergence(q[:, None], p[None]) / len(texts)
    assert np.diag(distance).mean() < 0.025
    assert np.diag(distance).max() < 0.06
    assert list(distance.argmin(1)) == list(range(len(HEADS)))


def divergence(p, q):
    """Jensen-Shannon divergence of rows in nats, their mean."""
    middle = (p + q) / 2
    return (p * np.log(p / middle) + q * np.log(q / middle)).sum(-1).mean(-1) / 2


def test_the_head_that_looks_back(tiny):
    (row,) = (row for row in HEADS if row["does"] == "previous token")
    weights = tiny.attend(TIRED, layers=row["layer"], heads=row["head"]).without_special().weights[0, 0]
    assert (weights[1:].argmax(-1) == np.arange(len(weights) - 1)).mean() > 0.8


@pytest.mark.parametrize("text", [TIRED, WIDE])
def test_it_resolves_no_pronoun(tiny, text):
    """The card: "it" goes to the first noun, whichever the sentence is about."""
    found = tiny.attend(text, layers=3, heads=1).without_special()
    tokens = list(found.query_tokens)
    assert tokens[found.weights[0, 0, tokens.index("it")].argmax()] == "animal"


# ---- that it is what is drawn


def test_it_is_the_default(bare):
    assert bare("export", TIRED, "-o", "a.npz")[0] == bare("export", TIRED, "-m", "tiny", "-o", "b.npz")[0] == 0
    a, b = np.load("a.npz"), np.load("b.npz")
    np.testing.assert_array_equal(a["weights"], b["weights"])
    assert a["weights"].shape == (6, 8, 15, 15)
    assert json.loads(str(a["meta"]))["model"] == "attnviz tiny"
    assert attnviz.load().name == "attnviz tiny"


def test_the_picture_says_so(bare):
    assert bare("heatmap", TIRED, "--svg-text", "keep", "-o", "a.svg")[0] == 0
    drawn = Path("a.svg").read_text()
    assert "attnviz tiny" in drawn
    assert f"{len(HEADS)} of its 48 heads imitate all-MiniLM-L6-v2" in drawn


@pytest.mark.parametrize(
    "words",
    [
        ("export", "a b", "--seed", "0"),
        ("export", "a b", "--causal"),
        ("export", "a b", "--n-layers", "2"),
        ("export", "a b", "--mechanism", "window:1"),
        ("export", "a b", "--pair", "c d", "--stream", "cross"),
        ("generate", "a b", "--max-new", "1"),
    ],
)
def test_what_only_random_weights_can_do_is_done_by_them(bare, words):
    status, _, err = bare(*words, "-o", "x.npz")
    assert status == 0, err
    assert "seeded: " in err
    assert json.loads(str(np.load("x.npz")["meta"]))["model"].startswith("seeded")


def test_mechanisms_stand_beside_random_weights(bare):
    assert bare("mechanisms", "a b", "--svg-text", "keep", "-o", "x.svg")[0] == 0
    assert "seeded" in Path("x.svg").read_text()


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (("table", "a b", "--audio", "a.wav"), "wanted one of"),
        (("table", "--audio", "a.wav"), "attnviz tiny does not read sound"),
        (("table", "a b", "--chat"), "attnviz tiny has no chat template"),
        (("table", "a b", "--target", "c"), "attnviz tiny has no decoder to read a target"),
    ],
)
def test_what_it_cannot_read_is_said(bare, words, want):
    status, out, err = bare(*words)
    assert status in (1, 2) and out == ""
    assert want in err


def test_seeing_all_tokens_needs_no_random_weights(bare):
    assert bare("export", "a b", "--no-causal", "-o", "x.npz")[0] == 0
    assert json.loads(str(np.load("x.npz")["meta"]))["model"] == "attnviz tiny"


def test_other_commands_take_it(bare):
    status, out, _ = bare("check", "--no-reference")
    assert status == 0
    assert out.startswith("attnviz tiny self: 6 x 8 heads")
    assert out.splitlines()[-1].startswith("healthy")
    assert bare("circuits", "--json")[0] == 0
    status, out, err = bare("diff", "a b", "--model-b", "seeded", "--seed", "3", "--n-layers", "3", "--json")
    assert status == 0 and json.loads(out)
    assert "the models have 6 x 8 heads and 3 x 4 heads" in err


def test_a_picture_is_read_by_the_seeded_model(bare):
    from PIL import Image

    Image.new("RGB", (40, 40), "red").save("a.png")
    assert bare("check", "--image", "a.png")[0] == 0
    assert bare("export", "--image", "a.png", "-o", "x.npz")[0] == 0
    assert json.loads(str(np.load("x.npz")["meta"]))["model"] == "seeded"


@pytest.mark.parametrize("option", [("--n-layers", "3"), ("--n-heads", "2"), ("--d-model", "8"), ("--causal",)])
def test_a_learned_model_has_its_own_size(bare, option):
    status, out, err = bare("table", "a b", "-m", "tiny", *option)
    assert (status, out) == (1, "")
    name = option[0][2:].replace("-", "_")
    assert err.splitlines() == [f"error: {name} is for the seeded model; tiny has its own", "hint: leave it out"]


def test_a_text_beyond_its_positions_is_refused_with_what_to_do(bare):
    status, out, err = bare("heatmap", "word " * 200, "-o", "x.png")
    assert (status, out) == (1, "")
    assert err.splitlines() == [
        "error: the text has 202 tokens; attnviz tiny reads 128",
        "hint: use a shorter text, or another model: -m minilm reads 512 tokens, -m seeded any number",
    ]
    assert not Path("x.png").exists()
    assert bare("export", "word " * 126, "-o", "x.npz")[0] == 0


def test_inspect_says_what_its_heads_do(bare, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    out = bare("inspect", "tiny", "--headers")[1]
    for row in HEADS:
        near = f"as {row['teacher_layer']}.{row['teacher_head']} of the teacher: js {row['js']}, top-1 {row['top1']}"
        assert f"{row['does']} ({near})" in out


def test_it_is_small():
    """5 MB with its tokenizer, as they lie in the wheel."""
    assert sum(file.stat().st_size for file in TINY.parent.iterdir()) < 5_000_000
