"""`attnviz similar`: which heads attend alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attnviz.cli.analyses import Heads, asked_format, write_rows
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import Sheet
from attnviz.cli.options import Input, Json, Output, Saved, Talk
from attnviz.cli.source import Source
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.measures.similar import Similarity

FORMATS = formats.of(formats.FIGURE, formats.ROWS, formats.ARRAYS)
LAYERS = "all"  # without --layer


@command
def run(
    *,
    given: Input,
    saved: Saved,
    source: Source,
    heads: Heads,
    sheet: Sheet,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """Show which heads attend alike: their distances, in order and as a map.

    The distance of two heads is the root of the mean Jensen-Shannon divergence of their rows, from 0 for equal to
    0.83. Heads stand in the order of a dendrogram (average linkage), each with the one nearest to it and its place in
    the plane (classical scaling). With -o a picture of both; .npz has all distances. Of a long text rows spread evenly
    over it are compared.

    attnviz similar "The cat sat on the mat"
    attnviz similar "The animal was too tired" -m minilm -o heads.pdf
    attnviz similar --from attention.npz -l 0-2 --json
    """
    from attnviz.cli import work
    from attnviz.measures.similar import similar
    from attnviz.render.progress import progress

    format = asked_format(output, listing, FORMATS)
    attention = work.joined(_attention(given, saved, source, heads, talk), heads)
    with progress("distances", total=1, quiet=talk.quiet) as advance:
        found = similar(attention, advance)
    if listing.json:
        work.print_json(rows(found))
    elif format in ("json", "csv"):
        write_rows(output, format, list(rows(found)), "similar")
    elif format == "npz":
        work.write(output, format, lambda file: _write_npz(found, file, work.made(line, attention)), "similar")
    elif format:
        drawn = _drawn(found, format, sheet, work.made(line, attention), talk)
        work.write(output, format, lambda file: file.write(drawn), "similar")
    else:
        from attnviz.render.terminal_similar import print_similar

        print_similar(found)


def rows(found: Similarity) -> Iterator[dict[str, Any]]:
    """A head each, in the order of the dendrogram."""
    for place, head in enumerate(found.order):
        nearest = found.nearest(head)
        yield {
            "layer": found.names[head][0],
            "head": found.names[head][1],
            "place": place,
            "nearest_layer": found.names[nearest][0],
            "nearest_head": found.names[nearest][1],
            "distance": float(found.distances[head, nearest]),
            "x": float(found.places[head, 0]),
            "y": float(found.places[head, 1]),
        }


def _attention(given: Input, saved: Saved, source: Source, heads: Heads, talk: Talk) -> Attention:
    from attnviz.cli import work
    from attnviz.models.source import affordable_rows, attend_rows
    from attnviz.render.progress import progress
    from attnviz.select import evenly, resolve_heads

    if saved.saved is not None:
        return work.attention(given, saved, source, heads.selection(), talk, layers=LAYERS)
    model, ready = work.prepared(given, source, heads.stream, talk)
    at = resolve_heads(heads.layer or LAYERS, heads.head, ready.spec.n_layers, ready.spec.n_heads)
    most = affordable_rows(at.count, len(ready.keys))
    places = evenly(ready.queries, most, heads.words, not heads.no_special)
    with progress("attention", total=1, quiet=talk.quiet) as advance:
        found = attend_rows(model, ready, at, places, advance)
    if "sampled" in found.meta:
        talk.note(f"a long text: {found.reduced} are compared")
    return found


def _write_npz(found: Similarity, file: Any, made: dict[str, str]) -> None:
    """distances [head, head], places [head, 2], order [head], names [head, 2], joins [join, 3], and meta."""
    import json

    import numpy as np

    from attnviz.io.data import write_arrays

    write_arrays(
        file,
        {
            "distances": found.distances,
            "places": found.places,
            "order": np.array(found.order, np.int64),
            "names": np.array(found.names, np.int64),
            "joins": np.array(found.joins, np.float64).reshape(-1, 3),
            "meta": np.array(json.dumps(made, sort_keys=True, ensure_ascii=False)),
        },
    )


def _drawn(found: Similarity, format: str, sheet: Sheet, made: dict[str, str], talk: Talk) -> bytes:
    from attnviz.page.similar import figure
    from attnviz.render.image import to_bytes

    drawn = sheet.draw(
        figure,
        found,
        meta=made,
        talk=talk,
    )
    return to_bytes(drawn, format)
