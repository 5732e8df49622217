"""What attention moves -> Figure: a row a layer (or head), a column a measure, the raw weights first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError
from attnviz.views.figure import Box, Figure, Scale
from attnviz.views.limits import scaled
from attnviz.views.measure import LOST, one_line, printable, typeface
from attnviz.views.scale import WHITE, check_cmap, check_scale, number, round_up, short
from attnviz.views.sheet import BASE, BESIDE, MARGIN, SMALL, Sheet, below, beside
from attnviz.views.tensor import SIGNED
from attnviz.views.wording import colour_note, font_note, from_model, hidden_reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention

TITLES = {
    "weights": "weights",
    "norm": "norm",
    "residual": "norm, residual",
    "alti": "ALTI",
    "zeroing": "value zeroing",
    "effective": "effective",
}
SAYS = {
    "weights": "weights: a",
    "norm": "norm: of a f(x), what the heads move (Kobayashi 2020)",
    "residual": "norm, residual: with the residual stream and the norms behind it (Kobayashi 2021)",
    "alti": "ALTI: how near a token's part comes to the whole (Ferrando 2022)",
    "zeroing": "value zeroing: how the layer's output turns without a token's value (Mohebbi 2023)",
    "effective": "effective: weights without what the values cannot tell apart (Brunner 2020)",
}
_GAP, _SIDES = 13.0, (250.0, 200.0, 165.0, 140.0, 124.0, 112.0)
_PRINTED = 3000  # numbers in cells, over all maps
_SIGNS = "0123456789.−" + LOST


@dataclass(frozen=True)
class Place:
    """One row of maps: its position [layer, head] in the weights, its layer and head, its mask, what it is called."""

    position: tuple[int, ...]
    at: tuple[int | None, int | None]
    allowed: NDArray[np.bool_] | None
    name: str


def figure(
    measures: Mapping[str, Attention],
    *,
    heads: bool = False,
    scale: str = "auto",
    vmax: float | None = None,
    cmap: str = WHITE,
    decimals: int = 2,
    title: str = "",
    subtitle: str = "",
    notes: Sequence[str] = (),
    width: float | None = None,
    dpi: float | None = None,
    font: str | None = None,
    svg_text: str = "keep",
    meta: Mapping[str, str] | None = None,
) -> Figure:
    """Measures side by side, all on one scale but for those with signs.

    Args:
        measures: by name, all of the same layers, heads and tokens; rows that are shares (`mixing.Moves.shares`).
        heads: a row a head, not the mean of all.
        scale, cmap, decimals, width, dpi, font, title, svg_text, meta: as for `attnviz.views.heatmap.heatmap`.
        vmax: the share that has the last colour; by default a round number above all.

    Raises:
        SelectionError: an option's value is not there or not possible.
    """
    check_scale(scale)
    if scale == "log":
        raise SelectionError("these maps have no logarithmic colours: wanted linear, sqrt or row")
    first = next(iter(measures.values()))
    rows = _rows(first, heads)
    plain = [one.weights for one in measures.values() if one.weights.min(initial=0.0) >= -1e-6]
    high = vmax or round_up(max((float(one.max(initial=0.0)) for one in plain), default=1.0)) or 1.0
    shared = scaled(scale, 1.0 if scale == "row" else high, check_cmap(cmap), len(first.keys), "share of the row")
    queries, keys = ([printable(text) for text in texts] for texts in (first.query_tokens, first.key_tokens))
    said = [*(SAYS[name] for name in measures), *_remarks(first), *notes]
    said += [note for note in (colour_note(shared),) if note]
    signed = any(one.weights.min(initial=0.0) < -1e-6 for one in measures.values())
    said += ["red above 0, blue below, on a scale of its own"] if signed else []
    face = typeface(font, [title, subtitle, *said, *queries, *keys, *TITLES.values(), _SIGNS])
    said += [note for note in [font_note(face)] if note]
    side = _SIDES[min(len(measures), len(_SIDES)) - 1]
    side = max(side, min(6.0 * len(keys), 1.7 * side))
    left = MARGIN + BASE * 1.6 + beside(face, queries, side * len(queries) / len(keys) / len(queries))
    if width is not None:
        side = (width * 72.0 - left - BESIDE - MARGIN + _GAP) / len(measures) - _GAP
        if side < 40.0:
            raise SelectionError(f"a width of {width:g} in leaves no room for {len(measures)} maps abreast")
    wide = left + len(measures) * (side + _GAP) - _GAP + BESIDE + MARGIN
    sheet = Sheet(face, wide)
    sheet.head(one_line(title), one_line(subtitle))
    down = side * len(queries) / len(keys)
    count = len(measures) * len(rows) * len(queries) * len(keys)
    sheet.y += 12.0
    top = sheet.y
    for index, row in enumerate(rows):
        last = index == len(rows) - 1
        for col, (name, one) in enumerate(measures.items()):
            values = one.weights[row.position]
            own = shared
            if values.min(initial=0.0) < -1e-6:
                end = round_up(float(np.abs(one.weights).max()))
                own = Scale("linear", -end, end, SIGNED, "signed")
            sheet.map(
                values,
                Box(left + col * (side + _GAP), sheet.y, side, down),
                own,
                title=f"{row.name}  {TITLES[name]}",
                heading=TITLES[name] if index == 0 else "",
                hidden=None if row.allowed is None or row.allowed.all() else ~row.allowed,
                rows=queries,
                cols=keys,
                shown=(col == 0, last),
                printed=_printed(values, decimals, own) if count <= 5 * _PRINTED and side / len(keys) > 9.0 else (),
                at=row.at,
            )
        sheet.word(row.name, MARGIN + 0.6 * BASE, sheet.y + down / 2, BASE, "center", rotation=90, tone="soft")
        sheet.y += down + _GAP
    sheet.bar(shared, left + len(measures) * (side + _GAP), top, down)
    sheet.y += below(face, keys, side / len(keys)) - _GAP + 9.0
    sheet.text(" · ".join(said), SMALL, tone="soft")
    spoken = f"Colour: {shared.label}, {shared.kind} from 0 to {number(shared.high)} ({shared.cmap})"
    return sheet.figure(title=title, subtitle=subtitle, notes=said, dpi=dpi, svg_text=svg_text, meta=meta, said=spoken)


def _rows(first: Attention, heads: bool) -> list[Place]:
    found = zip(np.ndindex(first.weights.shape[:2]), first.places, first.maps(), strict=True)
    return [
        Place(position, (layer, head), allowed, f"layer {layer}" + (f" · head {head}" if heads else ""))
        for position, (layer, head), (_, allowed) in found
    ]


def _remarks(first: Attention) -> list[str]:
    grey = hidden_reason(first)
    reduced = [note for note in first.reduced.split("; ") if note and not note.startswith("mean over")]
    return [*reduced, *([f"grey: {grey}"] if grey else []), *from_model(first)]


def _printed(values: NDArray[Any], decimals: int, scale: Scale) -> list[list[str]]:
    if not decimals:
        return []
    least = max(10.0**-decimals, round_up(0.045 * scale.high))
    return [[short(value, decimals) if abs(value) >= least else "" for value in row] for row in values.tolist()]
