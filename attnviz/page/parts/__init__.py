"""Page: what a result looks like before it is a picture: a list of parts that knows nothing of points or pixels.

`page.place` places the parts for PNG, SVG and PDF; `render.printer` prints them in a terminal. A new kind of part
needs an entry in both, a new analysis in neither.

Parts are in files by subject. `from attnviz.page.parts import Board` loads the file of boards alone: all thirty kinds
would add 30 ms to the start of every command.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from attnviz.page.parts.part import Part as Part

# ruff: noqa: F403
if TYPE_CHECKING:  # which sees all kinds
    from attnviz.page.parts.curves import *
    from attnviz.page.parts.explorer import *
    from attnviz.page.parts.heads import *
    from attnviz.page.parts.lines import *
    from attnviz.page.parts.maps import *
    from attnviz.page.parts.mechanisms import *
    from attnviz.page.parts.planes import *
    from attnviz.page.parts.steps import *
    from attnviz.page.parts.tables import *
    from attnviz.page.parts.token_bars import *

_FILES = {  # file -> what it holds
    "curves": "Curves",
    "explorer": "Details Explorer Vectors",
    "heads": "Board Boards Depth Entry Bars Ranges WordBoard",
    "lines": "Link LinesPanel LinesOfWeight Paragraph RunningText",
    "maps": "SignedMap SignedMaps MapGrid MapTable Distances",
    "mechanisms": "DISTANCE Card Cards Timing Timings Catalogue",
    "planes": "Scatter DotProduct Plot Plots",
    "steps": "DIAGRAMS Walk Diagrams",
    "token_bars": "TokenBars",
    "tables": "Table Rows Sentence Facts TokenTable TensorTable TensorValues Listing",
}
_KIND = TypeVar("_KIND")


def __getattr__(name: str) -> Any:
    """A kind of part, from its file."""
    for file, names in _FILES.items():
        if name in names.split():
            return getattr(import_module(f"{__name__}.{file}"), name)
    raise AttributeError(name)


@dataclass(frozen=True, eq=False)
class Page:
    """A title and the parts that are shown, from top to bottom.

    notes: one-line remarks below everything. shading: the notes that speak of colours alone, left out where a
    terminal has none. following: pages with titles of their own, which a terminal prints next.
    """

    title: str = ""
    subtitle: str = ""
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    following: tuple[Page, ...] = ()
    shading: tuple[str, ...] = ()

    def part(self, kind: type[_KIND]) -> _KIND:
        """The first part of a kind."""
        return next(part for part in self.parts if isinstance(part, kind))
