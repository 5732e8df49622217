"""Untrusted texts: files in UTF-8, perhaps with a byte order mark; labels that may hold control characters."""

from __future__ import annotations

from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from attnviz.errors import InputError
from attnviz.files.untrusted import MAX_TEXT, read_file


def read_text(place: Path, whole: bool = False) -> str:
    """The text of a UTF-8 file, without a byte order mark and, unless `whole`, without its last line break."""
    return decoded(read_file(place, MAX_TEXT), place.name, whole)


def read_stream(stream: BinaryIO, where: str, whole: bool = False) -> str:
    """The text of a pipe. Raises InputError if it is longer than a text file may be, or not UTF-8.

    whole: as for `read_text`.
    It is read in pieces: within one long read Python can miss a Ctrl-C.
    """
    data = bytearray()
    while piece := stream.read1(1 << 16) if isinstance(stream, BufferedReader) else stream.read(1 << 16):
        data += piece
        if len(data) > MAX_TEXT:
            raise InputError(f"{where} holds more than {MAX_TEXT:,} bytes, which is no text")
    return decoded(bytes(data), where, whole)


def decoded(data: bytes, where: str, whole: bool = False) -> str:
    """Decode bytes that came from `where` likewise as UTF-8. Raises InputError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 text (byte {error.start})", "convert it, as in iconv -t UTF-8") from error
    return text if whole else text.removesuffix("\n").removesuffix("\r")


VISIBLE: dict[int, int | str] = {
    **{code: 0x2400 + code for code in range(32)},  # visible symbols for control characters
    ord("\n"): "↵",
    ord("\t"): "⇥",
    127: "␡",
    **{code: f"\\x{code:02x}" for code in range(0x80, 0xA0)},
    # marks that change the reading order of the following text
    **dict.fromkeys([0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "�"),
}


def visible(text: str) -> str:
    """A label without control characters, so that a token cannot break a line, control a terminal or break XML.

    Characters that no encoding holds (lone surrogates) become question marks.
    """
    if text.isprintable():
        return text
    return text.translate(VISIBLE).encode("utf-8", "replace").decode("utf-8")


def names_a_file(text: str) -> bool:
    """Whether a text is the path of an existing file; a name without extension and folder counts as a word."""
    if any(c.isspace() for c in text) or not ("." in text[1:-1] or "/" in text):
        return False
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # longer than a file name may be, or with a NUL in it
        return False
