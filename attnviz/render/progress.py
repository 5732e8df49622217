"""A progress bar on standard error, for work that lasts."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 1.5  # seconds of work before a bar appears


@contextmanager
def progress(label: str, total: float | None = None, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """Give a function `advance(n)` that moves a bar; the bar goes when the block ends, however it ends.

    Nothing is shown, and rich is not imported, unless standard error is a terminal and the work has lasted
    PATIENCE seconds. `advance` may be called from several threads.

    Args:
        label: what is going on, a few words.
        total: how much there is to do; None where nobody knows.
        quiet: never show anything.
    """
    if quiet or not sys.stderr.isatty():
        yield _nothing
        return
    bar = _Bar(label, total)
    try:
        yield bar.advance
    finally:
        bar.stop()


def _nothing(amount: float = 1) -> None:
    return None


class _Bar:
    def __init__(self, label: str, total: float | None) -> None:
        self.label, self.total = label, total
        self.done = 0.0
        self.shown: tuple[Progress, TaskID] | None = None
        self.lock = threading.Lock()
        self.start = time.monotonic()

    def advance(self, amount: float = 1) -> None:
        with self.lock:
            self.done += amount
            if self.shown is None and time.monotonic() - self.start >= PATIENCE:
                self.shown = self._show()
            if self.shown is not None:
                bar, task = self.shown
                bar.update(task, completed=self.done)

    def _show(self) -> tuple[Progress, TaskID]:
        from rich.progress import Progress

        from attnviz.render.terminal_screen import safe_console

        bar = Progress(console=safe_console(sys.stderr), transient=True)
        bar.start()
        return bar, bar.add_task(self.label, total=self.total)

    def stop(self) -> None:
        with self.lock:
            if self.shown is not None:
                self.shown[0].stop()
                self.shown = None
