"""Maps of attention in a terminal, or as plain columns in a pipe.

`print_attention` prints an Attention, `print_maps` any Figure of map panels (so that a picture and its print agree),
`print_tokens` how a text was split.

At a terminal a panel is a table of numbers on colours where it fits the window (`terminal_table`), else a map of cells
(`terminal_maps`); one query alone is a list with bars (`terminal_query`). Without colour the table's numbers say all,
and a map becomes a ramp of glyphs. In a pipe each panel is a block, blocks are separated by an empty line, and every
field is one word:

    layer 3  head 1
    query   [CLS]   the  animal
    [CLS]    0.91  0.05    0.04
    the      0.30  0.20    0.50
    animal   0.85     -    0.15

A masked cell is `-`, spaces inside a token are `␣`. Layer 3, head 1 alone: `awk -v RS= '/^layer 3  head 1\n/'`.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from attnviz.render.terminal_cells import legend
from attnviz.render.terminal_columns import columns
from attnviz.render.terminal_maps import print_compact, remarks
from attnviz.render.terminal_panels import mask_reason, panel_name
from attnviz.render.terminal_query import print_query
from attnviz.render.terminal_screen import Screen, clean
from attnviz.render.terminal_table import Plan, count_lines, plan, print_tables, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from attnviz.attention import Attention
    from attnviz.page.figure import Figure, MapPanel
    from attnviz.page.parts import TokenTable

MOST_LINES = 120  # tables longer than this together become maps


def print_attention(
    attention: Attention,
    out: Console | IO[str] | None = None,
    *,
    width: int | None = None,
    scale: str = "auto",
    vmax: float | str | None = None,
    cmap: str = "ink",
    decimals: int = 2,
    compact: bool | None = None,
    title: str | None = None,
    marks: Sequence[tuple[int, int]] = (),
    query: int | None = None,
    ranked: bool | None = None,
    top: int | None = None,
) -> None:
    """Print every layer and head of an Attention.

    Args:
        out, width, decimals, compact: see `print_maps`.
        scale, vmax, cmap, title, marks: see `attnviz.page.table.table`.
        query: show this row alone, as a list with bars; so is an Attention of one query shown.
        ranked, top: of such a list, see `attnviz.render.terminal_query.print_query`.

    Raises:
        SelectionError: an option's value is not there or not possible.
    """
    from attnviz.page.table import table

    figure = table(attention, scale=scale, vmax=vmax, cmap=cmap, title=title, marks=marks)
    if query is None and len(attention.queries) == 1 and not compact:
        query = 0
    if query is None:
        print_maps(figure, out, width=width, decimals=decimals, compact=compact)
    else:
        print_query(figure, query, out, width=width, decimals=decimals, ranked=ranked, top=top)


def print_maps(
    figure: Figure,
    out: Console | IO[str] | None = None,
    *,
    width: int | None = None,
    decimals: int = 2,
    compact: bool | None = None,
) -> None:
    """Print a figure's map panels.

    Args:
        figure: panels, scale, title, subtitle and notes are used; geometry is not.
        out: a rich Console or a text file; standard output by default.
        width: columns of the window; asked of the terminal by default.
        decimals: of the numbers in the cells.
        compact: True for maps of cells; False for tables of numbers, which go on below where the window ends; None
            takes tables where they fit and are not too many.
    """
    screen = Screen.of(out, width)
    if screen.plain:
        _print_plain(figure, screen, decimals)
        return
    plans = _plans(figure, screen, decimals, compact)
    screen.print_wrapped(clean(figure.title), "bold")
    screen.print_wrapped(clean(figure.subtitle), "dim")
    if plans:
        named = len(figure.panels) > 1 or not _said(figure.panels[0], figure.title)
        print_tables(figure.panels, plans, figure.scale, screen, named)
    else:
        print_compact(figure, screen)
    _print_foot(figure, screen, bool(plans))


def _plans(figure: Figure, screen: Screen, decimals: int, compact: bool | None) -> list[Plan]:
    """A table's plan a panel, or [] if there are to be maps."""
    if compact or (compact is None and len(figure.panels) > MOST_LINES):
        return []
    plans = []
    for panel in figure.panels:
        found = plan(panel, screen.width, decimals, split=compact is False)
        if found is None:
            return []
        plans.append(found)
    return plans if compact is False or count_lines(figure.panels, plans, screen) <= MOST_LINES else []


def _print_foot(figure: Figure, screen: Screen, numbers: bool) -> None:
    marks = legend(figure.scale, screen, mask_reason(figure.panels), numbers)
    notes = [*([] if numbers else remarks(figure, screen)), *figure.remarks(screen.colour or not numbers)]
    if marks or notes:
        screen.print("", *marks)
    screen.print_notes(notes)


def _said(panel: MapPanel, title: str) -> bool:
    return f"layer {panel.layer} · head {panel.head}" in title


def _print_plain(figure: Figure, screen: Screen, decimals: int) -> None:
    for i, panel in enumerate(figure.panels):
        if i:
            screen.print("")
        screen.print(clean(panel_name(panel, plain=True)))
        rows = [
            [label, *(text or "-" for text in row)]
            for label, row in zip(panel.row_labels, texts(panel, decimals), strict=True)
        ]
        screen.print(*columns(rows, ["query", *panel.col_labels], "l" + "r" * len(panel.col_labels)))


def print_tokens(split: TokenTable, out: Console | IO[str] | None = None, *, width: int | None = None) -> None:
    """Print how a text was split: index, token, id, characters (first:last plus one), word, and what is special.

    In a pipe: `index token id start end word special`, with `-` for what there is none of, and the segment as an
    eighth column if there are two texts.
    """
    screen, tokens = Screen.of(out, width), split.tokens
    paired = any(tokens.segments)
    known = tokens.spans or ((0, 0),) * len(tokens)
    spans = [(start, end) if end > start else ("-", "-") for start, end in known]
    rows = [
        (i, tokens.text[i], _known(tokens.ids[i]), *spans[i], _known(tokens.words[i]), tokens.special[i])
        for i in range(len(tokens))
    ]
    if screen.plain:
        header = ["index", "token", "id", "start", "end", "word", "special"] + ["segment"] * paired
        lines = [
            [*row[:6], "special" if row[6] else "-", *([tokens.segments[row[0]]] if paired else [])] for row in rows
        ]
        screen.print(*columns(lines, header, "rlrrrrlr"))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2 if screen.width >= 60 else 1, 0, 0), header_style="bold")
    for name, justify in (
        ("index", "right"),
        ("token", "left"),
        ("id", "right"),
        ("chars", "right"),
        ("word", "right"),
    ):
        table.add_column(name, justify=justify, no_wrap=name != "token", overflow="fold")  # type: ignore[arg-type]
    if paired:
        table.add_column("text", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for i, token, number, start, end, word, special in rows:
        chars = f"{start}:{end}" if start != "-" else "-"
        cells: list[str | Text] = [str(i), Text(clean(token)), str(number), chars, str(word)]
        cells += [str(tokens.segments[i])] if paired else []
        table.add_row(*cells, "special" if special else "", style="dim" if special else "")
    screen.console.print(table, width=screen.width)


def _known(value: int) -> int | str:
    return value if value >= 0 else "-"
