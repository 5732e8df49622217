"""Maps of queries and keys, and distances, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page.colour_limits import is_signed, limits
from attnviz.page.parts.explorer import Explorer
from attnviz.page.scale import round_up
from attnviz.render.html.explorer import explorer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.parts import Distances, MapGrid, MapTable, SignedMaps
    from attnviz.render.html.blocks import Blocks


def map_grid(part: MapGrid, blocks: Blocks) -> dict[str, Any]:
    """Every map of an Attention: in a browser they can be looked at one by one."""
    return explorer(Explorer((part.attention,)), blocks)


def signed_maps(part: SignedMaps, blocks: Blocks) -> dict[str, Any]:
    """Maps of the same rows and columns on one scale about 0."""
    maps = [
        {
            "name": each.name,
            "remark": each.remark,
            "values": blocks.numbers(_narrow(each.values)),
            "hidden": hidden(each.hidden, blocks),
        }
        for each in part.maps
    ]
    top = max((float(np.nanmax(np.abs(each.values), initial=0.0)) for each in part.maps), default=0.0)
    names = {"rows": list(part.rows), "cols": list(part.cols), "label": part.label, "legend": list(part.legend)}
    return {"kind": "SignedMaps", "maps": maps, "high": round_up(max(top, 1e-9)), **names}


def map_table(part: MapTable, blocks: Blocks) -> dict[str, Any]:
    """Maps of several numbers side by side."""
    columns = list(part.columns.values())
    first = columns[0]
    signs = [bool(is_signed(each.weights)) for each in columns]
    flat = [each.weights.reshape(-1, *each.weights.shape[2:]) for each in columns]
    scales = [
        limits(each, "auto", None, "ink")[0].high for each, signed in zip(columns, signs, strict=True) if not signed
    ]
    mask = first.effective_mask()
    allowed = None if mask is None else mask.reshape(-1, *mask.shape[2:]).any(axis=0)
    return {
        "kind": "MapTable",
        "rows": list(part.rows),
        "by": part.by,
        "label": part.label,
        "columns": list(part.columns),
        "queries": list(first.query_tokens),
        "keys": list(first.key_tokens),
        "signed": signs,
        "high": max(scales, default=1.0),
        "maps": [[blocks.numbers(_narrow(maps[row])) for maps in flat] for row in range(len(part.rows))],
        "hidden": hidden(None if allowed is None else np.logical_not(allowed), blocks),
    }


def distances(part: Distances, blocks: Blocks) -> dict[str, Any]:
    """Distances and the dendrogram that orders them."""
    names = {"names": list(part.names), "order": [int(each) for each in part.order], "unit": part.unit}
    joins = [[int(first), int(second), float(height)] for first, second, height in part.joins]
    return {"kind": "Distances", "values": blocks.numbers(_narrow(part.values)), "joins": joins, **names}


def hidden(mask: NDArray[Any] | None, blocks: Blocks) -> dict[str, Any] | None:
    """Cells where no attending was allowed, 1 each; None: nowhere."""
    return None if mask is None or not mask.any() else blocks.numbers(np.asarray(mask, bool))


def _narrow(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)
