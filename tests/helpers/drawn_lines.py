"""Pages of lines and of shaded text for an Attention that a test has made, and their pictures."""

from __future__ import annotations

from attnviz.analyses.lines import Lines, Options
from attnviz.facts import facts_of
from attnviz.page.figure_options import FigureOptions
from attnviz.page.place import place


def page(attention, query=None, *, shape="lines", overlay=False, by="weight"):
    """The page of `attnviz lines` for all maps of an Attention; its only part is `page(...).parts[0]`."""
    options = Options(shape=shape, overlay=overlay, by=by)
    return Lines(facts_of(attention), attention, query, options).page()


def lines(attention, query=None, *, overlay=False, by="weight", **how):
    """The picture of the lines. how: options of a figure."""
    return place(page(attention, query, overlay=overlay, by=by), FigureOptions(**how))


def text(attention, query, *, by="weight", **how):
    """The picture of the shaded text."""
    return place(page(attention, query, shape="text", by=by), FigureOptions(**how))
