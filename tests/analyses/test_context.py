"""`attnviz context`: known answers, and bad input in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers import copying

import attnviz
from attnviz.cli import main
from attnviz.errors import AttnvizError, InputError, ModelError, SelectionError

PROMPT = "\n".join([*copying.SOURCES, "is is is robert"])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return attnviz.load(copying.saved(tmp_path_factory.mktemp("copying")))


@pytest.fixture
def checked(model):
    return attnviz.context(model, "robert", prompt=PROMPT, split="line", answer="bus", check=5)


def by_source(result):
    return {row["source"]: row for row in result.rows()}


def test_the_source_of_a_copied_fact_is_found(checked):
    rows = checked.rows()
    assert rows[0]["source"] == copying.FACT and rows[0]["text"] == "bob bus"
    assert rows[0]["score"] > 0.98 and rows[0]["question"] > 0.999
    assert sum(row["score"] for row in rows) == pytest.approx(1)


def test_only_the_knockout_of_that_source_removes_the_answer(checked, model):
    falls = {source: row["knockout"] for source, row in by_source(checked).items()}
    assert falls.pop(copying.FACT) > 2
    assert all(abs(fall) < 1e-3 for fall in falls.values())
    without = attnviz.context(model, "robert", prompt=PROMPT.replace("bob bus", "dan car"), split="line", max_new=1)
    assert without.prompt.answer_text == "car"


def test_string_matching_cannot_tell_the_sources_apart(checked):
    words = {source: row["words"] for source, row in by_source(checked).items()}
    assert words[0] == words[copying.FACT] == max(words.values())


def test_the_model_answers_itself_and_its_answer_is_ranked_by_the_answers_rows(model):
    result = attnviz.context(model, "robert", prompt=PROMPT, split="line", max_new=1)
    assert result.prompt.answer_text == "bus" and result.prompt.generated
    assert result.rows()[0]["source"] == copying.FACT
    np.testing.assert_array_equal(result.score, result.answer)
    assert any("the model's answer" in line for line in result.messages)


def test_a_low_share_says_that_it_is_not_sure(model):
    result = attnviz.context(model, "is", prompt=PROMPT.replace("robert", "is"), split="line", answer="?")
    assert not result.sure and any("not sure" in line for line in result.messages)
    assert any("not sure" in note for note in result.printed().notes)


def test_knockouts_are_null_unless_asked_for(model):
    rows = by_source(attnviz.context(model, "robert", prompt=PROMPT, split="line", answer="bus", check=1))
    assert [i for i, row in rows.items() if row["knockout"] == row["knockout"]] == [copying.FACT]


def test_every_format(model, tmp_path, checked):
    for name in ("a.png", "a.svg", "a.json", "a.csv"):
        checked.save(tmp_path / name)
        assert (tmp_path / name).stat().st_size
    assert "bob" in (tmp_path / "a.svg").read_text() and "sources by their score" in (tmp_path / "a.svg").read_text()
    assert json.loads((tmp_path / "a.json").read_text())[0]["source"] == copying.FACT
    assert "bob" in str(checked) and "knockout" in str(checked)


def test_a_picture_has_a_passage_per_source_and_one_for_question_and_answer(checked):
    text = checked.page().parts[0]
    labels, firsts = [label for _, label in text.passages], [first for first, _ in text.passages]
    assert labels == ["0", "1", "2", "3", "4", "question", "answer"]
    lines = [" ".join(text.words[a:b]) for a, b in zip(firsts, [*firsts[1:], len(text.words)], strict=True)]
    assert lines == [*copying.SOURCES, "robert", "bus"]
    shades = text.paragraphs[0].values
    assert max(shades) == max(shades[firsts[copying.FACT] : firsts[copying.FACT + 1]]) > 0.98
    assert not any(shades[firsts[-2] :])


def test_bars_of_a_source_show_its_score_over_its_answer(checked):
    bars = checked.page().parts[1]
    assert bars.columns == ("source", "answer", "score")
    for row, entry in zip(checked.rows(), bars.entries, strict=True):
        assert (entry.weight, entry.lift) == (row["answer"], row["score"])
        assert entry.head == f"{row['source']} · knockout {round(row['knockout'], 2) + 0.0:.2f}".replace("-", "−")


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("Ann keeps bees. Bob drives a bus.\n")
    (tmp_path / "b.txt").write_text("Carl bakes bread.\n")
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "p.txt").write_text("Ann keeps bees. Bob drives a bus. Who keeps bees?")
    return tmp_path


def run(capsys, *words):
    status = main(["context", *words])
    out, err = capsys.readouterr()
    return status, out, err


def test_several_files_follow_one_flag(files, capsys):
    words = ("Who drives?", "--sources", "a.txt", "b.txt", "--answer", "Bob", "--json")
    status, out, _ = run(capsys, *words)
    rows = json.loads(out)
    assert status == 0 and {row["text"] for row in rows} == {
        "Ann keeps bees.", "Bob drives a bus.", "Carl bakes bread.",
    }  # fmt: skip
    status, out, _ = run(capsys, *words, "--split", "file")
    assert [row["text"] for row in sorted(json.loads(out), key=lambda row: row["source"])] == [
        "Ann keeps bees. Bob drives a bus.", "Carl bakes bread.",
    ]  # fmt: skip
    assert run(capsys, *words, "--sources", "b.txt")[0] == 0  # a flag that is repeated


def test_a_prompt_as_it_was_sent(files, capsys):
    status, out, _ = run(capsys, "--prompt", "p.txt", "--answer", "Ann", "--json")
    assert status == 0 and sorted(row["text"] for row in json.loads(out)) == ["Ann keeps bees.", "Bob drives a bus."]
    status, out, _ = run(capsys, "Bob drives a bus.", "--prompt", "p.txt", "--answer", "Ann", "--json")
    assert status == 0 and [row["text"] for row in json.loads(out)] == ["Ann keeps bees."]


BAD = {
    ("Who?", "--sources", "empty.txt"): (1, "empty.txt is empty"),
    ("Who?",): (2, "wanted sources"),
    ("--sources", "a.txt"): (2, "wanted a question"),
    ("Who?", "--sources", "a.txt", "--answer", " "): (1, "the answer is empty"),
    ("Who?", "--sources", "a.txt", "-m", "minilm", "--answer", "Ann"): (1, "cannot answer a question"),
    ("Who?", "--sources", "a.txt", "--prompt", "p.txt"): (2, "exclude each other"),
    ("Who?", "--sources", "a.txt", "--answer", "Ann", "--check", "3"): (
        1,
        "--check 3 is more than there are sources: 2",
    ),
    ("Who?", "--sources", "latin.txt"): (1, "latin.txt: not UTF-8"),
    ("Who?", "--sources", "no.txt"): (1, "no such text file: 'no.txt'"),
    ("Who?", "--sources", "a.txt", "--split", "page"): (2, "--split must be one of"),
    ("Who?", "--prompt", "p.txt"): (1, "is not in the prompt"),
    ("Who?", "--sources", "a.txt", "--answer", "A", "--max-new", "3"): (2, "exclude each other"),
    ("Who?", "--sources", "a.txt", "--chat"): (1, "has no chat template"),
    ("Ann keeps bees.", "--prompt", "p.txt"): (1, "no source comes before the question"),
    (" ", "--sources", "a.txt"): (1, "wanted a question"),
}


@pytest.mark.parametrize("words", BAD, ids=" ".join)
def test_bad_input_is_one_line(files, capsys, words):
    status, out, err = run(capsys, *words)
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert status == BAD[words][0] and not out
    assert len(errors) == 1 and BAD[words][1] in errors[0]


def test_bad_input_from_python(model):
    for error, message, named in (
        (InputError, "wanted sources", {"question": "bob"}),
        (InputError, "source 1 is empty", {"question": "bob", "sources": ["ann bus", " "]}),
        (InputError, "sources must be a list", {"question": "bob", "sources": "ann bus"}),
        (InputError, "source 0 must be a text", {"question": "bob", "sources": [3]}),
        (InputError, "32", {"prompt": "\n".join([PROMPT] * 4), "split": "line", "answer": "bus"}),
        (
            SelectionError,
            "check 6 is more",
            {"question": "robert", "prompt": PROMPT, "split": "line", "answer": "bus", "check": 6},
        ),
        (SelectionError, "split must be one of", {"prompt": PROMPT, "split": "page"}),
    ):
        with pytest.raises(error, match=message):
            attnviz.context(model, **named)
    with pytest.raises(InputError, match="wanted a Model"):
        attnviz.context("seeded", "Who?", sources=["a"])
    with pytest.raises(ModelError, match="cannot answer a question"):
        attnviz.context(attnviz.load("seeded"), "Who?", sources=["a"])
    with pytest.raises(AttnvizError, match="one question is asked"):
        attnviz.context(model, "Who?", "Where?", sources=["a"])
