"""Models on the Hub, `org/name` or `org/name@revision`: the user's cache first, the network after it.

The cache is the one that the Hub's own client keeps (models--org--name/{refs,snapshots,blobs}); what lies there in
full is used without a single request, and without importing the client. What is missing is fetched by the client, so
that HF_HOME, HF_TOKEN, HF_ENDPOINT and proxies mean what they always mean, and only files that are read here:
configuration, tokenizer, preprocessor and one form of the weights, safetensors before PyTorch's.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.checkpoints import FOLDER_FILES
from attnviz.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = re.compile(r"[\w.-]+/[\w.-]+")
REVISION = re.compile(r"(?!.*\.\.)[\w.-]+(/[\w.-]+)*")
MAIN = "main"
TIMEOUT = 10.0  # seconds for the list of files; the client has its own for the files themselves
MAX_INDEX = 100_000_000  # bytes of an index of shards

_TOKENIZER_JSON = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
# Without a tokenizer.json one is built from these.
_TOKENIZER_PARTS = (
    *_TOKENIZER_JSON[1:],
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "source.spm",
    "target.spm",
    "target_vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "spm.model",
    "sentencepiece.model",
)
_PREPROCESSOR = ("preprocessor_config.json", "processor_config.json")
# One of these must be there for a model to read anything but ids.
_READERS = (*_TOKENIZER_PARTS, "tokenizer.json", *_PREPROCESSOR)


def parse(text: str) -> tuple[str, str] | None:
    """`"org/name@v2"` -> ("org/name", "v2"); the revision is main if none is named. None: no name on the Hub."""
    name, at, revision = text.partition("@")
    if not NAME.fullmatch(name) or (at and not REVISION.fullmatch(revision)):
        return None
    return name, revision or MAIN


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
    snapshot = cached(name, revision)
    if snapshot is None:
        if is_offline(offline):
            raise _not_cached(name, revision)
        return _fetch(name, revision, quiet, check)
    if not _reads_something(snapshot) and not is_offline(offline):
        # Another program fetched the weights alone. Without a tokenizer the model still takes ids.
        with suppress(ModelError):
            _fetch(name, snapshot.name, quiet, weights=False)
    return snapshot


def is_offline(asked: bool = False) -> bool:
    """Whether the network is out of bounds, by request or by the client's variables."""
    said = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return asked or said.upper() in ("1", "ON", "YES", "TRUE")


# The cache


def cache_folder() -> Path:
    """Where the Hub's client keeps what it fetches."""
    home = os.environ.get("HF_HOME") or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"
    return Path(os.path.expandvars(cache)).expanduser()


def cached(name: str, revision: str = MAIN) -> Path | None:
    """The snapshot of a model in the cache, if its configuration and weights are complete."""
    snapshot = _snapshot(name, revision)
    return snapshot if snapshot is not None and not _lacks(snapshot) else None


def _model_folder(name: str) -> Path:
    return cache_folder() / f"models--{name.replace('/', '--')}"


def _snapshot(name: str, revision: str) -> Path | None:
    """The folder of a revision, complete or not; None if there is none."""
    folder = _model_folder(name)
    pointer = folder.joinpath("refs", *revision.split("/"))
    try:
        commit = pointer.read_text().strip() if pointer.is_file() else revision
    except (OSError, ValueError):
        return None
    snapshot = folder / "snapshots" / commit
    return snapshot if re.fullmatch(r"[\w-]+", commit) and snapshot.is_dir() else None


def _lacks(snapshot: Path) -> str:
    """What a snapshot needs and has not, or ''. A link to a blob that is gone counts as missing."""
    if not (snapshot / "config.json").is_file():
        return "config.json"
    listed = [path.relative_to(snapshot).as_posix() for path in snapshot.glob("*") if path.is_file()]
    chosen = _weights(listed)
    if chosen is None:
        return "its weights"
    shards = _shards(snapshot / chosen) if chosen.endswith(".index.json") else []
    return next((shard for shard in shards if not (snapshot / shard).is_file()), "")


def _reads_something(snapshot: Path) -> bool:
    """Whether a snapshot has a tokenizer or a preprocessor, or the Hub is known to have none for it."""
    known_absent = snapshot.parent.parent / ".no_exist" / snapshot.name / _TOKENIZER_JSON[0]
    return known_absent.is_file() or any((snapshot / file).is_file() for file in _READERS)


def _in_cache() -> list[str]:
    """Names of the models in the cache, those that are complete."""
    folders = sorted(cache_folder().glob("models--*--*"))
    names = (folder.name.removeprefix("models--").replace("--", "/", 1) for folder in folders)
    return [name for name in names if cached(name) is not None]


def _says_cache() -> str:
    """A few words on what can be had without the network."""
    names = _in_cache()
    if not names:
        return "the cache holds no model that can be used"
    return f"the cache holds {', '.join(names[:6])}" + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _not_cached(name: str, revision: str) -> ModelError:
    """Why an offline search ends in nothing."""
    at = "" if revision == MAIN else f"@{revision}"
    snapshot = _snapshot(name, revision)
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
        f"{_says_cache()}; without --offline it would be fetched",
    )


# Which files


def _weights(listed: Iterable[str]) -> str | None:
    """The one file of weights, or index of several, that is read among the files of a model."""
    files = set(listed)
    for file in FOLDER_FILES:
        if file in files:
            return file
    others = [f for f in files if f.endswith(".safetensors") and "/" not in f and not f.startswith("adapter_")]
    return others[0] if len(others) == 1 else None


def _small_files(listed: Iterable[str]) -> list[str]:
    """Tokenizer and preprocessor files among those of a model."""
    files = set(listed)
    tokenizer = _TOKENIZER_JSON if _TOKENIZER_JSON[0] in files else _TOKENIZER_PARTS
    return [file for file in (*tokenizer, *_PREPROCESSOR) if file in files]


def _shards(index: Path) -> list[str]:
    """The files that an index names; none if it is damaged, which opening it will say better."""
    try:
        if index.stat().st_size > MAX_INDEX:
            return []
        places = json.loads(index.read_bytes())["weight_map"]
        return sorted({file for file in places.values() if isinstance(file, str)})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


# The network


def _fetch(
    name: str, revision: str, quiet: bool, check: Callable[[Path], object] | None = None, weights: bool = True
) -> Path:
    """Everything that is needed of a revision, through the Hub's client: first the list, then file by file.

    All files are of one commit. The revision's own name is noted in the cache last, when nothing is missing.
    """
    with _explained(name, revision), _manners(quiet) as client:
        endpoint = os.environ.get("HF_ENDPOINT") or None
        info = client.HfApi(endpoint=endpoint).model_info(name, revision=revision, timeout=TIMEOUT, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        commit = str(info.sha)

        def get(file: str, at: str = commit) -> Path:
            where = client.hf_hub_download(name, file, revision=at, cache_dir=cache_folder(), endpoint=endpoint)
            return Path(where)

        chosen = _check_listed(name, sizes)
        folder = get("config.json").parent
        if check is not None:
            check(folder)
        needed = [chosen] if weights else []
        if weights and chosen.endswith(".index.json"):
            needed += _check_shards(name, _shards(get(chosen)), sizes)
        needed += _small_files(sizes)
        _check_room(name, sum(sizes[file] for file in needed if not (folder / file).is_file()))
        for file in needed:
            get(file)
        if not any(file in sizes for file in _READERS):
            _note_absent(get, client)
        if revision != commit:
            get("config.json", revision)
        return folder


def _note_absent(get: Callable[[str], Path], client: Any) -> None:
    """Ask for a tokenizer that is not there: the client remembers the answer, so that nobody asks again."""
    with suppress(client.errors.EntryNotFoundError):
        get(_TOKENIZER_JSON[0])


def _check_listed(name: str, sizes: Mapping[str, int]) -> str:
    """The file of weights to fetch. Raises ModelError for a repository that holds no model for us."""
    weights = _weights(sizes)
    if "config.json" in sizes and weights is not None:
        return weights
    if "adapter_config.json" in sizes:
        raise ModelError(
            f"{name} on the Hub is an adapter, not a model",
            "download it, then: --model BASE --adapter DIR",
        )
    gguf = sorted(file for file in sizes if file.endswith(".gguf"))
    hint = f"it has {gguf[0]}: download that file and give its path" if gguf else ""
    wanted = "config.json" if "config.json" not in sizes else "model.safetensors or pytorch_model.bin"
    raise ModelError(f"{name} on the Hub has no {wanted}", hint)


def _check_shards(name: str, shards: list[str], sizes: Mapping[str, int]) -> list[str]:
    """The shards that an index names, all of which the Hub must have."""
    if not shards:
        raise ModelError(f"{name} on the Hub: its index of weights names no files")
    for shard in shards:
        if shard not in sizes:
            raise ModelError(f"{name} on the Hub: its index names {shard!r}, which is not there")
    return shards


def _check_room(name: str, needed: int) -> None:
    """Rather now than when the disk is full."""
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
def _manners(quiet: bool) -> Iterator[Any]:
    """The Hub's client, without its warnings, and without its bars where they are unwanted; as before afterwards.

    The bars are not drawn where standard error is no terminal.
    """
    import logging

    try:
        import huggingface_hub as client
        import huggingface_hub.errors
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
    """What an exception of the client means, or None where nobody can say."""
    from huggingface_hub import errors, get_token

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
        return ModelError(
            f"the Hub has no model {name}, or it is private",
            "check the name (there is no such folder here either); for a private model set HF_TOKEN",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelError(f"{name} has no revision {revision!r}", "a revision is a branch, a tag or a commit")
    if isinstance(error, errors.HFValidationError):
        return ModelError(f"{name!r} is no name that the Hub allows")
    if status in (401, 403):
        return ModelError(f"the Hub refuses {name} ({status}): the token is not valid for it", "check HF_TOKEN")
    if status is not None:
        return ModelError(f"the Hub answers {status} for {name}", "try again later")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ModelError(
            f"{name} does not fit on the disk of the Hub's cache", "make room, or set HF_HOME to a folder elsewhere"
        )
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
        return ModelError(
            f"cannot write into the Hub's cache ({error.strerror})", "set HF_HOME to a folder that is yours"
        )
    if _is_network(error):
        return ModelError(f"cannot reach the Hub for {name} ({_reason(error)})", _says_cache())
    if isinstance(error, (OSError, RuntimeError, ValueError)):
        return ModelError(f"fetching {name} from the Hub failed ({_reason(error)})", "try again")
    return None


def _is_network(error: BaseException) -> bool:
    """Whether an exception comes from the connection, in whichever package the client uses for it."""
    package = type(error).__module__.partition(".")[0]
    return isinstance(error, (ConnectionError, TimeoutError)) or package.startswith(("httpx", "httpcore", "requests"))


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
