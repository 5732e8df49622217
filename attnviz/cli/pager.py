"""Output that is higher than the terminal, shown page by page, as git does it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any, TextIO, cast

VARIABLES = ("ATTNVIZ_PAGER", "PAGER")  # the first that is set says
SETTINGS = {"LESS": "FRX"}  # unless set: no pages for one screen, colours kept, and the text stays when less ends


@contextmanager
def paged(words: Sequence[str]) -> Iterator[None]:
    """Hold what a command prints until it has ended; show it then, through a pager if it is higher than the terminal.

    Nothing is held in a pipe, on a dumb terminal, with --json, or where no pager is wanted. Held text has passed the
    stream that cleans it, so that untrusted texts steer no pager either.

    Args:
        words: the command's.
    """
    from attnviz.render.terminal_screen import SafeStream

    stream = sys.stdout
    pager = _pager()
    if not (isinstance(stream, SafeStream) and pager and "--json" not in words and stream.isatty()):
        yield
        return
    buffer = _Held(cast(TextIO, stream.behind))
    stream.behind = cast(IO[str], buffer)
    try:
        yield
    except BaseException:
        buffer.behind.write(buffer.text())
        raise
    finally:
        stream.behind = buffer.behind
    if _is_higher(buffer.text()):
        _show(buffer.text(), buffer.behind, pager)
    else:
        buffer.behind.write(buffer.text())


class _Held:
    """A terminal that keeps what is written to it; in all else it is the terminal."""

    def __init__(self, behind: TextIO) -> None:
        self.behind = behind
        self._parts: list[str] = []

    def write(self, text: str) -> int:
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Nothing: consoles flush after every line."""

    def text(self) -> str:
        return "".join(self._parts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)


def _pager() -> str:
    """The command of the pager, "" for none."""
    if os.environ.get("TERM") == "dumb":
        return ""
    for name in VARIABLES:
        if name in os.environ:
            command = os.environ[name].strip()
            return "" if command == "cat" else command
    from shutil import which

    return "less" if which("less") else ""


def _is_higher(text: str) -> bool:
    """Whether a text and the prompt after it take more lines than the terminal has; a height of 0 is an unknown one."""
    import re
    from shutil import get_terminal_size

    from attnviz.render.terminal_screen import cells

    width, height = get_terminal_size((80, 0))
    if height <= 0:
        return False
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    return len(lines) >= height or sum(max(1, -(-cells(line) // max(width, 1))) for line in lines) >= height


def _show(text: str, behind: TextIO, pager: str) -> None:
    """The text through the pager; straight to the terminal, with a warning, if it cannot be started."""
    import shlex
    import subprocess
    import warnings

    from attnviz.errors import AttnvizWarning

    behind.flush()
    with _undisturbed() as started:
        try:
            process = subprocess.Popen(
                shlex.split(pager), stdin=subprocess.PIPE, stdout=behind, env=_environment(behind)
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            message = f"the pager {pager!r} cannot be started: {why}; ATTNVIZ_PAGER=cat asks for none"
            warnings.warn(message, AttnvizWarning, stacklevel=2)
            behind.write(text)
            return
        started.append(process.pid)
        process.communicate(text.encode(behind.encoding, behind.errors or "strict"))  # a reader may leave early


def _environment(behind: TextIO) -> dict[str, str]:
    utf8 = behind.encoding.lower().replace("-", "") == "utf8"
    return {**SETTINGS, **({"LESSCHARSET": "utf-8"} if utf8 else {}), **os.environ}


@contextmanager
def _undisturbed() -> Iterator[list[int]]:
    """Ctrl-C is the pager's; what ends this process ends the pager too, which then sets the terminal as it was.

    Yields a list for the pager's process.
    """
    import signal

    pagers: list[int] = []
    before: dict[int, Any] = {}

    def end(number: int, frame: Any) -> None:
        for pager in pagers:
            os.kill(pager, signal.SIGTERM)
        before[number](number, frame)

    with suppress(ValueError):  # not in the main thread, where nobody interrupts
        before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and callable(signal.getsignal(number)):
                before[number] = signal.signal(number, end)
    try:
        yield pagers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
