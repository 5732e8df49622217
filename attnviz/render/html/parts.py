"""The parts of a page as JSON values: one function a kind, in `PARTS`; arrays go into blocks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from attnviz.errors import SelectionError

if TYPE_CHECKING:
    from attnviz.page.parts import Page
    from attnviz.page.parts.part import Part
    from attnviz.render.html.blocks import Blocks

# The kind of a part -> "module:function" of this room, called with the part and the Blocks.
PARTS: dict[str, str] = {
    "Explorer": "explorer:explorer",
}


def part_values(page: Page, blocks: Blocks) -> list[dict[str, Any]]:
    """All parts of a page, and of the pages that follow it, each under its heading."""
    values = [part_value(part, blocks) for part in page.parts]
    for following in page.following:
        values.append({"kind": "Heading", "title": following.title, "subtitle": following.subtitle})
        values += part_values(following, blocks)
        if following.notes:
            values.append({"kind": "Notes", "notes": list(following.notes)})
    return values


def part_value(part: Part, blocks: Blocks) -> dict[str, Any]:
    """One part."""
    name = PARTS.get(type(part).__name__)
    if name is None:
        raise SelectionError(f"a page cannot show a {type(part).__name__}", "write .json or .csv")
    module, _, function = name.partition(":")
    value: dict[str, Any] = getattr(import_module(f"attnviz.render.html.{module}"), function)(part, blocks)
    return value
