"""A text with lines of weight between its tokens, and a running text shaded by weight."""

from __future__ import annotations

from dataclasses import dataclass

from attnviz.page.parts.part import Part


@dataclass(frozen=True)
class Link:
    """One line, from the query at `row` to the key at `col`. strand: which of the panel's heads it belongs to."""

    row: int
    col: int
    value: float
    strand: int = 0


@dataclass(frozen=True, eq=False)
class LinesPanel:
    """One panel of `LinesOfWeight`.

    links: in the order in which they are drawn: links to resting places, then the weakest first. strands: names of
    the heads whose lines they are, at: (layer, head) of each by name.
    """

    title: str
    links: tuple[Link, ...]
    strands: tuple[str, ...]
    at: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class LinesOfWeight(Part):
    """A text twice, queries at the left and keys at the right, with lines between that are as thick as their weight.

    rows, cols: the tokens; breaks: the positions among both at which another text begins. high: the weight of the
    thickest line; clipped: how many lines have more. label: what a line shows. row: the one query whose lines are
    shown. rests: keys to which lines are grey. overlay: heads lie over each other, in colours of their own. per_layer:
    how many maps make up a layer.
    """

    panels: tuple[LinesPanel, ...]
    rows: tuple[str, ...]
    cols: tuple[str, ...]
    high: float
    label: str = "weight"
    row: int | None = None
    rests: frozenset[int] = frozenset()
    clipped: int = 0
    overlay: bool = False
    per_layer: int = 1
    breaks: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())


@dataclass(frozen=True)
class Paragraph:
    """The words of a `RunningText` shaded by one head. at: its layer and head by name; values: a number per word."""

    title: str
    values: tuple[float, ...]
    at: tuple[str, str]


@dataclass(frozen=True)
class RunningText(Part):
    """A text in lines, a paragraph per head, shaded by what one token gives to each word.

    spaced: which word has a space before it. high: the number of the darkest shade; label: what it is. chosen: the
    position of that token, None where it is not in this text. passages: the first word and the label of each passage
    of the text, which begins a line; without any, the text is one passage.
    """

    paragraphs: tuple[Paragraph, ...]
    words: tuple[str, ...]
    spaced: tuple[bool, ...]
    high: float
    label: str = "weight"
    chosen: int | None = None
    passages: tuple[tuple[int, str], ...] = ()
