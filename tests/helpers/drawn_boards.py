"""Pages of boards as Figures, for tests that need no analysis."""

from __future__ import annotations

from attnviz.page.figure_options import FigureOptions
from attnviz.page.parts import Board, Boards, Page
from attnviz.page.place import place


def boards(boards, *, layers, heads, title="", notes=(), axes=("layer", "head"), abreast=None, width=None):
    """Boards of the same layers and heads; layers, heads: indices or names. width: of the page, in inches."""
    part = Boards(tuple(boards), [str(name) for name in layers], [str(name) for name in heads], axes, abreast)
    return place(Page(title, "", (part,), tuple(notes)), FigureOptions(width=width))


def board(values, *, layers, heads, label, cell_text=None, signed=False, marks=(), **page):
    """One board."""
    return boards(
        [Board(values, label, signed=signed, marks=tuple(marks), cell_text=cell_text)],
        layers=layers,
        heads=heads,
        **page,
    )
