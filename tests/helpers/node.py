"""Node, which runs the page's modules without a browser."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.paths import ROOT


def node() -> str | None:
    """Path of Node: from PATH, else Playwright's own."""
    if found := shutil.which("node"):
        return found
    try:
        from playwright._impl._driver import compute_driver_executable
    except ImportError:
        return None
    return str(compute_driver_executable()[0])


def ran(*words: str | Path) -> str:
    """Run Node on a module of ours and return what it prints. Without Node the test is skipped."""
    path = node()
    if path is None:
        pytest.skip("Node is not installed")
    done = subprocess.run([path, *words], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout
