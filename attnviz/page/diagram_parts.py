"""Parts of the diagrams: cut vectors, thinned matrices, arrows, and tokens of a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page.figure import Box, Line, MapPanel, Scale
from attnviz.page.layout import ordinal
from attnviz.page.sizes import LINE
from attnviz.page.steps_page import LEAST, MARGIN, SMALL, Page, cell_numbers, signed
from attnviz.page.text_metrics import MIDDLE, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDE = 504.0  # points: seven inches
LEFT, RIGHT = MARGIN / 2, WIDE - MARGIN / 2
CELL, ROW = 18.0, 11.0  # of a cell with a number
DOTS = 9.0  # room for an ellipsis
ARROW = 13.0  # from one box to the next
HEAD = 2.4  # sides of an arrow's head
FEWER = 12  # rows that are shown of too many
_NUMBER = 6.0  # the largest number in a cell
_FINEST = 0.9  # the side of a cell without a number


@dataclass(frozen=True)
class Cut:
    """The entries shown along one side of a block, and where they lie.

    total: how many entries there are. runs: neighbours, each with the distance of its first cell from the block's edge
    in points. cell: the side of a cell in points. length: of the whole side, ellipses included.
    """

    total: int
    runs: tuple[tuple[range, float], ...]
    cell: float
    length: float

    @classmethod
    def fitting(cls, total: int, room: float, cell: float = CELL) -> Cut:
        """All entries if they fit `room` points, else the first ones and the last."""
        if total * cell <= room:
            return cls.of(range(total), total, cell)
        count = max(2, int((room - DOTS) / cell))
        return cls.of([*range(count - 1), total - 1], total, cell)

    @classmethod
    def of(cls, indices: Sequence[int], total: int, cell: float, gap: float = DOTS) -> Cut:
        """Chosen entries, in order, with `gap` points wherever some are left out."""
        bounds = [-1, *indices, total]
        runs: list[tuple[range, float]] = []
        at = 0.0
        for before, index in pairwise(bounds):
            at += gap if index - before > 1 else 0.0
            if index == total:
                break
            if runs and index - before == 1:
                runs[-1] = (range(runs[-1][0].start, index + 1), runs[-1][1])
            else:
                runs.append((range(index, index + 1), at))
            at += cell
        return cls(total, tuple(runs), cell, at)

    @property
    def indices(self) -> list[int]:
        """The entries that are shown."""
        return [index for run, _ in self.runs for index in run]

    def middle(self, index: int) -> float:
        """The distance of an entry's middle from the block's edge."""
        return next(at + (index - run.start + 0.5) * self.cell for run, at in self.runs if index in run)

    def gaps(self) -> list[float]:
        """The middles of the ellipses."""
        ends = [(0.0, 0.0), *((at, at + len(run) * self.cell) for run, at in self.runs), (self.length, self.length)]
        return [(end + start) / 2 for (_, end), (start, _) in pairwise(ends) if start - end > 1.0]


ONE = Cut.of(range(1), 1, ROW)


def block(
    page: Page,
    name: str,
    values: NDArray[Any],
    x: float,
    y: float,
    across: Cut,
    down: Cut = ONE,
    scale: Scale | None = None,
    hidden: NDArray[np.bool_] | None = None,
    instead: str = "",
) -> Box:
    """A matrix [row, column] as cells with numbers, cut on both sides.

    name: of its panels, for an SVG. scale: signed, up to the largest of all values, unless another is given.
    hidden: cells drawn grey, with the text `instead` in them. Returns the box of the whole block.
    """
    finite = np.isfinite(values)
    gone = ~finite if hidden is None else hidden | ~finite
    scale = scale or signed(values)
    shown = np.where(finite, values, 0.0).astype(np.float32)
    at = np.ix_(down.indices, across.indices)
    texts, size = _numbers(page, shown[at], gone[at], across.cell, down.cell, instead)
    top = 0
    for rows, dy in down.runs:
        first = 0
        for cols, dx in across.runs:
            box = Box(x + dx, y + dy, len(cols) * across.cell, len(rows) * down.cell)
            part = np.s_[rows.start : rows.stop, cols.start : cols.stop]
            cells = tuple(row[first : first + len(cols)] for row in texts[top : top + len(rows)])
            masked = gone[part] if gone[part].any() else None
            page.panels.append(MapPanel(name, shown[part], masked, (), (), box, cells, size, scale=scale))
            first += len(cols)
        top += len(rows)
        for dx in across.gaps():
            middle = y + dy + len(rows) * down.cell / 2
            page.put("…", x + dx, middle + 0.1 * SMALL, SMALL, align="center", tone="soft")
    return Box(x, y, across.length, down.length)


def _numbers(
    page: Page, values: NDArray[Any], gone: NDArray[np.bool_], cell: float, row: float, instead: str
) -> tuple[tuple[tuple[str, ...], ...], float]:
    """Texts for cells and their size in points, with fewer decimals where the cells are narrow; none if none fit.

    Numbers that are all below 0.1 get another decimal, and lose the 0 before the point.
    """
    top = float(np.abs(values[~gone]).max(initial=0.0))
    small = 0.0 < top < 0.1
    for decimals in range(page.decimals + small if page.decimals else 0, 0, -1):
        texts = cell_numbers(values, gone, decimals)
        if small:
            texts = tuple(tuple(text.replace("0.", ".", 1) for text in line) for line in texts)
        texts = tuple(tuple(text or instead for text in line) for line in texts)
        widest = max((page.face.width(text, 1.0) for line in texts for text in line), default=0.0) or 1.0
        size = min(_NUMBER, 0.9 * cell / widest, 0.7 * row)
        if size >= LEAST:
            return texts, size
    return (), 0.0


def matrix(page: Page, name: str, values: NDArray[Any], x: float, y: float, room: float, high: float) -> Box:
    """A weight matrix [in, out] within `room` x `high` points: every number, or every n-th row and column."""
    rows, cols = values.shape
    steps = [max(1, int(np.ceil(n * _FINEST / side))) for n, side in ((rows, high), (cols, room))]
    drawn = [f"every {ordinal(n)} {side}" for side, n in zip(("row", "column"), steps, strict=True) if n > 1]
    if drawn:
        page.matrices.setdefault(" and ".join(drawn), []).append(name)
    thinned = values[:: steps[0], :: steps[1]]
    rows, cols = thinned.shape
    across = Cut.of(range(cols), cols, min(CELL, room / cols))
    down = Cut.of(range(rows), rows, min(ROW, high / rows))
    return block(page, name, thinned, x, y, across, down)


def arrow(page: Page, x0: float, y0: float, x1: float, y1: float) -> None:
    """A straight arrow, level or upright, from one point to another."""
    page.lines.append(Line(x0, y0, x1, y1, 0.8))
    along, up = np.sign(x1 - x0) * HEAD, np.sign(y1 - y0) * HEAD
    for side in (-0.7, 0.7):
        page.lines.append(Line(x1, y1, x1 - along + side * up, y1 - up + side * along, 0.8))


def labelled(page: Page, x: float, y: float, name: str, rest: str, room: float) -> float:
    """An arrow down to a box, with the box's name and shape beside it; returns the top of the box."""
    arrow(page, x + 5.0, y, x + 5.0, y + ARROW - 2.0)
    named(page, x + 11.0, y + ARROW - 4.0, name, rest, room - 11.0)
    return y + ARROW


def named(page: Page, x: float, y: float, name: str, rest: str, room: float) -> None:
    """A box's name, and behind it its shape or formula, as much as fits."""
    page.put(name, x, y, SMALL, weight="bold")
    indent = page.face.width(name, SMALL, "bold") + 4.0
    page.put(page.face.cut(rest, SMALL, room - indent), x + indent, y, SMALL, tone="soft")


def shape(*sides: int) -> str:
    return f"[{' x '.join(map(str, sides))}]"


def title(page: Page, number: str, text: str, formula: str) -> None:
    """A figure's number and name, and its formula in the same line if it fits, else below."""
    size = SMALL + 2.0
    page.y += 4.0
    page.put(number, LEFT, page.y + 0.8 * size, size, weight="bold", tone="mark")
    indent = LEFT + page.face.width(number, size, "bold") + 5.0
    page.put(text, indent, page.y + 0.8 * size, size, weight="bold")
    end = indent + page.face.width(text, size, "bold") + 12.0
    fits = end + page.face.width(formula, SMALL) <= RIGHT
    if not fits:
        page.y += LINE * size
    page.put(
        page.face.cut(formula, SMALL, RIGHT - LEFT), RIGHT if fits else LEFT, page.y + 0.8 * size, SMALL,
        align="right" if fits else "left", tone="soft",
    )  # fmt: skip
    page.y += LINE * size + 3.0


def remark(page: Page, text: str) -> None:
    """A remark below a figure, in as many lines as it takes."""
    for line in page.face.wrap(text, SMALL, RIGHT - LEFT):
        page.put(line, LEFT, page.y + 0.8 * SMALL, SMALL, tone="soft")
        page.y += LINE * SMALL


def sentence(page: Page, texts: Sequence[str], chosen: int) -> float | None:
    """The tokens of a text as running words, the chosen one marked; of a long text those around it.

    Returns the middle of the chosen word where an arrow can leave it downwards, None if words stand below it.
    """
    size, space = SMALL + 0.5, 6.0
    words = [page.face.cut(printable(text), size, 90.0, "bold") for text in texts]
    widths = [page.face.width(word, size, "bold") + space for word in words]
    room, near = 2.6 * (RIGHT - LEFT), sorted(range(len(words)), key=lambda i: abs(i - chosen))
    fits = int(np.searchsorted(np.cumsum([widths[i] for i in near]), room))
    shown = sorted(near[: max(fits, 1)])
    if len(shown) < len(words):
        page.notes.append(f"{len(shown)} of {len(words)} tokens are written")
    x, middle = LEFT, None
    for i in shown:
        if x > LEFT and x + widths[i] - space > RIGHT:
            x, middle = LEFT, None
            page.y += 1.5 * size
        weight, tone = ("bold", "mark") if i == chosen else ("normal", "ink")
        page.put(words[i], x, page.y + 0.8 * size, size, weight=weight, tone=tone, role="column")
        middle = x + (widths[i] - space) / 2 if i == chosen else middle
        x += widths[i] if i == chosen else page.face.width(words[i], size) + space
    page.y += 1.4 * size
    return middle


def row_names(page: Page, texts: Sequence[str], right: float, y: float, down: Cut, faint: NDArray[np.bool_]) -> None:
    """Names at the left of a block's rows, those of `faint` rows pale; dots where rows are left out."""
    room = right - LEFT
    for run, at in down.runs:
        for i in run:
            middle = y + at + (i - run.start + 0.5) * down.cell
            text = page.face.cut(printable(texts[i]), SMALL, room)
            tone = "faint" if faint[i] else "ink"
            page.put(text, right, middle + MIDDLE * SMALL, SMALL, align="right", tone=tone, role="row")
    for gap in down.gaps():
        page.put("⋮", right - 3.0, y + gap + MIDDLE * SMALL, SMALL, align="right", tone="soft")


def strongest(page: Page, weights: NDArray[Any], what: str, most: int, chosen: int, gap: float) -> Cut:
    """The rows of a block: all if they are at most `most`, else those with the largest weights and the chosen one.

    gap: points between rows where some are left out.
    """
    n = len(weights)
    high = ROW if min(n, most) <= 12 else 9.6
    if n <= most:
        return Cut.of(range(n), n, high)
    page.notes.append(f"{FEWER} of {n} {what} are shown, those with the largest weights")
    order = [chosen, *(i for i in np.argsort(-weights, kind="stable").tolist() if i != chosen)]
    return Cut.of(sorted(order[:FEWER]), n, high, gap)
