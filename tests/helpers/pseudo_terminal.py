"""A command in its own pseudo-terminal, whose keys and answers come from the test."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time

CLEAN = ("NO_COLOR", "FORCE_COLOR", "COLORFGBG", "ATTNVIZ_BACKGROUND", "ATTNVIZ_PAGER", "PAGER", "LESS", "COLUMNS",
         "LINES", "SSH_CONNECTION", "TTY_COMPATIBLE")  # fmt: skip


def _lead() -> None:
    """Set up the new process: it controls the terminal, and signals reach it even if the tests ignore them (nohup)."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class PseudoTerminal:
    """leader: the test's end. settings(): the terminal's settings. seen: the bytes that the command has written."""

    def __init__(self, *words, rows=24, cols=80, typed=b"", **env):
        self.leader, self.follower = os.openpty()
        fcntl.ioctl(self.follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        self.before = self.settings()
        if typed:
            os.write(self.leader, typed)
        env = {**{k: v for k, v in os.environ.items() if k not in CLEAN}, "TERM": "xterm-256color", **env}
        env.setdefault("COLORTERM", "truecolor")
        self.seen = b""
        self.process = subprocess.Popen(
            [sys.executable, *words], stdin=self.follower, stdout=self.follower, stderr=self.follower, env=env,
            start_new_session=True, preexec_fn=_lead,
        )  # fmt: skip

    def settings(self):
        return termios.tcgetattr(self.follower)

    def read(self, until=None, seconds=30.0):
        """Read until these bytes have been written (True), or until the command has ended (False)."""
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            if until is not None and until in self.seen:
                return True
            ended = self.process.poll() is not None
            if select.select([self.leader], [], [], 0 if ended else 0.02)[0]:
                self.seen += os.read(self.leader, 65536)
            elif ended:
                return False
        raise AssertionError(f"nothing more in {seconds} s; seen {self.seen!r}")

    def say(self, keys):
        os.write(self.leader, keys)

    def left(self):
        """Keys that have not been read."""
        return os.read(self.follower, 1024) if select.select([self.follower], [], [], 0.05)[0] else b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.leader)
        os.close(self.follower)
