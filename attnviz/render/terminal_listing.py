"""Rows of short words with a sentence behind them: the known families, the findings of a check.

In a pipe the words stand in plain aligned columns, and the sentence, whose spaces stay, ends the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from attnviz.render.terminal_columns import columns
from attnviz.render.terminal_screen import Screen, cells, clean

if TYPE_CHECKING:
    from rich.console import Console

    from attnviz.page.parts import Sentence

GAP = 2
LEAST_SENTENCE = 30  # columns: in a narrower window the sentence goes below its words


def print_listing(
    rows: Sequence[tuple[Sequence[str], str]],
    header: Sequence[str] = (),
    out: Console | IO[str] | None = None,
    *,
    width: int | None = None,
    styles: Sequence[str] = (),
    between: str = "",
) -> None:
    """Print rows of (words, sentence).

    Args:
        rows: every row with as many words.
        header: of the columns, the sentence's last; () for none.
        out, width: as for `attnviz.render.terminal.print_maps`.
        styles: a rich style a row for its first word, or none.
        between: what separates the items of a sentence that is a list; no item is broken over two lines.
    """
    screen = Screen.of(out, width)
    if screen.plain:
        screen.print(*_plain(rows, header))
        return
    from rich.table import Table
    from rich.text import Text

    sentences = [clean(sentence) for _, sentence in rows]
    words = [[clean(word) for word in parts] for parts, _ in rows]
    taken = sum(
        max(map(cells, column)) + GAP for column in zip(*words, *([header[:-1]] if header else []), strict=True)
    )
    beside = screen.width - taken >= LEAST_SENTENCE
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=bool(header), header_style="bold")
    for name in header[:-1] if header else [""] * len(words[0] if words else ()):
        table.add_column(name, no_wrap=beside, overflow="fold")
    if beside:
        table.add_column(header[-1] if header else "", overflow="fold")
    for place, (parts, sentence) in enumerate(zip(words, sentences, strict=True)):
        style = styles[place] if styles else ""
        sentence = _whole(sentence, between, screen.width - taken) if between else sentence
        shown = [Text(parts[0], style), *map(Text, parts[1:])]
        table.add_row(*shown, *([Text(sentence)] if beside else []))
    if beside:
        screen.console.print(table, width=screen.width)
        return
    _print_below(words, sentences, styles, screen)


def _whole(sentence: str, between: str, width: int) -> str:
    """A list in lines of whole items."""
    lines: list[str] = []
    for item in sentence.split(between):
        joined = f"{lines[-1]}{between}{item}" if lines else item
        if lines and cells(joined + between) > width:
            lines[-1] += between.rstrip()
            lines.append(item)
        else:
            lines[-1:] = [joined]
    return "\n".join(lines)


def print_sentence(sentence: Sentence, out: Console | IO[str] | None = None, *, width: int | None = None) -> None:
    """Print a sentence, after its leading words if it has any: wrapped at a terminal, on one line in a pipe."""
    from rich.text import Text

    screen = Screen.of(out, width)
    lead, text = clean(sentence.lead), clean(sentence.text)
    line = Text.assemble((lead, sentence.style), ": " if lead and text else "", text)
    if screen.plain:
        screen.print(line)
    else:
        screen.print_wrapped(line)


def _print_below(
    words: Sequence[Sequence[str]], sentences: Sequence[str], styles: Sequence[str], screen: Screen
) -> None:
    """A narrow window: the words in a line, the sentence indented below them."""
    from rich.text import Text

    for place, (parts, sentence) in enumerate(zip(words, sentences, strict=True)):
        line = Text((" " * GAP).join(part for part in parts if part))
        line.stylize(styles[place] if styles else "", 0, len(parts[0]))
        screen.print_wrapped(line)
        for broken in Text(sentence, "dim").wrap(screen.console, screen.width - GAP):
            screen.print(Text(" " * GAP).append_text(broken))


def _plain(rows: Sequence[tuple[Sequence[str], str]], header: Sequence[str]) -> list[str]:
    """Columns with the sentence behind them, all sentences from the same column on."""
    lines = columns([[word or "-" for word in words] for words, _ in rows], header[:-1], gap=GAP)
    sentences = [*header[-1:], *(" ".join(clean(sentence).split()) for _, sentence in rows)]
    width = max(map(cells, lines), default=0)
    return [
        f"{line}{' ' * (width - cells(line) + GAP)}{sentence}".rstrip()
        for line, sentence in zip(lines, sentences, strict=True)
    ]
