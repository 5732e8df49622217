"""Run mutants in a process with limits on memory and time, and watch the files and programs that it uses."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import io
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

MEGABYTES = 1024  # more than the process has when it starts
SECONDS = 10.0  # processor time for one mutant
PATIENCE = 6  # times this by the clock, for a mutant that waits instead of working; a busy machine is no finding
LONGEST = 1200  # most characters of a message
_FORBIDDEN = ("socket.connect", "socket.bind", "socket.getaddrinfo", "os.system", "os.exec",
              "pickle.find_class", "shutil.rmtree", "webbrowser.open", "ctypes.dlopen")  # fmt: skip

Trial = Callable[[Random, Path], str]  # "done" or "refused: ..." or the finding


def findings(
    trial: Trial, name: str, first: int, count: int, seed: int, seconds: float = SECONDS
) -> Iterator[tuple[int, str]]:
    """(number of the mutant, fault) for each of `count` mutants from `first` on that failed.

    trial: makes the mutant of a Random and tries it, in a folder. Name, number and seed determine the mutant.
    """
    at, end = first, first + count
    while at < end:
        for number, found in _one_process(trial, name, at, end, seed, seconds):
            at = number
            if found:
                yield number, found
        at += 1


def _one_process(trial: Trial, name: str, first: int, end: int, seed: int, seconds: float) -> Iterator[tuple[int, str]]:
    """Numbers and findings until all mutants are done or the process ends; the last number is where it ended."""
    reading, writing = os.pipe()
    place = Path(tempfile.mkdtemp(prefix="fuzz-"))
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _work(trial, name, first, end, seed, place, writing)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)  # in any case: the child must not continue with the parent's work
    os.close(writing)
    at, last, used, buffer = first, time.monotonic(), 0.0, b""
    try:
        while True:
            ready, _, _ = select.select([reading], [], [], seconds / 4)
            if not ready:
                if max(_used(child) - used, (time.monotonic() - last) / PATIENCE) < seconds:
                    continue
                os.kill(child, signal.SIGKILL)
                yield at, f"takes more than {seconds:g} seconds"
                return
            data = os.read(reading, 1 << 16)
            if not data:
                break
            buffer += data
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                at, found, used = json.loads(line)
                last = time.monotonic()
                if found is not None:
                    yield at, found
    finally:
        os.close(reading)
        status = os.waitpid(child, 0)[1]
        shutil.rmtree(place, ignore_errors=True)
    if at < end:
        yield at, f"the process ended with status {os.waitstatus_to_exitcode(status)}"


def _used(child: int) -> float:
    """Processor seconds that a process has used."""
    try:
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _work(trial: Trial, name: str, first: int, end: int, seed: int, place: Path, out: int) -> None:
    """In the child: try every mutant and write its outcome to `out`. Never returns."""
    gc.freeze()  # the parent's objects are excluded from garbage collection, which would copy their pages
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.disable()  # a crash is reported by the parent
    sys.dont_write_bytecode = True  # our own modules, imported late, are not files that a mutant wrote
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    watch = _Watch(place)
    sys.addaudithook(watch)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (MEGABYTES << 20),) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in range(first, end):
        _tell(out, number, None)
        folder = place / str(number)
        folder.mkdir()
        watch.seen.clear()
        found = _outcome(trial, Random(f"{name} {number} {seed}"), folder, watch)
        _tell(out, number, found)
        _drop(folder)
    _tell(out, end, None)
    os._exit(0)


def _tell(out: int, number: int, finding: str | None) -> None:
    """Write one line to the parent: where the child is, what it found, and the CPU seconds that it has used."""
    os.write(out, json.dumps([number, finding, time.process_time()]).encode() + b"\n")


def _drop(folder: Path) -> None:
    """Remove a mutant's folder, which nearly always holds a few files and nothing else."""
    try:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)


def _outcome(trial: Trial, rng: Random, folder: Path, watch: _Watch) -> str:
    """'' for a mutant that was read or refused as promised, else the fault."""
    from attnviz.errors import AttnvizError

    found = ""
    before = Path.cwd()
    os.chdir(folder)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            watch.on = True
            found = trial(rng, folder)
    except AttnvizError as error:
        found = of_message(str(error)) or of_message(error.hint)
    except BaseException as error:  # a panic of a library's derives from BaseException
        found = f"{type(error).__name__}: {' '.join(str(error).split())[:300]} at {_where(error)}"
    finally:
        watch.on = False
        os.chdir(before)
    return found or "; ".join(watch.seen)[:500]


def of_message(text: str) -> str:
    """The fault of a message, which must be one line, and short."""
    if "\n" in text:
        return f"a message of several lines: {text[:200]!r}"
    return f"a message of {len(text):,} characters: {text[:200]!r}" if len(text) > LONGEST else ""


def _where(error: BaseException) -> str:
    """The last three places in our own code."""
    found, trace = [], error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "attnviz" in file:
            found.append(f"{Path(file).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " < ".join(found[:-4:-1])


class _Watch:
    """An audit hook: notes files written outside of the folder, files read elsewhere, network and other programs."""

    def __init__(self, place: Path) -> None:
        self.place, self.on, self.seen = str(place), False, []  # type: tuple[str, bool, list[str]]
        house = Path(__file__).resolve().parents[2]
        self.readable = (str(place), sys.prefix, sys.base_prefix, str(house), *sys.path[1:],
                         sys.pycache_prefix or sys.prefix, "/usr", "/lib", "/proc", "/sys", "/etc/font", "/etc/mime",
                         "/dev/null", "/dev/urandom", str(Path.home() / ".cache"), "/var/cache/fontconfig")  # fmt: skip

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            self._opened(*args[:3])
        elif event.startswith(("os.remove", "os.rename", "os.mkdir", "os.link", "os.symlink", "os.truncate")):
            self._inside(event, args[0])
        elif event in ("subprocess.Popen", "os.posix_spawn"):  # from Python 3.13 on the first calls the second
            if "chat_child.py" not in str(args[1]):
                self.seen.append(f"{event}{args[1]!r:.100}")
        elif event in _FORBIDDEN:
            self.seen.append(f"{event}{args!r:.100}")

    def _opened(self, path: object, mode: object, flags: object) -> None:
        if not isinstance(path, (str, bytes)):
            return
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        full = os.path.realpath(os.fsdecode(path))
        if writes and full != os.devnull:
            self._inside("written", path)
        elif not writes and not full.startswith(self.readable):
            self.seen.append(f"read {full}")

    def _inside(self, event: str, path: object) -> None:
        if isinstance(path, (str, bytes)) and not os.path.realpath(os.fsdecode(path)).startswith(self.place):
            self.seen.append(f"{event} {os.fsdecode(path)}")
