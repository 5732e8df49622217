"""Lines, computed numbers and tables of a walk through the steps of attention, made to fit the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.style import Style
from rich.text import Text

from attnviz.measures.steps import strongest
from attnviz.page.numbers import alike
from attnviz.page.scale import WHITE
from attnviz.render.terminal_cells import colours, on, paint
from attnviz.render.terminal_layout import bar, field, widest, widths
from attnviz.render.terminal_screen import Screen, cells, clean, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.measures.steps import Steps
    from attnviz.measures.steps_formulas import Step

MANY = 40  # rows beyond which, at a terminal, the strongest come first and the rest is left out
TOP = 20
INDENT = "   "
GAP = "   "
_WORDS = {"√": "sqrt ", "Σ": "sum", "→": "->", "←": "<-", "∞": "inf", "…": "..", "²": "^2"}
_ASCII = str.maketrans({**_WORDS, **dict(zip("·‖–−“”", '.|--""', strict=True))})


@dataclass(frozen=True)
class Column:
    """A column of a table.

    values: texts or vectors, one per row; or an array of numbers [row] or of vectors [row, d], which are aligned.
    right: whether they stand to the right. least: the fewest decimals of numbers.
    """

    head: str
    values: Sequence[str | NDArray[Any]] | NDArray[Any]
    right: bool = True
    least: int = 0


class Paper:
    """Prints a walk, and formats its numbers."""

    def __init__(self, steps: Steps, screen: Screen, decimals: int) -> None:
        self.steps, self.screen, self.decimals = steps, screen, decimals
        self.facts, self.query = steps.facts, steps.query

    # Lines

    def glyphs(self, text: str) -> str:
        """The text in characters that this terminal has."""
        return text if self.screen.blocks else text.translate(_ASCII)

    def say(self, text: str, style: str | Style = "", indent: str = "") -> None:
        """Print a line, broken between words where a terminal's window ends."""
        line = Text(self.glyphs(clean(text)), style)
        if self.screen.plain:
            self.screen.print(Text(indent).append_text(line))
            return
        for part in self.screen.wrapped(line, len(indent)):
            part.rstrip()
            self.screen.print(part)

    def title(self, step: Step) -> None:
        """Print a step's number and name, and its formulas with their shapes beside them where they fit."""
        self.screen.print("")
        self.say(f"{step.label:<3}{step.title}", "bold")
        lines = [(self.glyphs(formula), self.glyphs(shapes)) for formula, shapes in step.lines]
        longest = widest(formula for formula, shapes in lines if shapes)
        for formula, shapes in lines:
            if shapes and (self.screen.plain or len(INDENT) + longest + 3 + cells(shapes) <= self.screen.width):
                self.screen.print(Text.assemble(INDENT, fit(formula, longest), " " * 3, (shapes, "dim")))
            else:
                self.say(formula, indent=INDENT)
                if shapes:
                    self.say(shapes, "dim", INDENT * 2)

    def worked(self, text: str) -> None:
        """Print one number with its computation."""
        self.say(text, colours(self.screen.ground.stress, None) if self.screen.colour else "", INDENT)

    # Numbers

    def number(self, value: float) -> str:
        return self.numbers([value])[0]

    def numbers(self, values: Any, least: int = 0) -> list[str]:
        """All with the same number of decimals, at least `least`; none if all are whole.

        A masked score is -∞, an uncomputed score -.
        """
        return alike(values, max(self.decimals, least))

    def vectors(self, values: NDArray[Any], count: int) -> list[str]:
        """The first `count` numbers of each row, in columns."""
        shown = values[:, :count]
        texts = alike(shown, self.decimals)
        parts = [texts[i * shown.shape[1] : (i + 1) * shown.shape[1]] for i in range(len(shown))]
        taken = widths(*parts)
        more = " …" if values.shape[1] > count else ""
        return [" ".join(text.rjust(w) for text, w in zip(row, taken, strict=True)) + more for row in parts]

    def token(self, text: str) -> str:
        return field(text) if self.screen.plain else clean(text)

    # Tables

    def table(self, columns: Sequence[Column], bold: int | None = None, shades: NDArray[Any] | None = None) -> None:
        """Print a table with as many numbers per vector as the window holds; columns that do not fit continue below.

        Args:
            columns: of one length.
            bold: a row to stress.
            shades: values from 0 to 1 that colour the last column, with bars at its right.
        """
        texts: list[list[str]] = []
        taken: list[int] = []
        for count in (8, 6, 5, 4, 3, 2, 1):
            texts = [list(map(self.glyphs, (column.head, *self._texts(column, count)))) for column in columns]
            taken = list(map(widest, texts))
            if self.screen.plain or _width(taken) <= self.screen.width:
                break
        most = self.screen.width - len(INDENT)
        taken = taken if self.screen.plain else [min(width, most) for width in taken]
        for band in self._bands(columns, taken):
            fitted = [[fit(text, taken[i], "right" if columns[i].right else "left") for text in texts[i]] for i in band]
            self._band(fitted, bold, shades if band[-1] == len(columns) - 1 else None)

    def _texts(self, column: Column, count: int) -> Sequence[str]:
        """A text per row. count: the most numbers of a vector."""
        values = column.values
        if not isinstance(values, np.ndarray):
            return [value if isinstance(value, str) else self.vectors(value[None], count)[0] for value in values]
        return self.numbers(values, column.least) if values.ndim == 1 else self.vectors(values, count)

    def _bands(self, columns: Sequence[Column], taken: Sequence[int]) -> list[list[int]]:
        """The indices of columns that stand side by side; an index and a name begin each band."""

        def fits(band: Sequence[int]) -> bool:
            return self.screen.plain or _width([taken[i] for i in band]) <= self.screen.width

        if fits(range(len(columns))):
            return [list(range(len(columns)))]
        first = [0, 1] if columns[0].head in ("i", "j") else [0]
        bands = [list(first)]
        for i in range(len(first), len(columns)):
            if len(bands[-1]) > len(first) and not fits([*bands[-1], i]):
                bands.append(list(first))
            bands[-1].append(i)
        return bands if all(map(fits, bands)) else [[i] for i in range(len(columns))]  # not even two fit side by side

    def _band(self, columns: Sequence[Sequence[str]], bold: int | None, shades: NDArray[Any] | None) -> None:
        """Print columns side by side. Their texts, the head first, are equally wide within a column."""
        room = self.screen.width - _width([cells(column[0]) for column in columns]) - len(GAP)
        ground = None
        if shades is not None and self.screen.colour:
            unit = np.asarray(shades, np.float32)[None]
            ground = paint(unit, None, WHITE, self.screen.ground, [[text.strip() for text in columns[-1][1:]]])[0]
        for i, row in enumerate(zip(*columns, strict=True)):
            line = Text(INDENT + GAP.join(row), "bold" if i == 0 or (bold is not None and i == bold + 1) else "")
            if ground is not None and i:
                line.stylize(on(ground[i - 1]), len(line) - len(row[-1]))
            if shades is not None and i and not self.screen.plain and room >= 6:
                line.append(GAP + bar(float(shades[i - 1]), min(room, 24), self.screen.blocks))
            line.rstrip()
            self.screen.print(line)

    def strongest(self, strength: NDArray[Any]) -> tuple[list[int], str]:
        """The rows that are shown, and a line about the rest: the strongest of many, at a terminal."""
        n = len(strength)
        if self.screen.plain or n <= MANY:
            return list(range(n)), ""
        order = strongest(strength, TOP)
        rest = float(strength.sum() - strength[order].sum())
        return order, f"{n - TOP} more: {self.number(rest)} in all"


def _width(taken: Sequence[int]) -> int:
    """Columns of the terminal that a band of such widths takes."""
    return len(INDENT) + sum(taken) + len(GAP) * (len(taken) - 1)
