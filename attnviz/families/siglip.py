"""SigLIP (Zhai 2023) with both towers, and SigLIP 2 at a fixed resolution; the input says which one is asked."""

from __future__ import annotations

from attnviz.engine.spec import Towers
from attnviz.families import _clip, siglip_text_model, siglip_vision_model
from attnviz.families._config import Config

NAMES = {**siglip_text_model.table("text.", "text_model."), **siglip_vision_model.table("image.", "vision_model.")}
IMAGES = siglip_vision_model.IMAGES


def spec(config: Config) -> Towers:
    """SiglipConfig."""
    return _clip.towers(config, siglip_text_model, siglip_vision_model)
