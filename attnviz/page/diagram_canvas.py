"""Parts of the diagrams: vectors, thinned matrices, labelled arrows, and tokens of a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.measures.steps import strongest
from attnviz.page.canvas import SMALL, Canvas
from attnviz.page.cut import Cut
from attnviz.page.figure import Box
from attnviz.page.layout import ordinal
from attnviz.page.sizes import LINE
from attnviz.page.text_metrics import MIDDLE, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDE, MARGIN = 504.0, 15.0  # points: seven inches
LEFT, RIGHT = MARGIN, WIDE - MARGIN
CELL, ROW = 18.0, 11.0  # of a cell with a number
NUMBERS = 6.0  # the largest number in a cell
ARROW = 13.0  # from one box to the next
FEWER = 12  # rows that are shown of too many
_FINEST = 0.9  # the side of a cell without a number

ONE = Cut.whole(1, ROW)


def shape(*sides: int) -> str:
    """`[12 x 64]`."""
    return f"[{' x '.join(map(str, sides))}]"


class Diagram(Canvas):
    """A canvas with the things that diagrams are made of."""

    def matrix(self, name: str, values: NDArray[Any], x: float, y: float, room: float, high: float) -> Box:
        """A weight matrix [in, out] within `room` x `high` points: every number, or every n-th row and column."""
        rows, cols = values.shape
        steps = [max(1, int(np.ceil(n * _FINEST / side))) for n, side in ((rows, high), (cols, room))]
        drawn = [f"every {ordinal(n)} {side}" for side, n in zip(("row", "column"), steps, strict=True) if n > 1]
        if drawn:
            self.matrices.setdefault(" and ".join(drawn), []).append(name)
        thinned = values[:: steps[0], :: steps[1]]
        rows, cols = thinned.shape
        across, down = Cut.whole(cols, min(CELL * cols, room)), Cut.whole(rows, min(ROW * rows, high))
        return self.block(name, thinned, x, y, across, down)

    def labelled(self, x: float, y: float, name: str, rest: str, room: float) -> float:
        """An arrow down to a box, with the box's name and shape beside it; returns the top of the box."""
        self.arrow(x + 5.0, y, x + 5.0, y + ARROW - 2.0)
        self.named(x + 11.0, y + ARROW - 4.0, name, rest, room - 11.0)
        return y + ARROW

    def named(self, x: float, y: float, name: str, rest: str, room: float) -> None:
        """A box's name, and behind it its shape or formula, as much as fits."""
        self.word(name, x, y, SMALL, weight="bold")
        indent = self.face.width(name, SMALL, "bold") + 4.0
        self.word(self.face.cut(rest, SMALL, room - indent), x + indent, y, SMALL, tone="soft")

    def title(self, number: str, text: str, formula: str) -> None:
        """A figure's number and name, and its formula in the same line if it fits, else below."""
        size = SMALL + 2.0
        self.y += 4.0
        self.word(number, LEFT, self.y + 0.8 * size, size, weight="bold", tone="mark")
        indent = LEFT + self.face.width(number, size, "bold") + 5.0
        self.word(text, indent, self.y + 0.8 * size, size, weight="bold")
        end = indent + self.face.width(text, size, "bold") + 12.0
        fits = end + self.face.width(formula, SMALL) <= RIGHT
        if not fits:
            self.y += LINE * size
        self.word(
            self.face.cut(formula, SMALL, RIGHT - LEFT), RIGHT if fits else LEFT, self.y + 0.8 * size, SMALL,
            align="right" if fits else "left", tone="soft",
        )  # fmt: skip
        self.y += LINE * size + 3.0

    def remark(self, text: str) -> None:
        """A remark below a figure, in as many lines as it takes."""
        self.y = self.formulas([(text, "")], LEFT, RIGHT - LEFT, self.y)

    def sentence(self, texts: Sequence[str], chosen: int) -> float | None:
        """The tokens of a text as running words, the chosen one marked; of a long text only the tokens around it.

        Returns the middle of the chosen word where an arrow can leave it downwards, None if words stand below it.
        """
        size, space = SMALL + 0.5, 6.0
        words = [self.face.cut(printable(text), size, 90.0, "bold") for text in texts]
        widths = [self.face.width(word, size, "bold") + space for word in words]
        room, near = 2.6 * (RIGHT - LEFT), sorted(range(len(words)), key=lambda i: abs(i - chosen))
        fits = int(np.searchsorted(np.cumsum([widths[i] for i in near]), room))
        shown = sorted(near[: max(fits, 1)])
        if len(shown) < len(words):
            self.notes.append(f"{len(shown)} of {len(words)} tokens are written")
        x, middle = LEFT, None
        for i in shown:
            if x > LEFT and x + widths[i] - space > RIGHT:
                x, middle = LEFT, None
                self.y += 1.5 * size
            weight, tone = ("bold", "mark") if i == chosen else ("normal", "ink")
            self.word(words[i], x, self.y + 0.8 * size, size, weight=weight, tone=tone, role="column")
            middle = x + (widths[i] - space) / 2 if i == chosen else middle
            x += widths[i] if i == chosen else self.face.width(words[i], size) + space
        self.y += 1.4 * size
        return middle

    def token_names(self, texts: Sequence[str], right: float, y: float, down: Cut, faint: NDArray[np.bool_]) -> None:
        """Names at the left of a block's rows, the names of `faint` rows pale; dots where rows are left out."""
        room = right - LEFT
        for run, at in down.runs:
            for i in run:
                middle = y + at + (i - run.start + 0.5) * down.cell
                text = self.face.cut(printable(texts[i]), SMALL, room)
                tone = "faint" if faint[i] else "ink"
                self.word(text, right, middle + MIDDLE * SMALL, SMALL, align="right", tone=tone, role="row")
        for gap in down.gaps():
            self.word("⋮", right - 3.0, y + gap + MIDDLE * SMALL, SMALL, align="right", tone="soft")

    def some_rows(self, weights: NDArray[Any], what: str, most: int, chosen: int, gap: float) -> Cut:
        """The rows of a block: all of at most `most`, else the chosen one and the rows with the largest weights.

        gap: points between rows where some are left out.
        """
        n = len(weights)
        high = ROW if min(n, most) <= 12 else 9.6
        if n <= most:
            return Cut.whole(n, n * high)
        self.notes.append(f"{FEWER} of {n} {what} are shown: the largest weights")
        order = [chosen, *(i for i in strongest(weights) if i != chosen)]
        return Cut.of(sorted(order[:FEWER]), n, high, gap)
