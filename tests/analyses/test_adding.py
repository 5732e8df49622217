"""docs/adding-an-analysis.md is true: its statistic and its command work everywhere at once, as the page has them."""

from __future__ import annotations

import csv
import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import ROOT

import attnviz
from attnviz.analyses.base import REGISTERED
from attnviz.cli import app, main
from attnviz.measures import statistics

TEXT = "The cat sat on the mat"
BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "adding-an-analysis.md").read_text(encoding="utf-8"), re.DOTALL
)


@pytest.fixture
def words(capsys, tmp_path, monkeypatch):
    """Run a command in an empty folder, with help and tables of 100 columns: (status, standard output)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    app.build.cache_clear()
    yield lambda *argv: (main([*argv]), capsys.readouterr().out)
    app.build.cache_clear()


def files_agree(words, name, *more):
    """The files of a command: .json and .csv hold the same rows as --json; a .png is one."""
    rows = json.loads(words(name, TEXT, "-m", "seeded", "--json", *more)[1])
    for file in ("a.json", "a.csv", "a.png"):
        assert words(name, TEXT, "-m", "seeded", *more, "-o", file) == (0, f"{file}\n")
    assert json.loads(Path("a.json").read_text(encoding="utf-8")) == rows
    lines = Path("a.csv").read_text(encoding="utf-8").splitlines()
    assert list(next(csv.DictReader(lines))) == list(rows[0]) and len(lines) == len(rows) + 1
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    return rows


def test_a_statistic_is_one_entry(words, monkeypatch):
    monkeypatch.setattr(statistics, "STATISTICS", table := [*statistics.STATISTICS])
    monkeypatch.setattr("attnviz.analyses.stats.STATISTICS", table)
    monkeypatch.setattr(statistics.TileRows, "second_largest", None, raising=False)
    names = {"STATISTICS": table}
    exec(BLOCKS[1], names)
    exec(BLOCKS[0].replace("import STATISTICS, Statistic", "import Statistic"), names)
    status, out = words("stats", "--help")
    assert status == 0 and "special or second." in " ".join(out.replace("│", " ").split())
    rows = files_agree(words, "stats", "--by", "second")
    weights = attnviz.load("seeded").attend(TEXT).weights
    for row in rows:
        wanted = np.sort(weights[row["layer"], row["head"]], -1)[:, -2].mean()
        assert row["second"] == pytest.approx(wanted, abs=1e-6)
    assert [row["second"] for row in rows] == sorted((row["second"] for row in rows), reverse=True)
    assert words("stats", TEXT, "-m", "seeded")[1].split("\n")[0].split()[-1] == "second"


def test_a_command_is_one_file(words, monkeypatch, tmp_path):
    monkeypatch.setattr("attnviz.analyses.base.REGISTERED", registered := {**REGISTERED})
    (tmp_path / "favourites_example.py").write_text(BLOCKS[2], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    example = importlib.import_module("favourites_example")
    assert "favourites" in registered
    status, out = words("favourites", "--help")
    flowing = " ".join(out.replace("│", " ").split())
    assert status == 0 and "Usage: attnviz favourites" in flowing
    assert "Special tokens may be the strongest key." in flowing and "--no-special-keys" in flowing
    rows = files_agree(words, "favourites")
    weights = attnviz.load("seeded").attend(TEXT).weights.sum(2)
    assert {(row["layer"], row["head"]): row["share"] for row in rows} == {
        at: pytest.approx(weights[at].max() / 6, abs=1e-6) for at in np.ndindex(weights.shape[:2])
    }
    assert len(words("favourites", TEXT, "-m", "seeded", "--top", "3")[1].splitlines()) == 4
    result = example.favourites(attnviz.load("seeded"), TEXT, top=2)
    assert result.rows() == rows[:2] and result._repr_png_().startswith(b"\x89PNG")
