"""A family is one file: the index over the files, and a family added by a single file in another folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from helpers.paths import ROOT

import attnviz
from attnviz import families
from attnviz.families import architecture, family, known, make_index, recipe
from attnviz.families._listing import describe

# A model with attention alone: 2 heads, rotary positions, no MLP, and its own keys.
FILE = '''"""Owl (nobody 2026): two heads under rotary positions."""

from attnviz.engine.spec import Norm, Rotary, Spec
from attnviz.families._gguf import shared as gguf
from attnviz.families._names import pairs
from attnviz.families._recipes import WORDPIECE
from attnviz.families._unembed import Unembedding

ALIASES = ("barn_owl",)
NAMES = {
    "embed.tokens": "owl.words",
    **pairs({"q": "q", "k": "k", "v": "v", "o": "o", "norm1": "n"}, "layers.{i}.", "block{i}."),
}
UNEMBED = Unembedding(tied=True)
GGUF = {"owl": gguf.Architecture(lambda m: {**gguf.sizes(m), "model_type": "owl"})}
TOKENIZERS = {"owl": WORDPIECE}


def spec(config):
    d_model = config.int("width", 8)
    sizes = {"n_layers": config.layers("depth", 1), "n_heads": 2, "d_model": d_model, "d_mlp": 0}
    norm = Norm("rms", bias=False)
    return Spec(**sizes, vocab=config.int("words", 7), rotary=(Rotary(4),), norm=norm, norm_before=True, causal=True)
'''


@pytest.fixture
def owl(tmp_path, monkeypatch):
    """The family in a separate folder, known to attnviz while the test runs."""
    folder = tmp_path / "more families"
    folder.mkdir()
    (folder / "owl.py").write_text(FILE)
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(folder)])
    monkeypatch.setattr(families, "INDEX", make_index())
    yield folder
    sys.modules.pop("attnviz.families.owl", None)


def test_the_index_is_what_the_files_say():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_family_index.py", "--check"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_two_files_cannot_claim_one_name(tmp_path, monkeypatch):
    (tmp_path / "owl.py").write_text(FILE.replace("barn_owl", "bert"))
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    with pytest.raises(ValueError, match=r"bert is claimed by bert\.py and by owl\.py"):
        make_index()
    sys.modules.pop("attnviz.families.owl", None)


@pytest.mark.parametrize("model_type", known())
def test_looking_a_family_up_imports_its_file_alone(model_type):
    # Two towers are two families: only families of towers read other families' files.
    towers = {"clip": {"clip_text", "clip_vision"}, "siglip": {"siglip_text_model", "siglip_vision_model"}}
    names = [f"attnviz.families.{name}" for name in {model_type} | towers.get(model_type, set())]
    before = {name: module for name, module in sys.modules.items() if name.startswith("attnviz.families.")}
    public = [name for name in before if not name.startswith("attnviz.families._")]
    for name in public:
        del sys.modules[name]
    try:
        family(model_type)
        read = {name for name in sys.modules if name.startswith("attnviz.families.")}
        assert {name for name in read if not name.startswith("attnviz.families._")} <= set(names)
    finally:
        sys.modules.update(before)


def test_one_file_adds_a_family(owl, tmp_path):
    assert family("owl").__name__ == "attnviz.families.owl" and family("barn-owl") is family("owl")
    description = describe("owl")
    assert (description.title, description.positions, description.mask) == (
        "Owl (nobody 2026): two heads under rotary positions.",
        ("rotary",),
        ("causal",),
    )
    assert architecture("owl", "x.gguf") is family("owl").GGUF["owl"]
    assert recipe("owl") is family("owl").TOKENIZERS["owl"]
    assert family("owl").UNEMBED.tied


def test_a_checkpoint_of_that_family_is_drawn(owl, tmp_path):
    """With W_Q = W_K = 0 all scores are 0, so that row i gives 1 / (i + 1) to each of its keys."""
    from safetensors.numpy import save_file

    place = tmp_path / "checkpoint"
    place.mkdir()
    (place / "config.json").write_text(json.dumps({"model_type": "barn-owl", "width": 8, "words": 7}))
    (place / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "owl"]))
    square = np.zeros((8, 8), np.float32)
    tensors = {f"block0.{part}.weight": square for part in "qkvo"}
    tensors |= {f"block0.{part}.bias": np.zeros(8, np.float32) for part in "qkvo"}
    tensors |= {"block0.n.weight": np.ones(8, np.float32), "owl.words": np.eye(7, 8, dtype=np.float32)}
    save_file(tensors, place / "model.safetensors")
    attention = attnviz.load(place).attend("who owl")
    assert attention.query_tokens == ("[CLS]", "who", "owl", "[SEP]")
    want = np.tril(np.ones((4, 4))) / np.arange(1, 5)[:, None]
    np.testing.assert_allclose(attention.weights[0], np.stack([want, want]), atol=1e-6)


def test_a_copy_of_one_file_alone_is_enough(owl, tmp_path):
    """No fact of a family is in another file: without its file all its names are gone."""
    shutil.rmtree(owl)
    sys.modules.pop("attnviz.families.owl", None)
    index = make_index()
    assert not any("owl" in name for part in index.values() for name in part)
