"""Options of a picture: its size, letters and colours; and the checks of their values."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.errors import InputError, SelectionError, one_of
from attnviz.page.scale import WHITE

if TYPE_CHECKING:
    from attnviz.attention import Attention

SIDE = 12_000  # pixels a picture may be wide or high: beyond it few programs open one
PIXELS = 100_000_000

_INCHES = {"": 1.0, "in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4}


def length(name: str, value: float | str | None) -> float | None:
    """A length in inches: a number, or text such as `3.25`, `3.25in`, `8.25cm` or `82mm`. None for None.

    name: what is measured, for the error. Raises SelectionError for a text that is no length.
    """
    if not isinstance(value, str):
        return value
    parts = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]*)\s*", value.lower())
    if parts is None or parts[2] not in _INCHES:
        raise SelectionError(f"{name} wants a length such as 3.25in, 8.25cm, 82mm or 3.25; got {value!r}")
    return float(parts[1]) * _INCHES[parts[2]]


@dataclass(frozen=True)
class FigureOptions:
    """The choices of a user for a picture. A field that is None is chosen by the layout.

    width, height: inches, or a text that `length` reads, such as "8.25cm".
    dpi: pixels per inch of a PNG: 200, for a map of a given width 300 or a little more.
    font: an installed family or a font file. font_size: points, the largest size of a token label.
    title: instead of model, layer and head. bare: no title, colour bar or notes; the caption of the Figure has them.
    svg_text: keep | paths. frame_ms: milliseconds per frame of an animation.
    scale: of maps: auto | linear | sqrt | log | row (each row by its own largest weight); auto is linear up to 16 keys
    to a row, sqrt beyond.
    vmax: the weight that has the last colour; None: a round number above all weights to keys that are neither special
    nor the first, or over a long text one that about a quarter of the rows reach; "auto": the latter in any case
    (`attnviz.page.colour_limits`).
    cmap: ink (white at 0), viridis, cividis, magma, inferno, plasma, Greys or Blues; `_r` turns it round.
    decimals: of the numbers in the cells; 0 prints none.
    """

    width: float | None = None
    height: float | None = None
    dpi: float | None = None
    font: str | None = None
    font_size: float | None = None
    title: str | None = None
    bare: bool = False
    svg_text: str = "keep"
    frame_ms: int = 800
    scale: str = "auto"
    vmax: float | str | None = None
    cmap: str = WHITE
    decimals: int = 2

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            object.__setattr__(self, name, length(name, getattr(self, name)))


def check_attention(
    attention: Attention, options: FigureOptions, marks: Sequence[tuple[int, int]] = (), query: int | None = None
) -> None:
    """Raises SelectionError for a value that is not possible, InputError for weights that cannot be drawn."""
    *_, n_query, n_key = attention.weights.shape
    if not attention.weights.size:
        raise InputError(f"nothing to draw: weights are {list(attention.weights.shape)}")
    if not math.isfinite(attention.weights.sum(dtype="float64")):
        raise InputError("weights are not finite numbers: they hold NaN or infinity")
    for what, value, low, high in (
        ("width", options.width, 0.5, 100),
        ("height", options.height, 0.5, 100),
        ("font size", options.font_size, 1, 72),
        ("dpi", options.dpi, 20, 2400),
        ("decimals", options.decimals, 0, 6),
    ):
        if value is not None and not low <= value <= high:
            raise SelectionError(f"{what} must be from {low} to {high}; got {value}")
    if options.svg_text not in ("keep", "paths"):
        raise SelectionError(one_of("svg text", options.svg_text, ("keep", "paths")))
    if query is not None and not 0 <= query < n_query:
        raise SelectionError(f"query must be an index from 0 to {n_query - 1}; got {query}")
    for i, j in marks:
        if not (0 <= i < n_query and 0 <= j < n_key):
            raise SelectionError(f"a mark must be within {n_query} queries and {n_key} keys; got {i}:{j}")


def check_pixels(width: float, height: float, dpi: float) -> None:
    """Raises SelectionError if a picture of these points would be too large to be opened."""
    across, down = (side / 72 * dpi for side in (width, height))
    if max(across, down) > 4 * SIDE or across * down > 2 * PIXELS:
        raise SelectionError(
            f"a picture of {across:,.0f} x {down:,.0f} pixels is too large", "choose a lower dpi or a smaller size"
        )
