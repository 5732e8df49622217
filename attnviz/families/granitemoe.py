"""Granite-MoE (IBM 2024): experts in every layer; embeddings, scores and sublayers' outputs multiplied by constants."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder, _experts
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._granite import multipliers
from attnviz.families._names import Source
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

_BLOCK = "layers.{i}.block_sparse_moe."
# Published files have the first names, transformers 5 the second ones in memory.
_FUSED = (
    ("block_sparse_moe.input_linear.weight", "block_sparse_moe.output_linear.weight"),
    ("block_sparse_moe.experts.gate_up_proj", "block_sparse_moe.experts.down_proj"),
)
NAMES: dict[str, Source] = {
    **_decoder.NAMES,
    "layers.{i}.router.weight": [f"{_BLOCK}router.layer.weight", f"{_BLOCK}router.weight"],
    **_experts.stored("block_sparse_moe", fused=_FUSED),
}
UNEMBED = Unembedding(divide=("logits_scaling", 1.0))


def spec(config: Config) -> Spec:
    """GraniteMoeConfig."""
    sizes = _decoder.sizes(config)
    bias, n_experts = config.bool("attention_bias"), config.int("num_local_experts", 8)
    return _decoder.decoder(
        config,
        _decoder.rms(config),
        (rotary(config, sizes["d_head"], max_positions=2048),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        **multipliers(config),
        n_experts=n_experts,
        top_k=_experts.chosen(config, n_experts, 2),
    )


def _from_gguf(m: Metadata) -> Made:
    return {
        **gguf.grouped(m),
        **gguf.rms(m),
        **gguf.experts(m),
        **gguf.multipliers(m),
        "model_type": "granitemoe",
        "attention_bias": m.has_bias("attn_q"),
        "rope_parameters": gguf.rope(m),
    }


GGUF = {"granitemoe": gguf.Architecture(_from_gguf, turned=True)}
