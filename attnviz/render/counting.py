"""Progress of things that are counted, with their rate: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from typing import Any

EVERY = 60.0  # seconds between lines in a log


class Counting:
    """Counts up to `total` things, from the `done` that were finished before, which do not count for the rate."""

    def __init__(self, things: str, total: int, done: int = 0, quiet: bool = False) -> None:
        self.things, self.total, self.done, self.before = things, total, done, done
        self._start = self._said = time.monotonic()
        self._bar: Any = None
        self._quiet = quiet
        if not quiet and sys.stderr.isatty() and done < total:
            self._bar, self._task = self._shown()

    def add(self, count: int) -> None:
        """Count more things as done."""
        self.done += count
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, said=self.said())
        elif not self._quiet and time.monotonic() - self._said >= EVERY:
            self._said = time.monotonic()
            print(f"{self.done:,} of {self.total:,} {self.things}, {self.said()}", file=sys.stderr, flush=True)

    def said(self) -> str:
        """`184 a second, 2 min left`."""
        rate = (self.done - self.before) / max(time.monotonic() - self._start, 1e-9)
        left = (self.total - self.done) / rate if rate else 0.0
        return (
            f"{rate:,.0f} a second, {duration(left)} left"
            if rate >= 10
            else f"{rate:.2g} a second, {duration(left)} left"
        )

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _shown(self) -> tuple[Any, Any]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        from attnviz.render.terminal_screen import safe_console

        columns = (TextColumn(self.things), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[said]}"))
        bar = Progress(*columns, console=safe_console(sys.stderr), transient=True)
        bar.start()
        return bar, bar.add_task(self.things, total=self.total, completed=self.done, said="")


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
