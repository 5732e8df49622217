"""Modules of the page that need no browser: their own tests, run by Node, or by the Node that Playwright brings."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from helpers.paths import ROOT

FILES = sorted((ROOT / "tests" / "browser" / "js").glob("*.test.mjs"))


def node() -> str | None:
    """Path of Node: from PATH, else Playwright's own."""
    if found := shutil.which("node"):
        return found
    try:
        from playwright._impl._driver import compute_driver_executable
    except ImportError:
        return None
    return str(compute_driver_executable()[0])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".test.mjs"))
def test_modules(file):
    if (path := node()) is None:
        pytest.skip("Node is not installed")
    done = subprocess.run([path, "--test", file], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
