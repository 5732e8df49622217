"""Texts out of files of every kind: each in its order and under its place, what cannot be used with its reason."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc

import pytest

from attnviz.corpora.run import kept
from attnviz.corpora.texts import LONGEST, numbered, read_texts
from attnviz.errors import InputError


def read(*inputs, **how):
    return [(text.where, text.fault or text.text) for text in read_texts([str(each) for each in inputs], **how)]


def test_a_text_a_line(tmp_path):
    place = tmp_path / "a.txt"
    place.write_bytes("\ufeffFirst\r\n\n  \nZweite Zeile ü\n".encode() + b"caf\xe9\nlast")
    assert read(place) == [
        ("a.txt:1", "First"), ("a.txt:2", "empty"), ("a.txt:3", "empty"), ("a.txt:4", "Zweite Zeile ü"),
        ("a.txt:5", "not UTF-8 (byte 3)"), ("a.txt:6", "last"),
    ]  # fmt: skip


def test_a_line_too_long_is_one_text_that_cannot_be_used(tmp_path):
    place = tmp_path / "a.txt"
    longest = "x" * LONGEST
    place.write_text(f"{longest}\n{longest}y\n{longest * 3}\nshort\n")
    assert read(place) == [
        ("a.txt:1", longest),
        ("a.txt:2", "the line has more than 1,048,576 bytes"),
        ("a.txt:3", "the line has more than 1,048,576 bytes"),
        ("a.txt:4", "short"),
    ]


def test_a_packed_file_of_zeros_takes_no_memory(tmp_path):
    place = tmp_path / "a.txt.gz"
    with gzip.open(place, "wb", compresslevel=1) as file:
        for _ in range(64):
            file.write(b"\0" * (1 << 20))
        file.write(b"\nafter\n")
    tracemalloc.start()
    assert [fault_or_text for _, fault_or_text in read(place)][1:] == ["after"]
    assert tracemalloc.get_traced_memory()[1] < 8 * LONGEST
    tracemalloc.stop()


def test_json_lines(tmp_path):
    place = tmp_path / "a.jsonl"
    lines = [
        '{"text": "one"}',
        '"two"',
        '{"other": 1}',
        '{"text": null}',
        '{"text": 3}',
        "{",
        "",
        '{"text": "\\ud800"}',
    ]
    place.write_text("\n".join([*lines, "[" * 2000, '{"text": "z"}']))
    wanted = ["one", "two", "no field 'text'", "empty", "no text but int"]
    got = [text for _, text in read(place)]
    assert got[:5] == wanted and got[6:8] == ["empty", "not UTF-8"] and got[-1] == "z"
    assert "not JSON" in got[5] and "nested too deeply" in got[8]
    assert [text for _, text in read(place, field="other")][2] == "no text but int"


def test_tables(tmp_path):
    place = tmp_path / "a.csv"
    place.write_text('id,text\n1,"one, with a comma"\n2,"two\nlines"\n3\n4,"say ""hi"""\n', encoding="utf-8-sig")
    assert read(place) == [
        ("a.csv:2", "one, with a comma"), ("a.csv:3", "two\nlines"), ("a.csv:5", "only 1 cells"),
        ("a.csv:6", 'say "hi"'),
    ]  # fmt: skip
    (tmp_path / "b.tsv").write_text("sentence\nfirst\nsecond\n")
    assert read(tmp_path / "b.tsv") == [("b.tsv:2", "first"), ("b.tsv:3", "second")]
    with pytest.raises(InputError, match=r"a\.csv has no column 'review'; it has 'id', 'text'") as caught:
        read(place, field="review")
    assert "--field" in caught.value.hint


def test_a_cell_that_is_not_utf_8(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text,n\ngood,1\nb\xffd,2\nfine,3\n")
    assert read(tmp_path / "a.csv") == [("a.csv:2", "good"), ("a.csv:3", "not UTF-8 (byte 1)"), ("a.csv:4", "fine")]


def test_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    table = pa.table({"text": ["one", None, "three"], "n": [1, 2, 3]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [("a.parquet:1", "one"), ("a.parquet:2", "empty"), ("a.parquet:3", "three")]
    assert read(tmp_path / "a.parquet", field="n")[0] == ("a.parquet:1", "no text but int")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(InputError, match=r"b\.parquet is no Parquet file that can be read"):
        read(tmp_path / "b.parquet")


def test_a_folder_is_its_files_by_name(tmp_path):
    outside = tmp_path / "secret.txt"
    outside.write_text("secret")
    folder = tmp_path / "texts"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "2.txt").write_text("one text\nof two lines\n")
    (folder / "a.jsonl").write_text('"first"\n"second"\n')
    (folder / ".hidden.txt").write_text("hidden")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "link.txt").symlink_to(outside)
    assert read(folder) == [("a.jsonl:1", "first"), ("a.jsonl:2", "second"), ("b/2.txt", "one text\nof two lines\n")]
    assert [where for where, _ in read(folder, reading="txt")][-2:] == ["b/2.txt:1", "b/2.txt:2"]
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"has no \.txt, \.jsonl"):
        read(tmp_path / "none")


def test_what_is_no_file_of_texts(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read(tmp_path / "absent.txt")
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(InputError, match=r"a\.doc is no file of texts") as caught:
        read(tmp_path / "a.doc")
    assert "--read" in caught.value.hint
    assert read(tmp_path / "a.doc", reading="txt") == [("a.doc:1", "x")]
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one\ntwo\n")[:-6])
    with pytest.raises(InputError, match="no whole gzip file"):
        read(tmp_path / "a.txt.gz")


def test_standard_input_and_several_inputs_are_numbered_through(tmp_path):
    lines = io.BytesIO(b"one\ntwo\n")
    assert [text.where for text in read_texts(["-"], stdin=lines)] == ["line 1", "line 2"]
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text("x\ny\n")
    assert [text.number for text in read_texts([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")])] == [0, 1, 2, 3]


def test_texts_from_python():
    texts = list(numbered(["one", " ", "\ud800", "x" * (LONGEST + 1)]))
    assert [text.fault for text in texts] == ["", "empty", "not UTF-8", "the text has more than 1,048,576 bytes"]
    with pytest.raises(InputError, match="text 1 is no string but int"):
        list(numbered(["one", 2]))


def test_texts_that_come_once_can_be_read_again():
    texts = [*numbered(["one\nline", "\u2028", "zwei ü"])]
    with kept(iter(texts)) as again:
        assert list(again()) == list(again()) == texts


def test_a_part_of_a_text_is_in_no_json(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "line\u2028separator\u0085"}) + "\n")
    assert read(tmp_path / "a.jsonl") == [("a.jsonl:1", "line\u2028separator\u0085")]
