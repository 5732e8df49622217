"""Shared by most decoders since Llama: sizes, tensor names, norms and the pre-norm block with rotary positions.

A family that differs a little starts from `NAMES`, `sizes` and `decoder` and states the differences.
"""

from __future__ import annotations

from typing import Any

from attnviz.engine.spec import Norm, Rotary, Spec
from attnviz.families._config import Config
from attnviz.families._names import Source, pairs

NAMES = {
    "embed.tokens": "embed_tokens.weight",
    **pairs(
        {
            "q": "self_attn.q_proj",
            "k": "self_attn.k_proj",
            "v": "self_attn.v_proj",
            "o": "self_attn.o_proj",
            "gate": "mlp.gate_proj",
            "up": "mlp.up_proj",
            "down": "mlp.down_proj",
            "norm1": "input_layernorm",
            "norm2": "post_attention_layernorm",
        },
        "layers.{i}.",
        "layers.{i}.",
    ),
    **pairs({"final_norm": "norm"}),
}
# Gate and up in one matrix.
GATE_UP: dict[str, Source] = {
    "layers.{i}.gate.weight": ("layers.{i}.mlp.gate_up_proj.weight", "gate_of_gate_up"),
    "layers.{i}.up.weight": ("layers.{i}.mlp.gate_up_proj.weight", "up_of_gate_up"),
}
# Norms of queries and keys.
QK_NORMS = pairs({"q_norm": "self_attn.q_norm", "k_norm": "self_attn.k_norm"}, "layers.{i}.", "layers.{i}.")
# Names of models with norms on the outputs of sublayers alone.
NORMS_OUT = pairs(
    {"norm1_out": "post_attention_layernorm", "norm2_out": "post_feedforward_layernorm"}, "layers.{i}.", "layers.{i}."
)
# Names of models with a norm before and a norm after each sublayer.
NORMS_AROUND = pairs(
    {
        "norm1_out": "post_attention_layernorm",
        "norm2": "pre_feedforward_layernorm",
        "norm2_out": "post_feedforward_layernorm",
    },
    "layers.{i}.",
    "layers.{i}.",
)


def sizes(config: Config, **defaults: int) -> dict[str, Any]:
    """The sizes, under the keys that these models share; `defaults` are the values of keys left out.

    n_kv_heads is n_heads if its key is null, or left out without a default here; d_head is d_model / n_heads in the
    same cases.
    """

    def optional(key: str, name: str, other: int) -> int:
        read = config.heads if name == "n_kv_heads" else config.int
        return read(key, other if key in config.data else defaults.get(name, other))

    d_model = config.int("hidden_size", defaults.get("d_model", 4096))
    n_heads = config.heads("num_attention_heads", defaults.get("n_heads", 32))
    n_kv_heads = optional("num_key_value_heads", "n_kv_heads", n_heads)
    if not config.has("head_dim") and "d_head" not in defaults:
        config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    config.divides("num_key_value_heads", n_kv_heads, "num_attention_heads", n_heads)
    return {
        "n_layers": config.layers("num_hidden_layers", defaults.get("n_layers", 32)),
        "n_heads": n_heads,
        "n_kv_heads": n_kv_heads,
        "d_model": d_model,
        "d_head": optional("head_dim", "d_head", d_model // n_heads),
        "d_mlp": config.int("intermediate_size", defaults.get("d_mlp", 11008)),
        "vocab": config.int("vocab_size", defaults.get("vocab", 32000)),
        "trained_positions": config.int("max_position_embeddings", defaults.get("positions", 2048)),
    }


def rms(config: Config, eps: float = 1e-6, plus_one: bool = False) -> Norm:
    """The RMS norm that a configuration describes."""
    return Norm("rms", config.float("rms_norm_eps", eps, low=0), bias=False, plus_one=plus_one)


def biases(q: bool, k: bool, v: bool, o: bool) -> dict[str, Any]:
    """Which projections of attention have a bias."""
    return {"q_bias": q, "k_bias": k, "v_bias": v, "o_bias": o}


def decoder(config: Config, norm: Norm, turns: tuple[Rotary | None, ...], **more: Any) -> Spec:
    """A causal pre-norm decoder with a gated MLP and no biases; `more` has the sizes and all fields that differ."""
    plain: dict[str, Any] = {
        "rotary": turns,
        "norm": norm,
        "norm_before": True,
        "final_norm": norm,
        "causal": True,
        **biases(False, False, False, False),
        "gated": True,
        "mlp_bias": False,
    }
    if "activation" not in more:
        plain["activation"] = config.activation("hidden_act", "silu")
    return Spec(**(plain | more))
