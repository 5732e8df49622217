"""The afternoon's reading in docs/architecture.md: every file is there, and an afternoon is enough."""

from __future__ import annotations

import re
from pathlib import Path

from helpers.paths import ROOT

import attnviz

HOUSE = Path(attnviz.__file__).parent


def test_the_reading_path_is_about_six_thousand_lines():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## An afternoon's reading")[2].partition("## ")[0]
    files = re.findall(r"`([\w/]+\.py)`", "".join(line.split("|")[1] for line in table.splitlines() if "|" in line[:2]))
    assert len(files) > 25
    lines = sum(len((HOUSE / file).read_text(encoding="utf-8").splitlines()) for file in files)
    assert 5_000 < lines < 7_000, lines
