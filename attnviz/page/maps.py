"""Maps: the matrices that a picture has a panel for, what their rows and columns are, and the panels themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page import wording
from attnviz.page.figure import MapPanel
from attnviz.page.figure_options import PIXELS, SIDE
from attnviz.page.page_size import abreast, panel_room
from attnviz.page.pooled import all_hidden, blocks
from attnviz.page.scale import number
from attnviz.page.sizes import Axis, Request
from attnviz.page.text_metrics import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.page.figure import Scale
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.placing import Placed
    from attnviz.page.spans import Span
    from attnviz.page.text_metrics import Typeface


@dataclass(frozen=True)
class Maps:
    """The matrices to be drawn, in reading order, and what their axes are.

    values: [row, column] each; hidden: the cells to be grey, None where there are none. places: (layer, head) of each.
    layers: names of the rows of panels if they are layers. one_row: whose weights a row holds. pooled: cells of the
    attention to a drawn cell.
    """

    values: list[NDArray[np.float32]]
    hidden: list[NDArray[np.bool_] | None]
    headings: list[str]
    places: list[tuple[int | None, int | None]]
    row_labels: list[str]
    col_labels: list[str]
    axes: tuple[str, str] = ("query", "key")
    one_row: str = "one query's"
    marks: tuple[tuple[int, int], ...] = ()
    splits: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    layers: tuple[str, ...] = ()
    pooled: int = 1

    def across(self, width: float | None, count: int = 0, labelled: bool = True) -> int:
        """Panels side by side: heads if rows are layers, else as near to 4:3 as the panels allow, with few gaps.

        width: of the picture in inches; one for a column of a paper is rather higher than wide. count: of panels, by
        default of maps. labelled: panels need room for token labels, not for numbers alone.
        """
        count = count or len(self.values)
        if self.layers:
            return count // len(self.layers)
        rows, cols = self.values[0].shape
        panel = (cols + 0.1 * max(rows, cols), rows + 0.25 * max(rows, cols)) if labelled else (cols, 1.1 * rows)
        return abreast(count, panel, 4 / 3 if width is None or width > 4 else 0.85)

    def request(
        self,
        face: Typeface,
        options: FigureOptions,
        spans: tuple[tuple[Span, ...], tuple[Span, ...]] = ((), ()),
        stressed: bool = True,
        **more: Any,
    ) -> Request:
        """Ask the layout for these maps.

        spans: of rows and of columns. stressed: marked rows and columns have bold names. more: fields of the `Request`.
        """
        width, height = (None if side is None else side * 72.0 for side in (options.width, options.height))
        n_rows, n_cols = self.values[0].shape
        marked = [frozenset(cells) for cells in zip(*self.marks, strict=True)] if stressed and self.marks else []
        row_marks, col_marks = marked or (frozenset(), frozenset())
        row_marks = row_marks if self.axes[0] else frozenset()
        rows = Axis(n_rows, tuple(self.row_labels), self.axes[0], row_marks, self.splits[0], spans[0])
        cols = Axis(n_cols, tuple(self.col_labels), self.axes[1], col_marks, self.splits[1], spans[1])
        fields = {"headings": tuple(self.headings), **more}
        return Request(
            rows=rows,
            cols=cols,
            face=face,
            layers=self.layers,
            every=self.pooled,
            bare=options.bare,
            width=width,
            height=height,
            font_size=options.font_size,
            dpi=options.dpi,
            **fields,
        )

    def panels(self, placed: Placed, **more: Sequence[Any]) -> tuple[MapPanel, ...]:
        """A panel for each map, in the last boxes of the layout. more: fields of the `MapPanel`, an entry for each."""
        boxes = placed.boxes[len(placed.boxes) - len(self.values) :]
        return tuple(
            MapPanel(
                title=self.headings[i],
                values=self.values[i],
                hidden=self.hidden[i],
                row_labels=tuple(self.row_labels),
                col_labels=tuple(self.col_labels),
                box=box,
                marks=self.marks,
                layer=self.places[i][0],
                head=self.places[i][1],
                **{name: entries[i] for name, entries in more.items()},
            )
            for i, box in enumerate(boxes)
        )

    def ranged(self, scales: Sequence[Scale]) -> Maps:
        """These maps, their headings with the ends of their scales."""
        named = zip(self.headings, scales, strict=True)
        return replace(self, headings=[f"{name}: {number(own.low)} to {number(own.high)}" for name, own in named])

    def thinned(self, options: FigureOptions) -> Maps:
        """These maps with neighbouring cells drawn as their largest, if a cell would be smaller than a pixel."""
        width, height, dpi = options.width, options.height, options.dpi
        across = self.across(width)
        down = math.ceil(len(self.values) / across)
        room = SIDE * 0.8 / max(across, down)
        for inches, count in ((width, across), (height, down)):
            if inches is not None:
                room = min(room, inches / count * min(dpi or 600.0, 1200.0) * 0.8)
        room = min(room, math.sqrt(PIXELS * 0.6 / (across * down)))
        if width is None and height is None and len(self.values) > 1:
            room = min(room, panel_room(across, down, bool(self.layers)) * (dpi or 200.0) / 72)
        k = math.ceil(max(self.values[0].shape) / max(room, 1.0))
        if k <= 1:
            return self
        return replace(
            self,
            values=[blocks(values, k, -np.inf).max((1, 3)) for values in self.values],
            hidden=[all_hidden(hidden, k) for hidden in self.hidden],
            row_labels=self.row_labels[::k],
            col_labels=self.col_labels[::k],
            marks=tuple((i // k, j // k) for i, j in self.marks),
            splits=(tuple(i // k for i in self.splits[0]), tuple(i // k for i in self.splits[1])),
            pooled=k,
        )


def all_queries(attention: Attention, marks: Sequence[tuple[int, int]], does: Mapping[str, str] | None) -> Maps:
    """A map of queries and keys per head."""
    n_layers, n_heads = attention.weights.shape[:2]
    maps = attention.maps()
    return Maps(
        values=[values for values, _ in maps],
        hidden=[hidden_cells(mask) for _, mask in maps],
        headings=wording.headings(attention, does) if len(maps) > 1 else [""],
        places=list(attention.places),
        row_labels=[printable(text) for text in attention.query_tokens],
        col_labels=[printable(text) for text in attention.key_tokens],
        marks=tuple(marks),
        splits=(_splits(attention.query_segments), _splits(attention.key_segments)),
        layers=wording.layer_names(attention) if n_layers > 1 and n_heads > 1 else (),
    )


def one_query(
    attention: Attention, query: int, marks: Sequence[tuple[int, int]], does: Mapping[str, str] | None
) -> Maps:
    """One query's rows: a panel per layer, a row per head; with one head, one panel with a row per layer."""
    n_layers, n_heads = attention.weights.shape[:2]
    by_layer = n_heads == 1 and n_layers > 1
    per_panel = n_layers if by_layer else n_heads
    rows = attention.weights[:, :, query].reshape(-1, per_panel, len(attention.keys))
    allowed = [np.ones(rows.shape[-1], bool) if mask is None else mask[query] for _, mask in attention.maps()]
    first = [(None, None)] if attention.pairs else attention.places[::per_panel]
    return Maps(
        values=list(rows),
        hidden=[hidden_cells(panel) for panel in np.reshape(allowed, rows.shape)],
        headings=[""] if len(rows) == 1 else list(wording.layer_names(attention)),
        places=[(None, head) if by_layer else (layer, None) for layer, head in first],
        row_labels=wording.headings(attention, does)[:per_panel],
        col_labels=[printable(text) for text in attention.key_tokens],
        axes=("", "key"),
        one_row="one layer's" if by_layer else "one head's",
        marks=tuple((i, key) for asked, key in marks if asked == query for i in range(per_panel)),
        splits=((), _splits(attention.key_segments)),
    )


def hidden_cells(allowed: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Cells to be grey; None where all are allowed or nobody knows."""
    return None if allowed is None or allowed.all() else ~allowed


def _splits(segments: Sequence[int]) -> tuple[int, ...]:
    """Places where a second text begins. Segments that come and go (some models mark [SEP] so) part nothing."""
    places = tuple(i for i in range(1, len(segments)) if segments[i] != segments[i - 1])
    return places if len(places) <= 2 else ()
