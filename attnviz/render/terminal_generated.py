"""New text in the terminal, and what heads and tokens did while it was made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from attnviz.render.terminal_columns import number
from attnviz.render.terminal_rows import print_rows
from attnviz.render.terminal_screen import Screen, clean

if TYPE_CHECKING:
    from rich.console import Console

    Out = Console | IO[str] | None


def print_text(text: str, out: Out = None, *, width: int | None = None) -> None:
    """The new text, its line breaks kept."""
    screen = Screen.of(out, width)
    for line in text.split("\n"):
        if screen.plain:
            screen.print(clean(line))
        else:
            screen.print_wrapped(clean(line), "bold")


def print_heads(
    rows: Sequence[dict[str, Any]], notes: Sequence[str], out: Out = None, *, width: int | None = None
) -> None:
    """Retrieval and lookback of heads."""
    shown = [[str(row["layer"]), str(row["head"]), _share(row["retrieval"]), _share(row["lookback"])] for row in rows]
    print_rows(shown, ("layer", "head", "retrieval", "lookback"), "rrrr", out, width=width, notes=notes, bold=(2,))


def print_tokens(rows: Sequence[dict[str, Any]], out: Out = None, *, width: int | None = None) -> None:
    """Each new token with its probability and the weight that stands out most in its rows."""
    shown = [
        [
            str(row["index"]),
            row["token"],
            str(row["id"]),
            f"{row['probability']:.2f}",
            row["key_token"],
            str(row["key"]),
            str(row["layer"]),
            str(row["head"]),
            _share(row["weight"]),
            _share(row["lift"]),
        ]
        for row in rows
    ]
    header = ("", "token", "id", "p", "looked at", "at", "layer", "head", "weight", "lift")
    print_rows(shown, header, "rlrrlrrrrr", out, width=width, bold=(1, 4))


def _share(value: float) -> str:
    return number(value, 2) if value == value else ""
