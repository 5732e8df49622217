"""`attnviz.corpus`: what `attnviz corpus` does, from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import AttnvizError, InputError, SelectionError, one_of, shown
from attnviz.models.load import load
from attnviz.models.model import Model

if TYPE_CHECKING:
    from attnviz.analyses.corpus_report import CorpusReport
    from attnviz.corpora.pool import Executor
    from attnviz.corpora.run import Texts
    from attnviz.corpora.suspects import Done

Place = str | PathLike[str]
ANALYSES = ("stats", "roles", "variability", "links")
LOOKED_AT = 16  # texts of a list, which are files' names by mistake if all of them are
_NAMES = {"measure": "analyses", "each": "save_each"}  # what errors of a job name -> the argument


def corpus(
    texts: Iterable[str] | Place | Sequence[Path],
    model: Model | Place,
    out: Place,
    *,
    analyses: Iterable[str] | str = ANALYSES,
    links: int = 10,
    no_special: bool = False,
    stream: str | None = None,
    save_each: str | None = None,
    workers: int | None = None,
    part_texts: int = 1000,
    field: str | None = None,
    read: str | None = None,
    client: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> CorpusReport:
    """Measure every head in many texts, or continue an earlier run into the same folder.

    Args:
        texts: strings, which are read once and lie on disk meanwhile unless they are a list or a tuple; or the path of
            a file or a folder of texts, or a list of `pathlib.Path`.
        model: a Model, or what `attnviz.load` opens.
        out: the folder for the files: new, empty, or of an earlier run of the same texts, model and options.
        analyses: of stats, roles, variability, links and similar. links: how many links of each head are kept, 1 to
            1000.
        no_special: leave special tokens out. stream: self or encoder, of a model with several.
        save_each: png, svg, pdf or npz: a file of every text too.
        workers: processes, of one thread each; None: one for each core; 0: none, in this process.
        part_texts: texts to a part, which is what a failure costs.
        field: the field or column of the texts. read: txt, jsonl, csv, tsv or parquet, whatever the files' names are.
        client: of Dask distributed; its workers measure the parts.
        progress: called with how many texts are done, and how many there are.

    Returns:
        The report of the corpus, as `attnviz.corpus_report(out)` gives it.

    Raises:
        InputError: no texts, a file that cannot be read, or something that is no text. SelectionError: an option that
        cannot be. OutputError: the folder holds something else or cannot be written, or pyarrow is missing.
    """
    from attnviz.analyses import find
    from attnviz.corpora.job import Job
    from attnviz.corpora.run import run

    executor = _executor(workers, client)
    for name, value, low, high in (("links", links, 1, 1000), ("part_texts", part_texts, 1, 1_000_000)):
        _check_count(name, value, low, high)
    opened = model if isinstance(model, Model) else load(fspath(model))
    options: dict[str, Any] = {"stream": stream, "links": links, "no_special": no_special, "each": save_each or ""}
    try:
        job = Job.of(opened, (analyses,) if isinstance(analyses, str) else analyses, **options, texts=part_texts)
    except AttnvizError as error:
        error.args = (_by_argument(str(error)),)
        raise

    told = {"done": 0}

    def advance(plan: Any, done: Done | None) -> None:
        told["done"] = plan.done if done is None else told["done"] + done.texts + done.skipped
        if progress is not None:
            progress(told["done"], plan.mine)

    with _again(texts, field, read) as again:
        run(job, again, fspath(out), executor, progress=advance)
    report: CorpusReport = find("corpus_report")(fspath(out))
    return report


def _executor(workers: int | None, client: Any) -> Executor:
    if client is not None:
        if workers is not None:
            raise SelectionError("workers is for this machine: a client's cluster has the workers started for it")
        from attnviz.corpora.cluster import Cluster

        return Cluster(client=client)
    from attnviz.corpora.pool import Here, Processes

    if workers is not None:
        _check_count("workers", workers, 0, 1024)
    return Here() if workers == 0 else Processes(workers)


def _check_count(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SelectionError(f"{name} wants a whole number from {low} to {high:,}; got {shown(value)}")


def _by_argument(message: str) -> str:
    """A job's message with the name of the argument."""
    first, _, rest = message.partition(" ")
    return f"{_NAMES.get(first, first)} {rest}"


@contextmanager
def _again(texts: Any, field: str | None, read: str | None) -> Iterator[Texts]:
    """The texts, as often as asked: out of files, out of a list, or out of a file that keeps them meanwhile."""
    from attnviz.corpora.run import kept
    from attnviz.corpora.texts import READINGS, numbered, read_texts

    if read is not None and read not in READINGS:
        raise SelectionError(one_of("read", read, READINGS))
    files = _files(texts)
    if files:
        yield lambda: read_texts(files, field, read)
        return
    if field is not None or read is not None:
        name = "field" if field is not None else "read"
        raise SelectionError(f"{name} is for files; the texts are strings already", "leave it out")
    if isinstance(texts, (list, tuple)):
        yield lambda: numbered(texts)
        return
    with kept(numbered(texts)) as again:
        yield again


def _files(texts: Any) -> list[str]:
    """The paths of files of texts; [] if these are the texts. Raises InputError."""
    if isinstance(texts, (str, PathLike)):
        if isinstance(texts, str) and not _there(texts):
            wanted = "no such file or folder of texts"
            raise InputError(f"{wanted}: {shown(texts)}", "texts themselves go into a list: texts=[...]")
        return [fspath(texts)]
    if isinstance(texts, (bytes, Mapping)) or not isinstance(texts, Iterable):
        raise InputError(f"texts wants strings, or a path; got {type(texts).__name__}")
    if not isinstance(texts, (list, tuple)) or not texts:
        return []
    if any(isinstance(each, PathLike) for each in texts):
        strings = [each for each in texts if not isinstance(each, PathLike)]
        if strings:
            raise InputError(f"texts has paths and texts in one list; the first text is {shown(strings[0])}")
        return [fspath(each) for each in texts]
    first = texts[:LOOKED_AT]
    if all(isinstance(each, str) and Path(each).suffix and _there(each) for each in first):
        raise InputError(f"texts are the names of files, such as {shown(first[0])}", "for files: pathlib.Path(...)")
    return []


def _there(name: str) -> bool:
    """Whether a text is the name of a file or folder; one of many letters is none."""
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False
