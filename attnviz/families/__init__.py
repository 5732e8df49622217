"""Model families: one declarative file per model_type.

A file gives `spec(config)`, which turns a configuration into what the engine does, and `NAMES`, which says where a
checkpoint keeps each of our tensors. Further constants hold the family's other facts: `ALIASES`, `UNEMBED`, `MASKED`,
`GGUF`, `TOKENIZERS`, `IMAGES`, `TYPICAL`. No arithmetic, no branches on names: see docs/adding-a-family.md.

`_index.py` lists which file serves which name, so that looking one family up imports one file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import takewhile
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
    """Import the family file that serves a model_type.

    Raises ConfigError, naming the nearest known ones, if there is none.
    """
    name = model_type[:100].replace("-", "_")
    file = INDEX["model_types"].get(name)
    if file is None:
        raise ConfigError(
            f"model_type {shown(model_type)} is not a family that attnviz knows", _nearest(name, model_types(), known())
        )
    return _file(file)


def names_of(module: ModuleType, config: Config) -> Mapping[str, Source]:
    """Our tensor names -> the names in a family's checkpoints, which may depend on the configuration."""
    names: Mapping[str, Source] = module.names(config) if hasattr(module, "names") else module.NAMES
    return names


def architecture(name: str, where: str) -> Architecture:
    """Look up how GGUF files of an architecture are read. Raises ConfigError, naming the nearest known ones."""
    file = INDEX["gguf"].get(name)
    if file is None:
        hint = _nearest(name[:100], sorted(INDEX["gguf"]))
        raise ConfigError(f"{where}: architecture {shown(name)} is not one that attnviz knows", hint)
    entry: Architecture = _file(file).GGUF[name]
    return entry


def recipe(key: str) -> Recipe | None:
    """Look up what a tokenizer's files leave out. key: `_recipes.key_of` its class; None if no family lists it."""
    from attnviz.families._recipes import key_of

    served = INDEX["tokenizers"]
    if key not in served:  # an alias has the tokenizer of its family
        key = next((key_of(file) for name, file in INDEX["model_types"].items() if key_of(name) == key), key)
    entry: Recipe | None = _file(served[key]).TOKENIZERS[key] if key in served else None
    return entry


def make_index() -> Index:
    """Make the index by importing every family file. Raises ValueError where two files claim one name.

    scripts/make_family_index.py writes it to `_index.py`.
    """
    from pkgutil import iter_modules

    index: dict[str, dict[str, str]] = {"model_types": {}, "gguf": {}, "tokenizers": {}}
    for file in sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_")):
        module = _file(file)
        claims = {
            "model_types": (file, *getattr(module, "ALIASES", ())),
            "gguf": tuple(getattr(module, "GGUF", ())),
            "tokenizers": tuple(getattr(module, "TOKENIZERS", ())),
        }
        for part, names in claims.items():
            for name in names:
                if index[part].setdefault(name, file) != file:
                    raise ValueError(f"{part}: {name} is claimed by {index[part][name]}.py and by {file}.py")
    return {part: dict(sorted(names.items())) for part, names in index.items()}


def _file(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name}")


def _nearest(name: str, names: Sequence[str], listed: Sequence[str] = ()) -> str:
    """A hint: names that begin with the same word, else names that `name` may misspell, else the whole list."""
    near = [known for known in names if _stem(known) and _stem(known) == _stem(name)]
    near = near or [known for known in names if _misspelt(name, known)]
    near = get_close_matches(name, near, n=3, cutoff=0)
    return f"the nearest known: {', '.join(near)}" if near else f"known: {', '.join(listed or names)}"


def _stem(name: str) -> str:
    """The letters that a name begins with, without number and variant; "" if they are fewer than three."""
    letters = "".join(takewhile(str.isalpha, name))
    return letters if len(letters) > 2 else ""


def _misspelt(name: str, known: str) -> bool:
    """Whether one or two slips turn a known name into `name`: a letter missing, added or replaced, or two swapped.

    One slip per four letters, two at most, and the first letter must be right: names of different models are as close.
    """
    most = min(2, len(name) // 4)
    if name[:1] != known[:1] or abs(len(name) - len(known)) > most:
        return False
    before: list[int] = []
    row = list(range(len(known) + 1))  # [n]: slips between `name` up to x and known[:n]
    for i, x in enumerate(name):
        older, before, row = before, row, [i + 1]
        for j, y in enumerate(known):
            slips = [before[j] + (x != y), before[j + 1] + 1, row[j] + 1]
            if i and j and (x, name[i - 1]) == (known[j - 1], y):
                slips.append(older[j - 1] + 1)
            row.append(min(slips))
    return row[-1] <= most
