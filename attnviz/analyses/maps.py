"""A result that is a map per layer, or one token's row of each: what rollout and flow show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from attnviz.analyses.base import Result, option
from attnviz.attention import Attention, crop, narrowed
from attnviz.errors import SelectionError
from attnviz.facts import facts_of
from attnviz.io.data import rows
from attnviz.page.parts import MapGrid, Page
from attnviz.select import parse_range

if TYPE_CHECKING:
    from attnviz.facts import SourceFacts

RESIDUAL = "Share of the residual stream in each layer, 0 to 1."


def tokens_option() -> Any:
    """`--tokens`, which means the same in every command that has it; `check_tokens` checks it."""
    return option(None, "Only these tokens, by index, on both axes.", metavar="3-9")


def mark_option() -> Any:
    """`--mark`, which means the same in every command that has it."""
    return option((), "Outline a cell, as in it:animal. Repeatable.", metavar="QUERY:KEY", panel="Page")


def check_tokens(tokens: str | None) -> None:
    """Raise SelectionError where `--tokens` is no range."""
    if tokens is not None:
        try:
            parse_range(tokens)
        except SelectionError as error:
            raise SelectionError(f"--tokens: {error}", error.hint) from None


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
    def of(
        cls, attention: Attention, name: str, tokens: str | None, query: str | None, marks: tuple[str, ...] = ()
    ) -> Self:
        """The maps of some tokens, with the row and the cells that a person named.

        Raises:
            SelectionError: no such token, or one outside of those that are shown.
        """
        attention, row, cells = narrowed(attention, tokens, query, marks)
        return cls(facts_of(attention), attention, name, row, tuple(cells))

    @property
    def shown(self) -> Attention:
        """The maps, or the one row that was asked for."""
        return self.attention if self.query is None else crop(self.attention, (self.query, self.query), None)

    def rows(self) -> Iterator[dict[str, Any]]:
        for row in rows(self.shown):
            yield {self.name if key == "weight" else key: value for key, value in row.items() if key != "head"}

    def page(self) -> Page:
        return Page(title="", parts=(MapGrid(self.attention, self.query, self.marks),))

    def arrays(self) -> Attention:
        return self.shown
