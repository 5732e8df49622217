"""Write the table of families in docs/models.md from the family files, or check that it is up to date.

    python scripts/make_model_docs.py            write
    python scripts/make_model_docs.py --check    exit status 1 if the table differs from the files

The rest of the page is written by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from generated_files import between, main

from attnviz.families import INDEX, family, known
from attnviz.families._listing import Description, describe

PAGE = Path(__file__).resolve().parent.parent / "docs" / "models.md"
BEGIN, END = "<!-- table: scripts/make_model_docs.py -->", "<!-- end of table -->"
GROUPS = ("Text encoders", "Text decoders", "Encoder-decoders", "Images, sound, and pairs of towers")


def table() -> str:
    """A heading and a table for each group of families."""
    found = [describe(name) for name in known() if name != "npz"]
    return "\n".join(line for name in GROUPS for line in _part(name, [one for one in found if _group(one) == name]))


def _group(one: Description) -> str:
    if one.reads != ("text",) and "decoder" not in one.streams:
        return GROUPS[3]
    if "decoder" in one.streams:
        return GROUPS[2]
    return GROUPS[1] if "causal" in one.mask else GROUPS[0]


def _part(name: str, rows: list[Description]) -> Iterator[str]:
    yield from (f"### {name}", "")
    yield from ("| model_type | what it is | positions | mask | GGUF |", "|---|---|---|---|---|")
    for one in rows:
        names = [kind for kind, file in INDEX["model_types"].items() if file == one.family]
        names.sort(key=lambda kind: kind != one.family)
        gguf = ", ".join(f"`{kind}`" for kind in getattr(family(one.family), "GGUF", ()))
        cells = (", ".join(f"`{kind}`" for kind in names), one.title, ", ".join(one.positions), ", ".join(one.mask))
        yield f"| {' | '.join((*cells, gguf))} |"
    yield ""


def page(text: str) -> str:
    """The page with the table from the code."""
    return between(text, BEGIN, END, table())


if __name__ == "__main__":
    sys.exit(main(PAGE, page))
