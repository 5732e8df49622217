"""The Hub over the network: what is missing is fetched by the Hub's own client, and its failures are one line.

So HF_HOME, HF_TOKEN, HF_ENDPOINT and proxies mean what they always mean.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from attnviz.errors import ModelError
from attnviz.models.hub import files, guard
from attnviz.models.hub.cache import cache_folder, in_cache, says_cache
from attnviz.models.hub.names import near

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Listed(NamedTuple):
    """A revision as the Hub lists it: its commit, and the size of each file."""

    commit: str
    sizes: Mapping[str, int]


def fetch(
    name: str, revision: str, quiet: bool, check: Callable[[Path], object] | None = None, weights: bool = True
) -> Path:
    """Everything that is needed of a revision: first the list, then file by file, the weights last.

    All files are of one commit. The revision's own name is noted in the cache at the end, when nothing is missing.
    """
    with _connected(name, revision, quiet) as client:
        commit, sizes = _list(client, name, revision)

        def get(file: str, at: str = commit) -> Path:
            return _get(client, name, file, at)

        chosen = files.check_listed(name, sizes)
        folder = get("config.json").parent
        if check is not None:
            check(folder)
        needed = files.small_files(sizes)
        if weights and chosen.endswith(".index.json"):
            needed += files.check_shards(name, files.shards(get(chosen)), sizes)
        elif weights:
            needed.append(chosen)
        _check_room(name, sum(sizes[file] for file in needed if not (folder / file).is_file()))
        for file in needed:
            get(file)
        if not any(file in sizes for file in files.READERS):
            _note_absent(get, client)
        if revision != commit:
            get("config.json", revision)
        return folder


def fetch_config(name: str, revision: str, quiet: bool) -> Path:
    """config.json alone. The list of files is asked for only where there is none, to say what there is instead."""
    with _connected(name, revision, quiet) as client:
        try:
            return _get(client, name, "config.json", revision)
        except client.errors.EntryNotFoundError:
            files.check_config(name, _list(client, name, revision).sizes)
            raise


def fetch_tokenizer(name: str, revision: str, quiet: bool) -> Path:
    """The tokenizer files of a revision and its config.json, if it has one; the revision's name is noted at the end."""
    with _connected(name, revision, quiet) as client:
        commit, sizes = _list(client, name, revision)
        needed = files.tokenizer_files(sizes)
        if not any(file in files.VOCABULARIES for file in needed):
            raise ModelError(f"{name} on the Hub has no tokenizer", "give token ids to its model instead of a text")
        if "config.json" in sizes:
            needed.insert(0, "config.json")
        for file in needed:
            folder = _get(client, name, file, commit).parent
        if revision != commit:
            _get(client, name, needed[0], revision)
        return folder


def _list(client: Any, name: str, revision: str) -> _Listed:
    api = client.HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
    info = api.model_info(name, revision=revision, timeout=guard.patience(), files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    return _Listed(guard.check_commit(info.sha), sizes)


def _get(client: Any, name: str, file: str, revision: str) -> Path:
    """Where a file lies in the cache, fetched if it was not there."""
    endpoint = os.environ.get("HF_ENDPOINT") or None
    return Path(client.hf_hub_download(name, file, revision=revision, cache_dir=cache_folder(), endpoint=endpoint))


def _note_absent(get: Callable[[str], Path], client: Any) -> None:
    """Ask for a tokenizer that is not there: the client remembers the answer, so that it is not asked for again."""
    with suppress(client.errors.EntryNotFoundError):
        get(files.TOKENIZER_JSON)


def _check_room(name: str, needed: int) -> None:
    """Raise ModelError before the download if the files would not fit on the disk."""
    import shutil

    folder = next(place for place in (cache_folder(), *cache_folder().parents) if place.is_dir())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ModelError(
            f"{name} takes {_bytes(needed)}; the disk of the Hub's cache has {_bytes(free)} left",
            "make room, or set HF_HOME to a folder on another disk",
        )


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"


@contextmanager
def _connected(name: str, revision: str, quiet: bool) -> Iterator[Any]:
    """The Hub's client: guarded, quiet, its failures as one line for people."""
    with _explained(name, revision), _manners(quiet) as client:
        from huggingface_hub import errors, file_download

        def told(error: Exception) -> Exception:
            if isinstance(error, errors.EntryNotFoundError):
                return error  # the client notes it in the cache
            return _told(error, name, revision) or error

        with guard.guarded(file_download, told):
            yield client


@contextmanager
def _manners(quiet: bool) -> Iterator[Any]:
    """The Hub's client, without its warnings, and without its bars where they are unwanted; as before afterwards.

    The bars are not drawn where standard error is no terminal.
    """
    import logging

    try:
        import huggingface_hub as client
        import huggingface_hub.errors
        import huggingface_hub.file_download  # sets up the client's logger, which is quietened below
        from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    except ImportError as error:
        raise ModelError(
            f"models on the Hub need the package huggingface_hub ({error})", "pip install huggingface_hub"
        ) from None
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    hide = quiet and not are_progress_bars_disabled()
    if hide:
        disable_progress_bars()
    try:
        yield client
    finally:
        logger.setLevel(level)
        if hide:
            enable_progress_bars()


@contextmanager
def _explained(name: str, revision: str) -> Iterator[None]:
    """The failures of the Hub's client as one line for people."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        told = _told(error, name, revision)
        if told is None:
            raise
        raise told from None


def _told(error: BaseException, name: str, revision: str) -> ModelError | None:
    """The meaning of an exception of the client, or None if it is not known."""
    from huggingface_hub import errors, get_token

    if isinstance(error, ModelError):
        return error
    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__  # it says only that the cache has no copy either
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return ModelError(
            f"{name} is gated: the Hub gives it only to those whom its owners admitted",
            f"ask on https://huggingface.co/{name}, then set HF_TOKEN to a token of yours",
        )
    # Without a token the Hub does not say which of the two it is.
    if isinstance(error, errors.RepositoryNotFoundError) or (status == 401 and not get_token()):
        nearest = near(name, in_cache())
        check = f"nearest: {', '.join(nearest)}" if nearest else "check the name (there is no such folder here either)"
        return ModelError(
            f"the Hub has no model {name}, or it is private", f"{check}; for a private model set HF_TOKEN"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelError(f"{name} has no revision {revision!r}", "a revision is a branch, a tag or a commit")
    if isinstance(error, errors.HFValidationError):
        return ModelError(f"{name!r} is no name that the Hub allows")
    if status is not None:
        return _refused(name, status)
    if isinstance(error, OSError) and (told := _disk(error, name)) is not None:
        return told
    if _is_network(error):
        return ModelError(f"cannot reach the Hub for {name} ({_reason(error)})", says_cache())
    if isinstance(error, (OSError, RuntimeError, ValueError)):
        return ModelError(f"fetching {name} from the Hub failed ({_reason(error)})", "try again")
    return None


def _refused(name: str, status: int) -> ModelError:
    """An answer that is no file, by its status."""
    if status in (401, 403):
        return ModelError(f"the Hub refuses {name} ({status}): the token is not valid for it", "check HF_TOKEN")
    return ModelError(f"the Hub answers {status} for {name}", "try again later")


def _disk(error: OSError, name: str) -> ModelError | None:
    """A cache that takes no file, or None for another failure."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ModelError(
            f"{name} does not fit on the disk of the Hub's cache", "make room, or set HF_HOME to a folder elsewhere"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
        return ModelError(
            f"cannot write into the Hub's cache ({error.strerror})", "set HF_HOME to a folder that is yours"
        )
    return None


def _is_network(error: BaseException) -> bool:
    """Whether an exception comes from the connection, in whichever package the client uses for it."""
    package = type(error).__module__.partition(".")[0]
    return isinstance(error, (ConnectionError, TimeoutError)) or package.startswith(("httpx", "httpcore", "requests"))


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
