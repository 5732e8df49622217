"""DeiT (Touvron 2021): ViT with a second learned token, for distillation."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import vit
from attnviz.families._config import Config

NAMES = vit.table({"class": "embeddings.cls_token", "distillation": "embeddings.distillation_token"}, vit.LAYER)


def spec(config: Config) -> Spec:
    """DeiTConfig."""
    return vit.vision(config, ("class", "distillation"))
