"""Parts on the workers of a Dask cluster, which may come and go.

Each worker is asked first to open the job; a worker that cannot is named in a warning, and gets no part. The rest have
a few parts each at a time, so that the scheduler holds few, however long the corpus. Parts of a worker that has gone
are asked of another one.
"""

from __future__ import annotations

import pickle
import queue
import secrets
import time
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz import __version__
from attnviz.corpora import remote
from attnviz.corpora.store import UNFINISHED
from attnviz.corpora.suspects import Ask, Counts, Died, Done, asks
from attnviz.errors import AttnvizWarning, ModelError, OutputError, SelectionError, one_line

if TYPE_CHECKING:
    from attnviz.corpora.job import Job, Part
    from attnviz.corpora.store import Store

AHEAD = 2  # parts at each worker: the one that is measured, and the next
LOOK = 1.0  # seconds between looks at which workers there are
GRACE = 10.0  # seconds in which workers that start with the run may come
WARNINGS = 20  # workers that are named one by one
LATE = 60.0  # seconds until a file that a worker wrote must be seen from here

Steps = Generator[Ask, Counts, Done]


@dataclass(frozen=True)
class Cluster:
    """On the workers of a Dask scheduler.

    scheduler: its address, tcp://host:8786. scheduler_file: the file that it wrote its address into. client: one that
    is open, instead; it stays open. failures: how often a worker may die at a part or a text; None: once more than
    Dask's setting distributed.scheduler.allowed-failures. Raises SelectionError where Dask distributed is missing.
    """

    scheduler: str | None = None
    scheduler_file: str | Path | None = None
    client: Any = None
    failures: int | None = None

    def __post_init__(self) -> None:
        if sum(each is not None for each in (self.scheduler, self.scheduler_file, self.client)) != 1:
            raise SelectionError("a cluster is one of scheduler, scheduler_file and client")
        if getattr(self.client, "asynchronous", False):
            raise SelectionError("the client is asynchronous", "make one with Client(..., asynchronous=False)")
        _distributed()

    def run(self, job: Job, store: Store, parts: Iterable[Part]) -> Iterator[Done]:
        """Do parts, asking for the next one only when a worker has room for it. Raises SelectionError, ModelError."""
        from dask import config

        failures = self.failures or config.get("distributed.scheduler.allowed-failures", 3) + 1
        with self._connected() as client:
            yield from _Run(client, job, store, iter(parts), failures).done()

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        if self.client is not None:
            yield self.client
            return
        distributed = _distributed()
        place = {"scheduler_file": str(self.scheduler_file)} if self.scheduler is None else {"address": self.scheduler}
        if self.scheduler_file is not None and not Path(self.scheduler_file).is_file():
            raise SelectionError(
                f"there is no scheduler file {str(self.scheduler_file)!r}", "start the scheduler first"
            )
        _quiet()
        try:
            client = distributed.Client(**place, set_as_default=False)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SelectionError(
                f"no Dask scheduler answers at {self.scheduler or self.scheduler_file}: {error}",
                "start one with `dask scheduler`",
            ) from None
        try:
            yield client
        finally:
            with suppress(Exception):
                client.close(timeout=2)


@dataclass(eq=False)
class _Asked:
    """A request at a worker. key: its name at the scheduler."""

    steps: Steps
    ask: Ask
    key: str
    future: Any = None


@dataclass(eq=False)
class _Worker:
    """A worker, which is asked first whether it can open the job.

    state: opening, ready or refused. sees: whether it writes files into the run's folder itself. asked: what it has.
    """

    opening: Any
    state: str = "opening"
    sees: bool = False
    asked: list[_Asked] = field(default_factory=list)


class _Run:
    """The parts of a run, at the workers of a cluster."""

    def __init__(self, client: Any, job: Job, store: Store, parts: Iterator[Part], failures: int) -> None:
        self._client, self._job, self._store, self._parts, self._failures = client, job, store, parts, failures
        self._name = secrets.token_hex(4)  # of this run, in its keys: another run may measure the same parts
        self._token = store.folder.absolute() / UNFINISHED / f"seen-{self._name}"
        self._pickled = pickle.dumps(job, 5)
        self._workers: dict[str, _Worker] = {}
        self._again: deque[tuple[Steps, Ask]] = deque()  # requests that were not the first of their part
        self._heard: queue.SimpleQueue[tuple[str, Any, Any]] = queue.SimpleQueue()
        self._keys = self._count = self._refused = 0
        self._more = True  # whether there may be parts that nobody was asked for
        self._unseen: set[str] = set()
        self._last_worker = time.monotonic()
        self._waiting = False

    def done(self) -> Iterator[Done]:
        """The parts, as they are done."""
        self._store.put(f"{UNFINISHED}/{self._token.name}", self._name.encode())
        looked = -LOOK
        try:
            while True:
                if time.monotonic() - looked >= LOOK:
                    self._look()
                    looked = time.monotonic()
                self._fill()
                if not self._more and not self._again and not any(each.asked for each in self._workers.values()):
                    break
                with suppress(queue.Empty):  # in short waits: a long one would not hear Ctrl-C on every system
                    done = self._hear(*self._heard.get(timeout=0.2))
                    if done is not None:
                        yield done
            self._wait_for_files()
        finally:
            self._stop()

    def _look(self) -> None:
        """Ask new workers to open the job, and take back what workers had that have gone."""
        try:
            there = set(self._client.nthreads())
        except Exception:
            raise _lost() from None
        if self._client.status not in ("running", "connecting"):
            raise _lost()
        for address in self._workers.keys() - there:
            self._gone(address)
        for address in sorted(there - self._workers.keys()):
            self._open(address)
        self._complain()

    def _open(self, address: str) -> None:
        future = self._client.submit(
            remote.open_job,
            __version__,
            self._job.fingerprint,
            self._pickled,
            (str(self._token), self._name),
            key=self._key("open"),
            workers=[address],
            allow_other_workers=False,
            pure=False,
        )
        worker = self._workers[address] = _Worker(future)
        self._listen(future, address, worker)

    def _gone(self, address: str) -> None:
        """A worker has gone: by plan, so that its requests are made again, or dead, which may be their fault."""
        worker = self._workers.pop(address)
        if worker.opening is not None:
            worker.opening.cancel()
        expected = not worker.asked or self._was_expected(address)
        for asked in worker.asked:
            asked.future.cancel()
            if expected:
                self._again.appendleft((asked.steps, asked.ask))
            else:
                self._step(asked.steps, Died("its worker was lost"))

    def _was_expected(self, address: str) -> bool:
        """Whether the scheduler knows that a worker left because it was told to, or at the end of its lifetime."""
        with suppress(Exception):
            for _, event in reversed(self._client.get_events(address)):
                if isinstance(event, dict) and event.get("action") == "remove-worker":
                    return bool(event.get("expected"))
        return False

    def _complain(self) -> None:
        """Raise ModelError if all workers are refused; say so if there is none."""
        now, states = time.monotonic(), {each.state for each in self._workers.values()}
        if states & {"opening", "ready"}:
            self._last_worker, self._waiting = now, False
        elif now - self._last_worker > GRACE:
            if states and not self._count:
                raise ModelError(
                    f"none of the {len(self._workers)} workers of the cluster can be used",
                    "the warnings above say why; the same attnviz and the same model must be there",
                )
            if not self._waiting:
                self._warn("the cluster has no worker that can be used: waiting for one")
                self._waiting = True

    def _fill(self) -> None:
        """Give each worker what it has room for. A request that must be alone waits for an idle worker."""
        ready = [(address, worker) for address, worker in self._workers.items() if worker.state == "ready"]
        ready.sort(key=lambda each: len(each[1].asked))
        alone = [each for each in self._again if each[1].alone]
        for (address, worker), each in zip(ready, alone, strict=False):
            if not worker.asked:
                self._again.remove(each)
                self._ask(address, worker, *each)
        kept_free = len([each for each in self._again if each[1].alone])
        for room in range(AHEAD):
            for address, worker in [each for each in ready if not _is_alone(each[1])][kept_free:]:
                if len(worker.asked) <= room and not self._ask_next(address, worker):
                    return

    def _ask_next(self, address: str, worker: _Worker) -> bool:
        """Ask a worker for a part. False if there is none."""
        for each in self._again:
            if not each[1].alone:
                self._again.remove(each)
                self._ask(address, worker, *each)
                return True
        part = next(self._parts, None) if self._more else None
        if part is None:
            self._more = False
            return False
        steps = asks(part, self._failures)
        self._ask(address, worker, steps, next(steps))
        return True

    def _ask(self, address: str, worker: _Worker, steps: Steps, ask: Ask) -> None:
        self._count += 1
        asked = _Asked(steps, ask, self._key(ask.part.name))
        asked.future = self._client.submit(
            remote.measure,
            self._job.fingerprint,
            ask.what,
            pickle.dumps(ask.part, 5),
            self._job.each,
            str(self._store.folder.absolute()) if worker.sees else "",
            key=asked.key,
            workers=[address],
            allow_other_workers=False,
            pure=False,
        )
        worker.asked.append(asked)
        self._listen(asked.future, address, asked)

    def _key(self, name: str) -> str:
        self._keys += 1
        return f"{name}-{self._name}-{self._keys}"

    def _listen(self, future: Any, address: str, about: Any) -> None:
        """Have the answer put into the queue. It is fetched by Dask's thread, which a dead worker may hold up."""

        def hear(future: Any) -> None:
            try:
                answer = future.result()
            except BaseException as error:
                answer = ("lost", error)
            self._heard.put((address, about, answer))

        future.add_done_callback(hear)

    def _hear(self, address: str, about: Any, answer: tuple[str, Any]) -> Done | None:
        """An answer of a worker; None unless a part is done by it."""
        worker = self._workers.get(address)
        if worker is None:
            return None
        if about is worker:
            self._opened(address, worker, answer)
            return None
        if about not in worker.asked:
            return None
        kind, found = answer
        if kind == "unknown":  # the process that opened the job has died, and this one has its address
            self._gone(address)
            return None
        worker.asked.remove(about)
        if kind == "error":
            raise found
        if kind == "lost":
            return self._step(about.steps, Died(f"its worker was lost: {one_line(str(found))}"))
        name = about.ask.part.name
        if kind == "files":
            self._store.keep(name, found, self._job.each)
            found = (found.texts, found.tokens, found.skipped)
        elif about.ask.what == "work" and not self._store.has(name):
            self._unseen.add(name)
        return self._step(about.steps, found)

    def _opened(self, address: str, worker: _Worker, answer: tuple[str, Any]) -> None:
        kind, found = answer
        worker.opening = None
        if kind == "ready":
            worker.state, worker.sees = "ready", found
            return
        worker.state = "refused"
        self._refused += 1
        if kind == "lost":
            found = f"{type(found).__name__}: {found}"
        if self._refused <= WARNINGS:
            self._warn(f"worker {address} is not used: {found}")
        elif self._refused == WARNINGS + 1:
            self._warn("more workers are not used")

    def _step(self, steps: Steps, answer: Counts | Died) -> Done | None:
        """Send an answer on; the next request waits for a worker. Returns what is done now."""
        try:
            ask = steps.throw(answer) if isinstance(answer, Died) else steps.send(answer)
        except StopIteration as end:
            done: Done = end.value
            return done
        self._again.appendleft((steps, ask))
        return None

    def _wait_for_files(self) -> None:
        """Wait until files that workers wrote are seen here: a shared disk may show them late. Raises OutputError."""
        until = time.monotonic() + LATE
        while unseen := sorted(name for name in self._unseen if not self._store.has(name)):
            if time.monotonic() > until:
                raise OutputError(
                    f"workers have written {len(unseen)} parts that are not seen here, the first {unseen[0]}",
                    "give the same command again: it measures what is missing",
                )
            time.sleep(LOOK)

    def _warn(self, message: str) -> None:
        warnings.warn(one_line(message), AttnvizWarning, stacklevel=2)

    def _stop(self) -> None:
        """Take back what is still asked for."""
        futures = [asked.future for worker in self._workers.values() for asked in worker.asked]
        futures += [worker.opening for worker in self._workers.values() if worker.opening is not None]
        self._workers.clear()
        with suppress(Exception):
            self._client.cancel(futures)
        with suppress(OSError):
            self._token.unlink()


def _is_alone(worker: _Worker) -> bool:
    return any(asked.ask.alone for asked in worker.asked)


def _lost() -> ModelError:
    return ModelError(
        "the Dask scheduler no longer answers", "start one again, and give the same command: it continues"
    )


def _distributed() -> Any:
    """The module distributed. Raises SelectionError if it is not installed."""
    try:
        import distributed
    except ImportError as error:
        raise SelectionError("a cluster is spoken to by Dask distributed", 'pip install "attnviz[dask]"') from error
    return distributed


def _quiet() -> None:
    """Keep Dask's log of this process off standard error: the errors above report what matters in it."""
    import logging

    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
