"""Run a command in this process, with byte streams like a shell's."""

from __future__ import annotations

import io
import sys

import pytest

from attnviz.cli import main


class Streams:
    """Standard input and output over byte buffers, as in a process."""

    def __init__(self, data=b""):
        self.inward = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")
        self.out, self.err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a command in an empty folder -> (exit status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATTNVIZ_MODEL", "seeded")
    monkeypatch.setenv("COLUMNS", "100")

    def call(*words, stdin=b"", binary=False):
        streams = Streams(stdin)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", streams.inward)
            patch.setattr(sys, "stdout", streams.out)
            patch.setattr(sys, "stderr", streams.err)
            status = main([str(word) for word in words])
        out = streams.out.buffer.getvalue()
        return status, out if binary else out.decode(), streams.err.buffer.getvalue().decode()

    return call
