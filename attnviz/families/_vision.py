"""Shared by vision transformers: how an image is cut into patches, the pre-norm encoder over them, tensor names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from attnviz.engine.spec import Learned, Norm, Patches, Spec
from attnviz.errors import shown
from attnviz.families._config import Config
from attnviz.families._names import Source

# Means and deviations of pixels that checkpoints were trained with, one per channel.
HALF = (0.5, 0.5, 0.5)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


@dataclass(frozen=True)
class ImageHabit:
    """The preparation of a family's images if a checkpoint has no preprocessor_config.json.

    processor: a name of inputs.images.PROCESSORS. mean, std: of pixels scaled to 0..1, per channel.
    """

    processor: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


def table(prefix: dict[str, str], parts: dict[str, list[str]]) -> dict[str, Source]:
    """Our names -> stored names: learned tokens, then a layer's parts under every spelling they have had."""
    entries: dict[str, Source] = {
        "embed.patches.weight": "embeddings.patch_embeddings.projection.weight",
        "embed.patches.bias": "embeddings.patch_embeddings.projection.bias",
        "embed.positions": ("embeddings.position_embeddings", "squeeze"),
        "final_norm.weight": "layernorm.weight",
        "final_norm.bias": "layernorm.bias",
    }
    entries |= {f"embed.{ours}": (theirs, "flatten") for ours, theirs in prefix.items()}
    for ours, spellings in parts.items():
        for kind in ("weight", "bias"):
            entries[f"layers.{{i}}.{ours}.{kind}"] = [f"{stored}.{kind}" for stored in spellings]
    return entries


def both(old: str, new: str) -> list[str]:
    """A layer's part under its name in files, and under its name in the library's newest release."""
    return [f"encoder.layer.{{i}}.{old}", f"layers.{{i}}.{new}"]


LAYER = {
    "q": both("attention.attention.query", "attention.q_proj"),
    "k": both("attention.attention.key", "attention.k_proj"),
    "v": both("attention.attention.value", "attention.v_proj"),
    "o": both("attention.output.dense", "attention.o_proj"),
    "norm1": both("layernorm_before", "layernorm_before"),
    "up": both("intermediate.dense", "mlp.fc1"),
    "down": both("output.dense", "mlp.fc2"),
    "norm2": both("layernorm_after", "layernorm_after"),
}


def sides(config: Config, key: str, default: int) -> tuple[int, int]:
    """A size, written as one number or as two, rows first."""
    value = config.raw(key, default)
    lengths = config.ints(key, length=2) if isinstance(value, (list, tuple)) else (config.int(key, default),) * 2
    if min(lengths) < 1:
        raise config.error(f"{key} must be above 0; got {shown(value)}")
    return lengths[0], lengths[1]


def patches(config: Config, prefix: tuple[str, ...], size: int = 16, **more: Any) -> tuple[Patches, Learned]:
    """The cutting of an image into patches, and the position table for patches and the tokens in front."""
    image, side = sides(config, "image_size", 224), sides(config, "patch_size", size)
    if image[0] < side[0] or image[1] < side[1]:
        raise config.error(f"image_size {image} is smaller than patch_size {side}")
    cut = Patches(side, config.int("num_channels", 3, high=64), image, prefix, **more)
    rows, cols = cut.grid(*image)
    if cut.interpolate and rows != cols:  # the reference stretches every table as if it were a square
        raise config.error(f"image_size {image} of {rows} x {cols} patches: only a square table can be stretched")
    return cut, Learned(rows * cols + len(prefix))


def heads(config: Config, d_model: int = 768, n_heads: int = 12) -> tuple[int, int, int]:
    """d_model, n_heads and d_head; the numbers are values of keys left out."""
    d_model, n_heads = config.int("hidden_size", d_model), config.heads("num_attention_heads", n_heads)
    if not config.has("head_dim"):
        config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    return d_model, n_heads, config.int("head_dim", d_model // n_heads)


# Keys of backbones: which layers' outputs a task head gets, and how.
BACKBONE = (
    "apply_layernorm reshape_hidden_states out_features out_indices stage_names _out_features _out_indices "
    "return_class_token"
).split()


def vision(
    config: Config, prefix: tuple[str, ...], eps: float = 1e-12, size: int = 16, act: str = "gelu", **more: Any
) -> Spec:
    """A pre-norm encoder of patches; `more` has the fields that differ."""
    norm = Norm(eps=config.float("layer_norm_eps", eps, low=0))
    d_model, n_heads, d_head = heads(config)
    bias = config.bool("qkv_bias", True) if "q_bias" not in more else True
    cut = {key: more.pop(key) for key in ("interpolate", "smooth", "registers") if key in more}
    config.skip("encoder_stride")
    plain: dict[str, Any] = {
        "d_head": d_head,
        "norm": norm,
        "norm_before": True,
        "final_norm": norm,
        "q_bias": bias,
        "k_bias": bias,
        "v_bias": bias,
        "activation": config.activation("hidden_act", act),
    }
    plain["patches"], plain["absolute"] = patches(config, prefix, size, **cut)
    if "d_mlp" not in more:
        plain["d_mlp"] = config.int("intermediate_size", 3072)
    return Spec(n_layers=config.layers("num_hidden_layers", 12), n_heads=n_heads, d_model=d_model, **(plain | more))
