"""A walk -> Figure: one page from embeddings to the layer's output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnviz.page.canvas import BASE, LEAST, SMALL, Canvas, drawn, signed, unsigned
from attnviz.page.figure import Box, Figure, Line, Scale
from attnviz.page.parts import Walk
from attnviz.page.scale import WHITE, number
from attnviz.page.text_metrics import MIDDLE, printable

if TYPE_CHECKING:
    from attnviz.axis import Tokens
    from attnviz.measures.steps_formulas import Step
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import Page

WIDE, MARGIN = 780.0, 30.0  # points
_GAP = 22.0  # points between maps
_NAMES = 66.0  # points for the names of rows
_ROOM = WIDE - 2 * MARGIN


def walk(page: Page, options: FigureOptions) -> Figure:
    """The walk on one page: vectors of all tokens, maps of all queries, and the chosen query's row after each step.

    Raises SelectionError as `attnviz.page.canvas.drawn`.
    """
    rows = [_inputs_row, _maps_row, _query_rows, _outputs_row]
    return drawn(page, page.part(Walk), options, Canvas, rows, WIDE, MARGIN, SMALL)


def _tokens(page: Canvas, tokens: Tokens) -> list[str]:
    """Names of rows and columns, as much of each as there is room for."""
    return [page.face.cut(printable(text), SMALL, _NAMES - 10.0) for text in tokens.text]


def _colours(page: Canvas, scale: Scale, x: float, y: float) -> None:
    """The ends of the colours, in small letters."""
    low = f"−{number(scale.high)}" if scale.low else "0"
    page.word(f"colour: {low} to {number(scale.high)}", x, y, LEAST + 1.0, tone="faint")


def _inputs_row(page: Canvas) -> None:
    """Step 1: what the layer reads, and the queries, keys and values made of it."""
    steps = page.steps
    first, cross = steps.steps[0], steps.facts.cross
    x, q, k, v = steps.read, *(steps.used(letter) for letter in "qkv")
    lines: list[list[tuple[str, str]]] = [[], [], [], []]
    for line in first.lines:
        lines[("q_i", "k_j", "v_j").index(line[0][:3]) + 1 if line[0][:3] in ("q_i", "k_j", "v_j") else 0].append(line)
    top = page.header(first, MARGIN, _ROOM, page.y, formulas=False)
    left, second = MARGIN + _NAMES, _NAMES if cross else 0.0
    room = WIDE - MARGIN - left - 3 * _GAP - second
    drawn = [
        min(share * room, 40.0 * values.shape[1])
        for share, values in zip((0.34, 0.22, 0.22, 0.22), (x, q, k, v), strict=True)
    ]
    rooms = [min(share * room, max(wide, 118.0)) for share, wide in zip((0.34, 0.22, 0.22, 0.22), drawn, strict=True)]
    xs = [left + sum(rooms[:i]) + i * _GAP + (second if i > 1 else 0.0) for i in range(4)]
    n = max(len(steps.queries), len(steps.keys))
    high = 18.0 * n if n <= 4 else min(max(13.0 * n, 44.0), 170.0)
    y = max(page.formulas(own, at, wide, top) for own, at, wide in zip(lines, xs, rooms, strict=True)) + 5.0
    shared = signed(q, k, v)
    for i, (values, scale) in enumerate(((x, signed(x)), (q, shared), (k, shared), (v, shared))):
        box = Box(xs[i], y, drawn[i], high * len(values) / n)
        page.whole(values, box, scale)
        if i < 2:
            page.frame_row(box, steps.query, len(values))
        if i == 0:
            page.row_names(_tokens(page, steps.queries), box, frozenset({steps.query}))
            page.arrow(box.x + box.width + 5.0, y + box.height / 2, xs[1] - 5.0, y + box.height / 2)
        elif i == 2 and cross:
            page.row_names(_tokens(page, steps.keys), box)
        _colours(page, scale, box.x, y + box.height + 8.0)
    page.y = y + high + 14.0
    if steps.is_small("W_Q"):
        _weights(page, [(f"W_{q}", at, wide) for q, at, wide in zip("QKV", xs[1:], drawn[1:], strict=True)])
    _between(page, [s for s in steps.steps[1:] if s.label.startswith("1")])
    page.y += 10.0


def _between(page: Canvas, steps: Sequence[Step]) -> None:
    """Steps that have no map of their own, a line each."""
    for step in steps:
        y = page.y + 0.8 * SMALL
        page.word(step.label, MARGIN, y, SMALL, weight="bold", tone="mark")
        page.word(step.title, MARGIN + 16.0, y, SMALL, weight="bold")
        indent = MARGIN + 22.0 + page.face.width(step.title, SMALL, "bold")
        formulas = "; ".join(line for line, _ in step.lines)
        page.text(page.face.cut(formulas, SMALL, WIDE - MARGIN - indent), SMALL, x=indent, tone="soft")


def _weights(page: Canvas, at: Sequence[tuple[str, float, float]]) -> None:
    """Small weight matrices with their numbers: (name, left edge, width)."""
    y = page.y + 12.0
    for name, x, wide in at:
        matrix = page.steps.matrices[name]
        page.word(f"{name}, head {page.steps.facts.head}", x, y - 4.0, SMALL, tone="soft")
        page.whole(matrix, Box(x, y, wide, 18.0 * len(matrix)), signed(matrix))
        page.y = max(page.y, y + 18.0 * len(matrix) + 8.0)


def _maps_row(page: Canvas) -> None:
    """Steps 2 to 5 as maps of all queries and keys."""
    steps = page.steps
    if steps.weight_matrix is None or steps.allowed_matrix is None:
        page.notes.append("a long text: maps of all queries are left out")
        return
    scores = [(s.stage, s.matrix) for s in steps.scores if s.matrix is not None]
    early, late = (signed(*(m for stage, m in scores if stage.early == side)) for side in (True, False))
    shown = [(stage.name, matrix, early if stage.early else late) for stage, matrix in scores]
    shown.append(("softmax", steps.weight_matrix, unsigned(steps.weight_matrix)))
    left = MARGIN + _NAMES
    side = min((WIDE - MARGIN - left - (len(shown) - 1) * _GAP) / len(shown), 150.0)
    rows, cols = steps.weight_matrix.shape
    wide, high = (max(side * min(1.0, a / b), 24.0) for a, b in ((cols, rows), (rows, cols)))
    pitch = side + _GAP
    if len(shown) <= 4:
        pitch = max(pitch, (WIDE - MARGIN - left + _GAP) / len(shown))
    xs = [left + i * pitch for i in range(len(shown))]
    y = 5.0 + max(
        page.header(steps.step(name), x, pitch - 10.0, page.y) for (name, *_), x in zip(shown, xs, strict=True)
    )
    end = y + high
    for x, (name, matrix, scale) in zip(xs, shown, strict=True):
        box = Box(x, y, wide, high)
        hidden = ~steps.allowed_matrix if name in ("masked", "softmax") else None
        page.whole(matrix, box, scale, hidden, sparse=name == "softmax")
        page.frame_row(box, steps.query, rows)
        if x == left:
            page.row_names(_tokens(page, steps.queries), box, frozenset({steps.query}))
        else:
            page.arrow(x - (pitch - wide) + 5.0, y + high / 2, x - 5.0, y + high / 2)
        below = y + high + page.column_names(_tokens(page, steps.keys), box)
        _colours(page, scale, x, below + 7.0)
        end = max(end, below + 9.0)
    if (~steps.allowed_matrix).any():
        page.notes.append("grey: hidden by the mask")
    page.y = end + 12.0
    if steps.sink is not None:
        page.y -= 6.0
        _between(page, [steps.step("sink")])
        page.y += 6.0


def _query_rows(page: Canvas) -> None:
    """The chosen query's row: its scores after each step, its weights, and the share of each value."""
    steps = page.steps
    token = page.face.cut(printable(steps.queries.text[steps.query]), BASE, 160.0, "bold")
    heading = f"The row of query {steps.query}, “{token}”: every key, after each step"
    page.text(heading, BASE, weight="bold")
    weight = unsigned(steps.weights, steps.norm_share)
    scales = {
        "weight": weight,
        "norm_share": weight,
        "weight_without_scaling": Scale("linear", 0.0, 1.0, WHITE),
    }
    names, n = 132.0, len(steps.keys)
    left = MARGIN + names
    wide, high = min((WIDE - MARGIN - left) / n, 62.0), 14.0
    y, labels = page.y + 3.0, {""}
    for row in steps.per_key():
        if row.name == "masked" and steps.allowed.all():
            continue
        box = Box(left, y, wide * n, high)
        plain = steps.score(row.name) is not None and row.name != "masked"
        page.whole(
            np.asarray(row.values)[None],
            box,
            scales.get(row.name) or signed(row.values),
            None if plain else ~steps.allowed[None],
        )
        baseline = y + high / 2 + MIDDLE * SMALL
        if row.step not in labels:
            page.word(row.step, MARGIN, baseline, SMALL, weight="bold", tone="mark")
        labels.add(row.step)
        chosen = row.name == "weight"
        page.word(
            row.title, left - 6.0, baseline, SMALL, align="right", weight="bold" if chosen else "normal", role="row"
        )
        if chosen:
            page.frame_row(box)
        y += high + 2.0
    page.y = y + 3.0 + page.column_names(_tokens(page, steps.keys), Box(left, y - 2.0, wide * n, 0.0))
    page.text(_entropies(page, weight), SMALL, x=left, tone="soft")
    page.y += 11.0


def _entropies(page: Canvas, weight: Scale) -> str:
    """The effect of scaling on the row, and the meaning of its weights' colours."""
    steps, compared = page.steps, page.steps.scaling
    without, scaled = steps.scaling_words
    text = f"entropy of the softmax over the scores alone: {compared.entropy_without:.2f} nats {without}, "
    text += f"{compared.entropy_scaled:.2f} {scaled}; equal weights: {compared.most:.2f}"
    if steps.sink is not None:
        text += f" · the sink takes {steps.sink_weight:.2f} of the row"
    return text + f" · colour of a_ij and of its share by norm: 0 to {number(weight.high)}"


def _outputs_row(page: Canvas) -> None:
    """Steps 6 and 7: the head's output, the heads side by side, and their projection."""
    steps, facts = page.steps, page.steps.facts
    room = _ROOM - 2 * _GAP
    widths = (0.24 * room, 0.42 * room, 0.34 * room)
    xs = (MARGIN, MARGIN + widths[0] + _GAP, MARGIN + widths[0] + widths[1] + 2 * _GAP)
    headers = (("summed", xs[0], widths[0]), ("joined", xs[1], sum(widths[1:])))
    y = 12.0 + max(page.header(steps.step(name), x, wide, page.y) for name, x, wide in headers)
    high, heads = 15.0, steps.heads.reshape(1, -1)
    shared = signed(steps.output, heads)
    for i, (name, values, scale) in enumerate(
        (
            (f"o_{steps.query}", steps.output[None], shared),
            ("", heads, shared),
            (f"y_{steps.query}", steps.projected[None], signed(steps.projected)),
        )
    ):
        box = Box(xs[i], y, min(widths[i], 34.0 * values.shape[1]), high)
        page.whole(values, box, scale)
        _colours(page, scale, box.x, y + high + 8.0)
        if name:
            page.word(name, box.x, y - 3.0, SMALL, tone="soft")
        else:
            _heads(page, box, facts.spec.n_heads, facts.head)
        if i < 2:
            page.arrow(box.x + box.width + 4.0, y + high / 2, xs[i + 1] - 4.0, y + high / 2)
    page.y = y + high + 18.0
    if steps.is_small("W_O"):
        _weights(page, [("W_O", xs[1], min(40.0 * len(steps.projected), widths[1]))])


def _heads(page: Canvas, box: Box, n_heads: int, head: int) -> None:
    """Boundaries and numbers of heads along a strip; the chosen head's is framed."""
    wide = box.width / n_heads
    step = max(1, math.ceil(14.0 / wide))
    for h in range(n_heads):
        x = box.x + h * wide
        if h:
            page.lines.append(Line(x, box.y, x, box.y + box.height, 0.8, "paper"))
        if h % step == 0 or h == head:
            tone, weight = ("mark", "bold") if h == head else ("soft", "normal")
            page.word(str(h), x + wide / 2, box.y - 3.0, SMALL - 1.0, align="center", tone=tone, weight=weight)
    page.frame_row(Box(box.x + head * wide, box.y, wide, box.height))
