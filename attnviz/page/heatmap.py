"""The heatmap: one panel a head, rows are queries from top to bottom, columns are keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from attnviz.page import wording
from attnviz.page.cell_numbers import CellNumbers
from attnviz.page.colour_limits import fills_up, flowing
from attnviz.page.colour_limits import limits as find_limits
from attnviz.page.figure import Figure, MapPanel, Scale
from attnviz.page.options import PIXELS, SIDE, check_options, check_pixels, made_by
from attnviz.page.page import panel_room
from attnviz.page.placing import Placed, arrange
from attnviz.page.pooled import all_hidden, blocks
from attnviz.page.request import Request
from attnviz.page.scale import WHITE, check_cmap, check_scale, number
from attnviz.page.spans import Span, checked
from attnviz.page.text_metrics import LOST, SAYS, one_line, printable, typeface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.page.text_metrics import Typeface

_SIGNS = "0123456789.–−·≥…" + LOST  # characters of numbers and of shortened text


@dataclass(frozen=True)
class _Maps:
    """The matrices to be drawn, in reading order, and what their axes are."""

    values: list[NDArray[np.float32]]
    hidden: list[NDArray[np.bool_] | None]
    headings: list[str]
    places: list[tuple[int | None, int | None]]
    row_labels: list[str]
    col_labels: list[str]
    row_axis: str
    one_row: str
    marks: tuple[tuple[int, int], ...]
    splits: tuple[tuple[int, ...], tuple[int, ...]]
    layers: tuple[str, ...] = ()
    pooled: int = 1


def heatmap(
    attention: Attention,
    *,
    scale: str = "auto",
    vmax: float | str | None = None,
    cmap: str = WHITE,
    width: float | None = None,
    height: float | None = None,
    font: str | None = None,
    font_size: float | None = None,
    title: str | None = None,
    marks: Sequence[tuple[int, int]] = (),
    bare: bool = False,
    decimals: int = 2,
    dpi: float | None = None,
    svg_text: str = "keep",
    query: int | None = None,
    does: Mapping[str, str] | None = None,
    name: str | None = None,
    meta: Mapping[str, str] | None = None,
    among: Attention | None = None,
    spans: Sequence[Span] = (),
) -> Figure:
    """Attention as a Figure: a panel a head; rows of panels are layers if there are several.

    Args:
        scale: auto | linear | sqrt | log | row (each row by its own largest weight); auto is linear up to 16 keys to a
            row, sqrt beyond.
        vmax: the weight that has the last colour; None: a round number above all weights to keys that are neither
            special nor the first, or over a long text one that about a quarter of the rows reach; "auto": the latter in
            any case (`attnviz.page.colour_limits`).
        cmap: ink (white at 0), viridis, cividis, magma, inferno, plasma, Greys or Blues; `_r` turns it round.
        width, height: inches; what is not given is chosen.
        font: an installed family or a font file; font_size: points, the largest size of a token label.
        title: instead of model, layer and head.
        marks: (query, key) pairs of indices whose cells are outlined.
        bare: only the panels with their labels; the rest is in the Figure's caption.
        decimals: of the numbers in the cells; 0 prints none.
        dpi: pixels to the inch of a PNG.
        svg_text: keep | paths.
        query: show this query alone: one panel a layer, one row a head.
        does: what heads do, by `layer.head`; said beside the names of heads of different layers.
        name: what to call the model. meta: what made the picture, kept in the file.
        spans: (first, last, label) of tokens, by index and inclusive: brackets over keys, and beside queries that are
            the same text.
        among: of an animation all that its frames show, whose scale and remarks hold for each.

    Raises:
        SelectionError: an option's value is not there or not possible. InputError: weights that are not finite.
    """
    check_scale(scale)
    cmap = check_cmap(cmap)
    check_options(attention, width, height, font_size, decimals, dpi, svg_text, marks, query)
    maps = _one_query(attention, query, marks, does) if query is not None else _all_queries(attention, marks, does)
    maps = _thin(maps, width, height, dpi)
    whole, shared = (attention, query) if among is None else (among, None)
    limits, why = find_limits(whole, scale, vmax, cmap, shared)
    own = _own_scales(maps, attention, scale, vmax, cmap) if among is None else None
    if own:
        limits, maps = Scale("panel", 0.0, 1.0, cmap, f"{limits.label}, layer by layer"), _ranged(maps, own)
    counted = maps.values if among is None else among.weights
    above = 0 if scale == "row" else int(sum((values > limits.high * (1 + 1e-6)).sum() for values in counted))
    over = wording.over_note(above, limits.high, why, any(attention.key_special))
    over = over or wording.under_note(maps.values, own or [limits])
    sums, hidden = wording.row_sums(whole, shared), wording.hidden_reason(whole)
    asked = attention.query_tokens[query] if query is not None else ""
    heading = one_line(title) if title is not None else wording.title(attention, name or "", asked, does)
    says = title is None and bool(wording.does_alone(attention, does))
    says = says or any(SAYS in text for text in (maps.headings if query is None else maps.row_labels))
    marked = [] if query is not None else list(marks)
    below = wording.subtitles(attention, sums, len(maps.values), marked, maps.one_row, maps.pooled)

    def remarks(note: str) -> list[str]:
        return wording.notes(attention, limits, sums, hidden, over, maps.pooled, note)

    tokens = [*maps.row_labels, *maps.col_labels]
    named = [label for _, _, label in spans]
    face = typeface(font, [heading, *below, *remarks(""), *tokens, *maps.headings, *named, _SIGNS])
    lost = [note for note in (wording.font_note(face), wording.joining_note(tokens)) if note]
    parted = ["lines part the two texts"] if any(maps.splits) else []
    request = replace(
        _request(attention, maps, checked(spans, len(attention.keys), attention.cell, maps.pooled), face),
        per_row=_grid(maps, width)[0],
        title=heading,
        subtitles=below,
        scale=limits,
        bar_over=above > 0,
        bare=bare,
        width=None if width is None else width * 72.0,
        height=None if height is None else height * 72.0,
        font_size=font_size,
        dpi=dpi,
        caution=wording.CAUTION if says else "",
    )
    numbers = CellNumbers(maps.values, limits, face, decimals)
    placed, notes = _laid_out(request, maps, numbers, lambda note: (*remarks(note), *parted, *lost))
    check_pixels(placed)
    return placed.figure(
        _panels(maps, placed, numbers, own),
        limits,
        face,
        title=heading,
        subtitle=below[0],
        notes=notes,
        bare=bare,
        svg_text=svg_text,
        meta=made_by(attention, name, meta),
    )


# --- where it stands -----------------------------------------------------------------------------------------------


def _request(attention: Attention, maps: _Maps, spans: tuple[Span, ...], face: Typeface) -> Request:
    """What the maps themselves ask of the layout."""
    return Request(
        rows=maps.values[0].shape[0],
        cols=maps.values[0].shape[1],
        headings=tuple(maps.headings),
        per_row=1,
        row_labels=tuple(maps.row_labels),
        col_labels=tuple(maps.col_labels),
        face=face,
        layers=maps.layers,
        row_axis=maps.row_axis,
        bold_rows=frozenset(row for row, _ in maps.marks) if maps.row_axis else frozenset(),
        bold_cols=frozenset(col for _, col in maps.marks),
        splits=maps.splits,
        unit="cell" if attention.cell > 1 else "token",
        every=maps.pooled,
        row_spans=spans if maps.row_axis and attention.queries == attention.keys else (),
        col_spans=spans,
    )


def _laid_out(
    request: Request, maps: _Maps, numbers: CellNumbers, remarks: Callable[[str], tuple[str, ...]]
) -> tuple[Placed, tuple[str, ...]]:
    """The layout, and the notes that it was made for. remarks: the notes with one on the numbers in the cells."""

    def as_wide(points: float) -> Placed:
        return arrange(replace(request, width=points, per_row=_grid(maps, points / 72)[0]))

    placed, note = arrange(replace(request, notes=remarks(""))), ""
    if numbers.wanted and not request.bare and not numbers.size(placed.sizes):
        wider = numbers.width_wanted(placed, as_wide)
        note = f"numbers in the cells: from a width of {wider:g} in" if wider else ""
    elif numbers.wanted:
        note = numbers.note()
    if note:  # it may cost the cells a little of their height
        placed = arrange(replace(request, notes=remarks(note)))
    return placed, remarks(note)


def _panels(maps: _Maps, placed: Placed, numbers: CellNumbers, own: list[Scale] | None) -> tuple[MapPanel, ...]:
    size = numbers.size(placed.sizes) if numbers.wanted else 0.0
    printed = numbers.texts() if size else []
    return tuple(
        MapPanel(
            title=maps.headings[i],
            values=maps.values[i],
            hidden=maps.hidden[i],
            row_labels=tuple(maps.row_labels),
            col_labels=tuple(maps.col_labels),
            box=placed.boxes[i],
            cell_text=printed[i] if printed else (),
            cell_size=size,
            marks=maps.marks,
            layer=maps.places[i][0],
            head=maps.places[i][1],
            scale=own[i] if own else None,
        )
        for i in range(len(maps.values))
    )


# --- what is drawn -------------------------------------------------------------------------------------------------


def _all_queries(attention: Attention, marks: Sequence[tuple[int, int]], does: Mapping[str, str] | None) -> _Maps:
    n_layers, n_heads = attention.weights.shape[:2]
    maps = attention.maps()
    return _Maps(
        values=[values for values, _ in maps],
        hidden=[_hidden(mask) for _, mask in maps],
        headings=wording.headings(attention, does) if len(maps) > 1 else [""],
        places=list(attention.places),
        row_labels=[printable(text) for text in attention.query_tokens],
        col_labels=[printable(text) for text in attention.key_tokens],
        row_axis="query",
        one_row="one query's",
        marks=tuple(marks),
        splits=(_splits(attention.query_segments), _splits(attention.key_segments)),
        layers=wording.layer_names(attention) if n_layers > 1 and n_heads > 1 else (),
    )


def _one_query(
    attention: Attention, query: int, marks: Sequence[tuple[int, int]], does: Mapping[str, str] | None
) -> _Maps:
    """One query's rows: a panel a layer, a row a head; with one head, one panel with a row a layer."""
    n_layers, n_heads = attention.weights.shape[:2]
    by_layer = n_heads == 1 and n_layers > 1
    per_panel = n_layers if by_layer else n_heads
    rows = attention.weights[:, :, query].reshape(-1, per_panel, len(attention.keys))
    greys = [np.zeros(rows.shape[-1], bool) if mask is None else ~mask[query] for _, mask in attention.maps()]
    hidden = [_hidden(~grey) for grey in np.reshape(greys, rows.shape)]
    first = [(None, None)] if attention.pairs else attention.places[::per_panel]
    return _Maps(
        values=list(rows),
        hidden=hidden,
        headings=[""] if len(rows) == 1 else list(wording.layer_names(attention)),
        places=[(None, head) if by_layer else (layer, None) for layer, head in first],
        row_labels=wording.headings(attention, does)[:per_panel],
        col_labels=[printable(text) for text in attention.key_tokens],
        row_axis="",
        one_row="one layer's" if by_layer else "one head's",
        marks=tuple((i, key) for asked, key in marks if asked == query for i in range(per_panel)),
        splits=((), _splits(attention.key_segments)),
    )


def _hidden(allowed: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Cells to be grey; None where all are allowed or nobody knows."""
    return None if allowed is None or allowed.all() else ~allowed


def _splits(segments: Sequence[int]) -> tuple[int, ...]:
    """Places where a second text begins. Segments that come and go (some models mark [SEP] so) part nothing."""
    places = tuple(i for i in range(1, len(segments)) if segments[i] != segments[i - 1])
    return places if len(places) <= 2 else ()


def _thin(maps: _Maps, width: float | None, height: float | None, dpi: float | None) -> _Maps:
    """The same maps with neighbouring cells drawn as their largest, if a cell would be smaller than a pixel."""
    across, down = _grid(maps, width)
    longest = max(maps.values[0].shape)
    room = SIDE * 0.8 / max(across, down)
    for inches, count in ((width, across), (height, down)):
        if inches is not None:
            room = min(room, inches / count * min(dpi or 600.0, 1200.0) * 0.8)
    room = min(room, math.sqrt(PIXELS * 0.6 / (across * down)))
    if width is None and height is None and len(maps.values) > 1:
        room = min(room, panel_room(across, down, bool(maps.layers)) * (dpi or 200.0) / 72)
    k = math.ceil(longest / max(room, 1.0))
    if k <= 1:
        return maps
    return replace(
        maps,
        values=[blocks(values, k, -np.inf).max((1, 3)) for values in maps.values],
        hidden=[all_hidden(grey, k) for grey in maps.hidden],
        row_labels=maps.row_labels[::k],
        col_labels=maps.col_labels[::k],
        marks=tuple((i // k, j // k) for i, j in maps.marks),
        splits=(tuple(i // k for i in maps.splits[0]), tuple(i // k for i in maps.splits[1])),
        pooled=k,
    )


def _own_scales(
    maps: _Maps, attention: Attention, kind: str, vmax: float | str | None, cmap: str
) -> list[Scale] | None:
    """A scale for each panel, where one for all would hide what each shows: flows after several layers."""
    if len(maps.values) == 1 or not fills_up(attention, kind, vmax):
        return None
    return [flowing(values, cmap) for values in maps.values]


def _ranged(maps: _Maps, scales: Sequence[Scale]) -> _Maps:
    """The maps, their headings with the ends of their scales."""
    ends = (
        f"{heading}: {number(one.low)} to {number(one.high)}"
        for heading, one in zip(maps.headings, scales, strict=True)
    )
    return replace(maps, headings=list(ends))


def _grid(maps: _Maps, width: float | None) -> tuple[int, int]:
    """Panels abreast and stacked: heads abreast if rows are layers, else as near to 4:3 as the panels allow.

    A picture for a column of a paper is rather higher than wide.
    """
    count = len(maps.values)
    if maps.layers:
        return count // len(maps.layers), len(maps.layers)
    rows, cols = maps.values[0].shape
    target = 4 / 3 if width is None or width > 4 else 0.85

    def misfit(abreast: int) -> tuple[float, float]:
        stacked = math.ceil(count / abreast)
        shape = abreast * (cols + 0.1 * max(rows, cols)) / (stacked * (rows + 0.25 * max(rows, cols)))
        empty = abreast * stacked - count
        return abs(math.log(shape / target)) + 1.5 * empty / (abreast * stacked), abreast

    best = min(range(1, count + 1), key=misfit)
    return best, math.ceil(count / best)
