"""A process that draws figures for another one, which speaks to it by its own pipes: a line of JSON for each figure.

It draws by the command line itself, so that a figure has the bytes that its command writes. When the process that
started it is gone, it ends at once.
"""

from __future__ import annotations

import io
import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

SIDES = 1500, 600  # pixels of a small picture, at most


def main() -> None:
    """Draw figures until there are no more. The first line is the folder in which paths begin."""
    from attnviz import cli
    from attnviz.cli.opening import keep_the_model

    asked, answers = _pipes()
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    cli._end_when_told()
    threading.Thread(target=_listen, args=(asked, lines), daemon=True).start()
    os.chdir(json.loads(lines.get()))
    keep_the_model()
    while True:
        task = json.loads(lines.get())
        answers.write(json.dumps(draw(task["words"], task["small"])) + "\n")
        answers.flush()


def draw(words: list[str], small: str) -> dict[str, Any]:
    """Run one command. -> status, error, hint, notes (lines). small: the path of a small picture, '' for none."""
    from attnviz import cli

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), _watched() as figures:
        status = cli.main(words)
    said = [line for line in err.getvalue().splitlines() if line.strip()]
    answer = {"status": status, "error": _after("error: ", said), "hint": _after("hint: ", said) if status else ""}
    if status == 0 and small and figures:
        _draw_small(figures[0], Path(small))
    notes = said if status == 0 else []
    return {**answer, "notes": notes, "small": bool(status == 0 and small and figures)}


def _after(start: str, lines: list[str]) -> str:
    return next((line.removeprefix(start) for line in lines if line.startswith(start)), "")


@contextmanager
def _watched() -> Iterator[list[Any]]:
    """The pictures that are written."""
    from attnviz.page.figure import Figure
    from attnviz.render import formats

    figures: list[Any] = []

    def see(thing: Any) -> None:
        if isinstance(thing, Figure):
            figures.append(thing)

    formats.WATCHERS.append(see)
    try:
        yield figures
    finally:
        formats.WATCHERS.remove(see)


def _draw_small(figure: Any, place: Path) -> None:
    """Draw a picture with few pixels, for a contact sheet."""
    from attnviz.files.output import writing
    from attnviz.render.formats import write

    inches = figure.width / 72, figure.height / 72
    dpi = min(figure.dpi, *(most / side for most, side in zip(SIDES, inches, strict=True)))
    with writing(place) as file:
        write("png", replace(figure, dpi=dpi, meta={}), file)


def _pipes() -> tuple[IO[str], IO[str]]:
    """The streams of the other process; nothing that a command or a library does can reach them by their numbers."""
    asked = os.fdopen(os.dup(0), "r", encoding="utf-8", errors="surrogateescape")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return asked, answers


def _listen(pipe: IO[str], lines: queue.SimpleQueue[str]) -> None:
    """Hand lines on; end the process when there will be no more, whatever it is doing."""
    for line in pipe:
        lines.put(line)
    if "attnviz.files.output" in sys.modules:
        sys.modules["attnviz.files.output"].drop_unfinished()
    os._exit(0)
