"""`attnviz rollout`: how much of each input token is in each position, layer after layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.analyses import asked_format
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import DPI_OF_MAPS, Page, Shade
from attnviz.cli.mixed import FORMATS, Places, give, residual_option
from attnviz.cli.options import HEADS_OF_ALL, Input, Json, Output, Saved, Talk, usage
from attnviz.cli.source import Source

if TYPE_CHECKING:
    from attnviz.attention import Attention


LAYERS = "all"  # without --layer
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
    measure: Annotated[
        str,
        typer.Option(
            "--of",
            metavar="NAME",
            help="What is multiplied up: weights, or what attnviz norms measures: residual, alti or zeroing.",
            rich_help_panel="What to show",
            show_default=True,
        ),
    ] = "weights",
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
    Words are joined after the rollout. Long texts are followed as they pass. With --of the layers' maps are
    those of attnviz norms, which have the residual stream in them.

    attnviz rollout "The animal didn't cross the street because it was too tired" -m minilm -l -1
    attnviz rollout "The cat sat on the mat" -m minilm --query sat
    attnviz rollout "The cat sat on the mat" -m minilm --of alti
    attnviz rollout --from attention.npz -o rollout.pdf
    """
    places.of_layers("rollout")
    if measure != "weights":
        _check(measure, saved, places, residual)
    format = asked_format(output, listing, FORMATS)
    found = _found(given, saved, source, places, residual, measure, talk)
    give(found, "rollout", places, shade, page, output, listing, format, talk, line)


def _check(measure: str, saved: Saved, places: Places, residual: float) -> None:
    from attnviz.errors import one_of

    known = ("weights", "residual", "alti", "zeroing")
    if measure not in known:
        usage(one_of("--of", measure, known))
    if saved.saved is not None:
        usage(f"--of {measure} needs values and W_O, which a file of attention does not hold")
    if places.head != "all" or residual != 0.5:
        usage(f"--of {measure} is of all heads together, with the model's own residual stream")


def _found(
    given: Input, saved: Saved, source: Source, places: Places, residual: float, measure: str, talk: Talk
) -> Attention:
    from dataclasses import replace

    from attnviz.cli import work
    from attnviz.measures.rollout import rollout
    from attnviz.mixing import rollout_by, rollout_of
    from attnviz.render.progress import progress
    from attnviz.select import resolve_indices

    if saved.saved is not None:
        everything = replace(places.selection(), layer="all", words=False, no_special=False)
        found = rollout(work.attention(given, saved, source, everything, talk, layers="all"), residual)
        found = found.select(layers=resolve_indices("layer", places.layer or LAYERS, found.layers))
    else:
        model, ready = work.prepared(given, source, places.stream, talk)
        layers = resolve_indices("layer", places.layer or LAYERS, range(ready.spec.n_layers))
        heads = resolve_indices("head", places.head, range(ready.spec.n_heads))
        with progress("rollout", total=1, quiet=talk.quiet) as advance:
            if measure == "weights":
                found = rollout_of(model, ready, layers, heads, residual, advance)
            else:
                found = rollout_by(model, ready, measure, layers, advance)
    return work.joined(found, places)
