"""The language model in a model that reads images computes the same as alone, from its own configuration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import REFERENCE
from safetensors.numpy import load_file, save_file

import attnviz
from attnviz import generate
from attnviz.errors import ConfigError

IDS = [7, 9, 30, 12, 55, 8, 21]
# The whole model, the language model inside it, and whether its output matrix is the token embeddings.
INSIDE = [
    ("llava", "llama", False),
    ("mistral3", "mistral", True),
    ("gemma3", "gemma3_text", True),
    ("qwen2_vl", "qwen2_vl_text", False),
    ("qwen2_5_vl", "qwen2_5_vl_text", False),
]


def saved(folder: Path, tensors, config):
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    return attnviz.load(folder)


def parts(case):
    """The configuration, all tensors, and the language model's tensors by its own names."""
    tensors = load_file(REFERENCE / case / "model.safetensors")
    own = {n.removeprefix("language_model."): t for n, t in tensors.items() if n.startswith("language_model.")}
    return json.loads((REFERENCE / case / "config.json").read_text()), tensors, own


@pytest.mark.parametrize(("case", "kind", "tied"), INSIDE)
def test_it_is_the_language_model(case, kind, tied, tmp_path):
    config, tensors, own = parts(case)
    text = {**config["text_config"], "model_type": kind, "tie_word_embeddings": tied}
    head = np.random.default_rng(0).standard_normal((67, 32)).astype(np.float32)
    if not tied:
        tensors["language_model.lm_head.weight"] = own["lm_head.weight"] = head
    whole = saved(tmp_path / "whole", tensors, config)
    alone = saved(tmp_path / "alone", own, text)
    np.testing.assert_array_equal(whole.attend(ids=IDS).weights, alone.attend(ids=IDS).weights)
    assert generate(whole, ids=IDS, max_new=3).new.ids == generate(alone, ids=IDS, max_new=3).new.ids


@pytest.mark.parametrize("case", ["qwen2_vl", "qwen2_5_vl"])
def test_published_files_have_no_text_config(case, tmp_path):
    """These models have three axes of positions; a token of text has the same position on all of them."""
    config, tensors, _ = parts(case)
    text = config.pop("text_config")
    rope = text.pop("rope_parameters")
    text |= {"rope_theta": rope["rope_theta"], "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]}}
    text.pop("model_type")
    renamed = {n.replace("language_model.", "model.", 1): t for n, t in tensors.items()}
    flat = saved(tmp_path / "flat", renamed, {**text, **config})
    expected = np.load(REFERENCE / case / "expected.npz")
    got = flat.attend(ids=expected["input_ids"].tolist()).weights
    np.testing.assert_allclose(got, expected["self"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ({"model_type": "llava"}, "model_type 'llava' is no language model"),
        ({"model_type": "vit"}, "model_type 'vit' is no language model"),
        ({"model_type": 5}, "model_type must be a name; got 5"),
        ([1], "text_config must be an object"),
    ],
)
def test_what_is_inside_must_be_a_language_model(text, message, tmp_path):
    config, tensors, _ = parts("llava")
    with pytest.raises(ConfigError, match=message):
        saved(tmp_path / "x", tensors, {**config, "text_config": text})
