"""CLIP (Radford 2021) with both towers; the input says which one is asked."""

from __future__ import annotations

from attnviz.engine.spec import Towers
from attnviz.families import clip_text, clip_vision
from attnviz.families._config import Config
from attnviz.families._vision import CLIP, ImageHabit

NAMES = {**clip_text.table("text.", "text_model."), **clip_vision.table("image.", "vision_model.")}
IMAGES = ImageHabit("CLIP", *CLIP)


def spec(config: Config) -> Towers:
    """CLIPConfig."""
    found = []
    for key, tower in (("text_config", clip_text), ("vision_config", clip_vision)):
        own = config.sub(key) or Config({}, f"{config.where}: {key}")
        found.append(tower.spec(own))
        config.inside(own)
    config.skip("projection_dim", "logit_scale_init_value", "text_config_dict", "vision_config_dict")
    return Towers(found[0], found[1])
