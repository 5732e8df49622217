"""`attnviz flow`: how much of each input token can reach a position, the weights being the widths of pipes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from attnviz.cli.analyses import asked_format
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import DPI_OF_MAPS, Page, Shade
from attnviz.cli.mixed import FORMATS, Places, give, residual_option
from attnviz.cli.options import HEADS_OF_ALL, Input, Json, Output, Saved, Talk
from attnviz.cli.source import Source

if TYPE_CHECKING:
    from attnviz.attention import Attention


LAYERS = "-1"  # without --layer
DPI = DPI_OF_MAPS
HEADS_MEAN = HEADS_OF_ALL


@command
def run(
    *,
    given: Input,
    saved: Saved,
    source: Source,
    places: Places,
    residual: Annotated[float, residual_option] = 0.5,
    shade: Shade,
    page: Page,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """Follow attention through the layers as water through pipes: the largest flow to each input token.

    Flow (Abnar and Zuidema 2020): every weight, averaged over heads and joined with the residual stream, is the width
    of a pipe; a number is the most that can flow from a position to an input token. Of the last layer, unless -l asks
    for others; -l all takes several times as long. Up to 128 tokens. Words are joined before flows are looked for.

    attnviz flow "The animal didn't cross the street because it was too tired" -m minilm
    attnviz flow "The cat sat on the mat" -m minilm -l all -o flow.png
    attnviz flow --from attention.npz --query sat --json
    """
    places.of_layers("flow")
    format = asked_format(output, listing, FORMATS)
    found = _found(given, saved, source, places, residual, talk)
    give(found, "flow", places, shade, page, output, listing, format, talk, line)


def _found(given: Input, saved: Saved, source: Source, places: Places, residual: float, talk: Talk) -> Attention:
    from dataclasses import replace

    from attnviz.cli import work
    from attnviz.measures.flow import check_size, flow
    from attnviz.measures.rollout import check
    from attnviz.mixing import means
    from attnviz.render.progress import progress
    from attnviz.select import find_token, resolve_indices

    if saved.saved is not None:
        everything = replace(places.selection(), layer="all", words=False, no_special=False)
        found = work.attention(given, saved, source, everything, talk, layers="all")
        check(found)
        wanted = resolve_indices("layer", places.layer or LAYERS, found.layers)
    else:
        model, ready = work.prepared(given, source, places.stream, talk)
        wanted = resolve_indices("layer", places.layer or LAYERS, range(ready.spec.n_layers))
        heads = resolve_indices("head", places.head, range(ready.spec.n_heads))
        if not places.words:
            check_size(len(ready.keys))
        with progress("attention", total=1, quiet=talk.quiet) as advance:
            found = means(model, ready, max(wanted), heads, advance)
    query = None if places.query is None else [find_token(work.joined(found, places).queries, places.query, "queries")]
    found = found.words() if places.words else found
    if query is not None and places.no_special:  # its place among all tokens
        query = [[i for i, special in enumerate(found.queries.special) if not special][query[0]]]
    with progress("flow", total=1, quiet=talk.quiet) as advance:
        found = flow(found, wanted, query, residual, advance)
    return found.without_special() if places.no_special else found
