"""The command line. `main` is light: typer and everything behind it is imported inside, where Ctrl-C is caught."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

TYPE_CHECKING = False  # spares the import of `typing`
if TYPE_CHECKING:
    from typing import IO

INTERRUPTED = 130
CLOSED: set[str] = set()  # the standard streams that were closed before we began


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 unusable input, 2 wrong usage, 130 interrupted.

    argv: the words after `attnviz`; default: the words of the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _open_streams()
    _end_when_told()
    try:
        try:
            status = _run(words)
        finally:
            lost = _flush()
        if lost is not None and status == 0:
            _say("error", _why(lost))
        return status or int(lost is not None)
    except BrokenPipeError:
        return _closed_pipe()
    except KeyboardInterrupt:
        return INTERRUPTED


def _flush() -> OSError | None:
    """Write out what was printed; the error if that is not possible (a full disk, a closed stream)."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop(sys.stdout)
        return error
    return None


def _drop(stream: IO[str]) -> None:
    """Nothing more can be written: what is left goes nowhere, so that Python's own last flush does not complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _why(error: OSError) -> str:
    """A system's error in words, with the file if it names one."""
    import errno

    if error.errno == errno.EBADF and "stdout" in CLOSED:
        return "standard output is closed: there is nowhere to print the result"
    name = f": {os.fsdecode(error.filename)!r}" if isinstance(error.filename, (str, bytes)) else ""
    return f"{error.strerror or error}{name}"


def _open_streams() -> None:
    """Streams that were closed before we began (`>&-`) are opened on nothing.

    Without this a file that is opened next would take their number, and be written into by mistake. Messages are lost,
    as was asked; a result is not: standard output cannot be written to, and says so when it is flushed.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            CLOSED.add(name)
            handle = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)  # the lowest free number
            stream = os.fdopen(handle, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def _end_when_told() -> None:
    """SIGTERM and SIGHUP end the process at once, with nothing half written left behind.

    A signal that is ignored (nohup) stays ignored, and one that a program around us handles stays its own.
    """
    import signal

    def end(number: int, frame: object) -> None:
        if "attnviz.files.output" in sys.modules:
            sys.modules["attnviz.files.output"].drop_unfinished()
        if "attnviz.render.background" in sys.modules:
            sys.modules["attnviz.render.background"].restore()
        os._exit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        with suppress(ValueError):  # not in the main thread
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, end)


def _run(words: list[str]) -> int:
    import warnings

    _readable(sys.stdout)
    _readable(sys.stderr)
    with warnings.catch_warnings(), _safe_streams(words):
        _plain_warnings()
        return _guarded(words)


@contextmanager
def _safe_streams(words: list[str]) -> Iterator[None]:
    """While a command runs, nothing that it prints can steer the terminal, wherever the text is from.

    Help is our own text, which typer colours itself.
    """
    if _only_help(words):
        yield
        return
    from attnviz.render.terminal_screen import SafeStream

    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (SafeStream(stream) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _only_help(words: list[str]) -> bool:
    return not words or bool({"-h", "--help"} & set(words))


def _guarded(words: list[str]) -> int:
    """Every failure that a user can bring about becomes one line, with one more where a hint helps."""
    from attnviz.errors import AttnvizError

    try:
        if _only_help(words):
            return _typer(words or ["--help"])
        from attnviz.cli.pager import paged

        with paged(words):
            return _typer(words)
    except AttnvizError as error:
        from attnviz.cli.options import UsageError

        _say("error", str(error))
        if isinstance(error, UsageError):
            _say("hint", error.hint or _see_help(words))
            return 2
        _say("hint", error.hint)
    except BrokenPipeError:
        raise
    except OSError as error:
        _say("error", _why(error))
    except MemoryError as error:
        _say("error", f"out of memory{f': {error}' if str(error) else ''}")
        _say("hint", "ask for fewer layers or heads (-l, -H), or for a shorter text")
    except Exception as error:
        if any(word in ("-v", "--verbose") for word in words):
            raise
        _say("error", f"attnviz itself failed: {type(error).__name__}: {error}")
        _say("hint", "this is a fault in attnviz; --verbose shows where")
    return 1


def _typer(words: list[str]) -> int:
    """Run typer's command; its own complaints become ours."""
    import typer

    from attnviz.cli.app import application
    from attnviz.cli.options import UsageError

    # typer's usage error and its parent, in whichever package they live
    wrong: tuple[type[Exception], ...] = typer.BadParameter.__mro__[1:3]
    try:
        status = application().main(words, prog_name="attnviz", standalone_mode=False)
    except wrong as error:
        message = " ".join(error.format_message().split())  # type: ignore[attr-defined]
        extra = message.partition("argument(s) ")[2]
        message = message.replace("argument(s)", "arguments" if " " in extra else "argument")
        raise UsageError(message[:1].lower() + message[1:].rstrip(".")) from None
    except typer.Abort:
        return INTERRUPTED
    except SystemExit as error:  # typer ends so when a pipe closes
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        if isinstance(error.__context__, BrokenPipeError):
            raise error.__context__ from None
        raise
    return status if isinstance(status, int) else 0


def _closed_pipe() -> int:
    """The reader of our output stopped reading: nothing is wrong, and nothing more can be printed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _drop(stream)
    return 0


def _see_help(words: list[str]) -> str:
    from attnviz.cli.app import COMMANDS

    named = f"{words[0]} " if words and words[0] in COMMANDS else ""
    return f"see attnviz {named}--help"


def _say(kind: str, text: str) -> None:
    if text:
        from attnviz.render.terminal_screen import clean  # names out of an untrusted file may steer a terminal

        line = " ".join(text.split())
        print(f"{kind}: {line if line.isprintable() else clean(line)}", file=sys.stderr)


def say_failure(message: str, hint: str) -> None:
    """An error that does not end the command."""
    _say("error", message)
    _say("hint", hint)


def _plain_warnings() -> None:
    """Print our own warnings as one line each; warnings of libraries are not for the user."""
    import warnings

    from attnviz.errors import AttnvizWarning

    def show(message: Warning | str, *rest: object, **more: object) -> None:
        _say("warning", str(message))

    warnings.simplefilter("ignore")
    warnings.simplefilter("default", AttnvizWarning)
    warnings.showwarning = show


def _readable(stream: object) -> None:
    """File names and tokens may hold what the terminal's encoding lacks: a substitute is better than a crash."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        utf8 = str(getattr(stream, "encoding", "")).lower().replace("-", "") == "utf8"
        reconfigure(errors="surrogateescape" if utf8 else "replace")
