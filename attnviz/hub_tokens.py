"""The tokenizer files of a model on the Hub, fetched without its weights."""

from __future__ import annotations

import os
from pathlib import Path

from attnviz import hub
from attnviz.errors import ModelError

# One of these must be there for a text to be split.
VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "source.spm",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "spm.model",
    "sentencepiece.model",
)


def tokenizer_folder(name: str, revision: str, offline: bool = False, quiet: bool = False) -> Path:
    """The folder of a snapshot that holds the tokenizer files of a model, and its config.json if it has one.

    Args:
        name, revision: as `hub.parse` gives them.
        offline: look into the cache only; HF_HUB_OFFLINE=1 means the same.
        quiet: no progress bars.

    Raises:
        ModelError: the Hub has no such model or revision, or no tokenizer for it; there is no network, or no room.
    """
    snapshot = hub._snapshot(name, revision)
    if snapshot is not None and any((snapshot / file).is_file() for file in VOCABULARIES):
        return snapshot
    if hub.is_offline(offline):
        raise hub._not_cached(name, revision)
    return _fetched(name, revision, quiet)


def _fetched(name: str, revision: str, quiet: bool) -> Path:
    """The files of one commit. The revision's own name is noted in the cache last, when nothing is missing."""
    with hub._explained(name, revision), hub._manners(quiet) as client:
        endpoint = os.environ.get("HF_ENDPOINT") or None
        info = client.HfApi(endpoint=endpoint).model_info(name, revision=revision, timeout=hub.TIMEOUT)
        listed = [file.rfilename for file in info.siblings or ()]
        files = hub._small_files(listed)
        if not any(file in VOCABULARIES for file in files):
            raise ModelError(f"{name} on the Hub has no tokenizer", "give token ids to its model instead of a text")
        if "config.json" in listed:
            files.insert(0, "config.json")
        commit = str(info.sha)

        def get(file: str, at: str = commit) -> Path:
            where = client.hf_hub_download(name, file, revision=at, cache_dir=hub.cache_folder(), endpoint=endpoint)
            return Path(where)

        for file in files:
            folder = get(file).parent
        if revision != commit:
            get(files[0], revision)
        return folder
