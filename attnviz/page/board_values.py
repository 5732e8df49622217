"""The values of a board: the scale of their colours, their ends in words, and the numbers in its cells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page.figure import Scale
from attnviz.page.parts import Board
from attnviz.page.scale import INKS, WHITE, number, round_up, short

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    """What is printed in the cells: two decimals below 2, one below 100, none above."""
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
