"""Limits on the Hub's client while it fetches for us: bounded waits, and headers that are no paths.

The client takes the name of a cached file from the ETag that a server sends, and the name of a folder from its
X-Repo-Commit: a server reached through HF_ENDPOINT could write anywhere. It also repeats a failed request for up to
half a minute, and sleeps for as long as Retry-After says. Both are checked where the client gets its answers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any

from attnviz.errors import ModelError

TIMEOUT = 5.0  # seconds for the list of files, and for what is asked about each file
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_ETAG = re.compile(r"(?![.])[\w.+=-]{1,128}", re.ASCII)


def patience() -> float:
    """Seconds to wait for an answer that is no file; HF_HUB_ETAG_TIMEOUT, the client's variable, sets the number."""
    seconds = os.environ.get("HF_HUB_ETAG_TIMEOUT", "")
    return float(seconds) if seconds.isdigit() and int(seconds) else TIMEOUT


def check_commit(commit: object) -> str:
    """A commit that a server names. Raises ModelError if it is none."""
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise ModelError(f"the Hub names the commit {str(commit)[:60]!r}, which is none", "check HF_ENDPOINT")
    return commit


@contextmanager
def guarded(download: ModuleType, told: Callable[[Exception], Exception]) -> Iterator[None]:
    """Within the block the client asks once, waits a few seconds, and takes no path from a server.

    Args:
        download: the client's module that fetches files (`huggingface_hub.file_download`).
        told: what to raise for a failure of the client; the failure itself to leave the case to the client.
    """
    wrappers = {
        "get_hf_file_metadata": _metadata(told),
        "http_stream_backoff": _one_try,
        "http_backoff": _one_try,
        "http_get": _one_retry,
    }
    before = {name: getattr(download, name) for name in wrappers if hasattr(download, name)}
    try:
        for name, function in before.items():
            setattr(download, name, wrappers[name](function))
        yield
    finally:
        for name, function in before.items():
            setattr(download, name, function)


_Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]


def _metadata(told: Callable[[Exception], Exception]) -> _Wrapper:
    """Where a file lies and what it is called in the cache, asked once."""

    def wrapper(ask: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(ask)
        def asked(*args: Any, **options: Any) -> Any:
            options["timeout"] = patience()
            if "retry_on_errors" in options:
                options["retry_on_errors"] = False
            try:
                metadata = ask(*args, **options)
            except Exception as error:
                raise told(error) from None
            _check_metadata(metadata)
            return metadata

        return asked

    return wrapper


def _check_metadata(metadata: Any) -> None:
    """Raises ModelError for an ETag, a commit or a hash that would be a path."""
    if metadata.commit_hash is not None:
        check_commit(metadata.commit_hash)
    xet = getattr(metadata, "xet_file_data", None)
    for what, value in (("ETag", metadata.etag), ("hash", getattr(xet, "file_hash", None))):
        if value is not None and not _ETAG.fullmatch(value):
            raise ModelError(
                f"the Hub sends the {what} {value[:60]!r}, which cannot name a file in the cache", "check HF_ENDPOINT"
            )


def _one_try(stream: Callable[..., Any]) -> Callable[..., Any]:
    """A file that is refused (408, 429) is not asked for again."""

    @wraps(stream)
    def once(*args: Any, **options: Any) -> Any:
        return stream(*args, **{**options, "max_retries": 0})

    return once


def _one_retry(get: Callable[..., Any]) -> Callable[..., Any]:
    """A download that breaks off continues as often as the client likes, once its first piece is on the disk.

    Before that it begins again once, unless it was silence that ended it.
    """

    @wraps(get)
    def fetched(*args: Any, **options: Any) -> Any:
        if options.get("resume_size"):
            return get(*args, **options)
        options["_nb_retries"] = 0
        file = options.get("temp_file") or args[1]
        start = file.tell()
        try:
            return get(*args, **options)
        except Exception as error:
            refused = getattr(error, "response", None) is not None
            if refused or "Timeout" in type(error).__name__ or file.tell() != start:
                raise
        return get(*args, **options)

    return fetched
