"""Figure -> PGF: a picture that LaTeX typesets with the document's own fonts.

Written here, since matplotlib's backend for PGF runs LaTeX to measure its text, and keeps images in files beside. A
Figure says where each label stands, so that nothing is measured. The file is ASCII: letters that TeX's old fonts lack
are drawn as outlines.

Source: the basic layer of the TikZ & PGF manual (paths, colours, text; versions 2 and 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import OutputError
from attnviz.page.figure import Box, Dot, Figure, Fill, Label, Line
from attnviz.render import escapes
from attnviz.render.emoji import ABOVE, stamp
from attnviz.render.image import described
from attnviz.render.scene import Frame, Patch, face, marks, pieces
from attnviz.render.theme import rgb

if TYPE_CHECKING:
    from attnviz.page.fonts import FontFile

MAX_CELLS = 20_000  # rectangles of one colour: TeX, which holds a picture whole, is still done in some ten seconds
_EMOJI = 20  # rectangles to the em of an emoji
_HEAD = r"""\begingroup%
\def\avc#1{\definecolor{av}{RGB}{#1}\pgfsetcolor{av}}%
\def\avr#1#2#3#4{\pgfpathrectangle{\pgfqpoint{#1bp}{#2bp}}{\pgfqpoint{#3bp}{#4bp}}}%
\def\avf#1#2#3#4#5{\avc{#1}\avr{#2}{#3}{#4}{#5}\pgfusepath{fill}}%
\def\avs#1#2{\avc{#1}\pgfsetlinewidth{#2bp}}%
\def\avm#1#2{\pgfpathmoveto{\pgfqpoint{#1bp}{#2bp}}}%
\def\avl#1#2{\pgfpathlineto{\pgfqpoint{#1bp}{#2bp}}}%
\def\avb#1#2#3#4#5#6{\pgfpathcurveto{\pgfqpoint{#1bp}{#2bp}}{\pgfqpoint{#3bp}{#4bp}}{\pgfqpoint{#5bp}{#6bp}}}%
\def\avt#1#2#3#4#5#6#7{\pgftext[base,#1,x=#2bp,y=#3bp,rotate=#4]{\definecolor{av}{RGB}{#5}\color{av}%
\sffamily\fontsize{#6bp}{#6bp}\selectfont#7}}%
\begin{pgfpicture}%
"""
_FOOT = r"""\end{pgfpicture}%
\endgroup%
"""


def write_pgf(figure: Figure, file: IO[bytes]) -> None:
    r"""The picture as a file for \input in LaTeX, at its own size.

    Raises OutputError: it has more than MAX_CELLS coloured rectangles.
    """
    page = _Page(figure)
    drawing = page.drawing()
    if page.cells > MAX_CELLS:
        raise OutputError(
            f"a .pgf holds {MAX_CELLS:,} coloured cells at most; this picture has {page.cells:,}",
            "write it as .pdf, or show fewer heads or cells (-l, -H, --cells)",
        )
    use = r"\usepackage{pgf} in the preamble, and \input{THIS FILE} where the picture stands."
    lines = [*escapes.remarks("%", described(figure), use), _HEAD + "%\n".join(drawing) + "%", _FOOT]
    file.write("\n".join(lines).encode("ascii"))


class _Page:
    """A figure as TeX; y runs upwards there. cells: coloured rectangles so far."""

    def __init__(self, figure: Figure) -> None:
        self.figure, self.cells = figure, 0
        self.face = face(figure)

    def drawing(self) -> list[str]:
        """The lines of the picture, in the order in which they are painted."""
        sides = f"{{{_n(self.figure.width)}}}{{{_n(self.figure.height)}}}"
        writers: dict[type, Callable[[Any], Iterator[str]]] = {
            Patch: self._patch,
            Frame: self._frame,
            Fill: self._fill,
            Line: self._line,
            Dot: self._dot,
            Label: self._label,
        }
        marked = (line for mark in marks(self.figure) for line in writers[type(mark)](mark))
        return [f"\\avr{{0}}{{0}}{sides}\\pgfusepath{{use as bounding box}}", *marked]

    def _patch(self, patch: Patch) -> Iterator[str]:
        """Coloured cells, up to MAX_CELLS. White cells too: their neighbours run under them."""
        for x0, y0, x1, y1, colour in patch.runs():
            self.cells += 1
            if self.cells <= MAX_CELLS:
                yield from self._fill(Fill(Box(x0, y0, x1 - x0, y1 - y0), colour))

    def _fill(self, fill: Fill) -> Iterator[str]:
        yield f"\\avf{{{_colour(fill.rgb)}}}" + self._sides(fill.box)

    def _frame(self, frame: Frame) -> Iterator[str]:
        """A line around a box, its middle on the edge."""
        path = f"\\avr{self._sides(frame.box)}\\pgfusepath{{stroke}}"
        yield f"\\avs{{{_colour(frame.rgb)}}}{{{_n(frame.width)}}}{path}"

    def _line(self, line: Line) -> Iterator[str]:
        path = f"\\avm{self._at(line.x0, line.y0)}\\avl{self._at(line.x1, line.y1)}\\pgfusepath{{stroke}}"
        if line.share < 1:
            path = f"\\pgfsetstrokeopacity{{{_n(line.share)}}}{path}\\pgfsetstrokeopacity{{1}}"
        yield f"\\avs{{{_colour(line.rgb or ())}}}{{{_n(line.width)}}}{path}"

    def _dot(self, dot: Dot) -> Iterator[str]:
        middle = f"\\pgfqpoint{{{_n(dot.x)}bp}}{{{_n(self.figure.height - dot.y)}bp}}"
        yield f"\\avc{{{_colour(dot.rgb)}}}\\pgfpathcircle{{{middle}}}{{{_n(dot.radius)}bp}}\\pgfusepath{{fill}}"

    def _label(self, label: Label) -> Iterator[str]:
        """Letters of the document's own font; where TeX's fonts lack one, outlines of ours."""
        letters = [escapes.tex_character(char) for char in label.text]
        if not all(letters):
            yield from self._drawn(label)
            return
        align = {"left": "left", "center": "", "right": "right"}[label.align]
        weight = r"\bfseries{}" if label.weight == "bold" else "{}"
        place = self._at(label.x, label.y) + f"{{{_n(label.rotation)}}}"
        text = f"{{{weight}{''.join(letters)}}}"
        yield f"\\avt{{{align}}}{place}{{{_colour(rgb(label.tone))}}}{{{_n(label.size)}}}{text}"

    def _drawn(self, label: Label) -> Iterator[str]:
        """Letters as outlines; emoji as coloured rectangles."""
        for piece, font, x, y in pieces(label, self.face):
            place = replace(label, x=x, y=y)
            if font.strike:
                yield from self._emoji(piece, font, place)
            elif path := self._outline(piece, font, place):
                yield f"\\avc{{{_colour(rgb(label.tone))}}}{path}\\pgfusepath{{fill}}"

    def _outline(self, text: str, font: FontFile, label: Label) -> str:
        from matplotlib.textpath import TextPath

        from attnviz.render.artists import properties

        path = TextPath((0, 0), text, prop=properties(font, label), usetex=False)
        parts = []
        last = np.zeros(2)
        for points, code in path.iter_segments(curves=True, simplify=False):
            corners = points.reshape(-1, 2)
            if code == path.CURVE3:  # a parabola as a cubic curve
                middle, end = corners
                corners = np.array([last + (middle - last) * 2 / 3, end + (middle - end) * 2 / 3, end])
            if code == path.CLOSEPOLY:
                parts.append(r"\pgfpathclose")
                continue
            name = {path.MOVETO: "avm", path.LINETO: "avl"}.get(code, "avb")
            parts.append(f"\\{name}" + "".join(self._turned(label, x, y) for x, y in corners.tolist()))
            last = corners[-1]
        return "".join(parts)

    def _emoji(self, text: str, font: FontFile, label: Label) -> Iterator[str]:
        picture = stamp(text, font, _EMOJI)
        side = label.size / _EMOJI
        for i, j in np.argwhere(picture[..., 3] > 127).tolist():
            self.cells += 1
            share = picture[i, j, 3] / 255
            red, green, blue = (255 + share * (picture[i, j, :3] - 255.0)).round().astype(int).tolist()
            x, y = j * side, ABOVE * label.size - i * side
            corners = ((x, y), (x + side, y), (x + side, y - side), (x, y - side))
            path = "".join(f"\\{'avl' if k else 'avm'}{self._turned(label, *at)}" for k, at in enumerate(corners))
            yield f"\\avc{{{_colour((red, green, blue))}}}{path}\\pgfusepath{{fill}}"

    def _turned(self, label: Label, x: float, y: float) -> str:
        """A point given along a label's baseline and above it."""
        if label.rotation == 0:
            return self._at(label.x + x, label.y - y)
        return self._at(label.x - y, label.y - x)

    def _at(self, x: float, y: float) -> str:
        return f"{{{_n(x)}}}{{{_n(self.figure.height - y)}}}"

    def _sides(self, box: Box) -> str:
        low = self._at(box.x, box.y + box.height)
        return f"{low}{{{_n(box.width)}}}{{{_n(box.height)}}}"


def _n(value: float) -> str:
    """A number with at most three digits after the point."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _colour(rgb: Iterable[int]) -> str:
    return ",".join(map(str, rgb))
