"""Small malicious tokenizer files: each gives a tokenizer or a one-line error, quickly and with little memory."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers

from attnviz.errors import CheckpointError
from attnviz.tokens import added, load_tokenizer
from attnviz.tokens.sentencepiece import parse

VALUES = [None, 5, [], "x", {"x": 1}, {"1": 5}, {"1": []}, {"-1": {"content": "<t>"}}, {"9" * 50: {"content": "<t>"}}]
VALUES += [{"1": {"content": 5}}, {"1": {"content": "", "lstrip": 3}}, {"1": {"content": "a\0b", "special": "yes"}}]
KEYS = ["added_tokens_decoder", "additional_special_tokens", "pad_token", "src_lang", "add_prefix_space", "legacy"]
KEYS += ["do_lower_case", "strip_accents", "extra_ids", "add_bos_token", "chat_template"]


def whole_words() -> str:
    backend = Backend(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return backend.to_str()


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("kind", ["bert", "gpt2", "t5", "mbart", ""])
def test_values_of_the_wrong_type(key: str, kind: str, tmp_path: Path):
    (tmp_path / "tokenizer.json").write_text(whole_words())
    for value in VALUES:
        for content in (value, [value, value]):
            (tmp_path / "tokenizer_config.json").write_text(json.dumps({key: content}))
            try:
                tokenizer = load_tokenizer(tmp_path, {"model_type": kind, "tokenizer_class": value})
                assert tokenizer is not None
                assert tokenizer.encode("a b").tokens.ids[0] is not None
            except CheckpointError as error:
                assert "\n" not in str(error) and len(str(error)) < 300


@pytest.mark.parametrize("file", ["added_tokens.json", "special_tokens_map.json", "config"])
def test_small_files_of_the_wrong_shape(file: str, tmp_path: Path):
    (tmp_path / "tokenizer.json").write_text(whole_words())
    for value in VALUES:
        config = {"model_type": value} if file == "config" else {}
        if file != "config":
            (tmp_path / file).write_text(json.dumps(value))
        try:
            assert load_tokenizer(tmp_path, config) is not None
        except CheckpointError as error:
            assert str(error).startswith(file) and "\n" not in str(error)


def piece(text: str, score: float, kind: int) -> bytes:
    data = text.encode()
    inner = b"\x0a" + bytes([len(data) & 127 | 128, len(data) >> 7]) + data
    inner += b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind])
    return b"\x0a" + bytes([len(inner) & 127 | 128, len(inner) >> 7]) + inner


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("added_tokens.json", {f"<t{i}>": i for i in range(3_000)}, "adds 3,000 tokens; at most 1,000 are read"),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {str(i): {"content": "x" * 100_000} for i in range(50)}},
            "adds tokens of 5,000,000 characters; at most 4,000,000 are read",
        ),
        ("tokenizer_config.json", {"additional_special_tokens": ["<a>"] * 1_001}, "adds 1,001 tokens"),
    ],
)
def test_too_much_is_not_read(file: str, content: dict, message: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(added, "MOST", 1_000)  # enough to see the limit without a large file
    (tmp_path / "tokenizer.json").write_text(whole_words())
    (tmp_path / file).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=message):
        load_tokenizer(tmp_path, {})


def test_pieces_that_are_too_long_together():
    data = b"".join(piece("a" * 500 + str(i), -float(i), 1) for i in range(16_000)) + piece("<unk>", 0, 2)
    with pytest.raises(CheckpointError, match=r"its pieces have 8,0\d\d,\d+ characters; at most 8,000,000 are read"):
        parse(data, "tokenizer.model")


def test_merges_that_make_nothing(tmp_path: Path, capfd):
    (tmp_path / "vocab.json").write_text('{"a": 0, "b": 1}')
    (tmp_path / "merges.txt").write_text("a b\n")
    with pytest.raises(CheckpointError, match=r"merges\.txt joins a and b, but vocab\.json lacks"):
        load_tokenizer(tmp_path, {"model_type": "gpt2"})
    assert capfd.readouterr().err == ""
