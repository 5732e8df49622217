"""Results and Attention as Arrow streams: what pyarrow reads is what rows() and .parquet hold."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.sentences import TIRED

import attnviz
from attnviz.analyses.base import Result
from attnviz.errors import OutputError
from attnviz.render import arrow


@dataclass
class Listed(Result):
    listed: list
    asked: int = 0

    def title(self):
        return "listed"

    def each_row(self):
        self.asked += 1
        yield from self.listed


@pytest.fixture(scope="module")
def model():
    return attnviz.load("seeded", seed=1)


def test_the_rows_of_results_come_back(model):
    for result in (attnviz.stats(model, TIRED), attnviz.roles(model, TIRED), attnviz.links(model, TIRED)):
        rows = result.rows()
        table = pa.table(result)
        assert table.column_names == list(rows[0])
        nan_as_none = [{k: None if v != v else v for k, v in row.items()} for row in rows]
        assert table.to_pylist() == nan_as_none


def test_types_come_from_all_rows_and_are_the_same_in_every_batch(monkeypatch):
    """None in the first batch, numbers in the second; whole numbers first, a fraction later; words among numbers."""
    monkeypatch.setattr(arrow, "AT_ONCE", 2)
    rows = [
        {"late": None, "grows": 1, "head": 0, "yes": True, "at": [1, 2], "none": None},
        {"late": None, "grows": 2, "head": 1, "yes": False, "at": [], "none": None},
        {"late": 4, "grows": 2.5, "head": "mlp", "yes": None, "at": [3], "none": None, "new": "word"},
        {"late": 5, "grows": float("nan"), "head": None, "yes": True, "at": None, "none": None},
        {"late": 6, "grows": 3, "head": 2, "yes": True, "at": [4], "none": None},
    ]
    result = Listed(rows)
    reader = pa.RecordBatchReader.from_stream(result)
    wanted = {"late": pa.int64(), "grows": pa.float64(), "head": pa.string(), "yes": pa.bool_()}
    wanted |= {"at": pa.list_(pa.int64()), "none": pa.null(), "new": pa.string()}
    assert dict(zip(reader.schema.names, reader.schema.types, strict=True)) == wanted
    batches = list(reader)
    assert [len(batch) for batch in batches] == [2, 2, 1] and all(each.schema == reader.schema for each in batches)
    table = pa.table(result).to_pydict()
    assert table["late"] == [None, None, 4, 5, 6]
    assert table["grows"] == [1.0, 2.0, 2.5, None, 3.0]
    assert table["head"] == ["0", "1", "mlp", None, "2"]
    assert table["at"] == [[1, 2], [], [3], None, [4]]
    assert table["new"] == [None, None, "word", None, None]


def test_a_batch_is_made_when_it_is_asked_for():
    """A result of many rows is read twice, and never held."""
    made = []

    class Long(Listed):
        def each_row(self):
            for i in range(50_000):
                made.append(i)
                yield {"i": i, "x": i / 2}

    reader = pa.RecordBatchReader.from_stream(Long([]))
    assert len(made) == 50_000  # the pass that finds the types
    first = reader.read_next_batch()
    assert len(first) == arrow.AT_ONCE and len(made) < 50_000 + 2 * arrow.AT_ONCE
    assert sum(len(batch) for batch in reader) + len(first) == 50_000


def test_objects_are_json_and_large_integers_text():
    table = pa.table(Listed([{"a": {"b": 1}, "n": 2**70}, {"a": [1, {"c": 2}], "n": 3}]))
    assert table.to_pylist() == [{"a": '{"b": 1}', "n": str(2**70)}, {"a": '[1, {"c": 2}]', "n": "3"}]


def test_no_rows_are_a_table_without_columns():
    assert pa.table(Listed([])).num_rows == 0


def test_a_schema_that_is_asked_for_is_given():
    wanted = pa.schema([("i", pa.float32())])
    table = pa.RecordBatchReader.from_stream(Listed([{"i": 1}]), schema=wanted).read_all()
    assert table.schema == wanted and table.to_pylist() == [{"i": 1.0}]


def test_attention_is_what_parquet_holds(model, tmp_path):
    attention = model.attend(TIRED, layers=[1], heads=[0, 2])
    attention.save(tmp_path / "a.parquet")
    assert pa.table(attention).equals(pq.read_table(tmp_path / "a.parquet"))
    reader = pa.RecordBatchReader.from_stream(attention)
    assert sum(1 for _ in reader) == 2  # a batch per head
    assert b"attnviz" in (reader.schema.metadata or {})


def test_a_token_that_comes_twice_is_once_in_the_dictionary(model):
    """pandas refuses a dictionary that has a word twice."""
    attention = model.attend("the cat saw the dog")
    table = pa.table(attention)
    for column, tokens in (("query_token", attention.query_tokens), ("key_token", attention.key_tokens)):
        words = table[column].chunk(0).dictionary.to_pylist()
        assert len(set(words)) == len(words)
        places = table[column.removesuffix("_token")].to_pylist()
        assert table[column].to_pylist() == [tokens[place] for place in places]


def test_without_pyarrow_it_says_so(model, monkeypatch):
    result, attention = attnviz.stats(model, TIRED), model.attend(TIRED)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for value in (result, attention):
        with pytest.raises(OutputError, match="needs pyarrow") as raised:
            value.__arrow_c_stream__()
        assert "pip install" in raised.value.hint
