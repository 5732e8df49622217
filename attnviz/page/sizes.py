"""Sizes: what the layout of a grid of panels settles, in points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from attnviz.page.text_metrics import SMALLEST, tallness

HEADING_LINE = 1.15  # from one line of a heading to the next, in ems
LINE = 1.34  # from one line of text to the next, in ems


@dataclass
class Sizes:
    """What is settled. Lengths in points; a step of k labels every kth row or column, 0 none of them.

    upright: column labels stand on end. aside: room for the names of a further column of layers. reduced: the page, not
    the labels, settles the cells. left, right, top, under: room beside all panels; `under` ends with the name of
    the columns, notes come below it. ticks: room for the numbers of the colour bar. layer_names, headings: as they
    fit, shortened to their numbers if they must be; a heading of two lines has a line break. said: the subtitle chosen;
    title, subtitle, notes: their lines; remarks: the notes one by one. labelled: width of the row labels. row_spans,
    col_spans: labels of spans as they fit, at `span_size`.
    """

    base: float
    dpi: float
    margin: float
    width: float = 0.0
    cell_width: float = 0.0
    cell_height: float = 0.0
    row_size: float = 0.0
    col_size: float = 0.0
    row_step: int = 1
    col_step: int = 1
    upright: bool = True
    row_text: tuple[str, ...] = ()
    col_text: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()
    heading_size: float = 0.0
    layer_names: tuple[str, ...] = ()
    layer_size: float = 0.0
    gap_x: float = 0.0
    gap_y: float = 0.0
    aside: float = 0.0
    reduced: bool = False
    left: float = 0.0
    right: float = 0.0
    ticks: float = 0.0
    top: float = 0.0
    under: float = 0.0
    title: tuple[str, ...] = ()
    title_size: float = 0.0
    said: str = ""
    subtitle: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    text_x: float = 0.0
    row_spans: tuple[str, ...] = ()
    col_spans: tuple[str, ...] = ()
    span_size: float = 0.0
    labelled: float = 0.0

    @property
    def heading_room(self) -> float:
        """Height of the headings above a panel."""
        most = max((text.count("\n") for text in self.headings), default=0)
        return (1.5 + HEADING_LINE * most) * self.heading_size if any(self.headings) else 0.0

    @property
    def note_size(self) -> float:
        return max(SMALLEST, 0.84 * self.base)

    @property
    def tick_size(self) -> float:
        return max(SMALLEST, 0.89 * self.base)

    @property
    def foot(self) -> float:
        """Height of the notes, with the margin below them."""
        lines = len(self.notes) * leading(self.notes) * self.note_size
        return (0.7 * self.base + lines if self.notes else 0.0) + self.margin


def leading(texts: Sequence[str]) -> float:
    """From one of these lines to the next, in ems."""
    return max(LINE, sum(tallness(texts)) + 0.06)
