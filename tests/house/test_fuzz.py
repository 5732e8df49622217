"""A short run of scripts/fuzz.py: mutants of real files are read, or refused in one line.

The numbers are counts, not seconds, so that the same mutants are read everywhere. They are the first of the mutants
that .ci/run reads before a change lands.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.paths import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import fuzz
from fuzzing import commands, worker

SEED = 12
COUNTS = {"npz": 80, "commands": 120, "labels": 160, "saved": 240, "gguf": 240}
OTHERS = 400

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="mutants are read in forked processes")


@pytest.mark.parametrize("name", fuzz.NAMES)
def test_mutants_are_read_or_refused_in_one_line(name):
    assert fuzz.campaign(name, 0, COUNTS.get(name, OTHERS), SEED) == []


def test_the_same_number_and_seed_make_the_same_mutant(tmp_path, monkeypatch):
    """On another day, too, although zip files hold the time of their creation."""
    for name in fuzz.READERS:
        mutants = []
        for place, now in (("a", 1e9), ("b", 1.7e9)):
            monkeypatch.setattr(time, "time", lambda now=now: now)
            fuzz.kept(name, 7, SEED, tmp_path / name / place)
            mutants.append({path.name: path.read_bytes() for path in (tmp_path / name / place).iterdir()})
        assert mutants[0] == mutants[1], name


# --- faults are detected -----------------------------------------------------------------------------------------

MISDEEDS = {
    "written": (lambda rng, folder: (folder.parent.parent / "elsewhere").write_text(""), "written /"),
    "read": (lambda rng, folder: Path("/etc/hostname").read_text(), "read /etc/hostname"),
    "network": (lambda rng, folder: socket.create_connection(("127.0.0.1", 9), 1), "Connection"),
    "program": (lambda rng, folder: subprocess.run(["true"], check=True), "subprocess.Popen"),
    "memory": (lambda rng, folder: bytearray(2 << 30), "MemoryError"),
    "waiting": (lambda rng, folder: time.sleep(60), "takes more than 0.25 seconds"),
    "time": (lambda rng, folder: sum(i for i in range(10**12)), "takes more than 0.25 seconds"),
    "end": (lambda rng, folder: os.abort(), "ended with status -6"),
    "crash": (lambda rng, folder: ctypes.string_at(0), "ended with status -11"),
    "raw": (lambda rng, folder: 1 // 0, "ZeroDivisionError"),
}


@pytest.mark.parametrize("name", MISDEEDS)
def test_a_misdeed_is_seen(name):
    act, said = MISDEEDS[name]

    def trial(rng, folder):
        if folder.name == "1":  # the second of three mutants
            act(rng, folder)
        return ""

    found = list(worker.findings(trial, name, 0, 3, SEED, seconds=0.25))
    assert [number for number, _ in found] == [1]
    assert said in found[0][1]


def test_a_process_that_cannot_begin_is_seen_and_ends(monkeypatch, capfd):
    """It must not continue as if it were the parent process."""
    monkeypatch.setattr(os, "devnull", "/nowhere/null")
    here = os.getpid()
    findings = list(worker.findings(lambda rng, folder: "", "name", 0, 2, SEED))
    assert findings == [(0, "the process ended with status 1"), (1, "the process ended with status 1")]
    assert os.getpid() == here
    assert capfd.readouterr().err.count("FileNotFoundError") == 2


@pytest.mark.parametrize("text", ["\x1b", "\r", "\x7f", "\x9b", "\u202e", "\u2066"])
def test_a_character_that_steers_a_terminal_is_seen(text, monkeypatch):
    assert commands.steers(text)
    monkeypatch.setattr("attnviz.cli.main", lambda words: print(f"a{text}b") or 0)
    assert commands.run(["table"]) == f"table: printed {ord(text):#x}"


FILES = {
    "out.svg": b"<svg>\x01</svg>", "o.json": b'{"a": NaN}', "out.png": b"\x89PNG\r\n\x1a\n", "out.png.1.part": b"",
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_whole_is_seen(tmp_path, name):
    (tmp_path / "out.csv").write_bytes(b"a,b\n")
    assert commands.written(tmp_path) == ""
    (tmp_path / name).write_bytes(FILES[name])
    assert commands.written(tmp_path)


@pytest.mark.parametrize("text", ["a\nb", "a" * 2000])
def test_a_message_that_is_not_one_short_line_is_seen(text):
    assert worker.of_message(text)
    assert not worker.of_message("wanted this, got that")
