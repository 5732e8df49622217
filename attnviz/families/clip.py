"""CLIP (Radford 2021) with both towers; the input says which one is asked."""

from __future__ import annotations

from attnviz.engine.spec import Towers
from attnviz.families import _clip, clip_text, clip_vision
from attnviz.families._config import Config
from attnviz.families._vision import CLIP, ImageHabit

NAMES = {**clip_text.table("text.", "text_model."), **clip_vision.table("image.", "vision_model.")}
IMAGES = ImageHabit("CLIP", *CLIP)


def spec(config: Config) -> Towers:
    """CLIPConfig."""
    config.skip("projection_dim", "logit_scale_init_value")
    return _clip.towers(config, clip_text, clip_vision)
