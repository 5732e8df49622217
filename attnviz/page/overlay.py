"""Attention over the picture that a model looked at: a panel a head, one query's weights over the patches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import InputError, SelectionError
from attnviz.facts import randomness
from attnviz.page import wording
from attnviz.page.colour_limits import scaled
from attnviz.page.figure import Figure, ImagePanel, MapPanel, Scale
from attnviz.page.options import check_options, check_pixels, made_by
from attnviz.page.placing import arrange
from attnviz.page.request import Request
from attnviz.page.scale import WHITE, check_cmap, check_scale, check_vmax, masked, round_up
from attnviz.page.text_metrics import LOST, one_line, printable, typeface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention


@dataclass(frozen=True)
class _Views:
    """What is drawn: one query's weights over the patches, [row, column] a head, in reading order.

    layers: names of the rows of panels if they are layers. rest: smallest and largest weight on tokens without a patch.
    """

    values: list[NDArray[np.float32]]
    hidden: list[NDArray[np.bool_] | None]
    headings: list[str]
    places: list[tuple[int | None, int | None]]
    layers: tuple[str, ...]
    others: tuple[str, ...]
    rest: tuple[float, float]


def overlay(
    attention: Attention,
    picture: NDArray[np.uint8],
    *,
    query: int | None = None,
    scale: str = "auto",
    vmax: float | str | None = None,
    cmap: str = WHITE,
    width: float | None = None,
    height: float | None = None,
    font: str | None = None,
    font_size: float | None = None,
    title: str | None = None,
    bare: bool = False,
    dpi: float | None = None,
    svg_text: str = "keep",
    name: str | None = None,
    meta: Mapping[str, str] | None = None,
) -> Figure:
    """One query's weights over the patches of a picture, a panel a head, beside the picture itself.

    Args:
        attention: of an image: its `grid` says how the patches lie; they are the last keys.
        picture: uint8 [row, column, 3] as the model saw it, whole patches (`attnviz.inputs.images.Picture.shown`).
        query: index of the query; by default the first, which is the class token, if some query is not a patch.
        scale: auto (sqrt for more than 16 patches) | linear | sqrt | log | row (each panel by its own largest weight).
        vmax: the weight that has the last colour; None or "auto": a round number above all that are shown.
        The rest as for `attnviz.page.heatmap.heatmap`.

    Raises:
        SelectionError: an option's value is not there or not possible. InputError: the attention is not of an image.
    """
    check_scale(scale)
    check_options(attention, width, height, font_size, 0, dpi, svg_text, (), query)
    rows, cols = _grid(attention, picture)
    asked = _query(attention, rows * cols, query)
    views = _views(attention, asked, rows, cols)
    limits, values = _scale(views, scale, vmax, check_cmap(cmap))
    token = printable(attention.query_tokens[asked])
    heading = one_line(title) if title is not None else wording.title(attention, name or "", token)
    below = _subtitles(attention, token, rows, cols)
    said = _notes(attention, limits, scale, views, picture)
    with_picture = not views.layers
    headings = ["the picture", *views.headings] if with_picture else views.headings
    texts = [heading, *below, *said, *headings, "0123456789.–·≥…" + LOST]
    face = typeface(font, texts)
    said += [note for note in (wording.font_note(face),) if note]
    request = Request(
        rows=rows,
        cols=cols,
        headings=tuple(headings),
        per_row=_abreast(len(headings), len(views.layers), rows, cols, width),
        row_labels=tuple(map(str, range(rows))),
        col_labels=tuple(map(str, range(cols))),
        face=face,
        layers=views.layers,
        row_axis="row of patches",
        col_axis="column of patches",
        title=heading,
        subtitles=below,
        notes=tuple(said),
        scale=limits,
        bare=bare,
        width=None if width is None else width * 72.0,
        height=None if height is None else height * 72.0,
        font_size=font_size,
        dpi=dpi,
    )
    placed = arrange(request)
    check_pixels(placed)
    spot = asked - (len(attention.queries) - rows * cols)
    panels = tuple(
        MapPanel(
            title=views.headings[i],
            values=values[i],
            hidden=views.hidden[i],
            row_labels=tuple(map(str, range(rows))),
            col_labels=tuple(map(str, range(cols))),
            box=placed.boxes[i + with_picture],
            marks=(divmod(spot, cols),) if spot >= 0 else (),
            layer=views.places[i][0],
            head=views.places[i][1],
            picture=picture,
        )
        for i in range(len(values))
    )
    figure = placed.figure(
        panels,
        limits,
        face,
        title=heading,
        subtitle=below[0],
        notes=said,
        bare=bare,
        svg_text=svg_text,
        meta=made_by(attention, name, meta),
    )
    return replace(figure, images=(ImagePanel("the picture", picture, placed.boxes[0]),) if with_picture else ())


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


def _views(attention: Attention, query: int, rows: int, cols: int) -> _Views:
    n_layers, n_heads, _, n_key = attention.weights.shape
    first = n_key - rows * cols
    hidden: list[NDArray[np.bool_] | None] = []
    values = []
    for weights, mask in attention.maps():
        grey = None if mask is None else ~mask[query, first:].reshape(rows, cols)
        hidden.append(None if grey is None or not grey.any() else grey)
        values.append(weights[query, first:].reshape(rows, cols))
    rest = attention.weights[:, :, query, :first].sum(-1)
    return _Views(
        values,
        hidden,
        wording.headings(attention),
        list(attention.places),
        wording.layer_names(attention) if n_layers > 1 and n_heads > 1 else (),
        tuple(map(printable, attention.key_tokens[:first])),
        (float(rest.min()), float(rest.max())),
    )


def _scale(views: _Views, kind: str, vmax: float | str | None, cmap: str) -> tuple[Scale, list[NDArray[np.float32]]]:
    """The scale, and the values that it is for: with `row` each panel's are divided by its largest."""
    if kind == "row":
        if vmax is not None:
            raise SelectionError("vmax has no meaning with scale row: each panel has a largest weight of its own")
        peaks = [float(values.max(initial=0.0)) or 1.0 for values in views.values]
        shares = [values / np.float32(peak) for values, peak in zip(views.values, peaks, strict=True)]
        return Scale("linear", 0.0, 1.0, cmap, "share of the panel's largest"), shares
    high = check_vmax(vmax) or round_up(max(float(values.max(initial=0.0)) for values in views.values))
    return scaled(kind, high, cmap, views.values[0].size), views.values


def _subtitles(attention: Attention, token: str, rows: int, cols: int) -> tuple[str, ...]:
    """Random weights or not, and whose weights these are; in two lengths."""
    random = list(filter(None, [randomness(attention.meta)]))
    what = f"the weights of {token if token.startswith('[') else f'patch {token}'} over {rows} x {cols} patches"
    short, long = (" · ".join([*random, text]) for text in (what, f"each panel: {what}"))
    return one_line(long), one_line(short)


def _notes(attention: Attention, scale: Scale, kind: str, views: _Views, picture: NDArray[np.uint8]) -> list[str]:
    said = [note for note in attention.reduced.split("; ") if note and not note.startswith("mean over")]
    low, high = (f"{value:.2f}" for value in views.rest)
    if views.others:
        share = low if low == high else f"{low}–{high}"
        said.append(f"{share} of the row goes to {', '.join(views.others)}, which {_has(len(views.others))} no patch")
    said.append(f"the picture as the model sees it, {picture.shape[1]} x {picture.shape[0]} pixels")
    if any(grey is not None for grey in views.hidden):
        said.append(f"{masked(scale.cmap)}: not allowed")
    above = int(sum((values > scale.high * (1 + 1e-6)).sum() for values in views.values))
    said += ["each panel coloured by its own largest weight"] if kind == "row" else []
    said += [note for note in (wording.colour_note(scale), wording.over_note(above, scale.high, "")) if note]
    return [*map(one_line, said), *wording.from_model(attention)]


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _abreast(count: int, layers: int, rows: int, cols: int, width: float | None) -> int:
    """Panels side by side: heads if rows are layers, else as near to 4:3 as the panels allow, with few gaps."""
    if layers:
        return count // layers
    target = 4 / 3 if width is None or width > 4 else 0.85

    def misfit(abreast: int) -> tuple[float, int]:
        stacked = math.ceil(count / abreast)
        shape = abreast * cols / (stacked * rows * 1.1)
        return abs(math.log(shape / target)) + 1.5 * (abreast * stacked - count) / (abreast * stacked), abreast

    return min(range(1, count + 1), key=misfit)
