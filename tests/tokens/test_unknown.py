"""A text that the vocabulary does not hold: reported on standard error and on the picture, with advice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import attnviz
from attnviz.axis import Tokens
from attnviz.cli import main
from attnviz.errors import AttnvizWarning
from attnviz.tokens.unknown import unknown_note

MIXED = "The dog 😀 שלום saw a big 🎉 עולם in the old house and slept"
ARABIC = "مرحبا بالعالم كيف حالك"


def tokens(*pieces: tuple[str, int, int, int]) -> Tokens:
    """(label, id, first character, last plus one); label [S] is special."""
    labels, ids, starts, ends = zip(*pieces, strict=True)
    n = len(labels)
    special = tuple(label == "[S]" for label in labels)
    return Tokens(labels, ids, tuple(range(n)), special, (0,) * n, tuple(zip(starts, ends, strict=True)))


WORDS = [(word, 5, 4 * at, 4 * at + 3) for at, word in enumerate(("the", "cat", "sat", "big"))]


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([("[S]", 2, 0, 0), ("the", 5, 0, 3), ("[S]", 3, 0, 0)], ""),
        ([("[S]", 2, 0, 0), ("[UNK]", 1, 0, 3), ("[S]", 3, 0, 0)], "1 of the text's 1 tokens are unknown to m ([UNK])"),
        ([("the", 5, 0, 3), ("[UNK]", 1, 4, 7)], "1 of the text's 2 tokens are unknown to m ([UNK])"),
        ([*WORDS[:3], ("[UNK]", 1, 12, 40)], "1 of the text's 4 tokens are unknown to m ([UNK])"),
        ([*WORDS[:4], ("[UNK]", 1, 16, 40)], ""),  # a fifth, however long
        ([("[S]", 2, 0, 0), *WORDS[:3], ("[UNK]", 1, 12, 15), ("[S]", 3, 0, 0)], "1 of the text's 4 tokens"),
        # A lone word boundary before each unknown word does not count as a known token.
        ([("␣", 4, 0, 1), ("<unk>", 1, 1, 2), ("␣", 4, 2, 3), ("<unk>", 1, 3, 4)], "2 of the text's 4 tokens"),
    ],
)
def test_from_a_quarter_of_the_tokens_on(pieces, said):
    note = unknown_note(tokens(*pieces), {1}, "m")
    assert note.startswith(said) if said else note == ""


def test_ids_alone_are_counted():
    assert unknown_note(Tokens.plain(["[UNK]", "a", "[UNK]"], [1, 5, 1]), {1}, "m").startswith("2 of the text's 3")
    assert unknown_note(Tokens.plain(["[UNK]", *"abcd"], [1, 5, 5, 5, 5]), {1}, "m") == ""


def test_the_commands_say_so_and_what_to_do(tmp_path: Path, capsys):
    wanted = "warning: 4 of the text's 4 tokens are unknown to attnviz tiny ([UNK])"
    assert main(["tokens", ARABIC]) == 0
    err = capsys.readouterr().err
    assert err.startswith(wanted) and err.count("\n") == 1 and "-m NAME" in err
    picture = tmp_path / "x.svg"
    assert main(["heatmap", ARABIC, "-o", str(picture)]) == 0
    assert capsys.readouterr().err.startswith(wanted)
    assert "unknown to attnviz tiny" in picture.read_text()
    assert main(["tokens", ARABIC, "-q"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["tokens", "the cat sat on the mat 😀"]) == 0
    assert capsys.readouterr().err == ""


def test_the_first_picture_counts_them_too(tmp_path: Path, capsys):
    """A sentence half in other scripts, in whole words."""
    assert main(["tokens", MIXED, "--json"]) == 0
    printed = capsys.readouterr()
    held = [row for row in json.loads(printed.out) if row["token"] not in ("[CLS]", "[SEP]")]
    lost = sum(row["token"] == "[UNK]" for row in held)
    assert 4 * lost >= len(held) > 2 * lost > 0
    wanted = f"{lost} of the text's {len(held)} tokens are unknown to attnviz tiny"
    assert wanted in printed.err
    assert main(["heatmap", MIXED, "-o", str(tmp_path / "x.svg")]) == 0
    assert wanted in capsys.readouterr().err and wanted in (tmp_path / "x.svg").read_text()


def test_pieces_of_known_words_do_not_hide_unknown_words(tmp_path: Path, capsys):
    """4 of 22 tokens are less than a quarter, but 4 of 12 words are not, and a picture shows words."""
    said = "4 of the text's 22 tokens are unknown to attnviz tiny"
    text = "Die Katze 😀🎉 שלום עולם schläft auf dem Dach 🚀 und träumt"
    assert main(["heatmap", text, "-o", str(tmp_path / "x.svg")]) == 0
    assert said in capsys.readouterr().err and said in (tmp_path / "x.svg").read_text()


def test_the_numbers_carry_the_note(tmp_path: Path):
    with pytest.warns(AttnvizWarning, match="name a model that knows its script"):
        attention = attnviz.load("tiny").attend(ARABIC)
    assert any("unknown to attnviz tiny" in note for note in attention.meta["notes"])
    with pytest.warns(AttnvizWarning, match="unknown"):
        attnviz.tokenize(ARABIC)


def test_pieces_of_a_unigram_model(tmp_path: Path):
    """Every unknown word follows a separate word boundary."""
    model = {
        "type": "Unigram",
        "unk_id": 0,
        "vocab": [["<unk>", 0.0], ["▁", -1.0], ["▁the", -2.0], ["s", -3.0]],
    }
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    data = {"version": "1.0", "added_tokens": [], "pre_tokenizer": metaspace, "decoder": metaspace, "model": model}
    (tmp_path / "tokenizer.json").write_text(json.dumps(data))
    with pytest.warns(AttnvizWarning, match="4 of the text's 8 tokens are unknown"):
        attnviz.tokenize(ARABIC, tmp_path)
