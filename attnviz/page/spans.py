"""Named spans of tokens: brackets with labels, over the keys of the upper panels and beside the queries of the left.

Labels keep to the room that the neighbours of their spans leave: they get smaller, then numbers, which a note explains.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from attnviz.errors import SelectionError
from attnviz.page.figure import Box, Label, Line
from attnviz.page.sizes import Axis, Request, Side, Sizes
from attnviz.page.text_metrics import DESCENT, SMALLEST, one_line, tallness
from attnviz.select import parse_range

Span = tuple[int, int, str]  # first and last place, and the label

_OFF, _TICK, _APART = 2.0, 3.0, 2.0  # points: from cells or their labels to a bracket; its ends; from it to its label
_INSET = 1.0  # points at either end of a span, so that brackets side by side are two


def parse_span(text: str) -> Span:
    """`0-12:Source` -> (0, 12, "Source"); `3:it` -> (3, 3, "it"). Raises SelectionError otherwise."""
    parts = re.fullmatch(r"\s*(\d{1,9}(?:-\d{1,9})?)\s*:(.*\S.*)", text, re.S)
    if parts is None:
        raise SelectionError(f"a span is FIRST-LAST:LABEL, as in 0-12:Source; got {text!r}")
    return (*parse_range(parts[1]), parts[2].strip())


def checked(spans: Sequence[Span], length: int, cell: int = 1, pooled: int = 1) -> tuple[Span, ...]:
    """The spans in order, their places in drawn cells.

    length: of the axis, in cells of `cell` tokens each, of which `pooled` are drawn as one.

    Raises SelectionError: one lies outside of the text, or two overlap.
    """
    ordered = sorted((first, last, one_line(label)) for first, last, label in spans)
    for first, last, label in ordered:
        if not 0 <= first <= last < length * cell:
            raise SelectionError(
                f"span {first}-{last}:{label} lies outside of the text, whose tokens are 0 to {length * cell - 1}"
            )
    for span, following in pairwise(ordered):
        if following[0] <= span[1]:
            names = (f"{first}-{last}:{label}" for first, last, label in (span, following))
            raise SelectionError(f"spans {' and '.join(names)} overlap", "let one end before the other begins")
    side = cell * pooled
    return tuple((first // side, last // side, label) for first, last, label in ordered)


def fit(request: Request, sizes: Sizes) -> None:
    """Settle the size of the labels, and which of them are numbers because they have no room."""
    face, axes = request.face, ((request.rows, sizes.rows), (request.cols, sizes.cols))
    rooms = [(side, list(zip(axis.spans, _rooms(axis, side), strict=True))) for axis, side in axes]
    widths = [(span[2], high - low) for _, spans in rooms for span, (low, high) in spans]
    fitting = min([sizes.base, *(most / max(face.width(label, 1.0), 0.01) for label, most in widths)])
    sizes.span_size = fitting if fitting >= min(SMALLEST, sizes.base) else max(0.75 * sizes.base, SMALLEST)
    for side, spans in rooms:
        side.spans = tuple(
            next((text for text in (span[2], str(i)) if face.width(text, sizes.span_size) <= high - low + 1e-6), "")
            for i, (span, (low, high)) in enumerate(spans, 1)
        )


def room(axis: Axis, sizes: Sizes) -> float:
    """Points that brackets and their labels take beside the cells."""
    tall = sum(tallness([label for _, _, label in axis.spans])) if axis.spans else 0.0
    return _OFF + _TICK + _APART + tall * sizes.base if axis.spans else 0.0


def note(request: Request, sizes: Sizes) -> list[str]:
    """The labels that are numbers somewhere, whole."""
    numbers = {
        f"{i} {span[2]}": None
        for axis, side in ((request.cols, sizes.cols), (request.rows, sizes.rows))
        for i, (span, text) in enumerate(zip(axis.spans, side.spans, strict=True), 1)
        if text != span[2]
    }
    return [f"spans: {', '.join(numbers)}"] if numbers else []


def brackets(request: Request, sizes: Sizes, box: Box, edge: float, *, upright: bool) -> tuple[list[Line], list[Label]]:
    """The brackets over the columns of a panel, or beside its rows. edge: the upper or left edge that they keep off.

    upright: beside the rows.
    """
    lines, labels = [], []
    axis, side = (request.rows, sizes.rows) if upright else (request.cols, sizes.cols)
    start, across = (box.y if upright else box.x), edge - _OFF - _TICK
    beyond = across - _APART - DESCENT * sizes.span_size
    for span, text, room in zip(axis.spans, side.spans, _rooms(axis, side), strict=True):
        low, high, middle = (start + place for place in _along(request, span, text, sizes, side.cell, room))
        ends = (((low, across), (high, across)), *(((at, across), (at, across + _TICK)) for at in (low, high)))
        for (x0, y0), (x1, y1) in ends:
            lines.append(Line(y0, x0, y1, x1, 0.7) if upright else Line(x0, y0, x1, y1, 0.7))
        at, turn = ((beyond, middle), 90.0) if upright else ((middle, beyond), 0.0)
        labels += [Label(text, *at, sizes.span_size, "center", turn, tone="soft", role="span")] if text else []
    return lines, labels


def _rooms(axis: Axis, side: Side) -> list[tuple[float, float]]:
    """Where each label may begin and end, in points from the panel's edge: half-way to its neighbours."""
    if not axis.spans:
        return []
    inner = [(span[1] + 1 + following[0]) * side.cell / 2 for span, following in pairwise(axis.spans)]
    bounds = [-side.gap / 2, *inner, axis.cells * side.cell + side.gap / 2]
    return [(low + _INSET, high - _INSET) for low, high in pairwise(bounds)]


def _along(
    request: Request, span: Span, text: str, sizes: Sizes, cell: float, room: tuple[float, float]
) -> tuple[float, float, float]:
    """Where a bracket begins and ends, and the middle of its label, which keeps to its room."""
    inset = min(_INSET, 0.2 * cell)
    start, stop = span[0] * cell + inset, (span[1] + 1) * cell - inset
    half = request.face.width(text, sizes.span_size) / 2
    return start, stop, min(max((start + stop) / 2, room[0] + half), room[1] - half)
