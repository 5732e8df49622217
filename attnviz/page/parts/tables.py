"""Rows of words and numbers, and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.page.parts.part import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.axis import Tokens
    from attnviz.measures.tensors import TensorRow


@dataclass(frozen=True)
class Table(Part):
    """Rows of short texts under a header. align: a letter per column, `l` or `r`. bold: columns to stress.

    A float among the texts is printed with the digits that are asked for. piped: the rows for a pipe where they
    differ: all of them, in their own order.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str | float]]
    align: str
    bold: Sequence[int] = ()
    piped: Sequence[Sequence[str]] | None = None

    def texts(self, decimals: int = 2, *, piped: bool = False) -> list[list[str]]:
        """The rows as they are shown, or as a pipe gets them."""
        rows = self.piped if piped and self.piped is not None else self.rows
        return [[cell if isinstance(cell, str) else f"{cell:.{decimals}f}" for cell in row] for row in rows]


@dataclass(frozen=True, eq=False)
class Rows(Part):
    """The numbers of a result as flat dictionaries: the first of them.

    total: how many rows the result has. more: it has more than that. folded: the rows are behind their caption.
    """

    rows: Sequence[Mapping[str, Any]]
    total: int
    more: bool = False
    folded: bool = False


@dataclass(frozen=True)
class Sentence(Part):
    """A line of words. lead: words in front of it, in `style`, and a colon where both are there."""

    text: str
    lead: str = ""
    style: str = ""


@dataclass(frozen=True)
class Facts(Part):
    """Names and values, one pair per line."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class TokenTable(Part):
    """The tokens of a text: the index, text, id, characters and word of each."""

    tokens: Tokens


@dataclass(frozen=True)
class TensorTable(Part):
    """The tensors of a model with their statistics, and their total."""

    tensors: Sequence[TensorRow]


@dataclass(frozen=True, eq=False)
class TensorValues(Part):
    """One tensor: its statistics, a map and a histogram.

    stored, ours: its name in the file and in attnviz. dtype: as the file calls it. values: of any shape and any number
    type that converts to float64.
    """

    stored: str
    ours: str
    dtype: str
    values: NDArray[Any]


@dataclass(frozen=True)
class Listing(Part):
    """Rows of short words, each with a sentence.

    between: what separates the sentence's items, where it is a list. fold: how many items a window shows; None: all.
    """

    header: Sequence[str]
    rows: Sequence[tuple[Sequence[str], str]]
    between: str = ""
    fold: int | None = None
    styles: Sequence[str] = ()
