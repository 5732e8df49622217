"""Lines of weight and running texts as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.render.html.parts.values import number

if TYPE_CHECKING:
    from attnviz.page.parts import LinesOfWeight, RunningText
    from attnviz.render.html.blocks import Blocks


def lines_of_weight(part: LinesOfWeight, _: Blocks) -> dict[str, Any]:
    """A text twice, with lines between, a panel each."""
    panels = [
        {
            "title": panel.title,
            "strands": list(panel.strands),
            "links": [
                {"row": link.row, "col": link.col, "value": number(link.value), "strand": link.strand}
                for link in panel.links
            ],
        }
        for panel in part.panels
    ]
    names = {"rows": list(part.rows), "cols": list(part.cols), "row": part.row, "rests": sorted(part.rests)}
    return {"kind": "LinesOfWeight", "panels": panels, "high": part.high, "label": part.label, **names}


def running_text(part: RunningText, _: Blocks) -> dict[str, Any]:
    """A text shaded by weight, a paragraph per head."""
    paragraphs = [{"title": each.title, "values": [number(value) for value in each.values]} for each in part.paragraphs]
    words = {"words": list(part.words), "spaced": list(map(bool, part.spaced))}
    scale = {"high": part.high, "label": part.label, "chosen": part.chosen, "passages": list(part.passages)}
    return {"kind": "RunningText", "paragraphs": paragraphs, **words, **scale}
