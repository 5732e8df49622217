"""`attnviz diff`: what changes in attention from one text, model, layer or file to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnviz.cli.analyses import TOP, Heads, asked_format, write_rows
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import Sheet
from attnviz.cli.options import Input, Json, Output, Saved, Talk, usage
from attnviz.cli.source import Source
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.measures.diff import Difference
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model
    from attnviz.select import Chosen

FORMATS = formats.of(formats.FIGURE, formats.ROWS)
LAYERS = "all"  # without --layer
ROOM = 4  # times `models.source.SAMPLE_WEIGHTS`: 67 MB on either side


def _other(*names: str, metavar: str, help: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel="Against what", show_default=False)


@dataclass(frozen=True)
class Other:
    """The second of what is compared."""

    second: Annotated[
        str | None, typer.Argument(metavar="[TEXT2]", help="A second text, for the same model.", show_default=False)
    ] = None
    file_b: Annotated[str | None, _other("--file-b", metavar="PATH", help="Read the second text from a file.")] = None
    model_b: Annotated[
        str | None, _other("--model-b", metavar="NAME|PATH", help="A second model, as for --model, on the same text.")
    ] = None
    adapter_b: Annotated[
        str | None, _other("--adapter-b", metavar="DIR", help="The second model with a PEFT LoRA adapter.")
    ] = None
    layer_b: Annotated[
        str | None, _other("--layer-b", metavar="LAYERS", help="Other layers, against those of --layer, head by head.")
    ] = None
    from_b: Annotated[
        str | None, _other("--from-b", metavar="FILE", help="A second file of attention, against that of --from.")
    ] = None

    def __post_init__(self) -> None:
        ways = self.ways()
        if not ways:
            usage(
                "wanted something to compare with: TEXT2, --file-b, --model-b, --adapter-b, --layer-b or --from-b",
                'as in attnviz diff "it was too tired" "it was too wide"',
            )
        if len(ways) > 1 and set(ways) != {"--model-b", "--adapter-b"}:
            usage(f"{' and '.join(ways)}: wanted one of them")

    def ways(self) -> list[str]:
        """What the second is given by."""
        found = {
            "TEXT2": self.second,
            "--file-b": self.file_b,
            "--model-b": self.model_b,
            "--adapter-b": self.adapter_b,
            "--layer-b": self.layer_b,
            "--from-b": self.from_b,
        }
        return [name for name, value in found.items() if value is not None]


@command
def run(
    *,
    given: Input,
    other: Other,
    saved: Saved,
    source: Source,
    heads: Heads,
    top: Annotated[int | None, TOP] = None,
    sheet: Sheet,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """Compare attention: two texts, two models, with and without an adapter, two layers, or two files.

    Tokens are aligned; a head's distance is the root of the mean Jensen-Shannon divergence of its rows, from 0 for
    equal to 0.83. The heads that changed most come first, each with the weight that changed most in it. With -o a
    picture: the distance of every head and the top heads' changes, red where the second gives more. .json and .csv
    have every head.

    attnviz diff "It was too tired" "It was too wide" -m minilm
    attnviz diff "The cat sat on the mat" -m path/to/base --adapter-b path/to/lora -o tuned.pdf
    attnviz diff "The cat sat on the mat" -m minilm -l 2 --layer-b 4
    attnviz diff --from before.npz --from-b after.npz --json
    """
    from attnviz.cli import work
    from attnviz.measures.diff import diff

    format = asked_format(output, listing, FORMATS)
    first, second = _two(given, other, saved, source, heads, talk)
    if "sampled" in first.meta:
        talk.note(f"a long text: {first.reduced}")
    found = diff(work.joined(first, heads), work.joined(second, heads))
    if listing.json:
        work.print_json(rows(found))
    elif format in ("json", "csv"):
        write_rows(output, format, rows(found), "diff")
    elif format:
        drawn = _drawn(found, format, top or 6, sheet, work.made(line, second), talk)
        work.write(output, format, lambda file: file.write(drawn), "diff")
    else:
        from attnviz.render.terminal_diff import print_diff

        print_diff(found, top or 12)


def rows(found: Difference) -> list[dict[str, Any]]:
    """A head each, the one that changed most first, with the weight that changed most in it."""
    queries, keys = found.row_labels, found.column_labels
    listed = []
    for change in found.ranked():
        query, key = found.rows[change.row], found.columns[change.column]
        (layer, head), (layer_b, head_b) = found.place(change.layer, change.head)
        listed.append(
            {
                "layer": layer,
                "head": head,
                "layer_b": layer_b,
                "head_b": head_b,
                "distance": change.distance,
                "query": _index(query[0]),
                "query_b": _index(query[1]),
                "query_token": queries[change.row],
                "key": _index(key[0]),
                "key_b": _index(key[1]),
                "key_token": keys[change.column],
                "before": change.before,
                "after": change.after,
                "change": change.change,
            }
        )
    return listed


def _index(place: int) -> int | None:
    """A token's index in its text; None where that text has none."""
    from attnviz.measures.align import NONE

    return None if place == NONE else place


def _two(
    given: Input, other: Other, saved: Saved, source: Source, heads: Heads, talk: Talk
) -> tuple[Attention, Attention]:
    if saved.saved is not None or other.from_b is not None:
        return _from_files(given, other, saved, source, heads, talk)
    from attnviz.cli import work

    sizes: dict[str, Any] = {"seed": None, "n_layers": None, "n_heads": None, "d_model": None, "causal": None}
    seeded_b = other.model_b == "seeded" and source.model != "seeded"  # then they are B's
    model, ready = work.prepared(given, replace(source, **sizes) if seeded_b else source, heads.stream, talk)
    if other.layer_b is not None:
        return _two_layers(model, ready, other.layer_b, heads, talk)
    if other.model_b is None and other.adapter_b is None:
        given = replace(given, text=other.second, file=other.file_b)
        _, ready_b = work.prepared(given, source, heads.stream, talk, model)
        return _both(model, ready, model, ready_b, heads, talk)
    source = replace(source, adapter=other.adapter_b)
    if other.model_b is not None:
        source = replace(source, model=other.model_b, name=None)
        if other.model_b != "seeded":
            source = replace(source, **sizes)
    model_b, ready_b = work.prepared(given, source, heads.stream, talk)
    return _both(model, ready, model_b, ready_b, heads, talk)


def _both(
    model: Model, ready: ModelInput, model_b: Model, ready_b: ModelInput, heads: Heads, talk: Talk
) -> tuple[Attention, Attention]:
    """Two passes, the same layers and heads of both; of long texts some rows, the same in both."""
    from attnviz.measures.align import NONE, align
    from attnviz.models.source import affordable_rows
    from attnviz.select import evenly, resolve_heads

    specs = (ready.spec, ready_b.spec)
    n_layers, n_heads = min(s.n_layers for s in specs), min(s.n_heads for s in specs)
    if any((s.n_layers, s.n_heads) != (n_layers, n_heads) for s in specs):
        sizes = " and ".join(f"{s.n_layers} x {s.n_heads} heads" for s in specs)
        talk.note(f"the models have {sizes}: the first {n_layers} layers and {n_heads} heads of both are compared")
    at = resolve_heads(heads.layer or LAYERS, heads.head, n_layers, n_heads)
    most = affordable_rows(at.count, max(len(ready.keys), len(ready_b.keys)), ROOM)
    rows: tuple[Sequence[int], Sequence[int]] = range(len(ready.queries)), range(len(ready_b.queries))
    if max(map(len, rows)) > most:
        pairs = [pair for pair in align(ready.queries, ready_b.queries) if NONE not in pair]
        common = ready.queries.take(i for i, _ in pairs)
        chosen = [pairs[place] for place in evenly(common, most, heads.words, not heads.no_special)]
        rows = [i for i, _ in chosen], [j for _, j in chosen]
    first, second = (_attended(*one, at, talk) for one in ((model, ready, rows[0]), (model_b, ready_b, rows[1])))
    return first, second


def _two_layers(model: Model, ready: ModelInput, layer_b: str, heads: Heads, talk: Talk) -> tuple[Attention, Attention]:
    from attnviz.models.source import affordable_rows
    from attnviz.select import Chosen, evenly, resolve_indices

    layers, layers_b = _layers(heads, layer_b, range(ready.spec.n_layers))
    at_heads = resolve_indices("head", heads.head, range(ready.spec.n_heads))
    every = Chosen(sorted({*layers, *layers_b}), at_heads)
    rows = evenly(ready.queries, affordable_rows(every.count, len(ready.keys), ROOM), heads.words, not heads.no_special)
    found = _attended(model, ready, rows, every, talk)
    return found.select(layers), found.select(layers_b)


def _layers(heads: Heads, layer_b: str, have: Sequence[int]) -> tuple[list[int], list[int]]:
    from attnviz.select import of_pairs, resolve_indices

    if of_pairs(heads.head):
        usage(f"--head {heads.head} names the layers of its heads: leave out --layer-b")
    if heads.layer is None:
        usage("--layer-b needs --layer, whose heads its own are compared with")
    layers, layers_b = resolve_indices("layer", heads.layer, have), resolve_indices("layer", layer_b, have)
    if len(layers) != len(layers_b):
        usage(f"--layer names {len(layers)} layers and --layer-b {len(layers_b)}: wanted as many")
    return layers, layers_b


def _attended(model: Model, ready: ModelInput, rows: Sequence[int], at: Chosen, talk: Talk) -> Attention:
    from attnviz.models.source import attend_rows
    from attnviz.render.progress import progress

    with progress("attention", total=1, quiet=talk.quiet) as advance:
        return attend_rows(model, ready, at, rows, advance)


def _from_files(
    given: Input, other: Other, saved: Saved, source: Source, heads: Heads, talk: Talk
) -> tuple[Attention, Attention]:
    from attnviz.cli import work

    if saved.saved is None or (other.from_b is None and other.layer_b is None):
        usage("wanted two files, --from A --from-b B, or two layers of one with --layer-b")
    if other.layer_b is not None:
        every = replace(heads, layer="all").selection()
        found = work.attention(given, saved, source, every, talk, layers=LAYERS)
        layers, layers_b = _layers(heads, other.layer_b, found.layers)
        return found.select(layers), found.select(layers_b)
    first, second = (
        work.attention(given, replace(saved, saved=place), source, heads.selection(), talk, layers=LAYERS)
        for place in (saved.saved, other.from_b)
    )
    return first, second


def _drawn(found: Difference, format: str, top: int, sheet: Sheet, made: dict[str, str], talk: Talk) -> bytes:
    from attnviz.page.diff import figure
    from attnviz.render.image import to_bytes

    drawn = sheet.draw(
        figure,
        found,
        top=top,
        meta=made,
        talk=talk,
    )
    return to_bytes(drawn, format)
