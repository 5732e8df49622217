"""Rows of a table as JSON and CSV: dictionaries with the same keys, whose values are text, numbers or None."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import IO, Any

from attnviz.files.output import csv_cell, json_text


def json_pieces(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A list of objects, one per line, piece by piece, so that a long one need not be held; not-a-number is null."""
    separator = "["
    for row in rows:
        yield separator + json_text(_without_nan(row))
        separator = ",\n"
    yield "[]\n" if separator == "[" else "]\n"


def write_json(rows: Iterable[dict[str, Any]], file: IO[bytes]) -> None:
    """A list of objects, one per line; not-a-number is null."""
    file.writelines(map(_utf8, json_pieces(rows)))


def write_csv(rows: Iterable[dict[str, Any]], file: IO[bytes]) -> None:
    """A line for each row, UTF-8, under a line with the keys of the first; not-a-number is empty."""
    writer: csv.DictWriter[str] | None = None
    text = io.StringIO(newline="")
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(text, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow({key: csv_cell(_cell(value)) for key, value in _without_nan(row).items()})
        file.write(_utf8(text.getvalue()))
        text.seek(0)
        text.truncate()
    if writer is None:
        file.write(b"\n")


def _cell(value: Any) -> Any:
    """A list or an object as JSON; any other value as it is."""
    return json_text(value) if isinstance(value, (list, dict)) else value


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(value, float) and value != value else value for key, value in row.items()}


def _utf8(text: str) -> bytes:
    return text.encode("utf-8")
