"""Circuits as pictures: boards of heads, maps of composition, spectra -> Figure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError
from attnviz.facts import board_axes, head_name
from attnviz.page.board import boards
from attnviz.page.figure import Box, Figure, Fill, Line
from attnviz.page.parts import Board
from attnviz.page.scale import number, round_up
from attnviz.page.sheet import MARGIN, Sheet
from attnviz.page.text_metrics import one_line, typeface

if TYPE_CHECKING:
    from attnviz.measures.circuits import Circuits

READS = {"q": "queries read", "k": "keys read", "v": "values read"}
MOST = 400  # heads a side of a map of composition
PLOT, HIGH, GAP = 118.0, 74.0, 34.0  # points: a plot's width and height, and between plots
PLOTS = 96
COLOURS = {"qk": (0, 94, 162), "ov": (196, 78, 0)}
NAMES = {"qk": "W_QK", "ov": "W_OV"}


def heads_of(found: Circuits, *, title: str | None = None, meta: Mapping[str, str] | None = None, **how: Any) -> Figure:
    """Copying, matching and the sizes of both circuits, a board each. how: width, dpi, font, svg_text."""
    all = [Board(found.copying, "sum / sum of moduli", "copying: W_OV", signed=True, high=1.0)]
    if found.vocabulary is not None:
        all.append(Board(found.vocabulary, all[0].label, "copying through the vocabulary", signed=True, high=1.0))
    all += [
        Board(found.matching, all[0].label, "matching: W_QK", signed=True, high=1.0),
        Board(found.ov_norm, "Frobenius norm", "size of W_OV"),
        Board(found.qk_norm, "Frobenius norm", "size of W_QK"),
    ]
    return boards(
        all,
        **board_axes(found.pairs, found.places, found.copying.shape[1]),
        title=heading(found, "circuits") if title is None else title,
        subtitle=below(found),
        notes=said(found),
        abreast=2,
        meta=meta,
        **how,
    )


def pairs_of(found: Circuits, *, title: str | None = None, meta: Mapping[str, str] | None = None, **how: Any) -> Figure:
    """Composition: a map a kind, rows are the heads that read, columns those that wrote.

    Raises SelectionError for more heads than a map can show, or for a stack of one layer.
    """
    names = [f"{layer}.{head}" for layer, head in found.places]
    if len(names) > MOST:
        raise SelectionError(f"{len(names)} heads a side are too many for a map", f"choose at most {MOST}: -l, -H")
    known = [values for values in found.composition.values() if not np.isnan(values).all()]
    if not known:
        raise SelectionError("composition is between heads of different layers, and there is one layer")
    top = max(float(np.nanmax(values)) for values in known)
    low = min(found.chance, top)
    all = [
        Board(
            values.reshape(len(names), len(names)),
            "composition",
            f"{READS[kind]} what is written",
            low=low,
            high=max(round_up(top), low * 1.01),
            cell_text=(),
        )
        for kind, values in found.composition.items()
    ]
    chance = f"colours begin at {number(found.chance)}, what random directions give"
    return boards(
        all,
        layers=names,
        heads=names,
        axes=("reading head", "writing head"),
        title=heading(found, "composition") if title is None else title,
        subtitle=below(found),
        notes=[chance, *said(found)],
        meta=meta,
        **how,
    )


def spectrum_of(
    found: Circuits,
    *,
    title: str | None = None,
    width: float | None = None,
    dpi: float | None = None,
    font: str | None = None,
    svg_text: str = "keep",
    meta: Mapping[str, str] | None = None,
) -> Figure:
    """Singular values of both circuits, largest first, as shares of the largest: a plot a head.

    Raises SelectionError for too many heads.
    """
    count = len(found.places)
    if count > PLOTS:
        raise SelectionError(f"{count} heads are too many plots: at most {PLOTS}", "choose some: -l, -H")
    text = heading(found, "singular values") if title is None else one_line(title)
    notes = said(found)
    face = typeface(font, [text, below(found), *notes, "layer head 0123456789. W_QK W_OV copying matching −"])
    room = (760.0 if width is None else width * 72.0) - 2 * MARGIN
    abreast = max(1, min(int((room + GAP) // (PLOT + GAP)), count))
    sheet = Sheet(face, (2 * MARGIN + abreast * (PLOT + GAP) - GAP) if width is None else width * 72.0)
    sheet.wide = max(sheet.wide, 330.0) if width is None else sheet.wide
    sheet.head(text, below(found))
    fills = _key(sheet)
    for first in range(0, count, abreast):
        sheet.y += 14.0
        for place in range(first, min(first + abreast, count)):
            _plot(sheet, found, place, MARGIN + (place - first) * (PLOT + GAP))
        sheet.y += HIGH + 26.0
    sheet.text(" · ".join(notes), tone="soft", role="note")
    figure = sheet.figure(title=text, subtitle=below(found), notes=notes, dpi=dpi, svg_text=svg_text, meta=meta)
    from dataclasses import replace

    return replace(figure, fills=tuple(fills))


def heading(found: Circuits, what: str) -> str:
    """`minilm · circuits`."""
    stream = "" if found.stream == "self" else f"{found.stream} attention"
    return one_line(" · ".join(part for part in (found.model, stream, what) if part))


def below(found: Circuits) -> str:
    """From weights alone, random or not."""
    random = f"random weights, seed {found.meta.get('seed')}" if found.meta.get("random") else ""
    return " · ".join(part for part in ("from weights alone", random) if part)


def said(found: Circuits) -> list[str]:
    """What is folded into these numbers and what they leave out."""
    notes = [f"folded: {found.folded}"] if found.folded else []
    return [*notes, f"left out: {', '.join(found.left_out)}"] if found.left_out else notes


def _key(sheet: Sheet) -> list[Fill]:
    x, fills = MARGIN, []
    for which, rgb in COLOURS.items():
        fills.append(Fill(Box(x, sheet.y, 10.0, 5.0), rgb))
        sheet.word(NAMES[which], x + 14.0, sheet.y + 5.0, 7.0, role="tick")
        x += 24.0 + sheet.face.width(NAMES[which], 7.0)
    sheet.y += 12.0
    return fills


def _plot(sheet: Sheet, found: Circuits, place: int, x: float) -> None:
    """One head: a frame, two curves from 1 down, and how far along they go."""
    top, bottom = sheet.y + 6.0, sheet.y + 6.0 + HIGH
    i, j = divmod(place, found.copying.shape[1])
    name = f"head {head_name(*found.places[place])}"
    name, size = sheet.face.shrunk(name, 7.4, PLOT + GAP - 4, "bold")
    sheet.word(name, x, sheet.y + 1.0, size, weight="bold", tone="soft")
    for y in (top, top + HIGH / 2, bottom):
        sheet.lines.append(Line(x, y, x + PLOT, y, 0.5, "grid"))
    for value, y in ((1.0, top), (0.5, top + HIGH / 2), (0.0, bottom)):
        sheet.word(number(value), x + PLOT + 3.0, y + 2.2, 6.2, tone="soft", role="tick")
    for which, rgb in COLOURS.items():
        values = found.qk_singular[i, j] if which == "qk" else found.ov_singular[i, j]
        largest = float(values[0]) if values[0] > 0 else 1.0
        step = PLOT / max(len(values) - 1, 1)
        heights = [bottom - HIGH * float(value) / largest for value in values]
        if len(heights) == 1:
            heights *= 2
            step = PLOT
        for k in range(len(heights) - 1):
            ends = (x + k * step, heights[k], x + (k + 1) * step, heights[k + 1])
            sheet.lines.append(Line(*ends, 1.2, rgb=rgb))
    n = found.qk_singular.shape[-1]
    scores = f"copying {found.copying[i, j] + 0.0:.2f}, matching {found.matching[i, j] + 0.0:.2f}".replace("-", "−")
    sheet.word("1", x, bottom + 8.0, 6.2, tone="soft", role="tick")
    sheet.word(str(n), x + PLOT, bottom + 8.0, 6.2, "right", tone="soft", role="tick")
    sheet.word(scores, x + PLOT / 2, bottom + 8.0, 6.2, "center", tone="soft")
    assert math.isfinite(sum(float(v) for v in found.qk_singular[i, j]))
