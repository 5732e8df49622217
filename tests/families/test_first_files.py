"""Models as first published: the names and keys of their own code, before the reference included them."""

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


def saved(folder: Path, tensors, config) -> Path:
    save_file(
        {name: np.ascontiguousarray(values) for name, values in tensors.items()}, folder / "model.safetensors", {}
    )
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def agrees(folder: Path, case: str) -> None:
    expected = np.load(REFERENCE / case / "expected.npz")
    got = attnviz.load(folder).attend(ids=expected["input_ids"].tolist()).weights
    np.testing.assert_allclose(got, expected["self"], rtol=0, atol=1e-5)


PHI = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "vocab_size": 67, "rotary_dim": 4, "n_inner": 64}
MIXFORMER = {
    "model_type": "mixformer-sequential",
    "architectures": ["MixFormerSequentialForCausalLM"],
    "architecture": {"block_cls": "parallel", "mixer": {}, "mlp": {"mlp_cls": "mlp"}},
    "embd_layer": "default",
    "phyagi_version": "0.0.4.dev",
}
MSFT = {"model_type": "phi-msft", "n_head_kv": None, "flash_attn": False, "fused_dense": False, "img_processor": None}


def phi(sequential: bool):
    """The tensors of the reference case of Phi under their first names, with a table of 128 rows and a head."""
    own = {n.removeprefix("model."): t for n, t in load_file(REFERENCE / "phi" / "model.safetensors").items()}
    table = np.concatenate([own["embed_tokens.weight"], np.zeros((61, 32), np.float32)])
    respelt = {"layers.0.wte.weight" if sequential else "transformer.embd.wte.weight": table}
    parts = {
        "input_layernorm": "ln", "self_attn.dense": "mixer.out_proj", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"
    }  # fmt: skip
    for i in range(2):
        front = f"layers.{i + 1}." if sequential else f"transformer.h.{i}."
        for kind in ("weight", "bias"):
            respelt |= {f"{front}{new}.{kind}": own[f"layers.{i}.{old}.{kind}"] for old, new in parts.items()}
            fused = [own[f"layers.{i}.self_attn.{p}_proj.{kind}"] for p in "qkv"]
            respelt[f"{front}mixer.Wqkv.{kind}"] = np.concatenate(fused)
    head = "layers.3." if sequential else "lm_head."
    rng = np.random.default_rng(0)
    for kind in ("weight", "bias"):
        respelt[f"{head}ln.{kind}"] = own[f"final_layernorm.{kind}"]
    respelt[f"{head}linear.weight"] = rng.standard_normal((128, 32)).astype(np.float32)
    respelt[f"{head}linear.bias"] = rng.standard_normal(128).astype(np.float32)
    return respelt


@pytest.mark.parametrize(("sequential", "config"), [(True, MIXFORMER), (False, MSFT)])
def test_phi(sequential, config, tmp_path) -> None:
    folder = saved(tmp_path, phi(sequential), config | PHI)
    agrees(folder, "phi")
    assert len(generate(attnviz.load(folder), ids=[5, 6, 7], max_new=3).new.ids) == 3


def test_phi_of_another_block_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="block_cls must be one of parallel"):
        attnviz.load(saved(tmp_path, phi(True), MIXFORMER | PHI | {"architecture": {"block_cls": "sequential"}}))


def test_falcon(tmp_path) -> None:
    """RefinedWebModel is the 7B form: one key-value head, one norm."""
    own = json.loads((REFERENCE / "falcon" / "config.json").read_text())
    first = {"n_head": 4, "n_layer": 2, "hidden_size": 32, "vocab_size": 67, "multi_query": True, "alibi": False}
    first |= {"bias": False, "parallel_attn": True, "apply_residual_connection_post_layernorm": False}
    assert own["multi_query"] and own["parallel_attn"] and not own["new_decoder_architecture"]
    tensors = load_file(REFERENCE / "falcon" / "model.safetensors")
    agrees(saved(tmp_path, tensors, first | {"model_type": "RefinedWebModel", "n_inner": None}), "falcon")


def test_falcon_40b(tmp_path) -> None:
    """RefinedWeb has several key-value heads and two norms, and no key that says so."""
    config = {"model_type": "RefinedWeb", "n_head": 4, "n_head_kv": 2, "n_layer": 2, "hidden_size": 32}
    spec = attnviz.families.family("RefinedWeb").spec(attnviz.families._config.Config(config))
    assert (spec.n_kv_heads, spec.parallel) == (2, "separate")
