"""DINOv3 (Siméoni 2025): ViT with registers, whose queries and keys turn by a patch's row and column."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Rotary, Spec
from attnviz.families import _vision
from attnviz.families._config import Config
from attnviz.families._names import Source
from attnviz.families._vision import IMAGENET, ImageHabit

_PARTS = {
    "q": "attention.q_proj",
    "k": "attention.k_proj",
    "v": "attention.v_proj",
    "o": "attention.o_proj",
    "norm1": "norm1",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
    "norm2": "norm2",
}
NAMES: dict[str, Source] = {
    **_vision.table(
        {"class": "embeddings.cls_token"},
        {ours: [f"layer.{{i}}.{part}", f"model.layer.{{i}}.{part}"] for ours, part in _PARTS.items()},
    ),
    "embed.patches.weight": "embeddings.patch_embeddings.weight",
    "embed.patches.bias": "embeddings.patch_embeddings.bias",
    "embed.registers": ("embeddings.register_tokens", "squeeze"),
    **{
        f"layers.{{i}}.scale{n}": [f"layer.{{i}}.layer_scale{n}.lambda1", f"model.layer.{{i}}.layer_scale{n}.lambda1"]
        for n in (1, 2)
    },
    "final_norm.weight": "norm.weight",
    "final_norm.bias": "norm.bias",
}
IMAGES = ImageHabit("DINOv3ViT", *IMAGENET)


def spec(config: Config) -> Spec:
    """DINOv3ViTConfig. Shifts, jitter and rescaling of places belong to training."""
    norm = Norm(eps=config.float("layer_norm_eps", 1e-5, low=0))
    d_model, n_heads = config.int("hidden_size", 384), config.heads("num_attention_heads", 6)
    config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    d_head = d_model // n_heads
    config.divides("4 of rotary positions in a head of", 4, "hidden_size / num_attention_heads", d_head)
    config.skip("pos_embed_shift", "pos_embed_jitter", "pos_embed_rescale", "layerscale_value", *_vision.BACKBONE)
    registers = config.int("num_register_tokens", 0, low=0, high=10_000)
    return Spec(
        n_layers=config.layers("num_hidden_layers", 12),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("intermediate_size", 1536),
        patches=_vision.patches(config, ("class",), registers=registers)[0],
        rotary=(Rotary(d_head, config.float("rope_theta", 100.0, low=1e-6), by_patch=True),),
        q_bias=config.bool("query_bias", True),
        k_bias=config.bool("key_bias"),
        v_bias=config.bool("value_bias", True),
        o_bias=config.bool("proj_bias", True),
        norm=norm,
        norm_before=True,
        final_norm=norm,
        layer_scale=True,
        activation=config.activation("hidden_act", "gelu"),
        gated=config.bool("use_gated_mlp"),
        mlp_bias=config.bool("mlp_bias", True),
    )
