"""Saved attention and foreign arrays: what is written is read again, and what is wrong is refused."""

from __future__ import annotations

import csv
import io
import json
import os
import struct
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from helpers.drawn_lines import page
from hypothesis import given, settings
from hypothesis import strategies as st

import attnviz
from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.errors import AttnvizWarning, InputError, OutputError
from attnviz.files.output import writing
from attnviz.io import arrays, data
from attnviz.io.saved import any_attention


def example(n_layers=2, n_heads=3, n=4, causal=True, seed=0, **more):
    rng = np.random.default_rng(seed)
    mask = np.tril(np.ones((n, n), bool)) if causal else np.ones((n, n), bool)
    weights = rng.random((n_layers, n_heads, n, n), np.float32) * mask
    weights /= weights.sum(-1, keepdims=True)
    tokens = Tokens(
        text=("[CLS]", "straße", "##n", "⏎")[:n],
        ids=(101, 7, 8, 9)[:n],
        words=(-1, 0, 0, 1)[:n],
        special=(True, False, False, False)[:n],
        segments=(0, 0, 0, 1)[:n],
        spans=((0, 0), (0, 6), (6, 7), (0, 1))[:n],
    )
    base = {"layers": (1, 5), "heads": (0, 2, 3), "model": "m", "meta": {"seed": 3, "digest": "ab12"}}
    return Attention(weights, mask[None], tokens, tokens, **{**base, **more})


def same(a, b):
    assert a.weights.dtype == b.weights.dtype == np.float32
    np.testing.assert_array_equal(a.weights, b.weights)
    assert (a.mask is None) == (b.mask is None)
    if a.mask is not None:
        np.testing.assert_array_equal(a.mask, b.mask)
    for name in ("queries", "keys", "layers", "heads", "stream", "model", "grid", "cell", "reduced"):
        assert getattr(a, name) == getattr(b, name), name


# ---- our own files


def test_what_is_saved_is_opened_again(tmp_path):
    a = example(stream="decoder", grid=(2, 2), cell=3, reduced="max over cells")
    a.save(tmp_path / "a.npz")
    b = attnviz.open(tmp_path / "a.npz")
    same(a, b)
    assert b.meta["seed"] == 3
    assert b.meta["digest"] == "ab12"


def test_an_unknown_mask_and_unknown_places_stay_unknown(tmp_path):
    a = Attention(np.full((1, 1, 2, 3), 1 / 3, np.float32), None, Tokens.plain("ab"), Tokens.plain("cde"), (0,), (0,))
    a.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as z:
        assert "mask" not in z.files
    same(a, attnviz.open(tmp_path / "a.npz"))


def test_averaged_heads_stay_averaged(tmp_path):
    a = example().mean("heads")
    a.save(tmp_path / "a.npz")
    b = attnviz.open(tmp_path / "a.npz")
    same(a, b)
    assert b.heads == (0, 2, 3)
    assert b.weights.shape[1] == 1


@settings(max_examples=30, deadline=None)
@given(
    text=st.lists(st.text(st.characters(exclude_characters="\0"), max_size=6), min_size=1, max_size=4),
    ids=st.integers(-1, 2**40),
    layers=st.lists(st.integers(0, 999), min_size=1, max_size=3, unique=True),
)
def test_any_tokens_survive(tmp_path_factory, text, ids, layers):
    n = len(text)
    tokens = Tokens.plain(text, [ids] * n)
    weights = np.random.default_rng(n).random((len(layers), 1, n, n), np.float32)
    a = Attention(weights, None, tokens, tokens, tuple(layers), (7,), model=text[0])
    path = tmp_path_factory.mktemp("s") / "a.npz"
    a.save(path)
    same(a, attnviz.open(path))


@pytest.mark.parametrize("name", ["\ud800", "x\udcff", "\ud83d\ude00"])
def test_a_name_that_no_encoding_holds_survives(tmp_path, name):
    """A file's name may be bytes that are no UTF-8: Python makes lone surrogates of them."""
    example(model=name).save(tmp_path / "a.npz")
    assert attnviz.open(tmp_path / "a.npz").model == name


def test_numpy_alone_reads_the_file(tmp_path):
    a = example()
    a.save(tmp_path / "a.npz")
    z = np.load(tmp_path / "a.npz", allow_pickle=False)
    assert z["weights"].shape == (2, 3, 4, 4)
    assert z["query_tokens"].tolist() == ["[CLS]", "straße", "##n", "⏎"]
    assert z["key_special"].tolist() == [True, False, False, False]
    assert z["query_segments"].tolist() == [0, 0, 0, 1]
    assert z["query_words"].tolist() == [-1, 0, 0, 1]
    assert z["query_ids"].tolist() == [101, 7, 8, 9]
    assert z["layers"].tolist() == [1, 5]
    meta = json.loads(str(z["meta"]))
    assert (meta["format"], meta["stream"], meta["model"], meta["cell"], meta["reduced"], meta["grid"]) == (
        1,
        "self",
        "m",
        1,
        "",
        None,
    )
    assert meta["version"] == attnviz.__version__


def test_the_same_attention_gives_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        with writing(tmp_path / name) as file:
            data.write_npz(example(), file, made_by={"command": "attnviz export x"})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_float16_halves_the_weights_and_opens_as_float32(tmp_path):
    a = example()
    with writing(tmp_path / "a.npz") as file:
        data.write_npz(a, file, dtype="float16")
    assert np.load(tmp_path / "a.npz")["weights"].dtype == np.float16
    b = attnviz.open(tmp_path / "a.npz")
    np.testing.assert_array_equal(b.weights, a.weights.astype(np.float16).astype(np.float32))
    with (
        pytest.raises(OutputError, match="dtype must be one of float32, float16; got 'int8'"),
        writing(tmp_path / "b.npz") as file,
    ):
        data.write_npz(a, file, dtype="int8")
    assert not (tmp_path / "b.npz").exists()


def test_save_follows_the_ending(tmp_path):
    a = example()
    for name, start in (("a.json", b"{"), ("a.csv", b"layer,head"), ("a.png", b"\x89PNG"), ("a.pdf", b"%PDF")):
        a.save(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    a.save(tmp_path / "a.anything")  # as it ever was: an .npz
    np.testing.assert_array_equal(attnviz.open(tmp_path / "a.anything").weights, a.weights)


# ---- JSON, CSV, Parquet


def test_json_holds_everything_and_reads_back_exactly():
    a = example()
    file = io.BytesIO()
    data.write_json(a, file, made_by={"command": "attnviz export"})
    got = json.loads(file.getvalue())
    np.testing.assert_array_equal(np.array(got["weights"], np.float32), a.weights)
    assert np.array(got["mask"]).tolist() == a.mask.tolist()
    assert got["layers"] == [1, 5]
    assert got["heads"] == [0, 2, 3]
    assert got["query_tokens"] == list(a.query_tokens)
    assert got["command"] == "attnviz export"


def test_csv_leaves_out_what_the_mask_forbids():
    a = example(layers=(1, 5))
    file = io.BytesIO()
    data.write_csv(a, file)
    lines = list(csv.DictReader(io.StringIO(file.getvalue().decode("utf-8"))))
    assert len(lines) == 2 * 3 * 10  # 4 x 4 pairs, 6 of them after the query
    assert list(lines[0]) == ["layer", "head", "query", "query_token", "key", "key_token", "weight"]
    for line in lines:
        layer, head = a.layers.index(int(line["layer"])), a.heads.index(int(line["head"]))
        query, key = int(line["query"]), int(line["key"])
        assert np.float32(line["weight"]) == a.weights[layer, head, query, key]
        assert (line["query_token"], line["key_token"]) == (a.query_tokens[query], a.key_tokens[key])
        assert key <= query


def test_csv_quotes_what_needs_it():
    tokens = Tokens.plain(['"', ",", "a\nb"])
    a = Attention(np.eye(3, dtype=np.float32)[None, None], None, tokens, tokens, (0,), (0,))
    file = io.BytesIO()
    data.write_csv(a, file)
    lines = list(csv.reader(io.StringIO(file.getvalue().decode("utf-8"), newline="")))
    assert [line[3] for line in lines[1::3]] == ['"', ",", "a\nb"]


def test_long_form_has_no_index_for_an_averaged_axis():
    lines = list(data.rows(example(causal=False).mean("heads")))
    assert len(lines) == 2 * 16
    assert lines[0]["head"] is None
    assert lines[0]["layer"] == 1


def test_numbers_are_short_and_exact():
    values = np.array([[0.1, 1 / 3], [1e-10, np.nan]], np.float32)
    assert data._digits(values) == [["0.1", "0.33333334"], ["1e-10", "null"]]


def test_parquet_without_pyarrow_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OutputError, match="needs pyarrow") as caught:
        data.write_parquet(example(), io.BytesIO())
    assert "pip install pyarrow" in caught.value.hint


# ---- foreign arrays


def rows_of(*shape, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), shape[:-1])


@pytest.mark.parametrize(
    ("shape", "want"),
    [
        ((4, 5), (1, 1, 4, 5)),
        ((3, 4, 5), (1, 3, 4, 5)),
        ((2, 3, 4, 5), (2, 3, 4, 5)),
        ((2, 1, 3, 4, 5), (2, 3, 4, 5)),
    ],
)
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2"])
def test_shapes_and_types(tmp_path, shape, want, dtype):
    values = rows_of(*shape).astype(dtype)
    np.save(tmp_path / "f.npy", np.asfortranarray(values))
    a, notes = any_attention(tmp_path / "f.npy")
    assert a.weights.shape == want
    assert a.weights.dtype == np.float32
    np.testing.assert_array_equal(a.weights.reshape(shape), values.astype(np.float32))
    assert a.mask is None
    assert a.model == "f"
    assert a.key_tokens == ("0", "1", "2", "3", "4")
    assert notes == []


def test_npz_with_one_array_that_fits(tmp_path):
    np.savez_compressed(tmp_path / "f.npz", ids=np.arange(4), maps=rows_of(2, 4, 4).astype("f4"))
    assert any_attention(tmp_path / "f.npz")[0].heads == (0, 1)


def test_npz_with_several_arrays_wants_a_key(tmp_path):
    np.savez(tmp_path / "f.npz", encoder=rows_of(2, 4, 4), cross=rows_of(2, 3, 4), ids=np.arange(3))
    with pytest.raises(InputError, match="2 arrays could be attention") as caught:
        any_attention(tmp_path / "f.npz")
    assert caught.value.hint == "--key NAME picks one; there are: encoder [2, 4, 4], cross [2, 3, 4], ids [3]"
    a, _ = any_attention(tmp_path / "f.npz", key="cross")
    assert a.weights.shape == (1, 2, 3, 4)
    assert a.stream == "cross"
    with pytest.raises(InputError, match="no array 'self' in it"):
        any_attention(tmp_path / "f.npz", key="self")


def test_labels_name_both_axes_or_one(tmp_path):
    np.save(tmp_path / "square.npy", rows_of(2, 2))
    np.save(tmp_path / "wide.npy", rows_of(2, 3))
    (tmp_path / "two.txt").write_bytes("\ufeffun\r\ndeux\r\n".encode())
    (tmp_path / "three.txt").write_text("a\n\nc\n")
    a, _ = any_attention(tmp_path / "square.npy", labels=tmp_path / "two.txt")
    assert a.query_tokens == a.key_tokens == ("un", "deux")
    a, _ = any_attention(tmp_path / "wide.npy", labels=tmp_path / "two.txt", key_labels=tmp_path / "three.txt")
    assert (a.query_tokens, a.key_tokens) == (("un", "deux"), ("a", "", "c"))
    a, _ = any_attention(tmp_path / "wide.npy", labels=tmp_path / "two.txt")
    assert (a.query_tokens, a.key_tokens) == (("un", "deux"), ("0", "1", "2"))
    a, notes = any_attention(tmp_path / "wide.npy", labels=tmp_path / "three.txt")
    assert (a.query_tokens, a.key_tokens) == (("0", "1"), ("a", "", "c"))
    assert notes == ["3 labels fit the keys, not the 2 queries, which are numbered"]
    with pytest.raises(InputError, match="3 labels for 2 queries"):
        any_attention(tmp_path / "square.npy", labels=tmp_path / "three.txt")


def test_labels_replace_those_of_our_own_file(tmp_path):
    example().save(tmp_path / "a.npz")
    (tmp_path / "four.txt").write_text("a\nb\nc\nd")
    a, _ = any_attention(tmp_path / "a.npz", labels=tmp_path / "four.txt")
    assert a.query_tokens == ("a", "b", "c", "d")
    assert a.mask is not None
    assert a.layers == (1, 5)


def test_rows_that_do_not_sum_to_one_are_remarked(tmp_path):
    values = np.array([[0.5, 0.2], [0.25, 0.75]], "f4")
    np.save(tmp_path / "f.npy", values)
    a, notes = any_attention(tmp_path / "f.npy")
    np.testing.assert_array_equal(a.weights[0, 0], values)
    assert notes == ["1 of 2 rows do not sum to 1 (from 0.7 to 1); they are drawn as they are"]
    np.save(tmp_path / "g.npy", np.array([[0.3, 0.3], [0.4, 0.3]], "f4"))
    assert "2 of 2 rows do not sum to 1 (from 0.6 to 0.7)" in any_attention(tmp_path / "g.npy")[1][0]
    np.save(tmp_path / "t.npy", rows_of(3, 4, 4).swapaxes(-1, -2))
    assert any_attention(tmp_path / "t.npy")[1][0].endswith("the columns do: are queries and keys swapped?")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            np.array([[0.5, np.nan]]),
            "1 weight is not a finite number in layer 0, the first at head 0, query 0, key 1",
        ),
        (np.array([[[1.0, 0.0]], [[np.inf, 0.0]]]), "the first at head 1, query 0, key 0"),
        (np.array([[1.5, -0.5]]), "a weight of -0.5 in layer 0"),
        (np.ones(3), r"wanted \[query, key\], .*; got \[3\]"),
        (np.ones((1,) * 6), "got .1, 1, 1, 1, 1, 1."),
        (np.ones((2, 2, 1, 3, 3)), "a batch of 2 texts"),
        (np.ones((2, 0)), "nothing in it"),
        (np.ones((2, 2), complex), "wanted real numbers, got complex128"),
        (np.array([["a"]]), "wanted real numbers"),
        (np.array([[{}]], object), r"has the dtype \|O, which is not read"),
        (np.zeros((2, 2), [("a", "f4")]), r"has the dtype \[\(.*, which is not read"),
    ],
)
def test_what_cannot_be_attention_is_refused(tmp_path, values, says):
    np.save(tmp_path / "f.npy", values, allow_pickle=True)
    with pytest.raises(InputError, match=says):
        any_attention(tmp_path / "f.npy")


# ---- hostile files


def npy(shape, dtype="<f4", data=b"", magic=b"\x93NUMPY\x01\x00"):
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return magic + struct.pack("<H", len(header) + 1) + header + b"\n" + data


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (npy("(1000000, 1000000)"), "needs 4,000,000,000,000 bytes by its shape, it has 0"),
        (npy("(2, 2)", data=bytes(15)), "needs 16 bytes by its shape, it has 15"),
        (npy("(2, 2)", data=bytes(17)), "needs 16 bytes by its shape, it has 17"),
        (npy("(-1, 2)", data=bytes(8)), "is not a list of sizes"),
        (npy("(2, 2)", dtype="|O"), "which is not read"),
        (npy("(2, 2)", magic=b"\x93NUMPY\x09\x00"), "no valid .npy header"),
        (npy("(" * 5000 + ")" * 5000), "no valid .npy header"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "no valid .npy header"),
        (b"hello", "not a NumPy array"),
        (b"", "not a NumPy array"),
        (b"PK\x03\x04" + bytes(40), "not a NumPy array|not a whole .npz"),
    ],
)
def test_lying_and_damaged_arrays(tmp_path, content, says):
    (tmp_path / "f.npy").write_bytes(content)
    with pytest.raises(InputError, match=says):
        any_attention(tmp_path / "f.npy")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_of_an_archive_in_any_order(tmp_path, save):
    """Bytes and columns in either order; a number that is no character becomes a mark."""
    values = rows_of(3, 4, 5)
    odd = np.array([0x61, 0x7FFFFFFF], "<u4").view("<U2")
    save(tmp_path / "f.npz", weights=np.asfortranarray(values.astype(">f8")), text=odd)
    with arrays.archive(tmp_path / "f.npz") as members:
        assert members["text"].read().tolist() == ["a\ufffd"]
        np.testing.assert_array_equal(members["weights"].read(), values)
    np.testing.assert_array_equal(any_attention(tmp_path / "f.npz", key="weights")[0].weights[0], values.astype("f4"))


USES = {
    "a layer": lambda a: a.weights[0].sum(),
    "a row": lambda a: a.weights[0, 1, 2],
    "layers": lambda a: a.select(layers=[1]),
    "heads": lambda a: a.select(heads=[1]),
    "all": lambda a: a.weights.sum(),
    "mean": lambda a: a.mean("heads"),
    "words": lambda a: replace(a, keys=replace(a.keys, words=(0, 0, *range(1, 39)))).words(),
    "picture": lambda a: a.heatmap(),
    "saved": lambda a: a.save("again.npz"),
    "function": lambda a: np.swapaxes(np.concatenate([a.weights, a.weights]), 2, 3),
    "lines": lambda a: (page(a), page(a, by="lift")),
    "check": lambda a: attnviz.check(a),
    "loop": lambda a: [maps.max() for maps in a.weights],
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("left", [0, 200])
def test_a_mapped_array_whose_file_shrinks_is_refused_wherever_it_is_read(tmp_path, monkeypatch, use, left):
    """Reading the missing part would end the process silently (SIGBUS)."""
    monkeypatch.chdir(tmp_path)
    values = rows_of(2, 4, 40, 40).astype("f4")  # of several pages
    np.save("f.npy", values)
    a, _ = any_attention("f.npy")
    USES[use](a)  # as long as it is whole
    first = a.weights[1]
    os.truncate("f.npy", left)
    with pytest.raises(InputError, match=rf"f\.npy: has shrunk from 51,328 to {left} bytes"):
        USES[use](a)
    np.testing.assert_array_equal(first, values[1])  # what was read before lies in memory


def test_an_archive_that_shrinks_while_it_is_read_is_refused(tmp_path):
    np.savez(tmp_path / "f.npz", weights=rows_of(2, 100, 100))
    with pytest.raises(InputError, match=r"f\.npz"), arrays.archive(tmp_path / "f.npz") as members:
        os.truncate(tmp_path / "f.npz", 1000)
        members["weights"].read()


def test_a_member_that_claims_more_than_it_holds(tmp_path):
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("weights.npy", npy("(1000000, 1000000)", data=bytes(16)))
    with pytest.raises(InputError, match="needs 4,000,000,000,000 bytes by its shape"):
        any_attention(tmp_path / "f.npz")


def test_a_damaged_archive_is_refused_wherever_it_is_damaged(tmp_path):
    """Every byte of a small file turned over in turn: the same attention, another, or an InputError; never a crash."""
    path = tmp_path / "a.npz"
    example(1, 1, 2, layers=(0,), heads=(0,)).save(path)
    whole = path.read_bytes()
    refused = 0
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            attnviz.open(path)
        except InputError:
            refused += 1
    assert refused > len(whole) / 7 / 3
    for at in range(0, len(whole), 101):
        path.write_bytes(whole[:at])
        with pytest.raises(InputError):
            attnviz.open(path)


def changed(path, **arrays):
    with np.load(path) as z:
        held = {name: z[name] for name in z.files}
    np.savez(path, **{name: value for name, value in (held | arrays).items() if value is not None})


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"meta": np.array('{"format": 2}')}, "saved in format 2, wanted 1"),
        ({"meta": np.array('{"format": true}')}, "names no format"),
        ({"meta": np.array("{}")}, "names no format"),
        ({"meta": np.array("[" * 100000)}, "its meta is nested too deeply"),
        ({"meta": np.array('{"format": 1, "cell": "x"}')}, "cell in its meta must be"),
        ({"meta": np.array('{"format": 1, "grid": [1, "x"]}')}, "grid must be .rows, columns."),
        ({"meta": np.array('{"format": 1, "origin": "x"}')}, "origin in its meta must be .query, key."),
        ({"meta": np.array('{"format": 1, "stream": "x"}')}, "stream must be one of self, encoder, decoder, cross"),
        ({"meta": np.arange(3)}, "its meta is not a text"),
        ({"weights": np.ones((2, 2))}, "weights cannot be .2, 2. float64"),
        ({"weights": np.full((2, 3, 4, 4), np.nan, "f4")}, "NaN"),
        (
            {"weights": np.ones((2, 3, 4, 5), "f4")},
            "weights must be .layer, head, 4 queries, 4 keys.; got .2, 3, 4, 5.",
        ),
        ({"mask": np.ones((1, 2, 2), bool)}, "mask must be .2 or 1, 4, 4.; got .1, 2, 2."),
        ({"query_tokens": None}, "no array 'query_tokens'"),
        ({"meta": np.array('{"format": 1, "grid": [-1, 2]}')}, "^a.npz: grid .*be"),
        ({"mask": np.ones((1, 2), bool)}, "^a.npz: mask cannot be"),
        ({"query_ids": np.arange(3)}, "query_ids has 3 entries, query_tokens has 4"),
        ({"query_spans": np.zeros((4, 3), int)}, "query_spans cannot be"),
        ({"heads": np.arange(7)}, "7 heads"),
    ],
)
def test_files_that_contradict_themselves(tmp_path, arrays, says):
    path = tmp_path / "a.npz"
    example().save(path)
    changed(path, **arrays)
    with pytest.raises(InputError, match=says):
        attnviz.open(path)


def test_a_foreign_array_is_opened_with_what_is_odd_about_it(tmp_path):
    np.savez(tmp_path / "f.npz", weights=np.full((2, 2), 0.25))
    with pytest.warns(AttnvizWarning, match="2 of 2 rows do not sum to 1"):
        attention = attnviz.open(tmp_path / "f.npz")
    assert attention.weights.tolist() == [[[[0.25, 0.25], [0.25, 0.25]]]]
    with pytest.raises(InputError, match="no such file"):
        attnviz.open(tmp_path / "none.npz")
    with pytest.raises(InputError, match="a folder, wanted a file"):
        attnviz.open(tmp_path)


def test_nothing_in_a_pickle_runs(tmp_path):
    class Run:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    np.save(tmp_path / "f.npy", np.array([[Run()]], object), allow_pickle=True)
    np.savez(tmp_path / "f.npz", weights=np.array([[Run()]], object))
    for name in ("f.npy", "f.npz"):
        with pytest.raises(InputError):
            any_attention(tmp_path / name)
    assert not (tmp_path / "ran").exists()
