"""`attnviz html`: every head in a browser, in one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.cli import opening
from attnviz.cli.expand import Line, command
from attnviz.cli.figure_options import Colours, Picture, limit
from attnviz.cli.options import PAGE, Input, Output, Saved, Selection, Talk, usage
from attnviz.cli.source import Source
from attnviz.cli.writing import check_output, write
from attnviz.errors import one_of
from attnviz.flags import PICK, QUERY_HELP, option, same
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.models.model import Model
    from attnviz.page.parts import Details

    Streams = list[tuple[Attention, Details | None]]

FORMATS = formats.of(formats.PAGE)
LAYERS = "all"  # without --layer


@dataclass(frozen=True)
class Shown(Selection):
    """Which layers, heads and tokens the page has, and where its reader starts."""

    query: str | None = option(
        None, f"{QUERY_HELP} In this command: the page starts there.", metavar="TOKEN", panel=PICK
    )
    cells: int | None = option(
        None,
        "Pool a longer text to at most N x N cells a head, as it is computed. Default: whole maps up to 512 tokens and "
        "while all have 40 million weights, then as many cells.",
        metavar="N",
        low=1,
        panel=PICK,
    )
    neuron: bool = option(
        False, "The queries and keys of every head too, which show where a score comes from.", panel=PICK
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("words", "no_special", "mean", "tokens", "rows", "cols", "cells")
        for name in names if self.neuron else ():
            if getattr(self, name) not in (None, False):
                usage(f"--neuron shows single tokens and heads: leave out --{name.replace('_', '-')}")

    def single(self) -> bool:
        """Whether single tokens are asked for, which need whole maps."""
        return any((self.words, self.no_special, self.tokens, self.rows, self.cols, self.neuron))


@dataclass(frozen=True)
class Start:
    """The page as it looks when it is opened; its reader may change all but the title."""

    title: str | None = same(Picture, "title")
    scale: str = same(Colours, "scale", "auto")
    vmax: str | None = same(Colours, "vmax")
    cmap: str = same(Colours, "cmap", "ink")
    view: str | None = option(
        None, "The first view: board, map, lines, text, neuron or table. Default: board.", metavar="NAME", panel=PAGE
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "vmax", limit(self.vmax))  # a text for typer, a number from here on
        scales = ("auto", "linear", "sqrt", "log", "row")
        views = (None, "board", "map", "lines", "text", "neuron", "table")
        colours = ("ink", "viridis", "cividis", "magma", "Greys")
        for name, value, known in (
            ("--scale", self.scale, scales), ("--cmap", self.cmap, colours), ("--view", self.view, views)
        ):  # fmt: skip
            if value not in known:
                usage(one_of(name, value, tuple(filter(None, known))))

    def state(self, attention: Attention, token: int | None) -> dict[str, Any]:
        """The place where the reader starts, at a token of this attention."""
        high: Any = self.vmax
        if high == "auto":
            from attnviz.page.colour_limits import limits

            high = limits(attention, "auto", "auto", "ink")[0].high
        said = {"token": token, "view": self.view, "high": high, "scale": self.scale, "cmap": self.cmap}
        return {name: value for name, value in said.items() if value not in (None, "auto", "ink")}


@command
def run(
    *,
    input: Input,
    saved: Saved,
    source: Source,
    chosen: Shown,
    start: Start,
    output: Output,
    talk: Talk,
    line: Line,
) -> None:
    """Write every head as a page for a browser: one file that needs no network.

    Without -o the page is attention.html, or attention-2.html and so on where that is taken; its path is printed. An
    encoder-decoder with --target has its three streams. Weights move by at most 1/500 of a map's largest; a long text
    is pooled to cells, with the strongest links of each head exact.

    attnviz html "The cat sat on the mat" -o cat.html
    attnviz html "The animal was too tired, so it slept" -m minilm -l 3-5 --query it -o it.html
    attnviz html "Dogs like bones" -m path/to/t5 --target "Hunde mögen Knochen" -o streams.html
    attnviz html "The cat sat on the mat" --neuron --view neuron --query sat -o neuron.html
    attnviz html --file chapter.txt -m model.gguf -o chapter.html
    attnviz html --image cat.jpg -m path/to/vit -o patches.html
    """
    format = output.chosen(FORMATS, "html")
    check_output(output, format)
    if start.view == "neuron" and not chosen.neuron:
        usage("--view neuron needs --neuron")
    streams: Streams
    if saved.saved is not None:
        if chosen.neuron:
            usage("--neuron needs a model: a file of attention has no queries and keys")
        streams = [(opening.attention(input, saved, source, chosen, talk, LAYERS), None)]
    else:
        streams = _computed(input, source, chosen, talk)
    sources = [_narrowed(attention, details, chosen) for attention, details in streams]

    from attnviz.facts import made_by
    from attnviz.show import explorer_page

    attentions = [attention for attention, _, _ in sources]
    title = start.title
    if title is None and len(attentions) > 1:
        title = f"{attentions[0].model} · {len(attentions)} streams"
    page = explorer_page(
        attentions,
        title=title,
        details=[details for _, details, _ in sources],
        start=start.state(attentions[0], sources[0][2]),
    )
    meta = made_by(line, attentions[0].model, attentions[0].meta)
    drawn = formats.encode(format, page, made_by=meta)
    write(output, format, lambda file: file.write(drawn))


def _computed(input: Input, source: Source, chosen: Shown, talk: Talk) -> Streams:
    """The attention of each stream that is shown."""
    from attnviz.analyses.every_head import Wish, every_head
    from attnviz.render.progress import progress

    opening.check_given(input)
    text = opening.text_of(input)
    model = opening.load(source, talk, input, chosen.stream)
    streams = _streams(model, input, chosen)
    image = input.image is not None
    for stream in streams:
        opening.check_own_heads(model, stream, image, chosen.own_heads)
    at = [chosen.among(*model.size(stream, image), LAYERS) for stream in streams]
    inputs, picture = opening.inputs(input, text, model, source)
    wish = Wish(
        0 if chosen.single() and chosen.cells is None else chosen.cells,
        chosen.pool,
        chosen.window("rows"),
        chosen.window("cols"),
        chosen.own_heads,
        chosen.neuron,
    )
    attentions: Streams = []
    with progress("attention", total=len(streams), quiet=talk.quiet) as advance:
        for stream, heads in zip(streams, at, strict=True):
            arguments = inputs if stream != "encoder" or len(streams) == 1 else {**inputs, "target": None}
            attention, details = every_head(model, arguments, stream, heads, wish, advance)
            attentions.append((attention, _with_picture(attention, details, picture)))
    return attentions


def _streams(model: Model, input: Input, chosen: Shown) -> Sequence[str]:
    """The streams that are shown: all three of an encoder-decoder that is given a target."""
    if chosen.stream is None and input.target is not None and len(model.streams) > 1:
        streams = [name for name in ("encoder", "decoder", "cross") if name in model.streams]
        for name in ("query", "tokens", "rows", "cols"):
            if getattr(chosen, name) is not None:
                usage(f"--{name} means the tokens of one stream", "choose it: --stream encoder, decoder or cross")
        return streams
    return [opening.stream_of(model, chosen.stream, input)]


def _with_picture(attention: Attention, details: Details, picture: Any) -> Details:
    from dataclasses import replace

    return details if picture is None or attention.grid is None else replace(details, picture=picture)


def _narrowed(
    attention: Attention, details: Details | None, chosen: Shown
) -> tuple[Attention, Details | None, int | None]:
    """With --words, --no-special, --mean and --tokens applied; the place of --query among the queries that are left."""
    from attnviz.attention import joined

    if details is not None:  # a file's attention has been joined
        attention = joined(attention, chosen.words, not chosen.no_special)
        attention = attention if chosen.mean is None else attention.mean(chosen.mean)
    cell = attention.cell
    if cell > 1 and details is not None and details.tokens is not None and chosen.query is not None:
        from attnviz.select import find_token

        return attention, details, find_token(details.tokens[0], chosen.query, "queries") // cell
    attention, token, _ = opening.narrowed(attention, chosen)
    return attention, details, token
