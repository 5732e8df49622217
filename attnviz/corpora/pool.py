"""Parts on the cores of this machine: processes that share the weights, each with one thread.

A process that dies costs the part that it was at, which is done again. A text that ends its process again and again is
found by trying the part's texts one by one, and noted as one that cannot be used (suspects.py).
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from attnviz.corpora.suspects import Ask, Died, Done, answered, asks
from attnviz.corpora.worker import receive, send
from attnviz.engine.threads import cores

if TYPE_CHECKING:
    from attnviz.corpora.job import Job, Part
    from attnviz.corpora.store import Store

FAILURES = 3  # deaths of a process at one part, or at one text


class Executor(Protocol):
    """Something that measures parts: this machine's cores, or a cluster."""

    def run(self, job: Job, store: Store, parts: Iterable[Part]) -> Iterator[Done]:
        """Do parts, asking for the next one only when there is room for it; they come as they are done."""


@dataclass(frozen=True)
class Here:
    """In this process, one part after the other."""

    def run(self, job: Job, store: Store, parts: Iterable[Part]) -> Iterator[Done]:
        from attnviz.corpora.work import work

        for part in parts:
            files = work(job, part)
            store.keep(part.name, files, job.each)
            yield Done(part.name, files.texts, files.tokens, files.skipped)


@dataclass(frozen=True)
class Processes:
    """In processes of this machine.

    count: how many; None: one for each core. failures: how often one may die at a part or a text.
    """

    count: int | None = None
    failures: int = FAILURES

    def run(self, job: Job, store: Store, parts: Iterable[Part]) -> Iterator[Done]:
        shared = _Shared(job, store, iter(parts))
        workers = [_Worker(shared, self.failures) for _ in range(self.count or cores())]
        try:
            for worker in workers:
                worker.start()
            left = len(workers)
            while left:
                outcome = shared.next_outcome()
                if outcome is None:
                    left -= 1
                elif isinstance(outcome, BaseException):
                    raise outcome
                else:
                    yield outcome
        finally:
            shared.stopped.set()
            for worker in workers:
                worker.kill()


class _Shared:
    """The parts that are left, and the outcomes, shared by all workers."""

    def __init__(self, job: Job, store: Store, parts: Iterator[Part]) -> None:
        self.opening = (job, store)
        self.stopped = threading.Event()
        self._parts, self._lock = parts, threading.Lock()
        self._outcomes: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def take(self) -> Part | None:
        with self._lock:
            return None if self.stopped.is_set() else next(self._parts, None)

    def put(self, outcome: Any) -> None:
        self._outcomes.put(outcome)

    def next_outcome(self) -> Any:
        while True:  # in short waits: a long one would not hear Ctrl-C on every system
            with suppress(queue.Empty):
                return self._outcomes.get(timeout=0.5)


class _Worker(threading.Thread):
    """A thread that speaks to one process, and starts another one where it has died."""

    def __init__(self, shared: _Shared, failures: int) -> None:
        super().__init__(daemon=True)
        self._shared, self._failures = shared, failures
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        try:
            while (part := self._shared.take()) is not None:
                self._shared.put(answered(asks(part, self._failures), self._ask))
            self._end()
            self._shared.put(None)
        except BaseException as error:
            self._shared.put(error)

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._process.kill()

    def _ask(self, ask: Ask) -> Any:
        """The answer of the process. Raises Died."""
        if self._shared.stopped.is_set():
            raise SystemExit
        process = self._process or self._opened()
        assert process.stdin is not None and process.stdout is not None
        try:
            send(process.stdin, (ask.what, ask.part))
            kind, answer = receive(process.stdout)
        except (OSError, EOFError):
            self._process = None
            raise Died(_status(process.wait())) from None
        if kind == "error":
            raise answer
        return answer

    def _opened(self) -> subprocess.Popen[bytes]:
        """A new process that has opened the model. Raises Died, or the error that it met."""
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        environment = {**os.environ, **one, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "attnviz.corpora.worker"]
        pipe = subprocess.PIPE
        # A session of its own: Ctrl-C in a terminal is answered here.
        process = self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, env=environment, start_new_session=True
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            send(process.stdin, self._shared.opening)
            kind, answer = receive(process.stdout)
        except (OSError, EOFError):
            self._process = None
            raise Died(_status(process.wait())) from None
        if kind == "error":
            raise answer
        return process

    def _end(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
            self._process.wait()


def _status(code: int) -> str:
    """`signal 9`, or `exit status 1`."""
    return f"signal {-code}" if code < 0 else f"exit status {code}"
