"""SigLIP (Zhai 2023) with both towers, and SigLIP 2 at a fixed resolution; the input says which one is asked."""

from __future__ import annotations

from attnviz.engine.spec import Towers
from attnviz.families import siglip_text_model, siglip_vision_model
from attnviz.families._config import Config

NAMES = {**siglip_text_model.table("text.", "text_model."), **siglip_vision_model.table("image.", "vision_model.")}
IMAGES = siglip_vision_model.IMAGES


def spec(config: Config) -> Towers:
    """SiglipConfig."""
    found = []
    for key, tower in (("text_config", siglip_text_model), ("vision_config", siglip_vision_model)):
        own = config.sub(key) or Config({}, f"{config.where}: {key}")
        found.append(tower.spec(own))
        config.inside(own)
    return Towers(found[0], found[1])
