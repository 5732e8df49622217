"""`attnviz heatmap`: attention as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attnviz.cli import first
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import DPI_OF_MAPS, SPAN, Pace, Page, Shade
from attnviz.cli.options import Input, Output, Saved, Talk, usage
from attnviz.cli.source import Source
from attnviz.flags import option
from attnviz.render import formats

FORMATS = formats.of(formats.FIGURE, formats.FRAMES)
LAYERS = "-1"  # without --layer
DPI = DPI_OF_MAPS


@command
def run(
    *,
    given: Input,
    saved: Saved,
    source: Source,
    chosen: first.Shown,
    map: bool = option(
        False, "With --image: the map of queries and keys, instead of one query's weights over the picture."
    ),
    shade: Shade,
    page: Page,
    span: tuple[str, ...] = SPAN,
    pace: Pace,
    output: Output,
    talk: Talk,
    line: Line,
) -> None:
    """Draw attention as a picture, one panel per head: PNG, SVG, PDF, PGF or GIF.

    Of tiny, the model that needs no -m, eight heads that do something with a name are drawn in whole words without
    special tokens, unless -l or -H names others; of other models the last layer.
    Without -o the picture is attention.png, or attention-2.png and so on where that is taken.
    The path is printed on standard output. With --image the class token's weights, or those of --query, lie over the
    picture. In .gif and .apng each layer is a frame, all of them by default.

    attnviz heatmap "The animal didn't cross the street because it was too tired"
    attnviz heatmap "The cat sat on the mat" -H 0.1,2.0,5.3 -o heads.png
    attnviz heatmap "It is a bank" -m minilm -l 3 -H 1 --mark it:bank -o bank.pdf
    attnviz heatmap --from attention.npy --labels tokens.txt --words -o map.svg
    attnviz heatmap --image cat.jpg -m path/to/vit --query 2,3
    attnviz heatmap "The cat sat on the mat" -l 2 -H 0,1 --span 1-2:who --span 4-6:where -o spans.pdf
    attnviz heatmap "The cat sat on the mat" -H 0-3 --frame-ms 500 -o layers.gif
    """
    from attnviz.cli import work

    format = output.chosen(FORMATS, "png")
    work.check_output(output, format)
    animated = format in formats.of(formats.FRAMES)
    over = given.image is not None and not map
    if over and animated:
        usage(f"a .{format} shows maps of queries and keys", "add --map")
    for name in ("mark", "tokens", "rows", "cols", "cells") if over else ():
        if getattr(page if name == "mark" else chosen, name):
            usage(f"--{name} needs the map of queries and keys", "add --map")
    from attnviz.models.find import titles  # what is wrong on its face is said without NumPy

    spans = _spans(span, chosen, over)
    cells = None if page.mark or over else 512  # marks and patches name single tokens
    model = None if saved.saved is not None else work.opened(source, talk, given, chosen.stream)
    does = {} if model is None else titles(model)
    opening = bool(does) and chosen.free() and not animated
    chosen = chosen.completed(opening)
    layers = "all" if animated else LAYERS
    found, picture = work.attention_and_picture(given, saved, source, chosen, talk, layers, cells, model)
    del model  # its tensors make room for the picture's pixels
    found = first.eight(found) if opening else found
    found, row, marks = work.narrowed(found, chosen, page.mark)

    from attnviz.page import frames
    from attnviz.page.heatmap import heatmap
    from attnviz.page.overlay import overlay

    how: dict[str, Any] = {
        "scale": shade.scale,
        "vmax": shade.limit(),
        "cmap": shade.cmap,
        "query": row,
        "meta": work.made(line, found),
        **({"spans": _within(spans, chosen)} if spans else {}),
        **page.options(),
    }
    if opening and page.title is None:
        how["title"] = first.heading(found, row)
    if animated:
        pictures = frames.by_layer(found, marks=marks, **how)
        work.write(output, format, lambda file: formats.write(format, pictures, file, milliseconds=pace.frame_ms))
        return
    if over and picture is not None:
        figure = overlay(found, picture, **how)
    else:
        figure = heatmap(found, marks=marks, decimals=shade.decimals, does=does, **how)
    drawn = formats.encode(format, figure)
    work.write(output, format, lambda file: file.write(drawn))
    if page.bare:
        talk.note(figure.caption)


def _spans(texts: Sequence[str], chosen: first.Shown, over: bool) -> list[tuple[int, int, str]]:
    """--span as the view takes it; UsageError for what is no span, or cannot be shown."""
    if not texts:
        return []
    from attnviz.errors import SelectionError
    from attnviz.page.spans import parse_span

    if over:
        usage("--span needs the map of queries and keys", "add --map")
    if chosen.rows is not None or chosen.cols is not None:
        usage("--span counts the tokens of the whole text: leave out --rows and --cols", "--tokens cuts both axes")
    try:
        return [parse_span(text) for text in texts]
    except SelectionError as error:
        usage(f"--span: {error}")


def _within(spans: list[tuple[int, int, str]], chosen: first.Shown) -> list[tuple[int, int, str]]:
    """The spans as --tokens leaves them, counted from its first token."""
    if chosen.tokens is None:
        return spans
    from attnviz.select import parse_range

    low, high = parse_range(chosen.tokens)
    for begin, end, label in spans:
        if end < low or begin > high:
            usage(f"--span {begin}-{end}:{label} lies outside of --tokens {chosen.tokens}")
    return [(max(begin, low) - low, min(end, high) - low, label) for begin, end, label in spans]
