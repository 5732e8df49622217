"""Queries and keys of a head in one plane, and one pair of them number by number -> Figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError
from attnviz.page.colours import RGB
from attnviz.page.figure import Box, Dot, Figure, Fill, Line, Scale
from attnviz.page.points import scatter
from attnviz.page.scale import round_up
from attnviz.page.sheet import BASE, MARGIN, SMALL, Sheet
from attnviz.page.sizes import LINE
from attnviz.page.tensor import SIGNED
from attnviz.page.text_metrics import one_line, printable, typeface
from attnviz.page.wording import font_note

if TYPE_CHECKING:
    from attnviz.measures.qk import Neurons, Plane

WIDE, SIDE, GAP = 760.0, 350.0, 34.0  # points of a page, of the plane at most, between both halves
STRIP, BARS = 20.0, 84.0  # heights of a vector and of the products
QUERY: RGB = (0, 114, 178)
KEY: RGB = (196, 78, 0)
MOST = 150  # tokens whose names are tried
LEAST = 0.03  # weights below it have no line
ROWS = 8  # dimensions that are listed

_SAID = {
    "raw": "q · k",
    "relative": "+ relative positions",
    "before_scale": "+ linear bias",
    "capped": "soft cap",
    "biased": "+ bias by distance",
    "counted": "+ first block counted several times",
    "masked": "score before the softmax",
}


def figure(
    flat: Plane,
    pair: Neurons,
    *,
    title: str | None = None,
    width: float | None = None,
    dpi: float | None = None,
    font: str | None = None,
    svg_text: str = "keep",
    notes: Sequence[str] = (),
    meta: Mapping[str, str] | None = None,
) -> Figure:
    """The plane, and beside it, or below on a narrow page, the pair: q, k, their products and the way to the score.

    Args:
        flat, pair: what `attnviz.measures.qk` makes of the same walk.
        notes: remarks to stand below, beside those of `remarks`.
        title, width, dpi, font, svg_text, meta: as for `attnviz.page.heatmap.heatmap`.

    Raises:
        SelectionError: no such font, or no room.
    """
    said = one_line(title) if title is not None else heading(pair)
    under = subtitle(pair)
    below = [*remarks(flat, pair), *notes]
    steps = pair.steps
    names = [printable(text) for tokens in (steps.queries, steps.keys) for text in tokens.text]
    face = typeface(font, [said, under, *below, *names, *_SAID.values(), "0123456789.−+×=∞·"])
    below += [note for note in [font_note(face)] if note]
    sheet = Sheet(face, WIDE if width is None else width * 72.0)
    if sheet.wide < 200.0:
        raise SelectionError(f"a width of {sheet.wide / 72:g} in leaves no room", "ask for 3 or more")
    sheet.head(said, under)
    room = sheet.wide - 2 * MARGIN
    abreast = room >= 420.0
    side = min((room - GAP) / 2 if abreast else room, SIDE)
    top = sheet.y + 12.0
    left_out = _plane(sheet, flat, pair, Box(MARGIN, top, side, side))
    x, start = (MARGIN + side + GAP, top) if abreast else (MARGIN, top + side + 46.0)
    end = _pair(sheet, pair, x, start, sheet.wide - MARGIN - x)
    sheet.y = max(top + side + 26.0, end) + 6.0
    if left_out:
        below.append(f"no room for the {'name of 1 point' if left_out == 1 else f'names of {left_out} points'}")
    sheet.text(" · ".join(below), tone="soft", role="note")
    spoken = f"{token(pair, 'query')} → {token(pair, 'key')}: q · k {pair.total:.3g}, weight {pair.weight:.2f}"
    return sheet.figure(title=said, subtitle=under, notes=below, dpi=dpi, svg_text=svg_text, meta=meta, said=spoken)


# In words


def heading(pair: Neurons) -> str:
    """`Queries and keys · minilm · layer 3 · head 1`."""
    facts = pair.steps.facts
    stream = "" if facts.stream == "self" else f"{facts.stream} attention"
    parts = ["Queries and keys", facts.model, stream, f"layer {facts.layer}", f"head {facts.head}"]
    return one_line(" · ".join(part for part in parts if part))


def subtitle(pair: Neurons) -> str:
    """The pair, and whether weights are random."""
    meta = pair.steps.facts.meta
    said = [f"random weights, seed {meta.get('seed')}"] if meta.get("random") else []
    said.append(f"“{token(pair, 'query')}” → “{token(pair, 'key')}”: weight {pair.weight:.2f}")
    return one_line(" · ".join(said))


def token(pair: Neurons, side: str) -> str:
    """The pair's query or key as it can be printed."""
    steps = pair.steps
    return printable(steps.queries.text[steps.query] if side == "query" else steps.keys.text[pair.key])


def remarks(flat: Plane, pair: Neurons) -> list[str]:
    """What the numbers are, in a picture and in a terminal."""
    facts = pair.steps.facts
    said = ["queries and keys as they are multiplied"]
    if facts.rotary:
        said = ["queries and keys as they are multiplied, after rotary positions"]
    said.append(f"centred, queries × {flat.factor:.3g}, keys ÷ {flat.factor:.3g}: no weight changes (Yeh 2023)")
    said.append(f"the plane keeps {sum(flat.shares):.0%} of the variance")
    said.append(f"correlation of distance in the plane with score: {flat.agreement:.2f}".replace("-", "−"))
    if facts.n_kv_heads < facts.n_heads:
        said.append(f"keys are shared: number {facts.kv_head} of {facts.n_kv_heads}")
    kept = facts.meta.get("notes") or ()
    return [*said, *((kept,) if isinstance(kept, str) else map(str, kept))]


def stages(pair: Neurons) -> list[tuple[str, str]]:
    """The way from the products to the weight: (what, number)."""
    facts = pair.steps.facts
    found: list[tuple[str, str]] = []
    for stage in pair.stages:
        if stage.name == "masked" and pair.allowed and len(pair.stages) > 1:
            found[-1] = (f"{found[-1][0]} = {_SAID['masked']}", found[-1][1])
            continue
        text = _SAID.get(stage.name, stage.name)
        if stage.name == "scaled":
            text = f"× {facts.scale:.4g}" if facts.scales else "not scaled"
        elif stage.added is not None:
            text = f"{text} {signed(stage.added)}"
        elif stage.name == "masked":
            text = "behind the mask"
        found.append((text, signed(stage.value)))
    if pair.steps.sink is not None:
        found.append(("a learned sink takes part in the softmax", signed(pair.steps.sink)))
    found.append((f"softmax over {int(pair.steps.allowed.sum())} keys = weight", f"{pair.weight:.4f}"))
    return found


def signed(value: float) -> str:
    """`7.213`, `−0.405`, `−∞`; `–` for what was never computed."""
    if value != value:
        return "–"
    if value in (float("inf"), -float("inf")):
        return "−∞" if value < 0 else "∞"
    return f"{value:.3f}".replace("-", "−")


# Places


def _plane(sheet: Sheet, flat: Plane, pair: Neurons, box: Box) -> int:
    """Both clouds, and lines from the pair's query as thick as its weights; returns how many names had no room."""
    steps = pair.steps
    n = len(flat.queries)
    points = np.concatenate([flat.queries, flat.keys])
    texts = [printable(text) for tokens in (steps.queries, steps.keys) for text in tokens.text]
    colours = [QUERY] * n + [KEY] * len(flat.keys)
    strong = np.argsort(-steps.weights, kind="stable")[:6]
    first = [steps.query, n + pair.key, *(n + int(key) for key in strong)]
    lines = len(sheet.lines)
    size = 6.6 if len(texts) <= 60 else 5.6
    names = texts if len(texts) <= MOST else ["" for _ in texts]
    for i in first:
        names[i] = texts[i]
    two = frozenset([steps.query, n + pair.key])
    radius = 2.6 if len(texts) <= 200 else 1.6
    places, left_out = scatter(
        sheet, box, points, names, colours, radius=radius, size=size, first=first, bold=two, forced=two
    )
    for key, weight in enumerate(steps.weights.tolist()):
        if weight >= LEAST:
            (x0, y0), (x1, y1) = places[steps.query], places[n + key]
            sheet.lines.insert(lines, Line(x0, y0, x1, y1, 0.4 + 4.0 * weight, rgb=QUERY, share=0.35))
    how: dict[str, Any] = {"tone": "soft", "role": "axis"}
    right, bottom = box.x + box.width, box.y + box.height
    sheet.word(f"first component, {flat.shares[0]:.0%}", right, bottom + 9.0, align="right", **how)
    sheet.word(f"second component, {flat.shares[1]:.0%}", box.x, box.y - 4.0, **how)
    _legend(sheet, pair, box)
    return left_out + names.count("")


def _legend(sheet: Sheet, pair: Neurons, box: Box) -> None:
    x, y = box.x, box.y + box.height + 20.0
    for text, colour in (("queries", QUERY), ("keys", KEY)):
        sheet.dots.append(Dot(x + 3.0, y - 0.3 * SMALL, 2.6, colour))
        sheet.word(text, x + 9.0, y)
        x += 20.0 + sheet.face.width(text, SMALL)
    sheet.lines.append(Line(x, y - 0.3 * SMALL, x + 14.0, y - 0.3 * SMALL, 2.0, rgb=QUERY, share=0.35))
    sheet.word(sheet.face.cut(f"weights of “{token(pair, 'query')}”", SMALL, 120.0), x + 18.0, y)


def _pair(sheet: Sheet, pair: Neurons, x: float, y: float, room: float) -> float:
    """q and k as strips, their products as bars, the largest of them, and the way to the score; returns the end."""
    named = 26.0
    left, wide = x + named, room - named
    n = len(pair.q)
    for text, values, who in (("q", pair.q, "query"), ("k", pair.k, "key")):
        high = round_up(float(np.abs(values).max()))
        scale = Scale("linear", -high, high, SIGNED, text)
        said = f"{text} of “{sheet.face.cut(token(pair, who), SMALL, wide / 2)}”, ±{high:g}"
        sheet.word(said, left, y + 0.8 * SMALL, tone="soft")
        y += LINE * SMALL
        sheet.map(values[None], Box(left, y, wide, STRIP), scale, title=text)
        sheet.word(text, left - 8.0, y + STRIP / 2 + 0.3 * BASE, BASE, "right", weight="bold")
        y += STRIP + 7.0
    sheet.word("q × k, dimension by dimension", left, y + 0.8 * SMALL, tone="soft")
    y += LINE * SMALL
    _bars(sheet, pair, Box(left, y, wide, BARS))
    sheet.word("q × k", left - 4.0, y + BARS / 2 + 0.3 * SMALL, SMALL, "right", weight="bold")
    y += BARS + 9.0
    for i in range(0, n, next(step for step in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) if wide * step / n >= 14.0)):
        sheet.word(str(i), left + (i + 0.5) * wide / n, y, 5.6, "center", tone="soft", role="tick")
    return _numbers(sheet, pair, left, y + 16.0, wide)


def _bars(sheet: Sheet, pair: Neurons, box: Box) -> None:
    """Products upwards and downwards from 0."""
    values = pair.product
    high, low = max(float(values.max()), 0.0), min(float(values.min()), 0.0)
    unit = (box.height - 2.0) / max(high - low, 1e-12)
    zero = box.y + 1.0 + high * unit
    cell = box.width / len(values)
    gap = 0.12 * cell
    extra = []
    for i, value in enumerate(values.tolist()):
        top, tall = (zero - value * unit, value * unit) if value > 0 else (zero, -value * unit)
        colour = (178, 40, 52) if value > 0 else (46, 108, 170)
        extra.append(Fill(Box(box.x + i * cell + gap, top, cell - 2 * gap, tall), colour))
    sheet.fills += extra
    sheet.lines.append(Line(box.x, zero, box.x + box.width, zero, 0.5, "soft"))
    for value, y in ((high, box.y + 0.8 * SMALL), (low, box.y + box.height)):
        if abs(value) * unit > 2.0:
            sheet.word(signed(value), box.x - 4.0, y, 5.6, "right", tone="soft", role="tick")


def _numbers(sheet: Sheet, pair: Neurons, x: float, y: float, room: float) -> float:
    """The dimensions with the largest products, the rest of them, and the way to the weight."""
    shares = (0.19, 0.36, 0.53, 0.74) if room >= 230.0 else (0.24, 0.46, 0.68, 1.0)
    at = [x + share * room for share in shares]
    how: dict[str, Any] = {"tone": "soft", "role": "note"}
    for name, right in zip(("dimension", "q", "k", "q × k"), at, strict=True):
        sheet.word(name, right, y, align="right", **how)
    chosen = pair.strongest(ROWS)
    for i in chosen:
        y += LINE * SMALL
        row = (str(i), signed(float(pair.q[i])), signed(float(pair.k[i])), signed(float(pair.product[i])))
        for text, right in zip(row, at, strict=True):
            sheet.word(text, right, y, align="right")
    rest = len(pair.product) - len(chosen)
    if rest:
        y += LINE * SMALL
        sheet.word(f"{rest} others", at[0], y, align="right", **how)
        sheet.word(signed(pair.total - float(pair.product[chosen].sum())), at[3], y, align="right")
    y += 4.0
    sheet.lines.append(Line(x, y, at[3], y, 0.5, "soft"))
    for text, number in stages(pair):
        y += LINE * SMALL
        sheet.word(number, at[3], y, align="right", weight="bold")
        sheet.word(sheet.face.cut(text, SMALL, shares[3] * room - sheet.face.width(number, SMALL, "bold") - 8.0), x, y)
    return y
