"""Named spans of tokens: brackets with labels, over the keys of the upper panels and beside the queries of the left.

Labels keep to the room that the neighbours of their spans leave: they get smaller, then numbers, which a note explains.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from attnviz.errors import SelectionError
from attnviz.page.figure import Box, Label, Line
from attnviz.page.sizes import Request, Sizes
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
    axes = (
        (request.row_spans, _rooms(request.row_spans, sizes.cell_height, request.rows, sizes.gap_y)),
        (request.col_spans, _rooms(request.col_spans, sizes.cell_width, request.cols, sizes.gap_x)),
    )
    face = request.face
    both = [
        (label, high - low) for spans, rooms in axes for (_, _, label), (low, high) in zip(spans, rooms, strict=True)
    ]
    fitting = min([sizes.base, *(most / max(face.width(label, 1.0), 0.01) for label, most in both)])
    sizes.span_size = fitting if fitting >= min(SMALLEST, sizes.base) else max(0.75 * sizes.base, SMALLEST)
    sizes.row_spans, sizes.col_spans = (
        tuple(
            next((text for text in (label, str(i)) if face.width(text, sizes.span_size) <= high - low + 1e-6), "")
            for i, ((_, _, label), (low, high)) in enumerate(zip(spans, rooms, strict=True), 1)
        )
        for spans, rooms in axes
    )


def room(spans: Sequence[Span], sizes: Sizes) -> float:
    """Points that brackets and their labels take beside the cells."""
    tall = sum(tallness([label for _, _, label in spans])) if spans else 0.0
    return _OFF + _TICK + _APART + tall * sizes.base if spans else 0.0


def note(request: Request, sizes: Sizes) -> list[str]:
    """The labels that are numbers somewhere, whole."""
    numbers = {
        f"{i} {span[2]}": None
        for spans, texts in ((request.col_spans, sizes.col_spans), (request.row_spans, sizes.row_spans))
        for i, (span, text) in enumerate(zip(spans, texts, strict=True), 1)
        if text != span[2]
    }
    return [f"spans: {', '.join(numbers)}"] if numbers else []


def over(request: Request, sizes: Sizes, box: Box) -> tuple[list[Line], list[Label]]:
    """The brackets over the columns of a panel."""
    y = box.y - _OFF - _TICK
    lines, labels = [], []
    rooms = _rooms(request.col_spans, sizes.cell_width, request.cols, sizes.gap_x)
    for span, text, room in zip(request.col_spans, sizes.col_spans, rooms, strict=True):
        left, right, middle = (box.x + x for x in _along(request, span, text, sizes, sizes.cell_width, room))
        lines += [_line(left, y, right, y), _line(left, y, left, y + _TICK), _line(right, y, right, y + _TICK)]
        place = (middle, y - _APART - DESCENT * sizes.span_size, sizes.span_size)
        labels += [Label(text, *place, "center", tone="soft", role="span")] if text else []
    return lines, labels


def beside(request: Request, sizes: Sizes, box: Box, edge: float) -> tuple[list[Line], list[Label]]:
    """The brackets beside the rows of a panel, to the left of `edge`."""
    x = edge - _OFF - _TICK
    lines, labels = [], []
    rooms = _rooms(request.row_spans, sizes.cell_height, request.rows, sizes.gap_y)
    for span, text, room in zip(request.row_spans, sizes.row_spans, rooms, strict=True):
        top, bottom, middle = (box.y + y for y in _along(request, span, text, sizes, sizes.cell_height, room))
        lines += [_line(x, top, x, bottom), _line(x, top, x + _TICK, top), _line(x, bottom, x + _TICK, bottom)]
        place = (x - _APART - DESCENT * sizes.span_size, middle, sizes.span_size)
        labels += [Label(text, *place, "center", 90, tone="soft", role="span")] if text else []
    return lines, labels


def _rooms(spans: Sequence[Span], cell: float, count: int, gap: float) -> list[tuple[float, float]]:
    """Where each label may begin and end, in points from the panel's edge: half-way to its neighbours."""
    if not spans:
        return []
    inner = [(span[1] + 1 + following[0]) * cell / 2 for span, following in pairwise(spans)]
    bounds = [-gap / 2, *inner, count * cell + gap / 2]
    return [(low + _INSET, high - _INSET) for low, high in pairwise(bounds)]


def _along(
    request: Request, span: Span, text: str, sizes: Sizes, cell: float, room: tuple[float, float]
) -> tuple[float, float, float]:
    """Where a bracket begins and ends, and the middle of its label, which keeps to its room."""
    inset = min(_INSET, 0.2 * cell)
    start, stop = span[0] * cell + inset, (span[1] + 1) * cell - inset
    half = request.face.width(text, sizes.span_size) / 2
    return start, stop, min(max((start + stop) / 2, room[0] + half), room[1] - half)


def _line(x0: float, y0: float, x1: float, y1: float) -> Line:
    return Line(x0, y0, x1, y1, 0.7)
