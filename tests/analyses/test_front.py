"""Analyses from Python: the same numbers as the command line, by the same names; what is wrong is said in one line."""

from __future__ import annotations

import inspect
import json
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
        (lambda: attnviz.stats(attention, bi="span"), SelectionError, "option must be one of by, top; got 'bi'"),
        (lambda: attnviz.stats(attention, by="spam"), SelectionError, "--by must be one of entropy"),
        (lambda: attnviz.stats(attention, top=0), SelectionError, "--top wants a number from 1 on; got 0"),
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
