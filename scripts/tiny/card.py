"""The tables of docs/tiny.md: `python scripts/tiny/card.py WORK [WORK...]`, the first WORK holds the published run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def near(reports: Sequence[dict[str, dict[str, float]]]) -> Iterator[str]:
    """The distance of the heads, one text per row, runs side by side."""
    yield "| text | tokens |" + "".join(f" js, run {i} | top-1, run {i} |" for i in range(1, len(reports) + 1))
    yield "|---|---:|" + "---:|---:|" * len(reports)
    for what, first in reports[0].items():
        numbers = "".join(f" {one[what]['js']:.4f} | {one[what]['top1']:.3f} |" for one in reports)
        yield f"| {what} | {first['tokens']:,} |{numbers}"


def heads(runs: Sequence[list[dict[str, object]]]) -> Iterator[str]:
    """List what each head does and its distance from the teacher, on unseen text."""
    yield "| head | the teacher's | what the teacher's head does |" + "".join(
        f" js, run {i} | top-1, run {i} |" for i in range(1, len(runs) + 1)
    )
    yield "|---|---|---|" + "---:|---:|" * len(runs)
    for rows in zip(*runs, strict=True):
        one = rows[0]
        numbers = "".join(f" {row['js']:.3f} | {row['top1']:.2f} |" for row in rows)
        places = f"{one['layer']}.{one['head']} | {one['teacher_layer']}.{one['teacher_head']}"
        yield f"| {places} | {one['does']} |{numbers}"


def main() -> None:
    folders = [Path(name) for name in sys.argv[1:]]
    for table, file in ((near, "report.json"), (heads, "heads.json")):
        print("\n".join(table([json.loads((folder / file).read_text()) for folder in folders])), end="\n\n")


if __name__ == "__main__":
    main()
