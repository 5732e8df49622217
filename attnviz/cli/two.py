"""Two sources of attention from the command line: the options that name the second, and how both are opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from attnviz.cli import opening
from attnviz.cli.opening import Command
from attnviz.cli.options import Heads, Input, Saved, Talk, usage
from attnviz.cli.source import SIZES, Source
from attnviz.flags import argument, option

if TYPE_CHECKING:
    from attnviz.analyses.two import TwoMaps


OTHER = "Against what"  # the heading of these options in --help


@dataclass(frozen=True)
class Other:
    """The second of what is compared."""

    second: str | None = argument("A second text, for the same model.", metavar="[TEXT2]")
    file_b: str | None = option(None, "Read the second text from a file.", metavar="PATH", panel=OTHER)
    model_b: str | None = option(
        None, "A second model, as for --model, on the same text.", metavar="NAME|PATH", panel=OTHER
    )
    adapter_b: str | None = option(None, "The second model with a PEFT LoRA adapter.", metavar="DIR", panel=OTHER)
    layer_b: str | None = option(
        None, "Other layers, against the layers of --layer, head by head.", metavar="LAYERS", panel=OTHER
    )
    from_b: str | None = option(
        None, "A second file of attention, against that of --from.", metavar="FILE", panel=OTHER
    )

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
        """The options that name the second."""
        named = (each.name for each in fields(self) if getattr(self, each.name) is not None)
        return ["TEXT2" if name == "second" else f"--{name.replace('_', '-')}" for name in named]


def open_two(command: Command, input: Input, other: Other, saved: Saved, source: Source, heads: Heads) -> TwoMaps:
    """Both sides of a comparison, with equally many layers and heads."""
    from attnviz.analyses.two import two_layers, two_passes
    from attnviz.render.progress import progress

    talk = command.talk
    if saved.saved is not None or other.from_b is not None:
        return _from_files(input, other, saved, source, heads, talk)
    sizes: dict[str, Any] = dict.fromkeys(SIZES)
    seeded_b = other.model_b == "seeded" and source.model != "seeded"  # then the sizes are the second model's
    first = opening.prepared(input, replace(source, **sizes) if seeded_b else source, heads.stream, talk)
    if other.layer_b is not None:
        layers = _layers(heads, other.layer_b, range(first[1].spec.n_layers))
        with progress("attention", total=1, quiet=talk.quiet) as advance:
            return two_layers(first, *layers, heads, advance)
    if other.model_b is None and other.adapter_b is None:
        input = replace(input, text=other.second, file=other.file_b)
        second = opening.prepared(input, source, heads.stream, talk, first[0])
    else:
        source = replace(source, adapter=other.adapter_b)
        if other.model_b is not None:
            source = replace(source, model=other.model_b, name=None, **({} if other.model_b == "seeded" else sizes))
        second = opening.prepared(input, source, heads.stream, talk)
    with progress("attention", total=2, quiet=talk.quiet) as advance:
        return two_passes(first, second, heads, advance)


def _layers(heads: Heads, layer_b: str, have: Sequence[int]) -> tuple[list[int], list[int]]:
    from attnviz.select import of_pairs, resolve_indices

    if of_pairs(heads.head):
        usage(f"--head {heads.head} names the layers of its heads: leave out --layer-b")
    if heads.layer is None:
        usage("--layer-b needs --layer, whose heads its own are compared with")
    layers, layers_b = (resolve_indices("layer", text, have) for text in (heads.layer, layer_b))
    if len(layers) != len(layers_b):
        usage(f"--layer names {len(layers)} layers and --layer-b {len(layers_b)}: wanted as many")
    return layers, layers_b


def _from_files(input: Input, other: Other, saved: Saved, source: Source, heads: Heads, talk: Talk) -> TwoMaps:
    from attnviz.analyses.two import TwoMaps

    if saved.saved is None or (other.from_b is None and other.layer_b is None):
        usage("wanted two files, --from A --from-b B, or two layers of one with --layer-b")
    tokens = replace(heads, words=False, no_special=False)  # words of both are made together
    if other.layer_b is not None:
        attention = opening.attention(input, saved, source, replace(tokens, layer="all"), talk)
        maps = [attention.select(layers) for layers in _layers(heads, other.layer_b, attention.layers)]
    else:
        files = [replace(saved, saved=path) for path in (saved.saved, other.from_b)]
        maps = [opening.attention(input, file, source, tokens, talk) for file in files]
    return TwoMaps(maps[0], maps[1]).joined(heads)
