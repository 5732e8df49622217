"""A process that is told to end leaves nothing half written; one without standard streams works, and is quiet."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from helpers.paths import ROOT

from attnviz.errors import OutputError
from attnviz.files.output import drop_unfinished, writing

SLOW = """
import sys, time
from attnviz import cli
def slow(words):
    from attnviz.files.output import writing
    with writing("out.bin") as file:
        file.write(b"half")
        file.flush()
        print("begun", flush=True)
        time.sleep(60)
cli._run = slow
sys.exit(cli.main([]))
"""


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_leaves_no_half_file(tmp_path, name, status):
    (tmp_path / "out.bin").write_bytes(b"before")
    # Who is started by `nohup` passes on that hangups are ignored.
    program = f"import signal\nsignal.signal(signal.{name}, signal.SIG_DFL)\n{SLOW}"
    child = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    assert any(path.suffix == ".part" for path in tmp_path.iterdir())
    child.send_signal(getattr(signal, name))
    said = child.communicate(timeout=30)[1]
    assert (child.returncode, said) == (status, "")
    assert [path.name for path in tmp_path.iterdir()] == ["out.bin"]
    assert (tmp_path / "out.bin").read_bytes() == b"before"


def test_a_hangup_that_is_ignored_stays_ignored(tmp_path):
    program = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + SLOW.replace("sleep(60)", "sleep(1)")
    child = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    child.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    child.communicate(timeout=30)
    assert child.returncode == 0
    assert (tmp_path / "out.bin").read_bytes() == b"half"


def test_what_was_begun_can_be_dropped(tmp_path):
    with pytest.raises(OutputError, match="No such file"), writing(tmp_path / "a") as file:
        file.write(b"1")
        drop_unfinished()  # what is renamed in the end is gone
        assert list(tmp_path.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(tmp_path, closed):
    """Without a reader no message is written; the file is complete, and holds no message."""
    words = f"{sys.executable} -m attnviz heatmap hello -o out.png {closed}"
    ran = subprocess.run(["sh", "-c", words], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr and "failed" not in ran.stderr
    assert (tmp_path / "out.png").read_bytes()[:4] == b"\x89PNG"
    refused = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m attnviz table - {closed}"], cwd=tmp_path, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    assert refused.returncode == 1, refused.stderr
    assert "Traceback" not in refused.stderr


PRINTING = [["table", "hello there"], ["tokens", "hello", "--json"], ["heatmap", "hello", "-o", "-"], ["--version"]]


@pytest.mark.parametrize("words", PRINTING)
def test_a_result_that_cannot_be_printed_is_an_error(tmp_path, words):
    """`>&-` differs from `>/dev/null`: with standard output closed, the result is lost."""
    ran = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", sys.executable, "-m", "attnviz", *words],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 1
    assert ran.stderr == "error: standard output is closed: there is nowhere to print the result\n"
    quiet = subprocess.run(
        ["sh", "-c", '"$@" 2>&-', "sh", sys.executable, "-m", "attnviz", *words],
        cwd=tmp_path, capture_output=True, timeout=60,
    )  # fmt: skip
    assert quiet.returncode == 0 and quiet.stdout and not quiet.stderr


def test_a_full_disk_is_one_line():
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run([sys.executable, "-m", "attnviz", "table", "hi"], stdout=full, stderr=-1, text=True)
    assert (ran.returncode, ran.stderr) == (1, "error: No space left on device\n")


FROM_THE_START = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import attnviz.__main__ as start
if {place!r} == "imports":
    os.kill(os.getpid(), signal.SIGINT)
from attnviz import cli
def command():
    if {place!r} == "command":
        os.kill(os.getpid(), signal.SIGINT)
    return 0
cli.main = command
status = start.main()
if {place!r} == "end":
    os.kill(os.getpid(), signal.SIGINT)
sys.exit(status)
"""


@pytest.mark.parametrize("place", ["imports", "command", "end"])
def test_ctrl_c_is_quiet_from_the_first_line_to_the_last(place):
    ran = subprocess.run([sys.executable, "-c", FROM_THE_START.format(place=place)], capture_output=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, b"", b"")


def test_ctrl_c_that_is_ignored_stays_ignored():
    program = FROM_THE_START.format(place="imports").replace("signal.default_int_handler)", "signal.SIG_IGN)")
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_almost_nothing_is_imported_before_ctrl_c_is_answered():
    """The command begins where `python -m attnviz` does, and that takes no module of its own but three."""
    entry = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["attnviz"]
    assert entry == "attnviz.__main__:main"
    program = "import os, sys; sys.path.insert(0, sys.argv[1]); had = set(sys.modules); import attnviz.__main__\n"
    program += "print(*sorted(set(sys.modules) - had))"
    ran = subprocess.run([sys.executable, "-ISc", program, str(ROOT)], capture_output=True, text=True, timeout=60)
    assert ran.stdout.split() == ["__future__", "attnviz", "attnviz.__main__", "attnviz.analyses"], ran.stderr
