"""Granite 4 (IBM 2025), models without Mamba layers and experts: Granite with gate and up in one matrix."""

from __future__ import annotations

from typing import Any

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._granite import multipliers
from attnviz.families._names import Source
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES: dict[str, Source] = {
    **_decoder.NAMES,
    "layers.{i}.gate.weight": ("layers.{i}.shared_mlp.input_linear.weight", "gate_of_gate_up"),
    "layers.{i}.up.weight": ("layers.{i}.shared_mlp.input_linear.weight", "up_of_gate_up"),
    "layers.{i}.down.weight": "layers.{i}.shared_mlp.output_linear.weight",
}
UNEMBED = Unembedding(divide=("logits_scaling", 1.0))
TYPICAL = {"layer_types": ["attention"] * 32, "num_local_experts": 0, "position_embedding_type": "rope"}
_OF_MAMBA = "n_heads n_groups d_state d_head d_conv expand chunk_size conv_bias proj_bias"


def spec(config: Config) -> Spec:
    """GraniteMoeHybridConfig."""
    config.rename(layer_types="layers_block_type")
    sizes: dict[str, Any] = _decoder.sizes(config) | {"d_mlp": config.int("shared_intermediate_size", 1024)}
    _only_attention(config, sizes["n_layers"])
    bias = config.bool("attention_bias")
    placed = config.choice("position_embedding_type", "nope", ("rope", "nope")) == "rope"
    turns = rotary(config, sizes["d_head"])
    return _decoder.decoder(
        config,
        _decoder.rms(config),
        (turns if placed else None,),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        **multipliers(config),
    )


def _only_attention(config: Config, n_layers: int) -> None:
    """Refuse Mamba layers, which have no attention, and experts, which only models with Mamba layers have."""
    kinds = config.raw("layer_types", ["mamba"] * n_layers)
    if isinstance(kinds, list) and {"mamba", "linear_attention"} & {k for k in kinds if isinstance(k, str)}:
        raise config.error("layer_types has Mamba layers, which have no attention, so that this model is not handled")
    config.words("layer_types", ("attention", "full_attention"), n_layers)
    if config.int("num_local_experts", 8, low=0):
        raise config.error("num_local_experts must be 0: experts are not handled in this family")
    config.skip("num_experts_per_tok", "time_step_limit", "time_step_min", "time_step_max")
    config.skip(*(f"mamba_{name}" for name in _OF_MAMBA.split()))
