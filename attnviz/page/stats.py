"""Statistics of heads -> Figure: a board of one number, and below it that number against depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError, one_of
from attnviz.page.board import BASE, BELOW, MARGIN, SMALL, board
from attnviz.page.figure import Dot, Figure, Label, Line
from attnviz.page.scale import number, ticks

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS = {
    "entropy": "entropy (nats)",
    "span": "span (keys)",
    "distance": "distance (tokens)",
    "confidence": "confidence",
    "previous": "weight on the previous token",
    "next": "weight on the next token",
    "self": "weight on the same token",
    "first": "weight on the first token",
    "special": "weight on special tokens",
}
HIGH = 120.0  # of the plot, in points
ABOVE = 30.0
WIDEST, LEAST = 420.0, 220.0
_HEAD = (126, 164, 204)  # a head's dot
_SHIFT = 0.36  # how far apart the dots of a layer stand, as a share of the way to the next


def figure(
    found: Mapping[str, NDArray[Any]],
    by: str = "entropy",
    *,
    layers: Sequence[int | str | None],
    heads: Sequence[int | str | None],
    title: str = "",
    subtitle: str = "",
    bare: bool = False,
    **how: Any,
) -> Figure:
    """One number of every head as a board, and against depth: a dot a head, a line for the mean of each layer.

    Args:
        found: numbers by name, each [layer, head], as `attnviz.heads.statistics` gives them.
        by: which to draw.
        layers, heads: true indices, None where they were averaged.
        title, subtitle, bare and others: as for `attnviz.page.board.boards`. A bare figure is the board alone.

    Raises:
        SelectionError: there is no such number, or no room for the board.
    """
    if by not in found:
        raise SelectionError(one_of("number", by, tuple(found)))
    values = np.asarray(found[by], np.float64)
    deep = not bare and len(layers) > 1 and bool(np.isfinite(values).any())
    drawn = board(
        values,
        layers=names(layers),
        heads=names(heads),
        label=LABELS.get(by, by),
        title=title,
        subtitle=subtitle,
        bare=bare,
        room=(LEAST + 2 * MARGIN + 40.0, ABOVE + HIGH + 34.0) if deep else (0.0, 0.0),
        **how,
    )
    return _with_depth(drawn, values, names(layers), LABELS.get(by, by)) if deep else drawn


def names(indices: Sequence[int | str | None]) -> list[str]:
    """What rows and columns of a board are called."""
    return ["mean" if index is None else str(index) for index in indices]


def _with_depth(drawn: Figure, values: NDArray[np.float64], layers: Sequence[str], label: str) -> Figure:
    box = drawn.panels[0].box
    left, top = box.x, box.y + box.height + BELOW + ABOVE
    wide = min(max(box.width, LEAST), WIDEST, drawn.width - left - MARGIN)
    bottom = top + HIGH
    scale = drawn.scale
    labels, lines, dots = list(drawn.labels), list(drawn.lines), list(drawn.dots)
    how: dict[str, Any] = {"tone": "soft"}
    heading = f"{label} against depth"
    labels.append(Label(heading, left, top - 9.0, BASE, weight="bold", role="heading", **how))

    def across(layer: float) -> float:
        return left + wide * (layer + 0.5) / len(layers)

    def up(value: float) -> float:
        return bottom - HIGH * (value - scale.low) / (scale.high - scale.low)

    for value, place in ticks("linear", scale.low, scale.high, 6):
        y = bottom - HIGH * place
        lines.append(Line(left, y, left + wide, y, 0.4, "grid"))
        labels.append(Label(number(value), left - 4.0, y + 0.36 * SMALL, SMALL, "right", role="tick"))
    face = drawn.face
    widest = max(face.width(name, SMALL) for name in layers) if face is not None else SMALL
    step = max(1, -(-int(len(layers) * (widest + 3.0)) // int(wide)))
    below = bottom + 4.0 + 0.75 * SMALL
    labels += [Label(layers[i], across(i), below, SMALL, "center", role="tick") for i in range(0, len(layers), step)]
    at = (left + wide / 2, bottom + 4.0 + SMALL + 3.0 + 0.8 * BASE, BASE)
    labels.append(Label("layer (dot: a head, line: mean)", *at, "center", role="axis", **how))
    n_heads = values.shape[1]
    pitch = wide / len(layers)
    radius = min(2.2, 0.3 * pitch)
    for i, row in enumerate(values):
        for j, value in enumerate(row.tolist()):
            if np.isfinite(value):
                beside = _SHIFT * (2 * j / (n_heads - 1) - 1) if n_heads > 1 else 0.0
                dots.append(Dot(across(i + beside), up(value), radius, _HEAD))
    means = [float(row[np.isfinite(row)].mean()) if np.isfinite(row).any() else np.nan for row in values]
    for (i, first), (k, second) in pairwise(enumerate(means)):
        if np.isfinite(first) and np.isfinite(second):
            lines.append(Line(across(i), up(first), across(k), up(second), 1.4, "curve0"))
    return replace(drawn, labels=tuple(labels), lines=tuple(lines), dots=tuple(dots))
