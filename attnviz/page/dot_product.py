"""Points in a plane, and the product of two of their vectors number by number: side by side, or one below the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page.figure import Box, Figure, Fill, Line, Scale
from attnviz.page.numbers import signed
from attnviz.page.parts import DotProduct, Page, Scatter
from attnviz.page.points import plane
from attnviz.page.scale import INKS, round_up
from attnviz.page.sheet import BASE, MARGIN, SMALL, Sheet, finished, started, worded
from attnviz.page.sizes import LINE
from attnviz.page.text_metrics import printable

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions

WIDE, SIDE, GAP = 760.0, 350.0, 34.0  # points of a page, of the plane at most, between both halves
STRIP, BARS = 20.0, 84.0  # heights of a vector and of the products
NAME = 26.0  # points for the names of the vectors
ROWS = 8  # dimensions that are listed
POSITIVE, NEGATIVE = (178, 40, 52), (46, 108, 170)
SIGNS = "0123456789.−+×=∞·"


def plane_and_product(page: Page, options: FigureOptions) -> Figure:
    """A page of a `Scatter` and a `DotProduct`. Raises SelectionError: no such font, or no room."""
    points, product = page.part(Scatter), page.part(DotProduct)
    texts = [printable(text) for text in (*points.names, *product.tokens)]
    words = worded(page, options, [*texts, *(text for text, _ in product.steps), SIGNS])
    sheet = started(words, WIDE, least=200.0)
    room = sheet.wide - 2 * MARGIN
    abreast = room >= 420.0
    side = min((room - GAP) / 2 if abreast else room, SIDE)
    top = sheet.y + 12.0
    nameless = plane(sheet, points, Box(MARGIN, top, side, side))
    x, start = (MARGIN + side + GAP, top) if abreast else (MARGIN, top + side + 46.0)
    end = _product(sheet, product, x, start, sheet.wide - MARGIN - x)
    sheet.y = max(top + side + 26.0, end) + 6.0
    words.notes.extend(nameless)
    return finished(sheet, product.summary)


def _product(sheet: Sheet, part: DotProduct, x: float, y: float, room: float) -> float:
    """Both vectors as strips, their products as bars, the largest as numbers, and what follows; returns the end."""
    left, wide = x + NAME, room - NAME
    for name, token, values in zip(part.names, part.tokens, part.vectors, strict=True):
        high = round_up(float(np.abs(values).max()))
        heading = f"{name} of “{sheet.face.cut(printable(token), SMALL, wide / 2)}”, ±{high:g}"
        sheet.word(heading, left, y + 0.8 * SMALL, tone="soft")
        y += LINE * SMALL
        scale = Scale("linear", -high, high, INKS, name)
        sheet.map(values[None], Box(left, y, wide, STRIP), scale, title=name)
        sheet.word(name, left - 8.0, y + STRIP / 2 + 0.3 * BASE, BASE, "right", weight="bold")
        y += STRIP + 7.0
    times = " × ".join(part.names)
    sheet.word(f"{times}, dimension by dimension", left, y + 0.8 * SMALL, tone="soft")
    y += LINE * SMALL
    _bars(sheet, part, Box(left, y, wide, BARS))
    sheet.word(times, left - 4.0, y + BARS / 2 + 0.3 * SMALL, SMALL, "right", weight="bold")
    y += BARS + 9.0
    n = len(part.products)
    step = next(step for step in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) if wide * step / n >= 14.0)
    for i in range(0, n, step):
        sheet.word(str(i), left + (i + 0.5) * wide / n, y, 5.6, "center", tone="soft", role="tick")
    return _numbers(sheet, part, left, y + 16.0, wide)


def _bars(sheet: Sheet, part: DotProduct, box: Box) -> None:
    """Products upwards and downwards from 0."""
    values = part.products
    high, low = max(float(values.max()), 0.0), min(float(values.min()), 0.0)
    unit = (box.height - 2.0) / max(high - low, 1e-12)
    zero = box.y + 1.0 + high * unit
    cell = box.width / len(values)
    gap = 0.12 * cell
    for i, value in enumerate(values.tolist()):
        top, tall = (zero - value * unit, value * unit) if value > 0 else (zero, -value * unit)
        bar = Box(box.x + i * cell + gap, top, cell - 2 * gap, tall)
        sheet.fills.append(Fill(bar, POSITIVE if value > 0 else NEGATIVE))
    sheet.lines.append(Line(box.x, zero, box.x + box.width, zero, 0.5, "soft"))
    for value, y in ((high, box.y + 0.8 * SMALL), (low, box.y + box.height)):
        if abs(value) * unit > 2.0:
            sheet.word(signed(value), box.x - 4.0, y, 5.6, "right", tone="soft", role="tick")


def _numbers(sheet: Sheet, part: DotProduct, x: float, y: float, room: float) -> float:
    """The dimensions with the largest products, the rest of them, and what follows from their sum."""
    shares = (0.19, 0.36, 0.53, 0.74) if room >= 230.0 else (0.24, 0.46, 0.68, 1.0)
    at = [x + share * room for share in shares]
    how: dict[str, Any] = {"tone": "soft", "role": "note"}
    for name, right in zip(("dimension", *part.names, " × ".join(part.names)), at, strict=True):
        sheet.word(name, right, y, align="right", **how)
    products = part.products
    best = np.argsort(-np.abs(products), kind="stable")[:ROWS].tolist()
    for i in best:
        y += LINE * SMALL
        row = (str(i), *(signed(float(values[i])) for values in (*part.vectors, products)))
        for text, right in zip(row, at, strict=True):
            sheet.word(text, right, y, align="right")
    if len(products) > len(best):
        y += LINE * SMALL
        sheet.word(f"{len(products) - len(best)} more", at[0], y, align="right", **how)
        sheet.word(signed(float(products.sum()) - float(products[best].sum())), at[3], y, align="right")
    y += 4.0
    sheet.lines.append(Line(x, y, at[3], y, 0.5, "soft"))
    for text, value in part.steps:
        y += LINE * SMALL
        sheet.word(value, at[3], y, align="right", weight="bold")
        sheet.word(sheet.face.cut(text, SMALL, shares[3] * room - sheet.face.width(value, SMALL, "bold") - 8.0), x, y)
    return y
