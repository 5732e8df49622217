"""One query's way through one head, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.page.parts.part import Part

if TYPE_CHECKING:
    from attnviz.measures.steps import Steps

DIAGRAMS = ("qkv", "scores", "heads")


@dataclass(frozen=True, eq=False)
class Walk(Part):
    """One query's way through one head, step by step: formulas with shapes, and the numbers of each step.

    decimals: digits after the point; in a picture 0 means no numbers.
    """

    steps: Steps
    decimals: int = 2


@dataclass(frozen=True, eq=False)
class Diagrams(Part):
    """A `Walk` as diagrams. parts: of DIAGRAMS: a token through W_Q, W_K and W_V; its scores; heads into W_O."""

    steps: Steps
    parts: Sequence[str] = DIAGRAMS
    decimals: int = 2
