"""Where a walk through the steps is printed: lines, worked numbers, and tables that fit the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.measures.steps import strongest
from attnviz.page.numbers import alike
from attnviz.page.scale import WHITE
from attnviz.render.terminal_cells import bar, colours, ink_on, paint
from attnviz.render.terminal_columns import field
from attnviz.render.terminal_screen import Screen, cells, clean, fit
from attnviz.render.terminal_table import is_zero

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.style import Style

    from attnviz.measures.steps import Steps
    from attnviz.measures.steps_formulas import Step

MANY = 40  # rows beyond which, at a terminal, the strongest come first and the rest is left out
TOP = 20
INDENT = "   "
GAP = "   "
_PLAIN = str.maketrans(
    {
        "√": "sqrt ",
        "·": ".",
        "Σ": "sum",
        "→": "->",
        "←": "<-",
        "∞": "inf",
        "‖": "|",
        "…": "..",
        "–": "-",
        "−": "-",
        "²": "^2",
        "“": '"',
        "”": '"',
    }
)


@dataclass(frozen=True)
class Column:
    """A column of a table: head, a text a row, and whether they stand to the right."""

    head: str
    texts: Sequence[str]
    right: bool = True


class Paper:
    """Where a walk is printed, and how its numbers look."""

    def __init__(self, steps: Steps, screen: Screen, decimals: int) -> None:
        self.steps, self.screen, self.decimals = steps, screen, decimals
        self.facts, self.query = steps.facts, steps.query

    # Lines

    def glyphs(self, text: str) -> str:
        """The text with the signs that this terminal has."""
        return text if self.screen.blocks else text.translate(_PLAIN)

    def say(self, text: str, style: str | Style = "", indent: str = "") -> None:
        """A line, broken between words where a terminal's window ends."""
        from rich.text import Text

        line = Text(self.glyphs(clean(text)), style)
        if self.screen.plain:
            self.screen.print(Text(indent).append_text(line))
            return
        for part in line.wrap(self.screen.console, self.screen.width - len(indent)):
            part.rstrip()
            self.screen.print(Text(indent).append_text(part))

    def title(self, step: Step) -> None:
        self.screen.print("")
        self.say(f"{step.label:<3}{step.title}", "bold")
        longest = max((cells(self.glyphs(formula)) for formula, shapes in step.lines if shapes), default=0)
        for formula, shapes in step.lines:
            line = self.glyphs(formula)
            fits = self.screen.plain or len(INDENT) + longest + 3 + cells(self.glyphs(shapes)) <= self.screen.width
            if shapes and fits:
                self.beside(line + " " * (longest - cells(line) + 3), self.glyphs(shapes))
            else:
                self.say(line, indent=INDENT)
                if shapes:
                    self.say(shapes, "dim", INDENT * 2)

    def beside(self, formula: str, shapes: str) -> None:
        from rich.text import Text

        self.screen.print(Text.assemble(INDENT, formula, (shapes, "dim")))

    def worked(self, text: str) -> None:
        """One number worked out."""
        self.say(text, colours(self.screen.ground.stress, None) if self.screen.colour else "", INDENT)

    # Numbers

    def number(self, value: float) -> str:
        return self.numbers([value])[0]

    def numbers(self, values: Any, least: int = 0) -> list[str]:
        """All with the same number of decimals, at least `least`; none if all are whole.

        A masked score is -∞, an uncomputed one -.
        """
        return alike(values, max(self.decimals, least))

    def vectors(self, values: NDArray[Any], count: int) -> list[str]:
        """The first `count` numbers of each row, in columns."""
        shown = values[:, :count]
        texts = alike(shown, self.decimals)
        parts = [texts[i * shown.shape[1] : (i + 1) * shown.shape[1]] for i in range(len(shown))]
        widths = [max(map(len, column)) for column in zip(*parts, strict=True)] if parts else []
        more = " …" if values.shape[1] > count else ""
        return [" ".join(text.rjust(w) for text, w in zip(row, widths, strict=True)) + more for row in parts]

    def token(self, text: str) -> str:
        return field(text) if self.screen.plain else clean(text)

    # Tables

    def table(
        self, build: Callable[[int], list[Column]], bold: int | None = None, shades: NDArray[Any] | None = None
    ) -> None:
        """A table with as many numbers of each vector as the window holds; what does not fit goes on below.

        build: the columns, given how many numbers. bold: a row to stress. shades: values from 0 to 1 that colour the
        last column, with bars at its right.
        """
        columns: list[Column] = []
        widths: list[int] = []
        for count in (8, 6, 5, 4, 3, 2, 1):
            columns = build(count)
            widths = [max(map(cells, (self.glyphs(c.head), *c.texts)), default=0) for c in columns]
            if self.screen.plain or self._wide(widths) <= self.screen.width:
                break
        most = self.screen.width - len(INDENT)
        widths = widths if self.screen.plain else [min(width, most) for width in widths]
        for band in self._bands(columns, widths):
            last = shades if band[-1] == len(columns) - 1 else None
            self._band([columns[i] for i in band], [widths[i] for i in band], bold, last)

    def _wide(self, widths: Sequence[int]) -> int:
        return len(INDENT) + sum(widths) + len(GAP) * (len(widths) - 1)

    def _bands(self, columns: Sequence[Column], widths: Sequence[int]) -> list[list[int]]:
        """The places of columns that stand side by side; an index and a name begin each band."""
        if self.screen.plain or self._wide(widths) <= self.screen.width:
            return [list(range(len(columns)))]
        first = [0, 1] if columns[0].head in ("i", "j") else [0]
        bands = [list(first)]
        for place in range(len(first), len(columns)):
            if len(bands[-1]) > len(first) and self._wide([widths[i] for i in (*bands[-1], place)]) > self.screen.width:
                bands.append(list(first))
            bands[-1].append(place)
        if any(self._wide([widths[i] for i in band]) > self.screen.width for band in bands):
            return [[i] for i in range(len(columns))]  # not even two fit side by side
        return bands

    def _band(
        self, columns: Sequence[Column], widths: Sequence[int], bold: int | None, shades: NDArray[Any] | None
    ) -> None:
        from rich.text import Text

        rows = [[self.glyphs(c.head) for c in columns]]
        rows += [list(row) for row in zip(*([self.glyphs(t) for t in c.texts] for c in columns), strict=True)]
        room = self.screen.width - self._wide(widths) - len(GAP)
        ground = None
        if shades is not None and self.screen.colour:
            zero = np.array([[is_zero(text) for text in columns[-1].texts]])
            ground = paint(np.asarray(shades, np.float32)[None], None, WHITE, self.screen.ground, zero)[0]
        for i, row in enumerate(rows):
            line = Text(INDENT, "bold" if i == 0 or (bold is not None and i == bold + 1) else "")
            for place, (text, width, column) in enumerate(zip(row, widths, columns, strict=True)):
                shaded = ground[i - 1] if ground is not None and i and place == len(row) - 1 else None
                text = fit(text, width, "right" if column.right else "left")
                line.append(text, colours(ink_on(shaded), shaded) if shaded is not None else None)
                line.append(GAP)
            if shades is not None and i and not self.screen.plain and room >= 6:
                line.append(bar(float(shades[i - 1]), min(room, 24), self.screen.blocks))
            line.rstrip()
            self.screen.print(line)

    def strongest(self, strength: NDArray[Any]) -> tuple[list[int], str]:
        """The rows that are shown, and a line about the others: the strongest of many, at a terminal."""
        n = len(strength)
        if self.screen.plain or n <= MANY:
            return list(range(n)), ""
        order = strongest(strength, TOP)
        rest = float(strength.sum() - strength[order].sum())
        return order, f"{n - TOP} others: {self.number(rest)} in all"
