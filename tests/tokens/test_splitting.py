"""tokenize() and `attnviz tokens`: a text split without the model that reads it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import attnviz
from attnviz.cli import main
from attnviz.errors import CheckpointError, InputError, ModelError

BERT = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nsat\n##s\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """vocab.txt and the class that wrote it: no config.json, no weights."""
    place = tmp_path / "m"
    place.mkdir()
    (place / "vocab.txt").write_text(BERT)
    (place / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    return place


def test_the_public_name():
    assert "tokenize" in attnviz.__all__
    assert callable(attnviz.tokenize)


def test_tokenizer_files_are_enough(folder: Path):
    tokens = attnviz.tokenize("The cats", folder, pair="sat")
    assert tokens.ids == (2, 5, 6, 8, 3, 7, 3)
    assert tokens.text == ("[CLS]", "the", "cat", "##s", "[SEP]", "sat", "[SEP]")
    assert tokens.segments == (0, 0, 0, 0, 0, 1, 1)
    assert attnviz.tokenize("The cats", str(folder)).ids == (2, 5, 6, 8, 3)


def test_the_command_needs_no_model(folder: Path, capsys):
    assert main(["tokens", "The cats", "-m", str(folder), "--json"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == [2, 5, 6, 8, 3]
    assert main(["tokens", "--ids", "6,8,99", "-m", str(folder), "--json"]) == 0
    assert [row["token"] for row in json.loads(capsys.readouterr().out)] == ["cat", "##s", "#99"]


def test_weights_are_not_opened(folder: Path):
    (folder / "model.safetensors").write_bytes(b"damaged")
    (folder / "config.json").write_text('{"model_type": "of_no_family"}')
    assert attnviz.tokenize("the cat", folder).ids == (2, 5, 6, 3)
    assert attnviz.tokenize("the cat", folder / "model.safetensors").ids == (2, 5, 6, 3)


def test_every_kind_of_model(minilm: Path, tmp_path: Path):
    for model in ("tiny", "seeded", "minilm", minilm):
        assert attnviz.tokenize("the cat sat", model) == attnviz.load(model).tokens("the cat sat")
    assert attnviz.tokenize("the cat") == attnviz.tokenize("the cat", "tiny")
    assert attnviz.tokenize("the cat", attnviz.load("tiny")) == attnviz.tokenize("the cat")
    shutil.copy(Path(attnviz.__file__).parent / "tiny" / "tiny.gguf", tmp_path / "other.gguf")
    assert attnviz.tokenize("the cat", tmp_path / "other.gguf").ids == attnviz.tokenize("the cat").ids
    eye = np.eye(2, dtype=np.float32)
    np.savez(tmp_path / "x.npz", W_Q=eye, W_K=eye, W_V=eye, n_heads=1, embedding=eye, tokens=np.array(["a", "b"]))
    assert attnviz.tokenize("b a", tmp_path / "x.npz").ids == (1, 0)


@pytest.mark.parametrize(
    ("text", "change", "error", "message"),
    [
        ("", {}, InputError, "the text is empty"),
        (5, {}, InputError, "text must be a string; got int"),
        ("the", {"vocab.txt": None}, ModelError, "m holds no tokenizer that attnviz reads"),
        ("the", {"vocab.txt": None, "config.json": "{}"}, InputError, "m has no tokenizer, so it cannot read a text"),
        ("the", {"tokenizer.json": "["}, CheckpointError, "tokenizer.json is not a tokenizer: "),
        ("the", {"config.json": "["}, attnviz.AttnvizError, "config.json is not JSON"),
        ("the", {"tokenizer_config.json": "[" * 100_000}, CheckpointError, "tokenizer_config.json is nested too"),
    ],
)
def test_errors_are_one_line(text, change, error, message, folder: Path, capsys):
    for name, content in change.items():
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_text(content)
    with pytest.raises(error) as caught:
        attnviz.tokenize(text, folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    if isinstance(text, str) and text:
        assert main(["tokens", text, "-m", str(folder)]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert lines[0].startswith("error: ") and all(line.startswith("hint: ") for line in lines[1:])


def test_no_such_model(tmp_path: Path):
    with pytest.raises(ModelError, match="no such file or folder"):
        attnviz.tokenize("the", tmp_path / "none")
