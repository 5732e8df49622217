"""Variants of the dense decoders of 2024 and 2025."""

from __future__ import annotations

from variant import Variant, rope, v, without
from variants_decoders import _LLAMA_LIKE, _ROPES

_TYPES = ["sliding_attention", "full_attention"]
_BIASES = v("biases", "attention_bias, mlp_bias", attention_bias=True, mlp_bias=True)
_NO_BIAS = v("no_bias", "attention_bias False", attention_bias=False)
_BIAS = v("bias", "attention_bias", attention_bias=True)
_HEAD_DIM = v("head_dim", "head_dim 12", head_dim=12)
_EPS = v("eps", "rms_norm_eps 0.05", rms_norm_eps=0.05)
_RELU = v("relu", "hidden_act relu", hidden_act="relu")
_WIDE = v("window_wide", "sliding_window wider than the text", sliding_window=100, length=20)
# A configuration with different sizes per layer needs a list as long as its layers.
_LAYERS = [
    v(
        "big",
        "3 layers, 6 heads, 3 kv heads, full, sliding, sliding",
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=3,
        intermediate_size=72,
        length=40,
        layer_types=["full_attention", "sliding_attention", "sliding_attention"],
    ),
    *without(_LLAMA_LIKE, "big"),
    _WIDE,
    v(
        "default_layers",
        "layer_types left out, 5 layers: every fourth is full",
        layer_types=None,
        num_hidden_layers=5,
        length=20,
    ),
    v("full", "full layers only", layer_types=["full_attention"] * 2, length=20),
    v("sliding", "sliding layers only", layer_types=["sliding_attention"] * 2, length=20),
]


def part(variants: list[Variant], share: float) -> list[Variant]:
    """The variants of rope, with the rotated share of a head among the parameters."""
    changed = []
    for variant in variants:
        parameters = {"partial_rotary_factor": share, **variant.config["rope_parameters"]}
        config = {**variant.config, "rope_parameters": parameters}
        changed.append(v(variant.name, variant.note, length=variant.length, **config))
    return changed


def wider(variants: list[Variant], factors: int) -> list[Variant]:
    """The variants of rope, tables of factors repeated to this length."""
    changed = []
    for variant in variants:
        parameters = {
            key: (value * factors)[:factors] if isinstance(value, list) else value
            for key, value in variant.config["rope_parameters"].items()
        }
        config = {**variant.config, "rope_parameters": parameters}
        changed.append(v(variant.name, variant.note, length=variant.length, **config))
    return changed


_GLM = [
    *_LLAMA_LIKE,
    *wider(part(_ROPES, 0.5), 2),
    _NO_BIAS,
    _HEAD_DIM,
    _EPS,
    v("whole", "partial_rotary_factor 1", **rope("default", partial_rotary_factor=1.0)),
    v("quarter", "partial_rotary_factor 0.25", **rope("default", 300.0, partial_rotary_factor=0.25), length=30),
    v("gelu", "hidden_act gelu", hidden_act="gelu"),
]


def _by_kind(kind: str, theta: float = 10000.0, **more: object) -> dict[str, object]:
    """rope_parameters whose scaling is for full layers alone."""
    scaled = rope(kind, theta, **more)["rope_parameters"]
    plain = {"rope_type": "default", "rope_theta": 500.0}
    return {"rope_parameters": {"full_attention": scaled, "sliding_attention": plain}}


DENSE: dict[str, list[Variant]] = {
    "glm": _GLM,
    "glm4": _GLM,
    "granite": [
        *_LLAMA_LIKE,
        *_ROPES,
        _BIASES,
        _HEAD_DIM,
        _EPS,
        _RELU,
        v(
            "ones",
            "all multipliers 1",
            embedding_multiplier=1.0,
            attention_multiplier=1.0,
            residual_multiplier=1.0,
            gain=1.2,
        ),
        v(
            "left_out",
            "as published for 2B: 12, 1/64, 0.22, 8",
            embedding_multiplier=12.0,
            attention_multiplier=0.015625,
            residual_multiplier=0.22,
            logits_scaling=8.0,
            gain=3.0,
        ),
        v(
            "integers",
            "multipliers without a point",
            embedding_multiplier=12,
            attention_multiplier=1,
            residual_multiplier=2,
            logits_scaling=8,
        ),
    ],
    "granitemoehybrid": [
        *without(_LLAMA_LIKE, "big"),
        *_ROPES,
        v(
            "big",
            "3 layers, 6 heads, 3 kv heads, as transformers 4 names the layers",
            hidden_size=48,
            num_hidden_layers=3,
            num_attention_heads=6,
            num_key_value_heads=3,
            shared_intermediate_size=72,
            layer_types=["attention"] * 3,
            length=40,
        ),
        v("no_positions", "position_embedding_type nope", position_embedding_type="nope"),
        v("positions_left_out", "position_embedding_type left out: none", position_embedding_type=None),
        _BIAS,
        _HEAD_DIM,
        _EPS,
        _RELU,
    ],
    "olmo3": [
        *without(_LAYERS, "theta"),
        v("theta", "a base for each kind of layer", **_by_kind("default", 90.0), length=30),
        v(
            "yarn",
            "yarn rope on full layers, as published",
            **_by_kind(
                "yarn",
                factor=8.0,
                original_max_position_embeddings=16,
                attention_factor=1.2079441541679836,
                beta_fast=32.0,
                beta_slow=1.0,
            ),
            length=50,
        ),
        v("linear", "linear rope on full layers", **_by_kind("linear", factor=4.0), length=40),
        v(
            "llama3",
            "llama3 rope on full layers",
            **_by_kind(
                "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=24
            ),
            length=50,
        ),
        _BIAS,
        _EPS,
        _RELU,
    ],
    "exaone4": [
        *_LAYERS,
        *_ROPES,
        _HEAD_DIM,
        _EPS,
        _RELU,
        v(
            "no_window",
            "sliding_window null: full layers with positions",
            sliding_window=None,
            layer_types=["full_attention"] * 2,
            sliding_window_pattern=None,
            length=20,
        ),
        v(
            "pattern2",
            "sliding_window_pattern 2",
            sliding_window_pattern=2,
            layer_types=None,
            num_hidden_layers=4,
            length=20,
        ),
        v("pattern_word", "sliding_window_pattern LLLG beside layer_types", sliding_window_pattern="LLLG", length=20),
    ],
    "cohere2": [
        *_LAYERS,
        *_ROPES,
        _BIAS,
        _HEAD_DIM,
        v("eps", "layer_norm_eps 0.05", layer_norm_eps=0.05),
        _RELU,
        v(
            "pattern2",
            "sliding_window_pattern 2",
            sliding_window_pattern=2,
            layer_types=None,
            num_hidden_layers=4,
            length=20,
        ),
    ],
    "ernie4_5": [
        *_LLAMA_LIKE,
        *wider(_ROPES, 8),
        v("biases", "use_bias", use_bias=True),
        v("head_dim_left", "head_dim null", head_dim=None),
        _HEAD_DIM,
        _EPS,
        _RELU,
    ],
    "seed_oss": [
        *_LLAMA_LIKE,
        *wider(_ROPES, 8),
        _NO_BIAS,
        v("out_bias", "attention_out_bias, mlp_bias", attention_out_bias=True, mlp_bias=True),
        v("head_dim_left", "head_dim null", head_dim=None),
        _HEAD_DIM,
        _EPS,
        _RELU,
    ],
    "hunyuan_v1_dense": [
        *_LLAMA_LIKE,
        *wider(_ROPES, 8),
        v(
            "alpha",
            "dynamic rope with alpha 1000 as published",
            **rope("dynamic", alpha=1000.0, factor=1.0, beta_fast=32, beta_slow=1, mscale=1.0, mscale_all_dim=0.0),
            length=40,
        ),
        v(
            "alpha_long",
            "dynamic rope with alpha, text beyond max_position_embeddings: nothing changes",
            **rope("dynamic", 500.0, alpha=50.0, factor=2.0),
            max_position_embeddings=20,
            length=45,
        ),
        _BIAS,
        _HEAD_DIM,
        _EPS,
        _RELU,
    ],
    "helium": [
        *_LLAMA_LIKE,
        *_ROPES,
        _BIASES,
        v("head_dim", "head_dim 12, 48 wide", head_dim=12, hidden_size=48),
        _EPS,
        _RELU,
    ],
}
