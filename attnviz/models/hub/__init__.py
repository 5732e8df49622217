"""Models on the Hub, `org/name` or `org/name@revision`: the user's cache first, the network after it.

The cache is the one that the Hub's own client keeps; what lies there in full is used without a single request, and
without importing the client. Missing files are fetched by the client, and only files that are read here:
configuration, tokenizer, preprocessor and one form of the weights, safetensors before PyTorch's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from attnviz.errors import ModelError
from attnviz.models.hub import cache, files
from attnviz.models.hub.cache import cache_folder, cached, in_cache
from attnviz.models.hub.names import MAIN, NAME, full, near, parse, short

__all__ = [
    "MAIN",
    "NAME",
    "cache_folder",
    "cached",
    "config_of",
    "find",
    "full",
    "in_cache",
    "is_offline",
    "near",
    "offered",
    "parse",
    "short",
    "tokenizer_folder",
]


def find(
    name: str,
    revision: str = MAIN,
    offline: bool = False,
    quiet: bool = False,
    check: Callable[[Path], object] | None = None,
) -> Path:
    """The folder of a snapshot, named by its commit, with all files that are needed.

    Args:
        name, revision: as `parse` gives them.
        offline: look into the cache only; HF_HUB_OFFLINE=1 means the same.
        quiet: no progress bars.
        check: called with the folder once config.json is there, before the weights are fetched; may raise.

    Raises:
        ModelError: the Hub has no such model or revision or does not give it, there is no network, or no room.
    """
    from attnviz.models.hub import client

    snapshot = cached(name, revision)
    if snapshot is None:
        if is_offline(offline):
            raise cache.not_cached(name, revision)
        return client.fetch(name, revision, quiet, check)
    if not cache.reads_something(snapshot) and not is_offline(offline):
        # Another program fetched the weights alone. Without a tokenizer the model still takes ids.
        with suppress(ModelError):
            client.fetch(name, snapshot.name, quiet, weights=False)
    return snapshot


def config_of(name: str, revision: str = MAIN, offline: bool = False, quiet: bool = False) -> Path:
    """config.json of a model, from the cache or fetched alone; its folder's name is the commit.

    Args: as for `find`.

    Raises:
        ModelError: as for `find`, or the model has no config.json (a repository of GGUF files, an adapter).
    """
    from attnviz.models.hub import client

    config = cache.cached_config(name, revision)
    if config is not None:
        return config
    if is_offline(offline):
        raise cache.not_cached(name, revision)
    return client.fetch_config(name, revision, quiet)


def tokenizer_folder(name: str, revision: str = MAIN, offline: bool = False, quiet: bool = False) -> Path:
    """The folder of a snapshot that holds the tokenizer files of a model, and its config.json if it has one.

    Args: as for `find`.

    Raises:
        ModelError: as for `find`, or the model has no tokenizer.
    """
    from attnviz.models.hub import client

    snapshot = cache.snapshot_of(name, revision)
    if snapshot is not None and any((snapshot / file).is_file() for file in files.VOCABULARIES):
        return snapshot
    if is_offline(offline):
        raise cache.not_cached(name, revision)
    return client.fetch_tokenizer(name, revision, quiet)


def offered(text: str, here: Iterable[str] = ()) -> str:
    """A hint for a name that is no model: the Hub's full name of it, or names spelled nearly so; '' for neither.

    here: names of models that are not on the Hub.
    """
    name_and_revision = short(text)
    if name_and_revision is None:
        return ""
    if name := full(name_and_revision[0]):
        return f"on the Hub it is called {name}: give the whole name, {name}{text[len(name_and_revision[0]) :]}"
    nearest = near(name_and_revision[0], in_cache(), here)
    return f"nearest: {', '.join(nearest)}" if nearest else ""


def is_offline(asked: bool = False) -> bool:
    """Whether the network is out of bounds, by request or by the client's variables."""
    variable = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return asked or variable.upper() in ("1", "ON", "YES", "TRUE")
