"""SigLIP's vision tower (Zhai 2023): ViT without a class token; SigLIP 2 at a fixed resolution is the same."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _vision
from attnviz.families._clip import LAYER
from attnviz.families._config import Config
from attnviz.families._names import Source, pairs
from attnviz.families._vision import HALF, ImageHabit

IMAGES = ImageHabit("Siglip", HALF, HALF)


def table(ours: str = "", theirs: str = "") -> dict[str, Source]:
    """Our names -> stored names; the two prefixes go in front of ours and of the file's."""
    return {
        f"{ours}embed.positions": f"{theirs}embeddings.position_embedding.weight",
        **pairs({"embed.patches": "embeddings.patch_embedding", "final_norm": "post_layernorm"}, ours, theirs),
        **pairs(LAYER, f"{ours}layers.{{i}}.", f"{theirs}encoder.layers.{{i}}."),
    }


NAMES = table()


def spec(config: Config) -> Spec:
    """SiglipVisionConfig."""
    config.off("num_patches")  # a key of another kind of SigLIP 2, which keeps the shape of every image
    config.skip("vision_use_head", "projection_dim")
    return _vision.vision(config, (), eps=1e-6, q_bias=True, k_bias=True, v_bias=True, act="gelu_pytorch_tanh")
