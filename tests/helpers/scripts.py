"""Scripts of the repository run in this process."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest


def status_of(script: Path, *words: str) -> int:
    """Run a script; return its exit status. Its output goes to the test's own output."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(script.parent)
        patch.setattr(sys, "argv", [str(script), *words])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(script), run_name="__main__")
    return ended.value.code
