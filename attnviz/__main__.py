"""`python -m attnviz` and the `attnviz` command: where the process begins.

Ctrl-C ends it with status 130 and silently, from the first lines here on: among the imports it would otherwise
be a traceback. Python's own start comes before and is not ours.
"""

import _signal as signal  # type: ignore[import-not-found]  # built in: `signal` itself imports more
import os
import sys

INTERRUPTED = 130


def _end(number: int, frame: object) -> None:
    os._exit(INTERRUPTED)


def _answer(handler: object, instead_of: object) -> None:
    """Another answer to Ctrl-C. One that is ignored (nohup, &) stays ignored."""
    if signal.getsignal(signal.SIGINT) is instead_of:
        signal.signal(signal.SIGINT, handler)


_answer(_end, instead_of=signal.default_int_handler)


def main() -> int:
    """Run the command that the process was started with, and return its exit status, as `attnviz.cli.main` does."""
    from attnviz.cli import main as command

    try:
        _answer(signal.default_int_handler, instead_of=_end)  # so that files and the terminal are left in order
        try:
            return command()
        finally:
            _answer(_end, instead_of=signal.default_int_handler)
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
