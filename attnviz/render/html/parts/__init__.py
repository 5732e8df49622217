"""The parts of a page as JSON values (`AnyPart` in web/types.d.ts): one function per kind, in `PARTS`.

A function is called with the part and the Blocks, into which arrays go. The files have the names of `page/parts`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from attnviz.errors import SelectionError

if TYPE_CHECKING:
    from attnviz.page.parts import Page
    from attnviz.page.parts.part import Part
    from attnviz.render.html.blocks import Blocks

# The kind of a part -> "module:function" of the room above.
PARTS: dict[str, str] = {
    "Explorer": "explorer:explorer",
    "Boards": "parts.heads:boards",
    "Depth": "parts.heads:depth",
    "Bars": "parts.heads:bars",
    "Ranges": "parts.heads:ranges",
    "WordBoard": "parts.heads:word_board",
    "LinesOfWeight": "parts.lines:lines_of_weight",
    "RunningText": "parts.lines:running_text",
    "SignedMaps": "parts.maps:signed_maps",
    "MapGrid": "parts.maps:map_grid",
    "MapTable": "parts.maps:map_table",
    "Distances": "parts.maps:distances",
    "Cards": "parts.mechanisms:cards",
    "Timings": "parts.mechanisms:timings",
    "Catalogue": "parts.mechanisms:catalogue",
    "Scatter": "parts.planes:scatter",
    "DotProduct": "parts.planes:dot_product",
    "Curves": "parts.planes:curves",
    "Plots": "parts.planes:plots",
    "Walk": "parts.steps:walk",
    "Diagrams": "parts.steps:walk",
    "Table": "parts.tables:table",
    "Sentence": "parts.tables:sentence",
    "Facts": "parts.tables:facts",
    "Listing": "parts.tables:listing",
    "Rows": "parts.tables:rows",
    "TokenBars": "parts.token_bars:token_bars",
    "TokenTable": "parts.tables:token_table",
    "TensorTable": "parts.tables:tensor_table",
    "TensorValues": "parts.tables:tensor_values",
}


def part_values(page: Page, blocks: Blocks) -> list[dict[str, Any]]:
    """All parts of a page, and of the pages that follow it, each under its heading."""
    values = [value for part in page.parts for value in part_value(part, blocks)]
    for following in page.following:
        if following.title or following.subtitle:
            values.append({"kind": "Heading", "title": following.title, "subtitle": following.subtitle})
        values += part_values(following, blocks)
        if following.notes:
            values.append({"kind": "Notes", "notes": list(following.notes)})
    return values


def part_value(part: Part, blocks: Blocks) -> list[dict[str, Any]]:
    """One part; a walk is several in a browser."""
    name = PARTS.get(type(part).__name__)
    if name is None:
        raise SelectionError(f"a page cannot show a {type(part).__name__}", "write .json or .csv")
    module, _, function = name.partition(":")
    value: dict[str, Any] | list[dict[str, Any]]
    value = getattr(import_module(f"attnviz.render.html.{module}"), function)(part, blocks)
    return value if isinstance(value, list) else [value]
