"""Numbers in the cells of maps: whether they fit, which are printed, and from which width on they would fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.errors import SelectionError
from attnviz.page.scale import number, round_up, short
from attnviz.page.text_metrics import SMALLEST

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnviz.page.figure import Scale
    from attnviz.page.placing import Placed
    from attnviz.page.text_metrics import Typeface

MOST = 4000  # numbers over all panels: more are texture, and take seconds
WIDEST = 24.0  # inches: a wider picture is not offered for the sake of its numbers


def printed(values: NDArray[np.float32], decimals: int, high: float) -> list[list[str]]:
    """Texts for the cells [row][column] of a map whose colours end at `high`, '' for a number near 0."""
    least = least_printed(decimals, high)
    return [[short(value, decimals) if abs(value) >= least else "" for value in row] for row in values.tolist()]


def least_printed(decimals: int, high: float) -> float:
    """The smallest number that is printed, by its size."""
    return max(10.0**-decimals, round_up(0.045 * high))


@dataclass(frozen=True)
class CellNumbers:
    """Numbers to be printed in cells.

    values: [panel][row, column]. scale: of all panels. decimals: digits after the point; 0 prints none.
    """

    values: Sequence[NDArray[np.float32]]
    scale: Scale
    face: Typeface
    decimals: int

    @property
    def least(self) -> float:
        return least_printed(self.decimals, self.scale.high)

    @property
    def wanted(self) -> bool:
        """Whether numbers are asked for, and not too many."""
        return self.decimals > 0 and sum(int((abs(values) >= self.least).sum()) for values in self.values) <= MOST

    def note(self) -> str:
        """`numbers below 0.03 left out`, or ''."""
        if not any(bool(((abs(values) < self.least) & (values != 0)).any()) for values in self.values):
            return ""
        return f"numbers {'nearer to 0 than' if self.scale.low < 0 else 'below'} {number(self.least)} left out"

    def size(self, wide: float, high: float, base: float) -> float:
        """Points of the numbers in cells of this width and height, 0 where there is no room. base: of other labels."""
        if wide < 6:
            return 0.0
        widest = self.face.width(("−." if self.scale.low < 0 else ".") + "0" * self.decimals, 1.0)
        size = min(0.74 * wide / widest, 0.55 * high, 0.9 * base)
        return size if size >= 1.1 * SMALLEST else 0.0

    def texts(self) -> list[tuple[tuple[str, ...], ...]]:
        """The numbers [panel][row][column], '' where one is left out."""
        maps = (printed(values, self.decimals, self.scale.high) for values in self.values)
        return [tuple(map(tuple, rows)) for rows in maps]

    def width_wanted(self, placed: Placed, arrange: Callable[[float], Placed]) -> float | None:
        """The least width in inches, to a half, at which the numbers fit; None where no picture is that wide.

        placed: the layout without room for numbers. arrange: the layout of the same maps for a width in points.
        """
        cell = max(min(placed.sizes.cols.cell, placed.sizes.rows.cell), 0.1)
        widest = self.face.width(("−." if self.scale.low < 0 else ".") + "0" * self.decimals, 1.0)
        needed = 1.1 * SMALLEST * max(widest / 0.74, 1 / 0.55)
        maps = sum(box.width for box in placed.boxes if box.y == placed.boxes[0].y)
        inches = math.ceil(2 * (placed.width + maps * max(needed / cell - 1.0, 0.0)) / 72) / 2
        while inches <= WIDEST:
            try:
                if self.size(*arrange(inches * 72).cell):
                    return inches
            except SelectionError:  # no room for a panel
                return None
            inches = math.ceil(2 * inches * 1.12) / 2  # labels grow too, and panels may stand otherwise
        return None
