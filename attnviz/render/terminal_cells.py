"""Cells of maps in a terminal, and panels of maps in bands.

A map is drawn in one of three ways, whichever the terminal allows:

    half     one column a cell and two rows of cells a line: the upper half block in two colours
    tall     two columns a cell and one line a row: the background's colour
    glyphs   one or two columns a cell and one line a row, with a ramp of glyphs instead of colours
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING

import numpy as np
from rich.color import Color
from rich.style import Style
from rich.text import Text

from attnviz.facts import head_name
from attnviz.page.colours import RGB, is_dark
from attnviz.render.background import Ground
from attnviz.render.terminal_screen import Screen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.figure import MapPanel, Scale

    Colours = Sequence[Sequence[RGB | None]]  # [row][column], None where the background shows

RAMP = " .:-=+*#%@"
HATCH = "/"  # a masked cell in a ramp of glyphs
SIGNED_RAMP = "Mm- +pP"  # from the most negative to the most positive


@lru_cache(maxsize=4096)
def colours(ink: RGB | None, ground: RGB | None) -> Style:
    """The rich style of letters and their ground."""
    triples = (None if rgb is None else Color.from_rgb(*rgb) for rgb in (ink, ground))
    return Style(color=next(triples), bgcolor=next(triples))


@lru_cache(maxsize=4096)
def on(ground: RGB | None) -> Style | str:
    """The style of letters on a colour, black or white, whichever reads better; '' on the terminal's background."""
    if ground is None:
        return ""
    return colours((255, 255, 255) if is_dark(np.array(ground, np.uint8)) else (0, 0, 0), ground)


def is_zero(text: str) -> bool:
    """Whether a number is written as 0: such a cell is the terminal's background."""
    return not text.strip("-0.")


def paint(
    unit: NDArray[np.float32],
    hidden: NDArray[np.bool_] | None,
    cmap: str,
    ground: Ground,
    texts: Sequence[Sequence[str]] | None = None,
) -> list[list[RGB | None]]:
    """Positions on a colour map [row, column] as colours [row][column], None where the background shows.

    A cell that is hidden or not a number has the ground's colour for masked cells. texts: the numbers in the cells, of
    which those written as 0 stand on the background too.
    """
    gone = np.isnan(unit) if hidden is None else hidden | np.isnan(unit)
    zero = None if texts is None else np.array([list(map(is_zero, row)) for row in texts], bool).reshape(unit.shape)
    rgb, bare = ground.colours(np.where(gone, 0, unit), cmap, zero)
    rgb[gone] = ground.masked(cmap)
    return [
        [None if nothing else (r, g, b) for (r, g, b), nothing in zip(row, none, strict=True)]
        for row, none in zip(rgb.tolist(), (bare & ~gone).tolist(), strict=True)
    ]


def half_lines(colour: Colours) -> list[Text]:
    """Rows of cells in lines of half height: the upper row is the glyph's colour, the lower its ground.

    Where the upper cell is the background, the glyph is a lower half.
    """
    lines = []
    for upper, lower in zip_longest(colour[::2], colour[1::2], fillvalue=[None] * len(colour[0])):
        line = Text()
        for upper_rgb, lower_rgb in zip(upper, lower, strict=True):
            if upper_rgb is not None:
                line.append("▀", colours(upper_rgb, lower_rgb))
            else:
                line.append("▄" if lower_rgb is not None else " ", colours(lower_rgb, None))
        lines.append(line)
    return lines


def tall_lines(colour: Colours, width: int = 2) -> list[Text]:
    """One line per row of cells, each cell `width` spaces on its colour."""
    return [Text.assemble(*((" " * width, colours(None, rgb)) for rgb in row)) for row in colour]


def glyph_lines(
    unit: NDArray[np.float32], hidden: NDArray[np.bool_] | None, width: int = 1, ramp: str = RAMP
) -> list[Text]:
    """One line per row of cells, each cell a glyph of the ramp."""
    gone = np.isnan(unit) if hidden is None else hidden | np.isnan(unit)
    level = np.clip(np.where(gone, 0, unit) * len(ramp), 0, len(ramp) - 1).astype(int)
    glyphs = np.array(list(ramp))[level]
    glyphs[gone] = HATCH
    return [Text("".join(glyph * width for glyph in row)) for row in glyphs]


def legend(scale: Scale, screen: Screen, masked: str, numbers: bool) -> list[Text]:
    """The ends of the scale, what lies between them, and the mark of a masked cell: one line where it fits.

    masked: why cells are masked, or ''. numbers: whether the cells hold numbers, a masked one a dot; without colour
    they need no scale.
    """
    parts = [] if numbers and not screen.colour else [_ends(scale, screen), Text(scale.label)]
    if masked:
        mark = (f" {screen.dot} " if numbers else "   ") if screen.colour else screen.dot if numbers else HATCH
        style = on(screen.ground.masked(scale.cmap)) if screen.colour else ""
        parts.append(Text.assemble((mark, style), f" {masked}"))
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + 2 + part.cell_len <= screen.width:
            lines[-1] = Text("  ").join([lines[-1], part])
        else:
            lines.append(part)
    return [short for line in lines for short in line.wrap(screen.console, screen.width)]


def _ends(scale: Scale, screen: Screen) -> Text:
    """`0 ██████ 1`, or the ramp between bars."""
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

    def largest(array: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.maximum.reduceat(np.maximum.reduceat(array, at_cols, axis=1), at_rows, axis=0)

    top = largest(np.where(gone, -np.inf, values))
    if signed:
        bottom = -largest(np.where(gone, -np.inf, -values))
        top = np.where(-bottom > top, bottom, top)
    nothing = ~np.isfinite(top) & np.logical_and.reduceat(
        np.logical_and.reduceat(gone, at_cols, axis=1), at_rows, axis=0
    )
    return np.where(nothing, 0, top).astype(np.float32), nothing


# Panels


def panel_name(panel: MapPanel, plain: bool = False) -> str:
    """`head 3.1`, in a pipe `layer 3  head 1`; the panel's own title where it is no single head."""
    if panel.layer is None or panel.head is None:
        return panel.title
    return f"layer {panel.layer}  head {panel.head}" if plain else f"head {head_name(panel.layer, panel.head)}"


def bands(panels: Sequence[MapPanel], across: int) -> Iterator[Sequence[MapPanel]]:
    """Panels in bands of nearly equal length; a layer of several heads begins a band."""
    layers = [list(same) for _, same in groupby(panels, lambda panel: panel.layer)]
    apart = len({len(same) for same in layers}) == 1 and len(layers[0]) > 1  # else one head each, or heads by hand
    groups: list[Sequence[MapPanel]] = [*layers] if apart else [panels]
    for group in groups:
        n_bands = -(-len(group) // across)
        each = -(-len(group) // n_bands)
        for start in range(0, len(group), each):
            yield group[start : start + each]


def mask_reason(panels: Sequence[MapPanel]) -> str:
    """Why cells are masked: the future, in a causal map, or simply not allowed; '' if none is."""
    hidden = [panel.hidden for panel in panels if panel.hidden is not None and panel.hidden.any()]
    if not hidden:
        return ""
    rows, cols = hidden[0].shape
    future = ~np.tri(rows, cols, dtype=bool)
    causal = rows == cols and all(np.array_equal(mask, future) for mask in hidden)
    return "later tokens, not allowed" if causal else "not allowed"
