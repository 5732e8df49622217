"""DINOv2 (Oquab 2023): ViT with a scale on each sublayer, and images of any size."""

from __future__ import annotations

from typing import Any

from attnviz.engine.spec import Spec
from attnviz.families import _vision
from attnviz.families._config import Config
from attnviz.families._names import Source
from attnviz.families._vision import IMAGENET, ImageHabit

_L = "encoder.layer.{i}."
NAMES: dict[str, Source] = {
    **_vision.table(
        {"class": "embeddings.cls_token"},
        {
            "q": [f"{_L}attention.attention.query", f"{_L}attention.q_proj"],
            "k": [f"{_L}attention.attention.key", f"{_L}attention.k_proj"],
            "v": [f"{_L}attention.attention.value", f"{_L}attention.v_proj"],
            "o": [f"{_L}attention.output.dense", f"{_L}attention.o_proj"],
            "norm1": [f"{_L}norm1"],
            "norm2": [f"{_L}norm2"],
        },
    ),
    **{f"layers.{{i}}.scale{n}": f"{_L}layer_scale{n}.lambda1" for n in (1, 2)},
    **{
        f"layers.{{i}}.{part}.{k}": [
            f"{_L}mlp.{fc}.{k}",
            f"{_L}mlp.{part}_proj.{k}",
            (f"{_L}mlp.weights_in.{k}", f"{part}_of_gate_up") if part != "down" else f"{_L}mlp.weights_out.{k}",
        ]
        for part, fc in {"gate": "gate", "up": "fc1", "down": "fc2"}.items()
        for k in ("weight", "bias")
    },
}
IMAGES = ImageHabit("Bit", *IMAGENET)


def spec(config: Config, **more: Any) -> Spec:
    """Dinov2Config; `more` has the fields in which a relative differs."""
    gated = config.bool("use_swiglu_ffn")
    width = int(config.int("hidden_size", 768) * config.int("mlp_ratio", 4))
    if gated:  # two thirds, rounded up to a multiple of 8
        width = (int(width * 2 / 3) + 7) // 8 * 8
    config.skip("layerscale_value", "use_mask_token", *_vision.BACKBONE)
    if gated:
        more["activation"] = "silu"
    return _vision.vision(
        config,
        ("class",),
        eps=1e-6,
        size=14,
        d_mlp=width,
        gated=gated,
        layer_scale=True,
        interpolate=True,
        **more,
    )
