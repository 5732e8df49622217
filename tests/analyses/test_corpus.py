"""`attnviz.corpus`: texts from lists, generators and files, and its errors."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

import attnviz
from attnviz.errors import AttnvizError, InputError, SelectionError

TEXTS = ["The cat sat.", "", "A dog and a cat sat on the mat.", "Birds sing."]
FAST = {"workers": 0, "part_texts": 2, "analyses": "stats"}


@pytest.fixture(scope="module")
def model():
    return attnviz.load("seeded", seed=2)


def summary(folder):
    return pq.read_table(folder / "summary.parquet").to_pylist()


def test_a_list_a_generator_and_a_file_are_the_same_corpus(model, tmp_path):
    (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    ways = {"list": TEXTS, "generator": (text for text in TEXTS), "file": tmp_path / "texts.txt"}
    ways["name"], ways["paths"] = str(ways["file"]), [ways["file"]]
    for name, texts in ways.items():
        told = []
        report = attnviz.corpus(texts, model, tmp_path / name, **FAST, progress=lambda *at, told=told: told.append(at))
        assert told == [(0, 4), (2, 4), (4, 4)]
        assert (report.corpus.totals.texts, report.corpus.reasons()) == (
            3,
            [(1, "empty", "texts.txt:2" if name in ("file", "name", "paths") else "text 1")],
        )
    assert all(summary(tmp_path / name) == summary(tmp_path / "list") for name in ways)


def test_a_run_continues_and_the_report_is_that_of_the_folder(model, tmp_path):
    first = attnviz.corpus(TEXTS, model, tmp_path / "out", **FAST)
    told = []
    again = attnviz.corpus(TEXTS, model, tmp_path / "out", **FAST, progress=lambda *at: told.append(at))
    assert told == [(4, 4)]
    assert first.rows() == again.rows() == attnviz.corpus_report(tmp_path / "out").rows()


def test_processes_measure_the_same(model, tmp_path):
    alone = attnviz.corpus(TEXTS, model, tmp_path / "alone", **FAST)
    other = attnviz.corpus(iter(TEXTS), model, tmp_path / "processes", **{**FAST, "workers": 1})
    assert alone.rows() == other.rows()
    assert summary(tmp_path / "alone") == summary(tmp_path / "processes")


@pytest.mark.parametrize(
    ("texts", "options", "says"),
    [
        ("The cat sat on the mat. " * 400, {}, "no such file or folder of texts"),
        ("The cat", {}, "no such file or folder of texts"),
        (b"cat", {}, "texts wants strings, or a path; got bytes"),
        (5, {}, "texts wants strings, or a path; got int"),
        (["a", 5], {}, "text 1 is no string but int"),
        ([Path("a.txt"), "b"], {}, "paths and texts in one list"),
        ([], {}, "there are no texts"),
        (["a"], {"field": "x"}, "field is for files"),
        (["a"], {"read": "txt"}, "read is for files"),
        (["a"], {"read": "doc"}, "read must be"),
        (["a"], {"analyses": ("stats", "nonsense")}, "analyses must be"),
        (["a"], {"analyses": ()}, "nothing to measure"),
        (["a"], {"save_each": "gif"}, "save_each must be"),
        (["a"], {"links": 0}, "links wants a whole number from 1 to 1,000; got 0"),
        (["a"], {"part_texts": True}, "part_texts wants"),
        (["a"], {"workers": -1}, "workers wants a whole number from 0 to 1,024; got -1"),
        (["a"], {"workers": 1, "client": object()}, "workers is for this machine"),
        (["a"], {"stream": "cross"}, "one text at a time"),
    ],
)
def test_errors_name_the_argument(model, tmp_path, texts, options, says):
    with pytest.raises(AttnvizError) as raised:
        attnviz.corpus(
            texts, model, tmp_path / "out", **{"workers": 0, **options} if "client" not in options else options
        )
    assert isinstance(raised.value, (InputError, SelectionError))
    assert str(raised.value).startswith(says) or says in str(raised.value)


def test_names_of_files_are_no_texts(model, tmp_path):
    places = [str(tmp_path / name) for name in ("a.txt", "b.txt")]
    for place in places:
        Path(place).write_text("A cat.\n")
    with pytest.raises(InputError, match="names of files") as raised:
        attnviz.corpus(places, model, tmp_path / "out", workers=0)
    assert "pathlib.Path" in raised.value.hint
