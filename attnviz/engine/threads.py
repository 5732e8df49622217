"""Rows and heads shared out over the cores, while the matrix library keeps to one thread.

The matrix library has threads of its own, which serve a short text well. For a longer one all work is shared out here,
elementwise work too, and the library must then keep to one thread throughout: its threads go on spinning for tens of
milliseconds after each product, and would take the cores from ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from os import cpu_count
from threading import Event, Lock, local
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import ThreadpoolController

T = TypeVar("T")

# A matrix product of this many rows or more is worth sharing out here.
SHARED_ROWS = 256
_INSIDE = local()
_LIMIT_LOCK = Lock()
_passes = 0  # that are within `one_matrix_thread`
_limit: Any = None


@contextmanager
def one_matrix_thread() -> Iterator[None]:
    """Within it, a matrix product runs on the thread that asks for it.

    The limit holds for the whole process: of passes that run at once the first sets it, and the last one restores it.
    """
    global _passes, _limit
    with _LIMIT_LOCK:
        if not _passes:
            _limit = _matrix_library().limit(limits=1, user_api="blas")
        _passes += 1
    try:
        yield
    finally:
        with _LIMIT_LOCK:
            _passes -= 1
            if not _passes:
                _limit.restore_original_limits()


def cores() -> int:
    return cpu_count() or 1


def within() -> bool:
    """Whether this is a part of shared work."""
    return getattr(_INSIDE, "share", False)


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it, nothing is shared out: all work, matrix products too, runs on the thread that asks for it.

    For one of several processes that do the same work; its numbers do not depend on the number of cores.
    """
    before, _INSIDE.share = within(), True
    try:
        with one_matrix_thread():
            yield
    finally:
        _INSIDE.share = before


def by_rows(shape: tuple[int, ...], work: Callable[[slice], None], most: int = 0) -> None:
    """Do `work(rows)` for an array of this shape: at once for few rows, else shared out in runs of the first axis.

    shape: [n, d], or [text, n, d], whose texts are not cut. most: the most rows of a run, 0 for no limit.
    """
    n_rows = math.prod(shape[:-1])
    if n_rows < SHARED_ROWS or (within() and not most):
        return work(slice(0, shape[0]))
    count = cores() if not most else max(cores(), -(-n_rows // most))
    share(runs(shape[0], count), lambda rows, stop: work(slice(rows.start, rows.stop)))


def share(parts: Iterable[T], work: Callable[[T, Event], None]) -> None:
    """Do `work(part, stop)` for each part, on as many threads as there are cores; the first error is raised.

    Within another `share` it runs where it is. stop: set when another part failed, or on Ctrl-C: work should then end
    soon.
    """
    todo = list(parts)
    count = 1 if within() else min(cores(), len(todo))
    left, stop = iter(todo), Event()  # all threads take from it: a thread that is done takes the next part

    def pull() -> None:
        inside, _INSIDE.share = within(), True
        try:
            for part in left:
                if stop.is_set():
                    return
                work(part, stop)
        except BaseException:
            stop.set()
            raise
        finally:
            _INSIDE.share = inside

    others = [_pool().submit(pull) for _ in range(count - 1)]
    try:
        pull()
        for other in others:
            other.result()
    except BaseException:  # Ctrl-C too: the threads end with what they are at
        stop.set()
        if others:
            from concurrent.futures import wait

            wait([other for other in others if not other.cancel()])
        raise


def runs(n: int, count: int) -> list[range]:
    """range(n) in `count` runs of nearly the same length, none empty."""
    edges = [n * i // count for i in range(count + 1)]
    return [range(a, b) for a, b in pairwise(edges) if a < b]


@cache
def _matrix_library() -> ThreadpoolController:
    """Finding the loaded libraries takes milliseconds: once a process is enough."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@cache
def _pool() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(max(cores() - 1, 1), "attention")
