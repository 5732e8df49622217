"""What attention moves -> Figure: a row a layer (or head), a column a measure, the raw weights first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError
from attnviz.facts import head_name
from attnviz.page.colour_limits import scaled
from attnviz.page.figure import Box, Figure, Scale
from attnviz.page.page import fit
from attnviz.page.scale import WHITE, check_cmap, check_scale, masked, number, round_up, short
from attnviz.page.sheet import BASE, BESIDE, MARGIN, SMALL, Sheet, below, beside
from attnviz.page.tensor import SIGNED
from attnviz.page.text_metrics import LOST, one_line, printable, typeface
from attnviz.page.wording import colour_note, font_note, from_model, hidden_reason

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
_GAP, _BLOCK, _LONGEST = 13.0, 14.0, 90.0  # points: between maps, before a column of layers; a name at most
_SIDES = (250.0, 200.0, 165.0, 140.0, 124.0, 112.0)  # of maps abreast
_PRINTED = 3000  # numbers in cells, over all maps
_SIGNS = "0123456789.−" + LOST


@dataclass(frozen=True)
class Place:
    """One row of maps: its position [layer, head] in the weights, its layer and head, its mask, what it is called.

    short: the same where there is little room.
    """

    position: tuple[int, ...]
    at: tuple[int | None, int | None]
    allowed: NDArray[np.bool_] | None
    name: str
    short: str


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
        scale, cmap, decimals, width, dpi, font, title, svg_text, meta: as for `attnviz.page.heatmap.heatmap`.
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
    said = [*(SAYS[name] for name in measures), *_remarks(first, shared.cmap), *notes]
    said += [note for note in (colour_note(shared),) if note]
    signed = any(one.weights.min(initial=0.0) < -1e-6 for one in measures.values())
    said += ["red above 0, blue below, on a scale of its own"] if signed else []
    face = typeface(font, [title, subtitle, *said, *queries, *keys, *TITLES.values(), _SIGNS])
    said += [note for note in [font_note(face)] if note]
    side, columns = _side(len(measures), len(rows), (len(queries), len(keys)))
    names = [face.cut(text, 7.4, _LONGEST) for text in queries]
    left = MARGIN + BASE * 1.6 + beside(face, names, side / len(keys))
    if width is not None:
        side, columns = (width * 72.0 - left - BESIDE - MARGIN + _GAP) / len(measures) - _GAP, 1
        if side < 40.0:
            raise SelectionError(f"a width of {width:g} in leaves no room for {len(measures)} maps abreast")
    block = len(measures) * (side + _GAP) + _BLOCK
    sheet = Sheet(face, left + columns * block - _BLOCK - _GAP + BESIDE + MARGIN)
    sheet.head(one_line(title), one_line(subtitle))
    down, stacked = side * len(queries) / len(keys), -(-len(rows) // columns)
    count = len(measures) * len(rows) * len(queries) * len(keys)
    top = sheet.y + 12.0
    tight = max(face.width(row.name, BASE) for row in rows) > down + _GAP
    for index, row in enumerate(rows):
        column, line = divmod(index, stacked)
        x, y = left + column * block, top + line * (down + _GAP)
        for col, (name, one) in enumerate(measures.items()):
            values = one.weights[row.position]
            own = shared
            if values.min(initial=0.0) < -1e-6:
                end = round_up(float(np.abs(one.weights).max()))
                own = Scale("linear", -end, end, SIGNED, "signed")
            sheet.map(
                values,
                Box(x + col * (side + _GAP), y, side, down),
                own,
                title=f"{row.name}  {TITLES[name]}",
                heading=TITLES[name] if line == 0 else "",
                room=side + _GAP - 3.0,
                hidden=None if row.allowed is None or row.allowed.all() else ~row.allowed,
                rows=names,
                cols=keys,
                shown=(column == 0 and col == 0, line == stacked - 1 or index == len(rows) - 1),
                printed=_printed(values, decimals, own) if count <= 5 * _PRINTED and side / len(keys) > 9.0 else (),
                at=row.at,
            )
        middle = x - 0.7 * BASE if column else MARGIN + 0.6 * BASE
        sheet.word(row.short if tight else row.name, middle, y + down / 2, BASE, "center", rotation=90, tone="soft")
    sheet.y = top + stacked * (down + _GAP)
    sheet.bar(shared, left + columns * block - _BLOCK, top, max(down, 90.0))
    sheet.y += below(face, keys, side / len(keys)) - _GAP + 9.0
    said += [f"{'heads' if heads else 'layers'} in {columns} columns, each from top to bottom"] if columns > 1 else []
    said += [f"beside the maps: {'layer.head' if heads else 'layer'}"] if tight else []
    said += sheet.thinning("token")
    sheet.text(" · ".join(said), SMALL, tone="soft", role="note")
    spoken = f"Colour: {shared.label}, {shared.kind} from 0 to {number(shared.high)} ({shared.cmap})"
    return sheet.figure(title=title, subtitle=subtitle, notes=said, dpi=dpi, svg_text=svg_text, meta=meta, said=spoken)


def _side(measures: int, rows: int, cells: tuple[int, int]) -> tuple[float, int]:
    """The side of a map, and in how many columns its rows stand, so that all of them fit a page."""
    queries, keys = cells
    roomy = _SIDES[min(measures, len(_SIDES)) - 1]
    roomy = max(roomy, min(6.0 * keys, 1.7 * roomy))
    found = fit((measures, rows), (queries, keys), rows > 1, roomy / keys, gap=_GAP)
    return found.cell * keys, found.columns


def _rows(first: Attention, heads: bool) -> list[Place]:
    found = zip(np.ndindex(first.weights.shape[:2]), first.places, first.maps(), strict=True)
    return [
        Place(
            position,
            (layer, head),
            allowed,
            f"head {head_name(layer, head)}" if heads else f"layer {layer}",
            head_name(layer, head) if heads else f"{layer}",
        )
        for position, (layer, head), (_, allowed) in found
    ]


def _remarks(first: Attention, cmap: str) -> list[str]:
    hidden = hidden_reason(first)
    reduced = [note for note in first.reduced.split("; ") if note and not note.startswith("mean over")]
    return [*reduced, *([f"{masked(cmap)}: {hidden}"] if hidden else []), *from_model(first)]


def _printed(values: NDArray[Any], decimals: int, scale: Scale) -> list[list[str]]:
    if not decimals:
        return []
    least = max(10.0**-decimals, round_up(0.045 * scale.high))
    return [[short(value, decimals) if abs(value) >= least else "" for value in row] for row in values.tolist()]
