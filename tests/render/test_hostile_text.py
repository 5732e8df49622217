"""Text from an untrusted file controls no terminal, no spreadsheet and no XML reader."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers import command_line

from attnviz.cli import main
from attnviz.files.output import csv_cell, json_text

run = command_line.run  # a fixture
# Clears the screen; sets a title; C1 CSI; right-to-left override; a bell; a colour; a line that claims to be an error.
HOSTILE = ("a\x1b[2Jb", "c\x1b]0;owned\x07d", "e\x9b2Jf", "g\u202eh", "i\x07j", "k\x1b[31ml", "m\rn", "o\u2066p")
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
COMMANDS = {
    "table": (),
    "stats": (),
    "roles": (),
    "links": (),
    "lines": ("-H", "0"),
    "focus": ("--token", "2"),
    "rollout": (),
    "flow": (),
    "similar": (),
}


@pytest.fixture
def hostile(tmp_path):
    """A saved attention whose tokens, model and notes are hostile."""
    n = len(HOSTILE)
    weights = np.random.default_rng(0).dirichlet(np.ones(n), (2, 2, n)).astype(np.float32)
    meta = {"format": 1, "stream": "self", "model": "m\x1b[2J\u202e", "notes": ["n\x1b]0;x\x07"], "version": "\x1b[2J"}
    tokens = np.array(HOSTILE)
    place = tmp_path / "hostile.npz"
    layers = np.arange(2)
    np.savez(
        place,
        weights=weights,
        query_tokens=tokens,
        key_tokens=tokens,
        layers=layers,
        heads=layers,
        meta=json.dumps(meta),
    )
    return place


@pytest.fixture
def said(run):
    """A command over a saved attention -> (exit status, standard output, standard error)."""

    def call(name, place, *more):
        return run(name, *([] if name == "check" else ["--from"]), place, *more)

    return call


@pytest.mark.parametrize("name", [*COMMANDS, "check"])
def test_what_is_printed_steers_no_terminal(hostile, said, name):
    for more in (COMMANDS.get(name, ()), (*COMMANDS.get(name, ()), "--json")):
        status, out, err = said(name, hostile, *more)
        assert status == 0, err
        assert STEERS.findall(out + err) == []


@pytest.mark.parametrize("name", ["table", "links", "check"])
def test_on_a_terminal_there_are_colours_and_nothing_else(hostile, name):
    """In a pseudo-terminal the only escapes are colours, and none of them is the file's own (31 is used nowhere)."""
    words = (str(hostile),) if name == "check" else ("--from", str(hostile))
    leader, follower = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "ATTNVIZ_PAGER": "cat"}
    process = subprocess.Popen(
        [sys.executable, "-m", "attnviz", name, *words], stdout=follower, stderr=follower, env=env
    )
    os.close(follower)
    held = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        held += part
    assert process.wait(timeout=60) == 0
    os.close(leader)
    text = held.decode().replace("\r\n", "\n")
    assert "\x1b[31m" not in text
    assert STEERS.findall(re.sub(r"\x1b\[[0-9;]*m", "", text)) == []


def test_json_keeps_every_character(hostile, said):
    rows = json.loads(said("links", hostile, "--json")[1])
    assert {row["query_token"] for row in rows} | {row["key_token"] for row in rows} <= set(HOSTILE)
    assert json.loads(json_text({"a": "".join(HOSTILE) + "\ud800"})) == {"a": "".join(HOSTILE) + "\ud800"}
    assert json_text("Tür 猫 👩‍👧") == '"Tür 猫 👩‍👧"'


def test_cells_that_a_spreadsheet_would_work_out():
    assert csv_cell('=HYPERLINK("x")') == '\'=HYPERLINK("x")'
    assert [csv_cell(text) for text in ("@SUM(1)", "+1+1", "-x", "\tx")] == ["'@SUM(1)", "'+1+1", "'-x", "'\tx"]
    assert [csv_cell(cell) for cell in ("=", "-", "-0.5", "+1e3", -0.5, "a=b", None)] == [
        "=",
        "-",
        "-0.5",
        "+1e3",
        -0.5,
        "a=b",
        None,
    ]


def test_a_table_for_a_spreadsheet(tmp_path, capsys):
    weights = np.full((1, 1, 2, 2), 0.5, np.float32)
    tokens = np.array(["=cmd|' /C calc'!A0", "@SUM(1)"])
    meta = json.dumps({"format": 1, "stream": "self", "model": "m"})
    axes = {"query_tokens": tokens, "key_tokens": tokens, "layers": np.arange(1), "heads": np.arange(1)}
    np.savez(tmp_path / "x.npz", weights=weights, **axes, meta=meta)
    for name in ("export", "links"):
        target = tmp_path / f"{name}.csv"
        assert main([name, "--from", str(tmp_path / "x.npz"), "-o", str(target)]) == 0
        cells = [cell for row in csv.reader(io.StringIO(target.read_text())) for cell in row]
        assert not [cell for cell in cells if cell[:1] in "=@" and cell]
        assert "'@SUM(1)" in cells
    capsys.readouterr()


@pytest.mark.parametrize("name", ["heatmap", "lines", "links", "stats", "similar"])
def test_a_picture_of_it_is_xml(hostile, tmp_path, name, capsys):
    target = tmp_path / "x.svg"
    more = () if name in ("heatmap", "stats", "similar") else COMMANDS[name]
    assert main([name, "--from", str(hostile), *more, "-o", str(target)]) == 0, capsys.readouterr().err
    text = target.read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    assert re.findall("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text) == []
