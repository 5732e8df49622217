"""Defaults in --help agree with what the command does without the option."""

from __future__ import annotations

import re

import pytest
import typer
from helpers.paths import REFERENCE
from helpers.sentences import TIRED

from attnviz.cli import main
from attnviz.cli.app import COMMANDS, build

MODEL = ("-m", "seeded", "--n-layers", "3", "--n-heads", "2")
# Arguments that each command needs besides its options, to print numbers.
INPUTS = {
    "export": (TIRED, *MODEL, "--format", "csv", "-o", "-"),
    "steps": (TIRED, *MODEL, "--json"),
    "qk": (TIRED, *MODEL, "--json"),
    "mechanisms": (TIRED, "-m", "seeded", "--n-layers", "3", "--json"),
    "diff": (TIRED, "It was too wide", *MODEL, "--json"),
    "focus": (TIRED, *MODEL, "--token", "it", "--json"),
    "circuits": ("seeded", "--n-layers", "3", "--json"),
    "generate": ("The cat sat", *MODEL, "--max-new", "2", "--json"),
    "lines": (TIRED, *MODEL, "-H", "1", "--json"),
    "html": (TIRED, *MODEL, "-o", "-"),
    "series": (str(REFERENCE / "gpt2"), "--ids", "5,6,7,5,6,7", "--json"),
    "corpus report": ("folder", "--json"),
    "heatmap": (TIRED, *MODEL, "--format", "svg", "-o", "-", "--bare"),
}


def options(name):
    built = build(name)
    return {param.opts[-1]: param for param in built.get_params(typer.Context(built)) if hasattr(param, "help")}


def with_layers():
    return [name for name in COMMANDS if "--layer" in options(name)]


def said(name, capsysbinary, *more):
    status = main([name, *INPUTS.get(name, (TIRED, *MODEL, "--json")), *more])
    out, err = capsysbinary.readouterr()
    assert status == 0, err
    # A picture carries the command that made it, which differs.
    made_by = rb"<metadata>.*?</metadata>|<desc>.*?</desc>|<title>.*?</title>|\"madeBy\":{.*?}"
    return re.sub(made_by, b"", out, flags=re.S)


@pytest.mark.parametrize("name", with_layers())
def test_the_layers_that_are_used_without_the_option(name, capsysbinary):
    stated = re.search(r"Default: (all|the last|the first)\.", options(name)["--layer"].help)
    assert stated, options(name)["--layer"].help
    value = {"all": "all", "the last": "-1", "the first": "0"}[stated[1]]
    without = said(name, capsysbinary)
    assert without == said(name, capsysbinary, "-l", value)
    other = "1"  # so that the comparison above can fail
    assert without != said(name, capsysbinary, "-l", other)


@pytest.mark.parametrize("name", [name for name in COMMANDS if "--by" in options(name)])
def test_by_takes_what_its_help_names_and_nothing_else(name, capsysbinary):
    listed = re.sub(r"\(.*?\)", "", options(name)["--by"].help)
    main([name, *INPUTS.get(name, (TIRED, *MODEL, "--json")), "--by", "nonsense"])
    error = capsysbinary.readouterr().err.decode()
    allowed = set(re.findall(r"[a-z]+", error.partition("must be ")[2].partition(";")[0])) - {"one", "of", "or"}
    assert allowed and allowed <= set(re.findall(r"[a-z]+", listed))
    every = {"head", "pair", "spectrum", "token", "map", "text", "lift", "entropy", "confidence", "first", "special"}
    assert every & set(re.findall(r"[a-z]+", listed)) <= allowed


@pytest.mark.parametrize("name", COMMANDS)
def test_no_default_is_said_in_python(name):
    for param in options(name).values():
        assert not (param.show_default and param.default is True), param.opts
        assert "True" not in param.help and "False" not in param.help
