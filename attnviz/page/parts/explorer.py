"""Every head of one or several attentions, to be looked at one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.page.parts.part import Part

if TYPE_CHECKING:
    from attnviz.attention import Attention


@dataclass(frozen=True, eq=False)
class Explorer(Part):
    """All heads of these attentions, for a page in a browser; paper and terminals show a `MapGrid`.

    names: what tells them apart, such as the streams of an encoder-decoder. compared: they are two sides of one
    comparison.
    """

    attentions: tuple[Attention, ...]
    names: tuple[str, ...] = ()
    compared: bool = False
