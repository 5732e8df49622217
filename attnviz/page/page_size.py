"""The page that a picture of many panels fits unless a size is asked for: upright or across.

Layers run down the page. Where a model has many more layers than heads, they run down several columns side by side,
so that the panels use the page and stay as large as they can.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Size = tuple[float, float]  # width and height in points

PAGES: tuple[Size, ...] = ((960.0, 1320.0), (1120.0, 1120.0), (1320.0, 960.0))  # 2,667 x 3,667 pixels at 200 dpi
_WORDS, _SHARE = 130.0, 0.2  # labels and colour bar beside the panels, words above: points, and share of a page
_GAPS = 1.06  # a panel with the gap after it
_COLUMN = 18.0  # points from one column of layers to the next, for the layers' names
_WORTH = 0.87  # another column of layers is worth its trouble if it makes the panels larger than this allows


class Fit(NamedTuple):
    """page: width and height in points. columns: columns of layers. cell: points a cell can have at most."""

    page: Size
    columns: int
    cell: float


def fit(
    panels: Size, cells: Size, layered: bool, most: float, pages: Sequence[Size] = PAGES, gap: float | None = None
) -> Fit:
    """The page on which cells are largest, and the fewest columns of layers that come near it.

    panels: abreast and stacked; if `layered`, the stacked rows are layers, which may be split into columns. cells:
    down and across in a panel. most: points beyond which a cell need not grow. gap: points between panels; a share of
    the panels by default.
    """
    fits = [
        Fit(page, columns, min(_cell(panels, cells, columns, page, gap), most))
        for columns in (_columns(int(panels[1])) if layered else (1,))
        for page in pages
    ]
    best = max(fit.cell for fit in fits)
    columns = min(fit.columns for fit in fits if fit.cell >= _WORTH * best)
    return max((fit for fit in fits if fit.columns == columns), key=lambda fit: fit.cell)


def panel_room(abreast: int, stacked: int, layered: bool) -> float:
    """Points that the side of a square panel can have on a page."""
    return fit((abreast, stacked), (1, 1), layered, math.inf).cell


def abreast(count: int, panel: Size, target: float, per_layer: int | None = None) -> int:
    """The number of panels side by side, so that all `count` together are near a shape, with few places empty.

    panel: width and height of each. target: width / height of all. per_layer: panels that a layer has; rows that it
    does not fill evenly count as a fault.
    """

    def misfit(across: int) -> float:
        stacked = math.ceil(count / across)
        shape = across * panel[0] / (stacked * panel[1])
        empty = across * stacked - count
        uneven = per_layer is not None and per_layer % across > 0 and across % per_layer > 0
        return abs(math.log(shape / target)) + 0.5 * uneven + 1.5 * empty / (across * stacked)

    return min(range(1, count + 1), key=misfit)


def _columns(layers: int) -> Iterator[int]:
    """Numbers of columns that leave no column empty."""
    return (k for k in range(1, layers + 1) if math.ceil(layers / math.ceil(layers / k)) == k)


def _cell(panels: Size, cells: Size, columns: int, page: Size, gap: float | None) -> float:
    wide, high = (side - min(_WORDS, _SHARE * side) for side in page)
    share, between = (_GAPS, 0.0) if gap is None else (1.0, gap)
    across = (wide - (columns - 1) * _COLUMN) / (columns * panels[0]) - between
    down = high / math.ceil(panels[1] / columns) - between
    return max(min(across / (share * cells[1]), down / (share * cells[0])), 0.01)
