"""ViT (Dosovitskiy 2021): a pre-norm encoder over the squares of an image, with a class token in front."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _vision
from attnviz.families._config import Config
from attnviz.families._vision import HALF, ImageHabit

NAMES = _vision.table({"class": "embeddings.cls_token"}, _vision.LAYER)
IMAGES = ImageHabit("ViT", HALF, HALF)


def spec(config: Config) -> Spec:
    """ViTConfig."""
    return _vision.vision(config, ("class",))
