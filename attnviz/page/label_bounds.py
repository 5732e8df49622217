"""Where the ink of a placed label lies."""

from __future__ import annotations

from attnviz.page.figure import Label
from attnviz.page.text_metrics import Typeface, tallness


def bounds(label: Label, face: Typeface) -> tuple[float, float, float, float]:
    """A placed label's left, top, right and bottom in points; rotations of 0 and 90 degrees."""
    width = face.width(label.text, label.size, label.weight)
    above, below = (label.size * ems for ems in tallness([label.text]))
    start = {"left": 0.0, "center": -width / 2, "right": -width}[label.align]
    if label.rotation == 90:
        return label.x - above, label.y - start - width, label.x + below, label.y - start
    return label.x + start, label.y - above, label.x + start + width, label.y + below
