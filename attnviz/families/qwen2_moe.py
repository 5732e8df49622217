"""Qwen2-MoE (Yang 2024): Qwen2 with many small experts, and one gated expert that every token is sent to."""

from __future__ import annotations

from attnviz.engine.spec import Routing, Spec
from attnviz.families import _decoder, _experts
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import Source
from attnviz.families._recipes import QWEN2
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding
from attnviz.families._windows import SLIDING, layer_types, reaches

NAMES: dict[str, Source] = {
    **_decoder.NAMES,
    "layers.{i}.router.weight": "layers.{i}.mlp.gate.weight",
    **_experts.stored(),
    **_experts.shared("mlp.shared_expert"),
    "layers.{i}.shared.weigh.weight": "layers.{i}.mlp.shared_expert_gate.weight",
}
UNEMBED = Unembedding()
TOKENIZERS = {"qwen2moe": QWEN2}


def windows(config: Config, n_layers: int) -> tuple[int, ...]:
    """Every other layer below `max_window_layers` slides, if windows are used at all.

    This is the rule of transformers since version 5; in version 4 all layers slid. Published models use no windows.
    """
    used, first = config.bool("use_sliding_window"), config.int("max_window_layers", 28, low=0)
    kinds = layer_types(config, n_layers, lambda i: used and i % 2 == 0 and i < first)
    if not used:
        config.skip("sliding_window")
        if SLIDING in kinds:
            raise config.error("layer_types has sliding layers while use_sliding_window is false")
        return (-1,)
    return reaches(kinds, config.window("sliding_window", 4096))


def spec(config: Config) -> Spec:
    """Qwen2MoeConfig."""
    sizes = _decoder.sizes(
        config, n_layers=24, n_heads=16, n_kv_heads=16, d_model=2048, d_mlp=5632, vocab=151936, positions=32768
    )
    bias = config.bool("qkv_bias", True)
    n_experts = config.int("num_experts", 60, low=0)
    return _decoder.decoder(
        config,
        _decoder.rms(config),
        (rotary(config, sizes["d_head"], max_positions=32768),),
        **sizes,
        **_decoder.biases(bias, bias, bias, False),
        reach=windows(config, sizes["n_layers"]),
        n_experts=n_experts,
        top_k=_experts.chosen(config, n_experts, 4),
        routing=Routing("softmax", normalised=config.bool("norm_topk_prob")),
        expert_layers=_experts.by_step(config, sizes["n_layers"]),
        d_expert=config.int("moe_intermediate_size", 1408),
        d_shared=config.int("shared_expert_intermediate_size", 5632),
        weighed_shared=True,
    )


def _from_gguf(m: Metadata) -> Made:
    """Shares are not normalised: no key says so, but it is true of every published model."""
    m.skip("expert_shared_feed_forward_length")
    return {
        **gguf.grouped(m),
        **gguf.rms(m),
        **gguf.many_experts(m),
        **gguf.dense_width(m),
        "model_type": "qwen2_moe",
        "num_experts": m.int("expert_count"),
        "norm_topk_prob": m.bool("expert_weights_norm"),
        "mlp_only_layers": gguf.plain_layers(m),
        "shared_expert_intermediate_size": m.shape("blk.0.ffn_up_shexp.weight")[0],
        "qkv_bias": m.has_bias("attn_q"),
        "rope_parameters": gguf.rope(m),
    }


GGUF = {"qwen2moe": gguf.Architecture(_from_gguf)}
