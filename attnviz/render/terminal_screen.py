"""A terminal's width, colours and glyphs, and texts made safe to print in it. Loads neither NumPy nor rich."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import IO, TYPE_CHECKING, Any

from attnviz.files.text import VISIBLE, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment
    from rich.text import Text

    from attnviz.render.background import Ground


@dataclass(frozen=True)
class Screen:
    """A console and what it can show.

    width: columns; plain: a pipe or a file, so neither escape codes nor a window to fit; colour: 256 colours or more;
    blocks: the encoding has block characters.
    """

    console: Console
    width: int
    plain: bool
    colour: bool
    blocks: bool

    @classmethod
    def of(cls, out: Screen | Console | IO[str] | None = None, width: int | None = None) -> Screen:
        """The screen of a rich Console or a text file (default: standard output); a Screen as it is.

        rich reads NO_COLOR, FORCE_COLOR, COLORTERM, TERM and COLUMNS; sixteen colours are too few for a map and
        count as none.
        """
        from rich.console import Console

        if isinstance(out, Screen):
            return out
        if isinstance(out, Console):
            console = out
        else:
            console = safe_console(out or sys.stdout, width=width, highlight=False, markup=False, emoji=False)
        colour = console.is_terminal and not console.no_color and console.color_system in ("256", "truecolor")
        blocks = "utf" in console.encoding.lower()
        return cls(console, max(width or console.width, 20), not console.is_terminal, colour, blocks)

    @cached_property
    def ground(self) -> Ground:
        """The background that weights are painted on. Read only by what paints: the terminal may be asked for it."""
        from attnviz.render.background import ground

        return replace(ground(self.console.file), few=self.console.color_system == "256")

    @property
    def dot(self) -> str:
        """The mark of a masked cell among numbers."""
        return "·" if self.blocks else "."

    def print(self, *lines: Text | str) -> None:
        """Print lines that already fit: nothing is wrapped, cut or highlighted."""
        for is_str, group in groupby(lines, lambda line: isinstance(line, str)):
            # Lines without a style are written at once: rich would take 50 microseconds for each.
            for text in [_Unstyled("".join(f"{line}\n" for line in group))] if is_str else group:
                self.console.print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)

    def print_wrapped(self, text: Text | str, style: str = "") -> None:
        """Print a sentence, broken between words where the window ends; nothing if it is empty."""
        if text:
            self.console.print(text, style=style or None, width=self.width, highlight=False, markup=False, emoji=False)

    def print_items(self, items: Iterable[str], between: str = "  ", style: str = "", indent: int = 0) -> None:
        """Print items one after another; an item is broken only if it is longer than a line."""
        from rich.padding import Padding
        from rich.text import Text

        lines: list[str] = []
        for item in items:
            joined = lines[-1] + between + item if lines else item
            if lines and cells(joined) <= self.width - indent:
                lines[-1] = joined
            else:
                lines.append(item)
        for line in lines:
            text = Text(line.rstrip(), style)
            self.console.print(Padding(text, (0, 0, 0, indent), expand=False), width=self.width)

    def wrapped(self, text: Text, indent: int) -> Iterator[Text]:
        """The lines of a text, broken between words where the window ends, behind so many spaces."""
        from rich.text import Text

        for line in text.wrap(self.console, self.width - indent):
            yield Text(" " * indent).append_text(line)

    def print_notes(self, notes: Sequence[str]) -> None:
        """Print remarks in one paragraph."""
        self.print_wrapped(clean((" · " if self.blocks else "; ").join(notes)), "dim")


@dataclass(frozen=True)
class _Unstyled:
    """Plain text that a rich console writes as it is."""

    text: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.segment import Segment

        yield Segment(self.text.expandtabs(console.tab_size))


# In whole texts line breaks and tabs keep their meaning.
_STEERING = {code: shown for code, shown in VISIBLE.items() if chr(code) not in "\n\t"}


def clean(text: str) -> str:
    """A label without control characters, so that a token can neither break a line nor steer the terminal."""
    return visible(text)


def _harmless(text: str) -> str:
    """A whole text with control characters made visible; the same object if it has none."""
    if text.isprintable():
        return text
    lines = text.split("\n")  # one by one: to translate a line costs fifty times as much as to look at it
    odd = [at for at, line in enumerate(lines) if not line.isprintable()]
    for at in odd:
        lines[at] = lines[at].translate(_STEERING)
    return "\n".join(lines) if odd else text


def safe_console(file: IO[str], **options: Any) -> Console:
    """A console that writes its own colours, and makes control characters of texts visible. options: rich's."""
    from rich.console import Console
    from rich.segment import Segment

    class Safe(Console):
        def render(self, *what: Any, **more: Any) -> Iterator[Segment]:
            for segment in super().render(*what, **more):
                text = segment.text if segment.control is not None else _harmless(segment.text)
                yield segment if text is segment.text else Segment(text, segment.style)

    return Safe(file=getattr(file, "behind", file), **options)


class SafeStream:
    """A text stream for prints without a console: control characters become visible.

    behind: the stream that it writes to, for a console that writes colours.
    """

    def __init__(self, behind: IO[str]) -> None:
        self.behind = behind

    def write(self, text: str) -> int:
        self.behind.write(_harmless(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)


def cells(text: str) -> int:
    """Columns of the terminal that a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def fit(text: str, width: int, align: str = "left") -> str:
    """A text in exactly `width` columns: cut with '…' or filled with spaces; align is left, right or center."""
    from rich.cells import set_cell_size

    if cells(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + "…" if width > 0 else ""
    spare = width - cells(text)
    left = {"left": 0, "right": spare, "center": spare // 2}[align]
    return " " * left + text + " " * (spare - left)
