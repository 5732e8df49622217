"""`attnviz diff`: each way of comparing, what it prints and draws, how it ends."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import ADAPTERS, REFERENCE, ROOT
from helpers.sentences import TIRED, WIDE

import attnviz
from attnviz.measures.diff import diff
from attnviz.page.figure_options import FigureOptions
from attnviz.page.label_bounds import bounds
from attnviz.page.place import place


def listed(run, *words):
    status, out, err = run("diff", *words, "--json", "-q")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_the_heads_that_changed_most_come_first(run):
    """Head 3.1 of all-MiniLM-L6-v2 gives "it" -> "animal" 0.64 where the animal was tired, 0.27 where it was wide."""
    found = listed(run, TIRED, WIDE, "-m", "minilm")
    assert len(found) == 72
    assert [row["distance"] for row in found] == sorted((row["distance"] for row in found), reverse=True)
    assert [(row["layer"], row["head"]) for row in found[:2]] == [(5, 8), (3, 1)]
    assert found[0]["query_token"] == found[0]["key_token"] == "tired|wide"
    assert {found[0][name] for name in ("query", "query_b", "key", "key_b")} == {13}
    assert found[0]["before"] == pytest.approx(0.124, abs=1e-3)
    assert found[0]["after"] == pytest.approx(0.800, abs=1e-3)
    assert found[0]["distance"] == pytest.approx(0.2109, abs=1e-4)
    model = attnviz.load("minilm")
    change = diff(model.attend(TIRED), model.attend(WIDE))
    it, animal = change.row_labels.index("it"), change.column_labels.index("animal")
    assert change.before[3, 1, it, animal] == pytest.approx(0.64, abs=5e-3)
    assert change.after[3, 1, it, animal] == pytest.approx(0.27, abs=5e-3)


def test_the_numbers_are_those_of_the_function(run):
    found = listed(run, "a b c", "a b d c", "-l", "1", "-H", "0,2")
    model = attnviz.load("seeded")
    first, second = (model.attend(text, layers=1, heads=[0, 2]) for text in ("a b c", "a b d c"))
    best = diff(first, second).ranked()[0]
    for row in found:
        a, b = (
            None if row[key] is None else tokens[row[key]]
            for key, tokens in (("query", first.query_tokens), ("query_b", second.query_tokens))
        )
        assert row["query_token"] == a == b
    assert {(row["layer"], row["head"]) for row in found} == {(1, 0), (1, 2)}
    assert found[0]["distance"] == pytest.approx(best.distance)
    assert found[0]["change"] == pytest.approx(best.change)


def test_words_and_special_tokens(run):
    found = listed(run, "unbelievable cat", "unbelievable dog", "-m", "minilm", "--words", "--no-special", "-l", "0")
    assert {row["query_token"] for row in found} <= {"unbelievable", "cat|dog"}


def test_a_model_against_itself_does_not_differ(run):
    found = listed(run, "the cat sat", "--model-b", "seeded")
    assert {row["distance"] for row in found} == {0.0}


def test_a_second_text_from_a_file(run):
    Path("b.txt").write_text("the dog sat")
    assert listed(run, "the cat sat", "--file-b", "b.txt") == listed(run, "the cat sat", "the dog sat")


def test_models_of_other_sizes_share_what_both_have(run):
    status, out, err = run("diff", "the cat sat", "--model-b", "minilm", "--json")
    assert status == 0
    assert "the models have 2 x 4 heads and 6 x 12 heads: the first 2 layers and 4 heads of both are compared" in err
    assert len(json.loads(out)) == 8


def test_an_adapter_on_the_same_model(run):
    case = ADAPTERS / "plain"
    expected = np.load(case / "expected.npz")
    base = REFERENCE / str(expected["base"])
    ids = ",".join(map(str, expected["input_ids"].tolist()))
    found = listed(run, "--ids", ids, "-m", base, "--adapter-b", case)
    with_it = attnviz.load(base, adapter=case).attend(ids=expected["input_ids"].tolist())
    without = attnviz.load(base).attend(ids=expected["input_ids"].tolist())
    assert found[0]["distance"] == pytest.approx(diff(without, with_it).distance.max())
    assert found[0]["distance"] > 0.3


def test_an_adapter_that_changes_one_head(run):
    """sample_inputs/sharper_head.py doubles the queries of 3.1: nothing before it changes, all after it a little."""
    runpy.run_path(str(ROOT / "sample_inputs" / "sharper_head.py"))["write"](Path("sharper"))
    found = listed(run, TIRED, "-m", "minilm", "--adapter-b", "sharper")
    assert (found[0]["layer"], found[0]["head"]) == (3, 1)
    assert found[0]["distance"] == pytest.approx(0.218, abs=1e-3)
    apart = {(row["layer"], row["head"]): row["distance"] for row in found}
    assert not any(distance for (layer, head), distance in apart.items() if layer < 3 or (layer, head) in OTHERS)
    assert all(0 < distance < 0.02 for (layer, _), distance in apart.items() if layer > 3)


OTHERS = {(3, head) for head in range(12)} - {(3, 1)}


def test_layers_head_by_head(run):
    found = listed(run, "the cat sat on the mat", "-l", "0", "--layer-b", "1")
    assert {(row["layer"], row["layer_b"]) for row in found} == {(0, 1)}
    attention = attnviz.load("seeded").attend("the cat sat on the mat")
    change = diff(attention.select(0), attention.select(1))
    assert [row["distance"] for row in found] == pytest.approx([one.distance for one in change.ranked()])


def test_files(run):
    model = attnviz.load("seeded")
    model.attend("the cat").save("a.npz")
    model.attend("the dog").save("b.npz")
    assert listed(run, "--from", "a.npz", "--from-b", "b.npz") == listed(run, "the cat", "the dog")
    assert listed(run, "--from", "a.npz", "-l", "0", "--layer-b", "1")[0]["layer_b"] == 1


def test_a_long_text_keeps_some_rows(run, monkeypatch):
    """Equal queries of both texts are compared; a head's distance is computed from these rows."""
    first = " ".join(f"w{i}" for i in range(60))
    second = first.replace("w30", "new word")
    whole = {(row["layer"], row["head"]): row for row in listed(run, first, second)}
    monkeypatch.setattr("attnviz.models.source.SAMPLE_WEIGHTS", 20 * 2 * 61)  # of 8 heads, 4 times as many
    status, out, err = run("diff", first, second, "--json")
    assert (status, err) == (0, "a long text: 20 of 60 queries, evenly spread\n")
    some = json.loads(out)
    for row in some:
        assert row["distance"] == pytest.approx(whole[row["layer"], row["head"]]["distance"], rel=0.5)
    assert run("diff", first, second, "-o", "x.png")[0] == 0


def test_plain_columns(run):
    status, out, _ = run("diff", "the cat sat", "the big cat sat", "--top", 2)
    lines = out.splitlines()
    assert status == 0
    assert lines[0].split() == ["layer", "head", "distance", "query", "key", "before", "after", "change"]
    assert len(lines) == 3
    assert {len(line.split()) for line in lines} == {8}


@pytest.mark.parametrize("name", ["x.png", "x.svg", "x.pdf", "x.csv", "x.json"])
def test_files_that_it_writes(run, name):
    status, out, _ = run("diff", "the cat sat", "the dog sat", "-o", name)
    assert (status, out) == (0, f"{name}\n")
    data = Path(name).read_bytes()
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "csv": b"layer,head,layer_b", "json": b'[{"layer"'}
    assert data.startswith(starts[name[2:]])


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["the cat"], 2, "wanted something to compare with: TEXT2"),
        (["a", "b", "--model-b", "seeded"], 2, "TEXT2 and --model-b: wanted one of them"),
        (["a", "--layer-b", "1"], 2, "--layer-b needs --layer"),
        (["a", "-l", "0-1", "--layer-b", "1"], 2, "--layer names 2 layers and --layer-b 1: wanted as many"),
        (["--from-b", "x.npz"], 2, "wanted two files"),
        (["a", "b", "--json", "-o", "x.png"], 2, "--json prints to standard output"),
        (["a", "b", "-m", "missing"], 1, "unknown model 'missing'"),
        (["a b", "c d e"], 1, "the two have no query in common"),
        (["a", "b", "--mechanism", "projections"], 2, "--mechanism projections"),
    ],
)
def test_how_it_ends(run, words, status, said):
    got, out, err = run("diff", *words)
    assert (got, out) == (status, "")
    assert said in err


# The picture


def changed(first, second, **how):
    return figure(attnviz.load("seeded"), first, second, **how)


def figure(*sources, top=None, **how):
    return place(attnviz.diff(*sources, top=top).page(), FigureOptions(**how))


@pytest.mark.parametrize("heads", [["0.1", "1.2"], ["0.1", "1.2", "1.3"]])
def test_headings_beside_a_board_of_few_heads_keep_apart(heads):
    model = attnviz.load("seeded")
    drawn = figure(model.attend("the cat sat", heads=heads), model.attend("the dog sat", heads=heads))
    placed = {label.text: bounds(label, drawn.face) for label in drawn.labels}
    board, ranking = placed["Jensen-Shannon distance"], placed["Largest change in each"]
    assert board[2] + 5 < ranking[0]
    ticks = [bounds(label, drawn.face) for label in drawn.labels if label.role == "tick"]
    assert all(tick[1] > board[3] for tick in ticks if tick[0] < board[2])


def test_the_picture_says_what_changed():
    drawn = changed("the cat sat", "the big cat lay", top=3)
    assert drawn.title == "Changes in attention · seeded · two texts"
    assert drawn.subtitle == "random weights, seed 0 · changed: +big, sat|lay"
    assert drawn.notes[0] == "red: the second gives more, blue: it gives less"
    assert "queries of one text only have no row: +big" in drawn.notes
    maps = [panel for panel in drawn.panels if panel.title.startswith("head")]
    assert len(maps) == 3
    assert maps[0].row_labels == ("the", "cat", "sat|lay")
    assert maps[0].col_labels == ("the", "+big", "cat", "sat|lay")


def test_signed_colours_are_symmetric_and_the_board_is_not():
    drawn = changed("the cat sat", "the dog sat")
    board = next(panel for panel in drawn.panels if panel.title == "Jensen-Shannon distance")
    maps = [panel for panel in drawn.panels if panel.title.startswith("head")]
    assert (board.scale.low, board.scale.cmap) == (0, "ink")
    assert {(panel.scale.low, panel.scale.high) for panel in maps} == {(-maps[0].scale.high, maps[0].scale.high)}
    assert maps[0].scale.cmap == "inks"
    assert max(abs(panel.values).max() for panel in maps) <= maps[0].scale.high
    assert len(board.marks) == len(maps)


def test_everything_stands_on_the_page():
    for drawn in (changed("the cat sat", "the dog sat"), changed("a", "b", top=1), changed("a b c", "a c", width=3.5)):
        for panel in drawn.panels:
            assert panel.box.x >= 0
            assert panel.box.x + panel.box.width <= drawn.width
            assert panel.box.y + panel.box.height <= drawn.height


def test_a_long_map_is_drawn_by_its_largest_changes():
    text = [f"w{i}" for i in range(120)]
    drawn = changed(" ".join(text), " ".join([*text[:60], "other", *text[61:]]), top=2)
    maps = [panel for panel in drawn.panels if panel.title.startswith("head")]
    assert maps[0].values.shape == (60, 60)
    assert any("largest change of 2 x 2" in note for note in drawn.notes)


def test_headings_of_models_and_layers():
    model = attnviz.load("seeded")
    one = model.attend("a b")
    assert figure(one.select(0), one.select(1)).title == "Changes in attention · seeded · layer 0 → layer 1"
    other = attnviz.load("seeded", seed=1, name="other").attend("a b")
    assert figure(one, other).title == "Changes in attention · seeded → other"


def test_equal_texts_are_said_to_be_equal(run):
    assert "nothing has changed" in changed("a b", "a b").notes
    assert "nothing has changed" not in changed("a b", "a c").notes


# From Python


def test_the_second_source_may_be_a_text_a_model_layers_or_attention(run):
    model, other = attnviz.load("seeded"), attnviz.load("seeded", seed=1)
    first, second = model.attend("the cat sat"), model.attend("the dog sat")
    by_text = attnviz.diff(model, "the cat sat", "the dog sat")
    assert by_text.rows() == attnviz.diff(first, second).rows()
    by_model = attnviz.diff(model, other, "the cat sat", layers=1, heads=[0, 2])
    assert by_model.rows() == attnviz.diff(first, other.attend("the cat sat"), layers=1, heads=[0, 2]).rows()
    assert {(row["layer"], row["head"]) for row in by_model.rows()} == {(1, 0), (1, 2)}
    by_layers = attnviz.diff(model, "the cat sat", layers=0, layers_b=1)
    assert by_layers.rows() == attnviz.diff(first, layers=0, layers_b=1).rows() == listed(run, "the cat sat", "-l", 0,
                                                                                       "--layer-b", 1)  # fmt: skip


def test_models_of_other_sizes_say_what_is_compared():
    result = attnviz.diff(attnviz.load("seeded"), attnviz.load("minilm"), "the cat sat")
    assert result.messages[0].endswith("the first 2 layers and 4 heads of both are compared")
    assert len(result.rows()) == 8


@pytest.mark.parametrize(
    ("inputs", "named", "said"),
    [
        (["the cat"], {}, "wanted two texts, or another model and a text"),
        ([], {}, "wanted something to compare with"),
        (["the cat"], {"layers_b": 1}, "layers_b needs layers"),
        (["a b", "a c"], {"up": 1}, "option must be one of heads, layers, layers_b, no_special, top, words; got 'up'"),
        (["a b", "a c"], {"top": 0}, "top wants a number from 1 on; got 0"),
    ],
)
def test_what_cannot_be_compared_from_python(inputs, named, said):
    with pytest.raises(attnviz.AttnvizError, match=said):
        attnviz.diff(attnviz.load("seeded"), *inputs, **named)


def test_attention_that_is_there_takes_no_text():
    attention = attnviz.load("seeded").attend("the cat")
    with pytest.raises(attnviz.AttnvizError, match="takes no text"):
        attnviz.diff(attention, attention, "the cat")
    with pytest.raises(attnviz.AttnvizError, match="wanted an Attention"):
        attnviz.diff(attention, "the cat")
