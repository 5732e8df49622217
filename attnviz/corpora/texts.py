"""The texts of a corpus, one by one and in order, out of files that nobody trusts; memory does not grow with them.

A text that cannot be used has a `fault`: it is counted, named by its place, and skipped.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from attnviz.corpora.tables import no_column, parquet_column
from attnviz.errors import AttnvizError, InputError, shown
from attnviz.files.untrusted import open_file, parse

LONGEST = 1 << 20  # bytes of one text, or of one line that holds it
FIELD = "text"  # the field or column of a text, unless another is named
READINGS = ("txt", "jsonl", "csv", "tsv", "parquet")


@dataclass(frozen=True)
class Text:
    """One text of a corpus.

    number: its place in the corpus, from 0. where: its file and line, as in `mails.txt:12`. text: '' if it cannot be
    used. fault: why it cannot be; '' if it can.
    """

    number: int
    where: str
    text: str
    fault: str = ""


Raw = tuple[str, str, str]  # where, text, fault


def read_texts(
    inputs: Sequence[str], field: str | None = None, reading: str | None = None, stdin: BinaryIO | None = None
) -> Iterator[Text]:
    """The texts of files, folders and `-`, standard input, numbered from 0.

    .txt is a text a line; .jsonl an object or a string a line; .csv, .tsv and .parquet have a text a row; all but
    .parquet may be gzipped (.gz). A folder is its files in order of their names, at any depth, where a .txt file is one
    text.

    Args:
        field: the field or column that holds the text; "text" by default.
        reading: one of READINGS, instead of what a file's ending says; for standard input, which is "txt" otherwise.

    Raises:
        InputError: a file that is not there, cannot be read at all, or has no such column.
    """
    number = 0
    for each in inputs:
        for where, text, fault in _of_input(each, field, reading, stdin):
            if not fault and not text.strip():
                fault = "empty"
            yield Text(number, where, "" if fault else text, fault)
            number += 1


def numbered(texts: Iterable[str]) -> Iterator[Text]:
    """Texts from Python, which may be strings alone."""
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"text {number} is no string but {type(text).__name__}")
        fault = _fault_of(text)
        yield Text(number, f"text {number}", "" if fault else text, fault)


def _fault_of(text: str) -> str:
    if not text.strip():
        return "empty"
    if len(text) > LONGEST:
        return _too_long("")
    try:
        text.encode()
    except UnicodeEncodeError:
        return "not UTF-8"
    return ""


def _of_input(name: str, field: str | None, reading: str | None, stdin: BinaryIO | None) -> Iterator[Raw]:
    if name == "-":
        if stdin is None:
            raise InputError("there is no standard input to read texts from")
        yield from _of_stream(stdin, "line ", "", field, reading or "txt")
        return
    place = Path(name)
    if place.is_dir():
        yield from _of_folder(place, field, reading)
        return
    if not place.exists():
        raise InputError(f"no such file or folder of texts: {str(place)!r}")
    yield from _of_file(place, place.name, field, reading or _reading_of(place))


def _reading_of(place: Path) -> str:
    ending = _ending(place)
    if ending not in READINGS:
        wanted = f"wanted .{', .'.join(READINGS)}, or one of them with .gz"
        raise InputError(f"{place.name} is no file of texts that is known; {wanted}", "or say how: --read txt")
    return ending


def _ending(place: Path) -> str:
    """`mails.jsonl.gz` -> `jsonl`."""
    return Path(place.name.lower().removesuffix(".gz")).suffix.removeprefix(".")


def _of_folder(folder: Path, field: str | None, reading: str | None) -> Iterator[Raw]:
    """The files of a folder in order of their names; links that lead out of it and hidden files are skipped."""
    inside = folder.resolve()
    files = [each for each in sorted(folder.rglob("*")) if each.is_file() and _belongs(each, folder, inside)]
    known = [each for each in files if _ending(each) in READINGS]
    if not known:
        raise InputError(f"the folder {str(folder)!r} has no .{', .'.join(READINGS)}")
    for place in known:
        where = place.relative_to(folder).as_posix()
        if _ending(place) == "txt" and reading is None:
            with _opened(place) as stream:
                yield _whole(stream, where)
        else:
            yield from _of_file(place, where, field, reading or _ending(place))


def _belongs(place: Path, folder: Path, inside: Path) -> bool:
    hidden = any(part.startswith(".") for part in place.relative_to(folder).parts)
    return not hidden and place.resolve().is_relative_to(inside)


def _whole(stream: BinaryIO, where: str) -> Raw:
    """A file that is one text."""
    data = stream.read(LONGEST + 1)
    if len(data) > LONGEST:
        return where, "", _too_long("")
    return _decoded(data.removeprefix(b"\xef\xbb\xbf"), where)


def _of_file(place: Path, where: str, field: str | None, reading: str) -> Iterator[Raw]:
    if reading == "parquet":
        yield from _parquet(place, where, field or FIELD)
        return
    with _opened(place) as stream:
        yield from _of_stream(stream, f"{where}:", where, field, reading)


@contextmanager
def _opened(place: Path) -> Iterator[BinaryIO]:
    """A regular file, unpacked as it is read where its name ends in .gz."""
    with open_file(place) as file:
        if not place.name.lower().endswith(".gz"):
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            try:
                yield unpacked  # type: ignore[misc]
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise InputError(f"{place.name} is no whole gzip file: {error}") from None


def _of_stream(stream: BinaryIO, before: str, name: str, field: str | None, reading: str) -> Iterator[Raw]:
    """The texts of a stream. before: what precedes a line's number; name: of the file, '' without one."""
    if reading == "parquet":
        raise InputError("standard input is read as txt, jsonl, csv or tsv")
    lines = _lines(stream, before)
    if reading == "txt":
        yield from lines
    elif reading == "jsonl":
        yield from (_of_json(where, text, fault, field or FIELD) for where, text, fault in lines)
    else:
        yield from _rows(lines, name or "standard input", field, "\t" if reading == "tsv" else ",")


def _lines(stream: BinaryIO, before: str) -> Iterator[Raw]:
    """A text a line, without its line break."""
    number = 0
    while line := stream.readline(LONGEST + 2):
        where = f"{before}{number + 1}"
        if number == 0:
            line = line.removeprefix(b"\xef\xbb\xbf")
        whole = line.endswith(b"\n") or len(line) < LONGEST + 2
        while not whole:
            more = stream.readline(LONGEST)
            whole = not more or more.endswith(b"\n")
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        yield (where, "", _too_long("line ")) if len(line) > LONGEST else _decoded(line, where)
        number += 1


def _decoded(data: bytes, where: str) -> Raw:
    try:
        return where, data.decode(), ""
    except UnicodeDecodeError as error:
        return where, "", f"not UTF-8 (byte {error.start})"


def _too_long(what: str) -> str:
    return f"the {what or 'text '}has more than {LONGEST:,} bytes"


def _of_json(where: str, line: str, fault: str, field: str) -> Raw:
    if fault or not line.strip():
        return where, "", fault or "empty"
    try:
        value = parse(line.encode(), "the line", InputError)
    except AttnvizError as error:
        return where, "", str(error)
    if isinstance(value, dict):
        if field not in value:
            return where, "", f"no field {shown(field)}"
        value = value[field]
    return _of_value(where, value)


def _of_value(where: str, value: object) -> Raw:
    if value is None:
        return where, "", "empty"
    if not isinstance(value, str):
        return where, "", f"no text but {type(value).__name__}"
    return where, value, _fault_of(value)


def _rows(lines: Iterator[Raw], name: str, field: str | None, delimiter: str) -> Iterator[Raw]:
    """The rows of a table in text, each named by the line where it begins; a cell may go on over several lines."""
    csv.field_size_limit(LONGEST)
    at = _Lines(lines)
    rows = csv.reader(at, delimiter=delimiter)
    header = next(rows, [])
    column = _column(header, field, name)
    while True:
        at.begin()
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield at.where, "", f"no row of a table: {error}"
            continue
        if at.fault:
            yield at.where, "", at.fault
        elif row:
            yield (at.where, row[column], "") if column < len(row) else (at.where, "", f"only {len(row)} cells")


class _Lines:
    """Lines for a reader of tables: a line that cannot be read is `?` there, and its fault is kept.

    where: the first line of the row that is being read.
    """

    def __init__(self, lines: Iterator[Raw]) -> None:
        self._lines = lines
        self.begin()

    def begin(self) -> None:
        self.where, self.fault = "", ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        where, text, fault = next(self._lines)
        self.where = self.where or where
        self.fault = self.fault or fault
        return "?" if fault else text.replace("\0", "\ufffd") + "\n"


def _column(header: Sequence[str], field: str | None, name: str) -> int:
    """The column of the texts: the one that is named, else `text`, else the only one."""
    if field is None and len(header) == 1:
        return 0
    wanted = FIELD if field is None else field
    if wanted not in header:
        raise no_column(name, wanted, header)
    return header.index(wanted)


def _parquet(place: Path, where: str, field: str) -> Iterator[Raw]:
    for row, value in enumerate(parquet_column(place, where, field)):
        yield _of_value(f"{where}:{row + 1}", value)
