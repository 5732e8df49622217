"""Write tests/data/quantised: small quantised tensors as libraries save them, and what the libraries decode them to.

    python scripts/make_quantised_reference.py

Needs torch, transformers and compressed-tensors. Each form is a file NAME.safetensors with its quantization_config in
the file's metadata; expected.npz has the decoded numbers, float32, by `NAME/TENSOR`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from compressed_tensors.compressors import compress_module, decompress_module
from compressed_tensors.quantization import (
    QuantizationArgs,
    QuantizationConfig,
    QuantizationScheme,
    apply_quantization_config,
)
from safetensors.torch import save_file
from transformers.integrations.finegrained_fp8 import Fp8Dequantize
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

INTO = Path(__file__).parents[1] / "tests" / "data" / "quantised"
GROUPS = {
    "tensor": {"strategy": "tensor"},
    "channel": {"strategy": "channel"},
    "block": {"strategy": "block", "block_structure": [16, 24]},
    "group": {"strategy": "group", "group_size": 16},
}


def mxfp4():
    """Experts as the published gpt-oss models store them: every pair of 4-bit numbers, scales around 1."""
    blocks = torch.arange(2 * 8 * 2 * 16).reshape(2, 8, 2, 16).to(torch.uint8)
    scales = torch.randint(118, 136, (2, 8, 2), dtype=torch.uint8)
    stored = {"mlp.experts.down_proj_blocks": blocks, "mlp.experts.down_proj_scales": scales}
    settings = {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}
    return stored, settings, {"mlp.experts.down_proj": convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)}


def fp8():
    """A matrix in blocks, its scales in float32, as DeepSeek's and Qwen's published models store them."""
    weight = (torch.randn(64, 48) * 3).to(torch.float8_e4m3fn)
    scale = torch.rand(4, 2) + 0.01
    settings = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [16, 24]}
    found = Fp8Dequantize(None)._dequantize_one(weight, scale, torch.float32)
    return {"q_proj.weight": weight, "q_proj.weight_scale_inv": scale}, settings, {"q_proj.weight": found}


def group(**how):
    """A linear layer compressed by compressed-tensors."""
    model = torch.nn.Sequential(torch.nn.Linear(48, 40, bias=False))
    scheme = QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(num_bits=8, type="float", **how))
    config = QuantizationConfig(config_groups={"group_0": scheme}, format="float-quantized", ignore=["lm_head"])
    apply_quantization_config(model, config)
    layer = model[0]
    layer.weight_scale.data = torch.rand_like(layer.weight_scale) * 0.01 + 0.001
    compress_module(layer)
    stored = {f"q_proj.{name}": value.clone() for name, value in layer.state_dict().items()}
    said = json.loads(config.model_dump_json()) | {"quantization_status": "compressed"}
    decompress_module(layer)
    return stored, said, {"q_proj.weight": layer.weight.detach()}


def main():
    torch.manual_seed(0)
    INTO.mkdir(parents=True, exist_ok=True)
    forms = {"mxfp4": mxfp4(), "fp8": fp8()} | {name: group(**how) for name, how in GROUPS.items()}
    expected = {}
    for name, (stored, said, decoded) in forms.items():
        metadata = {"quantization_config": json.dumps(said)}
        save_file({key: value.contiguous() for key, value in stored.items()}, INTO / f"{name}.safetensors", metadata)
        expected |= {f"{name}/{key}": value.float().numpy() for key, value in decoded.items()}
    np.savez_compressed(INTO / "expected.npz", **expected)


if __name__ == "__main__":
    main()
