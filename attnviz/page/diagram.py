"""A walk -> Figure: the three diagrams that explain attention, with the reader's own sentence and numbers in them.

    qkv     one token through W_Q, W_K and W_V
    scores  the query against every key, scaled, masked, softmax, and the weighted sum of the values
    heads   the heads' outputs side by side, projected by W_O

A vector that is wider than its room is cut: its first numbers, an ellipsis, its last. Labels give the whole shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnviz.page.canvas import SMALL, drawn, signed, unsigned
from attnviz.page.cut import DOTS, Cut
from attnviz.page.diagram_canvas import ARROW, CELL, LEFT, NUMBERS, ONE, RIGHT, ROW, WIDE, Diagram, shape
from attnviz.page.diagram_scores import scores
from attnviz.page.figure import Box, Figure, Line
from attnviz.page.parts import Diagrams
from attnviz.page.sizes import LINE
from attnviz.page.text_metrics import MIDDLE, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.measures.steps import Steps
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import Page

HEADS = 12  # rows
_TALL = 62.0  # points, the height of a weight matrix
_SHARE = 24.0  # points, a column of shares
_SIDE = 112.0  # points, the width of W_O


def diagrams(page: Page, options: FigureOptions) -> Figure:
    """One diagram, or all three on one page of seven inches.

    Raises SelectionError as `attnviz.page.canvas.drawn`.
    """
    part = page.part(Diagrams)
    draw = [*(PARTS[name] for name in part.parts), _colours]
    return drawn(page, part, options, Diagram, draw, WIDE, LEFT, NUMBERS)


def _unindexed(formula: str) -> str:
    """A formula of the walk as a diagram has it: `q = x W_Q` for `q_i = x_i W_Q`, `o⁰` for `o_i^0`."""
    formula = formula.replace("_i", "").replace("_j", "")
    return re.sub(r"\^(\d+)", lambda power: power[1].translate(_RAISED), formula)


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

# --- one token through W_Q, W_K, W_V ---------------------------------------------------------------------------------


def _qkv(page: Diagram) -> None:
    steps = page.steps
    lines = [line for line, _ in steps.steps[0].lines]
    formulas = [_unindexed(line) for line in lines if line.startswith(("q_i =", "k_j =", "v_j ="))]
    page.title("1", "One token through W_Q, W_K and W_V", ",  ".join(formulas))
    word = page.sentence(steps.queries.text, steps.query)
    gap = 18.0
    room = (RIGHT - LEFT - 2 * gap) / 3
    lefts = [LEFT + i * (room + gap) for i in range(3)]
    _inputs(page, lefts, room, word)
    bottoms = []
    for letter, x in zip("QKV", lefts, strict=True):
        weights = steps.matrices[f"W_{letter}"]
        y = page.labelled(x, page.y, f"W_{letter}", shape(*weights.shape), room)
        bottoms.append(y + page.matrix(f"W_{letter}", weights, x, y, room, _TALL).height)
    page.y = max(bottoms)
    _projected(page, lefts, room)
    page.y += 5.0
    remarks = [line for line in lines if line.startswith("k_j ←") or "clipped" in line]
    remarks += [line for step in steps.steps if step.name in ("global", "grouped") for line, _ in step.lines]
    for text in [*remarks, _places(steps)]:
        page.remark(text)
    page.y += 6.0


def _sources(steps: Steps) -> list[tuple[str, NDArray[Any]]]:
    """The inputs of q, and of k and v, with symbols: the query's vector, or the strongest key's.

    In cross-attention keys and values come from the other text; DeepSeek's come from a compressed vector.
    """
    x = steps.read[steps.query]
    asks, keys = steps.vector("compressed_q"), steps.vector("compressed") or steps.vector("memory")
    return [
        ("x", x) if asks is None else (asks.symbol[0], asks.values[steps.query]),
        ("x", x) if keys is None else (keys.symbol[0], keys.values[_token(steps)]),
    ]


def _token(steps: Steps) -> int:
    """The token whose key and value are shown: the query's own, or in cross-attention the strongest key."""
    return steps.strongest if steps.facts.cross else steps.query


def _inputs(page: Diagram, lefts: Sequence[float], room: float, word: float | None) -> None:
    """The vectors that enter the projections, and lines from them to the matrices below. word: where the query is."""
    steps = page.steps
    (q, asks), (k, reads) = _sources(steps)
    groups = [(q, asks, lefts)] if q == k else [(q, asks, lefts[:1]), (k, reads, lefts[1:])]
    top = page.y + ARROW + 1.0
    for i, (symbol, values, columns) in enumerate(groups):
        x, end = columns[0], columns[-1] + room
        box = page.block(symbol, values[None], x, top, Cut.fitting(len(values), end - x, CELL), ONE)
        text = f"{shape(1, len(values))}  {_origin(steps, symbol)}"
        indent = 0.0
        if i == 0 and word is not None:
            wide = page.face.width(symbol, SMALL, "bold") + 4.0 + page.face.width(text, SMALL)
            indent = _elbow(page, word, page.y, box, wide, end)
        page.named(x + indent, top - 4.0, symbol, text, end - x - indent)
        bus = top + ROW + 5.0
        page.lines.append(Line(columns[0] + 5.0, bus, columns[-1] + 5.0, bus, 0.8))
        page.lines.append(Line(x + 5.0, top + ROW, x + 5.0, bus, 0.8))
    page.y = top + ROW + 5.0


def _elbow(page: Diagram, x: float, y: float, box: Box, wide: float, end: float) -> float:
    """An arrow from a word at (x, y) down to a box, bent where the box ends before it or a label has no room.

    wide, end: the width of the label and the right edge of its room. Returns its distance from the box's left edge:
    right of the arrow if it fits there, else left of it.
    """
    right, left = x + 6.0 + wide <= end, box.x + wide + 6.0 <= x
    at = x if x < box.x + box.width and (right or left) else box.x + 5.0
    page.lines.append(Line(x, y, x, y + 2.5, 0.8))
    if at != x:
        page.lines.append(Line(at, y + 2.5, x, y + 2.5, 0.8))
    page.arrow(at, y + 2.5, at, box.y - 1.0)
    return at - box.x + 6.0 if at != x or right else 0.0


def _origin(steps: Steps, symbol: str) -> str:
    """Name a vector: `the stream after layers 0 to 2, then layer norm(x_i)`."""
    lines = [line for line, _ in steps.steps[0].lines if line.startswith((f"{symbol}_i ", f"{symbol}_j "))]
    if steps.facts.layer > 0 and symbol == "x":
        lines = lines[1:]  # the embeddings are before the first layer
    texts = [_unindexed(line).partition(" = ")[2] or _unindexed(line).partition(" ← ")[2] for line in lines]
    whose = f"of “{printable(steps.keys.text[_token(steps)])}”, the strongest key: " if symbol == "m" else ""
    return whose + ", then ".join(texts).replace("token i", "the token")


def _projected(page: Diagram, lefts: Sequence[float], room: float) -> None:
    """The biases, and q, k and v after each operation."""
    steps = page.steps
    if any(name in steps.matrices for name in ("b_Q", "b_K", "b_V")):
        y = page.y
        for letter, x in zip("QKV", lefts, strict=True):
            if f"b_{letter}" in steps.matrices:
                _strip(page, f"+ b_{letter}", "", steps.matrices[f"b_{letter}"], x, y, room)
        page.y += ARROW + ROW
    places = (steps.query, _token(steps), _token(steps))
    chains = [steps.chain(letter) for letter in "qkv"]
    labels = sorted({vectors.step for chain in chains for vectors in chain})
    for label in labels:
        step = next(step for step in steps.steps if step.label == label)
        how = "" if label == "1" else {"qk_norm": "norm"}.get(step.name, step.title.lower())
        for letter, chain, x, token in zip("qkv", chains, lefts, places, strict=True):
            for vectors in chain:
                if vectors.step == label:
                    _strip(page, letter, how, vectors.values[token], x, page.y, room)
        page.y += ARROW + ROW


def _strip(page: Diagram, name: str, how: str, values: NDArray[Any], x: float, y: float, room: float) -> None:
    rest = " ".join((shape(1, len(values)), *([f"after {how}"] if how else [])))
    top = page.labelled(x, y, name, rest, room)
    page.block(name.removeprefix("+ "), values[None], x, top, Cut.fitting(len(values), room, CELL), ONE)


def _places(steps: Steps) -> str:
    """Where positions enter."""
    facts = steps.facts
    where = []
    if "position" in facts.added:
        where.append("are added to the embeddings" + (" before layer 0" if facts.layer else ""))
    if facts.rotary:
        where.append("turn q and k (rotary)")
    if facts.bias or facts.relative:
        where.append("are added to the scores")
    return f"positions {' and '.join(where)}" if where else "no positions enter this layer"


# --- heads side by side into W_O -------------------------------------------------------------------------------------


def _heads(page: Diagram) -> None:
    steps = page.steps
    n, width = steps.heads.shape
    formula = _unindexed(steps.step("joined").lines[0][0])
    page.title("3", "Heads side by side into W_O", formula)
    names = formula[formula.index("[") : formula.index("]") + 1]
    page.named(LEFT, page.y + 0.8 * SMALL, names, shape(1, n * width), RIGHT - LEFT)
    page.y += LINE * SMALL
    _side_by_side(page, n, width)
    if steps.projection is not None:
        _projection(page)


def _side_by_side(page: Diagram, n: int, width: int) -> None:
    """The outputs of all heads as one long vector; numbers where there is room for some of each head."""
    steps = page.steps
    gap = 4.0 if n <= 16 else 2.0
    room = (RIGHT - LEFT - (n - 1) * gap) / n
    if width * CELL <= room or room >= 2 * CELL + DOTS:
        across = Cut.fitting(width, room, CELL)
    else:
        count = min(width, int(room / 0.7))
        across = Cut.whole(count, room)
        if count < width:
            page.notes.append(f"heads side by side: the first {count} of each head's {width} numbers")
    y = page.y + 10.0
    scale = signed(steps.heads)
    for head, values in enumerate(steps.heads):
        x = LEFT + head * (across.length + gap)
        box = page.block(f"head {head}", values[None], x, y, across, ONE, scale)
        chosen = head == steps.facts.head
        name = f"head {head}" if box.width > 30.0 else str(head)
        weight, tone = ("bold", "mark") if chosen else ("normal", "soft")
        page.word(name, x + box.width / 2, y - 3.0, SMALL, align="center", weight=weight, tone=tone)
        if chosen:
            page.frame_row(box)
    page.lines.append(Line(LEFT, y + ROW + 3.0, x + across.length, y + ROW + 3.0, 0.8))
    page.y = y + ROW + 3.0


def _projection(page: Diagram) -> None:
    """W_O, what each head puts in through its rows of it, and their sum."""
    steps = page.steps
    assert steps.projection is not None and steps.parts is not None
    share = steps.head_share
    down = page.some_rows(share, "heads", HEADS, steps.facts.head, 0.0)
    top = page.labelled(LEFT, page.y, "W_O", shape(*steps.projection.shape), _SIDE)
    box = page.matrix("W_O", steps.projection, LEFT, top, _SIDE, max(down.length, 80.0))
    page.frame_row(box, steps.facts.head, len(steps.heads))
    x = LEFT + max(box.width, 64.0) + 20.0 + 32.0
    across = Cut.fitting(steps.parts.shape[1], RIGHT - _SHARE - 6.0 - x, CELL)
    page.arrow(box.x + box.width + 3.0, top + down.length / 2, x - 36.0, top + down.length / 2)
    scale = signed(steps.parts, steps.projected)
    name, size = "o W_O of each head", shape(1, steps.parts.shape[1])
    wide = page.face.width(name, SMALL, "bold") + 4.0 + page.face.width(size, SMALL)
    page.named(x, top - 3.0, name, size, wide)
    for head in down.indices:
        weight, tone = ("bold", "mark") if head == steps.facts.head else ("normal", "soft")
        at = top + down.middle(head) + MIDDLE * SMALL
        page.word(f"head {head}", x - 4.0, at, SMALL, align="right", weight=weight, tone=tone, role="row")
    page.block("o W_O", steps.parts, x, top, across, down, scale)
    right = x + max(across.length, wide) + 6.0
    page.notes.append("by norm: ‖o W_O‖ of a head / the sum over all heads")
    page.block("by norm", share[:, None], right, top, Cut.whole(1, _SHARE), down, unsigned(share))
    page.word("by norm", right + _SHARE / 2, top - 3.0, SMALL - 0.5, align="center", tone="soft")
    y = top + down.length + 3.0
    for name, values in (("+ b_O", steps.matrices.get("b_O")), ("y", steps.projected)):
        if values is None:
            continue
        if name == "y":
            page.lines.append(Line(x, y, x + across.length, y, 0.8))
            y += 3.0
        page.block(name.removeprefix("+ "), values[None], x, y, across, ONE, scale)
        page.word(name, x - 4.0, y + ROW / 2 + MIDDLE * SMALL, SMALL, align="right", weight="bold")
        y += ROW + 3.0
    page.y = max(y, box.y + box.height) + 6.0


def _colours(page: Diagram) -> None:
    """Note the meaning of the colours."""
    page.notes.append("red: above 0, blue: below, each box up to its largest number")
    if any(panel.hidden is not None for panel in page.panels):
        page.notes.append("grey: hidden by the mask")


PARTS: Mapping[str, Callable[[Diagram], None]] = {"qkv": _qkv, "scores": scores, "heads": _heads}
