"""Masked-language heads: scores at a position, against transformers' own (scripts/make_masked_reference.py)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.masked import HEADS, with_head
from helpers.paths import DATA, REFERENCE
from safetensors.numpy import load_file, save_file

import attnviz
from attnviz import generate
from attnviz.engine.decode import Vocabulary
from attnviz.engine.forward import run
from attnviz.engine.spec import Norm, Spec, Transform, Unembed
from attnviz.errors import ModelError
from attnviz.models.vocabulary import vocabulary_of

EXPECTED = np.load(DATA / "masked.npz")


def last_layer(model, ids):
    """The output of a single stack [n, d_model]."""
    return run(model.spec, model.tensors, model.prepare(ids=ids).inputs["self"], {}, whole=True)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_the_same_scores_as_transformers(name, tmp_path):
    folder, ids = with_head(name, tmp_path)
    model = attnviz.load(folder)
    vocabulary = vocabulary_of(model, masked=True)
    x = last_layer(model, ids)
    scores = vocabulary.scores(x)[: len(EXPECTED[name])]
    error = np.abs(scores - EXPECTED[name]).max()
    assert error <= max(1e-5, 4 * float(EXPECTED[f"{name}.error"]))
    assert np.allclose(vocabulary.scores(x[1]), scores[1], atol=1e-5)
    assert vocabulary.how.masked
    with pytest.raises(ModelError, match="cannot continue a text: its family has nothing that chooses a next token"):
        generate(model, ids=ids)


def test_the_scores_of_a_transform_by_hand():
    class Stored:
        def __init__(self, tensors):
            self.tensors = {name: np.array(values, np.float32) for name, values in tensors.items()}

        def get(self, name, shape):
            return self.tensors[name]

        def has(self, name):
            return name in self.tensors

    how = Unembed(transform=Transform("relu", Norm(eps=0.0, bias=False)), masked=True)
    stored = Stored(
        {
            "unembed.weight": [[1, 0], [0, 2], [1, 1]],
            "unembed.bias": [0, 0.5, -1],
            "unembed.dense.weight": [[1, 0, 0], [0, 1, -1]],
            "unembed.dense.bias": [0, 1],
            "unembed.norm.weight": [3, 1],
        }
    )
    head = Vocabulary.of(how, Spec(n_layers=1, n_heads=1, d_model=3, d_mlp=4), stored)
    # dense: (5, 1 - 2 + 1) = (5, 0); layer norm: (1, -1); its weight: (3, -1).
    assert np.allclose(head.scores(np.array([5, 1, 2], np.float32)), [3, -1.5, 1])


@pytest.mark.parametrize("name", ["bert", "roberta", "xlm", "modernbert"])
def test_a_file_without_its_head_is_refused(name):
    with pytest.raises(ModelError, match="lacks its masked-language head: "):
        vocabulary_of(attnviz.load(REFERENCE / name), masked=True)


def test_who_has_no_head():
    with pytest.raises(ModelError, match="has no output head"):
        vocabulary_of(attnviz.load(REFERENCE / "xlnet"), masked=True)
    with pytest.raises(ModelError, match="has no vocabulary"):
        vocabulary_of(attnviz.load("seeded"), masked=True)


def test_adaptive_scores_are_refused(tmp_path):
    folder, _ = with_head("xlm", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "asm": True}))
    with pytest.raises(ModelError, match="has no output head"):
        vocabulary_of(attnviz.load(folder), masked=True)


def test_a_head_that_is_too_narrow_is_named(tmp_path):
    folder, _ = with_head("bert", tmp_path)
    tensors = load_file(folder / "model.safetensors")
    tensors["cls.predictions.transform.dense.weight"] = tensors["cls.predictions.transform.dense.weight"][:-1]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(attnviz.AttnvizError, match=r"cls\.predictions\.transform\.dense\.weight"):
        vocabulary_of(attnviz.load(folder), masked=True)
