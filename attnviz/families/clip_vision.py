"""CLIP's vision tower (Radford 2021): ViT with a norm on the embeddings."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Spec
from attnviz.families import _vision
from attnviz.families._clip import LAYER
from attnviz.families._config import Config
from attnviz.families._names import Source, pairs
from attnviz.families._vision import CLIP, ImageHabit

ALIASES = ("clip_vision_model",)
IMAGES = ImageHabit("CLIP", *CLIP)


def table(ours: str = "", theirs: str = "") -> dict[str, Source]:
    """Our names -> stored names; the two prefixes go in front of ours and of the file's."""
    return {
        f"{ours}embed.class": f"{theirs}embeddings.class_embedding",
        f"{ours}embed.patches.weight": f"{theirs}embeddings.patch_embedding.weight",
        f"{ours}embed.positions": f"{theirs}embeddings.position_embedding.weight",
        **pairs({"embed.norm": "pre_layrnorm", "final_norm": "post_layernorm"}, ours, theirs),
        **pairs(LAYER, f"{ours}layers.{{i}}.", f"{theirs}encoder.layers.{{i}}."),
    }


NAMES = table()


def spec(config: Config) -> Spec:
    """CLIPVisionConfig."""
    norm = Norm(eps=config.float("layer_norm_eps", 1e-5, low=0))
    d_model, n_heads = config.int("hidden_size", 768), config.heads("num_attention_heads", 12)
    config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    cut, places = _vision.patches(config, ("class",), size=32, bias=False)
    config.skip("projection_dim")
    return Spec(
        n_layers=config.layers("num_hidden_layers", 12),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("intermediate_size", 3072),
        patches=cut,
        absolute=places,
        embed_norm=norm,
        norm=norm,
        norm_before=True,
        final_norm=norm,
        activation=config.activation("hidden_act", "quick_gelu"),
    )
