"""Ids compared with transformers' fast tokenizers, for folders of every layout (scripts/make_token_reference.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.paths import TOKENS
from helpers.token_reference import EXPECTED, FOLDERS, GIVEN, OWN

from attnviz.tokens import load_tokenizer


def laid_out(name: str, place: Path) -> Path:
    """A folder whose texts transformers has split."""
    for file, content in FOLDERS[name].items():
        if isinstance(content, str) and content.startswith("@"):
            (place / file).write_bytes((TOKENS / "files" / content[1:]).read_bytes())
        else:
            (place / file).write_text(json.dumps(content))
    return place


def tokenizer_of(name: str, place: Path):
    config = FOLDERS[name].get("config.json", {})
    tokenizer = load_tokenizer(laid_out(name, place), config)
    assert tokenizer is not None
    return tokenizer


@pytest.mark.parametrize("name", ["yi", "yi-json", "gemma", "gemma-json"])
def test_runs_of_spaces_have_readable_labels(name: str, tmp_path: Path):
    tokens = tokenizer_of(name, tmp_path).encode("a  b    c").tokens
    assert "▁" not in "".join(tokens.text)
    assert "␣␣" in tokens.text and tokens.words[-1] == 2


@pytest.mark.parametrize("name", FOLDERS)
def test_ids_are_those_of_transformers(name: str, tmp_path: Path):
    tokenizer = tokenizer_of(name, tmp_path)
    wanted = EXPECTED["v4"][name]
    wanted = EXPECTED["v4"][wanted] if isinstance(wanted, str) else wanted
    wrong = [
        (texts, list(tokenizer.encode(*texts).tokens.ids), want)
        for texts, want in zip(GIVEN, wanted, strict=True)
        if list(tokenizer.encode(*texts).tokens.ids) != want
    ]
    assert [one for one in wrong if one[0][0] not in OWN.get(name, ())] == []
    assert {one[0][0] for one in wrong} == set(OWN.get(name, ()))
