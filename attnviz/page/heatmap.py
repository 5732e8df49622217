"""The heatmap: one panel per head, rows are queries from top to bottom, columns are keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnviz.page import wording
from attnviz.page.cell_numbers import CellNumbers
from attnviz.page.colour_limits import count_above, fills_up, flowing, limits
from attnviz.page.figure import Figure, MapPanel, Scale
from attnviz.page.figure_options import FigureOptions, check_attention
from attnviz.page.maps import Maps, all_queries, one_query
from attnviz.page.placing import Placed, arrange
from attnviz.page.scale import check_cmap, check_scale
from attnviz.page.spans import Span, checked
from attnviz.page.text_metrics import LOST, SAYS, one_line, typeface

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.page.sizes import Request

_SIGNS = "0123456789.–−·≥…" + LOST  # characters of numbers and of shortened text


def heatmap(
    attention: Attention,
    *,
    marks: Sequence[tuple[int, int]] = (),
    query: int | None = None,
    does: Mapping[str, str] | None = None,
    name: str | None = None,
    meta: Mapping[str, str] | None = None,
    among: Attention | None = None,
    spans: Sequence[Span] = (),
    **look: Any,
) -> Figure:
    """Attention as a Figure: a panel per head; rows of panels are layers if there are several.

    Args:
        marks: (query, key) pairs of indices whose cells are outlined.
        query: show this query alone: one panel per layer, one row per head.
        does: what heads do, by `layer.head`; said beside the names of heads of different layers.
        name: what to call the model. meta: what made the picture, kept in the file.
        among: of an animation all that its frames show, whose scale and remarks hold for each.
        spans: (first, last, label) of tokens, by index and inclusive: brackets over keys, and beside queries that are
            the same text.
        look: size, letters and colours, as fields of `attnviz.page.figure_options.FigureOptions`.

    Raises:
        SelectionError: an option's value is not there or not possible. InputError: weights that are not finite.
    """
    options = _checked(FigureOptions(**look), attention, marks, query)
    maps = all_queries(attention, marks, does) if query is None else one_query(attention, query, marks, does)
    maps = maps.thinned(options)
    whole, shared = (attention, query) if among is None else (among, None)
    scale, why = limits(whole, options.scale, options.vmax, options.cmap, shared)
    own = None
    if among is None and len(maps.values) > 1 and fills_up(attention, options.scale, options.vmax):
        # One scale for all panels would hide what each shows: flows after several layers.
        own = [flowing(values, scale.cmap) for values in maps.values]
        scale, maps = Scale("panel", 0.0, 1.0, scale.cmap, f"{scale.label}, layer by layer"), maps.ranged(own)
    above = count_above(maps.values if among is None else among.weights, scale)
    over = wording.over_note(above, scale.high, why, any(attention.key_special))
    over = over or wording.under_note(maps.values, own or [scale])
    sums, hidden = wording.row_sums(whole, shared), wording.hidden_reason(whole)
    tokens = [*maps.row_labels, *maps.col_labels]
    splits = ["lines part the two texts"] if any(maps.splits) else []

    def notes(of_numbers: str) -> list[str]:
        return [*wording.notes(attention, scale, sums, hidden, over, maps.pooled, of_numbers), *splits, *lost]

    lost: list[str] = []
    marked = [] if query is not None else list(marks)
    subtitles = wording.subtitles(attention, sums, len(maps.values), marked, maps.one_row, maps.pooled)
    title = _title(attention, options, name, query, does)
    drawn = [title, *subtitles, *notes(""), *tokens, *maps.headings, *(label for _, _, label in spans), _SIGNS]
    face = typeface(options.font, drawn)
    lost += [note for note in (wording.font_note(face), wording.joining_note(tokens)) if note]
    keys = checked(spans, len(attention.keys), attention.cell, maps.pooled)
    request = maps.request(
        face,
        options,
        (keys if query is None and attention.queries == attention.keys else (), keys),
        per_row=maps.across(options.width),
        title=title,
        subtitles=subtitles,
        scale=scale,
        bar_over=above > 0,
        unit="cell" if attention.cell > 1 else "token",
        caution=wording.CAUTION if _says_what_heads_do(attention, options, maps, query, does) else "",
    )
    numbers = CellNumbers(maps.values, scale, face, options.decimals)
    placed = _arranged(request, maps, numbers, notes)
    return placed.figure(_panels(maps, placed, numbers, own), attention, name, options.svg_text, meta)


def _checked(
    options: FigureOptions, attention: Attention, marks: Sequence[tuple[int, int]], query: int | None
) -> FigureOptions:
    """The options, with the colour map's own spelling of its name."""
    check_scale(options.scale)
    cmap = check_cmap(options.cmap)
    check_attention(attention, options, marks, query)
    return replace(options, cmap=cmap)


def _panels(maps: Maps, placed: Placed, numbers: CellNumbers, own: Sequence[Scale] | None) -> tuple[MapPanel, ...]:
    """A panel per map, with numbers in its cells where they have room. own: the scale of each, if they share none."""
    size = numbers.size(*placed.cell) if numbers.wanted else 0.0
    fields: dict[str, Sequence[Any]] = {"scale": own} if own else {}
    fields |= {"cell_text": numbers.texts(), "cell_size": [size] * len(maps.values)} if size else {}
    return maps.panels(placed, **fields)


def _title(
    attention: Attention, options: FigureOptions, name: str | None, query: int | None, does: Mapping[str, str] | None
) -> str:
    if options.title is not None:
        return one_line(options.title)
    return wording.title(attention, name or "", "" if query is None else attention.query_tokens[query], does)


def _says_what_heads_do(
    attention: Attention, options: FigureOptions, maps: Maps, query: int | None, does: Mapping[str, str] | None
) -> bool:
    if options.title is None and wording.does_alone(attention, does):
        return True
    return any(SAYS in text for text in (maps.headings if query is None else maps.row_labels))


def _arranged(request: Request, maps: Maps, numbers: CellNumbers, notes: Callable[[str], list[str]]) -> Placed:
    """The layout. notes: all of them, with one on the numbers in the cells."""

    def as_wide(points: float) -> Placed:
        return arrange(replace(request, width=points, per_row=maps.across(points / 72)))

    placed, note = arrange(replace(request, notes=tuple(notes("")))), ""
    if numbers.wanted and not request.bare and not numbers.size(*placed.cell):
        wider = numbers.width_wanted(placed, as_wide)
        note = f"numbers in the cells: from a width of {wider:g} in" if wider else ""
    elif numbers.wanted:
        note = numbers.note()
    if note:  # it may cost the cells a little of their height
        placed = arrange(replace(request, notes=tuple(notes(note))))
    return placed
