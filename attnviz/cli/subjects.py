"""What an analysis looks at, by name: the options that say which, and how the command line opens it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnviz.cli.listings import Configuration, open_configuration, open_tokens
from attnviz.cli.named_subjects import ModelOrFile, open_attention_or_model
from attnviz.cli.options import Head, Heads, Input, Joined, Saved, Selection, Talk, one_head, usage
from attnviz.cli.source import Drawn, Source, Unchanged, Writer
from attnviz.cli.two import Other, open_two
from attnviz.errors import InputError
from attnviz.flags import argument, same

if TYPE_CHECKING:
    from attnviz.analyses.base import Analysis, SelectedMaps
    from attnviz.analyses.every_layer import EveryLayer
    from attnviz.analyses.head_circuits import ModelHeads
    from attnviz.analyses.mechanisms import ModelText, Timer
    from attnviz.analyses.one_head import OneHead
    from attnviz.attention import Attention
    from attnviz.models.model import Model
    from attnviz.models.prompt import Prompt
    from attnviz.models.source import AttentionSource


@dataclass(frozen=True)
class Subject:
    """groups: parameter -> its group of options. open: an analysis and the groups' values -> what it computes on."""

    groups: Mapping[str, type]
    open: Callable[[Analysis, dict[str, Any]], Any]


def _observed(values: dict[str, Any], observe: Callable[..., Any]) -> Any:
    """Attention from a file, or what `observe` makes of a model, an input, and the layers, heads and tokens chosen."""
    from attnviz.cli import work
    from attnviz.render.progress import progress

    given, saved, source, heads, talk = (values[name] for name in ("given", "saved", "source", "heads", "talk"))
    if saved.saved is not None:
        return work.joined(work.attention(given, saved, source, heads.selection(), talk, layers="all"), heads)
    model, model_input = work.prepared(given, source, heads.stream, talk)
    with progress("attention", total=1, quiet=talk.quiet) as advance:
        return observe(model, model_input, heads, advance)


def _attention(analysis: Analysis, values: dict[str, Any]) -> AttentionSource:
    """A model's attention on an input, or a file's, as a stream of tiles."""
    from attnviz.models.source import AttentionSource, attention_source

    return AttentionSource.of(_observed(values, attention_source))


def _repeated(source: Source, heads: Heads, talk: Talk) -> AttentionSource:
    """Random tokens that come twice, for the model that the options name."""
    from attnviz.cli import work
    from attnviz.models.repeated import repeated_tokens

    model = work.load(source, talk)
    if heads.stream not in (None, *model.streams):
        raise InputError(f"{model.name} has no {heads.stream} attention; it has {', '.join(model.streams)}")
    stream = heads.stream or model.streams[0]
    at = heads.among(*model.size(stream))
    return repeated_tokens(model, stream=stream, layers=at.beside, heads=at.asked)[0]


def _text_or_random(analysis: Analysis, values: dict[str, Any]) -> dict[str, AttentionSource]:
    """`text`, `random` or both: attention on the input, and on random tokens that come twice."""
    saved, random = values["saved"].saved is not None, values["options"].random
    if random and saved:
        usage("--random needs a model: what is in a file has been computed")
    sources = {}
    if values["given"].given() or saved or not random:
        sources["text"] = _attention(analysis, values)
    if random:
        sources["random"] = _repeated(values["source"], values["heads"], values["talk"])
    return sources


def _some_rows(analysis: Analysis, values: dict[str, Any]) -> Attention:
    """Whole maps of attention, a model's or a file's; of a long text some rows of them, spread evenly."""
    from attnviz.models.source import attend_some_rows

    attention: Attention = _observed(values, attend_some_rows)
    return attention


def _selected(analysis: Analysis, values: dict[str, Any]) -> SelectedMaps:
    """Maps of some layers, heads and tokens, a model's or a file's; of a long text cells, if the options say so."""
    from attnviz.analyses.base import SelectedMaps
    from attnviz.cli import work

    given, saved, source, chosen, talk = (values[name] for name in ("given", "saved", "source", "chosen", "talk"))
    cells, model = values["options"].cells, None
    if cells is None and saved.saved is None and not (given.given() == ["TEXT"] and len(given.text) < SHORT):
        given = values["given"] = replace(given, text=work.text_of(given), file=None)  # standard input is read once
        model = _check_size(analysis, values)
    attention, _ = work.attention_and_picture(given, saved, source, chosen, talk, analysis.layers, cells, model)
    attention, query, _ = work.narrowed(attention, chosen)
    return SelectedMaps(attention, query, chosen.layer is not None or chosen.head != "all")


def _check_size(analysis: Analysis, values: dict[str, Any]) -> Model:
    """The model that is named; InputError before any work for more weights than can be held."""
    from attnviz.cli import work
    from attnviz.models.source import MOST_WEIGHTS
    from attnviz.select import resolve_heads

    chosen = values["chosen"]
    model, model_input = work.prepared(values["given"], values["source"], chosen.stream, values["talk"])
    size = model.size(model_input.stream, model_input.image)
    at, n_key = resolve_heads(chosen.layer or analysis.layers, chosen.head, *size), len(model_input.keys)
    if at.count * len(model_input.queries) * n_key > MOST_WEIGHTS:
        some = f"{at.count}" if at.pairs else f"{len(at.layers)} x {len(at.heads)}"
        raise InputError(f"{some} heads of {n_key} tokens are too much to hold", "choose a head: -l LAYER -H HEAD")
    return model


def _every_layer(analysis: Analysis, values: dict[str, Any]) -> EveryLayer:
    """Every layer of a model's attention on an input, or of a file's."""
    from attnviz.analyses.every_layer import EveryLayer
    from attnviz.cli import work
    from attnviz.models.source import AttentionSource
    from attnviz.select import resolve_heads, resolve_indices

    given, saved, source, heads, talk = (values[name] for name in ("given", "saved", "source", "heads", "talk"))
    if saved.saved is not None:
        everything = replace(heads.selection(), layer="all")
        stream = AttentionSource.of(work.attention(given, saved, source, everything, talk, layers="all"))
        layers = stream.layers if stream.pairs else resolve_indices("layer", heads.layer or "all", stream.layers)
    else:
        model, model_input = work.prepared(given, source, heads.stream, talk)
        spec = model_input.spec
        chosen = resolve_heads(heads.layer or "all", heads.head, spec.n_layers, spec.n_heads)
        stream, layers = AttentionSource.of(model, model_input, heads=chosen.asked), chosen.layers
    return EveryLayer(
        stream,
        None if heads.layer is None else tuple(layers),
        single=heads.head != "all",
        words=heads.words,
        special=not heads.no_special,
    )


@dataclass(frozen=True)
class Named:
    """A model, named as an argument or by --model."""

    which: str | None = argument("The model, as for --model.", metavar="MODEL")


@dataclass(frozen=True)
class HeadsOfModel:
    """Which layers and heads of which stack of a model."""

    layer: str | None = same(Selection, "layer")
    head: str = same(Selection, "head", default="all")
    stream: str | None = same(Selection, "stream")

    def __post_init__(self) -> None:
        Selection(layer=self.layer, head=self.head, stream=self.stream)


def _model(analysis: Analysis, values: dict[str, Any]) -> ModelHeads:
    """A model's heads, without a text."""
    from attnviz.analyses.head_circuits import ModelHeads
    from attnviz.cli import work
    from attnviz.select import resolve_heads

    heads = values["heads"]
    model = work.load(values["source"].named(values["named"].which), values["talk"])
    chosen = resolve_heads(heads.layer or analysis.layers, heads.head, *model.size(heads.stream))
    return ModelHeads(model, heads.stream, chosen.beside, chosen.asked)


def _whole_model(analysis: Analysis, values: dict[str, Any]) -> Model:
    """A model as it is, without an input."""
    from attnviz.cli import work
    from attnviz.files.untrusted import uncollected

    with uncollected():  # a file may hold 100,000 tensors
        return work.load(values["source"].named(values["named"].which), values["talk"])


def _prompt(analysis: Analysis, values: dict[str, Any]) -> Prompt:
    """A text for a model to continue."""
    from attnviz.cli import work
    from attnviz.models.prompt import Prompt

    given, source, heads, talk = (values[name] for name in ("given", "source", "heads", "talk"))
    if given.pair is not None:
        usage(f"{analysis.name} continues one text, so --pair cannot be used", "put both sentences into TEXT")
    text = work.text_of(given)
    if source.model == "seeded" and not source.causal:
        source = replace(source, causal=True)
        talk.note("seeded: a model that continues a text sees only what came before (--causal)")
    model = work.load(source, talk, given, heads.stream)
    stream = heads.stream or ("cross" if "cross" in model.streams else None)
    chosen: dict[str, Any] = {}
    if heads.layer is not None or heads.head != "all":
        at = heads.among(*model.size(stream))
        chosen = {"layers": at.beside, "heads": at.asked}
    arrays, _ = work.image_and_sound(given, model, source)
    text, ids = work.turn(given, model, text)
    tokens = {"words": heads.words, "special": not heads.no_special}
    return Prompt.of(model, text, target=given.target, ids=ids, stream=stream, **chosen, **tokens, **arrays)


SHORT = 2000  # letters of a text whose weights can always be held


def _one_head(analysis: Analysis, values: dict[str, Any]) -> OneHead:
    """One head of a model that is ready to read an input."""
    from attnviz.analyses.one_head import OneHead
    from attnviz.cli import work

    asked, pair = values["place"], values["given"].pair or ""
    if getattr(values["options"], "pair_of", "") is None and re.fullmatch(r"[^\s:]+:[^\s:]+", pair):
        usage(f"--pair {pair} would be a second text", f"for a query and a key write --pair-of {pair}")
    layer, head = one_head(asked.layer, asked.head, f"{analysis.name} shows one {{}}")
    model, model_input = work.prepared(values["given"], values["source"], asked.stream, values["talk"])
    return OneHead.of(model, model_input, layer or analysis.layers, head)


def _text_timer_or_nothing(analysis: Analysis, values: dict[str, Any]) -> ModelText | Timer | None:
    """A model and a text on which mechanisms are compared; random numbers to time them; or nothing, for a list."""
    from attnviz.analyses import mechanisms
    from attnviz.cli import work
    from attnviz.models.load import load
    from attnviz.render import formats

    given, source, output, joined = (values[name] for name in ("given", "source", "output", "joined"))
    if values["options"].scaling:
        if given.given():
            usage(f"--scaling measures without a text; got {given.given()[0]}")
        if source.asked():
            usage(f"--scaling draws queries and keys by itself: leave out --model {source.model}")
        return mechanisms.opened_timer(load, source.seed or 0)
    if not given.given():
        if output.output is not None and output.chosen(formats.of(formats.FIGURE, formats.ROWS), "png") in formats.of(
            formats.FIGURE
        ):
            hint = 'as in attnviz mechanisms "The cat sat on the mat" -o a.png'
            usage("wanted a text to draw: TEXT or --file PATH", hint)
        return None
    asked = values["place"]
    layer, head = one_head(asked.layer, asked.head, "mechanisms stand side by side in one {}")
    text = work.text_of(given)
    model = work.load(source, values["talk"])
    text, ids = work.turn(given, model, text)
    arrays, _ = work.image_and_sound(given, model, source)
    inputs = {"pair": given.pair, "target": given.target, "ids": ids, "stream": asked.stream, **arrays}
    inputs = {
        name: value for name, value in {**inputs, "global_tokens": given.everywhere()}.items() if value is not None
    }
    at = int(layer or analysis.layers), int(head or "0")
    return mechanisms.ModelText(model, text, inputs, *at, joined.words, not joined.no_special)


_MAPS = {"given": Input, "saved": Saved, "source": Source, "heads": Heads}
SUBJECTS = {
    "attention": Subject(_MAPS, _attention),
    "text or random tokens": Subject(_MAPS, _text_or_random),
    "maps of some rows": Subject(_MAPS, _some_rows),
    "selected maps": Subject({"given": Input, "saved": Saved, "source": Source, "chosen": Selection}, _selected),
    "two sources": Subject({"given": Input, "other": Other, **_MAPS}, open_two),
    "prompt": Subject({"given": Input, "source": Writer, "heads": Heads}, _prompt),
    "one head": Subject({"given": Input, "source": Source, "place": Head}, _one_head),
    "every layer": Subject(_MAPS, _every_layer),
    "text, timer or nothing": Subject(
        {"given": Input, "source": Drawn, "place": Head, "joined": Joined}, _text_timer_or_nothing
    ),
    "model": Subject({"named": Named, "source": Unchanged, "heads": HeadsOfModel}, _model),
    "attention or model": Subject({"which": ModelOrFile, "given": Input, "source": Source}, open_attention_or_model),
    "nothing": Subject({}, lambda analysis, values: None),
    "configuration": Subject({"configuration": Configuration}, open_configuration),
    "tokens": Subject({"given": Input, "source": Unchanged, "joined": Joined}, open_tokens),
    "whole model": Subject({"named": Named, "source": Source}, _whole_model),
}
