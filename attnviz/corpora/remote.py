"""The tasks that the workers of a cluster do: open a job, measure a part.

A worker opens the model itself, once a process, by memory map; weights are never sent. It measures one part at a time,
however many threads it has, because Python would let them wait for each other and one text's numbers would need the
memory of several.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from attnviz import __version__
from attnviz.errors import AttnvizError, one_line

if TYPE_CHECKING:
    from attnviz.corpora.job import Job

KEPT = 8  # jobs that a worker keeps open

_opened: dict[str, Job] = {}
_opening, _measuring = Lock(), Lock()


def open_job(version: str, fingerprint: str, job: bytes, token: tuple[str, str]) -> tuple[str, Any]:
    """Open a job in this process, unless it has another version of attnviz or of the model.

    Args:
        version: attnviz's, of the client. job: pickled. token: a file in the run's folder, and what it holds.

    Returns:
        ("ready", whether this process sees the run's folder), or ("refused", the reason).
    """
    if version != __version__:
        return "refused", f"attnviz {__version__} is there, the run has {version}"
    try:
        from attnviz.corpora.tables import arrow
        from attnviz.corpora.work import work  # noqa: F401  loaded before the first part

        arrow()
        with _opening:
            one: Job = pickle.loads(job)
            one.check()
            _opened.pop(fingerprint, None)
            _opened[fingerprint] = one
            while len(_opened) > KEPT:
                del _opened[next(iter(_opened))]
    except AttnvizError as error:
        return "refused", str(error)
    except Exception as error:
        return "refused", one_line(f"{type(error).__name__}: {error}")
    return "ready", _sees(*token)


def measure(fingerprint: str, what: str, part: bytes, each: str, folder: str) -> tuple[str, Any]:
    """Measure a part.

    Args:
        what: work, to keep its files, or try. part: pickled. each: the format of a file of each text. folder: of the
            run, '' where this process does not see it.

    Returns:
        ("done", the counts), ("files", the contents of the part's files, for the client to write), ("error", what was
        raised), or ("unknown", None) in a process that has not opened the job.
    """
    from attnviz.corpora.store import Store
    from attnviz.corpora.work import work
    from attnviz.corpora.worker import plain

    job = _opened.get(fingerprint)
    if job is None:
        return "unknown", None
    try:
        one = pickle.loads(part)
        with _measuring:
            files = work(job, one)
        if what == "work":
            if not folder:
                return "files", files
            Store(Path(folder)).keep(one.name, files, each)
    except Exception as error:
        return "error", plain(error)
    return "done", (files.texts, files.tokens, files.skipped)


def _sees(place: str, content: str) -> bool:
    """Whether this process sees a file of the client, and may write beside it."""
    try:
        return Path(place).read_text() == content and os.access(Path(place).parent, os.W_OK)
    except (OSError, ValueError):
        return False
