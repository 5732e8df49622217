"""`attnviz lines`: lines of weight between a text and itself, or a text shaded by what one token attends to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnviz.cli.analyses import BY, TOP, asked_format, write_rows
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import Sheet
from attnviz.cli.options import Input, Json, Output, Saved, Selection, Talk, usage
from attnviz.cli.source import Source
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.page.figure import Figure

FORMATS = formats.of(formats.FIGURE, formats.ROWS)
LAYERS = "all"  # without --layer
BY_MEANS = "Lines are drawn for weight or for lift."
CELLS = 100  # tokens that stand one below the other; a longer text is pooled
MOST = 500_000_000  # weights that are held at once, two gigabytes of them


@command
def run(
    *,
    given: Input,
    saved: Saved,
    source: Source,
    chosen: Selection,
    shape: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="SHAPE",
            help="lines: the text twice with lines between. text: one running text shaded by what --query attends to.",
            rich_help_panel="What to show",
            show_default=True,
        ),
    ] = "lines",
    overlay: Annotated[
        bool,
        typer.Option(
            "--overlay", help="All heads of a layer in one panel, each in its colour.", rich_help_panel="What to show"
        ),
    ] = False,
    by: Annotated[str | None, BY] = None,
    top: Annotated[int | None, TOP] = None,
    sheet: Sheet,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """Draw a text twice with lines of weight between, or once, shaded by what one token attends to.

    Queries stand at the left, keys at the right. Each query has its three strongest lines, with --overlay one line per
    head; lines to special tokens, where heads rest, are grey. Without -l and -H it is the head with the highest lift,
    which standard error names; with one of them all that it leaves, one panel per head. --query shows one token's lines
    alone. With -o a picture, else the terminal; --json, .json and .csv list all lines, strongest first. With
    --as text also .tex and .typ, for a document of one's own.

    attnviz lines "The animal didn't cross the street because it was too tired" -m minilm
    attnviz lines "The animal didn't cross the street because it was too tired" -m minilm -l 3 --overlay -o heads.png
    attnviz lines "The animal didn't cross the street because it was too tired" -m minilm --as text --query it
    attnviz lines "The cat sat on the mat" -l 1 -H 2 --query cat -o cat.pdf
    attnviz lines "The cat sat on the mat" --as text --query sat -o sat.tex
    """
    from attnviz.cli import work
    from attnviz.errors import one_of

    by = by or "weight"
    for name, value, allowed in (("--as", shape, ("lines", "text")), ("--by", by, ("weight", "lift"))):
        if value not in allowed:
            usage(one_of(name, value, allowed))
    if overlay and shape == "text":
        usage("--overlay is for lines, not for a text")
    single = shape == "text"
    format = asked_format(output, listing, (*FORMATS, *(formats.of(formats.TEXT) if single else ())))
    if single:
        _check_size(given, saved, source, chosen, talk)
    found = work.attention(given, saved, source, chosen, talk, layers=LAYERS, cells=None if single else CELLS)
    found, row, _ = work.narrowed(found, chosen)
    found, row = _one_head(found, row, chosen, overlay, single, talk)
    if listing.json or format in ("json", "csv"):
        rows = _rows(found, row, by)[:top]
        if listing.json:
            work.print_json(rows)
        else:
            write_rows(output, format, rows, "lines")
        return
    made = work.made(line, found) if format else {}
    figure = _figure(found, row, shape, overlay, by, sheet, made, talk)
    if format:
        drawn = formats.encode(format, figure)
        work.write(output, format, lambda file: file.write(drawn), "lines")
    else:
        from attnviz.render.terminal_lines import print_lines

        print_lines(figure)


def _check_size(given: Input, saved: Saved, source: Source, chosen: Selection, talk: Talk) -> None:
    """A text's tokens are shaded one by one: too many weights are refused before they are made."""
    from attnviz.cli import work
    from attnviz.errors import InputError
    from attnviz.select import resolve_heads

    if saved.saved is not None or (given.given() == ["TEXT"] and len(given.text or "") < 2000):
        return
    model, ready = work.prepared(given, source, chosen.stream, talk)
    at = resolve_heads(chosen.layer or LAYERS, chosen.head, *model.size(ready.stream, ready.image))
    if at.count * len(ready.queries) * len(ready.keys) > MOST:
        some = f"{len(at.layers)} x {len(at.heads)}" if not at.pairs else f"{at.count}"
        raise InputError(
            f"{some} heads of {len(ready.keys)} tokens are too much to hold",
            "choose a head: -l LAYER -H HEAD",
        )


def _one_head(
    found: Attention, row: int | None, chosen: Selection, overlay: bool, text: bool, talk: Talk
) -> tuple[Attention, int | None]:
    """The head with the highest lift where none was asked for, and for a text its query; both are said."""
    free = chosen.layer is None and chosen.head == "all" and len(found.places) > 1
    free = free and not (found.pairs and overlay)
    if not free and not (text and row is None):
        return found, row
    from attnviz.measures.lift import strongest
    from attnviz.render.terminal_columns import number

    best = strongest(found, query=row)
    pair = f"{found.query_tokens[best.query]} -> {found.key_tokens[best.key]}"
    if free:
        layers = best.layer if found.places[0][0] is not None else None
        heads = best.head if found.places[0][1] is not None and not overlay else None
        found = found.select(layers=layers, heads=heads)
        named = [f"layer {best.layer}"] * (layers is not None) + [f"head {best.head}"] * (heads is not None)
        talk.note(f"{', '.join(named)}: the highest lift, {number(best.lift, 2)} ({pair}); -l and -H choose others")
    if text and row is None:
        talk.note(f"query {best.query}, {found.query_tokens[best.query]}: --query chooses another")
        row = best.query
    return found, row


def _figure(
    found: Attention,
    row: int | None,
    shape: str,
    overlay: bool,
    by: str,
    sheet: Sheet,
    made: dict[str, str],
    talk: Talk,
) -> Figure:
    how: dict[str, Any] = {"by": by, "bare": sheet.bare, "meta": made, "talk": talk}
    if shape == "text":
        from attnviz.page.lines_text import text

        assert row is not None
        return sheet.draw(text, found, row, **how)
    from attnviz.page.lines import lines

    return sheet.draw(lines, found, query=row, overlay=overlay, **how)


def _rows(found: Attention, row: int | None, by: str) -> list[dict[str, Any]]:
    """Every line that may be drawn, strongest first."""
    from attnviz.measures.lift import lifts

    lifted, weights = lifts(found), found.weights
    listed = []
    for at, (layer, head) in enumerate(found.places):
        i, j = divmod(at, weights.shape[1])
        for q in range(weights.shape[2]) if row is None else (row,):
            for k in weights[i, j, q].nonzero()[0].tolist():
                ends = {
                    "query": q,
                    "query_token": found.query_tokens[q],
                    "key": k,
                    "key_token": found.key_tokens[k],
                }
                numbers = {"weight": float(weights[i, j, q, k]), "lift": float(lifted[i, j, q, k])}
                listed.append({"layer": layer, "head": head, **ends, **numbers})
    return sorted(listed, key=lambda one: -one[by])
