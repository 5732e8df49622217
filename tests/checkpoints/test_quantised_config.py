"""Configurations of quantised weights: forms that are read, forms that are refused by name."""

from __future__ import annotations

import json

import pytest
from helpers.bounded import bounded
from helpers.paths import REFERENCE
from helpers.quantised_forms import FP8, changed, group

import attnviz
from attnviz.checkpoints.quantised import Quantised, understood, without
from attnviz.errors import ConfigError


@pytest.mark.parametrize(
    ("said", "blocks"),
    [
        ({"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"]}, ()),
        (FP8, ((128, 128),)),
        ({"quant_method": "fp8", "activation_scheme": "static", "ignored_layers": ["lm_head"]}, ()),
        (changed(FP8, weight_block_size=[64, 32], scale_fmt="ue8m0", modules_to_not_convert=["lm_head"]), ((64, 32),)),
        ({"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0, "modules_to_not_convert": ["lm_head"]}, ()),
        (group(), ()),
        (group(strategy="tensor"), ()),
        (group(strategy="block", block_structure=[128, 64]), ((128, 64),)),
        (group(strategy="block", block_structure="32x16"), ((32, 16),)),
        (group(strategy="group", group_size=128), ((1, 128),)),
        (changed(group(), format="naive-quantized", quantization_status="frozen"), ()),
    ],
)
def test_forms_that_are_read(said, blocks):
    wanted = Quantised(said["quant_method"], blocks)
    assert understood({"model_type": "llama", "quantization_config": said}) == wanted
    assert understood({"text_config": {"quantization_config": said}}) == wanted
    assert understood({"compression_config": said}) == wanted
    assert understood({"quantization_config": said}, ["quantization_config"]) is None
    config = {"a": 1, "quantization_config": said, "text_config": {"b": 2, "quantization_config": said}}
    assert without(config) == {"a": 1, "text_config": {"b": 2}}


@pytest.mark.parametrize(
    ("model_type", "sizes", "said"),
    [
        (
            "gpt_oss",  # openai/gpt-oss-20b
            {"num_hidden_layers": 24, "hidden_size": 2880, "num_local_experts": 32, "experts_per_token": 4},
            {
                "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "lm_head"],
                "quant_method": "mxfp4",
            },
        ),
        ("qwen3", {"num_hidden_layers": 36, "hidden_size": 4096, "head_dim": 128}, FP8),  # Qwen/Qwen3-8B-FP8
        (
            "deepseek_v3",  # deepseek-ai/DeepSeek-V3.1
            {"num_hidden_layers": 61, "hidden_size": 7168, "num_nextn_predict_layers": 1},
            changed(FP8, scale_fmt="ue8m0"),
        ),
    ],
)
def test_published_models_are_understood(model_type, sizes, said):
    description = attnviz.describe({"model_type": model_type, **sizes, "quantization_config": said})
    assert (description["quantised"], description["layers"]) == (said["quant_method"], sizes["num_hidden_layers"])
    assert description["ignored"] == []


def test_mixed_groups_are_read():
    said = group()
    other = group(strategy="block", block_structure=[64, 64])["config_groups"]["group_0"]
    cache = {"targets": ["re:.*attn"], "weights": None}
    said["config_groups"] |= {"group_1": other, "group_2": cache}
    assert understood({"quantization_config": said}).blocks == ((64, 64),)


@pytest.mark.parametrize("said", [None, {}, False])
def test_nothing_said_is_nothing(said):
    assert understood({"quantization_config": said}) is None
    assert understood({}) is None


SPARSE = {"format": "sparse-24-bitmask", "sparsity_structure": "2:4"}
ROTATED = {"config_groups": {"R1": {"type": "hadamard"}}}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, "weights quantised by gptq (4 bits) are not read"),
        ({"quant_method": "awq", "bits": 4, "version": "gemm"}, "weights quantised by awq (4 bits) are not read"),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True},
            "weights quantised by bitsandbytes (4 bits) are not read",
        ),
        ({"load_in_8bit": True, "llm_int8_threshold": 6.0}, "weights quantised by bitsandbytes (8 bits) are not read"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "weights quantised by modelopt are not read"),
        ({"quant_method": "hqq"}, "weights quantised by hqq are not read"),
        ({"quant_method": ["fp8"]}, "weights quantised by an unnamed method are not read"),
        ({"bits": 4}, "weights quantised by an unnamed method (4 bits) are not read"),
        ("int8", "quantization_config must be an object; got 'int8'"),
        (changed(FP8, fmt="e3m4"), "fmt 'e3m4' of fp8 weights is not read"),
        (changed(FP8, rotated=True), "quantization_config of fp8 has the setting 'rotated', which is not read"),
        (changed(FP8, weight_block_size=[0, 128]), "weight_block_size must be two whole numbers of 1 or more; got [0"),
        (changed(FP8, weight_block_size=128), "weight_block_size must be two whole numbers of 1 or more; got 128"),
        (group(type="int"), "compressed-tensors of 8-bit int weights are not read"),
        (group(num_bits=4), "compressed-tensors of 4-bit float weights are not read"),
        (group(symmetric=False), "symmetric False of a config group is not read"),
        (group(actorder="group"), "actorder 'group' of a config group is not read"),
        (group(zero="x"), "zero 'x' of a config group is not read"),
        (group(strategy="tensor_group"), "the strategy 'tensor_group' of a config group is not read"),
        (group(strategy="block"), "block_structure must be two whole numbers of 1 or more; got None"),
        (changed(group(), format="pack-quantized"), "compressed-tensors of the format 'pack-quantized' are not read"),
        (changed(group(), format="nvfp4-pack-quantized"), "of the format 'nvfp4-pack-quantized' are not read"),
        (changed(group(), sparsity_config=SPARSE), "of compressed-tensors is not read"),
        (changed(group(), transform_config=ROTATED), "of compressed-tensors is not read"),
        (changed(group(), config_groups=[1]), "config_groups must be objects; got [1]"),
    ],
)
def test_forms_that_are_refused(said, message):
    with pytest.raises(ConfigError) as caught:
        understood({"quantization_config": said})
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).startswith("config.json: ")


def test_a_refused_form_is_refused_before_the_weights_are_opened(tmp_path):
    config = json.loads((REFERENCE / "llama" / "config.json").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({**config, "quantization_config": {"quant_method": "gptq"}}))
    (tmp_path / "model.safetensors").write_bytes(b"not read")
    with pytest.raises(ConfigError, match="weights quantised by gptq are not read") as caught:
        attnviz.load(tmp_path)
    assert caught.value.hint == "use the model as it was before, or a GGUF file of it"


def test_what_mlx_writes_is_refused_by_its_name(tmp_path):
    """MLX writes the same object under two keys; older files have only `quantization`."""
    settings = {"group_size": 64, "bits": 4}
    for config in ({"quantization": settings}, {"quantization": settings, "quantization_config": settings}):
        with pytest.raises(ConfigError, match=r"weights quantised by MLX \(4 bits\) are not read"):
            understood(config)


@pytest.mark.parametrize("named", ["", "model.safetensors"])
def test_a_configuration_is_read_and_understood_once(tmp_path, named):
    """For a folder and for a file in it, counted as calls and as opened files."""
    for file in ("config.json", "model.safetensors"):
        (tmp_path / file).write_bytes((REFERENCE / "gpt2" / file).read_bytes())
    program = f"""
        import sys
        import attnviz, attnviz.models.model
        from attnviz.checkpoints import quantised
        counted = {{"read": 0, "understood": 0}}
        def called(frame, event, argument):
            counted["understood"] += event == "call" and frame.f_code is quantised.understood.__code__
        def audited(event, arguments):
            counted["read"] += event == "open" and str(arguments[0]).endswith("config.json")
        sys.addaudithook(audited)
        sys.setprofile(called)
        attnviz.load({str(tmp_path / named)!r})
        sys.setprofile(None)
        return counted
    """
    assert bounded(program)[0] == "done: {'read': 1, 'understood': 1}"
