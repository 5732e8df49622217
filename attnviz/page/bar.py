"""The colour bar beside a grid of panels: its size and its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.page.scale import number, ticks

if TYPE_CHECKING:
    from attnviz.page.request import Request
    from attnviz.page.sizes import Sizes


def bar_width(sizes: Sizes) -> float:
    return min(9.0, 0.95 * sizes.base)


def bar_height(request: Request, sizes: Sizes) -> float:
    """As high as a panel, or higher where a panel is too low for the numbers beside it."""
    panel = sizes.cell_height * request.rows
    down = request.panel_rows * (panel + sizes.gap_y) - sizes.gap_y
    return max(min(down, max(panel, 18.0 * sizes.base)), min(8.0 * sizes.base, down + sizes.under - sizes.base))


def bar_ticks(request: Request, sizes: Sizes) -> list[tuple[float, float]]:
    """(value, place from 0 to 1) of the numbers beside the colour bar."""
    room = int(bar_height(request, sizes) / (1.7 * sizes.tick_size)) + 1
    return ticks(request.scale.kind, request.scale.low, request.scale.high, room)


def tick_texts(request: Request, values: list[tuple[float, float]]) -> list[str]:
    """The colour bar's numbers; the lowest and the highest say so if there are weights beyond them."""
    if request.scale.kind == "panel":
        return ["low", "high"]
    texts = [number(value) for value, _ in values]
    if request.scale.kind == "linear" and request.scale.low > 0 and texts:
        texts[0] = "≤" + texts[0]
    if request.bar_over and texts:
        texts[-1] = "≥" + texts[-1]
    return texts
