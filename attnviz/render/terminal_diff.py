"""The heads that changed most, in a terminal or as plain columns."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from attnviz.page.diff import heading, names, notes, subtitle
from attnviz.render.terminal_columns import number
from attnviz.render.terminal_rows import print_rows

if TYPE_CHECKING:
    from rich.console import Console

    from attnviz.measures.diff import Difference

HEADER = ("layer", "head", "distance", "query", "key", "before", "after", "change")


def print_diff(found: Difference, top: int, out: Console | IO[str] | None = None, *, width: int | None = None) -> None:
    """Print the `top` heads that changed most, each with the weight that changed most in it."""
    queries, keys = found.row_labels, found.column_labels
    rows = []
    for change in found.ranked()[:top]:
        layer, head = names(found, change.layer, change.head)
        weights = (number(change.before, 2), number(change.after, 2), number(change.change, 2, "+"))
        rows.append((layer, head, number(change.distance, 3), queries[change.row], keys[change.column], *weights))
    total = found.distance.size
    shown = [f"{len(rows)} of {total} heads, those that changed most"] if total > len(rows) else []
    print_rows(
        rows,
        HEADER,
        "rrrllrrr",
        out,
        width=width,
        title=heading(found),
        subtitle=subtitle(found),
        notes=[*shown, *notes(found)],
        bold=(2,),
    )
