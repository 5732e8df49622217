"""Every command explains itself, with an example that works; the page in docs/ says the same."""

from __future__ import annotations

import importlib
import re
import shlex
import textwrap

import pytest
from helpers.paths import ROOT
from helpers.scripts import status_of

from attnviz.cli import main
from attnviz.cli.app import COMMANDS, build

SCRIPT = ROOT / "scripts" / "make_command_docs.py"


def examples(name):
    return build(name).examples


PRINTED = {}  # command -> its help in a window of 80 columns


@pytest.fixture
def printed(name, capsys, monkeypatch):
    """The help of a command as lines; printing takes longer than what is asked of it, so each is printed once."""
    if name not in PRINTED:
        monkeypatch.setenv("COLUMNS", "80")
        assert main([name, "--help"]) == 0
        PRINTED[name] = capsys.readouterr().out.splitlines()
    return PRINTED[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_and_the_line_of_the_list(name, printed):
    out = " ".join(" ".join(printed).split())
    assert f"Usage: attnviz {name}" in out
    assert examples(name)
    assert COMMANDS[name] in out
    assert build(name).help.startswith(COMMANDS[name])


@pytest.mark.parametrize("line", [line for name in COMMANDS for line in examples(name)])
def test_examples_are_words_that_the_command_takes(line):
    """Commands are parsed, not run: they name files and models that do not exist."""
    _, *words = shlex.split(line)
    names = 2 if " ".join(words[:2]) in COMMANDS else 1  # `corpus merge`
    name, words = " ".join(words[:names]), words[names:]
    command = build(name)
    context = command.make_context(name, words)
    assert context.params


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help_and_a_group(name):
    for param in build(name).params:
        if param.param_type_name == "option":
            assert param.help.endswith((".", "...")), param.opts
            assert param.rich_help_panel, param.opts


@pytest.mark.parametrize("name", COMMANDS)
def test_prose_fills_the_window(name, printed):
    """Paragraphs are wrapped to the window, regardless of the docstring's lines."""
    out = [line.strip() for line in printed]
    for paragraph in build(name).help.split("\n\n"):
        if not paragraph.startswith("\b"):
            lines = textwrap.wrap(paragraph, 78, break_on_hyphens=False)
            assert out[out.index(lines[0]) :][: len(lines)] == lines


@pytest.mark.parametrize("name", COMMANDS)
def test_a_flag_shows_no_type(printed):
    assert "bool" not in "\n".join(printed).lower()


# Options whose two meanings cannot be confused, in commands that share nothing: a part of a diagram, and of a corpus.
TWO_MEANINGS = {"--part"}


def test_an_option_means_the_same_everywhere():
    said = {}
    for name in COMMANDS:
        for param in build(name).params:
            if param.param_type_name == "option":
                own = r" ?(Default|In this command): .*"  # the text that is specific to each command
                folder = "--output" in param.opts and param.metavar == "DIR"  # many files instead of one
                text = "" if "--by" in param.opts else re.sub(own, "", param.help)
                text = said["-o"][1] if folder else text
                for opt in set(param.opts) - TWO_MEANINGS:
                    assert said.setdefault(opt, (param.name, text)) == (param.name, text)


def test_the_page_of_commands_is_up_to_date(capsys):
    assert (status_of(SCRIPT, "--check"), capsys.readouterr().err) == (0, "")


def test_the_page_names_every_option(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    module = importlib.import_module(SCRIPT.stem)
    for name in COMMANDS:
        text = module.section(name)
        assert all(opt in text for param in build(name).params for opt in param.opts if opt.startswith("-"))
