"""From a result to standard output or to a file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import IO, Any

from attnviz import cli
from attnviz.cli.options import Output
from attnviz.errors import OutputError
from attnviz.render import formats


def check_output(output: Output, format: str) -> None:
    """Fail before the work: an impossible place, or a terminal that would get a binary file."""
    from attnviz.files.output import check_folder, check_place

    if output.output == "-":
        if sys.stdout.isatty() and format not in formats.PLAIN:
            raise OutputError(f"{format} is not for a terminal", "redirect it, as in ... -o - > file, or give -o PATH")
    elif output.output is None:
        check_folder(".", f"attention.{format}")
    else:
        check_place(output.output)


def write(output: Output, format: str, writer: Callable[[IO[bytes]], object], stem: str = "attention") -> None:
    """Write a result where the options say, and print the path of the file."""
    from attnviz.files.output import write_free, writing

    if output.output == "-":
        sys.stdout.flush()
        writer(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    if output.output is None:
        path = str(write_free(".", stem, f".{format}", writer))
    else:
        path = output.output
        with writing(path) as file:
            writer(file)
    if "stdout" not in cli.CLOSED:  # the file is there, whether or not its name can be printed
        print(path)


def print_json(rows: Any) -> None:
    """Print a flat list of objects, one per line; not-a-number is null."""
    from attnviz.render.rows import json_pieces

    sys.stdout.writelines(json_pieces(rows))
