"""DeiT (Touvron 2021): ViT with a second learned token, for distillation."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _vision
from attnviz.families._config import Config
from attnviz.families._vision import IMAGENET, ImageHabit

NAMES = _vision.table({"class": "embeddings.cls_token", "distillation": "embeddings.distillation_token"}, _vision.LAYER)
IMAGES = ImageHabit("DeiT", *IMAGENET)


def spec(config: Config) -> Spec:
    """DeiTConfig."""
    return _vision.vision(config, ("class", "distillation"))
