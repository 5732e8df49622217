"""Model families: one declarative file a model_type.

A file gives `spec(config)`, which turns a configuration into what the engine does, and `NAMES`, which says where a
checkpoint keeps each of our tensors. No arithmetic, no branches on names: see docs/adding-a-family.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from attnviz.errors import ConfigError, shown

# model_type in a configuration -> the file that describes it, where the two differ.
ALIASES: Mapping[str, str] = {
    "camembert": "roberta",
    "clip_text_model": "clip_text",
    "clip_vision_model": "clip_vision",
    "xlm_roberta": "roberta",
}


def known() -> tuple[str, ...]:
    """The names of all families, in order."""
    return tuple(sorted(m.name for m in iter_modules(__path__) if not m.name.startswith("_")))


def family(model_type: str) -> ModuleType:
    """The file of a model_type. Raises ConfigError, naming the nearest known ones, if there is none."""
    name = model_type[:100].replace("-", "_")
    name = ALIASES.get(name, name)
    if name not in known():
        near = get_close_matches(name, [*known(), *ALIASES], n=3, cutoff=0.5)
        hint = f"the nearest known: {', '.join(near)}" if near else f"known: {', '.join(known())}"
        raise ConfigError(f"model_type {shown(model_type)} is not a family that attnviz knows", hint)
    return import_module(f"attnviz.families.{name}")
