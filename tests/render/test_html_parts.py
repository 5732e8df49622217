"""Results as pages for a browser: every kind of part, the numbers of every result, hostile texts, options."""

from __future__ import annotations

import json
import math
import re
from importlib import import_module
from pathlib import Path

import pytest
from helpers.paths import REFERENCE

import attnviz
from attnviz.errors import SelectionError
from attnviz.page import parts
from attnviz.page.parts.part import Part
from attnviz.render.formats import encode
from attnviz.render.html.parts import PARTS
from attnviz.show import ROWS, encode_result

TEXT = "The cat sat on the mat because it was tired"


def document(page: bytes) -> dict:
    """The JSON of a page."""
    found = re.search(r'<script type="application/json" id="document">(.*?)</script>', page.decode(), re.S)
    assert found
    return json.loads(found[1])


def kinds() -> list[str]:
    """Every kind of part that a page can have."""
    names = [name for file in parts._FILES for name in parts._FILES[file].split()]
    return [name for name in names if isinstance(getattr(parts, name), type) and issubclass(getattr(parts, name), Part)]


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_of_part_has_a_function_for_a_browser(kind):
    module, _, function = PARTS[kind].partition(":")
    assert callable(getattr(import_module(f"attnviz.render.html.{module}"), function))


def results() -> dict[str, object]:
    """A result of each analysis that a browser shows."""
    tiny = attnviz.load("tiny")
    return {
        "stats": attnviz.stats(tiny, TEXT),
        "roles": attnviz.roles(tiny, TEXT),
        "links": attnviz.links(tiny, TEXT),
        "focus": attnviz.focus(tiny, TEXT, query="it"),
        "similar": attnviz.similar(tiny, TEXT),
        "lines": attnviz.lines(tiny, TEXT),
        "generate": attnviz.generate(attnviz.load("seeded", causal=True), "the cat saw the dog and", max_new=4),
        "qk": attnviz.qk(tiny, TEXT),
        "steps": attnviz.steps(tiny, TEXT),
        "circuits": attnviz.circuits(tiny),
        "rollout": attnviz.rollout(tiny, TEXT),
        "flow": attnviz.flow(tiny, TEXT),
        "norms": attnviz.norms(tiny, TEXT),
    }


@pytest.fixture(scope="module")
def made() -> dict[str, object]:
    return results()


NAMES = tuple("stats roles links focus similar lines generate qk steps circuits rollout flow norms".split())


def same(cell: object, value: object) -> bool:
    """Whether a cell of a page is this value of a row."""
    if isinstance(value, bool):
        return cell == ("yes" if value else "no")
    if isinstance(value, float):
        return cell is None if not math.isfinite(value) else math.isclose(cell, value, rel_tol=1e-8)
    if isinstance(value, list | tuple):
        return cell == ", ".join(map(str, value))
    return cell == value


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_the_numbers_of_the_rows(made, name):
    page = document(encode_result(made[name], "html"))
    table = page["parts"][-1]
    rows = made[name].rows()
    assert table["kind"] == "Table"
    assert len(table["rows"]) == min(len(rows), ROWS)
    for cells, row in zip(table["rows"], rows, strict=False):
        for cell, header in zip(cells, table["header"], strict=True):
            assert same(cell, row.get(header)), (header, cell, row.get(header))


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_a_title_and_something_besides_the_rows(made, name):
    page = document(encode_result(made[name], "html"))
    assert page["title"]
    assert len(page["parts"]) > 1
    assert page["madeBy"]["version"] == attnviz.__version__


def test_equal_results_give_equal_bytes(made):
    assert encode_result(made["stats"], "html") == encode_result(made["stats"], "html")


@pytest.mark.parametrize("name", ["stats", "qk", "similar"])
def test_every_block_of_the_page_is_there(made, name):
    page = encode_result(made[name], "html")
    assert page.count(b'id="block-') == len(document(page)["blocks"])


HOSTILE = "</script><img src=x onerror=alert(1)>"


def test_hostile_texts_stay_inside_the_json():
    page = parts.Page(
        HOSTILE,
        HOSTILE,
        (
            parts.Facts([(HOSTILE, HOSTILE)]),
            parts.Sentence(HOSTILE, HOSTILE),
            parts.Table([HOSTILE], [[HOSTILE]], "l"),
            parts.Listing([HOSTILE], [((HOSTILE,), HOSTILE)]),
            parts.Rows([{HOSTILE: HOSTILE}], 1),
        ),
        (HOSTILE,),
    )
    text = encode("html", page, made_by={"command": HOSTILE}).decode()
    assert "<img" not in text
    assert HOSTILE in json.dumps(document(text.encode()))


def test_a_page_says_how_many_rows_it_leaves_out():
    page = parts.Page("t", "", (parts.Rows([{"a": 1}] * 3, 5000),))
    table = document(encode("html", page))["parts"][0]
    assert table["caption"] == "The first 3 of 5,000 rows; .json and .csv have all"


def test_a_page_counts_rows_only_so_far():
    page = parts.Page("t", "", (parts.Rows([{"a": 1}] * 3, 5000, more=True),))
    table = document(encode("html", page))["parts"][0]
    assert table["caption"] == "The first 3 of more than 5,000 rows; .json and .csv have all"


def test_a_column_of_numbers_becomes_numbers_and_names_of_heads_stay():
    rows = [("1.10", "0.25", "−3", "1,000"), ("2.3", "", "4", "7")]
    page = parts.Page("t", "", (parts.Table(("layer.head", "x", "y", "z"), rows, "rrrr"),))
    table = document(encode("html", page))["parts"][0]
    assert table["rows"] == [["1.10", 0.25, -3, 1000], ["2.3", None, 4, 7]]


def test_maps_start_where_the_options_say(made, tmp_path):
    made["rollout"].save(tmp_path / "x.html", scale="linear", vmax=0.25, cmap="viridis")
    start = document((tmp_path / "x.html").read_bytes())["parts"][0]["start"]
    assert start == {"scale": "linear", "cmap": "viridis", "high": 0.25}
    with pytest.raises(SelectionError, match="cmap"):
        made["rollout"].save(tmp_path / "y.html", cmap="plasma")
    with pytest.raises(SelectionError, match="scale"):
        made["stats"].save(tmp_path / "y.html", scale="linear")


def test_a_query_is_where_the_maps_start():
    result = attnviz.rollout(attnviz.load("tiny"), TEXT, query="mat")
    start = document(encode_result(result, "html"))["parts"][0]["start"]
    assert start == {"view": "map", "token": result.query}


LISTINGS = (
    ("models",),
    ("describe", REFERENCE / "gpt2"),
    ("tokens", TEXT),
    ("inspect", "seeded"),
    ("inspect", "seeded", "--tensor", "layers.0.q.weight"),
    ("check", "seeded"),
    ("mechanisms",),
)
COMMANDS = (
    ("diff", "the cat sat", "the dog sat"),
    ("mechanisms", TEXT, "--mechanism", "window:1"),
    ("steps", TEXT, "--diagram"),
    ("generate", TEXT, "--max-new", "3", "--by", "text"),
    ("lines", TEXT, "--as", "text", "--query", "it"),
    ("circuits", "seeded", "--by", "spectrum"),
)


@pytest.mark.parametrize("words", [*LISTINGS, *COMMANDS], ids=lambda words: f"{words[0]}-{words[-1]}")
def test_a_command_writes_a_page(run, words):
    status, out, err = run(*words, "-o", "x.html")
    assert (status, out) == (0, "x.html\n"), err
    page = document(Path("x.html").read_bytes())
    assert page["title"] not in ("", "Listed", "MechanismList", "OneTensor")
    assert page["parts"]
    assert page["madeBy"]["command"].startswith("attnviz ")


def test_a_page_goes_to_standard_output_by_its_format(run):
    status, out, _ = run("models", "-o", "-", "--format", "html")
    assert status == 0
    assert out.startswith("<!DOCTYPE html>")
    _, numbers, _ = run("models", "-o", "-")
    assert json.loads(numbers)


@pytest.mark.parametrize("option", ["width", "dpi", "font", "frame_ms", "svg_text"])
def test_options_of_pictures_are_refused(made, tmp_path, option):
    with pytest.raises(SelectionError, match=option):
        made["stats"].save(tmp_path / "x.html", **{option: 3})
    assert not (tmp_path / "x.html").exists()


def test_a_title_is_taken(made, tmp_path):
    made["stats"].save(tmp_path / "x.html", title="Ours")
    assert document((tmp_path / "x.html").read_bytes())["title"] == "Ours"
