"""Boards: one number per head, rows are layers from top to bottom, columns are heads -> Figure; several side by side.

The first board's left edge is that of the page's title and notes, and of the plot or list that may stand below.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import InputError, SelectionError
from attnviz.page import below
from attnviz.page.below import BASE, SMALL
from attnviz.page.figure import Box, Figure, MapPanel, Scale
from attnviz.page.layout import ordinal
from attnviz.page.parts import Bars, Boards, Depth, Ranges, SignedMaps
from attnviz.page.ranges import SAYS, draw_ranges
from attnviz.page.scale import INKS, WHITE, masked, number, round_up, short, ticks
from attnviz.page.sheet import BAR, UNDER, Sheet, bar_panel, every, finished, no_room, started, worded
from attnviz.page.sizes import SMALLEST
from attnviz.page.text_metrics import MIDDLE, Typeface, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import Board, Page

MARGIN, GAP = 12.0, 26.0  # points: round the page, between boards
SIDE, WIDEST, FINEST = 300.0, 27.0, 5.0  # a board's side, and the side of a cell at most and at least
LARGEST = 420.0  # the side of a board of more cells than there is room for at their finest
PAGE, WIDE = 760.0, 1060.0  # how wide a page becomes by itself, and one of such boards
WORD = 46.0  # the width of a cell with a word in it, at most
BELOW = 4.0 + SMALL + 3.0 + BASE + 4.0  # names of the columns, and what they are
LEAST_NAME = 6.0  # the least size of a colour bar's name; a longer one is cut
LOWEST, HIGHEST = 60.0, 160.0  # the height of a colour bar, unless its name or the board's needs another


def boards_page(page: Page, options: FigureOptions) -> Figure:
    """Boards, and below them at most one plot or list, or the maps of some of their heads.

    Boards of one label and one scale share a colour bar.

    Raises:
        InputError: values are not [layer, head]. SelectionError: no such font, or no room.
    """
    if isinstance(page.parts[-1], SignedMaps):
        from attnviz.page.signed_maps import board_and_maps

        return board_and_maps(page, options)
    part, extra = page.part(Boards), below.first_below(page.parts)
    boards = [_checked(board, part) for board in part.boards]
    if not boards or not len(part.layers) or not len(part.heads):
        raise SelectionError("there is no head to draw")
    texts = [*part.layers, *part.heads, *part.axes, "0123456789.−·≥…", *below.texts_of(extra)]
    texts += [text for board in boards for text in (board.heading, board.label, *_words(board))]
    legend = [f"bars: {extra.columns[1]} pale, {extra.columns[2]} dark"] if isinstance(extra, Bars) else []
    legend += [SAYS] if isinstance(extra, Ranges) else []
    words = worded(page, options, texts, legend)
    if any(np.isnan(np.asarray(board.values, float)).any() for board in boards):
        words.notes.append(f"{masked(WHITE)}: not defined")
    grid = _Grid(words.face, part, boards)
    grid.settle(None if options.width is None else options.width * 72.0)
    words.notes.extend(grid.thinning())
    room = below.room_for(extra, words.face, grid.width - 2 * MARGIN - grid.left)
    wide = grid.width if options.width is not None else max(grid.width, 240.0, room[0] + 2 * MARGIN)
    sizes = {"margin": MARGIN, "indent": grid.left, "foot": 8.0, "base": BASE, "small": SMALL}
    sheet = started(words, wide, shrink=False, scale=grid.scales[0], **sizes)
    left, top, bar_end = grid.place(sheet, extra is not None)
    if isinstance(extra, Depth):
        below.draw_depth(sheet, extra, left, top, len(part.heads) * grid.cell, grid.scales[0])
    elif isinstance(extra, Bars):
        below.draw_bars(sheet, extra, left, top)
    elif extra is not None:
        draw_ranges(sheet, extra, left, top)
    sheet.y = max(top + room[1], bar_end + 4.0) + 2.0
    return finished(sheet, ". ".join(map(ends, boards)))


def _checked(board: Board, part: Boards) -> Board:
    """The board with every text of its cells printable. Raises InputError if its values are not [layer, head]."""
    shape = len(part.layers), len(part.heads)
    if np.shape(board.values) != shape:
        wanted, got = f"[{shape[0]} layers, {shape[1]} heads]", list(np.shape(board.values))
        raise InputError(f"values must be {wanted}; got {got}")
    if board.cell_text is None:
        return board
    return replace(board, cell_text=[[printable(text) for text in row] for row in board.cell_text])


def _shown(names: Sequence[str], step: int) -> list[int]:
    """Every so many names; a word among numbers, such as mlp, instead of the numbers beside it."""
    if not any(name.isdecimal() for name in names):
        return list(range(0, len(names), step))
    words: list[int] = []
    for i, name in enumerate(names):
        if not name.isdecimal() and (not words or i - words[-1] >= step):
            words.append(i)
    numbers = [i for i in range(0, len(names), step) if names[i].isdecimal()]
    return sorted({*words, *(i for i in numbers if all(abs(i - word) >= step for word in words))})


def _word_left_out(names: Sequence[str], shown: Sequence[int]) -> bool:
    """Whether a name is not shown that is no number."""
    return any(not name.isdecimal() for i, name in enumerate(names) if i not in set(shown))


def _words(board: Board) -> list[str]:
    return [text for row in board.cell_text or () for text in row]


@dataclass
class _Grid:
    """Boards of the same rows and columns. `settle` sizes them, `place` draws them.

    left: points from the margin to a board. cell, high: width and height of a cell. abreast: boards side by side.
    beside: room for a colour bar. longest: width of the longest word in a cell.
    """

    face: Typeface
    part: Boards
    boards: Sequence[Board]
    cell: float = 0.0
    high: float = 0.0
    abreast: int = 1
    width: float = 0.0
    gap: float = GAP

    def __post_init__(self) -> None:
        self.rows, self.cols = [str(name) for name in self.part.layers], [str(name) for name in self.part.heads]
        self.scales = [scale_of(board) for board in self.boards]
        self.shared = len(set(self.scales)) <= 1
        self.left = BASE + 6.0 + self._widest(self.rows) + 4.0  # the axis' name and the rows' names
        digits = [number(value) for scale in self.scales for value, _ in ticks("linear", scale.low, scale.high)]
        self.beside = 7.0 + BAR + 4.0 + self._widest(digits) + 1.4 * BASE
        self.headed = max(self.face.width(board.heading, BASE, "bold") for board in self.boards)
        self.longest = self._widest([text for board in self.boards for text in _words(board)])

    def _widest(self, texts: Sequence[str]) -> float:
        return max((self.face.width(text, SMALL) for text in texts), default=0.0)

    # Sizes

    def settle(self, width: float | None) -> None:
        """Choose the size of a cell and the number of boards abreast. width: of the page, None to choose it."""
        roomy = self._roomy_cell()
        n_cols, longest = len(self.cols), self.longest
        beside = self.left - BASE + (0.0 if self.shared else self.beside)  # where a heading may run on
        if width is None:
            self.gap = min(max(GAP, self.headed - n_cols * roomy - beside), 3 * GAP)
            self.beside = max(self.beside, min(self.headed - n_cols * roomy, 3 * GAP) if self.shared else 0.0)
        self.abreast = self._abreast(roomy, width)
        words = min(longest + 5.0, WORD, (PAGE - self._across(self.abreast, 0.0)) / n_cols) if longest else 0.0
        self.cell = max(roomy, words)
        self.high = min(roomy, 0.7 * self.cell) if longest else roomy
        if width is not None:
            self.cell = (width - self._across(self.abreast, 0.0)) / (self.abreast * n_cols)
            self.high = min(self.cell, 1.4 * WIDEST, self.high if longest else self.cell)
            if self.cell < 1.5:
                raise no_room(width, f" for {n_cols} columns")
        self.width = width or self._across(self.abreast, self.cell)

    @property
    def _finest(self) -> float:
        return min(FINEST, LARGEST / max(len(self.rows), len(self.cols)))

    def _roomy_cell(self) -> float:
        """The side of a cell that nobody has asked to be smaller."""
        n_cols, most = len(self.cols), max(len(self.rows), len(self.cols))
        roomy = min(WIDEST, max(SIDE / most, self._finest))
        if len(self.boards) == 1:
            return roomy
        return min(roomy, max(0.62 * SIDE / most, self._finest, 9.0 if n_cols <= 32 else 0.0))

    def _across(self, boards: int, cell: float) -> float:
        """Width of a page with so many boards abreast."""
        bars = 1 if self.shared else boards
        each = self.left + len(self.cols) * cell
        return 2 * MARGIN + boards * each + (boards - 1) * self.gap + bars * self.beside

    def _abreast(self, roomy: float, width: float | None) -> int:
        count, abreast, least = len(self.boards), self.part.abreast, min(roomy, SMALL)
        if width is not None and abreast is not None:
            abreast = max((k for k in range(1, abreast + 1) if self._across(k, least) <= width), default=1)
        if abreast is None:
            page = WIDE if max(len(self.rows), len(self.cols)) * self._finest > SIDE else PAGE
            room, least = (page, roomy) if width is None else (width, least)
            abreast = max((k for k in range(1, count + 1) if self._across(k, least) <= room), default=1)
            abreast = math.ceil(count / math.ceil(count / abreast))  # no last row of one where two can be equal
        return max(1, min(abreast, count))

    def _row_size(self) -> float:
        return max(SMALLEST, min(SMALL, 0.9 * self.high))

    def _steps(self) -> tuple[int, int]:
        """Every how many rows, and every how many columns, one is named."""
        return every(1.25 * self._row_size() / self.high), every((self._widest(self.cols) + 2.5) / self.cell)

    def thinning(self) -> list[str]:
        """Remarks that not every row or column has its name; numbers one after another need none."""
        named = zip(self._steps(), self.part.axes, (self.rows, self.cols), strict=True)
        return [
            f"every {ordinal(step)} {axis} is named"
            for step, axis, names in named
            if step > 1 and _word_left_out(names, _shown(names, step))
        ]

    # Places

    def place(self, sheet: Sheet, followed: bool) -> tuple[float, float, float]:
        """Draw the boards from `sheet.y` on. followed: whether a plot or list stands below them.

        Returns the boards' left edge, where their lowest names end, and where the lowest colour bar ends.
        """
        wide, tall = len(self.cols) * self.cell, len(self.rows) * self.high
        stacked, lowest = followed or len(self.boards) > self.abreast, 0.0
        pitch = self.left + wide + self.gap + (0.0 if self.shared else self.beside)
        above = (1.6 * BASE if self.headed else 0.0) + 2.0
        boxes = []
        for place, (board, scale) in enumerate(zip(self.boards, self.scales, strict=True)):
            row, col = divmod(place, self.abreast)
            x, y = MARGIN + self.left + col * pitch, sheet.y + above + row * (above + tall + BELOW + 8.0)
            boxes.append(Box(x, y, wide, tall))
            self._board(sheet, board, boxes[-1], None if self.shared else scale)
            self._names(sheet, boxes[-1], first=col == 0)
            if not self.shared:
                bar = self._bar(sheet, board, scale, boxes[-1], stacked)
                sheet.panels.append(bar_panel(scale, bar))
                lowest = max(lowest, bar.y + bar.height)
        bottom = max([boxes[-1].y + tall, *([lowest] if lowest else [])])
        if self.shared:
            last = min(self.abreast, len(boxes)) - 1
            sheet.bar_box = bar = self._bar(sheet, self.boards[last], self.scales[0], boxes[last], stacked)
            lowest = bar.y + bar.height
        return boxes[0].x, bottom + BELOW, lowest + 0.4 * SMALL

    def _board(self, sheet: Sheet, board: Board, box: Box, scale: Scale | None) -> None:
        values = np.asarray(board.values, np.float32)
        hidden = ~np.isfinite(values)
        texts, size = self._numbers(board)
        if board.heading:
            room = box.width + self.gap + self.left - BASE + (0.0 if self.shared else self.beside)
            room = min(room, sheet.wide - MARGIN - box.x)
            heading, heading_size = self.face.shrunk(board.heading, BASE, room, "bold")
            sheet.word(heading, box.x, box.y - 0.55 * BASE, heading_size, weight="bold", tone="soft", role="heading")
        sheet.panels.append(
            MapPanel(
                title=board.heading or board.label,
                values=np.where(hidden, 0, values),
                hidden=hidden if hidden.any() else None,
                row_labels=tuple(self.rows),
                col_labels=tuple(self.cols),
                box=box,
                cell_text=texts,
                cell_size=size,
                marks=board.marks,
                scale=scale,
            )
        )

    def _numbers(self, board: Board) -> tuple[tuple[tuple[str, ...], ...], float]:
        texts = numbers(board)
        if board.cell_text is not None:
            size = min(SMALL, 0.62 * self.high)
            cut = [[self.face.cut(text, size, self.cell - 3.0) for text in row] for row in texts]
            pairs = [pair for rows in zip(texts, cut, strict=True) for pair in zip(*rows, strict=True) if pair[0]]
            if size >= SMALLEST and sum(word == shown for word, shown in pairs) >= 0.6 * len(pairs):
                return tuple(map(tuple, cut)), size
            texts = numbers(replace(board, cell_text=None))  # too many of the words would be cut short
        widest = max((self.face.width(text, 1.0) for row in texts for text in row if text), default=0.0)
        size = min(0.82 * self.cell / widest, 0.55 * self.high, 0.9 * BASE) if widest else 0.0
        return (tuple(map(tuple, texts)), size) if size >= SMALLEST else ((), 0.0)

    def _names(self, sheet: Sheet, box: Box, first: bool) -> None:
        """Names of rows and columns, thinned where there is no room, and of both axes; of rows by the first board."""
        size = self._row_size()
        down, along = self._steps()
        for i in range(0, len(self.rows), down):
            y = box.y + (i + 0.5) * self.high + MIDDLE * size
            sheet.word(self.rows[i], box.x - 4.0, y, size, "right", role="row")
        bottom = box.y + box.height + 4.0
        for j in _shown(self.cols, along):
            x = box.x + (j + 0.5) * self.cell
            sheet.word(self.cols[j], x, bottom + 0.75 * SMALL, SMALL, "center", role="column")
        rows_axis, cols_axis = self.part.axes
        if first:
            x, y = box.x - self.left + 0.8 * BASE, box.y + box.height / 2
            sheet.word(rows_axis, x, y, BASE, "center", rotation=90, tone="soft", role="axis")
        x, y = box.x + box.width / 2, bottom + SMALL + 3.0 + 0.8 * BASE
        sheet.word(cols_axis, x, y, BASE, "center", tone="soft", role="axis")

    def _bar(self, sheet: Sheet, board: Board, scale: Scale, beside: Box, stacked: bool) -> Box:
        """The names and numbers of the colour bar at the right of a board; returns the bar's box.

        The bar is as high as its name is long, and its numbers are under the board's heading. stacked: whether
        something stands below; the bar ends above it.
        """
        axis = (self.face.width(self.part.axes[1], BASE) - beside.width) / 2  # how far the name of the columns reaches
        x, y = beside.x + beside.width + max(7.0, axis + 4.0), beside.y
        shift = UNDER if board.heading and beside.x + self.face.width(board.heading, BASE, "bold") > x else 0.0
        most = beside.height + BELOW + 4.0 - shift if stacked else math.inf
        high = min(max(beside.height, min(LOWEST, beside.height + BELOW - shift)), HIGHEST)
        name = scale.label
        if self.face.width(name, BASE) > max(high, most):
            name = name.partition(" (")[0]
        wide = self.face.width(name, BASE)
        high = max(high, min(wide, most, HIGHEST))
        size = max(LEAST_NAME, min(BASE, BASE * high / max(wide, 1.0)))
        box = Box(x, y + shift, BAR, high)
        marks = ticks("linear", scale.low, scale.high, int(high / (1.7 * SMALL)) + 1)
        sheet.beside_bar(box, marks, self.face.cut(name, size, high + 0.1), SMALL, size, 1.15 * BASE)
        if self.shared:
            sheet.bar_ticks = marks
        return box


def scale_of(board: Board) -> Scale:
    """The scale of its colours: as it asks, or to a round number above all values."""
    values = np.asarray(board.values, np.float64)
    known = values[np.isfinite(values)]
    if board.signed:
        high = board.high or round_up(float(np.abs(known).max(initial=0.0)))
        return Scale("linear", -high, high, INKS, board.label)
    high = board.high if board.high is not None else max(round_up(float(known.max(initial=0.0))), board.low)
    return Scale("linear", board.low, high if high > board.low else board.low + 1.0, WHITE, board.label)


def ends(board: Board) -> str:
    """In words: from its smallest to its largest value."""
    values = np.asarray(board.values, np.float64)
    known = values[np.isfinite(values)]
    span = f" from {number(float(known.min()))} to {number(float(known.max()))}" if known.size else ""
    return (board.heading or board.label) + span


def numbers(board: Board) -> list[list[str]]:
    """The texts of the cells: numbers below 2 have two decimals, below 100 one, larger ones none."""
    if board.cell_text is not None:
        return [list(row) for row in board.cell_text]
    values = np.asarray(board.values, np.float64)
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))

    def text(value: float) -> str:
        if not math.isfinite(value):
            return ""
        return short(value, 2) if largest < 2 else f"{value:.{1 if largest < 100 else 0}f}".replace("-", "−")

    if board.least is not None:
        values = _unreached(values, board.least, 2 if largest < 2 else 1 if largest < 100 else 0)
    return [[text(value) for value in row] for row in values.tolist()]


def _unreached(values: NDArray[np.float64], least: NDArray[Any], decimals: int) -> NDArray[np.float64]:
    """Values to be printed: 0.397 is 0.39, not 0.40, where 0.4 is asked for and would seem to be reached."""
    seems = (values < least) & (values.round(decimals) >= np.round(least, decimals))
    return np.where(seems, np.floor(values * 10.0**decimals) / 10.0**decimals, values)
