"""Weights that cause overflow in float32 give an error that names the layer, never a picture."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from helpers.paths import REFERENCE
from safetensors.numpy import load_file, save_file

import attnviz
from attnviz.cli import main
from attnviz.errors import CheckpointError

IDS = list(range(10, 22))


@pytest.fixture
def scaled(tmp_path):
    """A reference case whose tensors with one of these words in their names are multiplied by a factor."""

    def make(case, factor, *words):
        place = shutil.copytree(REFERENCE / case, tmp_path / case)
        tensors = load_file(place / "model.safetensors")
        with np.errstate(over="ignore"):
            changed = {n: v * np.float32(factor) if any(w in n for w in words) else v for n, v in tensors.items()}
        save_file(changed, place / "model.safetensors")
        return place

    return make


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("case", "factor", "words", "what"),
    [
        ("bert", 1e20, ("query", "key"), "queries and keys of layer 0"),
        ("bert", 1e20, ("layer.1.attention.self.query", "layer.1.attention.self.key"), "queries and keys of layer 1"),
        ("llama", -1e20, ("q_proj", "k_proj"), "queries and keys of layer 0"),
        ("llama", 1e38, ("layers.0.self_attn.o_proj",), "the outputs of layer 0"),
        ("t5", 1e25, ("SelfAttention.q", "SelfAttention.k"), "queries and keys of layer 0"),
        ("bloom", 1e38, ("word_embeddings.weight",), "the embeddings"),
    ],
)
def test_what_overflows_is_refused_with_its_layer(scaled, case, factor, words, what):
    inputs = {"ids": IDS, "target_ids": IDS} if case == "t5" else {"ids": IDS}
    with pytest.raises(CheckpointError, match=f"^{what} are not finite"):
        attnviz.load(scaled(case, factor, *words)).attend(**inputs)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ["stats", "table", "rollout", "norms", "export"])
def test_no_command_prints_numbers_of_it(scaled, capsys, tmp_path, name):
    place = scaled("bert", 1e20, "query", "key")
    words = ["-o", str(tmp_path / "x.npz")] if name == "export" else []
    assert main([name, "-m", str(place), "--ids", ",".join(map(str, IDS)), *words]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: queries and keys of layer 0 are not finite")
    assert not (tmp_path / "x.npz").exists()


def test_large_numbers_that_float32_holds_are_drawn(scaled):
    """Scores of 1e12 are absurd and exact: every row is one-hot."""
    weights = attnviz.load(scaled("bert", 1e6, "query", "key")).attend(ids=IDS).weights
    assert np.isfinite(weights).all() and np.allclose(weights.sum(-1), 1) and weights.max(-1).min() > 0.999
    assert json.dumps(float(weights.max())) == "1.0"
