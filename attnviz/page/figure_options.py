"""How a picture looks: its size, its letters, its colours. The same options for every picture."""

from __future__ import annotations

import re
from dataclasses import dataclass

from attnviz.errors import SelectionError
from attnviz.page.scale import WHITE

_INCHES = {"": 1.0, "in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4}


def length(name: str, value: float | str | None) -> float | None:
    """A length in inches: a number, or text such as `3.25`, `3.25in`, `8.25cm` or `82mm`. None for None.

    name: what is measured, for the error. Raises SelectionError for a text that is no length.
    """
    if not isinstance(value, str):
        return value
    parts = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]*)\s*", value.lower())
    if parts is None or parts[2] not in _INCHES:
        raise SelectionError(f"{name} wants a length such as 3.25in, 8.25cm, 82mm or 3.25; got {value!r}")
    return float(parts[1]) * _INCHES[parts[2]]


@dataclass(frozen=True)
class FigureOptions:
    """What a user may choose of a picture.

    width, height: inches, or a text that `length` reads, such as "8.25cm"; None: what the content needs. dpi: dots per
    inch in PNG; None: 200. font: a family or a file. font_size: of labels, in points. title: instead of the usual one.
    bare: no title, colour bar or notes. svg_text: keep | paths. frame_ms: milliseconds per frame of an animation.
    scale, vmax, cmap, decimals: of maps, as for `attnviz.page.heatmap.heatmap`.
    """

    width: float | None = None
    height: float | None = None
    dpi: float | None = None
    font: str | None = None
    font_size: float | None = None
    title: str | None = None
    bare: bool = False
    svg_text: str = "keep"
    frame_ms: int = 800
    scale: str = "auto"
    vmax: float | str | None = None
    cmap: str = WHITE
    decimals: int = 2

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            object.__setattr__(self, name, length(name, getattr(self, name)))
