"""`attnviz table`: attention in the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from attnviz.cli import opening
from attnviz.cli.expand import command
from attnviz.cli.figure_options import Colours
from attnviz.cli.options import SHADE, Input, Json, Saved, Selection, Talk
from attnviz.cli.source import Source
from attnviz.cli.writing import print_json
from attnviz.flags import option

LAYERS = "-1"  # without --layer


@dataclass(frozen=True)
class Cells(Colours):
    """The cells of a table."""

    compact: bool | None = option(
        None,
        "Cells of colour only, or numbers at any width. Default: what fits the window.",
        "--compact/--full",
        panel=SHADE,
    )


@command
def run(
    *, input: Input, saved: Saved, source: Source, chosen: Selection, colours: Cells, output: Json, talk: Talk
) -> None:
    """Print attention in the terminal, a table a head.

    Where tables do not fit the window, cells of colour stand for numbers. Zero is the terminal's own background, light
    or dark; ATTNVIZ_BACKGROUND=light or dark says which where that is not found out. In a pipe: plain aligned
    columns, whole.

    attnviz table "The cat sat on the mat" -H 0
    attnviz table "The cat sat on the mat" -m minilm -l all
    attnviz table "The cat sat on the mat" --query cat --json
    """
    attention = opening.attention(input, saved, source, chosen, talk, LAYERS, cells=256)
    if output.json:
        from attnviz.io.data import rows

        print_json(rows(opening.narrowed_rows(attention, chosen)))
        return

    from attnviz.render.terminal import print_attention

    attention, query, _ = opening.narrowed(attention, chosen)
    print_attention(attention, query=query, **vars(colours))
