"""Shared by CLIP and its relatives: the names of a layer's tensors, and two towers in one configuration."""

from __future__ import annotations

from types import ModuleType

from attnviz.engine.spec import Spec, Towers
from attnviz.families._config import Config

LAYER = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.out_proj",
    "norm1": "layer_norm1",
    "up": "mlp.fc1",
    "down": "mlp.fc2",
    "norm2": "layer_norm2",
}


def towers(config: Config, text: ModuleType, image: ModuleType) -> Towers:
    """Both towers; the family file of each reads its own part of the configuration."""
    return Towers(_tower(config, "text_config", text), _tower(config, "vision_config", image))


def _tower(config: Config, key: str, family: ModuleType) -> Spec:
    """One tower. Files from 2022 may hold its part twice: the reference then uses `KEY_dict`, its defaults included."""
    old, own = config.sub(f"{key}_dict"), config.sub(key)
    if old is not None and own is not None:
        own.skip(*own.data)
    own = old or own or Config({}, f"{config.where}: {key}")
    spec: Spec = family.spec(own)
    config.inside(own)
    return spec
