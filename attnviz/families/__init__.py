"""Model families: one declarative file a model_type.

A file gives `spec(config)`, which turns a configuration into what the engine does, and `NAMES`, which says where a
checkpoint keeps each of our tensors. Beside them stand the other facts of the family: `ALIASES`, `UNEMBED`, `GGUF`,
`TOKENIZERS`, `IMAGES`, `TYPICAL`. No arithmetic, no branches on names: see docs/adding-a-family.md.

`_index.py` lists which file serves which name, so that looking one family up imports one file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING

from attnviz.errors import ConfigError, shown
from attnviz.families import _index

if TYPE_CHECKING:
    from attnviz.families._config import Config
    from attnviz.families._gguf.shared import Architecture
    from attnviz.families._names import Source
    from attnviz.families._recipes import Recipe

Index = Mapping[str, Mapping[str, str]]
# model_types, gguf (architectures) and tokenizers (keys of classes): name -> the family file that serves it.
INDEX: Index = _index.INDEX


def known() -> tuple[str, ...]:
    """The names of all families, in order."""
    return tuple(sorted(set(INDEX["model_types"].values())))


def model_types() -> tuple[str, ...]:
    """Every model_type that a family serves, in order."""
    return tuple(sorted(INDEX["model_types"]))


def family(model_type: str) -> ModuleType:
    """The file of a model_type. Raises ConfigError, naming the nearest known ones, if there is none."""
    name = model_type[:100].replace("-", "_")
    file = INDEX["model_types"].get(name)
    if file is None:
        raise ConfigError(
            f"model_type {shown(model_type)} is not a family that attnviz knows", _nearest(name, model_types(), known())
        )
    return _file(file)


def names_of(module: ModuleType, config: Config) -> Mapping[str, Source]:
    """Where a family's checkpoints keep our tensors, which may depend on the configuration."""
    found: Mapping[str, Source] = module.names(config) if hasattr(module, "names") else module.NAMES
    return found


def architecture(name: str, where: str) -> Architecture:
    """How GGUF files of an architecture are read. Raises ConfigError, naming the nearest known ones."""
    file = INDEX["gguf"].get(name)
    if file is None:
        hint = _nearest(name[:100], sorted(INDEX["gguf"]))
        raise ConfigError(f"{where}: architecture {shown(name)} is not one that attnviz knows", hint)
    found: Architecture = _file(file).GGUF[name]
    return found


def recipe(key: str) -> Recipe | None:
    """What a tokenizer's files leave out, by `_recipes.key_of` its class; None where no family says."""
    from attnviz.families._recipes import key_of

    served = INDEX["tokenizers"]
    if key not in served:  # an alias has the tokenizer of its family
        key = next((key_of(file) for name, file in INDEX["model_types"].items() if key_of(name) == key), key)
    found: Recipe | None = _file(served[key]).TOKENIZERS[key] if key in served else None
    return found


def make_index() -> Index:
    """The index, made by reading every family file. Raises ValueError where two files claim one name.

    scripts/make_family_index.py writes it to `_index.py`.
    """
    found: dict[str, dict[str, str]] = {"model_types": {}, "gguf": {}, "tokenizers": {}}
    for file in sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_")):
        module = _file(file)
        claims = {
            "model_types": (file, *getattr(module, "ALIASES", ())),
            "gguf": tuple(getattr(module, "GGUF", ())),
            "tokenizers": tuple(getattr(module, "TOKENIZERS", ())),
        }
        for part, names in claims.items():
            for name in names:
                if found[part].setdefault(name, file) != file:
                    raise ValueError(f"{part}: {name} is claimed by {found[part][name]}.py and by {file}.py")
    return {part: dict(sorted(names.items())) for part, names in found.items()}


def _file(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name}")


def _nearest(name: str, names: Sequence[str], listed: Sequence[str] = ()) -> str:
    """A hint: the nearest of the names, or else the list of them."""
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    return f"the nearest known: {', '.join(near)}" if near else f"known: {', '.join(listed or names)}"
