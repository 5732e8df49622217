"""A number per token, or two that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.page.parts.part import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TokenBars(Part):
    """Bars from 0, one or two per token: a number of each token, or the same number before and after a change.

    values: [token, bar], none below 0. names: of the bars of a token, in order. label: what the numbers are.
    stressed: tokens whose names are bold. rest: the last row sums up all other tokens.
    """

    heading: str
    tokens: Sequence[str]
    values: NDArray[Any]
    names: tuple[str, ...]
    label: str
    stressed: tuple[int, ...] = ()
    rest: bool = False
