"""Analyses from Python: the same numbers as the command line, by the same names; errors are one line."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
from helpers.paths import ROOT

import attnviz
from attnviz.analyses import ANALYSES, find
from attnviz.cli import main
from attnviz.errors import InputError, OutputError, SelectionError
from attnviz.models.source import AttentionSource

TEXT = "The cat sat on the mat"


def test_a_model_a_source_and_an_attention_give_the_numbers_of_the_command(capsys):
    assert main(["stats", TEXT, "-m", "seeded", "-l", "1", "--no-special", "--by", "span", "--json"]) == 0
    wanted = json.loads(capsys.readouterr().out)
    model = attnviz.load("seeded")
    source = AttentionSource.of(model, model.prepare(TEXT), layers=[1], special=False)
    for result in (
        attnviz.stats(model, TEXT, layers=1, no_special=True, by="span"),
        attnviz.stats(model.attend(TEXT), layers=1, no_special=True, by="span"),
        attnviz.stats(source, by="span"),
    ):
        assert result.rows() == [{key: pytest.approx(value, abs=1e-6) for key, value in row.items()} for row in wanted]


def test_the_rows_of_every_result_are_a_list():
    model = attnviz.load("seeded")
    attention = model.attend(TEXT)
    of_attention = (attnviz.stats, attnviz.focus, attnviz.links, attnviz.similar, attnviz.lines, attnviz.roles)
    results = [run(attention) for run in (*of_attention, attnviz.rollout, attnviz.flow, attnviz.check)]
    results += [run(model, TEXT) for run in (attnviz.norms, attnviz.steps, attnviz.mechanisms)]
    results += [attnviz.qk(model, TEXT, layer=0, head=0), attnviz.circuits(model), attnviz.inspect(model)]
    for result in results:
        rows = result.rows()
        assert isinstance(rows, list) and rows, result
        assert repr(list(result.each_row())) == repr(rows), result  # nan is not equal to itself


def test_words_and_pairs_of_heads():
    model = attnviz.load("seeded")
    words = attnviz.focus(model, "unbelievable cats", words=True, query="cats")
    assert words.facts.keys.text == model.attend("unbelievable cats").words().key_tokens
    pairs = attnviz.stats(model, TEXT, heads=["1.3", "0.0"]).rows()
    assert [(row["layer"], row["head"]) for row in pairs] == [(1, 3), (0, 0)]


def test_what_is_wrong_is_one_line():
    model = attnviz.load("seeded")
    attention = model.attend(TEXT)
    for wrong, kind, message in (
        (
            lambda: attnviz.stats(attention, bi="span"),
            SelectionError,
            "heads, layers, no_special, top, words; got 'bi'",
        ),
        (lambda: attnviz.stats(attention, layer=3), SelectionError, "option must be one of layers, by, heads, no_s"),
        (lambda: attnviz.stats(attention, by="spam"), SelectionError, "by must be one of entropy"),
        (lambda: attnviz.stats(attention, top=0), SelectionError, "top wants a number from 1 on; got 0"),
        (lambda: attnviz.stats(attention, TEXT), InputError, "takes no text"),
        (lambda: attnviz.stats("cat.npz"), InputError, "wanted an Attention, an AttentionSource or a Model; got str"),
        (lambda: attnviz.focus(attention, query="dog"), SelectionError, "'dog' is not among the queries"),
        (lambda: attnviz.roles(attention, random=True), InputError, "random tokens need a model"),
        (lambda: attnviz.stats(attention, top="3"), SelectionError, "top wants a whole number; got '3'"),
        (lambda: attnviz.stats(attention, by=["span"]), SelectionError, "by wants text; got ['span']"),
        (lambda: attnviz.links(attention, within="no"), SelectionError, "within wants True or False; got 'no'"),
        (lambda: attnviz.rollout(attention, residual="x"), SelectionError, "residual wants a number; got 'x'"),
        (lambda: attnviz.focus(attention, token="cat", query="mat"), SelectionError, "another spelling"),
        (lambda: attnviz.stats(model, "a", "b", "c"), InputError, "a text and at most a second one; got 3"),
        (lambda: attnviz.mechanisms(attention), InputError, "wanted a Model; got Attention"),
        (lambda: attnviz.stats(attention).save("x.spam"), OutputError, "must be one of"),
        (lambda: attnviz.stats(attention).save("x.png", wide=3), SelectionError, "got 'wide'"),
    ):
        with pytest.raises(kind) as error:
            wrong()
        assert message in str(error.value) and "\n" not in str(error.value)


def test_errors_name_arguments_and_not_flags():
    model = attnviz.load("seeded")
    for wrong, message, hint in (
        (lambda: attnviz.focus(model, TEXT, by="x"), "by must be one of lift, weight; got 'x'", ""),
        (lambda: attnviz.qk(model, TEXT, pair_of="cat:mat", query="cat"), "leave out query and key_token", ""),
        (lambda: attnviz.rollout(model, TEXT, heads="1.1"), "heads 1.1 leaves some out", "as in heads 0-3"),
        (lambda: attnviz.norms(model, TEXT, heads=[1], measure="alti"), "is of all heads together", "leave out heads"),
        (lambda: attnviz.similar(model, TEXT, layers=0, heads=0), "one head has nothing", "more with layers and heads"),
        (lambda: attnviz.links(model, TEXT, within=True, each="all"), "within and each exclude each other", ""),
        (lambda: attnviz.lines(model, TEXT, overlay=True, shape="text"), "overlay is for lines", ""),
    ):
        with pytest.raises((SelectionError, InputError)) as error:
            wrong()
        assert message in str(error.value) and hint in error.value.hint
        assert not re.search(r"(^| )--?[a-zA-Z]", f"{error.value} {error.value.hint}")


def test_layers_and_heads_are_text_too():
    model = attnviz.load("seeded", n_layers=5)
    attention = model.attend(TEXT)
    for layers, heads, wanted in (
        ("1-3", None, [(i, j) for i in (1, 2, 3) for j in range(4)]),
        ("all", "0-1", [(i, j) for i in range(5) for j in (0, 1)]),
        ("-1", "all", [(4, j) for j in range(4)]),
        ("0,2", ["1", "3"], [(i, j) for i in (0, 2) for j in (1, 3)]),
    ):
        for subject in ((attention,), (model, TEXT)):
            result = attnviz.stats(*subject, layers=layers, heads=heads)
            assert [(row["layer"], row["head"]) for row in result.rows()] == wanted
        assert list(model.attend(TEXT, layers=layers, heads=heads).places) == wanted
        assert list(attention.select(layers, heads).places) == wanted
    assert attnviz.rollout(model, TEXT, layers="1-2").attention.layers == (1, 2)
    for wrong, message in (("0-9", "layer 9 is not there; layers 0-4 are"), ("x", "wanted all, 3, -1, 0-3 or 0,2,5")):
        with pytest.raises(SelectionError, match=message):
            attention.select(wrong)
        with pytest.raises(SelectionError, match=message):
            attnviz.stats(model, TEXT, layers=wrong)


def test_a_result_is_saved_whole_and_shown_in_a_notebook(tmp_path):
    result = attnviz.links(attnviz.load("seeded"), TEXT, top=3)
    for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF"), ("a.csv", b"layer,head,query")):
        assert result.save(tmp_path / name) == str(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    result.save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == result.rows()
    result.save(tmp_path / "wide.svg", width=9, title="My own")
    assert "My own" in (tmp_path / "wide.svg").read_text() and 'width="648pt"' in (tmp_path / "wide.svg").read_text()
    assert result._repr_png_().startswith(b"\x89PNG")


def test_figure_options_that_would_change_nothing_are_refused(tmp_path):
    model = attnviz.load("seeded", causal=True)
    links, maps = attnviz.links(model, TEXT), attnviz.rollout(model, TEXT)
    for result, name, options, message in (
        (links, "a.json", {"width": 3}, "width is for pictures; .json holds numbers"),
        (links, "a.csv", {"title": "Mine"}, "title is for pictures; .csv holds numbers"),
        (maps, "a.npz", {"cmap": "magma"}, "cmap is for pictures; .npz holds numbers"),
        (links, "a.png", {"cmap": "magma"}, "cmap is for maps, of which this result shows none"),
        (maps, "a.svg", {"frame_ms": 100}, "frame_ms is for animations, not for .svg"),
    ):
        with pytest.raises(SelectionError, match=message):
            result.save(tmp_path / name, **options)
        assert not (tmp_path / name).exists()
    with pytest.raises(SelectionError, match="cmap changes nothing on a page of several numbers"):
        attnviz.norms(model, TEXT).save(tmp_path / "a.html", cmap="magma")
    assert not (tmp_path / "a.html").exists()
    maps.save(tmp_path / "a.html", cmap="magma")
    maps.save(tmp_path / "a.png", cmap="magma", decimals=1)
    attnviz.generate(model, "a b", max_new=2).save(tmp_path / "a.gif", frame_ms=100, cmap="magma")


def test_a_token_is_its_text_or_its_index_and_one_text_stands_for_several():
    model = attnviz.load("seeded")
    attention = model.attend(TEXT)
    assert attnviz.focus(attention, query=1).rows() == attnviz.focus(attention, query="cat").rows()
    both = [attnviz.mechanisms(model, TEXT, mechanism=which) for which in ("window:1", ("window:1",))]
    assert [list(each.rows()) for each in both] == [list(both[0].rows())] * 2
    assert attnviz.stats(attention, top=np.int64(2)).rows() == attnviz.stats(attention, top=2).rows()


def test_a_result_prints_as_its_table_and_has_a_short_repr(capsys):
    assert main(["stats", TEXT, "-m", "seeded", "--top", "2"]) == 0
    result = attnviz.stats(attnviz.load("seeded"), TEXT, top=2)
    assert str(result) + "\n" == capsys.readouterr().out
    assert repr(result) == (
        "<HeadStatistics: seeded · 2 layers x 4 heads; .rows(), .save(path), print() for the table>"
    )


def test_maps_have_a_short_repr_too():
    followed = attnviz.rollout(attnviz.load("seeded"), TEXT)
    assert repr(followed).startswith("<Maps: seeded · 2 layers x mean of 4 heads · rollout; ")


@pytest.mark.parametrize("name", ANALYSES)
def test_the_signature_names_every_option(name):
    function = getattr(attnviz, name)
    parameters = inspect.signature(function).parameters
    assert function.__name__ == name and function.__doc__.startswith(ANALYSES[name])
    for option in fields(find(name).options):
        assert parameters[option.name].default == option.default
        assert option.metadata["help"] in function.__doc__


def test_the_stub_is_up_to_date():
    script = ROOT / "scripts" / "make_stub.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_random_tokens_from_python():
    result = attnviz.roles(attnviz.load("tiny"), random=True, layers=[0, 2])
    (block,) = result.blocks
    assert block.on == "random" and block.facts.layers == (0, 2)
    assert len(block.facts.queries) == 2 * (len(block.facts.queries) // 2)
    both = attnviz.roles(attnviz.load("seeded"), TEXT, random=True)
    assert [block.on for block in both.blocks] == ["text", "random"]
    assert np.isfinite(both.blocks[1].scores["induction"].score).all()
