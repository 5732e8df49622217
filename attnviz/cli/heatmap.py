"""`attnviz heatmap`: attention as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from attnviz.cli import first, opening
from attnviz.cli.expand import Line, command
from attnviz.cli.figure_options import DPI_OF_MAPS, Colours, Pace, Picture
from attnviz.cli.options import PAGE, Input, Output, Saved, Talk, usage
from attnviz.cli.source import Source
from attnviz.cli.writing import check_output, write
from attnviz.errors import SelectionError
from attnviz.flags import option
from attnviz.render import formats

FORMATS = formats.of(formats.FIGURE, formats.FRAMES)
LAYERS = "-1"  # without --layer
DPI = DPI_OF_MAPS


@dataclass(frozen=True)
class Named:
    """Cells and tokens that are pointed out."""

    mark: tuple[str, ...] = option((), "Outline a cell, as in it:animal. Repeatable.", metavar="QUERY:KEY", panel=PAGE)
    span: tuple[str, ...] = option(
        (), "A bracket over these tokens, as in 0-12:Source. Repeatable.", metavar="FIRST-LAST:LABEL", panel=PAGE
    )


@command
def run(
    *,
    input: Input,
    saved: Saved,
    source: Source,
    chosen: first.Shown,
    colours: Colours,
    picture: Picture,
    named: Named,
    pace: Pace,
    output: Output,
    talk: Talk,
    line: Line,
) -> None:
    """Draw attention as a picture, one panel per head: PNG, SVG, PDF, PGF or GIF.

    Without -l and -H, eight heads of tiny, the model that needs no -m, are drawn that do something with a name, in
    whole words and without special tokens; other models show the last layer.
    Without -o the picture is attention.png, or attention-2.png and so on where that is taken.
    The path is printed on standard output. With --image the weights of the class token, or of --query, lie over the
    picture. In .gif and .apng each layer is a frame, all of them by default.

    attnviz heatmap "The animal didn't cross the street because it was too tired"
    attnviz heatmap "The cat sat on the mat" -H 0.1,2.0,5.3 -o heads.png
    attnviz heatmap "It is a bank" -m minilm -l 3 -H 1 --mark it:bank -o bank.pdf
    attnviz heatmap --from attention.npy --labels tokens.txt --words -o map.svg
    attnviz heatmap --image cat.jpg -m path/to/vit --query 2,3
    attnviz heatmap "The cat sat on the mat" -l 2 -H 0,1 --span 1-2:who --span 4-6:where -o spans.pdf
    attnviz heatmap "The cat sat on the mat" -H 0-3 --frame-ms 500 -o layers.gif
    """
    format = output.chosen(FORMATS, "png")
    check_output(output, format)
    animated = format in formats.of(formats.FRAMES)
    over = input.image is not None and not chosen.map
    if over and animated:
        usage(f"a .{format} shows maps of queries and keys", "add --map")
    for name in ("mark", "tokens", "rows", "cols", "cells", "span") if over else ():
        if getattr(named if name in ("mark", "span") else chosen, name):
            usage(f"--{name} needs the map of queries and keys", "add --map")
    from attnviz.models.find import titles  # plain errors come before NumPy is imported

    spans = _spans(named.span, chosen)
    cells = None if named.mark or over else 512  # marks and patches name single tokens
    model = None
    if saved.saved is None:
        opening.check_given(input)
        model = opening.load(source, talk, input, chosen.stream)
    does = {} if model is None else titles(model)
    eight = bool(does) and chosen.free() and not animated
    chosen = chosen.completed(eight)
    layers = "all" if animated else LAYERS
    attention, pixels = opening.attention_and_picture(input, saved, source, chosen, talk, layers, cells, model)
    del model  # its tensors make room for the picture's pixels
    attention = first.eight(attention) if eight else attention
    attention, query, marks = opening.narrowed(attention, chosen, named.mark)

    from attnviz.facts import made_by
    from attnviz.page import frames
    from attnviz.page.heatmap import heatmap
    from attnviz.page.overlay import overlay

    meta = made_by(line, attention.model, attention.meta)
    options: dict[str, Any] = {**vars(colours), **vars(picture), "query": query, "meta": meta}
    decimals = options.pop("decimals")
    options |= {"spans": spans} if spans else {}
    if eight and picture.title is None:
        options["title"] = first.heading(attention, query)
    if animated:
        pictures = frames.by_layer(attention, marks=marks, **options)
        write(output, format, lambda file: formats.write(format, pictures, file, milliseconds=pace.frame_ms))
        return
    if over and pixels is not None:
        figure = overlay(attention, pixels, **options)
    else:
        figure = heatmap(attention, marks=marks, decimals=decimals, does=does, **options)
    drawn = formats.encode(format, figure)
    write(output, format, lambda file: file.write(drawn))
    if picture.bare:
        talk.note(figure.caption)


def _spans(texts: Sequence[str], chosen: first.Shown) -> list[tuple[int, int, str]]:
    """--span as (first, last, label), counted from the first token of --tokens. UsageError if it cannot be shown."""
    if not texts:
        return []
    from attnviz.page.spans import parse_span
    from attnviz.select import parse_range

    if chosen.rows is not None or chosen.cols is not None:
        usage("--span counts the tokens of the whole text: leave out --rows and --cols", "--tokens cuts both axes")
    try:
        spans = [parse_span(text) for text in texts]
    except SelectionError as error:
        usage(f"--span: {error}")
    if chosen.tokens is None:
        return spans
    low, high = parse_range(chosen.tokens)
    for begin, end, label in spans:
        if end < low or begin > high:
            usage(f"--span {begin}-{end}:{label} lies outside of --tokens {chosen.tokens}")
    return [(max(begin, low) - low, min(end, high) - low, label) for begin, end, label in spans]
