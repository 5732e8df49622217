"""quantization_config in the forms of published models."""

from __future__ import annotations

FP8 = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}


def group(**weights):
    """compressed-tensors with one group of weights, in its present form."""
    weights = {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True, "dynamic": False} | weights
    activations = {"num_bits": 8, "type": "float", "strategy": "token", "symmetric": True, "dynamic": True}
    return {
        "quant_method": "compressed-tensors",
        "format": "float-quantized",
        "quantization_status": "compressed",
        "global_compression_ratio": 1.5,
        "kv_cache_scheme": None,
        "ignore": ["lm_head"],
        "sparsity_config": {},
        "transform_config": {},
        "version": "0.12.0",
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": {"observer": "minmax", "observer_kwargs": {}, "actorder": None, **weights},
                "input_activations": activations,
                "output_activations": None,
                "format": "float-quantized",
            }
        },
    }


def changed(form, **changes):
    return {**form, **changes}
