"""Attention -> Figure for the terminal: the heatmap's numbers, limits and words, without a page's geometry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnviz.errors import InputError
from attnviz.page import wording
from attnviz.page.colour_limits import count_above
from attnviz.page.colour_limits import limits as find_limits
from attnviz.page.figure import Box, Figure, MapPanel
from attnviz.page.scale import WHITE, check_cmap, check_scale
from attnviz.page.text_metrics import one_line, printable
from attnviz.select import listed_pairs

if TYPE_CHECKING:
    from attnviz.attention import Attention

SHADE = "shade"  # colours or glyphs, on whichever ground
NO_BOX = Box(0.0, 0.0, 0.0, 0.0)


def table(
    attention: Attention,
    *,
    scale: str = "auto",
    vmax: float | str | None = None,
    cmap: str = WHITE,
    title: str | None = None,
    marks: Sequence[tuple[int, int]] = (),
) -> Figure:
    """Attention as panels for a terminal, a panel per head, layer after layer.

    Args:
        scale, vmax, cmap: as for `attnviz.page.heatmap.heatmap`, with the same limits.
        title: instead of model, layer and head.
        marks: (query, key) pairs of indices to stress.

    Raises:
        SelectionError: an option's value is not there or not possible. InputError: there are no weights.
    """
    check_scale(scale)
    if not attention.weights.size:
        raise InputError(f"nothing to print: weights are {list(attention.weights.shape)}")
    limits, why = find_limits(attention, scale, vmax, check_cmap(cmap))
    row_labels = tuple(printable(text) for text in attention.query_tokens)
    col_labels = tuple(printable(text) for text in attention.key_tokens)
    how = "together" if attention.meta.get("together") else "mean"
    named = _titles(attention, how)
    panels = [
        MapPanel(
            title=name,
            values=values,
            hidden=None if mask is None or mask.all() else ~mask,
            row_labels=row_labels,
            col_labels=col_labels,
            box=NO_BOX,
            marks=tuple(marks),
            layer=layer,
            head=head,
        )
        for name, (values, mask), (layer, head) in zip(named, attention.maps(), attention.places, strict=True)
    ]
    asked = attention.query_tokens[0] if len(attention.queries) == 1 else ""
    heading = one_line(title) if title is not None else wording.title(attention, "", asked)
    sums = wording.row_sums(attention)
    below = wording.subtitles(attention, sums, len(panels), marks, "one query's")[0]
    over = wording.over_note(count_above(attention.weights, limits), limits.high, why, any(attention.key_special))
    over = over or wording.under_note([attention.weights], [limits])
    notes = wording.notes(attention, limits, sums, "", over, 0, "", SHADE)
    return Figure(
        width=0.0,
        height=0.0,
        panels=tuple(panels),
        scale=limits,
        title=heading,
        subtitle=below,
        caption=wording.caption(heading, below, limits, notes),
        notes=tuple(notes),
        shading=tuple(filter(None, (wording.colour_note(limits, SHADE), over))),
    )


def _titles(attention: Attention, how: str) -> list[str]:
    """A panel each: `layer 3  head 1`, and what was averaged."""
    if attention.pairs and attention.places == ((None, None),):
        return [f"heads {listed_pairs(attention.pairs)} ({how})"]
    return [
        f"{_named('layer', attention.layers, layer)}  {_named('head', attention.heads, head, how)}"
        for layer, head in attention.places
    ]


def _named(what: str, indices: Sequence[int], index: int | None, how: str = "mean") -> str:
    """`layer 3`; of a mean `layers 0-5 (mean)`, one word an entry, so that a pipe's header can be read."""
    if index is not None:
        return f"{what} {index}"
    low, high = min(indices), max(indices)
    if sorted(indices) == list(range(low, high + 1)):
        return f"{what}s {low}-{high} ({how})"
    return f"{what}s {','.join(map(str, indices))} ({how})"
