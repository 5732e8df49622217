"""Modules of the page that need no browser: their own tests, run by Node, or by the Node that Playwright brings."""

from __future__ import annotations

import pytest
from helpers.node import ran
from helpers.paths import ROOT

FILES = sorted((ROOT / "tests" / "browser" / "js").glob("*.test.mjs"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".test.mjs"))
def test_modules(file):
    ran("--test", file)
