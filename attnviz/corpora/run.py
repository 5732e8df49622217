"""A whole run over a corpus: its plan, its parts, and their totals.

Every run continues what is there: parts that are files already are not measured again. A run that was killed, or that
filled the disk, continues with the same command, and ends with the same bytes as one that never stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from attnviz.corpora.job import Job, Part, parts
from attnviz.corpora.merge import write_totals
from attnviz.corpora.store import Store
from attnviz.corpora.tables import arrow
from attnviz.corpora.texts import Text
from attnviz.errors import InputError, SelectionError

if TYPE_CHECKING:
    from attnviz.corpora.merge import Totals
    from attnviz.corpora.pool import Executor
    from attnviz.corpora.suspects import Done

Texts = Callable[[], Iterator[Text]]  # the texts from the first on, as often as asked
Progress = Callable[["Plan", "Done | None"], None]


@dataclass(frozen=True)
class Plan:
    """Texts to measure. texts: of the corpus; mine: of the parts of this run; done: texts of `mine` finished before."""

    names: tuple[str, ...]
    texts: int
    mine: int
    done: int


def run(
    job: Job,
    texts: Texts,
    folder: str | Path,
    executor: Executor,
    *,
    part: tuple[int, int] = (1, 1),
    progress: Progress = lambda plan, done: None,
) -> Totals | None:
    """Measure a corpus, or continue an earlier run.

    Args:
        texts: gives the texts from the first on; it is called twice, and must give the same ones.
        folder: where the files go; empty, not there yet, or that of an earlier run.
        part: (7, 100) measures every hundredth part, from the seventh on, and leaves the totals to `write_totals`.
        progress: called with the plan at the beginning, and with each part that is done.

    Returns:
        The totals of all texts; None after one part of several.

    Raises:
        InputError: there are no texts, or none can be used.
        OutputError: the folder holds other files, or cannot be written.
    """
    number, count = part
    if not 1 <= number <= count:
        raise SelectionError(f"part wants k/n with k from 1 to n, as in 7/100; got {number}/{count}")
    arrow()  # says so before any work if pyarrow is missing
    store = Store(Path(folder))
    store.check(job)
    plan = _plan(job, texts, store, part)
    progress(plan, None)

    def left() -> Iterator[Part]:
        for each in parts(texts(), job):
            if each.index % count != number - 1:
                continue
            if each.index >= len(plan.names) or each.name != plan.names[each.index]:
                raise InputError("the texts have changed while they were read", "run the command again")
            if not store.has(each.name):
                yield each

    if plan.done < plan.mine:
        for done in executor.run(job, store, left()):
            progress(plan, done)
    if count > 1:
        return None
    totals = write_totals(store)
    if not totals.texts:
        _, where, reason = totals.faults[0]
        raise InputError(f"none of the {len(totals.faults):,} texts could be used; the first, {where}: {reason}")
    return totals


def _plan(job: Job, texts: Texts, store: Store, part: tuple[int, int]) -> Plan:
    """Read all texts once, and note the names of their parts."""
    names, total, mine, done = list[str](), 0, 0, 0
    for each in parts(texts(), job):
        names.append(each.name)
        total += len(each.texts)
        if each.index % part[1] == part[0] - 1:
            mine += len(each.texts)
            done += len(each.texts) if store.has(each.name) else 0
    if not names:
        raise InputError("there are no texts")
    store.open(job)  # not before: texts that cannot be read must not leave a folder behind
    store.plan(names, total)
    return Plan(tuple(names), total, mine, done)


@contextmanager
def kept(texts: Iterable[Text]) -> Iterator[Texts]:
    """Texts that come only once, such as a pipe's, as ones that can be read again: on disk meanwhile."""
    with TemporaryFile("w+", encoding="utf-8", errors="surrogatepass") as file:
        for text in texts:
            file.write(json.dumps([text.number, text.where, text.text, text.fault]) + "\n")

        def again() -> Iterator[Text]:
            file.seek(0)
            for line in file:
                yield Text(*json.loads(line))

        yield again
