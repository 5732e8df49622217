"""A result that is a map per layer, or one token's row of each: what rollout and flow show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from attnviz.analyses.base import Result, option, query_option
from attnviz.attention import Attention, crop, narrowed
from attnviz.errors import SelectionError
from attnviz.facts import facts_of
from attnviz.io.data import rows
from attnviz.page.parts import MapGrid, Page
from attnviz.select import parse_range

if TYPE_CHECKING:
    from attnviz.facts import SourceFacts


@dataclass(frozen=True)
class Shown:
    """Which tokens of a map are shown. Raises SelectionError for what is no range of tokens."""

    query: str | None = query_option()
    tokens: str | None = option(None, "Only these tokens, by index, on both axes.", metavar="3-9")

    def __post_init__(self) -> None:
        try:
            parse_range(self.tokens or "0")
        except SelectionError as error:
            raise SelectionError(f"--tokens: {error}", error.hint) from None


@dataclass(frozen=True)
class Followed(Shown):
    """Options of what follows the mean over heads from layer to layer."""

    residual: float = option(0.5, "Share of the residual stream in each layer, 0 to 1.", metavar="SHARE", shown=True)
    mark: tuple[str, ...] = option(
        (), "Outline a cell, as in it:animal. Repeatable.", metavar="QUERY:KEY", panel="Page"
    )


@dataclass(frozen=True, eq=False)
class Maps(Result):
    """attention: the numbers as its weights [layer, 1, query, key]; `name` is what a number is called in a file.

    query: the one token whose row is shown, None for all. marks: (query, key) of cells to outline.
    """

    facts: SourceFacts
    attention: Attention
    name: str
    query: int | None = None
    marks: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, attention: Attention, name: str, options: Followed) -> Self:
        """The maps of some tokens, with the row and the cells that the options name.

        Raises:
            SelectionError: no such token, or one that is not among the tokens shown.
        """
        attention, row, cells = narrowed(attention, options.tokens, options.query, options.mark)
        return cls(facts_of(attention), attention, name, row, tuple(cells))

    def title(self) -> str:
        return f"{self.facts.title()} · {self.name}"

    @property
    def shown(self) -> Attention:
        """The maps, or the one row that was asked for."""
        return self.attention if self.query is None else crop(self.attention, (self.query, self.query), None)

    def each_row(self) -> Iterator[dict[str, Any]]:
        for row in rows(self.shown):
            yield {self.name if key == "weight" else key: value for key, value in row.items() if key != "head"}

    def page(self) -> Page:
        return Page(title="", parts=(MapGrid(self.attention, self.query, self.marks),))

    def browser(self) -> Page:
        grid = MapGrid(self.attention, self.query, self.marks)
        return Page(self.title(), self.facts.subtitle(), (grid,), tuple(self.facts.remarks()))

    def arrays(self) -> Attention:
        return self.shown
