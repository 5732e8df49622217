"""The table of formats: every entry has a writer, and what is written is what was asked for."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

from attnviz.errors import SelectionError
from attnviz.render import formats

ROWS = [{"layer": 0, "token": "=1+1", "weight": 0.5}, {"layer": 1, "token": "ü\x1b", "weight": math.nan}]


def test_no_thing_has_two_writers_of_one_format():
    assert len({(form.name, form.holds) for form in formats.FORMATS}) == len(formats.FORMATS)
    assert {form.holds for form in formats.FORMATS} <= set(formats.KINDS)


@pytest.mark.parametrize("form", formats.FORMATS, ids=lambda form: f"{form.name}-{form.holds}")
def test_every_writer_exists(form):
    from importlib import import_module

    module, _, function = form.writer.partition(":")
    assert callable(getattr(import_module(module), function))


def test_formats_of_several_kinds_are_named_once_in_the_order_of_the_table():
    assert formats.of(formats.ATTENTION) == ("npz", "json", "csv", "parquet")
    assert formats.of(formats.ROWS, formats.ATTENTION) == ("npz", "json", "csv", "parquet")
    assert formats.of(formats.FIGURE)[:3] == ("png", "svg", "pdf")
    assert formats.of() == ()


def test_an_unknown_format_is_refused_with_those_there_are():
    with pytest.raises(SelectionError, match=r"format.*png.*got 'bmp'"):
        formats.encode("bmp", ROWS)


def test_rows_come_back_from_json_and_csv():
    assert json.loads(formats.encode("json", ROWS)) == [ROWS[0], {**ROWS[1], "weight": None}]
    lines = csv.reader(io.StringIO(formats.encode("csv", ROWS).decode("utf-8")))
    assert list(lines) == [
        ["layer", "token", "weight"],
        ["0", "'=1+1", "0.5"],
        ["1", "ü\x1b", ""],
    ]
    assert formats.encode("json", []) == b"[]\n"


def test_arrays_come_back_from_npz():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    with np.load(io.BytesIO(formats.encode("npz", {"distances": array}))) as members:
        assert np.array_equal(members["distances"], array)
