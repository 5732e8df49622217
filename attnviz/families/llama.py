"""Llama (Touvron 2023): pre-norm decoder, RMS norm, rotary positions, grouped heads, gated MLP."""

from __future__ import annotations

from typing import Any

from attnviz.engine.spec import Norm, Spec
from attnviz.families._config import Config
from attnviz.families._rotary import rotary

NAMES = {
    "embed.tokens": "embed_tokens.weight",
    **{
        f"layers.{{i}}.{ours}.{kind}": f"layers.{{i}}.{theirs}.{kind}"
        for ours, theirs in {
            "q": "self_attn.q_proj",
            "k": "self_attn.k_proj",
            "v": "self_attn.v_proj",
            "o": "self_attn.o_proj",
            "gate": "mlp.gate_proj",
            "up": "mlp.up_proj",
            "down": "mlp.down_proj",
            "norm1": "input_layernorm",
            "norm2": "post_attention_layernorm",
        }.items()
        for kind in ("weight", "bias")
    },
    "final_norm.weight": "norm.weight",
    "final_norm.bias": "norm.bias",
}


def heads(config: Config, n_heads: int = 32, d_model: int = 4096) -> dict[str, Any]:
    """Sizes that the Llama line spells alike; the arguments are what keys left out mean."""
    d_model, n_heads = config.int("hidden_size", d_model), config.int("num_attention_heads", n_heads)
    n_kv_heads = config.int("num_key_value_heads", n_heads)
    if not config.has("head_dim"):
        config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    config.divides("num_key_value_heads", n_kv_heads, "num_attention_heads", n_heads)
    d_head = config.int("head_dim", d_model // n_heads)
    return {"d_model": d_model, "n_heads": n_heads, "n_kv_heads": n_kv_heads, "d_head": d_head}


def spec(config: Config) -> Spec:
    """LlamaConfig."""
    sizes = heads(config)
    norm = Norm("rms", config.float("rms_norm_eps", 1e-6, low=0), bias=False)
    bias = config.bool("attention_bias")
    return Spec(
        n_layers=config.layers("num_hidden_layers", 32),
        d_mlp=config.int("intermediate_size", 11008),
        vocab=config.int("vocab_size", 32000),
        **sizes,
        rotary=(rotary(config, sizes["d_head"]),),
        trained_positions=config.int("max_position_embeddings", 2048),
        norm=norm,
        norm_before=True,
        final_norm=norm,
        causal=True,
        q_bias=bias,
        k_bias=bias,
        v_bias=bias,
        o_bias=bias,
        activation=config.activation("hidden_act", "silu"),
        gated=True,
        mlp_bias=config.bool("mlp_bias"),
    )
