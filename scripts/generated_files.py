"""Shared by scripts that write a file from the code: replacing the part between two marks, and writing or comparing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path


def between(text: str, begin: str, end: str, part: str) -> str:
    """The text with the part between its two marks replaced; the rest is written by hand."""
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{part}\n{end}{after}"


def main(file: Path, made: Callable[[str], str]) -> int:
    """Write a file, or with --check compare it; exit status 1 if it differs from the code.

    made: present text ('' without a file) -> the text that it should have.
    """
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    wanted = made(text)
    if "--check" in sys.argv[1:]:
        if wanted == text:
            return 0
        script = Path(sys.argv[0]).name
        print(f"{file.name} is not what the code says; run python scripts/{script}", file=sys.stderr)
        return 1
    file.write_text(wanted, encoding="utf-8")
    print(file.name)
    return 0
