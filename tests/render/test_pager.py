"""Output higher than the terminal goes through a pager, as in git; other output does not."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest
from helpers.pseudo_terminal import PseudoTerminal

HOSTILE = "a\x1b[2Jb"
LISTING = "cat > paged.txt; echo pager $1, $LESS"


LONG = ("-m", "attnviz", "models")  # which prints a hundred lines, and quickly


@pytest.fixture(autouse=True)
def beside(tmp_path, monkeypatch):
    """The fake pager and what it got lie beside a file of 40 hostile heads."""
    monkeypatch.chdir(tmp_path)
    tokens = np.array([HOSTILE, "b", "c"])
    meta = json.dumps({"format": 1, "stream": "self", "model": "m\x1b]0;owned\x07"})
    weights = np.random.default_rng(0).dirichlet(np.ones(3), (4, 10, 3)).astype(np.float32)
    axes = {"layers": np.arange(4), "heads": np.arange(10), "query_tokens": tokens, "key_tokens": tokens}
    np.savez("long.npz", weights=weights, meta=meta, **axes)


def pager(folder, script=LISTING):
    """The setting of a pager that is a script of the shell's."""
    (folder / "pager.sh").write_text(script)
    return f"sh {folder / 'pager.sh'}"


def end(shown):
    shown.read()
    return shown.process.returncode, shown.seen.decode().replace("\r\n", "\n")


def test_what_is_higher_than_the_terminal_is_paged(tmp_path):
    with PseudoTerminal("-m", "attnviz", "stats", "--from", "long.npz", PAGER=pager(tmp_path) + " 'of mine'") as shown:
        assert end(shown) == (0, "pager of mine, FRX\n")
    got = (tmp_path / "paged.txt").read_text()
    assert got.count("\n") > 40 and "entropy" in got and "\x1b[1mm" in got
    assert "\x1b]" not in got and "\x07" not in got  # the model's name steers no pager either


def test_what_fits_is_not(tmp_path):
    with PseudoTerminal(*LONG, rows=500, PAGER=pager(tmp_path)) as shown:
        status, text = end(shown)
    assert status == 0 and "pager" not in text and "Llama" in text
    lines = text.count("\n")
    with PseudoTerminal(*LONG, rows=lines, PAGER=pager(tmp_path)) as shown:  # the prompt takes a line too
        assert "pager" in end(shown)[1]


@pytest.mark.parametrize("more", [{"PAGER": ""}, {"PAGER": "cat"}, {"TERM": "dumb"}, {"ATTNVIZ_PAGER": "cat"}])
def test_where_none_is_wanted_there_is_none(tmp_path, more):
    with PseudoTerminal(*LONG, **{"PAGER": pager(tmp_path), **more}) as shown:
        status, text = end(shown)
    assert status == 0 and "pager" not in text and text.count("\n") > 40


def test_a_terminal_of_unknown_height_is_not_paged(tmp_path):
    with PseudoTerminal(*LONG, rows=0, cols=0, PAGER=pager(tmp_path)) as shown:
        status, text = end(shown)
    assert status == 0 and "pager" not in text and text.count("\n") > 40


def test_json_is_not_paged(tmp_path):
    with PseudoTerminal(*LONG, "--json", PAGER=pager(tmp_path)) as shown:
        assert len(json.loads(end(shown)[1])) > 40


def test_our_own_variable_comes_first_and_settings_of_less_stay(tmp_path):
    with PseudoTerminal(*LONG, PAGER="no-such-pager", ATTNVIZ_PAGER=pager(tmp_path), LESS="-i") as shown:
        assert end(shown) == (0, "pager , -i\n")


def test_who_leaves_early_has_had_enough(tmp_path):
    with PseudoTerminal(*LONG, PAGER="true") as shown:
        assert end(shown) == (0, "")


def test_keys_that_interrupt_are_the_pagers(tmp_path):
    script = "trap 'echo caught' INT; cat > paged.txt; echo ready; read key; echo got $key"
    with PseudoTerminal(*LONG, PAGER=pager(tmp_path, script.replace("read key", "read key < /dev/tty"))) as shown:
        assert shown.read(b"ready")
        shown.say(b"\x03")
        assert shown.read(b"caught")
        shown.say(b"q\n")
        status, text = end(shown)
    assert status == 0 and "Traceback" not in text


def test_what_ends_the_command_ends_its_pager(tmp_path):
    """The command is a child here: of the process that leads a terminal, everyone in it would end too."""
    lead = f"import subprocess, sys, time; child = subprocess.Popen([sys.executable, *{LONG!r}])\n"
    lead += "print('child', child.pid, flush=True); print('status', child.wait(), flush=True); time.sleep(5)"
    script = "trap 'echo ended; exit' TERM; cat > /dev/null; echo ready; while :; do sleep 0.05; done"
    with PseudoTerminal("-c", lead, PAGER=pager(tmp_path, script)) as shown:
        assert shown.read(b"ready")
        os.kill(int(shown.seen.split()[1]), signal.SIGTERM)
        assert shown.read(b"ended") and shown.read(b"status 143")


def test_a_pager_that_is_not_there_is_said():
    with PseudoTerminal(*LONG, PAGER="no-such-pager -x") as shown:
        status, text = end(shown)
    assert status == 0 and text.count("\n") > 40
    assert "warning: the pager 'no-such-pager -x' cannot be started: No such file or directory" in text


def test_an_error_is_not_paged(tmp_path):
    words = ("-m", "attnviz", "table", "--from", "long.npz", "-l", "7")
    with PseudoTerminal(*words, PAGER=pager(tmp_path)) as shown:
        status, text = end(shown)
    assert status == 1 and text.startswith("error: ") and "pager" not in text


def test_the_background_is_asked_before_the_pager_has_the_terminal(tmp_path):
    words = (*LONG[:2], "table", "--from", "long.npz", "-l", "all")
    with PseudoTerminal(*words, PAGER=pager(tmp_path)) as shown:
        assert shown.read(b"\x1b[c")
        shown.say(b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?6c")
        assert "pager" in end(shown)[1]
    assert "48;2;0;41;102" in (tmp_path / "paged.txt").read_text()  # the last colour of ink
