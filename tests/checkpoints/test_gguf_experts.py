"""GGUF files of mixtures of experts and compressed keys, as older converters and other models' makers wrote them."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
from helpers.gguf_files import changed
from helpers.paths import GGUF

import attnviz


def close(path, name):
    expected = np.load(GGUF / f"{name}.npz")
    attended = attnviz.load(path).attend(ids=expected["input_ids"]).weights
    return np.abs(attended - expected["self"]).max()


def test_older_files_have_keys_and_values_in_one_tensor(tmp_path) -> None:
    """Old files also have the sizes of heads under the keys that hold the sizes of compressed keys today."""
    reader = gguf.GGUFReader(GGUF / "deepseek2.gguf")
    writer = gguf.GGUFWriter(tmp_path / "old.gguf", "deepseek2")
    for key, field in reader.fields.items():
        if key.startswith("deepseek2.") and not key.endswith("_mla"):
            value = field.contents()
            value = {"deepseek2.attention.key_length": 10, "deepseek2.attention.value_length": 5}.get(key, value)
            value = 2 if key == "deepseek2.attention.head_count_kv" else value
            kinds = {float: writer.add_float32, bool: writer.add_bool, str: writer.add_string}
            kinds.get(type(value), writer.add_uint32)(key, value)
    tensors = {tensor.name: np.array(tensor.data) for tensor in reader.tensors}
    for name in [name for name in tensors if name.endswith("attn_k_b.weight")]:
        k = tensors.pop(name).swapaxes(1, 2)  # [head, key, compressed]
        v = tensors.pop(name.replace("_k_b", "_v_b"))
        both = np.concatenate([k, v], 1)
        tensors[name.replace("_k_b", "_kv_b")] = np.ascontiguousarray(both.reshape(-1, both.shape[-1]))
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert close(tmp_path / "old.gguf", "deepseek2") < 1e-5


def test_a_layer_that_predicts_ahead_is_passed_over(tmp_path) -> None:
    """The layer counts among the blocks of the file."""
    ahead = {"blk.3.nextn.eh_proj.weight": np.ones((16, 32)), "blk.3.attn_norm.weight": np.full(16, np.nan)}
    path = changed(GGUF / "glm4moe.gguf", tmp_path, tensors=ahead)
    model = attnviz.load(path)
    assert model.size("self") == (3, 2)
    assert close(path, "glm4moe") < 1e-5


@pytest.mark.parametrize("name, family", [("deepseek2", "deepseek_v2"), ("deepseek2-sigmoid", "deepseek_v3")])
def test_the_family_is_told_by_how_scores_become_shares(name, family) -> None:
    assert attnviz.load(GGUF / f"{name}.gguf").config["model_type"] == family


def test_without_groups_all_experts_are_chosen_from(tmp_path) -> None:
    groups = ("deepseek2.expert_group_count", "deepseek2.expert_group_used_count")
    config = attnviz.load(changed(GGUF / "deepseek2-groups.gguf", tmp_path, drop=groups)).config
    assert (config["n_group"], config["topk_method"]) == (1, "greedy")


@pytest.mark.parametrize(
    "name, change, said",
    [
        ("deepseek2", {"deepseek2.expert_gating_func": 4}, "expert_gating_func 4 is not handled"),
        ("glm4moe", {"glm4moe.expert_gating_func": 1}, "expert_gating_func 1 is not handled"),
        ("deepseek2", {"deepseek2.attention.key_length_mla": 3}, "qk_nope_head_dim"),
        ("granitemoe", {"granitemoe.rope.scaling.finetuned": False}, "finetuned False is not handled"),
    ],
)
def test_what_is_not_handled_is_refused(name, change, said, tmp_path) -> None:
    with pytest.raises(attnviz.AttnvizError, match=said):
        attnviz.load(changed(GGUF / f"{name}.gguf", tmp_path, change))
