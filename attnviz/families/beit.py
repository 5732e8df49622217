"""BEiT (Bao 2022): ViT with a learned bias by rows and columns between patches, and a scale on each sublayer."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import ImageOffsets, Spec
from attnviz.families import _vision
from attnviz.families._config import Config
from attnviz.families._names import Source
from attnviz.families._vision import HALF, LAYER, ImageHabit, both

ALIASES = ("data2vec_vision",)  # same architecture, trained differently
_TABLE = "relative_position_bias_table"
NAMES: dict[str, Source] = {
    **_vision.table({"class": "embeddings.cls_token"}, LAYER),
    **{f"layers.{{i}}.scale{n}": [*both(f"lambda_{n}", f"lambda_{n}")] for n in (1, 2)},
    "bias.table": [f"encoder.relative_position_bias.{_TABLE}", f"shared_position_bias.{_TABLE}"],
    "layers.{i}.bias.table": [
        *both(f"attention.attention.relative_position_bias.{_TABLE}", f"relative_position_bias.{_TABLE}")
    ],
}
IMAGES = ImageHabit("Beit", HALF, HALF)
TYPICAL = {"use_relative_position_bias": True}


def _bias(config: Config) -> ImageOffsets | None:
    own, shared = config.bool("use_relative_position_bias"), config.bool("use_shared_relative_position_bias")
    if not (own or shared):
        return None
    image, patch = _vision.sides(config, "image_size", 224), _vision.sides(config, "patch_size", 16)
    if patch[0] != patch[1]:
        raise config.error(f"patch_size {patch} is oblong, and the reference has no relative positions for that")
    # The reference reads the table of an oblong image with rows and columns exchanged, and stretches it back.
    return ImageOffsets((image[1] // patch[1], image[0] // patch[0]), shared, own)


def spec(config: Config) -> Spec:
    """BeitConfig, and Data2VecVisionConfig."""
    config.skip(
        "use_mask_token",
        "use_mean_pooling",
        "vocab_size",
        "pool_scales",
        "add_fpn",
        "segmentation_indices",
        *_vision.BACKBONE,
    )
    config.skip("use_auxiliary_head", "auxiliary_channels", "auxiliary_num_convs", "auxiliary_concat_input")
    absolute = config.bool("use_absolute_position_embeddings")
    encoder = _vision.vision(
        config,
        ("class",),
        q_bias=True,
        k_bias=False,
        v_bias=True,
        bias=_bias(config),
        interpolate=absolute,
        layer_scale=config.float("layer_scale_init_value", 0.1) > 0,
    )
    return encoder if absolute else replace(encoder, absolute=None)
