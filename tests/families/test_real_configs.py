"""Configurations of published models, as facts: the keys that matter, and what attnviz reads from them.

tests/data/configs.json has a line per configuration: its name; the family, with the keys that are ignored, or the
message of the refusal; the configuration without keys of generation, training and task heads. For families that attnviz
does not know it has the model_type alone.
"""

from __future__ import annotations

import json

import pytest
from helpers.paths import DATA

import attnviz
from attnviz.errors import ConfigError
from attnviz.families import model_types

ROWS = json.loads((DATA / "configs.json").read_text("utf-8"))
DRAWN = [row for row in ROWS if "family" in row]
UNKNOWN = "is not a family that attnviz knows"
# A family that has been added since is described by its own tests: its row holds a model_type alone.
REFUSED = [
    row
    for row in ROWS
    if "refused" in row and not (UNKNOWN in row["refused"] and row["config"]["model_type"] in model_types())
]


def name(row):
    return row["name"]


@pytest.mark.parametrize("row", DRAWN, ids=name)
def test_it_is_drawn(row):
    description = attnviz.describe(row["config"])
    assert description["family"] == row["family"]
    assert description["ignored"] == row.get("ignored", [])


@pytest.mark.parametrize("row", REFUSED, ids=name)
def test_it_is_refused_for_this_reason(row):
    with pytest.raises(ConfigError) as caught:
        attnviz.describe(row["config"])
    assert str(caught.value) == row["refused"]


def test_of_known_families_few_are_refused():
    """Each of these refusals was looked up: the checkpoint brings code of its own, or weights in a form not read."""
    known = [row["name"] for row in REFUSED if UNKNOWN not in row["refused"]]
    assert len(DRAWN) >= 119
    assert known == ["codegen2-1B", "lodestone-base-4096-v1", "Qwen/Qwen3-32B-FP8-Static-PerTensor"]
