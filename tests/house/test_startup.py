"""Modules that may be loaded before anything is computed, so that the command line answers quickly."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest
from helpers.startup import HEAVY, loaded


@pytest.mark.parametrize("words", [("--help",), ("--version",), (), ("heatmap", "--help"), ("inspect", "-h")])
def test_help_and_version_load_nothing_heavy(words):
    status, out, modules = loaded(*words)
    assert status == 0
    assert out.strip()
    assert sorted(modules & set(HEAVY)) == []


def test_help_imports_no_command():
    _, _, modules = loaded("--help")
    ours = {name for name in modules if name.startswith("attnviz.")}
    assert ours <= {
        "attnviz.cli",
        "attnviz.cli.app",
        "attnviz.cli.options",
        "attnviz.errors",
        "attnviz.analyses",
        "attnviz.flags",
    }


def test_version_loads_no_rich():
    _, out, modules = loaded("--version")
    assert out.startswith("attnviz ")
    assert "rich" not in modules


def test_wrong_usage_loads_nothing_heavy(tmp_path):
    status, _, modules = loaded("heatmap", "text", "-o", "picture.bmp")
    assert status == 2
    assert sorted(modules & set(HEAVY)) == []


def test_numbers_need_no_matplotlib_and_no_pydantic(tmp_path):
    """pydantic is what typer reads values with, at 0.1 s; matplotlib draws, which `table --json` does not."""
    saved = tmp_path / "a.npy"
    import numpy as np

    np.save(saved, np.full((2, 2), 0.5, np.float32))
    status, out, modules = loaded("table", "--from", str(saved), "--json")
    assert status == 0
    assert len(json.loads(out)) == 4
    assert sorted(modules & {"matplotlib", "tokenizers", "pydantic", "PIL"}) == []


def test_import_of_the_package_loads_nothing():
    code = "import attnviz, sys; print(sorted(m for m in sys.modules if m.split('.')[0] in {'attnviz', 'numpy'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['attnviz', 'attnviz.analyses']"  # the last is a table of names


# Modules that a plain heatmap does not need: the Hub, other forms of checkpoints, images, sound, other commands'
# numbers.
UNUSED = {
    "attnviz.models.hub", "attnviz.inputs", "attnviz.variants", "attnviz.measures", "attnviz.models.generate",
    "attnviz.io.saved", "attnviz.checkpoints.lora", "attnviz.checkpoints.npz", "attnviz.checkpoints.pickles",
    "attnviz.checkpoints.pytorch", "attnviz.checkpoints.seeded", "attnviz.checkpoints.sharded",
    "attnviz.checkpoints.zips", "attnviz.engine.after_attention", "attnviz.engine.cache", "attnviz.engine.experts",
    "attnviz.engine.decode", "attnviz.engine.images", "attnviz.engine.mean", "attnviz.engine.relative",
    "attnviz.render.artists", "attnviz.tokens.chat", "attnviz.tokens.seeded", "attnviz.tokens.vocabulary",
    "concurrent.futures", "huggingface_hub", "jinja2", "matplotlib", "ml_dtypes", "PIL", "pydantic", "rich",
}  # fmt: skip
OF_FOLDERS = {
    "attnviz.tokens.files",
    "attnviz.tokens.added",
    "attnviz.tokens.classes",
    "attnviz.checkpoints.safetensors",
}
OF_GGUF = {"attnviz.tokens.gguf", "attnviz.tokens.gguf_splits", "attnviz.checkpoints.gguf"}


@pytest.mark.parametrize(("model", "more"), [("tiny", OF_FOLDERS), ("minilm", OF_GGUF)])
def test_a_heatmap_loads_only_what_it_uses(tmp_path, model, more):
    picture = tmp_path / "a.png"
    status, _, modules = loaded("heatmap", "The cat sat", "-m", model, "-o", str(picture))
    assert status == 0 and picture.stat().st_size
    assert sorted(modules & (UNUSED | more)) == []
    families = {name.rpartition(".")[2] for name in modules if name.startswith("attnviz.families.")}
    assert {name for name in families if name[0] != "_"} == {"bert", "shared", "metadata", "names"}


def test_the_modules_that_a_heatmap_must_not_load_are_there():
    """A renamed module must not count as one that is not loaded."""
    ours = [name for name in UNUSED | OF_FOLDERS | OF_GGUF if name.startswith("attnviz.")]
    assert [name for name in ours if find_spec(name) is None] == []
