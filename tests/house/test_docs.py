"""Statements of the pages about the repository hold: links lead somewhere, lists are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.paths import REFERENCE, ROOT
from helpers.scripts import status_of

import attnviz

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    matches = re.findall(r"\]\(([^)#:]+)\)|src=\"([^\":]+)\"", page.read_text())
    assert [link for pair in matches for link in pair if link and not (page.parent / link).exists()] == []


def test_every_page_of_analysis_answers_a_question_of_the_list():
    text = (ROOT / "docs" / "analysis" / "README.md").read_text()
    pages = [path.name for path in (ROOT / "docs" / "analysis").glob("*.md") if path.name != "README.md"]
    assert [name for name in pages if f"]({name})" not in text] == []


@pytest.mark.parametrize("folder", ["scripts", "sample_inputs"])
def test_every_file_has_its_row(folder):
    text = (ROOT / folder / "README.md").read_text()
    wide = [re.escape(name).replace(r"\*", ".*") for name in re.findall(r"`([\w.*]+)`", text)]
    files = [path.name for path in (ROOT / folder).iterdir() if path.is_file() and path.name != "README.md"]
    assert [name for name in files if name not in text and not any(re.fullmatch(w, name) for w in wide)] == []


def test_every_room_is_in_the_table_of_rooms():
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    house = Path(attnviz.__file__).parent
    rooms = {path.name + "/" for path in house.iterdir() if (path / "__init__.py").is_file()}
    rooms |= {path.name for path in house.glob("[a-z]*.py")}
    assert {room for room in rooms if f"`{room}`" not in table} == set()


def test_the_table_of_families_is_what_their_files_say(capsys):
    assert (status_of(ROOT / "scripts" / "make_model_docs.py", "--check"), capsys.readouterr().err) == (0, "")


def test_how_many_families_the_pages_promise():
    cases = sum(path.is_dir() for path in REFERENCE.iterdir())
    for page in ("README.md", "CHANGELOG.md"):
        matches = re.findall(r"(\d+) (?:model\s+)?families|checkpoints of (\d+)\s+families", (ROOT / page).read_text())
        assert {int(number) for pair in matches for number in pair if number} == {cases}, page


def test_the_formula_is_quoted_as_it_is():
    """docs/steps.md shows the engine's formula whole."""
    code = (ROOT / "attnviz" / "engine" / "attention.py").read_text(encoding="utf-8")
    quoted = f"```py\n{code[code.index('def attention(') :]}```"
    assert quoted in (ROOT / "docs" / "steps.md").read_text(encoding="utf-8")
