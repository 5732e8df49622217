"""How a picture looks: its size, its letters, its colours. The same options for every picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FigureOptions:
    """What a user may choose of a picture.

    width, height: inches; None: what the content needs. dpi: dots per inch in PNG; None: 200. font: a family or a
    file. font_size: of labels, in points. title: instead of the usual one. bare: no title, colour bar or notes.
    svg_text: keep | paths. scale, vmax, cmap, decimals: of maps, as for `attnviz.page.heatmap.heatmap`.
    """

    width: float | None = None
    height: float | None = None
    dpi: float | None = None
    font: str | None = None
    font_size: float | None = None
    title: str | None = None
    bare: bool = False
    svg_text: str = "keep"
    scale: str = "auto"
    vmax: float | str | None = None
    cmap: str | None = None
    decimals: int = 2
