"""What a view asks the layout of a grid of equal panels to place."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attnviz.page.figure import Scale

if TYPE_CHECKING:
    from attnviz.page.text_metrics import Typeface


@dataclass(frozen=True)
class Request:
    """What is to be laid out.

    rows, cols: cells of one panel. headings: one a panel, in reading order; per_row: panels abreast. layers: names of
    the rows of panels if they are layers, else (). bold_rows, bold_cols: labels to stress. splits: the rows and the
    columns before which another text begins. bar_over: some values lie above the scale. unit: what a label names; of
    every so many (`every`) there is one. width, height: points, or None to be chosen; dpi: or None to be chosen.
    caution: a note where headings say what a head does. row_spans, col_spans: named spans of rows and of columns.
    columns: of layers, each from top to bottom; per_row counts the panels of all of them. page: points that a picture
    whose size is chosen has to fit.
    """

    rows: int
    cols: int
    headings: tuple[str, ...]
    per_row: int
    row_labels: tuple[str, ...]
    col_labels: tuple[str, ...]
    face: Typeface
    layers: tuple[str, ...] = ()
    row_axis: str = "query"
    col_axis: str = "key"
    title: str = ""
    subtitles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    scale: Scale = field(default_factory=Scale)
    bar_over: bool = False
    bare: bool = False
    width: float | None = None
    height: float | None = None
    font_size: float | None = None
    dpi: float | None = None
    bold_rows: frozenset[int] = frozenset()
    bold_cols: frozenset[int] = frozenset()
    splits: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    unit: str = "token"
    every: int = 1
    caution: str = ""
    row_spans: tuple[tuple[int, int, str], ...] = ()
    col_spans: tuple[tuple[int, int, str], ...] = ()
    columns: int = 1
    page: tuple[float, float] | None = None

    @property
    def per_layer(self) -> int:
        return self.per_row // self.columns

    @property
    def panel_rows(self) -> int:
        return math.ceil(math.ceil(len(self.headings) / self.per_layer) / self.columns)

    def place(self, panel: int) -> tuple[int, int]:
        """Row and column of a panel."""
        line, aside = divmod(panel, self.per_layer)
        column, row = divmod(line, self.panel_rows)
        return row, column * self.per_layer + aside

    def bold(self, axis: str, index: int) -> str:
        return "bold" if index in (self.bold_rows if axis == "row" else self.bold_cols) else "normal"
