"""The second diagram: a query's scores against every key, scaling, mask, softmax, and the weighted sum of values."""

from __future__ import annotations

import numpy as np

from attnviz.measures.steps import Scores, Steps
from attnviz.page.diagram_parts import (
    LEFT,
    RIGHT,
    ROW,
    Cut,
    arrow,
    block,
    named,
    remark,
    row_names,
    shape,
    strongest,
    title,
)
from attnviz.page.figure import Line
from attnviz.page.steps_page import SMALL, Page, signed, unsigned
from attnviz.page.text_metrics import MIDDLE, printable

KEYS = 20  # rows
_COLUMN, _BETWEEN = 23.0, 12.0  # points, a column of scores and the room between two
_NAMES = 54.0  # points, the room for tokens at the left
_EARLY = ("raw", "relative", "before_scale")  # scores that have not been scaled

OPERATIONS = {
    "raw": ("scores", "q Kᵀ"),
    "relative": ("relative", "+ r"),
    "before_scale": ("biased", "+ b"),
    "scaled": ("scaled", ""),
    "capped": ("capped", "cap"),
    "biased": ("biased", "+ b"),
    "counted": ("counted", "+ ln c"),
    "masked": ("masked", "−∞"),
}


def scores(page: Page) -> None:
    """Draw the second diagram."""
    steps = page.steps
    title(page, "2", "Scores, scaling, mask, softmax, weighted sum", f"o = softmax({_formula(steps)}) V")
    own = steps.strongest if steps.facts.stream == "cross" else steps.query
    down = strongest(page, steps.weights, "keys", KEYS, own, 6.0)
    stages = len(steps.scores) + 1
    room = RIGHT - LEFT - _NAMES - 4.0 - stages * _COLUMN - (stages + 2) * _BETWEEN
    q, k, v = (steps.used(letter) for letter in "qkv")
    keys, values = (Cut.fitting(side.shape[1], room / 3) for side in (k, v))
    top = page.y + 9.0
    x = LEFT + _NAMES + 4.0
    word = page.face.cut(printable(steps.queries.text[steps.query]), SMALL, _NAMES, "bold")
    page.put(word, x - 4.0, top + 2.0 + ROW / 2 + MIDDLE * SMALL, SMALL, align="right", weight="bold", tone="mark")
    both = signed(q[steps.query], k)
    block(page, "q", q[steps.query][None], x, top + 2.0, keys, scale=both)
    named(page, x, top, "q", shape(1, len(q.T)), room)
    y = top + 2.0 + ROW + 11.0
    named(page, x, y - 3.0, "K", shape(*k.shape), room)
    row_names(page, steps.keys.text, x - 4.0, y, down, ~steps.allowed)
    block(page, "K", k, x, y, keys, down, both)
    x = _stages(page, x + keys.length, y, down)
    x = _weighted(page, x, y, values, down)
    page.y = y + down.length + 6.0 + ROW + 6.0
    for step in steps.steps:
        if step.name in ("masked", "sink"):
            remark(page, f"{step.title.lower()}: {step.lines[0][0]}")
    page.y += 6.0


def _formula(steps: Steps) -> str:
    """The scores that enter the softmax: `(q Kᵀ + r) / √64`."""
    text = "q Kᵀ"
    for stage in steps.scores:
        how = _operation(steps, stage)
        if stage.name == "scaled" and steps.facts.scales:
            text = f"({text}) {how}" if "+" in text else f"{text} {how}"
        elif stage.name == "capped":
            text = f"{how}({text})"
        elif how.startswith("+"):
            text = f"{text} {how}"
    return text


def _heading(page: Page, lines: tuple[str, str, str], x: float, y: float) -> None:
    """Name, operation and shape, centred above a block that begins at y."""
    tones = (("bold", "ink"), ("normal", "soft"), ("normal", "faint"))
    for up, text, (weight, tone) in zip((20.0, 11.5, 3.0), lines, tones, strict=True):
        page.put(text, x, y - up, SMALL - 0.5, align="center", weight=weight, tone=tone)


def _stages(page: Page, x: float, y: float, down: Cut) -> float:
    """The query's scores after each operation, and its weights, a column each; returns the right edge."""
    steps = page.steps
    n = len(steps.keys)
    column = Cut.of(range(1), 1, _COLUMN)
    later = signed(*(s.row for s in steps.scores if s.name not in _EARLY))
    middle = y + down.length / 2
    for stage in steps.scores:
        arrow(page, x + 1.5, middle, x + _BETWEEN - 1.5, middle)
        x += _BETWEEN
        scale = signed(stage.row) if stage.name in _EARLY else later
        hidden = ~steps.allowed[:, None] if stage.name == "masked" else None
        block(page, stage.name, stage.row[:, None], x, y, column, down, scale, hidden, "−∞")
        _heading(page, (OPERATIONS[stage.name][0], _operation(steps, stage), shape(1, n)), x + _COLUMN / 2, y)
        x += _COLUMN
    arrow(page, x + 1.5, middle, x + _BETWEEN - 1.5, middle)
    x += _BETWEEN
    block(
        page,
        "weights",
        steps.weights[:, None],
        x,
        y,
        column,
        down,
        unsigned(steps.weights),
        ~steps.allowed[:, None],
        "0",
    )
    _heading(page, ("weights", "softmax", shape(1, n)), x + _COLUMN / 2, y)
    bottom = y + down.length
    if steps.sink is not None:
        page.put(f"sink {steps.sink_weight:.2f}", x + _COLUMN, bottom + 9.0, SMALL - 0.5, align="right", tone="soft")
    return x + _COLUMN


def _operation(steps: Steps, stage: Scores) -> str:
    """What makes these scores of those before."""
    facts = steps.facts
    if stage.name == "scaled":
        usual = abs(facts.scale - facts.usual) < 1e-6 * facts.usual
        return f"/ √{facts.d_head}" if usual else f"× {facts.scale:.3g}"
    if stage.name == "masked" and steps.allowed.all():
        return "hides none"
    return OPERATIONS[stage.name][1]


def _weighted(page: Page, x: float, y: float, across: Cut, down: Cut) -> float:
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
        page.put(sign, x + _BETWEEN / 2, middle, SMALL + 1.0, align="center", tone="soft")
        x += _BETWEEN
        block(page, name, values, x, y, across, down, scale, masked)
        _heading(page, (name, how, shape(*v.shape)), x + across.length / 2, y)
        x += across.length
    left = x - across.length
    bottom = y + down.length
    page.lines.append(Line(left, bottom + 3.0, x, bottom + 3.0, 0.8))
    block(page, "o", steps.output[None], left, bottom + 6.0, across, scale=together)
    at = bottom + 6.0 + ROW / 2 + MIDDLE * SMALL
    page.put(f"their sum: o {shape(1, len(steps.output))}", left - 5.0, at, SMALL, align="right", weight="bold")
    return x
