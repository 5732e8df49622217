"""The list of tensors in the Spec's docstring, from which authors of families learn what the engine reads."""

from __future__ import annotations

import json
import re
from itertools import product

from helpers.paths import REFERENCE

from attnviz.engine import spec
from attnviz.families import family, names_of
from attnviz.families._config import Config


def listed() -> set[str]:
    """`a.b|c.d` in the docstring means a.b.d and a.c.d."""
    entries = re.findall(r"[a-z][\w|]*(?:\.[\w{}|]+)+", spec.__doc__ or "")
    return {".".join(parts) for entry in entries for parts in product(*(p.split("|") for p in entry.split(".")))}


def used() -> set[str]:
    """Every tensor in the table of a reference case's family, without its stack's name."""
    found = set()
    for folder in REFERENCE.iterdir():
        if not folder.is_dir():
            continue
        config = Config(json.loads((folder / "config.json").read_text()))
        module = family(config.data["model_type"])
        module.spec(config)
        names = names_of(module, config)
        found |= {re.sub(r"^(encoder|decoder|text|image)\.", "", name) for name in names}
    return {re.sub(r"\.\d+\.", ".{i}.", name) for name in found}


def test_every_tensor_is_listed() -> None:
    assert used() - listed() == set()


def test_every_listed_tensor_is_used() -> None:
    assert listed() - used() == set()
