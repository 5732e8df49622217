"""Bars of tokens as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.html.parts.values import numbers

if TYPE_CHECKING:
    from attnviz.page.parts import TokenBars
    from attnviz.render.html.blocks import Blocks


def token_bars(part: TokenBars, _: Blocks) -> dict[str, Any]:
    """One or two bars per token."""
    return {
        "kind": "TokenBars",
        "heading": part.heading,
        "tokens": list(part.tokens),
        "values": numbers(part.values),
        "names": list(part.names),
        "label": part.label,
        "stressed": list(part.stressed),
        "rest": part.rest,
    }
