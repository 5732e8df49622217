"""A process that is told to end leaves nothing half written; one without standard streams works, and is quiet."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from attnviz.errors import OutputError
from attnviz.output import drop_unfinished, writing

SLOW = """
import sys, time
from attnviz import cli
def slow(words):
    from attnviz.output import writing
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
    """Nothing is said where nobody listens; the file is written whole, and no message lands in it."""
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
