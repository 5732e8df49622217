"""A tensor as one map of signed colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page.figure import Box, Figure, MapPanel, Scale
from attnviz.page.scale import INKS, round_up

if TYPE_CHECKING:
    from numpy.typing import NDArray


def tensor_map(name: str, values: NDArray[Any]) -> Figure:
    """A tensor as one map of signed colours, symmetric about 0; not-a-number and infinite cells are hidden.

    One axis is drawn as a row; of more than two, all but the first are laid out one after another as columns.
    """
    rows = values.shape[0] if values.ndim > 1 else 1
    flat = values.reshape(rows, values.size // max(rows, 1)).astype(np.float32, copy=False)
    finite = np.isfinite(flat)
    whole = bool(finite.all())
    shown = flat if whole else np.where(finite, flat, 0)
    top = round_up(float(max(abs(shown.min(initial=0.0)), abs(shown.max(initial=0.0)))))
    notes = []
    if values.ndim > 2:
        notes.append(f"columns: axes 1 to {values.ndim - 1}, the last one fastest")
    panel = MapPanel(
        title=name,
        values=shown,
        hidden=None if whole else ~finite,
        row_labels=tuple(map(str, range(flat.shape[0]))),
        col_labels=tuple(map(str, range(flat.shape[1]))),
        box=Box(0.0, 0.0, 0.0, 0.0),
    )
    scale = Scale("linear", -top, top, INKS, "value")
    return Figure(0.0, 0.0, (panel,) if flat.size else (), scale, title=name, notes=tuple(notes))
