"""`attnviz rollout`: how much of each input token is in each position, layer after layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from attnviz.cli.analyses import asked_format
from attnviz.cli.expand import Line, command
from attnviz.cli.mixed import FORMATS, Places, give, residual_option
from attnviz.cli.options import Input, Json, Output, Page, Saved, Shade, Source, Talk

if TYPE_CHECKING:
    from attnviz.attention import Attention


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
    """Follow attention through the layers: how much of each input token is in each position.

    Rollout (Abnar and Zuidema 2020): the mean over heads, half of it the residual stream, multiplied up from layer 0.
    A map a layer, whose rows sum to 1: in the terminal, or with -o as a picture or as numbers (.npz, .json, .csv).
    Words are joined after the rollout. Long texts are followed as they pass.

    attnviz rollout "The animal didn't cross the street because it was too tired" -m minilm -l -1
    attnviz rollout "The cat sat on the mat" -m minilm --query sat
    attnviz rollout --from attention.npz -o rollout.pdf
    """
    format = asked_format(output, listing, FORMATS)
    found = _found(given, saved, source, places, residual, talk)
    give(found, "rollout", places, shade, page, output, listing, format, talk, line)


def _found(given: Input, saved: Saved, source: Source, places: Places, residual: float, talk: Talk) -> Attention:
    from dataclasses import replace

    from attnviz.analysis.rollout import rollout
    from attnviz.cli import work
    from attnviz.mixing import rollout_of
    from attnviz.pick import resolve_indices
    from attnviz.render.progress import progress

    if saved.saved is not None:
        everything = replace(places.selection(), layer="all", words=False, no_special=False)
        found = rollout(work.attention(given, saved, source, everything, talk, layers="all"), residual)
        found = found.select(layers=resolve_indices("layer", places.layer or "all", found.layers))
    else:
        model, ready = work.prepared(given, source, places.stream, talk)
        layers = resolve_indices("layer", places.layer or "all", range(ready.spec.n_layers))
        heads = resolve_indices("head", places.head, range(ready.spec.n_heads))
        with progress("rollout", total=1, quiet=talk.quiet) as advance:
            found = rollout_of(model, ready, layers, heads, residual, advance)
    return work.joined(found, places)
