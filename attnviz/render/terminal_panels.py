"""Panels by name, and in bands as wide as the window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from attnviz.facts import head_name

if TYPE_CHECKING:
    from attnviz.page.figure import MapPanel


def panel_name(panel: MapPanel, plain: bool = False) -> str:
    """`head 3.1`, in a pipe `layer 3  head 1`; the panel's own title where it is no single head."""
    if panel.layer is None or panel.head is None:
        return panel.title
    return f"layer {panel.layer}  head {panel.head}" if plain else f"head {head_name(panel.layer, panel.head)}"


def bands(panels: Sequence[MapPanel], across: int) -> Iterator[Sequence[MapPanel]]:
    """Panels in bands of nearly equal length; a layer of several heads begins a band."""
    layers = [list(same) for _, same in groupby(panels, lambda panel: panel.layer)]
    apart = len({len(same) for same in layers}) == 1 and len(layers[0]) > 1  # else one head each, or heads by hand
    groups: list[Sequence[MapPanel]] = [*layers] if apart else [panels]
    for group in groups:
        n_bands = -(-len(group) // across)
        each = -(-len(group) // n_bands)
        for start in range(0, len(group), each):
            yield group[start : start + each]


def mask_reason(panels: Sequence[MapPanel]) -> str:
    """Why cells are masked: the future, in a causal map, or simply not allowed; '' if none is."""
    hidden = [panel.hidden for panel in panels if panel.hidden is not None and panel.hidden.any()]
    if not hidden:
        return ""
    rows, cols = hidden[0].shape
    future = ~np.tri(rows, cols, dtype=bool)
    causal = rows == cols and all(np.array_equal(mask, future) for mask in hidden)
    return "later tokens, not allowed" if causal else "not allowed"
