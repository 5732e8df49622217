"""Models whose keys and values come from a compressed vector: what works of them, against their own tensors."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from helpers.paths import REFERENCE
from safetensors.numpy import load_file, save_file

import attnviz
from attnviz import steps as walk
from attnviz.analyses.inspect import sizes, summary
from attnviz.page.figure_options import FigureOptions
from attnviz.page.place import place

D, H, NOPE, ROPE, V, KV = 32, 4, 8, 4, 8, 16
CASE = REFERENCE / "deepseek_v3"
IDS = [7, 30, 12, 51, 12]


def matrices(layer, head):
    """W_Q, W_K [NOPE + ROPE, D] and W_V [V, D] of a head, and W_O [D, V], with the weights of the norms between."""
    tensors = {
        name.removeprefix(f"model.layers.{layer}."): values.astype(np.float64)
        for name, values in load_file(CASE / "model.safetensors").items()
    }
    read = np.diag(tensors["input_layernorm.weight"])
    q_up = tensors["self_attn.q_b_proj.weight"][head * (NOPE + ROPE) : (head + 1) * (NOPE + ROPE)]
    q = q_up @ np.diag(tensors["self_attn.q_a_layernorm.weight"]) @ tensors["self_attn.q_a_proj.weight"] @ read
    down = tensors["self_attn.kv_a_proj_with_mqa.weight"] @ read
    up = tensors["self_attn.kv_b_proj.weight"][head * (NOPE + V) : (head + 1) * (NOPE + V)]
    both = up @ np.diag(tensors["self_attn.kv_a_layernorm.weight"]) @ down[:KV]
    o = tensors["self_attn.o_proj.weight"][:, head * V : (head + 1) * V]
    return q, np.concatenate([both[:NOPE], down[KV:]]), both[NOPE:], o


def test_circuits_go_through_the_compressed_vectors() -> None:
    found = attnviz.circuits(attnviz.load(CASE)).circuits
    scale = (NOPE + ROPE) ** -0.5
    for layer in range(2):
        for head in range(H):
            q, k, v, o = matrices(layer, head)
            assert found.qk_norm[layer, head] == pytest.approx(scale * np.linalg.norm(q.T @ k), rel=1e-5)
            assert found.ov_norm[layer, head] == pytest.approx(np.linalg.norm(o @ v), rel=1e-5)
    q, k, _, _ = matrices(1, 2)
    _, _, v, o = matrices(0, 1)
    qk, ov = q.T @ k, o @ v
    expected = np.linalg.norm(qk @ ov) / (np.linalg.norm(qk) * np.linalg.norm(ov))
    assert found.composition["k"][1, 2, 0, 1] == pytest.approx(expected, rel=1e-4)
    assert any("compressed" in part for part in found.left_out)


def test_values_may_be_of_another_width(tmp_path) -> None:
    """Composition compares factors of d_head with factors of d_value."""
    shutil.copy(CASE / "config.json", tmp_path)
    tensors = load_file(CASE / "model.safetensors")
    for layer in range(2):
        front = f"model.layers.{layer}.self_attn."
        up = tensors[f"{front}kv_b_proj.weight"].reshape(H, NOPE + V, KV)[:, : NOPE + 3]
        tensors[f"{front}kv_b_proj.weight"] = np.ascontiguousarray(up.reshape(-1, KV))
        out = tensors[f"{front}o_proj.weight"].reshape(D, H, V)[..., :3]
        tensors[f"{front}o_proj.weight"] = np.ascontiguousarray(out.reshape(D, -1))
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "v_head_dim": 3}))
    model = attnviz.load(tmp_path)
    found = attnviz.circuits(model).circuits
    assert found.ov_singular.shape == (2, H, 3) and found.qk_singular.shape == (2, H, NOPE + ROPE)
    for head in range(H):
        _, _, v, o = matrices(1, head)
        assert found.ov_norm[1, head] == pytest.approx(np.linalg.norm(o[:, :3] @ v[:3]), rel=1e-5)
    assert 0 < np.nanmax(found.composition["v"]) <= 1
    moved = attnviz.norms(model, ids=IDS).absolute["norm"].weights
    assert moved.shape == (2, 1, 5, 5) and (moved[..., 0] > 0).all()


def test_queries_from_the_stream(tmp_path) -> None:
    """q_lora_rank null: W_Q is one matrix."""
    shutil.copy(CASE / "config.json", tmp_path)
    tensors = load_file(CASE / "model.safetensors")
    wide = np.random.default_rng(0).standard_normal((H * (NOPE + ROPE), D)).astype(np.float32)
    for layer in range(2):
        front = f"model.layers.{layer}.self_attn."
        for name in ("q_a_proj", "q_a_layernorm", "q_b_proj"):
            del tensors[f"{front}{name}.weight"]
        tensors[f"{front}q_proj.weight"] = wide
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "q_lora_rank": None}))
    found = attnviz.circuits(attnviz.load(tmp_path), norms=False, by="spectrum").circuits
    down = tensors["model.layers.0.self_attn.kv_a_proj_with_mqa.weight"].astype(np.float64)
    up = tensors["model.layers.0.self_attn.kv_b_proj.weight"][: NOPE + V].astype(np.float64)
    k = np.concatenate([up[:NOPE] @ down[:KV], down[KV:]])
    expected = (NOPE + ROPE) ** -0.5 * np.linalg.norm(wide[: NOPE + ROPE].T @ k)
    assert found.qk_norm[0, 0] == pytest.approx(expected, rel=1e-5)


def test_steps_go_through_the_compressed_vectors() -> None:
    """Their numbers are checked in test_steps.py; this test reads their text."""
    found = walk(attnviz.load(CASE), ids=IDS, layer=0)
    said = dict(found.steps[0].lines)
    assert said["b_i = norm(x_i W_B)"] == "[32] [32 x 20] → [20]"
    assert said["c_j = norm(x_j W_C)"] == "[32] [32 x 16] → [16]"
    assert said["q_i = b_i W_Q"] == "[20] [20 x 12] → [12]"
    assert said["k_j = c_j W_K"] == "[16] [16 x 8] → [8]"
    assert said["v_j = c_j W_V"] == "[16] [16 x 8] → [8]"
    assert said["k_j ← [k_j, x_j W_S], alike in all heads"] == "[8] [4] → [12]"
    other = walk(attnviz.load(CASE), ids=IDS, layer=0, head=1)
    keys = [one.vector("k").values for one in (found, other)]
    assert np.array_equal(keys[0][:, NOPE:], keys[1][:, NOPE:]) and not np.allclose(keys[0], keys[1])


def test_steps_have_a_picture() -> None:
    """Two formulas stand over the keys, one over queries and one over values."""
    page = place(walk(attnviz.load(CASE), ids=IDS).page(), FigureOptions())
    said = [label.text for label in page.labels]
    assert any("W_S" in line for line in said) and any("b_i = norm" in line for line in said)


def test_queries_and_keys_that_are_clipped_behind_their_norms(tmp_path) -> None:
    shutil.copytree(REFERENCE / "olmoe", tmp_path / "olmoe")
    config = json.loads((tmp_path / "olmoe" / "config.json").read_text())
    (tmp_path / "olmoe" / "config.json").write_text(json.dumps({**config, "clip_qkv": 0.5}))
    found = walk(attnviz.load(tmp_path / "olmoe"), ids=IDS, layer=0)
    said = {step.name: [line for line, _ in step.lines] for step in found.steps}
    assert "v_j clipped to ±0.5" in said["inputs"] and "each clipped to ±0.5" in said["qk_norm"]
    vectors = {v.name: v.values for v in found.vectors}
    assert np.abs(vectors["q"]).max() > 0.5 and np.abs(vectors["q_normed"]).max() == 0.5
    assert np.abs(vectors["v"]).max() == 0.5


def test_sizes_of_a_head() -> None:
    model = attnviz.load(REFERENCE / "deepseek_v2")
    assert dict(sizes(model))["W_K of a self head"] == "32 x 12"
    assert dict(sizes(model))["W_O of a self head"] == "8 x 32"
    assert dict(summary(model))["self attention"] == "2 layers x 4 heads of 12, values of 8; width 32"
    assert dict(summary(model))["self keys and values"] == "from a vector of 16 for each token"
