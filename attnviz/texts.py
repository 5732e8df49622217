"""Text files as people have them: UTF-8, perhaps with a byte order mark, a last line break that means nothing."""

from __future__ import annotations

from pathlib import Path

from attnviz.errors import InputError


def read_text(place: Path) -> str:
    """The text of a UTF-8 file, without a byte order mark and without its last line break."""
    return decoded(place.read_bytes(), place.name)


def decoded(data: bytes, where: str) -> str:
    """The same for bytes that came from `where`. Raises InputError if they are not UTF-8."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 text (byte {error.start})", "convert it, as in iconv -t UTF-8") from error
    return text.removesuffix("\n").removesuffix("\r")
