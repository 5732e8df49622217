"""Panels as maps of cells, several side by side, as many as the window holds.

Labels are at the left of each band of panels and, where they fit, written downwards above each panel; else indices are
counted along the top. A map wider than its share of the window is pooled: a cell shows the largest of its
neighbours, and the print says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.text import Text

from attnviz.render import terminal_cells
from attnviz.render.terminal_cells import bands, panel_name
from attnviz.render.terminal_layout import widest
from attnviz.render.terminal_screen import Screen, cells, clean, fit

if TYPE_CHECKING:
    from attnviz.page.figure import Figure, MapPanel, Scale

GAP = 2  # columns between panels
WHOLE = 40  # a panel of at most 40 columns is not pooled as long as it fits the window
LEAST_CELLS = 16  # a longer one is not pooled to fewer columns for the sake of its neighbours
LEAST_PITCH = 6  # columns of the narrowest panel, so that its title fits
TALLEST_LABEL = 12  # lines that labels written downwards may take
MOST_TALL = 48  # a panel with more cells a side is drawn in the small form
MOST_ROWS = 48  # a panel higher and narrower than this is pooled by its height too


@dataclass(frozen=True)
class Layout:
    """The sizes with which panels fit a window.

    cell_width: columns per cell; per_line: rows of cells per line; pool: rows and columns of the map per cell; pitch:
    columns per panel; across: panels per band.
    """

    label_width: int
    cell_width: int
    per_line: int
    pool: tuple[int, int]
    pitch: int
    across: int


def print_compact(figure: Figure, screen: Screen) -> None:
    """Print all panels of a figure as maps; the panels of a band share the row labels of its first."""
    if not figure.panels:
        return
    layout = _layout(figure.panels, screen)
    for band in bands(figure.panels, layout.across):
        screen.print("", *_band_lines(band, figure, screen, layout))


def remarks(figure: Figure, screen: Screen) -> list[str]:
    """Notes that a reader of the maps needs: rows per line, neighbours per cell."""
    if not figure.panels:
        return []
    layout = _layout(figure.panels, screen)
    rows, cols = layout.pool
    notes = []
    if layout.pool != (1, 1):
        largest = "the largest by size" if figure.scale.low < 0 else "the largest"
        notes.append(f"each cell is {largest} of {rows} x {cols} (rows x columns)")
    if layout.per_line == 2 and max(panel.values.shape[0] for panel in figure.panels) > rows:
        notes.append("each line holds two rows of cells")
    return notes


def _layout(panels: Sequence[MapPanel], screen: Screen) -> Layout:
    if len(panels) <= 2 and max(max(panel.values.shape) for panel in panels) <= MOST_TALL:
        layout = _fitted(panels, screen.width, 2, 1)
        if layout.pool == (1, 1):
            return layout
    return _fitted(panels, screen.width, 1, 2 if screen.colour and screen.blocks else 1)


def _fitted(panels: Sequence[MapPanel], width: int, cell_width: int, per_line: int) -> Layout:
    n_rows = max(panel.values.shape[0] for panel in panels)
    n_cols = max(panel.values.shape[1] for panel in panels)
    pool = (1, 1)
    while True:  # places in the labels of a pooled map cost width, which may call for larger cells: twice at most
        labels = _row_labels(panels[0], pool, per_line, max(width // 4, 6))
        label_width = widest(labels)
        room = width - label_width - 1
        share = len(panels) if len(panels) <= 2 else 4 if len(panels) <= 12 else 6
        limit = max(1, max((room + GAP) // share - GAP, min(LEAST_CELLS, room)) // cell_width)
        limit = n_cols if n_cols <= WHOLE and n_cols * cell_width <= room else limit
        cols = max(pool[1], -(-n_cols // limit))
        rows = cols if n_rows == n_cols else max(pool[0], -(-n_rows // max(limit, MOST_ROWS)))
        if (rows, cols) == pool:
            break
        pool = (rows, cols)
    pitch = max(-(-n_cols // cols) * cell_width, LEAST_PITCH)
    across = max(1, (room + GAP) // (pitch + GAP))
    return Layout(label_width, cell_width, per_line, pool, pitch, across)


def _band_lines(band: Sequence[MapPanel], figure: Figure, screen: Screen, layout: Layout) -> Iterator[Text]:
    """The lines of one band: titles, the labels above, then the maps with their labels at the left."""
    one_layer = len({panel.layer for panel in figure.panels}) == 1
    if len(figure.panels) > 1:
        titles = [Text(fit(_title(panel, layout.pitch, one_layer), layout.pitch), "bold") for panel in band]
        yield _beside("", titles, layout)
    for parts in zip(*_bottom_aligned([_above(panel, layout) for panel in band]), strict=True):
        yield _beside("", [Text(part) for part in parts], layout)
    maps = [_map_lines(panel, figure.scale, screen, layout) for panel in band]
    highest = max(band, key=lambda panel: panel.values.shape[0])
    labels = _row_labels(highest, layout.pool, layout.per_line, layout.label_width)
    for label, lines in zip(labels, zip_longest(*maps, fillvalue=Text()), strict=True):
        yield _beside(label, lines, layout)


def _bottom_aligned(stacks: Sequence[list[str]]) -> list[list[str]]:
    """Stacks of texts with empty ones on top, so that all are as high as the highest."""
    highest = max(map(len, stacks))
    return [[""] * (highest - len(stack)) + stack for stack in stacks]


def _beside(label: str, parts: Sequence[Text], layout: Layout) -> Text:
    """A line: the label, then a piece of each panel; all but the last are filled to the pitch."""
    line = Text(fit(label, layout.label_width, "right") + " ")
    for i, part in enumerate(parts):
        line.append_text(part)
        if i + 1 < len(parts):
            line.append(" " * (layout.pitch - part.cell_len + GAP))
    if not line.spans or line.spans[-1].end < len(line):
        line.rstrip()
    return line


def _title(panel: MapPanel, width: int, one_layer: bool) -> str:
    if panel.head is None or panel.layer is None:
        return clean(panel.title)
    if one_layer:
        return f"head {panel.head}"
    name = panel_name(panel)
    return name if len(name) <= width else name.removeprefix("head ")


def _map_lines(panel: MapPanel, scale: Scale, screen: Screen, layout: Layout) -> list[Text]:
    signed = scale.low < 0
    values, hidden = terminal_cells.pooled(panel.values, panel.hidden, *layout.pool, signed=signed)
    unit = scale.unit(values)
    if not screen.colour:
        ramp = terminal_cells.SIGNED_RAMP if signed else terminal_cells.RAMP
        return terminal_cells.glyph_lines(unit, hidden, layout.cell_width, ramp)
    colour = terminal_cells.paint(unit, hidden, scale.cmap, screen.ground)
    if layout.per_line == 2:
        return terminal_cells.half_lines(colour)
    return terminal_cells.tall_lines(colour, layout.cell_width)


def _row_labels(panel: MapPanel, pool: tuple[int, int], per_line: int, width: int) -> list[str]:
    """A label per line, at most `width` columns: its one or two tokens or, if pooled, the first index and token."""
    labels = [clean(text) for text in panel.row_labels]
    each = pool[0] * per_line
    if pool != (1, 1):
        digits = len(str(len(labels) - 1))
        shown = {i: "" if labels[i] == str(i) else f" {labels[i]}" for i in range(0, len(labels), each)}
        longest = min(width, digits + widest(shown.values()))
        return [fit(f"{i:{digits}d}{label}", longest) for i, label in shown.items()]
    lines = [labels[i : i + each] for i in range(0, len(labels), each)]
    return [_pair(tokens, width) for tokens in lines]


def _pair(tokens: list[str], width: int) -> str:
    text = " ".join(tokens)
    if cells(text) <= width:
        return text
    if len(tokens) == 1:
        return fit(text, width)
    half = (width - 1) // 2
    left = min(cells(tokens[0]), max(half, width - 1 - cells(tokens[1])))
    right = min(cells(tokens[1]), width - 1 - left)
    return f"{fit(tokens[0], left)} {fit(tokens[1], right)}"


def _above(panel: MapPanel, layout: Layout) -> list[str]:
    """The lines above a map: its labels written downwards, or counted indices where they do not fit."""
    if layout.pool == (1, 1):
        stacks = [_stacked(clean(text)) for text in panel.col_labels]
        if all(len(s) <= TALLEST_LABEL and all(cells(c) <= layout.cell_width for c in s) for s in stacks):
            lines = zip(*_bottom_aligned(stacks), strict=True)
            return ["".join(fit(c, layout.cell_width) for c in line) for line in lines]
    return [_counted(panel.values.shape[1], layout)]


def _stacked(text: str) -> list[str]:
    """Characters one below the other; marks without a width stay with the character before."""
    stack: list[str] = []
    for char in text:
        if stack and cells(char) == 0:
            stack[-1] += char
        else:
            stack.append(char)
    return stack


def _counted(n_cols: int, layout: Layout) -> str:
    """`0    5    10`: the index of the first key at every so many cells."""
    digits = len(str(n_cols - 1))
    step = next(s for s in (5, 10, 20, 50, 100) if s * layout.cell_width > digits)
    pool = layout.pool[1]
    line = ""
    for cell in range(0, -(-n_cols // pool), step):
        mark = str(cell * pool)
        if cell * layout.cell_width + len(mark) <= layout.pitch:
            line = line.ljust(cell * layout.cell_width) + mark
    return line
