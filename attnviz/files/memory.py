"""Memory: what is free on this machine, and sizes as people write them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from attnviz.errors import SelectionError

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30}
_UNKNOWN = 2 << 30  # bytes that are taken to be free where the system does not say
# A group's limit and use, in versions 2 and 1 of Linux's control groups.
_GROUPS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


def free(system: Path = Path("/")) -> int:
    """Bytes of memory that are available without paging: of the machine, or of a container if it has less.

    system: the folder that holds proc and sys.
    """
    known = [_available(system / "proc/meminfo")]
    group = system / "sys/fs/cgroup"
    for limit, used in _GROUPS:
        most, now = _number(group / limit), _number(group / used)
        if most is not None and now is not None:
            known.append(max(0, most - now))
    found = [size for size in known if size is not None]
    return min(found) if found else _of_pages()


def _available(meminfo: Path) -> int | None:
    try:
        match = re.search(r"^MemAvailable:\s+(\d{1,15}) kB$", meminfo.read_text(encoding="ascii"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        return None
    return int(match[1]) * 1024 if match else None


def _number(file: Path) -> int | None:
    """The number in a file; None if there is none, as where a group has no limit ("max")."""
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdecimal() and len(text) < 16 else None


def _of_pages() -> int:
    """A quarter of the machine's memory, where it says how much it has but not what is free."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    except (AttributeError, OSError, ValueError):
        return _UNKNOWN


def bytes_of(text: str) -> int:
    """A size as people write it, in bytes: "4GB", "500 MB", "1.5GiB", "0". Raises SelectionError for anything else."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)\s*([KMG]I?|)B?", text.strip().upper())
    if match is None:
        raise SelectionError(f"wanted a size such as 4GB, 500MB or 0; got {text!r}")
    return int(float(match[1]) * _UNITS[match[2]])
