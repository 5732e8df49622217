"""Plain aligned columns, for a pipe: whole labels, no escape codes, no window.

Every field is one word, so that `awk '{print $3}'` finds it: spaces inside a label are shown as '␣', an empty one as
'""'. Wide characters (Chinese, Japanese, Korean, emoji) count as two columns, so that a terminal shows them aligned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attnviz.render.terminal_screen import cells, clean


def field(value: object) -> str:
    """A value as one word."""
    text = clean(str(value))
    return "".join("␣" if c.isspace() else c for c in text) or '""'


def columns(
    rows: Iterable[Sequence[object]], header: Sequence[object] = (), align: str = "", gap: int = 2
) -> list[str]:
    """Rows as aligned lines.

    Args:
        rows: values, as many a row as there are columns.
        header: the first line, or () for none.
        align: a letter a column, `l` left or `r` right; columns beyond it are left.
        gap: spaces between columns.

    Returns:
        Lines without a line break and without spaces at their end.
    """
    table = [[field(value) for value in row] for row in ([header] if header else []) + list(rows)]
    if not table:
        return []
    widths = [max(cells(text) for text in column) for column in zip(*table, strict=True)]
    align = align[: len(widths)].ljust(len(widths), "l")
    lines = []
    for row in table:
        parts = []
        for text, width, side in zip(row, widths, align, strict=True):
            fill = " " * (width - cells(text))
            parts.append(fill + text if side == "r" else text + fill)
        lines.append((" " * gap).join(parts).rstrip())
    return lines
