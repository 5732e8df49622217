"""`attnviz norms`: what attention moves, beside its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnviz.cli.analyses import asked_format, write_rows
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import Shade, Sheet
from attnviz.cli.mixed import Places
from attnviz.cli.options import Input, Json, Output, Saved, Talk, usage
from attnviz.cli.source import Source
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.mixing import Moves

FORMATS = formats.of(formats.FIGURE, formats.ROWS)
LAYERS = "all"  # without --layer
MEASURES = ("weights", "norm", "residual", "alti", "zeroing", "effective")


@command
def run(
    *,
    given: Input,
    saved: Saved,
    source: Source,
    places: Places,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            metavar="NAME",
            help="Beside the weights: norm, residual, alti, zeroing or effective. Repeatable. Default: all there are.",
            rich_help_panel="What to show",
            show_default=False,
        ),
    ] = None,
    shade: Shade,
    sheet: Sheet,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """Measure what attention moves, beside its weights: norms, ALTI, value zeroing, effective attention.

    A large weight on a short value moves little. norm: of what the heads add for a token (Kobayashi 2020). residual:
    with the residual stream and the norms behind it (2021). alti: how near that comes to the whole (Ferrando 2022).
    zeroing: how the layer's output turns without a token's value (Mohebbi 2023). effective: weights without what the
    values cannot tell apart (Brunner 2020). All heads of a layer together, or with -H single ones: weights, norm and
    effective. In the terminal a summary, or with --query one token's view; -o draws the maps side by side. Up to 512
    tokens.

    attnviz norms "The animal didn't cross the street because it was too tired" -m minilm
    attnviz norms "The animal didn't cross the street because it was too tired" -m minilm -l 3 --query it
    attnviz norms "The cat sat on the mat" -m minilm -l 2 -H 0-3 -o norms.pdf
    attnviz norms "The cat sat on the mat" -m minilm --measure norm --json
    """
    from attnviz.cli import work

    for name in measure or ():
        if name not in MEASURES:
            from attnviz.errors import one_of

            usage(one_of("--measure", name, MEASURES))
    if saved.saved is not None:
        usage(
            "norms need values and W_O, which a file of attention does not hold",
            "give the text and the model: attnviz norms TEXT -m MODEL",
        )
    format = asked_format(output, listing, FORMATS)
    heads = places.head != "all"
    moves = _measured(given, source, places, measure, heads, talk)
    absolute = _joined(moves.by_head if heads else moves.maps, places)
    shares = _joined(moves.shares().by_head if heads else moves.shares().maps, places)
    for name, why in moves.left_out.items():
        talk.note(f"left out: {name}: {why}")
    if listing.json:
        work.print_json(_rows(absolute, shares, heads, places.query))
    elif format in ("json", "csv"):
        write_rows(output, format, list(_rows(absolute, shares, heads, places.query)), "norms")
    elif format:
        first = next(iter(shares.values()))
        drawn = _drawn(shares, heads, shade, sheet, format, work.made(line, first), talk)
        work.write(output, format, lambda file: file.write(drawn), "norms")
    else:
        _print(shares, heads, places, shade.decimals, talk)


def _measured(
    given: Input, source: Source, places: Places, measure: list[str] | None, heads: bool, talk: Talk
) -> Moves:
    from attnviz.cli import work
    from attnviz.errors import SelectionError
    from attnviz.mixing import norms_of
    from attnviz.render.progress import progress
    from attnviz.select import resolve_heads

    model, ready = work.prepared(given, source, places.stream, talk)
    at = resolve_heads(places.layer or LAYERS, places.head, ready.spec.n_layers, ready.spec.n_heads)
    names = None if measure is None else list(dict.fromkeys(["weights", *measure]))
    if heads:
        of_heads = ("weights", "norm", "effective")
        others = [name for name in names or () if name not in of_heads]
        if others:
            raise SelectionError(f"{others[0]} is of all heads together", f"leave out --head {places.head}")
    with progress("norms", total=1, quiet=talk.quiet) as advance:
        return norms_of(model, ready, names, at.beside, at.asked if heads else (), advance)


def _joined(found: dict[str, Attention], places: Places) -> dict[str, Attention]:
    from attnviz.cli import work

    joined = {name: work.joined(one, places) for name, one in found.items()}
    if places.tokens is None:
        return joined
    return {name: work.narrowed(one, replace(places.selection(), query=None))[0] for name, one in joined.items()}


def _rows(absolute: dict[str, Attention], shares: dict[str, Attention], heads: bool, query: str | None) -> Any:
    """An object a pair: weights, and each measure; of norms also their share of the row."""
    import numpy as np

    from attnviz.select import find_token

    first = next(iter(shares.values()))
    top, left = first.meta.get("origin", (0, 0))
    asked = range(len(first.queries)) if query is None else [find_token(first.queries, query, "queries")]
    for (i, j), (layer, head), (_, allowed) in _maps(first):
        for q in asked:
            for k in range(len(first.keys)) if allowed is None else np.flatnonzero(allowed[q]).tolist():
                row: dict[str, Any] = {"layer": layer}
                row |= {"head": head} if heads else {}
                row |= {"query": q + top, "query_token": first.query_tokens[q]}
                row |= {"key": k + left, "key_token": first.key_tokens[k]}
                for name, one in absolute.items():
                    row["weight" if name == "weights" else name] = float(one.weights[i, j, q, k])
                    if name in ("norm", "residual"):
                        row[f"{name}_share"] = float(shares[name].weights[i, j, q, k])
                yield row


def _maps(first: Attention) -> Iterator[tuple[tuple[int, ...], tuple[int | None, int | None], tuple[Any, Any]]]:
    """Each map's position, its layer and head, and its weights and mask."""
    import numpy as np

    return zip(np.ndindex(first.weights.shape[:2]), first.places, first.maps(), strict=True)


def _words(first: Attention, heads: bool) -> tuple[str, str]:
    """Title and subtitle."""
    from attnviz.facts import listed, pairs_in_words

    stream = "" if first.stream == "self" else f"{first.stream} self-attention"
    which = listed("head", first.heads) if heads else f"{len(first.heads)} heads together"
    at = pairs_in_words(first.pairs, first.places) if first.pairs else [listed("layer", first.layers), which]
    parts = [first.model, stream, "what attention moves", *at]
    seed = f"random weights, seed {first.meta.get('seed')} · " if first.meta.get("random") else ""
    rest = "norms as shares of their row" if heads else "norms as shares of their row, weights as the mean over heads"
    return " · ".join(part for part in parts if part), f"{seed}{len(first.queries)} tokens · {rest}"


def _drawn(
    shares: dict[str, Attention],
    heads: bool,
    shade: Shade,
    sheet: Sheet,
    format: str,
    made: dict[str, str],
    talk: Talk,
) -> bytes:
    from attnviz.page.norms import figure
    from attnviz.render.image import to_bytes

    title, subtitle = _words(next(iter(shares.values())), heads)
    limit = shade.limit()
    drawn = sheet.draw(
        figure,
        shares,
        heads=heads,
        scale=shade.scale,
        vmax=limit if isinstance(limit, float) else None,
        cmap=shade.cmap,
        decimals=shade.decimals,
        title=title,
        subtitle=subtitle,
        meta=made,
        talk=talk,
    )
    return to_bytes(drawn, format)


def _print(shares: dict[str, Attention], heads: bool, places: Places, decimals: int, talk: Talk) -> None:
    from attnviz.page.norms import SAYS
    from attnviz.page.wording import with_query
    from attnviz.render.terminal_rows import print_rows
    from attnviz.select import find_token

    first = next(iter(shares.values()))
    title, subtitle = _words(first, heads)
    if places.query is not None:
        query = find_token(first.queries, places.query, "queries")
        title = with_query(title, first.query_tokens[query])
        header, rows = _one_query(shares, heads, query, decimals)
        notes = [SAYS[name] for name in shares]
    else:
        header, rows = _summary(shares, heads, decimals)
        notes = [
            "special, self: mean share of a row on special tokens and on the token itself",
            "unlike: total variation from the raw weights, 0 to 1, the mean over rows",
            *(SAYS[name] for name in shares),
        ]
    notes += [note for note in first.reduced.split("; ") if note]
    align = "".join("l" if name in ("measure", "token") else "r" for name in header)
    print_rows(rows, header, align, title=title, subtitle=subtitle, notes=notes)


def _summary(shares: dict[str, Attention], heads: bool, decimals: int) -> tuple[list[str], list[list[str]]]:
    """A line a layer (or head) and measure."""
    from attnviz.measures.norms import summary

    first = next(iter(shares.values()))
    special = first.key_special
    header = ["layer", *(["head"] if heads else []), "measure", "special", "self", "unlike"]
    rows = []
    for at, (layer, head), (weights, _) in _maps(first):
        for name, one in shares.items():
            shown = [f"{value:.{decimals}f}" for value in summary(one.weights[at], weights, special).result()]
            rows.append([str(layer), *([str(head)] if heads else []), name, *shown])
    return header, rows


def _one_query(
    shares: dict[str, Attention], heads: bool, query: int, decimals: int
) -> tuple[list[str], list[list[str]]]:
    """A line a layer (or head) and key that the query may see, a column a measure."""
    first = next(iter(shares.values()))
    header = ["layer", *(["head"] if heads else []), "key", "token", *shares]
    rows = []
    for (i, j), (layer, head), (_, allowed) in _maps(first):
        for key, token in enumerate(first.key_tokens):
            if allowed is not None and not allowed[query, key]:
                continue
            shown = [f"{float(one.weights[i, j, query, key]):.{decimals}f}" for one in shares.values()]
            rows.append([str(layer), *([str(head)] if heads else []), str(key), token, *shown])
    return header, rows
