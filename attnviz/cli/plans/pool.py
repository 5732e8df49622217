"""Figures drawn side by side: processes with one matrix thread each, of which one that dies costs only its figure.

A process has this one's search path for modules and nothing of the plan's folder, which may be somebody else's.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

TRIES = 2  # for a figure whose process ends: memory may have been short because of its neighbours
_PATIENCE = 1.0  # seconds that a process has to end in order
_START = "import sys; sys.path[:] = sys.argv[1:]; from attnviz.cli.plans.worker import main; main()"


class Task(NamedTuple):
    """One figure to draw. words: its command line. small: the place of its small picture, '' for none."""

    words: Sequence[str]
    small: str
    folder: str = ""


@dataclass(frozen=True)
class Drawn:
    """The outcome of a figure. error: one line, '' if it was drawn. notes: what its command said."""

    error: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()
    small: bool = False


def default_workers() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def draw_all(tasks: Sequence[Task], folder: Path, count: int, offline: bool = False) -> Iterator[tuple[int, Drawn]]:
    """Draw every figure; they come as they are done, each with its number. folder: where paths begin.

    offline: never touch the network. The environment says so and not the commands, whose pictures would carry it.
    """
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    outcomes: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for number in range(len(tasks)):
        todo.put(number)
    workers = [
        _Worker(tasks, todo, outcomes, folder, {"HF_HUB_OFFLINE": "1"} if offline else {})
        for _ in range(min(count, len(tasks)))
    ]
    try:
        for worker in workers:
            worker.start()
        for _ in tasks:
            outcome = _next(outcomes)
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome
    finally:
        _end(workers)


def _next(outcomes: queue.SimpleQueue[Any]) -> Any:
    while True:  # in short waits: a long one would not hear Ctrl-C on every system
        with suppress(queue.Empty):
            return outcomes.get(timeout=0.5)


def _end(workers: Sequence[_Worker]) -> None:
    """End all processes, and remove what one that did not listen has left unfinished."""
    for worker in workers:
        worker.stop()
    for worker in workers:
        worker.wait()


class _Worker(threading.Thread):
    """A thread that speaks to one process, and starts another one where it has died."""

    def __init__(
        self,
        tasks: Sequence[Task],
        todo: queue.SimpleQueue[int],
        outcomes: queue.SimpleQueue[Any],
        folder: Path,
        environment: dict[str, str],
    ) -> None:
        super().__init__(daemon=True)
        self._tasks, self._todo, self._outcomes, self._folder = tasks, todo, outcomes, folder
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        self._at: Task | None = None

    def run(self) -> None:
        try:
            while not self._stopped:
                number = self._todo.get_nowait()
                self._at = self._tasks[number]
                self._outcomes.put((number, self._drawn(self._at)))
        except queue.Empty:
            pass
        except BaseException as error:
            self._outcomes.put(error)

    def stop(self) -> None:
        self._stopped = True
        if self._process is not None:
            self._process.terminate()

    def wait(self) -> None:
        process = self._process
        if process is None:
            return
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._tidy(process.pid)

    def _drawn(self, task: Task) -> Drawn:
        status = 0
        for _ in range(TRIES):
            process = self._process or self._opened()
            with suppress(OSError):
                return self._answer(process, task)
            status = process.wait()
            self._tidy(process.pid)
            self._process = None
            if self._stopped:
                break
        why = f"signal {-status}" if status < 0 else f"exit status {status}"
        return Drawn(f"its process ended, {TRIES} times ({why})", "it may lack memory: try --workers 1")

    def _answer(self, process: subprocess.Popen[str], task: Task) -> Drawn:
        """The answer of the process. Raises OSError if it has ended."""
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"words": list(task.words), "small": task.small}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line.endswith("\n"):
            raise OSError("it has ended")
        said = json.loads(line)
        if said["status"] == 0:
            return Drawn(notes=tuple(said["notes"]), small=said["small"])
        return Drawn(said["error"] or f"exit status {said['status']}", said["hint"])

    def _opened(self) -> subprocess.Popen[str]:
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        paths = [str(Path(path).absolute()) for path in sys.path if path]
        pipe, environment = subprocess.PIPE, {**os.environ, **one, **self._environment}
        # A session of its own: Ctrl-C in a terminal is answered here.
        process = self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, *paths],
            stdin=pipe, stdout=pipe, env=environment, encoding="utf-8", start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(json.dumps(str(self._folder)) + "\n")
        return process

    def _tidy(self, pid: int) -> None:
        """Remove the unfinished files of a process that has ended."""
        for folder in {Path(self._at.folder), Path(self._at.small or ".").parent} if self._at is not None else ():
            for part in folder.glob(f".attnviz-{pid}-*.part"):
                with suppress(OSError):
                    part.unlink()
