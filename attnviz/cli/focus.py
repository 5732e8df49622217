"""`attnviz focus`: one token's view over all layers and heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnviz.cli.analyses import BY, TOP, Heads, asked_format, write_rows
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import Sheet
from attnviz.cli.options import Input, Json, Output, Saved, Talk
from attnviz.cli.source import Source
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.heads import View
    from attnviz.models.source import AttentionSource
    from attnviz.page.ranked import Entry

FORMATS = formats.of(formats.FIGURE, formats.ROWS)
LAYERS = "all"  # without --layer
BY_MEANS = "Links are ordered and drawn by lift or by weight."
COUNT = 20  # words that are listed


@command
def run(
    *,
    given: Input,
    saved: Saved,
    source: Source,
    heads: Heads,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="TOKEN",
            help="Whose view: its text, text#2 or its index. Default: the one of the strongest link.",
            rich_help_panel="What to show",
            show_default=False,
        ),
    ] = None,
    by: Annotated[str | None, BY] = None,
    top: Annotated[int | None, TOP] = None,
    sheet: Sheet,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """Show what one token looks at, over all layers and heads.

    A board has the word that each head singles out for it, and below it stand all words, each with the head where it
    stands out most. Both go by lift: the weight less the mean of its column over the other rows. --json, .json and
    .csv have every key of every head, or the --top ones.

    attnviz focus "The animal didn't cross the street because it was too tired" -m minilm --token it
    attnviz focus "The cat sat on the mat" -m minilm --token sat --words --no-special -o sat.pdf
    attnviz focus --file sample_inputs/paragraph.txt -m minilm --token "boat#3" --by weight --json
    """
    from attnviz.cli import passages, work

    by = passages.lift_or_weight(by)
    format = asked_format(output, listing, FORMATS)
    attention = passages.passage(given, saved, source, heads, talk)
    from attnviz.heads import focus

    query = _query(attention, token, by, talk)
    view = passages.observed(attention, talk, lambda attention, progress: focus(attention, query, progress))
    if listing.json:
        work.print_json(_rows(attention, view, by, top))
    elif format in ("json", "csv"):
        write_rows(output, format, _rows(attention, view, by, top), "focus")
    elif format:
        drawn = _drawn(attention, view, by, top or COUNT, sheet, format, attention.made_by(line), talk)
        work.write(output, format, lambda file: file.write(drawn), "focus")
    else:
        _print(attention, view, by, top or COUNT)


def _query(attention: AttentionSource, token: str | None, by: str, talk: Talk) -> int:
    from attnviz.cli import passages
    from attnviz.select import find_token

    if token is not None:
        return find_token(attention.queries, token, "queries")
    from attnviz.heads import links

    def look(attention: AttentionSource, progress: Any) -> Any:
        return links(attention, 1, by=by, special=False, progress=progress)

    query: int = passages.observed(attention, talk, look, passes=2)[0].query
    talk.note(
        f"token {attention.queries.text[query]!r} (index {query}): its link is the strongest; --token chooses another"
    )
    return query


def _rows(attention: AttentionSource, view: View, by: str, top: int | None) -> list[dict[str, Any]]:
    """Every key that the query sees, head by head, the strongest first."""
    rows = []
    for (i, j), (layer, head) in attention.named:
        ranked = (view.lifts if by == "lift" else view.weights)[i, j]
        order = [key for key in (-ranked).argsort(kind="stable").tolist() if view.seen[i, j, key]]
        rows += [
            {
                "layer": layer,
                "head": head,
                "query": view.query,
                "query_token": attention.queries.text[view.query],
                "key": key,
                "key_token": attention.keys.text[key],
                "weight": float(view.weights[i, j, key]),
                "lift": float(view.lifts[i, j, key]),
            }
            for key in order[:top]
        ]
    return rows


def _entries(attention: AttentionSource, view: View, by: str, count: int) -> list[tuple[int, Entry]]:
    """(key, line) of the words that stand out most."""
    from attnviz.page.ranked import Entry

    heads = attention.names()
    return [
        (key, Entry(attention.keys.text[key], heads[i * attention.shape[1] + j], *_numbers(view, i, j, key)))
        for key, i, j in view.ranked(by)[:count]
    ]


def _numbers(view: View, i: int, j: int, key: int) -> tuple[float, float]:
    return float(view.weights[i, j, key]), float(view.lifts[i, j, key])


def _words(attention: AttentionSource, view: View) -> tuple[str, str]:
    """Title and subtitle."""

    token = attention.queries.text[view.query]
    return f"{attention.title()} · what “{token}” looks at", f"{attention.subtitle()} · token {view.query}"


def _print(attention: AttentionSource, view: View, by: str, count: int) -> None:
    import numpy as np

    from attnviz.cli import passages
    from attnviz.render.terminal_columns import number
    from attnviz.render.terminal_rows import print_board, print_rows

    title, subtitle = _words(attention, view)
    best = view.best(by)
    values = np.take_along_axis(view.lifts if by == "lift" else view.weights, best[..., None], -1)[..., 0]
    header = ["word", "at", "layer.head", "weight", "lift", "mean"]
    rows = [
        [
            entry.text,
            str(key),
            entry.head,
            *(number(value, 2) for value in (entry.weight, entry.lift, view.weights[..., key].mean())),
        ]
        for key, entry in _entries(attention, view, by, count)
    ]
    notes = [
        f"{passages.LIFT}; at layer.head a word's {by} is largest; mean: its weight over all of them",
        *attention.remarks(),
    ]
    axes = attention.axes()
    print_rows(rows, header, "lrlrrr", title=title, subtitle=subtitle, bold=(0,))
    print_board(
        [[attention.keys.text[key] for key in row] for row in best.tolist()],
        values,
        axes["layers"],
        axes["heads"],
        axes=axes["axes"],
        heading=f"the word with the largest {by} in every head",
        notes=notes,
    )


def _drawn(
    attention: AttentionSource,
    view: View,
    by: str,
    count: int,
    sheet: Sheet,
    format: str,
    made: dict[str, str],
    talk: Talk,
) -> bytes:
    import numpy as np

    from attnviz.cli import passages
    from attnviz.page.ranked import focus
    from attnviz.render.image import to_bytes

    title, subtitle = _words(attention, view)
    best = view.best(by)
    values = np.take_along_axis(view.lifts if by == "lift" else view.weights, best[..., None], -1)[..., 0]
    drawn = sheet.draw(
        focus,
        values,
        best,
        [entry for _, entry in _entries(attention, view, by, count)],
        attention.keys.text,
        by=by,
        **attention.axes(),
        title=title,
        subtitle=subtitle,
        notes=[passages.LIFT, *attention.remarks()],
        meta=made,
        talk=talk,
    )
    return to_bytes(drawn, format)
