"""Phi-3.5-MoE (Abdin 2024): layer norms with biases, and two experts that a mixer chooses one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from attnviz.engine.spec import Norm, Rotary, Routing, Spec
from attnviz.families import _decoder, _experts
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import Source
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES: dict[str, Source] = {
    **_decoder.NAMES,
    "layers.{i}.router.weight": [
        "layers.{i}.block_sparse_moe.gate.weight",
        "layers.{i}.mlp.router.weight",
    ],
    **_experts.stored("block_sparse_moe", ("w1", "w3", "w2")),
}
UNEMBED = Unembedding(bias="lm_head.bias")


def turns(config: Config, d_head: int) -> Rotary:
    """The rotary positions of every layer.

    Scaled positions are longrope with a separate factor on cos and sin for short and for long texts.

    Beyond the original length the reference turns by the short table from version 5.15 on, and by the long table
    before; the newer rule is used here.
    """
    key = "rope_scaling" if config.has("rope_scaling") else "rope_parameters"
    stated: Any = config.raw(key)
    scaled = isinstance(stated, dict) and stated.get("rope_type", stated.get("type", "default")) != "default"
    more: dict[str, Any] = {}
    if scaled:
        own = config.sub(key)
        assert own is not None
        own.choice("rope_type", own.choice("type", "longrope", ("longrope", "su")), ("longrope", "su"))
        more = {
            "attention_factor": own.float("short_mscale", low=1e-6),
            "long_attention_factor": own.float("long_mscale", low=1e-6),
        }
        config.data[key] = {name: v for name, v in stated.items() if name not in ("short_mscale", "long_mscale")}
    config.skip("original_max_position_embeddings")
    plain = rotary(config, d_head, theta=1e6, max_positions=4096 * 32)
    if plain.scaling is None:
        return plain
    return replace(plain, scaling=replace(plain.scaling, long_factor=plain.scaling.short_factor, **more))


def spec(config: Config) -> Spec:
    """PhimoeConfig. A token is sent to two experts whatever `num_experts_per_tok` says, as in the reference."""
    sizes = _decoder.sizes(config, n_kv_heads=8, d_mlp=6400, vocab=32064, positions=4096 * 32)
    bias, n_experts = config.bool("attention_bias"), config.int("num_local_experts", 16, low=2)
    config.skip("lm_head_bias", "num_experts_per_tok", "input_jitter_noise")
    return _decoder.decoder(
        config,
        Norm(eps=config.float("rms_norm_eps", 1e-5, low=0)),
        (turns(config, sizes["d_head"]),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        reach=(config.window("sliding_window", None),),
        n_experts=n_experts,
        top_k=2,
        routing=Routing("mixer", near=2 * config.float("router_jitter_noise", 0.01, low=0)),
    )


def _from_gguf(m: Metadata) -> Made:
    """The configuration in a file, with the mixer's tolerance of the published model, which files lack.

    Files also lack separate factors on cos and sin: both are the file's single factor.
    """
    turned = gguf.rope(m)
    if turned["rope_type"] == "longrope":
        factor = turned.pop("attention_factor", 1.0)
        turned |= {"short_mscale": factor, "long_mscale": factor}
    window = m.int("attention.sliding_window", 0, low=0)
    return {
        **gguf.grouped(m),
        **gguf.rms(m),
        **gguf.experts(m),
        "model_type": "phimoe",
        "attention_bias": m.has_bias("attn_q"),
        "rope_parameters": turned,
        "sliding_window": window or None,
    }


GGUF = {"phimoe": gguf.Architecture(_from_gguf)}
