"""The subjects of analyses, by name: the options that select one, and the function that opens it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.cli import opening
from attnviz.cli.context import Decoder, Question, open_question
from attnviz.cli.corpus_merge import Folder
from attnviz.cli.listings import Configuration, open_configuration, open_tokens
from attnviz.cli.opening import Command
from attnviz.cli.options import Head, Heads, HeadsOfModel, Input, Joined, Saved, Selection, Talk, usage
from attnviz.cli.series import Checkpoints, HeadsOfRun, Opened, open_checkpoints
from attnviz.cli.source import Drawn, Source, Unchanged, Writer
from attnviz.cli.two import Other, open_two
from attnviz.errors import InputError
from attnviz.flags import argument, same

if TYPE_CHECKING:
    from attnviz.analyses.base import SelectedMaps
    from attnviz.analyses.every_layer import EveryLayer
    from attnviz.analyses.head_circuits import ModelHeads
    from attnviz.analyses.mechanisms import ModelText, Timer
    from attnviz.analyses.one_head import OneHead
    from attnviz.attention import Attention
    from attnviz.corpora.folder import Corpus
    from attnviz.models.edited import Rereading
    from attnviz.models.model import Model
    from attnviz.models.prompt import Prompt
    from attnviz.models.source import AttentionSource
    from attnviz.models.trial_inputs import Trial

SHORT = 2000  # letters of a text whose weights can always be held


@dataclass(frozen=True)
class Subject:
    """groups: name -> its group of options. open: a Command, and the groups by name -> what the analysis looks at."""

    groups: Mapping[str, type]
    open: Callable[..., Any]


def _observed(observe: Callable[..., Any], input: Input, saved: Saved, source: Source, heads: Heads, talk: Talk) -> Any:
    """Attention from a file, or what `observe` makes of a model, an input, and the layers, heads and tokens chosen."""
    from attnviz.render.progress import progress

    if saved.saved is not None:
        return opening.attention(input, saved, source, heads, talk)
    model, model_input = opening.prepared(input, source, heads.stream, talk)
    with progress("attention", total=1, quiet=talk.quiet) as advance:
        return observe(model, model_input, heads, advance)


def _attention(command: Command, input: Input, saved: Saved, source: Source, heads: Heads) -> AttentionSource:
    """A model's attention on an input, or a file's, as a stream of tiles."""
    from attnviz.models.source import AttentionSource, attention_source

    return AttentionSource.of(_observed(attention_source, input, saved, source, heads, command.talk))


def _text_or_random(
    command: Command, input: Input, saved: Saved, source: Source, heads: Heads
) -> dict[str, AttentionSource]:
    """`text`, `random` or both: attention on the input, and on random tokens that come twice."""
    random = command.options.random
    if random and saved.saved is not None:
        usage("--random needs a model: what is in a file has been computed")
    sources = {}
    if input.ways() or not random:
        sources["text"] = _attention(command, input, saved, source, heads)
    if random:
        sources["random"] = _repeated(command, source, heads)
    return sources


def _repeated(command: Command, source: Source, heads: Heads) -> AttentionSource:
    """Attention on random tokens that come twice."""
    from attnviz.models.repeated import repeated_tokens

    model = opening.load(source, command.talk)
    if heads.stream not in (None, *model.streams):
        raise InputError(f"{model.name} has no {heads.stream} attention; it has {', '.join(model.streams)}")
    stream = heads.stream or model.streams[0]
    at = heads.among(*model.size(stream))
    return repeated_tokens(model, stream=stream, layers=at.beside, heads=at.asked)


def _some_rows(command: Command, input: Input, saved: Saved, source: Source, heads: Heads) -> Attention:
    """Whole maps of attention, a model's or a file's; of a long text some rows of them, spread evenly."""
    from attnviz.models.source import attend_some_rows

    attention: Attention = _observed(attend_some_rows, input, saved, source, heads, command.talk)
    return attention


def _selected(command: Command, input: Input, saved: Saved, source: Source, chosen: Selection) -> SelectedMaps:
    """Maps of some layers, heads and tokens, a model's or a file's; of a long text cells, if the options say so."""
    from attnviz.analyses.base import SelectedMaps

    layers, cells, model = command.analysis.layers, command.options.cells, None
    short = input.text is not None and len(input.text) < SHORT
    if cells is None and saved.saved is None and not short:
        input = replace(input, text=opening.text_of(input), file=None)  # Standard input is read once.
        model = _check_size(command, input, source, chosen)
    attention = opening.attention(input, saved, source, chosen, command.talk, layers, cells, model)
    attention, query, _ = opening.narrowed(attention, chosen)
    return SelectedMaps(attention, query, chosen.layer is not None or chosen.head != "all")


def _check_size(command: Command, input: Input, source: Source, chosen: Selection) -> Model:
    """The model that is named; InputError before any work for more weights than can be held."""
    from attnviz.models.source import MOST_WEIGHTS

    model, model_input = opening.prepared(input, source, chosen.stream, command.talk)
    at = chosen.among(*model.size(model_input.stream, model_input.image), command.analysis.layers)
    n_key = len(model_input.keys)
    if at.count * len(model_input.queries) * n_key > MOST_WEIGHTS:
        some = f"{at.count}" if at.pairs else f"{len(at.layers)} x {len(at.heads)}"
        raise InputError(f"{some} heads of {n_key} tokens are too much to hold", "choose a head: -l LAYER -H HEAD")
    return model


def _every_layer(command: Command, input: Input, saved: Saved, source: Source, heads: Heads) -> EveryLayer:
    """Every layer of a model's attention on an input, or of a file's."""
    from attnviz.analyses.every_layer import EveryLayer
    from attnviz.models.source import AttentionSource

    if saved.saved is not None:
        everything = replace(heads, layer="all", words=False, no_special=False)
        stream = AttentionSource.of(opening.attention(input, saved, source, everything, command.talk))
    else:
        stream = AttentionSource.of(*opening.prepared(input, source, heads.stream, command.talk), heads=heads.head)
    single, special = heads.head != "all", not heads.no_special
    return EveryLayer.of(stream, heads.layer, single=single, words=heads.words, special=special)


@dataclass(frozen=True)
class Named:
    """A model, named as an argument or by --model."""

    which: str | None = argument("The model, as for --model.", metavar="MODEL")


def _model(command: Command, named: Named, source: Unchanged, heads: HeadsOfModel) -> ModelHeads:
    """A model's heads, without a text."""
    from attnviz.analyses.head_circuits import ModelHeads

    model = opening.load(source.named(named.which), command.talk)
    chosen = heads.among(*model.size(heads.stream), command.analysis.layers)
    return ModelHeads(model, heads.stream, chosen.beside, chosen.asked)


def _whole_model(command: Command, named: Named, source: Source) -> Model:
    """A model as it is, without an input."""
    from attnviz.files.untrusted import uncollected

    with uncollected():  # a file may hold 100,000 tensors
        return opening.load(source.named(named.which), command.talk)


@dataclass(frozen=True)
class ModelOrFile:
    """A model or a file of attention, as the first word."""

    which: str | None = argument("The model, as for --model, or a file of attention.", metavar="MODEL|FILE")
    key: str | None = same(Saved, "key")


def _attention_or_model(
    command: Command, named: ModelOrFile, input: Input, source: Source
) -> Attention | tuple[Model, Sequence[Trial]]:
    """Attention from a file, or a model with an input for every stream."""
    which, key = named.which, named.key
    source = source.named(which)
    if which is not None and _holds_attention(Path(which)):
        if input.ways():
            usage(f"{Path(which).name} holds attention, which needs no {input.ways()[0]}")
        opening.check_no_model(replace(source, model=Source.model), Path(which).name)
        from attnviz.io.saved import any_attention

        return any_attention(Path(which), key=key, as_is=True)[0]
    if key is not None:
        usage("--key needs a file of attention")
    from attnviz.models.trial_inputs import SENTENCE, trials

    model = opening.load(source, command.talk, input)
    text = opening.text_of(input) if input.ways() else SENTENCE if input.chat else None
    return model, list(trials(model, opening.inputs(input, text, model, source)[0]))


def _holds_attention(place: Path) -> bool:
    """Whether a file holds attention, and not weights, beside which lies a config.json."""
    import zipfile

    from attnviz.io.tensors import ENDINGS

    if place.suffix == ".npy":
        return True
    if place.suffix.lower() in ENDINGS:
        return place.is_file() and not (place.parent / "config.json").exists()
    if place.suffix != ".npz" or not place.is_file():
        return False
    try:
        with zipfile.ZipFile(place) as archive:
            return "W_Q.npy" not in archive.namelist()
    except zipfile.BadZipFile:
        return True  # whose reader says what is wrong


def _prompt(command: Command, input: Input, source: Writer, heads: Heads) -> Prompt:
    """A text for a model to continue."""
    from attnviz.models.prompt import Prompt

    if input.pair is not None:
        usage(f"{command.analysis.name} continues one text, so --pair cannot be used", "put both sentences into TEXT")
    text = opening.text_of(input)
    source = _causal(source, command)
    model = opening.load(source, command.talk, input, heads.stream)
    stream = heads.stream or ("cross" if "cross" in model.streams else None)
    chosen: dict[str, Any] = {}
    if heads.layer is not None or heads.head != "all":
        at = heads.among(*model.size(stream), command.analysis.layers)
        chosen = {"layers": at.beside, "heads": at.asked}
    inputs, _ = opening.inputs(replace(input, global_tokens=None), text, model, source)
    inputs = {name: value for name, value in inputs.items() if value is not None}
    return Prompt.of(model, **inputs, stream=stream, **chosen, words=heads.words, special=not heads.no_special)


def _rereading(command: Command, input: Input, source: Source, heads: HeadsOfModel) -> Rereading:
    """A model and an input that it reads again and again, with heads removed."""
    from attnviz.models.edited import Rereading

    text = opening.text_of(input)
    model = opening.load(source, command.talk, input, heads.stream)
    if heads.stream not in (None, *model.streams) and not (heads.stream and model.has(heads.stream)):
        raise InputError(f"{model.name} has no {heads.stream} attention; it has {', '.join(model.streams)}")
    stream = heads.stream or ("cross" if "cross" in model.streams else None)
    at = heads.among(*model.size(stream, input.image is not None), command.analysis.layers)
    inputs, _ = opening.inputs(input, text, model, source)
    return Rereading.of(model, inputs, stream=stream, layers=at.beside, heads=at.asked)


def _output(command: Command, input: Input, source: Writer) -> Rereading:
    """A model and an input, for what it predicts."""
    from attnviz.models.edited import Rereading

    text = opening.text_of(input)
    source = _causal(source, command)
    model = opening.load(source, command.talk, input)
    return Rereading.of(model, opening.inputs(input, text, model, source)[0])


def _causal(source: Writer, command: Command) -> Writer:
    """The seeded model, which predicts what follows only if it sees only what came before."""
    if source.model != "seeded" or source.causal:
        return source
    command.talk.note("seeded: a model that continues a text sees only what came before (--causal)")
    return replace(source, causal=True)


def _one_head(command: Command, input: Input, source: Source, place: Head) -> OneHead:
    """One head of a model that is ready to read an input."""
    from attnviz.analyses.one_head import OneHead

    pair, name = input.pair or "", command.analysis.name
    if getattr(command.options, "pair_of", "") is None and re.fullmatch(r"[^\s:]+:[^\s:]+", pair):
        usage(f"--pair {pair} would be a second text", f"for a query and a key write --pair-of {pair}")
    layer, head = place.indices(f"{name} shows one {{}}")
    model, model_input = opening.prepared(input, source, place.stream, command.talk)
    return OneHead.of(model, model_input, layer or command.analysis.layers, head)


def _text_timer_or_nothing(
    command: Command, input: Input, source: Drawn, place: Head, joined: Joined
) -> ModelText | Timer | None:
    """A model and a text on which mechanisms are compared; random numbers to time them; or nothing, for a list."""
    from attnviz.analyses import mechanisms
    from attnviz.render import formats

    if command.options.scaling:
        if input.ways():
            usage(f"--scaling measures without a text; got {input.ways()[0]}")
        if source.asked():
            usage(f"--scaling draws queries and keys by itself: leave out --model {source.model}")
        return mechanisms.opened_timer(source.seed or 0)
    if not input.ways():
        pictures, output = formats.of(formats.FIGURE), command.output
        if (
            output.output is not None
            and output.chosen((*pictures, *formats.of(formats.ROWS, formats.PAGE)), "png") in pictures
        ):
            hint = 'as in attnviz mechanisms "The cat sat on the mat" -o a.png'
            usage("wanted a text to draw: TEXT or --file PATH", hint)
        return None
    layer, head = place.indices("mechanisms stand side by side in one {}")
    text = opening.text_of(input)
    model = opening.load(source, command.talk)
    inputs, _ = opening.inputs(input, text, model, source)
    text = inputs.pop("text")
    inputs = {name: value for name, value in {**inputs, "stream": place.stream}.items() if value is not None}
    at = int(layer or command.analysis.layers), int(head or "0")
    return mechanisms.ModelText(model, text, inputs, *at, joined.words, not joined.no_special)


def _corpus_folder(command: Command, where: Folder) -> Corpus:
    """A corpus that was measured."""
    from attnviz.corpora.folder import Corpus

    assert where.folder is not None
    return Corpus.open(where.folder)


_MAPS = {"input": Input, "saved": Saved, "source": Source, "heads": Heads}
SUBJECTS = {
    "attention": Subject(_MAPS, _attention),
    "text or random tokens": Subject(_MAPS, _text_or_random),
    "maps of some rows": Subject(_MAPS, _some_rows),
    "selected maps": Subject({"input": Input, "saved": Saved, "source": Source, "chosen": Selection}, _selected),
    "two sources": Subject({"input": Input, "other": Other, **_MAPS}, open_two),
    "prompt": Subject({"input": Input, "source": Writer, "heads": Heads}, _prompt),
    "sources and a question": Subject({"asked": Question, "source": Decoder}, open_question),
    "rereading": Subject({"input": Input, "source": Source, "heads": HeadsOfModel}, _rereading),
    "output": Subject({"input": Input, "source": Writer}, _output),
    "one head": Subject({"input": Input, "source": Source, "place": Head}, _one_head),
    "every layer": Subject(_MAPS, _every_layer),
    "text, timer or nothing": Subject(
        {"input": Input, "source": Drawn, "place": Head, "joined": Joined}, _text_timer_or_nothing
    ),
    "model": Subject({"named": Named, "source": Unchanged, "heads": HeadsOfModel}, _model),
    "attention or model": Subject({"named": ModelOrFile, "input": Input, "source": Source}, _attention_or_model),
    "nothing": Subject({}, lambda command: None),
    "configuration": Subject({"configuration": Configuration}, open_configuration),
    "tokens": Subject({"input": Input, "source": Unchanged, "joined": Joined}, open_tokens),
    "checkpoints": Subject({"given": Checkpoints, "opened": Opened, "heads": HeadsOfRun}, open_checkpoints),
    "corpus folder": Subject({"where": Folder}, _corpus_folder),
    "whole model": Subject({"named": Named, "source": Source}, _whole_model),
}
