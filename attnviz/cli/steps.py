"""`attnviz steps`: how one query's attention comes about, from embeddings to the layer's output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from attnviz.cli.expand import Line, command
from attnviz.cli.looks import Shade, Sheet
from attnviz.cli.options import ONE_HEAD, PAGE, Input, Json, Output, Selection, Talk, one_head, option, usage
from attnviz.cli.source import Source
from attnviz.flags import same
from attnviz.render import formats

FORMATS = (*formats.of(formats.FIGURE), "npz", "json")
LAYERS = "-1"  # without --layer
HEADS_MEAN = ONE_HEAD
PICTURES = formats.of(formats.FIGURE)
PARTS = ("qkv", "scores", "heads")  # of --diagram


@dataclass(frozen=True)
class One:
    """One layer, one head, one query."""

    layer: str | None = same(Selection, "layer", default=None)
    head: str | None = same(Selection, "head", default=None)
    query: str | None = same(Selection, "query", default=None)
    stream: str | None = same(Selection, "stream", default=None)
    decimals: int = same(Shade, "decimals", default=2)

    def __post_init__(self) -> None:
        from attnviz.errors import one_of

        self.at()
        streams = ("self", "encoder", "decoder", "cross")
        if self.stream is not None and self.stream not in streams:
            usage(one_of("--stream", self.stream, streams))
        if not 0 <= self.decimals <= 7:
            usage(f"--decimals wants 0 to 7; got {self.decimals}")

    def at(self) -> tuple[int, int]:
        """Layer and head, as they were asked for."""
        layer, head = one_head(self.layer, self.head, "steps shows one {}")
        return int(layer or LAYERS), int(head or "0")


@dataclass(frozen=True)
class Diagram:
    """Diagrams instead of a page of maps."""

    diagram: bool = option(
        False, "Draw the three diagrams that explain attention, with these numbers, on one page.", panel=PAGE
    )
    part: str | None = option(
        None,
        "With --diagram, one of the three: a token through W_Q, W_K and W_V; scores, mask, softmax and "
        "weighted sum; heads side by side into W_O.",
        metavar="qkv|scores|heads",
        panel=PAGE,
    )

    def __post_init__(self) -> None:
        from attnviz.errors import one_of

        if self.part is not None and self.part not in PARTS:
            usage(one_of("--part", self.part, PARTS))
        if self.part is not None and not self.diagram:
            usage("--part chooses one of the figures of --diagram: add --diagram")

    def view(self) -> Callable[..., Any]:
        """The function that lays the page out."""
        from attnviz.page import diagram, steps

        return partial(diagram.figure, part=self.part or "all") if self.diagram else steps.figure


@command
def run(
    *,
    given: Input,
    source: Source,
    one: One,
    how: Diagram,
    sheet: Sheet,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """Walk through attention step by step: one layer, one head, one token.

    Embeddings, queries, keys and values; raw scores; scaling; mask; softmax; the sum of the values; the heads
    together. Printed in the terminal, or with -o drawn on one page (PNG, SVG, PDF) or written as numbers (.npz, .json).
    --diagram draws the same numbers as three diagrams: one token through W_Q, W_K and W_V; its scores, the mask, the
    softmax and the weighted sum; the heads side by side into W_O.
    By default the last layer, head 0, and the last token that is not special.

    attnviz steps "The cat sat on the mat" --query cat
    attnviz steps "The cat sat on the mat" -m minilm -l 3 -H 1 --query cat -o steps.pdf
    attnviz steps "The cat sat on the mat" --query cat --diagram -o diagram.pdf
    attnviz steps "The cat sat on the mat" --diagram --part scores -o scores.png
    attnviz steps "I like tea" -m sample_inputs/by_hand.npz
    attnviz steps "The cat sat on the mat" --json
    """
    from attnviz.cli import work

    written = output.output is not None or output.format is not None or how.diagram
    if written and listing.json:
        usage("--json prints to standard output: leave out -o and --diagram, or write a file that ends in .json")
    format = output.chosen(PICTURES if how.diagram else FORMATS, "png") if written else ""
    if written:
        work.check_output(output, format)
    steps = _walked(given, source, one, talk)
    if listing.json:
        from attnviz.render.steps_data import rows

        work.print_json(rows(steps))
    elif not written:
        from attnviz.render.terminal_steps import print_steps

        print_steps(steps, decimals=one.decimals)
    else:
        made = work.facts(line, steps.facts.model, steps.facts.meta)
        work.write(output, format, lambda file: file.write(_bytes(steps, format, one, how, sheet, made, talk)), "steps")


def _walked(given: Input, source: Source, one: One, talk: Talk) -> Any:
    from attnviz.cli import work
    from attnviz.render.progress import progress
    from attnviz.steps import find_query, steps

    model, ready = work.prepared(given, source, one.stream, talk)
    layer, head = one.at()
    query = find_query(ready.queries, one.query)
    with progress("attention", total=1, quiet=talk.quiet) as advance:
        found = steps(model, ready, layer, head, query, advance)
    if one.head is None and ready.spec.n_heads > 1:
        talk.note(f"head {head} of 0-{ready.spec.n_heads - 1}: --head chooses another")
    if one.query is None and len(ready.queries) > 1:
        talk.note(f"query {query} of 0-{len(ready.queries) - 1}: --query chooses another")
    return found


def _bytes(steps: Any, format: str, one: One, how: Diagram, sheet: Sheet, made: dict[str, str], talk: Talk) -> bytes:
    if format not in PICTURES:
        import io

        from attnviz.render.steps_data import WRITERS

        file = io.BytesIO()
        WRITERS[format](steps, file, made=made)
        return file.getvalue()
    from attnviz.render.image import to_bytes

    drawn = sheet.draw(how.view(), steps, decimals=one.decimals, meta=made, talk=talk)
    return to_bytes(drawn, format)
