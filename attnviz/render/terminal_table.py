"""One panel as a rich table: key tokens above, query tokens at the left, numbers on their colours between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import chop_cells
from rich.table import Table
from rich.text import Text

from attnviz.page.colours import RGB
from attnviz.page.numbers import number
from attnviz.render.terminal_cells import bands, on, paint, panel_name
from attnviz.render.terminal_layout import widest
from attnviz.render.terminal_screen import Screen, cells, clean, fit

if TYPE_CHECKING:
    from attnviz.page.figure import MapPanel, Scale

MOST_FOLDS = 4  # lines that a column's label may take
GAP = 3  # columns between tables
LEAST_PITCH = 12  # columns of the narrowest table, so that `head 10.10` fits
MASKED = ""  # stands for a masked cell among the texts


@dataclass(frozen=True)
class Plan:
    """The sizes with which a panel fits a window.

    texts: of the cells, [row][column]. widths: of the columns; columns bounds[i] to bounds[i + 1] are side by side.
    """

    label_width: int
    widths: tuple[int, ...]
    bounds: tuple[int, ...]
    texts: tuple[tuple[str, ...], ...]

    @property
    def width(self) -> int:
        """Columns of the whole table."""
        return self.label_width + 1 + sum(self.widths)

    @property
    def parts(self) -> int:
        """The number of tables below each other."""
        return len(self.bounds) - 1


def texts(panel: MapPanel, decimals: int) -> tuple[tuple[str, ...], ...]:
    """The numbers of a panel [row][column]; a masked cell is ''."""
    hidden = panel.hidden if panel.hidden is not None else np.zeros(panel.values.shape, bool)
    return tuple(
        tuple(MASKED if gone else number(value, decimals) for value, gone in zip(values, row, strict=True))
        for values, row in zip(panel.values.tolist(), hidden.tolist(), strict=True)
    )


def plan(panel: MapPanel, width: int, decimals: int, split: bool = False) -> Plan | None:
    """The roomiest table of a panel in a window of `width` columns; None if even the tightest is too wide.

    In order: whole labels on one line; labels folded over equal columns; the same without the zero before the point;
    and, if `split`, columns that continue in a further table below.
    """
    n_cols = panel.values.shape[1]
    labels = [clean(text) for text in panel.col_labels]
    label_width = min(widest(map(clean, panel.row_labels)), max(width // 4, 8))
    room = width - label_width - 1
    if not split and n_cols * 3 > room:
        return None  # spares the formatting of a large map
    long = texts(panel, decimals)
    long_width = _longest(long, 1)
    own = tuple(1 + max(long_width, cells(text)) for text in labels)
    if sum(own) <= room:
        return Plan(label_width, own, (0, n_cols), long)
    short = tuple(tuple(_shorter(text) for text in row) for row in long)
    for shown in (long, short):
        for cell in (_longest(shown, 1) + 2, _longest(shown, 1) + 1):
            if n_cols * cell <= room and widest(labels) <= MOST_FOLDS * (cell - 1):
                return Plan(label_width, (cell,) * n_cols, (0, n_cols), shown)
    if not split:
        return None
    own = tuple(min(w, room) for w in own)
    bounds, used = [0], 0
    for col, w in enumerate(own):
        if used and used + w > room:
            bounds.append(col)
            used = 0
        used += w
    return Plan(label_width, own, (*bounds, n_cols), long)


def _longest(shown: Sequence[Sequence[str]], least: int = 0) -> int:
    """Characters of the longest number; `least` if there is none."""
    return max((len(text) for row in shown for text in row), default=least)


def _shorter(text: str) -> str:
    """0.64 as .64 and 1.00 as 1.0, so that both are equally long."""
    if "e" in text:
        return text
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    if digits.startswith("0."):
        return sign + digits[1:]
    return sign + digits[:-1] if "." in digits and len(digits.split(".")[1]) > 1 else text


def count_lines(panels: Sequence[MapPanel], plans: Sequence[Plan], screen: Screen) -> int:
    """Lines that the tables take, nearly."""
    each = max(len(panel.row_labels) for panel in panels) + 3
    return each * sum(1 for _ in bands(panels, _across(plans, screen)))


def print_tables(
    panels: Sequence[MapPanel], plans: Sequence[Plan], scale: Scale, screen: Screen, named: bool = True
) -> None:
    """Print a table per panel, side by side where the window holds several; columns that do not fit continue below.

    named: whether each has its name above it.
    """
    pairs = zip(panels, plans, strict=True)
    for band in bands(panels, _across(plans, screen)):
        parts = [_parts(panel, how, scale, screen, named) for panel, how in islice(pairs, len(band))]
        for row in zip(*parts, strict=True):
            grid = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
            if any(title.plain for title, _ in row):
                grid.add_row(*(title for title, _ in row))
            grid.add_row(*(table for _, table in row))
            screen.print("")
            screen.console.print(grid, width=screen.width)


def _across(plans: Sequence[Plan], screen: Screen) -> int:
    """The number of tables side by side: one if the columns of any continue below."""
    if any(how.parts > 1 for how in plans):
        return 1
    pitch = max(LEAST_PITCH, *(how.width for how in plans))
    return max(1, (screen.width + GAP) // (pitch + GAP))


def _parts(panel: MapPanel, how: Plan, scale: Scale, screen: Screen, named: bool) -> list[tuple[Text, Table]]:
    """The panel's tables with their titles; more than one if its columns continue below."""
    ground = None
    if screen.colour:
        ground = paint(scale.unit(panel.values), panel.hidden, scale.cmap, screen.ground, how.texts)
    name = clean(panel_name(panel)) if named else ""
    tables = []
    for first, stop in pairwise(how.bounds):
        part = f"keys {first}-{stop - 1} of {panel.values.shape[1]}" if how.parts > 1 else ""
        both = "  ".join(filter(None, (name, part)))
        title = Text(both if cells(both) <= screen.width else f"{name}\n{part}", "bold")
        tables.append((title, _table(panel, ground, screen, how, range(first, stop))))
    return tables


def _table(panel: MapPanel, ground: list[list[RGB | None]] | None, screen: Screen, how: Plan, cols: range) -> Table:
    """Two columns, the labels and the numbers: a column for each number would take rich many times as long."""
    heads = [_folded(clean(panel.col_labels[col]), how.widths[col] - 1) for col in cols]
    tallest = max(map(len, heads), default=1)
    heads = [[""] * (tallest - len(head)) + head for head in heads]
    above = [
        "".join(" " + fit(line, how.widths[col] - 1, "center") for col, line in zip(cols, lines, strict=True))
        for lines in zip(*heads, strict=True)
    ]
    table = Table(box=None, padding=0, pad_edge=False, header_style="")
    table.add_column(width=how.label_width + 1, no_wrap=True)
    table.add_column(Text("\n".join(above)), width=sum(how.widths[col] for col in cols), no_wrap=True)
    longest = _longest(how.texts)
    for row, label in enumerate(panel.row_labels):
        numbers = Text()
        for col in cols:
            text = how.texts[row][col].rjust(longest) if how.texts[row][col] else screen.dot
            shown = Text(" " + fit(text, how.widths[col] - 1, "center"), on(ground[row][col] if ground else None))
            if (row, col) in panel.marks:
                start = shown.plain.index(text.strip())
                shown.stylize("bold underline", start, start + len(text.strip()))
            numbers.append_text(shown)
        table.add_row(Text(fit(clean(label), how.label_width, "right") + " "), numbers)
    return table


def _folded(text: str, width: int) -> list[str]:
    """A label over as many lines as it needs, at most MOST_FOLDS."""
    if cells(text) <= width:
        return [text]
    lines = list(chop_cells(text, width))
    if len(lines) > MOST_FOLDS:
        lines = [*lines[: MOST_FOLDS - 1], fit("".join(lines[MOST_FOLDS - 1 :]), width)]
    return lines
