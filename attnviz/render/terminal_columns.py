"""Plain aligned columns, for a pipe: whole labels, no escape codes, no window.

Every field is one word, so that `awk '{print $3}'` finds it: spaces inside a label are shown as '␣', an empty one as
'""'. Wide characters (Chinese, Japanese, Korean, emoji) count as two columns, so that a terminal shows them aligned.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from attnviz.page.numbers import number as number
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
    table = [*([header] if header else []), *rows]
    sides = itertools.chain(align, itertools.repeat("l"))
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
