"""Commands that list: a family, a configuration, a text's tokens. Files hold what --json prints."""

from __future__ import annotations

import csv
import json

import pytest

import attnviz
from attnviz.cli import main


@pytest.mark.parametrize(
    "words", [("models",), ("describe", "tiny"), ("tokens", "The cats sat", "-m", "tiny"), ("inspect", "tiny")]
)
def test_files_hold_the_rows_that_json_prints(words, capsys, tmp_path):
    assert main([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    for ending in ("json", "csv"):
        assert main([*words, "-o", str(tmp_path / f"a.{ending}")]) == 0
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == rows
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [list(row) for row in table] == [list(row) for row in rows]
    for written, row in zip(table, rows, strict=True):
        for name, value in row.items():
            wanted = json.loads(written[name]) if isinstance(value, (list, dict)) else written[name]
            assert wanted == (value if isinstance(value, (list, dict)) else "" if value is None else str(value))
    assert main([*words, "-o", str(tmp_path / "a.png")]) == 2


def test_a_listing_says_what_python_says(capsys):
    assert main(["tokens", "The cats sat", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    tokens = attnviz.tokenize("The cats sat")
    assert [(row["token"], row["id"], row["word"], [row["start"], row["end"]]) for row in rows] == [
        (text, number, word, list(span))
        for text, number, word, span in zip(tokens.text, tokens.ids, tokens.words, tokens.spans, strict=True)
    ]
    assert main(["describe", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [attnviz.describe("tiny")]
