"""Write files completely or not at all: to a temporary file in the same folder, which is then renamed.

Text from untrusted files is written to JSON and CSV so that it can control neither a terminal nor a spreadsheet.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from attnviz.errors import OutputError

PATIENCE = 1.0  # seconds to wait for the reader of a pipe, which a script may have started at the same moment
_PARTS = itertools.count()
_UNFINISHED: set[Path] = set()
# Characters escaped in JSON strings: DEL, C1 controls, line separators, marks that change the reading order, lone
# surrogates.
_STEERING = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FORMULA = re.compile(r"[=+\-@\t\r].")  # the start of a cell that a spreadsheet would compute as a formula


def json_text(value: Any, **how: Any) -> str:
    """JSON on one line, readable in any script; characters that control a terminal are escaped, not dropped."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, **how)
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def csv_cell(value: Any) -> Any:
    """A CSV cell. Text that a spreadsheet would take for a formula gets an apostrophe in front; numbers do not."""
    if not isinstance(value, str) or not _FORMULA.match(value) or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_place(path: str | os.PathLike[str]) -> Path:
    """Check that a file can be written at the path, before anything is computed.

    Raises OutputError: the folder does not exist or cannot be written to, or the path is a folder itself.
    """
    place = Path(path)
    try:
        if not place.name or place.is_dir():
            raise OutputError(f"cannot write {str(place)!r}: it is a folder", "name a file in it")
        if _is_device(place):
            return place
        if place.exists() and not os.access(place, os.W_OK):
            raise OutputError(f"cannot write {str(place)!r}: the file is write-protected")
        behind = Path(os.path.realpath(place))
    except (OSError, ValueError) as error:
        raise error if isinstance(error, OutputError) else _refused(place, error) from error
    check_folder(behind.parent if place.is_symlink() else place.parent, str(place))
    return place


def check_folder(folder: str | os.PathLike[str], name: str) -> None:
    """Raise OutputError unless a file can be made in the folder. name: the file's name in the message."""
    base = Path(folder)
    if not base.is_dir():
        raise OutputError(f"cannot write {name!r}: there is no folder {str(base)!r}", f"mkdir -p {base}")
    with _part(base, name):  # trying is more reliable than permission bits
        pass


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file that replaces `path` when the block ends, and is removed if the block fails or is interrupted."""
    place = check_place(path)
    if _is_device(place):
        with os.fdopen(_open_device(place), "wb") as file:
            yield file
        return
    place = Path(os.path.realpath(place))  # the file that a link points to, not the link
    with _part(place.parent, str(path)) as (part, file):
        yield file
        file.close()
        if place.exists():
            part.chmod(stat.S_IMODE(place.stat().st_mode))
        part.replace(place)


def write_free(folder: str | os.PathLike[str], stem: str, ending: str, write: Callable[[IO[bytes]], object]) -> Path:
    """Write to the first of stem.png, stem-2.png, stem-3.png, ... that does not exist, and return its path."""
    base = Path(folder)
    with _part(base, str(base / (stem + ending))) as (part, file):
        write(file)
        file.close()
        for n in itertools.count(1):
            place = base / (f"{stem}-{n}{ending}" if n > 1 else stem + ending)
            if _claimed(part, place):
                return place
    raise AssertionError("unreachable")


@contextmanager
def _part(folder: Path, name: str) -> Iterator[tuple[Path, IO[bytes]]]:
    """A temporary file in `folder`; removed afterwards unless it was renamed."""
    part = folder / f".attnviz-{os.getpid()}-{next(_PARTS)}.part"
    _UNFINISHED.add(part)
    try:
        with part.open("xb") as file:
            yield part, file
    except OSError as error:
        raise _refused(name, error) from error
    finally:
        with suppress(OSError):
            part.unlink()
        _UNFINISHED.discard(part)


def drop_unfinished() -> None:
    """Remove unfinished files, before the process ends without unwinding the stack."""
    for part in tuple(_UNFINISHED):
        with suppress(OSError):
            part.unlink()


def _refused(place: str | Path, error: Exception) -> OutputError:
    return OutputError(f"cannot write {str(place)!r}: {getattr(error, 'strerror', None) or error}")


def _claimed(part: Path, place: Path) -> bool:
    """Link `part` at `place`; False if a file exists there already."""
    try:
        os.link(part, place)
    except FileExistsError:
        return False
    except OSError:  # a file system without links: claim the name first, then take it
        try:
            place.open("xb").close()
        except FileExistsError:
            return False
        part.replace(place)
    return True


def _open_device(place: Path) -> int:
    """A pipe or a device, open for writing.

    It is opened only when there is something to write: the reader of a pipe would take closing it for the end. Raises
    OutputError for a pipe without a reader, where opening would wait for ever.
    """
    if not place.is_fifo():
        return os.open(place, os.O_WRONLY)
    stop = time.monotonic() + PATIENCE
    while True:
        try:
            handle = os.open(place, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > stop:
                hint = f"start its reader first, as in cat {place} > FILE &"
                raise OutputError(f"cannot write {str(place)!r}: it is a pipe that nobody reads", hint) from None
            time.sleep(PATIENCE / 20)
        else:
            os.set_blocking(handle, True)
            return handle


def _is_device(place: Path) -> bool:
    """A pipe or a device such as /dev/null: written into, never replaced."""
    return place.exists() and not place.is_file() and not place.is_dir()
