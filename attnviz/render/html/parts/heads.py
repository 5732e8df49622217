"""Numbers per head as JSON: boards, depth, ranked lists, boards of words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page.scale import round_up
from attnviz.render.html.parts.values import number, numbers

if TYPE_CHECKING:
    from attnviz.page.parts import Bars, Board, Boards, Depth, Ranges, WordBoard
    from attnviz.render.html.blocks import Blocks


def boards(part: Boards, _: Blocks) -> dict[str, Any]:
    """One number per head, as often as there are boards."""
    names = {"layers": list(part.layers), "heads": list(part.heads), "axes": list(part.axes)}
    return {"kind": "Boards", "boards": [board(each) for each in part.boards], **names}


def board(part: Board) -> dict[str, Any]:
    """One board, with the ends of its colours."""
    known = np.asarray(part.values, float)
    top = float(np.nanmax(np.abs(known))) if np.isfinite(known).any() else 0.0
    high = part.high if part.high is not None else round_up(max(top, 1e-9))
    return {
        "values": numbers(part.values),
        "label": part.label,
        "heading": part.heading,
        "signed": part.signed,
        "low": -high if part.signed else part.low,
        "high": high,
        "marks": [list(mark) for mark in part.marks],
        "texts": [list(row) for row in part.cell_text] if part.cell_text else None,
    }


def depth(part: Depth, _: Blocks) -> dict[str, Any]:
    """One number per head against the layer."""
    return {"kind": "Depth", "values": numbers(part.values), "layers": list(part.layers), "label": part.label}


def bars(part: Bars, _: Blocks) -> dict[str, Any]:
    """A ranked list with two bars per line."""
    entries = [
        {"text": each.text, "head": each.head, "weight": number(each.weight), "lift": number(each.lift)}
        for each in part.entries
    ]
    return {"kind": "Bars", "heading": part.heading, "entries": entries, "columns": list(part.columns)}


def ranges(part: Ranges, _: Blocks) -> dict[str, Any]:
    """The spread of a number of some heads."""
    values = np.asarray(part.values, float)
    top = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
    return {
        "kind": "Ranges",
        "heading": part.heading,
        "names": list(part.names),
        "values": numbers(part.values),
        "means": [number(value) for value in part.means.tolist()],
        "label": part.label,
        "low": part.low,
        "high": part.high if part.high is not None else round_up(max(top, 1e-9)),
    }


def word_board(part: WordBoard, _: Blocks) -> dict[str, Any]:
    """A word and a number per head."""
    names = {"rows": list(part.rows), "cols": list(part.cols), "axes": list(part.axes)}
    words = [list(row) for row in part.words]
    return {"kind": "WordBoard", "heading": part.heading, "words": words, "values": numbers(part.values), **names}
