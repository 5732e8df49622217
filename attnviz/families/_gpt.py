"""Shared by the GPT models: names of tensors stored [in, out], and the blocks of GPT-2 and of GPT-J."""

from __future__ import annotations

from typing import Any

from attnviz.engine.spec import Learned, Norm, Rotary, Spec
from attnviz.families._config import Config
from attnviz.families._decoder import biases
from attnviz.families._names import Source

LAYER: dict[str, Source] = {
    **{f"layers.{{i}}.{p}.weight": ("h.{i}.attn.c_attn.weight", "transpose", f"{p}_of_qkv") for p in "qkv"},
    **{f"layers.{{i}}.{p}.bias": ("h.{i}.attn.c_attn.bias", f"{p}_of_qkv") for p in "qkv"},
    "layers.{i}.o.weight": ("h.{i}.attn.c_proj.weight", "transpose"),
    "layers.{i}.o.bias": "h.{i}.attn.c_proj.bias",
    "layers.{i}.up.weight": ("h.{i}.mlp.c_fc.weight", "transpose"),
    "layers.{i}.up.bias": "h.{i}.mlp.c_fc.bias",
    "layers.{i}.down.weight": ("h.{i}.mlp.c_proj.weight", "transpose"),
    "layers.{i}.down.bias": "h.{i}.mlp.c_proj.bias",
    "layers.{i}.norm1.weight": "h.{i}.ln_1.weight",
    "layers.{i}.norm1.bias": "h.{i}.ln_1.bias",
    "layers.{i}.norm2.weight": "h.{i}.ln_2.weight",
    "layers.{i}.norm2.bias": "h.{i}.ln_2.bias",
}


def learned(config: Config, activation: str = "gelu_new", **more: Any) -> Spec:
    """GPT-2's block, with learned positions. activation: if its key is left out. more: fields that differ."""
    plain = _block(config, n_layers=12, n_heads=12, d_model=768, vocab=50257)
    config.skip("add_cross_attention")
    return Spec(
        **plain,
        types_are_tokens=True,
        absolute=Learned(config.int("n_positions", 1024)),
        scale=0.0 if config.bool("scale_attn_weights", True) else 1.0,
        activation=config.activation("activation_function", activation),
        **more,
    )


def turned(config: Config, **more: Any) -> Spec:
    """GPT-J's block: attention and MLP side by side, part of each head turned in neighbouring pairs.

    more: fields that differ.
    """
    plain = _block(config, n_layers=28, n_heads=16, d_model=4096, vocab=50400)
    config.skip("rotary", "scale_attn_weights")
    dim = config.int("rotary_dim", 64, high=plain["d_model"] // plain["n_heads"])
    if dim % 2:
        raise config.error(f"rotary_dim must be even; got {dim}")
    return Spec(
        **plain,
        trained_positions=config.int("n_positions", 2048),
        rotary=(Rotary(dim, interleaved=True),),
        parallel="shared",
        **biases(False, False, False, False),
        activation=config.activation("activation_function", "gelu_new"),
        **more,
    )


def _block(config: Config, n_layers: int, n_heads: int, d_model: int, vocab: int) -> dict[str, Any]:
    """Sizes and norms of a causal pre-norm block under GPT's keys; the numbers are values of keys left out."""
    config.rename(n_embd="hidden_size", n_head="num_attention_heads", n_layer="num_hidden_layers")
    config.rename(n_positions="max_position_embeddings")
    norm = Norm(eps=config.float("layer_norm_epsilon", 1e-5, low=0))
    d_model, n_heads = config.int("n_embd", d_model), config.heads("n_head", n_heads)
    config.divides("n_head", n_heads, "n_embd", d_model)
    config.skip("n_ctx")
    return {
        "n_layers": config.layers("n_layer", n_layers),
        "n_heads": n_heads,
        "d_model": d_model,
        "d_mlp": config.int("n_inner", 4 * d_model),
        "vocab": config.int("vocab_size", vocab),
        "norm": norm,
        "norm_before": True,
        "final_norm": norm,
        "causal": True,
    }
