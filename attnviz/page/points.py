"""Points in a plane: dots with names beside them, as many as find room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page.colours import RGB
from attnviz.page.figure import Box, Dot, Line
from attnviz.page.sheet import BASE, SMALL
from attnviz.page.text_metrics import ASCENT, DESCENT, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.page.parts import Scatter
    from attnviz.page.sheet import Sheet

# From dark blue over green to gold: as bright as can be read on white, dark to light for readers who see no hue.
_RAMP = ((53, 34, 108), (49, 97, 141), (32, 146, 121), (118, 179, 55), (222, 178, 16))
PAIR: tuple[RGB, RGB] = ((0, 114, 178), (196, 78, 0))  # of two named groups
MOST = 150  # points: beyond it only names that are stressed or linked are tried
LEAST = 0.03  # links below it have no line
EDGE = 8.0  # points between the outermost dots and the frame


def ramp(share: float) -> RGB:
    """A colour from dark (0) to light (1), for numbers in order such as layers."""
    at = min(max(share, 0.0), 1.0) * (len(_RAMP) - 1)
    first = min(int(at), len(_RAMP) - 2)
    part = at - first
    mixed = (round(a + part * (b - a)) for a, b in zip(_RAMP[first], _RAMP[first + 1], strict=True))
    return tuple(mixed)  # type: ignore[return-value]


def plane(sheet: Sheet, part: Scatter, box: Box) -> list[str]:
    """A `Scatter` with its links and legend; returns a remark if some names found no room."""
    groups, size = sorted(set(part.groups)), 6.4 if len(part.names) <= 80 else 5.4
    shades = dict(zip(groups, (ramp(place / max(len(groups) - 1, 1)) for place in range(len(groups))), strict=True))
    # Names at the rim have the most room and say the most.
    first = np.argsort(-np.hypot(*part.points.T), kind="stable").tolist()
    names = [printable(name) for name in part.names]
    if part.stressed:
        shades, size = dict(enumerate(PAIR)), 6.6 if len(names) <= 60 else 5.6
        strongest = sorted(part.links, key=lambda link: -link[2])[:6]
        first = [*part.stressed, *(end for _, end, _ in strongest)]
    if part.stressed and len(names) > MOST:
        names = [name if i in first else "" for i, name in enumerate(names)]
    radius, places = 2.6 if len(names) <= 200 else 1.6, _places(part.points, box)
    for start, end, weight in reversed(part.links):
        if weight >= LEAST:
            (x0, y0), (x1, y1) = places[start], places[end]
            sheet.lines.append(Line(x0, y0, x1, y1, 0.4 + 4.0 * weight, rgb=PAIR[0], share=0.35))
    sheet.frame(box, 0.5, "grid")
    for (x, y), group in zip(places.tolist(), part.groups, strict=True):
        sheet.dots.append(Dot(x, y, radius, shades[group]))
    order = dict.fromkeys([*first, *range(len(names))])
    nameless = _names(sheet, box, places, names, order, frozenset(part.stressed), size, radius)
    how: dict[str, Any] = {"tone": "soft", "role": "axis"}
    sheet.word(part.axes[0], box.x + box.width, box.y + box.height + 9.0, align="right", **how)
    sheet.word(part.axes[1], box.x, box.y - 4.0, **how)
    _legend(sheet, part, shades, box)
    nameless += names.count("")
    return [f"no room for the {'name of 1 point' if nameless == 1 else f'names of {nameless} points'}"] * bool(nameless)


def _legend(sheet: Sheet, part: Scatter, shades: Mapping[int, RGB], box: Box) -> None:
    """The key under the plane: the colours of the groups that have room, and the lines."""
    x, y = box.x, box.y + box.height + 20.0
    if isinstance(part.group, str):
        sheet.word(part.group, x, y, BASE, tone="soft", role="axis")
        x += sheet.face.width(part.group, BASE) + 8.0
        step = max(1, -(-len(shades) // max(1, int((box.width - 40.0) / 22.0))))
        for group, shade in list(shades.items())[::step]:
            sheet.dots.append(Dot(x, y - 0.3 * BASE, 2.6, shade))
            sheet.word(str(group), x + 5.0, y, SMALL)
            x += 22.0
        return
    for text, shade in zip(part.group, shades.values(), strict=True):
        sheet.dots.append(Dot(x + 3.0, y - 0.3 * SMALL, 2.6, shade))
        sheet.word(text, x + 9.0, y)
        x += 20.0 + sheet.face.width(text, SMALL)
    sheet.lines.append(Line(x, y - 0.3 * SMALL, x + 14.0, y - 0.3 * SMALL, 2.0, rgb=PAIR[0], share=0.35))
    sheet.word(sheet.face.cut(printable(part.link), SMALL, 120.0), x + 18.0, y)


def _names(
    sheet: Sheet,
    box: Box,
    places: NDArray[np.float64],
    names: Sequence[str],
    order: Iterable[int],
    stressed: frozenset[int],
    size: float,
    radius: float,
) -> int:
    """Names beside their dots where they cover nothing, placed in this order; returns how many found no room.

    places: of the dots, [n, 2]. stressed: bold names, which are at the right of their dots even where they cover
    another name.
    """
    taken = np.array([[x - radius, y - radius, x + radius, y + radius] for x, y in places]).reshape(-1, 4)
    left_out = 0
    for i in order:
        if not names[i]:
            continue
        weight = "bold" if i in stressed else "normal"
        wide = sheet.face.width(names[i], size, weight)
        corner = _room(places[i], wide, size, radius, taken, box)
        if corner is None and i in stressed:
            corner = (float(places[i, 0]) + radius + 1.2, float(places[i, 1]) + (ASCENT + DESCENT) * size / 2)
        if corner is None:
            left_out += 1
            continue
        sheet.word(names[i], corner[0], corner[1] - DESCENT * size + 0.6, size, weight=weight)
        taken = np.vstack([taken, [corner[0], corner[1] - size, corner[0] + wide, corner[1]]])
    return left_out


def _places(points: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    low, high = points.min(0), points.max(0)
    spans = np.maximum(high - low, 1e-12)
    unit = min((box.width - 2 * EDGE) / spans[0], (box.height - 2 * EDGE) / spans[1])
    middle = np.array([box.x + box.width / 2, box.y + box.height / 2])
    away = (points - (low + high) / 2) * unit
    return middle + away * [1.0, -1.0]


def _room(
    at: NDArray[np.float64], wide: float, size: float, radius: float, taken: NDArray[np.float64], box: Box
) -> tuple[float, float] | None:
    """The left lower corner of a name beside a dot that covers nothing and stays in the box."""
    x, y = at
    gap = radius + 1.2
    high = (ASCENT + DESCENT) * size
    for left, bottom in (
        (x + gap, y + high / 2),
        (x - gap - wide, y + high / 2),
        (x - wide / 2, y - gap),
        (x - wide / 2, y + gap + high),
        (x + gap * 0.7, y - gap * 0.5),
        (x + gap * 0.7, y + gap * 0.5 + high),
        (x - gap * 0.7 - wide, y - gap * 0.5),
        (x - gap * 0.7 - wide, y + gap * 0.5 + high),
    ):
        inside = left >= box.x + 1 and left + wide <= box.x + box.width - 1
        inside = inside and bottom - high >= box.y + 1 and bottom <= box.y + box.height - 1
        meets = (taken[:, 0] < left + wide) & (taken[:, 2] > left) & (taken[:, 1] < bottom)
        meets &= taken[:, 3] > bottom - high
        if inside and not meets.any():
            return left, bottom
    return None
