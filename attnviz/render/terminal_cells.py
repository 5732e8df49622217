"""Cells of a map in a terminal.

A map is drawn in one of three ways, whichever the terminal allows:

    half     one column a cell and two rows of cells a line: the upper half block in two colours
    tall     two columns a cell and one line a row: the background's colour
    glyphs   one or two columns a cell and one line a row, with a ramp of glyphs instead of colours
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from attnviz.page.colours import RGB, is_dark
from attnviz.render.background import Ground
from attnviz.render.terminal_screen import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from rich.style import Style
    from rich.text import Text

    from attnviz.page.figure import Scale

RAMP = " .:-=+*#%@"
HATCH = "/"  # a cell where no attending was allowed, in a ramp of glyphs
DOT = "·"  # the same in a table of numbers
SIGNED_RAMP = "Mm- +pP"  # from the largest minus to the largest plus
EIGHTHS = " ▏▎▍▌▋▊▉█"


@lru_cache(maxsize=4096)
def colours(ink: RGB | None, ground: RGB | None) -> Style:
    """The rich style of these red, green, blue triples."""
    from rich.color import Color
    from rich.style import Style

    return Style(
        color=None if ink is None else Color.from_rgb(*ink),
        bgcolor=None if ground is None else Color.from_rgb(*ground),
    )


@lru_cache(maxsize=4096)
def ink_on(ground: RGB) -> RGB:
    """Black or white, whichever reads better on a colour."""
    return (255, 255, 255) if is_dark(np.array(ground, np.uint8)) else (0, 0, 0)


def paint(
    unit: NDArray[np.float32],
    hidden: NDArray[np.bool_] | None,
    cmap: str,
    ground: Ground,
    zero: NDArray[np.bool_] | None = None,
) -> list[list[RGB | None]]:
    """Positions on a colour map [row, column] as colours [row][column], None where the background shows.

    A hidden or not-a-number cell has the ground's colour for masked ones. zero: see `Ground.colours`.
    """
    gone = np.isnan(unit) if hidden is None else hidden | np.isnan(unit)
    rgb, bare = ground.colours(np.where(gone, 0, unit), cmap, zero)
    rgb[gone] = ground.masked(cmap)
    return [
        [None if nothing else (r, g, b) for (r, g, b), nothing in zip(row, none, strict=True)]
        for row, none in zip(rgb.tolist(), (bare & ~gone).tolist(), strict=True)
    ]


def half_lines(colour: Sequence[Sequence[RGB | None]]) -> list[Text]:
    """Rows of cells in lines of half height: the upper row is the glyph's colour, the lower its ground.

    Where the upper cell is the background, the glyph is a lower half.
    """
    from rich.text import Text

    lines = []
    for top in range(0, len(colour), 2):
        line = Text()
        lower = colour[top + 1] if top + 1 < len(colour) else [None] * len(colour[top])
        for upper_rgb, lower_rgb in zip(colour[top], lower, strict=True):
            if upper_rgb is not None:
                line.append("▀", colours(upper_rgb, lower_rgb))
            else:
                line.append("▄" if lower_rgb is not None else " ", colours(lower_rgb, None))
        lines.append(line)
    return lines


def tall_lines(colour: Sequence[Sequence[RGB | None]], width: int = 2) -> list[Text]:
    """One line a row of cells, each cell `width` spaces on its colour."""
    from rich.text import Text

    lines = []
    for row in colour:
        line = Text()
        for rgb in row:
            line.append(" " * width, colours(None, rgb))
        lines.append(line)
    return lines


def glyph_lines(
    unit: NDArray[np.float32], hidden: NDArray[np.bool_] | None, width: int = 1, ramp: str = RAMP
) -> list[Text]:
    """One line a row of cells, each cell a glyph of the ramp."""
    from rich.text import Text

    gone = np.isnan(unit) if hidden is None else hidden | np.isnan(unit)
    level = np.clip(np.where(gone, 0, unit) * len(ramp), 0, len(ramp) - 1).astype(int)
    glyphs = np.array(list(ramp))[level]
    glyphs[gone] = HATCH
    return [Text("".join(g * width for g in row)) for row in glyphs]


def bar(fraction: float, width: int, blocks: bool) -> str:
    """A horizontal bar, at most `width` columns, to an eighth of a column; what is above 0 is never invisible."""
    if not fraction > 0:
        return ""
    if not blocks:
        return "#" * max(1, round(min(fraction, 1.0) * width))
    eighths = max(1, round(min(fraction, 1.0) * width * 8))
    return EIGHTHS[8] * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")


def legend(scale: Scale, screen: Screen, masked: str, numbers: bool) -> list[Text]:
    """The ends of the scale, what lies between them, and the mark of a masked cell: one line where it fits.

    masked: why cells are masked, or ''. numbers: the cells hold numbers, a masked one a dot; without colour they need
    no scale.
    """
    from rich.text import Text

    parts = [] if numbers and not screen.colour else [_ends(scale, screen), Text(scale.label)]
    if masked:
        dot = DOT if screen.blocks else "."
        note = Text()
        if screen.colour:
            under = screen.ground.masked(scale.cmap)
            note.append(f" {dot} " if numbers else "   ", colours(ink_on(under), under))
        else:
            note.append(dot if numbers else HATCH)
        parts.append(note.append(f" {masked}"))
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + 2 + part.cell_len <= screen.width:
            lines[-1] = Text("  ").join([lines[-1], part])
        else:
            lines.append(part)
    return [short for line in lines for short in line.wrap(screen.console, screen.width)]


def _ends(scale: Scale, screen: Screen) -> Text:
    """`0 ██████ 1`, or the ramp between bars."""
    from rich.text import Text

    low, high = ("0", "1") if scale.kind == "row" else (f"{scale.low:.3g}", f"{scale.high:.3g}")
    line = Text(low + " ")
    if not screen.colour:
        return line.append(f"|{SIGNED_RAMP if scale.low < 0 else RAMP}| {high}")
    steps = min(32, max(8, screen.width // 4))
    for rgb in paint(np.linspace(0, 1, steps, dtype=np.float32)[None], None, scale.cmap, screen.ground)[0]:
        line.append("█" if screen.blocks and rgb is not None else " ", colours(rgb, rgb))
    return line.append(f" {high}")


def pooled(
    values: NDArray[np.float32], hidden: NDArray[np.bool_] | None, rows: int, cols: int, signed: bool
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Cells of `rows` x `cols` neighbours, each the largest that is not hidden (signed: the largest by size).

    values [row, column] -> [ceil(row / rows), ceil(column / cols)]; a cell with nothing to show is hidden.
    """
    if rows == 1 and cols == 1:
        return values, hidden
    gone = np.isnan(values) if hidden is None else hidden | np.isnan(values)
    at_rows, at_cols = np.arange(0, values.shape[0], rows), np.arange(0, values.shape[1], cols)

    def most(array: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.maximum.reduceat(np.maximum.reduceat(array, at_cols, axis=1), at_rows, axis=0)

    top = most(np.where(gone, -np.inf, values))
    if signed:
        bottom = -most(np.where(gone, -np.inf, -values))
        top = np.where(-bottom > top, bottom, top)
    nothing = ~np.isfinite(top) & np.logical_and.reduceat(
        np.logical_and.reduceat(gone, at_cols, axis=1), at_rows, axis=0
    )
    return np.where(nothing, 0, top).astype(np.float32), nothing
