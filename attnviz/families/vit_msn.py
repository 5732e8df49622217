"""MSN (Assran 2022): ViT trained to match masked views of an image."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _vision, vit
from attnviz.families._config import Config
from attnviz.families._vision import IMAGENET, ImageHabit

NAMES = vit.NAMES
IMAGES = ImageHabit("ViT", *IMAGENET)


def spec(config: Config) -> Spec:
    """ViTMSNConfig."""
    return _vision.vision(config, ("class",), eps=1e-6)
