"""Points in a plane, products of two vectors, small plots and curves over steps as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.html.parts.values import number, numbers

if TYPE_CHECKING:
    from attnviz.page.parts import Curves, DotProduct, Plots, Scatter
    from attnviz.render.html.blocks import Blocks


def scatter(part: Scatter, _: Blocks) -> dict[str, Any]:
    """Points with names and groups, and links between them."""
    return {
        "kind": "Scatter",
        "points": numbers(part.points),
        "names": list(part.names),
        "groups": [int(group) for group in part.groups],
        "group": part.group if isinstance(part.group, str) else list(part.group),
        "axes": list(part.axes),
        "stressed": [int(point) for point in part.stressed],
        "links": [[int(first), int(second), number(weight)] for first, second, weight in part.links],
        "link": part.link,
    }


def dot_product(part: DotProduct, _: Blocks) -> dict[str, Any]:
    """Two vectors, and the way from their product to a weight."""
    names = {"names": list(part.names), "tokens": list(part.tokens), "summary": part.summary}
    steps = [list(step) for step in part.steps]
    return {"kind": "DotProduct", "vectors": [numbers(vector) for vector in part.vectors], "steps": steps, **names}


def plots(part: Plots, _: Blocks) -> dict[str, Any]:
    """Small plots of the same curves."""
    shown = [
        {"heading": plot.heading, "curves": [numbers(curve) for curve in plot.curves], "remark": plot.remark}
        for plot in part.plots
    ]
    return {"kind": "Plots", "plots": shown, "curves": list(part.curves)}


def curves(part: Curves, _: Blocks) -> dict[str, Any]:
    """A line per head over steps; each step with its place from 0 to 1."""
    return {
        "kind": "Curves",
        "steps": [number(step) for step in part.steps],
        "places": [number(part.place(step)) for step in part.steps],
        "values": numbers(part.values),
        "names": list(part.names),
        "layers": [int(layer) for layer in part.layers],
        "label": part.label,
        "unit": part.unit,
        "stressed": list(part.stressed),
        "threshold": number(part.threshold),
    }
