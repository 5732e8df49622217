"""Heads with their nearest kin, in a terminal or as plain columns."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from attnviz.page.similar import heading, remarks, subtitle
from attnviz.render.terminal_columns import number
from attnviz.render.terminal_rows import print_rows

if TYPE_CHECKING:
    from rich.console import Console

    from attnviz.measures.similar import Similarity

HEADER = ("layer", "head", "nearest", "distance", "x", "y")


def print_similar(found: Similarity, out: Console | IO[str] | None = None, *, width: int | None = None) -> None:
    """Print every head in the order of the dendrogram: its nearest head, how far that is, its place in the plane."""
    rows = []
    for head in found.order:
        near = found.nearest(head)
        layer, place = found.names[head]
        named = f"{found.names[near][0]}.{found.names[near][1]}"
        plane = [number(value, 2, "+") for value in found.places[head]]
        rows.append((str(layer), str(place), named, number(found.distances[head, near], 3), *plane))
    notes = ["in the order of the dendrogram: kin stand together", *remarks(found)]
    print_rows(
        rows, HEADER, "rrrrrr", out, width=width, title=heading(found), subtitle=subtitle(found), notes=notes, bold=(3,)
    )
