"""Ids as transformers' fast tokenizers give them, for folders of every layout (scripts/make_token_reference.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from attnviz.tokens import load_tokenizer

STORED = Path(__file__).parent / "reference_tokens"
FOLDERS = json.loads((STORED / "folders.json").read_text())
EXPECTED = json.loads((STORED / "expected.json").read_text())
GIVEN = [(text,) for text in EXPECTED["texts"]] + [tuple(pair) for pair in EXPECTED["pairs"]]
PAIRS = [text for text, _ in EXPECTED["pairs"]]
# Texts whose ids are not those of version 4; docs/tokenizers.md says why.
OWN = {
    "marian": [">>de<< translate this >>fr<<"],  # a language stands at the beginning
    "gpt2-bos": PAIRS,  # the second text has a begin token too, as in version 5
    "opt": PAIRS,
    "codellama": PAIRS,  # two texts are no place to fill
}


def laid_out(name: str, place: Path) -> Path:
    """A folder as it was split by transformers."""
    for file, content in FOLDERS[name].items():
        if isinstance(content, str) and content.startswith("@"):
            (place / file).write_bytes((STORED / "files" / content[1:]).read_bytes())
        else:
            (place / file).write_text(json.dumps(content))
    return place


def tokenizer_of(name: str, place: Path):
    config = FOLDERS[name].get("config.json", {})
    found = load_tokenizer(laid_out(name, place), config)
    assert found is not None
    return found


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
