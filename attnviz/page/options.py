"""What the options of a picture may be, and what a picture says of its making."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import InputError, SelectionError, one_of

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.page.placing import Placed

SIDE = 12_000  # pixels a picture may be wide or high: beyond it few programs open one
PIXELS = 100_000_000


def check_options(
    attention: Attention,
    width: float | None,
    height: float | None,
    font_size: float | None,
    decimals: int,
    dpi: float | None,
    svg_text: str,
    marks: Sequence[tuple[int, int]],
    query: int | None,
) -> None:
    """Raises SelectionError for a value that is not possible, InputError for weights that cannot be drawn."""
    n_layers, n_heads, n_query, n_key = attention.weights.shape
    if not n_layers or not n_heads or not n_query or not n_key:
        raise InputError(f"nothing to draw: weights are {list(attention.weights.shape)}")
    if not np.isfinite(attention.weights.sum(dtype=np.float64)):
        raise InputError("weights are not finite numbers: they hold NaN or infinity")
    for what, value, low, high in (
        ("width", width, 0.5, 100),
        ("height", height, 0.5, 100),
        ("font size", font_size, 1, 72),
        ("dpi", dpi, 20, 2400),
        ("decimals", decimals, 0, 6),
    ):
        if value is not None and not low <= value <= high:
            raise SelectionError(f"{what} must be from {low} to {high}; got {value}")
    if svg_text not in ("keep", "paths"):
        raise SelectionError(one_of("svg text", svg_text, ("keep", "paths")))
    if query is not None and not 0 <= query < n_query:
        raise SelectionError(f"query must be an index from 0 to {n_query - 1}; got {query}")
    for i, j in marks:
        if not (0 <= i < n_query and 0 <= j < n_key):
            raise SelectionError(f"a mark must be within {n_query} queries and {n_key} keys; got {i}:{j}")


def check_pixels(placed: Placed) -> None:
    """Raises SelectionError if a picture would be too large to be opened."""
    across, down = (side / 72 * placed.sizes.dpi for side in (placed.width, placed.height))
    if max(across, down) > 4 * SIDE or across * down > 2 * PIXELS:
        raise SelectionError(
            f"a picture of {across:,.0f} x {down:,.0f} pixels is too large", "choose a lower dpi or a smaller size"
        )


def made_by(attention: Attention, name: str | None, meta: Mapping[str, str] | None) -> dict[str, str]:
    """What made the picture, for its file to carry: model, digest, seed, version, and what `meta` adds."""
    from attnviz import __version__

    found = {"model": name or attention.model}
    found |= {key: str(attention.meta[key]) for key in ("digest", "seed") if attention.meta.get(key) is not None}
    found["version"] = f"attnviz {__version__}"
    return {key: value for key, value in {**found, **(meta or {})}.items() if value}
