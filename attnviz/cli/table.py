"""`attnviz table`: attention in the terminal."""

from __future__ import annotations

from attnviz.cli.expand import command
from attnviz.cli.looks import Shade
from attnviz.cli.options import SHADE, Input, Json, Saved, Selection, Talk
from attnviz.cli.source import Source
from attnviz.flags import option

LAYERS = "-1"  # without --layer


@command
def run(
    *,
    given: Input,
    saved: Saved,
    source: Source,
    chosen: Selection,
    shade: Shade,
    compact: bool | None = option(
        None,
        "Cells of colour only, or numbers at any width. Default: what fits the window.",
        "--compact/--full",
        panel=SHADE,
    ),
    output: Json,
    talk: Talk,
) -> None:
    """Print attention in the terminal, a table a head.

    Where tables do not fit the window, cells of colour stand for numbers. Zero is the terminal's own background, light
    or dark; ATTNVIZ_BACKGROUND=light or dark says which where that is not found out. In a pipe: plain aligned
    columns, whole.

    attnviz table "The cat sat on the mat" -H 0
    attnviz table "The cat sat on the mat" -m minilm -l all
    attnviz table "The cat sat on the mat" --query cat --json
    """
    from attnviz.cli import work

    found = work.attention(given, saved, source, chosen, talk, layers=LAYERS, cells=256)
    found, row, _ = work.narrowed(found, chosen)
    if output.json:
        from attnviz.io.data import rows

        work.print_json(rows(work.only(found, row)))
        return

    from attnviz.render.terminal import print_attention

    print_attention(
        found,
        scale=shade.scale,
        vmax=shade.limit(),
        cmap=shade.cmap,
        decimals=shade.decimals,
        compact=compact,
        query=row,
    )
