"""Checkpoints of a run from Python: what `attnviz.series` is given -> a run, and what its checkpoints read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from attnviz.corpora.checkpoints import find_run
from attnviz.corpora.follow import Watched
from attnviz.corpora.series import Reading
from attnviz.corpora.texts import numbered, read_texts
from attnviz.errors import InputError
from attnviz.models.model import Model


def opened_run(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> Watched:
    """Checkpoints, by patterns, paths or as open models, and what all of them read.

    named: loses the keywords that are read here. corpus: a file or folder, as `attnviz corpus` reads it, or texts in a
    list.

    Raises InputError: no checkpoints, or not exactly one kind of input.
    """
    sources: Any = [subject] if isinstance(subject, (str, PathLike, Model)) else subject
    if not isinstance(sources, Iterable):
        raise InputError(f"wanted checkpoints: a pattern, paths or models; got {type(subject).__name__}")
    maps = {name: named.pop(name, None) for name in ("layers", "heads")}
    if len(inputs) > 2:
        raise InputError(f"checkpoints read a text and at most a second one; got {len(inputs)}")
    given = dict(zip(("text", "pair"), inputs, strict=False))
    given |= {name: named.pop(name) for name in ("text", "pair", "ids") if name in named}
    random, corpus = bool(named.pop("random", False)), named.pop("corpus", None)
    ways = [given.get("text") is not None, given.get("ids") is not None, random, corpus is not None]
    if sum(ways) != 1:
        raise InputError(f"wanted one of text, ids, random and corpus; got {sum(ways) or 'none'}")
    texts = None
    if corpus is not None:
        files = isinstance(corpus, (str, PathLike))
        listed = [str(corpus)] if files else list(corpus)
        texts = (lambda: read_texts(listed)) if files else (lambda: numbered(listed))
    special = not named.pop("no_special", False)
    reading = Reading(given, random, texts, named.pop("stream", None), special)
    cache = named.pop("cache", None)
    folder = None if cache is None else Path(cache)
    return Watched(find_run(sources), reading, folder, bool(named.pop("skip_different", False)), **maps)
