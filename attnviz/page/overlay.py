"""Attention over the picture that a model looked at: a panel per head, one query's weights over the patches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import InputError, SelectionError
from attnviz.facts import randomness
from attnviz.page import wording
from attnviz.page.colour_limits import count_above, scaled
from attnviz.page.figure import Figure, ImagePanel, Scale
from attnviz.page.figure_options import FigureOptions, check_attention
from attnviz.page.maps import Maps, hidden_cells
from attnviz.page.placing import arrange
from attnviz.page.scale import check_cmap, check_scale, check_vmax, masked, round_up
from attnviz.page.text_metrics import LOST, one_line, printable, typeface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention


def overlay(
    attention: Attention,
    picture: NDArray[np.uint8],
    *,
    query: int | None = None,
    name: str | None = None,
    meta: Mapping[str, str] | None = None,
    **look: Any,
) -> Figure:
    """One query's weights over the patches of a picture, a panel per head, beside the picture itself.

    Args:
        attention: of an image: its `grid` says how the patches lie; they are the last keys.
        picture: uint8 [row, column, 3] as the model saw it, whole patches (`attnviz.inputs.images.Picture.shown`).
        query: index of the query; by default the first, which is the class token, if some query is not a patch.
        name: what to call the model. meta: what made the picture, kept in the file.
        look: fields of `attnviz.page.figure_options.FigureOptions`. With the scale `row` each panel is coloured by
            its own largest weight; by default the colours end above all weights that are shown.

    Raises:
        SelectionError: an option's value is not there or not possible. InputError: the attention is not of an image.
    """
    options = FigureOptions(**look, decimals=0)
    check_scale(options.scale)
    check_attention(attention, options, (), query)
    rows, cols = _grid(attention, picture)
    query = _query(attention, rows * cols, query)
    maps = _maps(attention, query, rows, cols)
    scale, maps = _scaled(maps, options)
    token = printable(attention.query_tokens[query])
    title = wording.title(attention, name or "", token) if options.title is None else one_line(options.title)
    subtitles = _subtitles(attention, token, rows, cols)
    notes = _notes(attention, scale, options.scale, maps, query, picture)
    beside = ["the picture"] if not maps.layers else []
    headings = [*beside, *maps.headings]
    face = typeface(options.font, [title, *subtitles, *notes, *headings, "0123456789.–·≥…" + LOST])
    request = maps.request(
        face,
        options,
        stressed=False,
        headings=tuple(headings),
        per_row=maps.across(options.width, len(headings), labelled=False),
        title=title,
        subtitles=subtitles,
        notes=(*notes, *filter(None, [wording.font_note(face)])),
        scale=scale,
    )
    placed = arrange(request)
    panels = maps.panels(placed, picture=[picture] * len(maps.values))
    figure = placed.figure(panels, attention, name, options.svg_text, meta)
    return replace(figure, images=tuple(ImagePanel(text, picture, placed.boxes[0]) for text in beside))


def _grid(attention: Attention, picture: NDArray[np.uint8]) -> tuple[int, int]:
    """(rows, columns) of the patches, once attention and picture are known to have them."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise InputError(f"the picture must be uint8 [row, column, 3]; got {picture.dtype} {list(picture.shape)}")
    if attention.grid is None:
        raise InputError("this attention is not of an image: it has no grid of patches")
    rows, cols = attention.grid
    if rows * cols > min(len(attention.keys), len(attention.queries)) or attention.cell > 1:
        raise InputError(
            f"a picture of {rows} x {cols} patches needs each of them, one by one",
            "take away --tokens, --words and --cells, or draw the map of queries and keys with --map",
        )
    if picture.shape[0] < rows or picture.shape[1] < cols:
        raise InputError(f"a picture of {list(picture.shape)} pixels is too small for {rows} x {cols} patches")
    return rows, cols


def _query(attention: Attention, patches: int, query: int | None) -> int:
    if query is not None:
        return query
    if len(attention.queries) == patches:
        away = "leave --no-special away, or " if "left out" in attention.reduced else ""
        raise SelectionError(
            "there is no class token to look from",
            f"{away}name a patch by its row and column, as in --query 2,3; or draw all queries with --map",
        )
    return 0


def _maps(attention: Attention, query: int, rows: int, cols: int) -> Maps:
    """One query's weights over the patches, [row, column] per head; the query is marked if it is a patch itself."""
    n_layers, n_heads, n_query, n_key = attention.weights.shape
    first, spot = n_key - rows * cols, query - (n_query - rows * cols)
    maps = attention.maps()
    allowed = [None if mask is None else mask[query, first:].reshape(rows, cols) for _, mask in maps]
    return Maps(
        values=[weights[query, first:].reshape(rows, cols) for weights, _ in maps],
        hidden=[hidden_cells(mask) for mask in allowed],
        headings=wording.headings(attention),
        places=list(attention.places),
        row_labels=list(map(str, range(rows))),
        col_labels=list(map(str, range(cols))),
        axes=("row of patches", "column of patches"),
        marks=(divmod(spot, cols),) if spot >= 0 else (),
        layers=wording.layer_names(attention) if n_layers > 1 and n_heads > 1 else (),
    )


def _scaled(maps: Maps, options: FigureOptions) -> tuple[Scale, Maps]:
    """The scale, and the maps that it is for: with `row` each panel's values are divided by its largest."""
    cmap, vmax = check_cmap(options.cmap), options.vmax
    if options.scale == "row":
        if vmax is not None:
            raise SelectionError("vmax has no meaning with scale row: each panel has a largest weight of its own")
        shares = [values / np.float32(float(values.max(initial=0.0)) or 1.0) for values in maps.values]
        return Scale("linear", 0.0, 1.0, cmap, "share of the panel's largest"), replace(maps, values=shares)
    high = check_vmax(vmax) or round_up(max(float(values.max(initial=0.0)) for values in maps.values))
    return scaled(options.scale, high, cmap, maps.values[0].size), maps


def _subtitles(attention: Attention, token: str, rows: int, cols: int) -> tuple[str, ...]:
    """Random weights or not, and whose weights these are; in two lengths."""
    random = list(filter(None, [randomness(attention.meta)]))
    what = f"the weights of {token if token.startswith('[') else f'patch {token}'} over {rows} x {cols} patches"
    short, long = (" · ".join([*random, text]) for text in (what, f"each panel: {what}"))
    return one_line(long), one_line(short)


def _notes(
    attention: Attention, scale: Scale, kind: str, maps: Maps, query: int, picture: NDArray[np.uint8]
) -> list[str]:
    notes = wording.reductions(attention)
    first = len(attention.keys) - maps.values[0].size
    others = [printable(text) for text in attention.key_tokens[:first]]
    if others:
        rest = attention.weights[:, :, query, :first].sum(-1)
        low, high = f"{rest.min():.2f}", f"{rest.max():.2f}"
        share, have = low if low == high else f"{low}–{high}", "has" if len(others) == 1 else "have"
        notes.append(f"{share} of the row goes to {', '.join(others)}, which {have} no patch")
    notes.append(f"the picture as the model sees it, {picture.shape[1]} x {picture.shape[0]} pixels")
    if any(hidden is not None for hidden in maps.hidden):
        notes.append(f"{masked(scale.cmap)}: not allowed")
    notes += ["each panel coloured by its own largest weight"] if kind == "row" else []
    over = wording.over_note(count_above(maps.values, scale), scale.high, "")
    notes += [note for note in (wording.colour_note(scale), over) if note]
    return [*map(one_line, notes), *wording.from_model(attention)]
