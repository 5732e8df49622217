"""An untrusted tokenizer cannot multiply a text, and its charsmap cannot end the process."""

from __future__ import annotations

import base64
import json
import struct

import pytest
from helpers.bounded import bounded
from helpers.sentences import TIRED as TEXT

from attnviz.cli import main
from attnviz.errors import CheckpointError
from attnviz.tokens import budget, load_tokenizer

REPLACE = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
EVERY = {"type": "Replace", "pattern": {"Regex": ""}, "content": "x" * 200}
METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
CUT = {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False}


def written(place, **parts):
    """A folder with a tokenizer.json of these parts and a vocabulary of letters."""
    whole = {
        "version": "1.0",
        "added_tokens": [],
        **dict.fromkeys(("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder")),
        "model": {"type": "BPE", "vocab": {"a": 0, "x": 1, "▁": 2}, "merges": []},
    } | parts
    (place / "tokenizer.json").write_text(json.dumps(whole))
    return place


def splitting(folder, text):
    return f"from pathlib import Path\nfrom attnviz.tokens import load_tokenizer\n" \
        f"return load_tokenizer(Path({str(folder)!r}), {{}}).encode({text!r})"  # fmt: skip


def nested(part, times, inner):
    for _ in range(times):
        part = {"type": "Sequence", inner: [part, REPLACE]}
    return part


MULTIPLYING = {
    "long content": {"normalizer": {**REPLACE, "content": "a" * 1_000_000}},
    "long prepend": {"normalizer": {"type": "Prepend", "prepend": "a" * 1_000_000}},
    "doubling": {"normalizer": {"type": "Sequence", "normalizers": [REPLACE] * 40}},
    "nested": {"normalizer": nested(REPLACE, 30, "normalizers")},
    "everywhere": {"normalizer": {"type": "Sequence", "normalizers": [EVERY, EVERY, EVERY]}},
    "escaped": {"normalizer": {"type": "Sequence", "normalizers": [EVERY, EVERY, EVERY]}},
    "pre-tokenizer": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [CUT, METASPACE] * 25}},
    "bytes": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [BYTES] * 25}},
    "template": {
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 200_000,
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {},
        }
    },
}


@pytest.mark.parametrize("name", MULTIPLYING)
def test_a_text_is_not_multiplied(tmp_path, name):
    folder = written(tmp_path, **MULTIPLYING[name])
    if name == "escaped":
        whole = (folder / "tokenizer.json").read_text()
        (folder / "tokenizer.json").write_text(whole.replace('"normalizer"', '"normal\\u0069zer"'))
    line, peak, seconds = bounded(splitting(folder, "abaé" * 30))
    assert line.startswith("CheckpointError: tokenizer.json"), line
    assert peak < 250 and seconds < 5, (peak, seconds)


def charsmap(claimed, table=b"", strings=b""):
    return struct.pack("<I", claimed) + table + strings


@pytest.mark.parametrize("data", [charsmap(2**32 - 4), charsmap(2**31), charsmap(7, bytes(7)), b"\x04"])
@pytest.mark.parametrize("kind", ["tokenizer.json", "spiece.model"])
def test_a_charsmap_that_claims_more_than_it_holds_is_refused(tmp_path, data, kind):
    """The library allocates as much memory as the first four bytes claim, and ends the process if that fails."""
    if kind == "tokenizer.json":
        part = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(data).decode()}
        written(tmp_path, normalizer=part)
    else:
        unknown = b"\n\x05<unk>\x15\0\0\0\0\x18\x02"
        plain = b"\n\x01a\x15\0\0\0\0"
        spec = b"\x12" + bytes([len(data)]) + data
        (tmp_path / kind).write_bytes(b"".join(
            tag + bytes([len(body)]) + body for tag, body in ((b"\n", unknown), (b"\n", plain), (b"\x1a", spec))
        ))  # fmt: skip
        (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer"}')
    line, _, _ = bounded(splitting(tmp_path, "a text"))
    assert "its charsmap claims a table of" in line, line


def test_a_charsmap_that_writes_pages_for_a_letter_is_refused():
    with pytest.raises(CheckpointError, match="makes up to 1,000 bytes of a character"):
        budget.check_charsmap(charsmap(4, bytes(4), b"x" * 1000 + b"\0"), "spiece.model")
    budget.check_charsmap(charsmap(4, bytes(4), b"x" * 33 + b"\0"), "spiece.model")


def test_what_published_files_do_is_allowed(tmp_path):
    """Steps of T5's, Llama's, CLIP's and Qwen's files, over a long text."""
    steps = [
        {"type": "NFKC"},
        {"type": "Lowercase"},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"},
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ]
    folder = written(
        tmp_path,
        normalizer={"type": "Sequence", "normalizers": steps},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [CUT, BYTES]},
        model={"type": "BPE", "vocab": {chr(code): code - 33 for code in range(33, 700)}, "merges": []},
    )
    tokenizer = load_tokenizer(folder, {})
    assert len(tokenizer.encode(TEXT * 500).tokens) > 20_000


def test_words_that_are_looked_up_in_quadratic_time_are_refused(tmp_path):
    model = {"type": "WordPiece", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]", "continuing_subword_prefix": "##"}
    folder = written(tmp_path, model={**model, "max_input_chars_per_word": 10**9})
    with pytest.raises(CheckpointError, match="max_input_chars_per_word is 1,000,000,000"):
        load_tokenizer(folder, {})


def test_a_panic_of_the_library_is_one_line(tmp_path, capfd):
    """An expression that gives up causes a panic, for which the library writes a page to standard error."""
    cut = {"type": "Split", "pattern": {"Regex": r"(a|aa|aaa)*[^a]{2}"}, "behavior": "Isolated", "invert": False}
    assert main(["tokens", "a" * 40 + "!", "-m", str(written(tmp_path, pre_tokenizer=cut))]) == 1
    err = capfd.readouterr().err
    assert err.startswith("error: tokenizer.json cannot split the text: ") and err.count("\n") == 1, err


@pytest.mark.parametrize("null", ["/nowhere/null", "/"])
def test_a_machine_without_a_null_device_splits_texts_all_the_same(null):
    """As in a sandbox without /dev, or with its own."""
    body = f"""
        import os
        os.devnull = {null!r}
        import attnviz
        return len(attnviz.load("tiny").tokenizer.encode("The cat sat").tokens)
    """
    assert bounded(body)[0] == "done: 5"
