"""A board: one number a head, rows are layers from top to bottom, columns are heads -> Figure. Several side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import InputError, SelectionError
from attnviz.page.board_bar import BAR, UNDER, board_bar
from attnviz.page.board_values import ends, numbers, scale_of
from attnviz.page.figure import Box, Figure, Label, Line, MapPanel, Scale
from attnviz.page.layout import ordinal
from attnviz.page.options import PIXELS
from attnviz.page.parts import Board
from attnviz.page.scale import WHITE, check_cmap, masked, number, ticks
from attnviz.page.sizes import LINE, SMALLEST
from attnviz.page.text_metrics import MIDDLE, Typeface, one_line, typeface
from attnviz.page.wording import font_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARGIN, GAP, BASE, SMALL = 12.0, 26.0, 9.0, 7.0  # points: round the page, between boards, sizes of text
SIDE, WIDEST, FINEST = 300.0, 27.0, 5.0  # a board's side, and the side of a cell at most and at least
LARGEST = 420.0  # the side of a board of more cells than there is room for at their finest
PAGE, WIDE = 760.0, 1060.0  # how wide a page becomes by itself, and one of such boards
WORD = 46.0  # the width of a cell with a word in it, at most
BELOW = 4.0 + SMALL + 3.0 + BASE + 4.0  # names of the columns, and what they are
_STEPS = (1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 100)


def board(
    values: NDArray[Any],
    *,
    layers: Sequence[int | str],
    heads: Sequence[int | str],
    label: str,
    title: str = "",
    subtitle: str = "",
    signed: bool = False,
    low: float = 0.0,
    high: float | None = None,
    marks: Sequence[tuple[int, int]] = (),
    cell_text: Sequence[Sequence[str]] | None = None,
    **how: Any,
) -> Figure:
    """One board. Arguments as for `Board` and `boards`."""
    one = Board(values, label, "", signed, low, high, tuple(marks), cell_text)
    return boards([one], layers=layers, heads=heads, title=title, subtitle=subtitle, **how)


def boards(
    all: Sequence[Board],
    *,
    layers: Sequence[int | str],
    heads: Sequence[int | str],
    title: str = "",
    subtitle: str = "",
    notes: Sequence[str] = (),
    axes: tuple[str, str] = ("layer", "head"),
    abreast: int | None = None,
    cmap: str = WHITE,
    width: float | None = None,
    dpi: float | None = None,
    font: str | None = None,
    svg_text: str = "keep",
    room: tuple[float, float] = (0.0, 0.0),
    words: Sequence[str] = (),
    meta: Mapping[str, str] | None = None,
) -> Figure:
    """Boards of the same layers and heads; boards of one label and one scale share a colour bar.

    Args:
        all: one or more.
        layers, heads: what rows and columns are called, by default their true indices. axes: what both are.
        title, subtitle: of the page. notes: remarks to stand below.
        abreast: boards side by side; by default as many as a page has room for.
        cmap: of values from 0 up; signed ones have red and blue.
        room: width and height in points to be left free between the boards and the notes, for what a caller draws;
            words: the texts of that, for which there must be a font.
        width: inches. dpi, font, svg_text, meta: as for `attnviz.page.heatmap.heatmap`.

    Raises:
        InputError: values are not [layer, head]. SelectionError: no such font or colours, or no room.
    """
    shape = (len(layers), len(heads))
    for one in all:
        if np.shape(one.values) != shape:
            raise InputError(f"values must be [{shape[0]} layers, {shape[1]} heads]; got {list(np.shape(one.values))}")
    if not all or not min(shape):
        raise SelectionError("there is no head to draw")
    scales = [scale_of(one, check_cmap(cmap)) for one in all]
    rows, cols = ([str(name) for name in names] for names in (layers, heads))
    said = list(notes)
    if any(np.isnan(np.asarray(one.values, float)).any() for one in all):
        said.append(f"{masked(cmap)}: not defined")
    texts = [title, subtitle, *said, *words, *rows, *cols, *axes, "0123456789.−·≥…"]
    texts += [text for one in all for row in one.cell_text or () for text in row]
    face = typeface(font, [*texts, *(text for one in all for text in (one.heading, one.label))])
    said += [note for note in [font_note(face)] if note]
    page = _Page(face, rows, cols, axes, scales, room)
    longest = max((face.width(text, SMALL) for one in all for row in one.cell_text or () for text in row), default=0.0)
    headed = max(face.width(one.heading, BASE, "bold") for one in all)
    page.settle(len(all), abreast, None if width is None else width * 72.0, headed, longest)
    said += page.thinning()
    placed = page.place(all, scales, one_line(title), one_line(subtitle), said)
    dots = dpi or 200.0
    if page.width * page.height * (dots / 72) ** 2 > PIXELS:
        raise SelectionError("a picture of so many heads is too large", "choose fewer layers or a lower dpi")
    spoken = [ends(one) for one in all]
    return Figure(
        width=page.width,
        height=page.height,
        panels=tuple(placed),
        scale=scales[0],
        title=one_line(title),
        subtitle=one_line(subtitle),
        caption=one_line(". ".join(part.rstrip(".") for part in (title, subtitle, *spoken, *said) if part) + "."),
        notes=tuple(said),
        labels=tuple(page.labels),
        lines=tuple(page.lines),
        bar=page.bar,
        bar_ticks=tuple(page.bar_ticks),
        face=face,
        font=face.family,
        font_size=BASE,
        dpi=dots,
        svg_text=svg_text,
        meta=dict(meta or {}),
    )


class _Page:
    """Sizes first, then places."""

    def __init__(
        self,
        face: Typeface,
        rows: Sequence[str],
        cols: Sequence[str],
        axes: tuple[str, str],
        scales: Sequence[Scale],
        room: tuple[float, float],
    ) -> None:
        """scales: one a board."""
        self.room = room
        self.face, self.rows, self.cols, self.axes = face, rows, cols, axes
        self.shared = len(set(scales)) <= 1
        self.labels: list[Label] = []
        self.lines: list[Line] = []
        self.bar: Box | None = None
        self.bar_ticks: list[tuple[float, float]] = []
        widest = max(face.width(name, SMALL) for name in rows)
        self.left = BASE + 6.0 + widest + 4.0  # the axis' name and the rows' names
        figures = [number(value) for scale in scales for value, _ in ticks("linear", scale.low, scale.high)]
        longest = max((face.width(text, SMALL) for text in figures), default=0.0)
        self.beside = 7.0 + BAR + 4.0 + longest + 1.4 * BASE  # a colour bar
        self.width = self.height = self.lowest = 0.0
        self.bounded: float | None = None
        self.gap = GAP

    def settle(self, count: int, abreast: int | None, width: float | None, headed: float, longest: float) -> None:
        """How large a cell is, and how many boards stand side by side.

        headed, longest: the width of the longest heading, and of the longest word in a cell, in points.
        """
        n_rows, n_cols = len(self.rows), len(self.cols)
        self.above = (1.6 * BASE if headed else 0.0) + 2.0
        finest = min(FINEST, LARGEST / max(n_rows, n_cols))
        roomy = min(WIDEST, max(SIDE / max(n_rows, n_cols), finest))
        if count > 1:
            roomy = min(roomy, max(0.62 * SIDE / max(n_rows, n_cols), finest, 9.0 if n_cols <= 32 else 0.0))

        beside = self.left - BASE + (0.0 if self.shared else self.beside)  # where a heading may run on
        if width is None:
            self.gap = min(max(GAP, headed - n_cols * roomy - beside), 3 * GAP)
            self.beside = max(self.beside, min(headed - n_cols * roomy, 3 * GAP) if self.shared else 0.0)

        def across(boards: int, cell: float) -> float:
            bars = 1 if self.shared else boards
            return 2 * MARGIN + boards * (self.left + n_cols * cell) + (boards - 1) * self.gap + bars * self.beside

        if width is not None and abreast is not None:
            least = min(roomy, SMALL)
            abreast = max((k for k in range(1, abreast + 1) if across(k, least) <= width), default=1)
        if abreast is None:
            page = WIDE if max(n_rows, n_cols) * finest > SIDE else PAGE
            room, least = (page, roomy) if width is None else (width, min(roomy, SMALL))
            abreast = max((k for k in range(1, count + 1) if across(k, least) <= room), default=1)
            stacked = math.ceil(count / abreast)
            abreast = math.ceil(count / stacked)  # no last row of one where two rows can be equal
        self.abreast = max(1, min(abreast, count))
        words = min(longest + 5.0, WORD, (PAGE - across(self.abreast, 0.0)) / n_cols) if longest else 0.0
        self.cell = max(roomy, words)
        self.high = min(roomy, 0.7 * self.cell) if longest else roomy
        if width is not None:
            spare = width - across(self.abreast, 0.0)
            self.cell = spare / (self.abreast * n_cols)
            self.high = min(self.cell, 1.4 * WIDEST, self.high if longest else self.cell)
            if self.cell < 1.5:
                raise SelectionError(
                    f"a width of {width / 72:g} in leaves no room for {n_cols} columns", "ask for a larger one"
                )
        self.bounded, self.width = width, width or across(self.abreast, self.cell)

    def place(
        self, all: Sequence[Board], scales: Sequence[Scale], title: str, subtitle: str, notes: Sequence[str]
    ) -> list[MapPanel]:
        if self.bounded is None:
            self.width = max(self.width, 240.0, self.room[0])
        text_x, room = MARGIN + self.left, self.width - 2 * MARGIN - self.left
        y = MARGIN
        y = self._text(title, text_x, y, 12.0, room, weight="bold", role="title")
        y = self._text(subtitle, text_x, y, BASE, room, tone="soft", role="subtitle") + 6.0
        panels: list[MapPanel] = []
        wide, tall = len(self.cols) * self.cell, len(self.rows) * self.high
        stacked = len(all) > self.abreast
        pitch = self.left + wide + self.gap + (0.0 if self.shared else self.beside)
        for place, (one, scale) in enumerate(zip(all, scales, strict=True)):
            row, col = divmod(place, self.abreast)
            box = Box(
                MARGIN + self.left + col * pitch,
                y + self.above + row * (self.above + tall + BELOW + 8.0),
                wide,
                tall,
            )
            panels.append(self._board(one, box, None if self.shared else scale))
            self._names(box, first=col == 0)
            if not self.shared:
                panels.append(self._bar(scale, box, one, stacked))
        bottom = max(panel.box.y + panel.box.height for panel in panels) + BELOW + self.room[1]
        if self.shared:
            last = min(self.abreast, len(panels)) - 1
            self._bar(scales[0], panels[last].box, all[last], stacked)
        below = max(bottom, self.lowest + 4.0) + 2.0
        bottom = self._text(" · ".join(notes), text_x, below, SMALL, room, tone="soft", role="note")
        self.height = bottom + MARGIN - 4.0
        return panels

    def _text(self, text: str, x: float, y: float, size: float, room: float, **how: Any) -> float:
        for line in self.face.wrap(text, size, room, how.get("weight", "normal")) if text else []:
            self.labels.append(Label(line, x, y + 0.8 * size, size, **how))
            y += LINE * size
        return y

    def _board(self, one: Board, box: Box, scale: Scale | None) -> MapPanel:
        values = np.asarray(one.values, np.float32)
        hidden = ~np.isfinite(values)
        printed, size = self._numbers(one)
        if one.heading:
            room = box.width + self.gap + self.left - BASE + (0.0 if self.shared else self.beside)
            room = min(room, self.width - MARGIN - box.x)
            heading, heading_size = self.face.shrunk(one.heading, BASE, room, "bold")
            at = (box.x, box.y - 0.55 * BASE, heading_size)
            self.labels.append(Label(heading, *at, weight="bold", tone="soft", role="heading"))
        return MapPanel(
            title=one.heading or one.label,
            values=np.where(hidden, 0, values),
            hidden=hidden if hidden.any() else None,
            row_labels=tuple(self.rows),
            col_labels=tuple(self.cols),
            box=box,
            cell_text=printed,
            cell_size=size,
            marks=one.marks,
            scale=scale,
        )

    def _numbers(self, one: Board) -> tuple[tuple[tuple[str, ...], ...], float]:
        texts = numbers(one)
        if one.cell_text is not None:
            size = min(SMALL, 0.62 * self.high)
            cut = [[self.face.cut(text, size, self.cell - 3.0) for text in row] for row in texts]
            words = [
                (a, b) for row, shown in zip(texts, cut, strict=True) for a, b in zip(row, shown, strict=True) if a
            ]
            if size >= SMALLEST and sum(a == b for a, b in words) >= 0.6 * len(words):
                return tuple(map(tuple, cut)), size
            texts = numbers(replace(one, cell_text=None))  # too many of the words would be cut short
        widest = max((self.face.width(text, 1.0) for row in texts for text in row if text), default=0.0)
        if not widest:
            return (), 0.0
        size = min(0.82 * self.cell / widest, 0.55 * self.high, 0.9 * BASE)
        if size < SMALLEST:
            return (), 0.0
        return tuple(map(tuple, texts)), size

    def _row_size(self) -> float:
        return max(SMALLEST, min(SMALL, 0.9 * self.high))

    def _steps(self) -> tuple[int, int]:
        """Of how many rows and of how many columns one is named."""
        widest = max(self.face.width(name, SMALL) for name in self.cols)
        return _step(1.25 * self._row_size() / self.high), _step((widest + 2.5) / self.cell)

    def thinning(self) -> list[str]:
        """Remarks that not every row or column has its name; numbers one after another need none."""
        named = zip(self._steps(), self.axes, (self.rows, self.cols), strict=True)
        return [
            f"every {ordinal(step)} {axis} is named"
            for step, axis, names in named
            if step > 1 and not all(name.isdecimal() for name in names)
        ]

    def _names(self, box: Box, first: bool) -> None:
        """Names of rows and columns, thinned where there is no room, and of both axes; of rows by the first board."""
        n_rows, n_cols = len(self.rows), len(self.cols)
        size = self._row_size()
        down, along = self._steps()
        for i in range(0, n_rows, down):
            y = box.y + (i + 0.5) * self.high + MIDDLE * size
            self.labels.append(Label(self.rows[i], box.x - 4.0, y, size, "right", role="row"))
        for j in range(0, n_cols, along):
            x = box.x + (j + 0.5) * self.cell
            y = box.y + box.height + 4.0 + 0.75 * SMALL
            self.labels.append(Label(self.cols[j], x, y, SMALL, "center", role="column"))
        x = box.x - self.left + 0.8 * BASE
        how: dict[str, Any] = {"tone": "soft", "role": "axis"}
        if first:
            self.labels.append(Label(self.axes[0], x, box.y + box.height / 2, BASE, "center", 90, **how))
        y = box.y + box.height + 4.0 + SMALL + 3.0 + 0.8 * BASE
        self.labels.append(Label(self.axes[1], box.x + box.width / 2, y, BASE, "center", **how))

    def _bar(self, scale: Scale, beside: Box, one: Board, stacked: bool) -> MapPanel:
        """A colour bar to the right of a box: the Figure's own where it is shared, else a panel that looks like it.

        one: the board in that box. stacked: whether others stand below.
        """
        axis = (self.face.width(self.axes[1], BASE) - beside.width) / 2  # how far the name of the columns reaches out
        x = beside.x + beside.width + max(7.0, axis + 4.0)
        over = bool(one.heading) and beside.x + self.face.width(one.heading, BASE, "bold") > x
        shift = UNDER if over else 0.0
        # It ends above what stands below: other boards, or what the caller draws.
        most = beside.height + BELOW + 4.0 - shift if stacked or self.room[1] else math.inf
        placed = board_bar(self.face, scale, x, beside.y + shift, beside.height, BELOW - shift, most)
        self.labels += placed.labels
        self.lines += placed.lines
        self.lowest = max(self.lowest, placed.bottom)
        if self.shared:
            self.bar, self.bar_ticks = placed.box, placed.ticks
        steps = np.linspace(scale.high, scale.low, 64, dtype=np.float32)[:, None]
        names = ("",) * 64
        return MapPanel(f"bar {scale.label}", steps, None, names, ("",), placed.box, scale=scale)


def _step(needed: float) -> int:
    """Every how many names there is room for one."""
    return next((step for step in _STEPS if step >= needed), _STEPS[-1])
