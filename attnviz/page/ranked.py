"""A board of heads, and below it a list with bars: links between tokens, or what one token looks at -> Figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page.board import BASE, BELOW, MARGIN, SMALL, boards
from attnviz.page.board_values import Board
from attnviz.page.figure import Box, Figure, Fill, Label
from attnviz.page.stats import names
from attnviz.page.text_metrics import MIDDLE, printable, typeface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.measures.lift import Pair

PITCH, ABOVE = 13.0, 34.0  # points from one line of the list to the next, and above the list
BAR, LEAST = 150.0, 60.0
NUMBERS = "−0.00"
WEIGHT, LIFT = (196, 212, 230), (43, 98, 158)


@dataclass(frozen=True)
class Entry:
    """One line of the list: what is ranked, the head where it is so, its weight there and its lift."""

    text: str
    head: str
    weight: float
    lift: float


def figure(
    one: Board,
    entries: Sequence[Entry],
    heading: str,
    *,
    layers: Sequence[str],
    heads: Sequence[str],
    width: float | None = None,
    font: str | None = None,
    bare: bool = False,
    notes: Sequence[str] = (),
    **how: Any,
) -> Figure:
    """The board, and below it the entries with a bar each: the weight in pale blue, the lift in dark blue over it.

    Args:
        one: the board.
        entries: strongest first; heading: what they are.
        layers, heads: names of rows and columns.
        width, font, bare, notes and others: as for `attnviz.page.board.boards`. Bare: the board alone.
    """
    texts = [printable(entry.text) for entry in entries]
    if bare or not entries:
        return boards([one], layers=layers, heads=heads, width=width, font=font, bare=bare, notes=notes, **how)
    names = [entry.head for entry in entries]
    said = ["bars: weight pale, lift dark", *notes]
    drawn_words = [heading, *texts, *names, "weightliftlayer.head−.0123456789…"]
    face = typeface(font, drawn_words)
    first = max(min(max(face.width(text, BASE) for text in texts), 210.0), 40.0)
    second = max(face.width(text, SMALL) for text in [*names, "layer.head"])
    numbers = 2 * (face.width(NUMBERS, SMALL) + 8.0)
    beside = 10.0 + second + 10.0 + numbers  # head, weight and lift
    drawn = boards(
        [one],
        layers=layers,
        heads=heads,
        width=width,
        font=font,
        notes=said,
        room=(first + beside + BAR + 2 * MARGIN + 40.0, ABOVE + PITCH * len(entries) + 8.0),
        words=drawn_words,
        **how,
    )
    box = drawn.panels[0].box
    x, y = box.x, box.y + box.height + BELOW + ABOVE
    room = drawn.width - MARGIN - x
    first = max(min(first, room - beside - LEAST), 20.0)
    bar = min(room - first - beside, 1.6 * BAR)
    at_head = x + first + 10.0
    at_weight = at_head + second + 10.0 + numbers / 2 - 8.0
    at_lift = at_weight + numbers / 2
    at_bar = at_lift + 8.0
    labels, fills = list(drawn.labels), list(drawn.fills)
    soft: dict[str, Any] = {"tone": "soft", "role": "text"}
    labels.append(Label(face.cut(heading, BASE, room, "bold"), x, y - 17.0, BASE, weight="bold", **soft))
    for text, place, align in (
        ("layer.head", at_head, "left"),
        ("weight", at_weight, "right"),
        ("lift", at_lift, "right"),
    ):
        labels.append(Label(text, place, y - 4.0, SMALL, align, **soft))
    most = max(max(entry.weight, entry.lift) for entry in entries) or 1.0
    for i, (entry, text) in enumerate(zip(entries, texts, strict=True)):
        top = y + i * PITCH
        line = top + PITCH / 2 + MIDDLE * SMALL
        labels.append(Label(face.cut(text, BASE, first), x, line, BASE, role="row"))
        labels.append(Label(entry.head, at_head, line, SMALL, role="text"))
        for value, place in ((entry.weight, at_weight), (entry.lift, at_lift)):
            labels.append(
                Label(f"{round(value, 2) + 0.0:.2f}".replace("-", "−"), place, line, SMALL, "right", role="text")
            )
        for value, rgb, high in ((entry.weight, WEIGHT, 9.0), (entry.lift, LIFT, 4.0)):
            if value > 0 and bar > 0:
                fills.append(Fill(Box(at_bar, top + (PITCH - high) / 2, bar * min(value / most, 1.0), high), rgb))
    return replace(drawn, labels=tuple(labels), fills=tuple(fills))


def links(
    found: Sequence[Pair],
    shown: Sequence[Pair],
    queries: Sequence[str],
    keys: Sequence[str],
    *,
    by: str = "lift",
    asked: tuple[int | None, int | None] = (None, None),
    layers: Sequence[int | str | None],
    heads: Sequence[int | str | None],
    places: Sequence[tuple[Any, Any]] | None = None,
    **how: Any,
) -> Figure:
    """The strongest link of every head as a board with the tokens in its cells, and a list.

    Args:
        found: pairs of every head, as `attnviz.heads.links(within=True)` gives them. shown: those listed.
        queries, keys: the tokens. by: lift | weight.
        asked: the query and the key that were asked for: what all pairs share is not said in every cell.
        layers, heads: true indices, None where they were averaged. places: (layer, head) of the cells in reading order,
            where they are not all of these. Others: as for `figure`.
    """
    values = np.full((len(layers), len(heads)), np.nan)
    texts = [["" for _ in heads] for _ in layers]
    marks = []
    best = max(found, key=lambda pair: pair.lift if by == "lift" else pair.weight, default=None)
    for (i, j), place in zip(np.ndindex(values.shape), places or product(layers, heads), strict=True):
        at = tuple(-1 if index is None else index for index in place)
        own = [pair for pair in found if (pair.layer, pair.head) == at]
        if own:
            pair = max(own, key=lambda pair: pair.lift if by == "lift" else pair.weight)
            values[i, j] = pair.lift if by == "lift" else pair.weight
            texts[i][j] = _link(pair, queries, keys, asked)
            marks += [(i, j)] if pair is best else []
    both = None not in asked
    signed = bool(np.nanmin(values, initial=0.0) < 0)
    one = Board(values, by if both else f"strongest {by}", signed=signed, marks=tuple(marks))
    one = one if both else replace(one, cell_text=texts)
    entries = [
        Entry(
            f"{queries[pair.query]} → {keys[pair.key]}",
            ".".join("mean" if place < 0 else str(place) for place in (pair.layer, pair.head)),
            pair.weight,
            pair.lift,
        )
        for pair in shown
    ]
    return figure(one, entries, f"strongest by {by}", layers=names(layers), heads=names(heads), **how)


def _link(pair: Pair, queries: Sequence[str], keys: Sequence[str], asked: tuple[int | None, int | None]) -> str:
    query, key = printable(queries[pair.query]), printable(keys[pair.key])
    return key if asked[0] is not None else query if asked[1] is not None else f"{query}→{key}"


def focus(
    values: NDArray[Any],
    best: NDArray[np.int64],
    entries: Sequence[Entry],
    keys: Sequence[str],
    *,
    by: str = "lift",
    layers: Sequence[int | str | None],
    heads: Sequence[int | str | None],
    **how: Any,
) -> Figure:
    """One query's view: a board with the word that each head lifts (or weighs) most, and all words ranked.

    Args:
        values: the lift or weight of that word, [layer, head]. best: its place among the keys, [layer, head].
        entries: words, strongest first. keys: the tokens. by: lift | weight.
        layers, heads: true indices, None where they were averaged. Others: as for `figure`.
    """
    texts = [[printable(keys[key]) for key in row] for row in best.tolist()]
    peak = divmod(int(values.argmax()), values.shape[1])
    one = Board(values, f"strongest {by}", marks=(peak,), cell_text=texts)
    return figure(one, entries, f"words by their strongest {by}", layers=names(layers), heads=names(heads), **how)
