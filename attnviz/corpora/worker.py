"""A process that measures parts for another one: `python -m attnviz.corpora.worker`, spoken to by its own pipes.

Messages are pickles, each after its length; they come from the process that started this one, and from nobody else.
When that process is gone, this one ends at once.
"""

from __future__ import annotations

import os
import pickle
import queue
import struct
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnviz.corpora.job import Job
    from attnviz.corpora.store import Store

_LENGTH = struct.Struct("<Q")


def send(pipe: IO[bytes], message: Any) -> None:
    """Write one message."""
    data = pickle.dumps(message, protocol=5)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read one message. Raises EOFError where the other process has gone."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    data = pipe.read(_LENGTH.unpack(head)[0])
    if len(data) < _LENGTH.unpack(head)[0]:
        raise EOFError
    return pickle.loads(data)


def main() -> None:
    """Answer messages until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between messages
    asked: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, asked), daemon=True).start()
    try:
        job, store = asked.get()
        job.check()
        send(answers, ("ready", None))
        while True:
            send(answers, _answer(job, store, *asked.get()))
    except BrokenPipeError:
        os._exit(0)
    except Exception as error:
        send(answers, ("error", plain(error)))


def _listen(pipe: IO[bytes], asked: queue.SimpleQueue[Any]) -> None:
    """Hand messages on; end the process when there will be no more, whatever it is at."""
    try:
        while True:
            asked.put(receive(pipe))
    except EOFError:
        os._exit(0)
    except BaseException as error:  # a message that cannot be read here: another version, or no such model file
        asked.put(_Unreadable(error))


class _Unreadable:
    """A message that could not be unpacked; unpacking this one raises the same error."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __iter__(self) -> Any:
        raise self.error


def _answer(job: Job, store: Store, what: str, part: Any) -> tuple[str, Any]:
    """what: "work", to measure a part and keep its files, or "try", to measure it only."""
    from attnviz.corpora.work import work

    files = work(job, part)
    if what == "work":
        store.keep(part.name, files, job.each)
    return "done", (files.texts, files.tokens, files.skipped)


def plain(error: Exception) -> Exception:
    """An error that the other process can unpack."""
    from attnviz.errors import AttnvizError

    if isinstance(error, AttnvizError):
        return error
    import traceback

    return RuntimeError("".join(traceback.format_exception(error)))


if __name__ == "__main__":
    main()
