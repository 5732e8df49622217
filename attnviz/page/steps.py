"""Steps -> Figure: one page from embeddings to the layer's output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.measures.steps import Step, Steps, norm_share, output_share, scaling
from attnviz.page.figure import Box, Figure, Line, Scale
from attnviz.page.scale import number, round_up
from attnviz.page.sizes import LINE
from attnviz.page.steps_page import (
    BASE,
    LEAST,
    MARGIN,
    ROW_ROOM,
    SMALL,
    WEIGHTS,
    WIDE,
    Page,
    largest,
    sheet,
    signed,
    unsigned,
)
from attnviz.page.steps_words import SCORES
from attnviz.page.text_metrics import MIDDLE, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray


_GAP = 22.0  # between maps, in points
_SMALL_MATRIX = 64  # numbers of a weight matrix that is drawn


def figure(steps: Steps, **options: Any) -> Figure:
    """The walk on one page: vectors of all tokens, maps of all queries, and the chosen query's row after each step.

    options: as for `attnviz.page.steps_page.sheet`, which also says what it raises.
    """
    rows = [_inputs_row, _maps_row, _query_rows, _outputs_row]
    return sheet(steps, "Attention step by step", rows, WIDE, MARGIN, **options)


def _inputs_row(page: Page) -> None:
    """Step 1: what the layer reads, and the queries, keys and values made of it."""
    steps = page.steps
    step = steps.steps[0]
    cross = steps.facts.stream == "cross"
    x = steps.read
    made = [[line for line in step.lines if line[0].startswith(name)] for name in ("q_i", "k_j", "v_j")]
    own = [line for line in step.lines if line[0][:3] not in ("q_i", "k_j", "v_j")]
    top = page.header(step, MARGIN, WIDE - 2 * MARGIN, page.y, ())
    left = MARGIN + ROW_ROOM
    second = ROW_ROOM if cross else 0.0
    room = WIDE - MARGIN - left - 3 * _GAP - second
    widths = [0.34 * room, *(3 * [0.22 * room])]
    q, k, v = (steps.used(which) for which in "qkv")
    actual = [min(wide, 40.0 * values.shape[1]) for wide, values in zip(widths, (x, q, k, v), strict=True)]
    widths = [min(wide, max(real, 118.0)) for wide, real in zip(widths, actual, strict=True)]
    n = max(len(steps.queries), len(steps.keys))
    high = min(max(13.0 * n, 44.0), 170.0)
    if n <= 4:
        high = 18.0 * n
    places = []
    at = left
    for i, wide in enumerate(widths):
        at += second if i == 2 else 0.0
        places.append((at, wide))
        at += wide + _GAP
    bottoms = [page.formulas(own, left, widths[0], top)]
    bottoms += [page.formulas(lines, p[0], p[1], top) for lines, p in zip(made, places[1:], strict=True)]
    y = max(bottoms) + 5.0
    shared = signed(q, k, v)
    for i, (values, scale) in enumerate(((x, signed(x)), (q, shared), (k, shared), (v, shared))):
        rows = len(values)
        wide = actual[i]
        box = Box(places[i][0], y, wide, high * rows / n)
        page.map(values, box, scale)
        if i < 2:
            page.frame(box, steps.query, rows)
        if i == 0:
            page.row_names(steps.queries.text, box, steps.query)
        elif i == 2 and cross:
            page.row_names(steps.keys.text, box)
        note = f"colour: −{number(scale.high)} to {number(scale.high)}"
        page.put(note, box.x, y + box.height + 8.0, LEAST + 1.0, tone="faint")
        if i == 0:
            page.arrow((box.x + wide + places[1][0]) / 2, y + box.height / 2)
    page.y = y + high + 14.0
    if steps.matrices["W_Q"].size <= _SMALL_MATRIX:
        _weights(page, [(f"W_{q}", p[0], wide) for q, p, wide in zip("QKV", places[1:], actual[1:], strict=True)])
    _between(page, [s for s in steps.steps if s.label.startswith("1") and s.label != "1"])
    page.y += 10.0


def _between(page: Page, steps: Sequence[Step]) -> None:
    """Steps that have no map of their own, a line each."""
    for step in steps:
        said = "; ".join(line for line, _ in step.lines)
        y = page.y + 0.8 * SMALL
        page.put(step.label, MARGIN, y, SMALL, weight="bold", tone="mark")
        page.put(step.title, MARGIN + 16.0, y, SMALL, weight="bold")
        indent = MARGIN + 22.0 + page.face.width(step.title, SMALL, "bold")
        page.put(page.face.cut(said, SMALL, WIDE - MARGIN - indent), indent, y, SMALL, tone="soft")
        page.y += LINE * SMALL


def _weights(page: Page, at: Sequence[tuple[str, float, float]]) -> None:
    """Small weight matrices with their numbers: (name, left edge, width)."""
    y = page.y + 12.0
    end = y
    for name, x, wide in at:
        matrix = page.steps.matrices[name]
        box = Box(x, y, wide, 18.0 * len(matrix))
        page.put(f"{name}, head {page.steps.facts.head}", x, y - 4.0, SMALL, tone="soft")
        page.map(matrix, box, signed(matrix))
        end = max(end, y + box.height)
    page.y = end + 8.0


def _maps_row(page: Page) -> None:
    """Steps 2 to 5 as maps of all queries and keys."""
    steps = page.steps
    if steps.weight_matrix is None or steps.allowed_matrix is None:
        page.notes.append("a long text: maps of all queries are left out")
        return
    shown = [(steps.step(s.name), s.matrix) for s in steps.scores if s.matrix is not None]
    count = len(shown) + 1
    left = MARGIN + ROW_ROOM
    side = min((WIDE - MARGIN - left - (count - 1) * _GAP) / count, 150.0)
    rows, cols = steps.weight_matrix.shape
    wide, high = (side, side * rows / cols) if rows <= cols else (side * cols / rows, side)
    wide, high = max(wide, 24.0), max(high, 24.0)
    pitch = max(side + _GAP, (WIDE - MARGIN - left + _GAP) / count) if count <= 4 else side + _GAP
    softmax = steps.step("softmax")
    bottoms = [
        page.header(step, left + i * pitch, pitch - 10.0, page.y)
        for i, (step, _) in enumerate([*shown, (softmax, steps.weight_matrix)])
    ]
    y = max(bottoms) + 5.0
    later = [m for step, m in shown if step.name not in ("raw", "relative", "before_scale") and m is not None]
    first = [m for step, m in shown if step.name in ("raw", "relative", "before_scale") and m is not None]
    end = y + high
    for i, (step, matrix) in enumerate([*shown, (softmax, steps.weight_matrix)]):
        assert matrix is not None
        box = Box(left + i * pitch, y, wide, high)
        hidden = ~steps.allowed_matrix if step.name in ("masked", "softmax") else None
        if step.name == "softmax":
            scale = unsigned(matrix)
            note = f"colour: 0 to {number(scale.high)}"
        else:
            scale = signed(*(first if step.name in ("raw", "relative", "before_scale") else later))
            note = f"colour: −{number(scale.high)} to {number(scale.high)}"
        page.map(matrix, box, scale, hidden)
        page.frame(box, steps.query, rows)
        if i == 0:
            page.row_names(steps.queries.text, box, steps.query)
        else:
            page.arrow(box.x - (pitch - wide) / 2, y + high / 2)
        below = page.col_names(steps.keys.text, box)
        page.put(note, box.x, below + 7.0, LEAST + 1.0, tone="faint")
        end = max(end, below + 9.0)
    if (~steps.allowed_matrix).any():
        page.notes.append("grey: hidden by the mask")
    page.y = end + 12.0
    if steps.sink is not None:
        page.y -= 6.0
        _between(page, [steps.step("sink")])
        page.y += 6.0


def _query_rows(page: Page) -> None:
    """The chosen query's row: its scores after each step, its weights, and the share of each value."""
    steps = page.steps
    found = scaling(steps)
    token = page.face.cut(printable(steps.queries.text[steps.query]), BASE, 160.0, "bold")
    page.text(f"The row of query {steps.query}, “{token}”: every key, after each step", MARGIN, BASE, "bold")
    share, along = norm_share(steps), output_share(steps)
    unit, top = Scale("linear", 0.0, 1.0, WEIGHTS), round_up(max(largest(steps.weights), largest(share)))
    weight = Scale("linear", 0.0, top, WEIGHTS)
    rows: list[tuple[str, str, NDArray[Any], Scale, bool]] = []
    for scores in steps.scores:
        if scores.name == "masked" and steps.allowed.all():
            continue
        step, masks = steps.step(scores.name), scores.name == "masked"
        name = step.title if masks else f"{step.title}  {SCORES[scores.name].head}"
        rows.append((step.label, name, scores.row, signed(scores.row), masks))
    rows.append(("", "softmax without scaling", found.without, unit, True))
    rows.append(("5", "Softmax  a_ij", steps.weights, weight, True))
    rows.append(("6", "share of o_i by norm", share, weight, True))
    rows.append(("", "share along o_i", along, signed(along), True))
    names = 132.0
    left = MARGIN + names
    n = len(steps.keys)
    wide, high = min((WIDE - MARGIN - left) / n, 62.0), 14.0
    y = page.y + 3.0
    for label, name, values, scale, masks in rows:
        box = Box(left, y, wide * n, high)
        page.map(np.asarray(values)[None], box, scale, ~steps.allowed[None] if masks else None)
        page.put(label, MARGIN, y + high / 2 + MIDDLE * SMALL, SMALL, weight="bold", tone="mark")
        bold = "bold" if name.startswith("Softmax") else "normal"
        page.put(name, left - 6.0, y + high / 2 + MIDDLE * SMALL, SMALL, align="right", weight=bold, role="row")
        if bold == "bold":
            page.frame(box, 0, 1)
        y += high + 2.0
    page.y = page.col_names(steps.keys.text, Box(left, y - 2.0, wide * n, 0.0)) + 5.0
    factor = "without scaling" if steps.facts.scales else "without scaling (as in this model)"
    said = f"entropy of the softmax over the scores alone: {found.entropy_without:.2f} nats {factor}, "
    said += f"{found.entropy_scaled:.2f} with; equal weights: {found.most:.2f}"
    if steps.sink is not None:
        said += f" · the sink takes {steps.sink_weight:.2f} of the row"
    said += f" · colour of a_ij and of its share by norm: 0 to {number(top)}"
    for line in page.face.wrap(said, SMALL, WIDE - 2 * MARGIN - names):
        page.put(line, left, page.y + 0.8 * SMALL, SMALL, tone="soft")
        page.y += LINE * SMALL
    page.y += 11.0


def _outputs_row(page: Page) -> None:
    """Steps 6 and 7: the head's output, the heads side by side, and their projection."""
    steps, facts = page.steps, page.steps.facts
    summed, joined = steps.step("summed"), steps.step("joined")
    room = WIDE - 2 * MARGIN - 2 * _GAP
    widths = (0.24 * room, 0.42 * room, 0.34 * room)
    xs = (MARGIN, MARGIN + widths[0] + _GAP, MARGIN + widths[0] + widths[1] + 2 * _GAP)
    bottoms = [page.header(summed, xs[0], widths[0], page.y), page.header(joined, xs[1], sum(widths[1:]), page.y)]
    y = max(bottoms) + 12.0
    high = 15.0
    heads = steps.heads.reshape(1, -1)
    shared = signed(steps.output, heads)
    drawn = ((f"o_{steps.query}", steps.output[None], shared), ("", heads, shared))
    for i, (name, values, scale) in enumerate(
        (*drawn, (f"y_{steps.query}", steps.projected[None], signed(steps.projected)))
    ):
        wide = min(widths[i], 34.0 * values.shape[1])
        box = Box(xs[i], y, wide, high)
        page.map(values, box, scale)
        page.put(name, box.x, y - 3.0, SMALL, tone="soft")
        page.put(
            f"colour: −{number(scale.high)} to {number(scale.high)}", box.x, y + high + 8.0, LEAST + 1.0, tone="faint"
        )
        if i == 1:
            _heads(page, box, facts.n_heads, facts.head)
        if i < 2:
            page.arrow(xs[i] + wide + (xs[i + 1] - xs[i] - wide) / 2, y + high / 2)
    page.y = y + high + 18.0
    if "W_O" in steps.matrices and steps.matrices["W_O"].size <= _SMALL_MATRIX:
        _weights(page, [("W_O", xs[1], min(40.0 * len(steps.projected), widths[1]))])


def _heads(page: Page, box: Box, n_heads: int, head: int) -> None:
    """Boundaries and numbers of heads along a strip; the chosen head's is framed."""
    wide = box.width / n_heads
    step = max(1, math.ceil(14.0 / wide))
    for h in range(n_heads):
        x = box.x + h * wide
        if h:
            page.lines.append(Line(x, box.y, x, box.y + box.height, 0.8, "paper"))
        if h % step == 0 or h == head:
            tone, weight = ("mark", "bold") if h == head else ("soft", "normal")
            page.put(str(h), x + wide / 2, box.y - 3.0, SMALL - 1.0, align="center", tone=tone, weight=weight)
    page.frame(Box(box.x + head * wide, box.y, wide, box.height), 0, 1)
