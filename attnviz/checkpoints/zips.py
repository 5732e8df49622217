"""The members of a zip file and the places of their bytes, checked against the file before anything is read."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attnviz.checkpoints.base import damaged, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_MEMBERS = 200_000
# Deflate can reach 1:1000. Weights do not, and a small file of zeros stays below the size that is always allowed.
MAX_RATIO, ALWAYS_ALLOWED = 100, 64 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a zip.

    name: in the zip; size: uncompressed bytes; start: of its bytes in the file; packed: bytes there; crc: of the
    uncompressed bytes; plain: stored uncompressed, so that they can be mapped.
    """

    name: str
    size: int
    start: int
    packed: int
    crc: int
    plain: bool


def members(path: Path, data: NDArray[np.uint8], always_allowed: float = ALWAYS_ALLOWED) -> dict[str, Member]:
    """List every member of the zip file at `path`, whose bytes are `data`.

    always_allowed: unpacked bytes that a member may have, however small it is in the file.

    Raises:
        CheckpointError: no zip file, truncated, encrypted, names twice, or sizes that the file contradicts.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        damaged(path, f"truncated or not a zip file ({shown(error, 60)})")
    if len(entries) > MAX_MEMBERS:
        damaged(path, f"holds {len(entries):,} members; at most {MAX_MEMBERS:,} are read")
    by_name: dict[str, Member] = {}
    for entry in entries:
        if entry.filename in by_name:
            damaged(path, f"holds {shown(entry.filename)} twice")
        by_name[entry.filename] = _member(path, data, entry, always_allowed)
    _check_overlap(path, by_name)
    return by_name


def _member(path: Path, data: NDArray[np.uint8], entry: zipfile.ZipInfo, always_allowed: float) -> Member:
    name = shown(entry.filename)
    if entry.flag_bits & 1:
        damaged(path, f"member {name} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        damaged(path, f"member {name} is compressed by a method that is not read")
    at = entry.header_offset
    head = data[at : at + 30].tobytes() if 0 <= at <= data.size else b""
    if len(head) < 30 or head[:4] != b"PK\x03\x04":
        damaged(path, f"member {name} has no header where the directory says")
    # The local header may carry longer extra fields than the directory: torch pads there for alignment.
    start = at + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    plain = entry.compress_type == zipfile.ZIP_STORED
    if start + entry.compress_size > data.size:
        damaged(path, f"truncated: member {name} claims {entry.compress_size:,} bytes")
    if plain and entry.file_size != entry.compress_size:
        damaged(path, f"member {name} has two sizes, {entry.file_size:,} and {entry.compress_size:,} bytes")
    if entry.file_size > max(always_allowed, MAX_RATIO * entry.compress_size):
        damaged(path, f"member {name} claims {entry.file_size:,} bytes out of {entry.compress_size:,}: refused")
    return Member(entry.filename, entry.file_size, start, entry.compress_size, entry.CRC, plain)


def _check_overlap(path: Path, by_name: dict[str, Member]) -> None:
    """Raise if two members share bytes, which would let a small file unpack to a large one."""
    at, last = 0, ""
    for member in sorted((m for m in by_name.values() if m.packed), key=lambda m: m.start):
        if member.start < at:
            damaged(path, f"members {shown(last)} and {shown(member.name)} overlap")
        at, last = member.start + member.packed, member.name
