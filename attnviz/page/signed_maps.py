"""A board of all heads with a ranking beside it, and below them the maps of the heads that lead the ranking."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from attnviz.page.cell_numbers import printed
from attnviz.page.figure import Box, Figure, Scale
from attnviz.page.parts import Boards, Page, SignedMaps, Table
from attnviz.page.pooled import all_hidden, strongest
from attnviz.page.scale import INKS, WHITE, round_up, short
from attnviz.page.sheet import BASE, BESIDE, MARGIN, SMALL, UNDER, Sheet, below, beside, finished, started, worded
from attnviz.page.sizes import LINE
from attnviz.page.text_metrics import printable

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions

WIDE = 640.0  # points of a page by itself
GAP = 16.0
MOST = 96  # cells of a map's side; beyond, neighbours are drawn as the one with the largest value
NAMES = 58.0  # points for the names of tokens


def board_and_maps(page: Page, options: FigureOptions) -> Figure:
    """A page of `Boards` with one board, a `Table` with the ranking, and `SignedMaps`.

    The board of one head alone is not drawn. Raises SelectionError: no such font, or no room.
    """
    boards, ranking, grid = page.part(Boards), page.part(Table), page.part(SignedMaps)
    board, step = boards.boards[0], math.ceil(max(len(grid.rows), len(grid.cols)) / MOST)
    rows, cols = ([printable(text) for text in names] for names in (grid.rows, grid.cols))
    pooled = [f"drawn as the largest change of {step} x {step} weights a cell"] if step > 1 else []
    notes = [*grid.legend, *pooled]
    words = worded(page, options, [*rows, *cols, board.heading, "0123456789.+−→·|"], notes)
    rows, cols = ([words.face.cut(text, 7.4, NAMES) for text in names] for names in (rows, cols))
    sheet = started(words, WIDE, least=200.0)
    if board.values.size > 1:
        _board(sheet, boards, ranking)
    words.notes.extend(sheet.thinning("layer and head"))
    _maps(sheet, grid, rows, cols, step)
    words.notes.extend(sheet.thinning("token" if step == 1 else "cell"))
    ends = f"{board.heading} {board.values.min():.3f} to {board.values.max():.3f}"
    return finished(sheet, ends)


def _board(sheet: Sheet, part: Boards, ranking: Table) -> None:
    """The board, and beside it the ranking."""
    board, (down, along) = part.boards[0], part.axes
    n_layers, n_heads = board.values.shape
    left = MARGIN + 14.0 + beside(sheet.face, part.layers, 12.0)
    room = 0.52 * sheet.wide if sheet.wide >= 420.0 else sheet.wide - MARGIN  # beside the ranking, or alone
    cell = min(22.0, (room - left - BESIDE) / n_heads)
    high = min(cell, max(240.0 / n_layers, 4.0), 22.0)
    box = Box(left, sheet.y + 14.0, cell * n_heads, high * n_layers)
    scale = Scale("linear", 0.0, round_up(float(board.values.max())), WHITE, board.label)
    texts = [[short(value, 2) if value else "0" for value in row] for row in board.values.tolist()]
    sheet.map(
        board.values, box, scale, title=board.heading, heading=board.heading, rows=part.layers, cols=part.heads,
        printed=texts, marks=board.marks,
    )  # fmt: skip
    how = {"tone": "soft", "role": "axis"}
    if down:
        sheet.word(down, MARGIN + 8.0, box.y + box.height / 2, BASE, "center", rotation=90, **how)
    under = below(sheet.face, part.heads, cell)
    sheet.word(along, box.x + box.width / 2, box.y + box.height + under + BASE, BASE, "center", **how)
    tall = max(box.height, 60.0)
    headed = box.x + sheet.face.width(board.heading, BASE, "bold")  # a board of few heads is narrower than its heading
    bar = box.x + box.width + 7.0
    sheet.bar(scale, bar, box.y + (UNDER if headed > bar else 0.0), tall)
    right = max(box.x + box.width + BESIDE, headed) + 14.0
    end = _ranking(sheet, ranking, right, box.y)
    sheet.y = max(box.y + tall, box.y + box.height + under + BASE, end) + 14.0


def _ranking(sheet: Sheet, ranking: Table, x: float, y: float) -> float:
    """The heads that lead the board, a line each: name, what stands out, numbers; returns where they end."""
    room = sheet.wide - MARGIN - x
    if room < 120.0:
        return y
    sheet.word(ranking.header[0], x, y - 4.0, BASE, weight="bold", tone="soft", role="heading")
    rows = [(name, printable(text), numbers) for name, text, numbers in ranking.texts()]
    widest = max(sheet.face.width(text, SMALL) for _, text, _ in rows)
    named = max(sheet.face.width(name, SMALL, "bold") for name, _, _ in rows) + 10.0
    columns = [x, x + named, x + min(room - 64.0, widest + named + 16.0)]
    for name, text, numbers in rows[: max(1, int(220.0 / (LINE * SMALL)))]:
        y += LINE * SMALL
        sheet.word(name, columns[0], y, weight="bold")
        sheet.word(sheet.face.cut(text, SMALL, columns[2] - columns[1] - 6.0), columns[1], y)
        sheet.word(numbers, columns[2], y)
    return y


def _maps(sheet: Sheet, grid: SignedMaps, rows: list[str], cols: list[str], step: int) -> None:
    """The maps side by side, on one scale. step: of how many rows and columns a cell is drawn."""
    pooled = [strongest(each.values, step) if step > 1 else each.values for each in grid.maps]
    rows, cols = rows[::step], cols[::step]
    high = round_up(max(float(np.abs(values).max()) for values in pooled))
    scale = Scale("linear", -high, high, INKS, grid.label)
    left = MARGIN + beside(sheet.face, rows, 9.0)
    room = sheet.wide - left - MARGIN - BESIDE
    least = 130.0 if sheet.wide >= 420.0 else 70.0
    abreast = min(len(pooled), max(1, int((room + GAP) / (least + GAP))))
    side = min((room + GAP) / abreast - GAP, 300.0)
    tall = side * min(max(len(rows) / len(cols), 0.3), 1.6)
    under = below(sheet.face, cols, side / len(cols), upright=True)
    top = sheet.y + 14.0
    for place, (each, values) in enumerate(zip(grid.maps, pooled, strict=True)):
        row, col = divmod(place, abreast)
        sheet.map(
            values,
            Box(left + col * (side + GAP), top + row * (tall + 24.0), side, tall),
            scale,
            title=each.name,
            heading=f"{each.name}   {each.remark}",
            hidden=all_hidden(each.hidden, step),
            rows=rows,
            cols=cols,
            shown=(col == 0, place + abreast >= len(pooled)),
            printed=printed(values, 2, high) if side / len(cols) >= 13.0 else (),
            upright=True,
        )
    sheet.bar(scale, left + abreast * (side + GAP) - GAP + 7.0, top, max(min(tall, 160.0), 70.0))
    sheet.y = top + math.ceil(len(pooled) / abreast) * (tall + 24.0) - 24.0 + under + 10.0
