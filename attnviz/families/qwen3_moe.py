"""Qwen3-MoE (Yang 2025): Qwen3 with many small experts."""

from __future__ import annotations

from attnviz.engine.spec import Routing, Spec
from attnviz.families import _decoder, _experts
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import Source, pairs
from attnviz.families._recipes import QWEN2
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES: dict[str, Source] = {
    **_decoder.NAMES,
    **pairs({"q_norm": "self_attn.q_norm", "k_norm": "self_attn.k_norm"}, "layers.{i}.", "layers.{i}."),
    "layers.{i}.router.weight": "layers.{i}.mlp.gate.weight",
    **_experts.stored(),
}
UNEMBED = Unembedding()
TOKENIZERS = {"qwen3moe": QWEN2}


def spec(config: Config) -> Spec:
    """Qwen3MoeConfig. All layers slide, if windows are used: `max_window_layers` of older files is not read."""
    config.rename(num_local_experts="num_experts")
    config.skip("max_window_layers")
    sizes = _decoder.sizes(config, n_layers=24, n_kv_heads=4, d_model=2048, d_mlp=6144, vocab=151936, positions=32768)
    bias, norm = config.bool("attention_bias"), _decoder.rms(config)
    reach = config.window("sliding_window", 4096) if config.bool("use_sliding_window") else -1
    config.skip("sliding_window")
    n_experts = config.int("num_local_experts", 128, low=0)
    return _decoder.decoder(
        config,
        norm,
        (rotary(config, sizes["d_head"], max_positions=32768),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        qk_norm=norm,
        reach=(reach,),
        n_experts=n_experts,
        top_k=_experts.chosen(config, n_experts, 8),
        routing=Routing("softmax", normalised=config.bool("norm_topk_prob")),
        expert_layers=_experts.by_step(config, sizes["n_layers"]),
        d_expert=config.int("moe_intermediate_size", 768),
    )


def _from_gguf(m: Metadata) -> Made:
    """Shares are normalised: no key says so, but it is true of every published model."""
    return {
        **gguf.grouped(m),
        **gguf.rms(m),
        **gguf.many_experts(m),
        **gguf.dense_width(m),
        "model_type": "qwen3_moe",
        "num_local_experts": m.int("expert_count"),
        "norm_topk_prob": m.bool("expert_weights_norm", True),
        "mlp_only_layers": gguf.plain_layers(m),
        "attention_bias": m.has_bias("attn_q"),
        "rope_parameters": gguf.rope(m),
    }


GGUF = {"qwen3moe": gguf.Architecture(_from_gguf)}
