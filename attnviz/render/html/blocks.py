"""Blocks: the numbers of a page, deflated and in base64, as the file carries them.

Base64, because a page is text that goes through mail; deflate, because every browser inflates it by itself
(`DecompressionStream`, Compression Streams standard). A block is some hundred kilobytes, so that a reader who looks at
one head of a hundred inflates that head's block alone.
"""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SIZE = 256 * 1024  # bytes, after which a block is closed
_TYPES = {"float32": "f4", "uint8": "u1", "uint16": "u2", "int32": "i4"}


class Blocks:
    """Blocks in the order in which they are filled; an array never crosses from one block into the next."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._deflated: list[bytes] = []
        self._open = bytearray()

    def add(self, raw: bytes) -> tuple[int, int]:
        """Add bytes; return the index of their block and their first byte in it."""
        if self._open and len(self._open) + len(raw) > SIZE:
            self._close()
        at = len(self._open)
        self._open += raw
        return len(self.sizes), at

    def numbers(self, values: NDArray[Any]) -> dict[str, Any]:
        """Add an array; return what a page's JSON says of it (`Numbers` in web/types.d.ts). Floats become float32."""
        if values.dtype.kind == "f":
            values = values.astype("<f4")
        elif values.dtype.kind == "b":
            values = values.astype(np.uint8)
        elif values.dtype.name not in _TYPES:
            values = values.astype("<i4")
        block, at = self.add(values.tobytes())
        return {"block": block, "at": at, "type": _TYPES[values.dtype.name], "shape": list(values.shape)}

    def texts(self) -> Iterator[str]:
        """The base64 text of each block. Nothing may be added afterwards."""
        if self._open:
            self._close()
        for deflated in self._deflated:
            yield base64.b64encode(deflated).decode("ascii")

    def _close(self) -> None:
        self.sizes.append(len(self._open))
        self._deflated.append(deflated(self._open))
        self._open = bytearray()


def deflated(raw: bytes | bytearray) -> bytes:
    """Bytes in zlib's format. Only runs of one byte and the frequency of each are used.

    Codes of attention repeat in no other way: looking for longer matches takes ten times as long and makes most maps
    larger.
    """
    packer = zlib.compressobj(6, strategy=zlib.Z_RLE)
    return packer.compress(raw) + packer.flush()
