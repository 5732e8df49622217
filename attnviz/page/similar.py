"""Similarity -> Figure: all distances in the order of the dendrogram, and the heads as points in a plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError
from attnviz.facts import pairs_in_words
from attnviz.page.colours import RGB
from attnviz.page.figure import Box, Dot, Figure, Line, Scale
from attnviz.page.points import ramp, scatter
from attnviz.page.scale import WHITE, round_up
from attnviz.page.sheet import BASE, BESIDE, MARGIN, SMALL, Sheet, beside
from attnviz.page.text_metrics import one_line, typeface
from attnviz.page.wording import font_note, from_model, listed, over_note

if TYPE_CHECKING:
    from attnviz.measures.similar import Similarity

SIDE, MOST = 330.0, 520.0  # points: the side of map and plane, and what it grows to if that names every head
NAMED = 5.6  # points of a cell with a name beside it
TREE, GAP = 46.0, 18.0  # height of the dendrogram; between map and plane
DISTANCE = "distance of two heads: root of the mean Jensen-Shannon divergence of their rows, 0 to 0.83"


def figure(
    found: Similarity,
    *,
    title: str | None = None,
    width: float | None = None,
    dpi: float | None = None,
    font: str | None = None,
    svg_text: str = "keep",
    notes: Sequence[str] = (),
    meta: Mapping[str, str] | None = None,
) -> Figure:
    """The map of distances under its dendrogram, and the plane beside it, or below it on a narrow page.

    Args:
        found: what `attnviz.measures.similar.similar` gives.
        notes: remarks to stand below, beside those of `remarks`.
        title, width, dpi, font, svg_text, meta: as for `attnviz.page.heatmap.heatmap`.

    Raises:
        SelectionError: no such font, or no room.
    """
    said = one_line(title) if title is not None else heading(found)
    under = subtitle(found)
    below = [*remarks(found), *filter(None, [_over(found)]), *notes]
    names = labels(found)
    axis = "distance"
    face = typeface(font, [said, under, *below, *names, axis, "0123456789.−%≥"])
    below += [note for note in [font_note(face)] if note]
    side = min(max(SIDE, NAMED * len(names)), MOST)
    left = MARGIN + beside(face, names, side / len(names))
    sheet = Sheet(face, left + 2 * side + GAP + BESIDE + MARGIN if width is None else width * 72.0)
    if sheet.wide < 200.0:
        raise SelectionError(f"a width of {sheet.wide / 72:g} in leaves no room", "ask for 3 or more")
    sheet.head(said, under)
    room = sheet.wide - left - BESIDE - MARGIN
    abreast = room >= 420.0
    side = min((room - GAP) / 2 if abreast else room, side)
    top = sheet.y
    _distances(sheet, found, names, Box(left, top + TREE + 4.0, side, side))
    plane = Box(left + side + BESIDE + GAP, top + 14.0, side, side + TREE - 10.0)
    if not abreast:
        sheet.y = top + TREE + side + 34.0
        plane = Box(left, sheet.y, side, side)
    left_out = _plane(sheet, found, names, plane)
    sheet.y = plane.y + plane.height + 26.0
    below += sheet.thinning("head")
    if left_out:
        below.append(f"no room for the {'name of 1 point' if left_out == 1 else f'names of {left_out} points'}")
    sheet.text(" · ".join(below), tone="soft", role="note")
    return sheet.figure(title=said, subtitle=under, notes=below, dpi=dpi, svg_text=svg_text, meta=meta)


# In words


def heading(found: Similarity) -> str:
    """`Heads that attend alike · minilm · layers 0–5 · heads 0–11`."""
    one = found.attention
    stream = "" if one.stream == "self" else f"{one.stream} attention"
    layers, heads = (list(dict.fromkeys(indices)) for indices in zip(*found.names, strict=True))
    which = pairs_in_words(one.pairs, one.places) if one.pairs else [listed("layer", layers), listed("head", heads)]
    parts = ["Heads that attend alike", one.model, stream, *which]
    return one_line(" · ".join(part for part in parts if part))


def subtitle(found: Similarity) -> str:
    """How many rows were compared, and whether weights are random."""
    one = found.attention
    said = [f"random weights, seed {one.meta.get('seed')}"] if one.meta.get("random") else []
    sizes = [(len(one.queries), "query", "queries"), (len(one.keys), "key", "keys")]
    said.append(" over ".join(f"{n} {name if n == 1 else names}" for n, name, names in sizes))
    return one_line(" · ".join(said))


def remarks(found: Similarity) -> list[str]:
    """What the numbers are, in a picture and in a terminal."""
    kept = sum(found.shares)
    said = [DISTANCE, f"the plane keeps {kept:.0%} of the squared distances (classical scaling)"]
    said += [found.attention.reduced] if found.attention.reduced else []
    return [*map(one_line, said), *from_model(found.attention)]


def limit(found: Similarity) -> float:
    """The distance that is white: a round number above nine tenths of all, so that one odd head does not set it."""
    apart = found.distances[np.triu_indices(len(found.names), 1)]
    return round_up(float(np.quantile(apart, 0.9)))


def _over(found: Similarity) -> str:
    """How many pairs of heads are further apart than the bar goes, or ''."""
    apart, high = found.distances[np.triu_indices(len(found.names), 1)], limit(found)
    return over_note(int((apart > high).sum()), high, "", unit="distance")


def labels(found: Similarity) -> list[str]:
    """`3.1` for layer 3, head 1, in the order of `found.names`."""
    return [f"{layer}.{head}" for layer, head in found.names]


# Places


def _distances(sheet: Sheet, found: Similarity, names: Sequence[str], box: Box) -> None:
    """The matrix in the order of the dendrogram, which stands above it."""
    order = list(found.order)
    values = found.distances[np.ix_(order, order)]
    # Dark are heads that attend alike, as dark is much everywhere else; the bar says so, for its numbers fall.
    scale = Scale("linear", 0.0, limit(found), f"{WHITE}_r", "distance (dark: alike)")
    ordered = [names[head] for head in order]
    sheet.map(values, box, scale, title="distances", rows=ordered, cols=ordered, upright=True)
    above = bool((values > scale.high).any())
    sheet.bar(scale, box.x + box.width + 7.0, box.y, min(box.height, 150.0), above)
    _tree(sheet, found, box)


def _tree(sheet: Sheet, found: Similarity, box: Box) -> None:
    """The dendrogram: each join a bracket at its height over the middles of what it joins."""
    cell, n = box.width / len(found.names), len(found.names)
    across = {head: box.x + (place + 0.5) * cell for place, head in enumerate(found.order)}
    highest = max((height for *_, height in found.joins), default=0.0) or 1.0
    base = box.y - 2.0
    up = dict.fromkeys(range(n), base)
    for place, (one, other, height) in enumerate(found.joins):
        y = base - (TREE - 6.0) * height / highest
        for part in (one, other):
            sheet.lines.append(Line(across[part], y, across[part], up[part], 0.6, "soft"))
        left, right = sorted((across[one], across[other]))
        sheet.lines.append(Line(left, y, right, y, 0.6, "soft"))
        across[n + place], up[n + place] = (left + right) / 2, y


def _plane(sheet: Sheet, found: Similarity, names: Sequence[str], box: Box) -> int:
    """The heads as points, coloured by layer; returns how many names found no room."""
    layers = list(dict.fromkeys(layer for layer, _ in found.names))
    colours: dict[int, RGB] = {
        layer: ramp(place / max(len(layers) - 1, 1)) for place, layer in enumerate(sorted(layers))
    }
    # Names at the rim have the most room and say the most.
    outer = np.argsort(-np.hypot(*found.places.T), kind="stable").tolist()
    size = 6.4 if len(names) <= 80 else 5.4
    _, left_out = scatter(
        sheet, box, found.places, names, [colours[layer] for layer, _ in found.names], size=size, first=outer
    )
    how: dict[str, Any] = {"tone": "soft", "role": "axis"}
    sheet.word(
        f"first dimension, {found.shares[0]:.0%}", box.x + box.width, box.y + box.height + 9.0, align="right", **how
    )
    sheet.word(f"second dimension, {found.shares[1]:.0%}", box.x, box.y - 4.0, **how)
    _legend(sheet, colours, box)
    return left_out


def _legend(sheet: Sheet, colours: Mapping[int, RGB], box: Box) -> None:
    """`layer` and a dot for each, as many as have room, under the plane."""
    y, x = box.y + box.height + 20.0, box.x + sheet.face.width("layer", BASE) + 8.0
    sheet.word("layer", box.x, y, BASE, tone="soft", role="axis")
    step = max(1, -(-len(colours) // max(1, int((box.width - 40.0) / 22.0))))
    for layer, colour in list(colours.items())[::step]:
        sheet.dots.append(Dot(x, y - 0.3 * BASE, 2.6, colour))
        sheet.word(str(layer), x + 5.0, y, SMALL)
        x += 22.0
