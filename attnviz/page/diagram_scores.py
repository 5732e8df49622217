"""The second diagram: a query's scores against every key, scaling, mask, softmax, and the weighted sum of values."""

from __future__ import annotations

import numpy as np

from attnviz.measures.steps import Scores, Steps
from attnviz.page.canvas import SMALL, signed, unsigned
from attnviz.page.cut import Cut
from attnviz.page.diagram_canvas import CELL, LEFT, ONE, RIGHT, ROW, Diagram, shape
from attnviz.page.figure import Line
from attnviz.page.text_metrics import MIDDLE, printable

KEYS = 20  # rows
_COLUMN, _BETWEEN = 23.0, 12.0  # points, a column of scores and the room between two
_NAMES = 54.0  # points, the room for tokens at the left


def scores(page: Diagram) -> None:
    """Draw the second diagram."""
    steps = page.steps
    page.title("2", "Scores, scaling, mask, softmax, weighted sum", f"o = softmax({_formula(steps)}) V")
    own = steps.strongest if steps.facts.cross else steps.query
    down = page.some_rows(steps.weights, "keys", KEYS, own, 6.0)
    stages = len(steps.scores) + 1
    room = RIGHT - LEFT - _NAMES - 4.0 - stages * _COLUMN - (stages + 2) * _BETWEEN
    q, k, v = (steps.used(letter) for letter in "qkv")
    keys, values = (Cut.fitting(side.shape[1], room / 3, CELL) for side in (k, v))
    top = page.y + 9.0
    x = LEFT + _NAMES + 4.0
    word = page.face.cut(printable(steps.queries.text[steps.query]), SMALL, _NAMES, "bold")
    page.word(word, x - 4.0, top + 2.0 + ROW / 2 + MIDDLE * SMALL, SMALL, align="right", weight="bold", tone="mark")
    both = signed(q[steps.query], k)
    page.block("q", q[steps.query][None], x, top + 2.0, keys, ONE, both)
    page.named(x, top, "q", shape(1, len(q.T)), room)
    y = top + 2.0 + ROW + 11.0
    page.named(x, y - 3.0, "K", shape(*k.shape), room)
    page.token_names(steps.keys.text, x - 4.0, y, down, ~steps.allowed)
    page.block("K", k, x, y, keys, down, both)
    x = _columns(page, x + keys.length, y, down)
    x = _weighted(page, x, y, values, down)
    page.y = y + down.length + 6.0 + ROW + 6.0
    for step in steps.steps:
        if step.name in ("masked", "sink"):
            page.remark(f"{step.title.lower()}: {step.lines[0][0]}")
    page.y += 6.0


def _formula(steps: Steps) -> str:
    """The scores that enter the softmax: `(q Kᵀ + r) / √64`."""
    text = ""
    for scores in steps.scores:
        how = _operation(steps, scores)
        if scores.name == "raw":
            text = how
        elif scores.name == "scaled" and steps.facts.scales:
            text = f"({text}) {how}" if "+" in text else f"{text} {how}"
        elif scores.name == "capped":
            text = f"{how}({text})"
        elif scores.stage.added:
            text = f"{text} {how}"
    return text


def _heading(page: Diagram, lines: tuple[str, str, str], x: float, y: float) -> None:
    """Name, operation and shape, centred above a block that begins at y."""
    tones = (("bold", "ink"), ("normal", "soft"), ("normal", "faint"))
    for up, text, (weight, tone) in zip((20.0, 11.5, 3.0), lines, tones, strict=True):
        page.word(text, x, y - up, SMALL - 0.5, align="center", weight=weight, tone=tone)


def _columns(page: Diagram, x: float, y: float, down: Cut) -> float:
    """The query's scores after each operation, and its weights, a column each; returns the right edge."""
    steps, hidden = page.steps, ~page.steps.allowed[:, None]
    late = signed(*(scores.row for scores in steps.scores if not scores.stage.early))
    columns = [
        (scores.name, scores.row, signed(scores.row) if scores.stage.early else late,
         hidden if scores.name == "masked" else None, "−∞", scores.stage.short, _operation(steps, scores))
        for scores in steps.scores
    ]  # fmt: skip
    columns.append(("weights", steps.weights, unsigned(steps.weights), hidden, "0", "weights", "softmax"))
    middle = y + down.length / 2
    for name, values, scale, masked, instead, short, how in columns:
        page.arrow(x + 1.5, middle, x + _BETWEEN - 1.5, middle)
        x += _BETWEEN
        page.block(name, values[:, None], x, y, Cut.whole(1, _COLUMN), down, scale, masked, instead)
        _heading(page, (short, how, shape(1, len(values))), x + _COLUMN / 2, y)
        x += _COLUMN
    if steps.sink is not None:
        text = f"sink {steps.sink_weight:.2f}"
        page.word(text, x, y + down.length + 9.0, SMALL - 0.5, align="right", tone="soft")
    return x


def _operation(steps: Steps, scores: Scores) -> str:
    """The operation that leads to these scores."""
    facts = steps.facts
    if scores.name == "scaled":
        return f"/ √{facts.spec.d_head}" if facts.scales_as_usual else f"× {facts.scale:.3g}"
    if scores.name == "masked" and steps.allowed.all():
        return "hides none"
    return scores.stage.operation


def _weighted(page: Diagram, x: float, y: float, across: Cut, down: Cut) -> float:
    """The values, each value times its weight, and below them their sum."""
    steps = page.steps
    v = steps.used("v")
    parts = steps.weights[:, None] * v
    middle = y + down.length / 2 + MIDDLE * SMALL
    hidden = np.broadcast_to(~steps.allowed[:, None], v.shape)
    together = signed(parts, steps.output)
    for sign, name, how, values, scale, masked in (
        ("×", "values", "V", v, signed(v), None),
        ("=", "parts", "a_j v_j", parts, together, hidden),
    ):
        page.word(sign, x + _BETWEEN / 2, middle, SMALL + 1.0, align="center", tone="soft")
        x += _BETWEEN
        page.block(name, values, x, y, across, down, scale, masked)
        _heading(page, (name, how, shape(*v.shape)), x + across.length / 2, y)
        x += across.length
    left = x - across.length
    bottom = y + down.length
    page.lines.append(Line(left, bottom + 3.0, x, bottom + 3.0, 0.8))
    page.block("o", steps.output[None], left, bottom + 6.0, across, ONE, together)
    at = bottom + 6.0 + ROW / 2 + MIDDLE * SMALL
    page.word(f"their sum: o {shape(1, len(steps.output))}", left - 5.0, at, SMALL, align="right", weight="bold")
    return x
