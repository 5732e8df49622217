"""The Hub's cache on disk, as its own client keeps it: models--org--name/{refs,snapshots,blobs}."""

from __future__ import annotations

import os
import re
from pathlib import Path

from attnviz.errors import ModelError
from attnviz.models.hub import files
from attnviz.models.hub.names import MAIN


def cache_folder() -> Path:
    """Where the Hub's client keeps what it fetches."""
    home = os.environ.get("HF_HOME") or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"
    return Path(os.path.expandvars(cache)).expanduser()


def cached(name: str, revision: str = MAIN) -> Path | None:
    """The snapshot of a model in the cache, if its configuration and weights are complete."""
    snapshot = snapshot_of(name, revision)
    return snapshot if snapshot is not None and not _lacks(snapshot) else None


def cached_config(name: str, revision: str = MAIN) -> Path | None:
    """config.json of a model in the cache, whatever else of the model is there."""
    snapshot = snapshot_of(name, revision)
    return snapshot / "config.json" if snapshot is not None and (snapshot / "config.json").is_file() else None


def snapshot_of(name: str, revision: str) -> Path | None:
    """The folder of a revision, complete or not; None if there is none."""
    folder = _model_folder(name)
    pointer = folder.joinpath("refs", *revision.split("/"))
    try:
        commit = pointer.read_text().strip() if pointer.is_file() else revision
    except (OSError, ValueError):
        return None
    snapshot = folder / "snapshots" / commit
    return snapshot if re.fullmatch(r"[\w-]+", commit) and snapshot.is_dir() else None


def reads_something(snapshot: Path) -> bool:
    """Whether a snapshot has a tokenizer or a preprocessor, or the Hub is known to have none for it."""
    known_absent = snapshot.parent.parent / ".no_exist" / snapshot.name / files.TOKENIZER_JSON
    return known_absent.is_file() or any((snapshot / file).is_file() for file in files.READERS)


def _model_folder(name: str) -> Path:
    return cache_folder() / f"models--{name.replace('/', '--')}"


def _lacks(snapshot: Path) -> str:
    """The file that a snapshot lacks, or ''. A link to a blob that is gone counts as missing."""
    if not (snapshot / "config.json").is_file():
        return "config.json"
    listed = [path.relative_to(snapshot).as_posix() for path in snapshot.glob("*") if path.is_file()]
    chosen = files.weights(listed)
    if chosen is None:
        return "its weights"
    shards = files.shards(snapshot / chosen) if chosen.endswith(".index.json") else []
    missing = [shard for shard in shards if not (snapshot / shard).is_file()]
    more = f" and {len(missing) - 1} more of {len(shards)} files" if len(missing) > 1 else ""
    return missing[0] + more if missing else ""


def in_cache() -> list[str]:
    """Names of the complete models in the cache."""
    folders = sorted(cache_folder().glob("models--*--*"))
    names = (folder.name.removeprefix("models--").replace("--", "/", 1) for folder in folders)
    return [name for name in names if cached(name) is not None]


def says_cache() -> str:
    """A few words on what can be had without the network."""
    names = in_cache()
    if not names:
        return "the cache holds no model that can be used"
    return f"the cache holds {', '.join(names[:6])}" + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def not_cached(name: str, revision: str) -> ModelError:
    """Why an offline search ends in nothing."""
    at = "" if revision == MAIN else f"@{revision}"
    snapshot = snapshot_of(name, revision)
    if snapshot is not None:
        what = f"{name}{at} is only partly in the Hub's cache: it lacks {_lacks(snapshot)}"
    else:
        what = f"{name}{at} is not in the Hub's cache"
        refs = _model_folder(name) / "refs"
        others = sorted(path.relative_to(refs).as_posix() for path in refs.rglob("*") if path.is_file())
        if others:
            what += f", which has {', '.join(others[:6])} of it"
    return ModelError(
        f"{what}; the network is not touched with --offline or HF_HUB_OFFLINE=1",
        f"{says_cache()}; without --offline it would be fetched",
    )
