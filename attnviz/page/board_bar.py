"""The colour bar at the right of a board: as high as its name is long, and its numbers under the board's heading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.page.figure import Box, Label, Line
from attnviz.page.scale import number, ticks

if TYPE_CHECKING:
    from attnviz.page.figure import Scale
    from attnviz.page.text_metrics import Typeface

BAR = 8.0  # points: the width of a bar
NAME, SMALL = 9.0, 7.0  # sizes of its name and of its numbers
LEAST_NAME = 6.0  # the size that a name has at least; a longer one is cut
LOWEST, HIGHEST = 60.0, 160.0  # the height of a bar, unless its name or the board's needs another
UNDER = 3.0  # how far a bar begins below the edge of a board whose heading reaches over it


@dataclass(frozen=True)
class BoardBar:
    """A placed bar. ticks: (value, place from 0 to 1)."""

    box: Box
    ticks: list[tuple[float, float]]
    labels: list[Label]
    lines: list[Line]

    @property
    def bottom(self) -> float:
        """Where the lowest of its numbers ends."""
        return self.box.y + self.box.height + 0.4 * SMALL


def board_bar(face: Typeface, scale: Scale, x: float, y: float, tall: float, spare: float, most: float) -> BoardBar:
    """A bar from x, y on. Lengths are points.

    tall: height of the board. spare: room below the board that its names of columns take. most: how high the bar may
    become where its name is longer than the board is high.
    """
    high = min(max(tall, min(LOWEST, tall + spare)), HIGHEST)
    name = scale.label
    if face.width(name, NAME) > max(high, most):
        name = name.partition(" (")[0]
    high = max(high, min(face.width(name, NAME), most, HIGHEST))
    size = max(LEAST_NAME, min(NAME, NAME * high / max(face.width(name, NAME), 1.0)))
    name = face.cut(name, size, high + 0.1)
    box = Box(x, y, BAR, high)
    edge = x + BAR
    found = ticks("linear", scale.low, scale.high, int(high / (1.7 * SMALL)) + 1)
    texts = [number(value).replace("-", "−") for value, _ in found]
    at = [y + high * (1 - place) for _, place in found]
    labels = [
        Label(text, edge + 4.0, middle + 0.36 * SMALL, SMALL, role="tick")
        for text, middle in zip(texts, at, strict=True)
    ]
    right = edge + 4.0 + max(face.width(text, SMALL) for text in texts) + 1.15 * NAME
    labels.append(Label(name, right, y + high / 2, size, "center", 90, tone="soft", role="bar"))
    return BoardBar(box, found, labels, [Line(edge, middle, edge + 2.0, middle, 0.6) for middle in at])
