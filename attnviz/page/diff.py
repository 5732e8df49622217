"""A Difference -> Figure: the distance of every head, and the changes in those that changed most."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import SelectionError
from attnviz.facts import head_name, pairs_in_words
from attnviz.measures.align import NONE
from attnviz.page.board_bar import UNDER
from attnviz.page.figure import Box, Figure, Scale
from attnviz.page.scale import WHITE, round_up, short
from attnviz.page.sheet import BASE, BESIDE, MARGIN, SMALL, Sheet, below, beside
from attnviz.page.sizes import LINE
from attnviz.page.tensor import SIGNED
from attnviz.page.text_metrics import one_line, printable, typeface
from attnviz.page.wording import font_note, from_model, listed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.measures.diff import Change, Difference

WIDE = 640.0  # points of a page by itself
GAP = 16.0
MOST = 96  # cells of a map's side; beyond, neighbours are drawn as the one that changed most
NAMES = 58.0  # for tokens' names
DISTANCE = "Jensen-Shannon distance"


def figure(
    found: Difference,
    *,
    top: int = 6,
    title: str | None = None,
    width: float | None = None,
    dpi: float | None = None,
    font: str | None = None,
    svg_text: str = "keep",
    notes: Sequence[str] = (),
    meta: Mapping[str, str] | None = None,
) -> Figure:
    """A board of distances with the ranking beside it, and below it the changes of the `top` heads.

    Args:
        found: what `attnviz.measures.diff.diff` gives.
        top: how many heads are drawn.
        notes: remarks to stand below, beside those of `notes`.
        title, width, dpi, font, svg_text, meta: as for `attnviz.page.heatmap.heatmap`.

    Raises:
        SelectionError: no such font, or no room.
    """
    said = one_line(title) if title is not None else heading(found)
    under = subtitle(found)
    ranked = found.ranked()[:top]
    step = _pool(found)
    rows, cols = ([printable(text) for text in names_] for names_ in (found.row_labels, found.column_labels))
    remarks = [*_legend(found, step), *_notes(found), *notes]
    face = typeface(font, [said, under, *remarks, *rows, *cols, DISTANCE, "0123456789.+−→·|"])
    remarks += [note for note in [font_note(face)] if note]
    rows, cols = ([face.cut(text, 7.4, NAMES) for text in names_] for names_ in (rows, cols))
    sheet = Sheet(face, WIDE if width is None else width * 72.0)
    if sheet.wide < 200.0:
        raise SelectionError(f"a width of {sheet.wide / 72:g} in leaves no room", "ask for 3 or more")
    sheet.head(said, under)
    if found.distance.size > 1:
        _board(sheet, found, ranked)
    remarks += sheet.thinning("layer and head")
    _maps(sheet, found, ranked, rows, cols, step)
    remarks += sheet.thinning("token" if step == 1 else "cell")
    sheet.text(" · ".join(remarks), tone="soft", role="note")
    distances = f"{DISTANCE} {found.distance.min():.3f} to {found.distance.max():.3f}"
    return sheet.figure(
        title=said, subtitle=under, notes=remarks, dpi=dpi, svg_text=svg_text, meta=meta, said=distances
    )


# In words


def heading(found: Difference) -> str:
    """What is compared: `minilm · two texts`, `minilm → minilm + lora`, `minilm · layer 2 → layer 4`."""
    first, second = found.first, found.second
    model = first.model if first.model == second.model else f"{first.model} → {second.model}"
    stream = "" if first.stream == "self" else f"{first.stream} attention"
    what = "two texts" if found.row_labels != first.query_tokens or found.gone or found.come else ""
    if first.pairs or second.pairs:
        sides = [", ".join(pairs_in_words(one.pairs, one.places)) for one in (first, second) if one.pairs]
        what = ", ".join(part for part in (what, " → ".join(dict.fromkeys(sides))) if part)
    elif first.layers != second.layers:
        what = f"{listed('layer', first.layers)} → {listed('layer', second.layers)}"
    return one_line(" · ".join(part for part in ("Changes in attention", model, stream, what) if part))


def subtitle(found: Difference) -> str:
    """What changed in the text, and whether weights are random."""
    seeds = dict.fromkeys(a.meta.get("seed") for a in (found.first, found.second) if a.meta.get("random"))
    said = [f"random weights, seed {' and '.join(map(str, seeds))}"] if seeds else []
    changed = [
        label
        for label, (i, j) in zip(found.column_labels, found.columns, strict=True)
        if NONE in (i, j) or label != found.first.key_tokens[i]
    ]
    if changed:
        said.append(
            "changed: " + ", ".join(changed[:12]) + (f" and {len(changed) - 12} more" if len(changed) > 12 else "")
        )
    return one_line(" · ".join(said))


def names(found: Difference, layer: int, head: int) -> tuple[str, str]:
    """Layer and head at these positions, `2→4` where they differ between the two."""
    pairs = zip(*found.place(layer, head), strict=True)
    return tuple(str(a) if a == b else f"{a}→{b}" for a, b in pairs)  # type: ignore[return-value]


def name(found: Difference, change: Change) -> str:
    """The head of a change: `3.1`, or `2.1→4.1` where the two sides differ."""
    before, after = (head_name(*place) for place in found.place(change.layer, change.head))
    return before if before == after else f"{before}→{after}"


def notes(found: Difference) -> list[str]:
    """What is to be known of the numbers, in a picture and in a terminal."""
    return ["distance: root of the mean Jensen-Shannon divergence of a head's rows, 0 to 0.83", *_notes(found)]


def _notes(found: Difference) -> list[str]:
    said = [] if found.distance.any() or found.change.any() else ["nothing has changed"]
    if found.gone or found.come:
        gone = [f"−{text}" for text in found.gone] + [f"+{text}" for text in found.come]
        shown = ", ".join(gone[:8]) + (" and others" if len(gone) > 8 else "")
        said.append(f"queries of one text only have no row: {shown}")
    both = (found.first,) if "sampled" in found.first.meta else (found.first, found.second)
    said += [reduced for reduced in dict.fromkeys(one.reduced for one in both) if reduced]
    for one in dict.fromkeys((*from_model(found.first), *from_model(found.second))):
        said.append(one)
    return [one_line(text) for text in said]


def _legend(found: Difference, step: int) -> list[str]:
    said = ["red: the second gives more, blue: it gives less"]
    if any(NONE in place for place in found.columns):
        said.append("+ came in, − went out")
    if any(NONE not in place and "|" in label for place, label in zip(found.columns, found.column_labels, strict=True)):
        said.append("a|b: a in the first, b in the second")
    if found.hidden is not None:
        said.append("grey: not allowed")
    if step > 1:
        said.append(f"drawn as the largest change of {step} x {step} weights a cell")
    return said


# Places


def _board(sheet: Sheet, found: Difference, ranked: Sequence[Change]) -> None:
    """Distances of all heads, and beside them the ranking."""
    n_layers, n_heads = found.distance.shape
    of_layers = not (found.first.pairs or found.second.pairs)
    layers = [names(found, i, 0)[0] if of_layers else "" for i in range(n_layers)]
    heads = [names(found, 0, j)[1] if of_layers else ".".join(names(found, 0, j)) for j in range(n_heads)]
    left = MARGIN + 14.0 + beside(sheet.face, layers, 12.0)
    room = 0.52 * sheet.wide if sheet.wide >= 420.0 else sheet.wide - MARGIN  # beside the ranking, or alone
    cell = min(22.0, (room - left - BESIDE) / n_heads)
    high = min(cell, max(240.0 / n_layers, 4.0), 22.0)
    box = Box(left, sheet.y + 14.0, cell * n_heads, high * n_layers)
    scale = Scale("linear", 0.0, round_up(float(found.distance.max())), WHITE, "distance")
    printed = [[short(value, 2) if value else "0" for value in row] for row in found.distance.tolist()]
    marks = [(change.layer, change.head) for change in ranked]
    sheet.map(
        found.distance, box, scale, title=DISTANCE, heading=DISTANCE, rows=layers, cols=heads, printed=printed,
        marks=marks,
    )  # fmt: skip
    how = {"tone": "soft", "role": "axis"}
    if of_layers:
        sheet.word("layer", MARGIN + 8.0, box.y + box.height / 2, BASE, "center", rotation=90, **how)
    under = below(sheet.face, heads, cell)
    along, y = "head" if of_layers else "layer.head", box.y + box.height + under + BASE
    sheet.word(along, box.x + box.width / 2, y, BASE, "center", **how)
    tall = max(box.height, 60.0)
    headed = box.x + sheet.face.width(DISTANCE, BASE, "bold")  # a board of few heads is narrower than its heading
    bar = box.x + box.width + 7.0
    sheet.bar(scale, bar, box.y + (UNDER if headed > bar else 0.0), tall)
    right = max(box.x + box.width + BESIDE, headed) + 14.0
    end = _ranking(sheet, found, ranked, right, box.y)
    sheet.y = max(box.y + tall, box.y + box.height + under + BASE, end) + 14.0


def _ranking(sheet: Sheet, found: Difference, ranked: Sequence[Change], x: float, y: float) -> float:
    """The heads that changed most, each with its largest change; returns where they end."""
    room = sheet.wide - MARGIN - x
    if room < 120.0:
        return y
    sheet.word("Largest change in each", x, y - 4.0, BASE, weight="bold", tone="soft", role="heading")
    pairs = [printable(f"{found.row_labels[c.row]} → {found.column_labels[c.column]}") for c in ranked]
    widest = max(sheet.face.width(pair, SMALL) for pair in pairs)
    named = max(sheet.face.width(name(found, change), SMALL, "bold") for change in ranked) + 10.0
    columns = [x, x + named, x + min(room - 64.0, widest + named + 16.0)]
    for change, pair in list(zip(ranked, pairs, strict=True))[: max(1, int(220.0 / (LINE * SMALL)))]:
        y += LINE * SMALL
        sheet.word(name(found, change), columns[0], y, weight="bold")
        sheet.word(sheet.face.cut(pair, SMALL, columns[2] - columns[1] - 6.0), columns[1], y)
        sheet.word(f"{change.before:.2f} → {change.after:.2f}", columns[2], y)
    return y


def _maps(
    sheet: Sheet, found: Difference, ranked: Sequence[Change], rows: list[str], cols: list[str], step: int
) -> None:
    """The changes of some heads, side by side, on one scale."""
    changes = [_pooled(found.change[one.layer, one.head], step) for one in ranked]
    hidden = [_grey(found, one, step) for one in ranked]
    rows, cols = rows[::step], cols[::step]
    high = round_up(max(float(np.abs(values).max()) for values in changes))
    scale = Scale("linear", -high, high, SIGNED, "change of weight")
    left = MARGIN + beside(sheet.face, rows, 9.0)
    room = sheet.wide - left - MARGIN - BESIDE
    least = 130.0 if sheet.wide >= 420.0 else 70.0
    abreast = min(len(ranked), max(1, int((room + GAP) / (least + GAP))))
    side = min((room + GAP) / abreast - GAP, 300.0)
    tall = side * min(max(len(rows) / len(cols), 0.3), 1.6)
    under = below(sheet.face, cols, side / len(cols), upright=True)
    top = sheet.y + 14.0
    for place, one in enumerate(ranked):
        row, col = divmod(place, abreast)
        last = place + abreast >= len(ranked)
        box = Box(left + col * (side + GAP), top + row * (tall + 24.0), side, tall)
        values = changes[place]
        smallest = max(0.01, round_up(0.045 * high))
        printed = [[short(value, 2) if abs(value) >= smallest else "" for value in line] for line in values.tolist()]
        sheet.map(
            values,
            box,
            scale,
            title=f"head {name(found, one)}",
            heading=f"head {name(found, one)}   {one.distance:.2f}",
            hidden=hidden[place],
            rows=rows,
            cols=cols,
            shown=(col == 0, last),
            printed=printed if side / len(cols) >= 13.0 else (),
            upright=True,
        )
    sheet.bar(scale, left + abreast * (side + GAP) - GAP + 7.0, top, max(min(tall, 160.0), 70.0))
    sheet.y = top + math.ceil(len(ranked) / abreast) * (tall + 24.0) - 24.0 + under + 10.0


def _pool(found: Difference) -> int:
    return math.ceil(max(len(found.rows), len(found.columns)) / MOST)


def _pooled(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """[row, column] -> cells of step x step, each its largest by size."""
    if step == 1:
        return values
    rows, cols = (math.ceil(side / step) for side in values.shape)
    padded = np.zeros((rows * step, cols * step), np.float32)
    padded[: values.shape[0], : values.shape[1]] = values
    cells = padded.reshape(rows, step, cols, step).swapaxes(1, 2).reshape(rows, cols, -1)
    return np.take_along_axis(cells, np.abs(cells).argmax(-1, keepdims=True), -1)[..., 0]


def _grey(found: Difference, one: Change, step: int) -> NDArray[np.bool_] | None:
    if found.hidden is None:
        return None
    n_layers, n_heads = found.hidden.shape[:2]
    hidden = found.hidden[one.layer % n_layers, one.head % n_heads]
    return _pooled((~hidden).astype(np.float32), step) == 0
