"""Texts in aligned columns: plain ones for a pipe, lines and rich tables for a terminal.

In a pipe every field is one word, so that `awk '{print $3}'` finds it: spaces inside a label are shown as '␣', an empty
label as '""'. Wide characters (Chinese, Japanese, Korean, emoji) count as two columns, so that a terminal aligns them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING

from attnviz.render.terminal_screen import cells, clean, fit

if TYPE_CHECKING:
    from rich.table import Table

GAP = 2
EIGHTHS = " ▏▎▍▌▋▊▉█"
_SIDES = {"l": "left", "r": "right"}


def field(value: object) -> str:
    """A value as one word."""
    text = clean(str(value))
    return "".join("␣" if c.isspace() else c for c in text) or '""'


def columns(
    rows: Iterable[Sequence[object]], header: Sequence[object] = (), align: str = "", gap: int = GAP
) -> list[str]:
    """Rows as aligned lines of plain fields.

    Args:
        rows: values, one per column.
        header: the first line, or () for none.
        align: a letter per column, `l` left or `r` right; columns beyond it are left.
        gap: spaces between columns.

    Returns:
        Lines without a line break and without spaces at their end.
    """
    table = [*([header] if header else []), *rows]
    sides = chain(align, repeat("l"))
    filled = [_filled(column, side) for column, side in zip(zip(*table, strict=True), sides, strict=False)]
    between = " " * gap
    return [between.join(row).rstrip() for row in zip(*filled, strict=True)]


def _filled(column: Iterable[object], side: str) -> list[str]:
    """The fields of one column, filled with spaces to the width of the widest."""
    texts = list(map(str, column))
    together = "".join(texts)
    if together.isascii() and together.isprintable() and " " not in together and "" not in texts:  # most columns
        width = max(map(len, texts))
        return [text.rjust(width) if side == "r" else text.ljust(width) for text in texts]
    texts = list(map(field, texts))
    taken = list(map(cells, texts))
    width = max(taken)
    if side == "r":
        return [" " * (width - own) + text for text, own in zip(texts, taken, strict=True)]
    return [text + " " * (width - own) for text, own in zip(texts, taken, strict=True)]


def widest(texts: Iterable[str]) -> int:
    """Columns of the terminal that the widest of these texts takes; 0 for none."""
    return max(map(cells, texts), default=0)


def widths(*rows: Sequence[str]) -> list[int]:
    """Columns of the terminal that each column of these rows takes."""
    return [widest(column) for column in zip(*rows, strict=True)]


def aligned(row: Iterable[str], taken: Sequence[int], align: str, gap: int = GAP) -> str:
    """One line: each text cut or filled to the width of its column, with spaces between.

    row: a text per column; taken: the columns' widths; align: a letter per column, `l` or `r`.
    """
    texts = (fit(text, width, _SIDES[side]) for text, width, side in zip(row, taken, align, strict=True))
    return (" " * gap).join(texts)


def rich_table(header: str | None = None, gap: int = GAP) -> Table:
    """An empty table of rich without lines. header: the style of its headings, None for no headings."""
    from rich.table import Table

    return Table(
        box=None, pad_edge=False, padding=(0, gap, 0, 0), show_header=header is not None, header_style=header or ""
    )


def bar(fraction: float, width: int, blocks: bool) -> str:
    """A horizontal bar, at most `width` columns, to an eighth of a column; what is above 0 is never invisible."""
    if not fraction > 0:
        return ""
    if not blocks:
        return "#" * max(1, round(min(fraction, 1.0) * width))
    full, rest = divmod(max(1, round(min(fraction, 1.0) * width * 8)), 8)
    return EIGHTHS[8] * full + (EIGHTHS[rest] if rest else "")
