"""From options to what a command looks at: a model, an input for it, attention of a model or from a file."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from attnviz.cli.options import Heads, Input, Output, Saved, Selection, Talk, usage
from attnviz.cli.source import SIZES, Source, Unchanged
from attnviz.errors import AttnvizWarning, InputError, SelectionError, shown
from attnviz.files.text import names_a_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnviz.analyses.base import Analysis
    from attnviz.attention import Attention
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model
    from attnviz.models.tokenize import Splitter


class Command(NamedTuple):
    """The command for which a subject is opened: an analysis, its options, and the options of every command."""

    analysis: Analysis
    options: Any
    output: Output
    talk: Talk


_kept: dict[tuple[Any, ...], Model] | None = None  # the last model, in a process that draws many figures


def keep_the_model() -> None:
    """Let commands of this process that follow each other and name the same model open it once."""
    global _kept
    _kept = {}


def load(source: Unchanged, talk: Talk, input: Input | None = None, stream: str | None = None) -> Model:
    """The model that the options name, with another kind of attention if they do.

    input, stream: what it reads and shows. If no model is named, load tiny, or the seeded model for inputs that
    tiny cannot read (images, two texts).
    """
    import attnviz

    start = time.perf_counter()
    drawn = stream == "cross" or (input is not None and input.image is not None)
    asked: dict[str, Any] = {
        "source": "seeded" if source.model is None and drawn else source.model,
        **{size: getattr(source, size) for size in SIZES},
        "name": source.name,
        "offline": source.offline,
        "adapter": source.adapter,
        "ignore_keys": source.ignore_key,
        "mechanism": source.mechanism if isinstance(source, Source) else None,
    }
    key = tuple(asked.values())
    model = (_kept or {}).get(key) or attnviz.load(**asked, quiet=talk.quiet)
    if _kept is not None:
        _kept.clear()  # one model at a time
        _kept[key] = model
    if source.model is None and model.meta.get("random"):
        talk.note("seeded: random weights, for what no learned model can do; -m names another model")
    sizes = ", ".join("{} {} x {}".format(stream, *model.size(stream)) for stream in model.streams)
    talk.detail(f"{model.name}: {sizes}, opened in {time.perf_counter() - start:.2f} s")
    if model.meta.get("unread_keys"):
        talk.detail(f"configuration keys that are not read by the model: {', '.join(model.meta['unread_keys'])}")
    return model


def splitter(source: Unchanged, talk: Talk, input: Input) -> Model | Splitter:
    """The tokenizer of the model that the options name; weights are opened only where the tokens depend on them."""
    from attnviz.models import tokenize

    sizes = source.adapter, *(getattr(source, size) for size in SIZES)
    if input.image is not None or any(value is not None for value in sizes):
        return load(source, talk, input)
    start = time.perf_counter()
    splitter = tokenize.splitter(source.model, source.offline, talk.quiet)
    talk.detail(f"{splitter.name}: its tokenizer, opened in {time.perf_counter() - start:.2f} s")
    return splitter if source.name is None else replace(splitter, name=source.name)


def text_of(input: Input) -> str | None:
    """The text; None if the input is ids, an image or sound. UsageError if nothing was given."""
    check_given(input)
    text = input.read()
    if input.text is not None and names_a_file(input.text):
        message = f"{shown(input.text)} is a file, and here its name is the text"
        warnings.warn(f"{message}: --image, --file or --from reads it", AttnvizWarning, 2)
    if text is not None and not text.strip():
        raise InputError("the text is empty")
    return text


def check_given(input: Input) -> None:
    """UsageError if no input was given."""
    if not input.ways():
        usage("wanted a text: TEXT or --file PATH", 'as in attnviz heatmap "The cat sat on the mat"')


def turn(input: Input, model: Model | Splitter, text: str | None) -> tuple[str | None, list[int] | None]:
    """(text, ids) as the model is to read them: with --chat the ids that its template makes of the text."""
    if input.chat and text is not None:
        return None, model.chat(text, input.chat_date)
    return text, input.numbers()


def inputs(
    input: Input, text: str | None, model: Model, source: Unchanged
) -> tuple[dict[str, Any], NDArray[np.uint8] | None]:
    """The keywords of `Model.prepare`, and the picture as the model sees it, uint8 [row, column, 3], with --image."""
    arrays, picture = _image_and_sound(input, model, source.ignore_key)
    text, ids = turn(input, model, text)
    own = {"text": text, "pair": input.pair, "target": input.target, "ids": ids, "global_tokens": input.everywhere()}
    return own | arrays, picture


def prepared(
    input: Input, source: Source, stream: str | None, talk: Talk, model: Model | None = None
) -> tuple[Model, ModelInput]:
    """A model and an input ready to be observed. model: one that has been opened already, from the same options."""
    text = text_of(input)
    model = model or load(source, talk, input, stream)
    stream = stream_of(model, stream, input)
    return model, model.prepare(**inputs(input, text, model, source)[0], stream=stream)


def attention(
    input: Input,
    saved: Saved,
    source: Source,
    chosen: Heads,
    talk: Talk,
    layers: str = "all",
    cells: int | None = None,
    model: Model | None = None,
) -> Attention:
    """The attention that the options ask for; see `attention_and_picture`."""
    return attention_and_picture(input, saved, source, chosen, talk, layers, cells, model)[0]


def attention_and_picture(
    input: Input,
    saved: Saved,
    source: Source,
    chosen: Heads,
    talk: Talk,
    layers: str,
    cells: int | None,
    model: Model | None,
) -> tuple[Attention, NDArray[np.uint8] | None]:
    """Attention, computed or from a file, in words if asked for, and the picture that the model saw, if there is one.

    layers, cells: what --layer and --cells mean where they are not given. model: one that has been opened already,
    from the same options.
    """
    from attnviz.attention import joined

    mean = chosen.mean if isinstance(chosen, Selection) else None
    if mean not in (None, "heads", "layers"):
        usage(f"--mean wants heads or layers; got {mean!r}")
    if saved.saved is not None:
        attention, picture = _from_file(input, saved, source, chosen, talk, layers), None
    else:
        assert isinstance(chosen, Selection)
        attention, picture = _computed(input, source, chosen, talk, layers, cells, model)
    attention = joined(attention, chosen.words, not chosen.no_special)
    return attention if mean is None else attention.mean(mean), picture


def narrowed(
    attention: Attention, chosen: Selection, marks: Sequence[str] = ()
) -> tuple[Attention, int | None, list[tuple[int, int]]]:
    """With --tokens applied; the place of --query in what is left, and the cells that `marks` name in it."""
    from attnviz.attention import narrowed

    return narrowed(attention, chosen.tokens, chosen.query, marks)


def narrowed_rows(attention: Attention, chosen: Selection) -> Attention:
    """With --tokens and --query applied: only that query's row is left."""
    from attnviz.attention import crop

    attention, row, _ = narrowed(attention, chosen)
    return attention if row is None else crop(attention, (row, row), None)


def _computed(
    input: Input,
    source: Source,
    chosen: Selection,
    talk: Talk,
    layers: str,
    cells: int | None,
    model: Model | None,
) -> tuple[Attention, NDArray[np.uint8] | None]:
    from attnviz.render.progress import progress

    text = text_of(input)
    model = model or load(source, talk, input, chosen.stream)
    stream = stream_of(model, chosen.stream, input)
    check_own_heads(model, stream, input.image is not None, chosen.own_heads)
    at = chosen.among(*model.size(stream, input.image is not None), layers)
    model_input, picture = inputs(input, text, model, source)
    start = time.perf_counter()
    with progress("attention", total=1, quiet=talk.quiet) as advance:
        attention = model.attend(
            **model_input,
            stream=stream,
            layers=at.beside,
            heads=at.asked,
            cells=chosen.pooled(cells),
            pool=chosen.pool,
            rows=chosen.window("rows"),
            cols=chosen.window("cols"),
            own_heads=chosen.own_heads,
            progress=advance,
        )
    talk.detail(f"{attention!r} in {time.perf_counter() - start:.2f} s")
    return attention, picture


def _image_and_sound(
    input: Input, model: Model, ignore: Sequence[str]
) -> tuple[dict[str, Any], NDArray[np.uint8] | None]:
    """--image and --audio as `Model.prepare` takes them, and the picture as the model sees it."""
    if input.image is not None:
        if model.stack("encoder", image=True).patches is None:
            raise InputError(f"{model.name} does not read images")
        from attnviz.inputs.images import read_image

        with warnings.catch_warnings():
            if model.meta.get("random"):  # nobody trained it, so there is no other way to read an image
                warnings.simplefilter("ignore", AttnvizWarning)
            picture = read_image(input.image, model.config, model.folder, ignore)
        return {"pixel_values": picture.pixel_values}, picture.shown
    if input.audio is not None:
        if model.stack("encoder").convolutions is None:
            raise InputError(f"{model.name} does not read sound")
        from attnviz.inputs.sound import read_sound

        sound = read_sound(input.audio, model.config, model.folder, ignore)
        if sound.input_features is not None:
            return {"input_features": sound.input_features}, None
        return {"input_values": sound.input_values}, None
    return {}, None


def stream_of(model: Model, asked: str | None, input: Input) -> str:
    """The stream that is asked for, or that the input suggests: a target asks for cross-attention."""
    if asked is not None:
        stream = asked
    elif model.mechanism is not None and model.mechanism.mechanism.name == "cross":
        stream = "cross"
    elif len(model.streams) == 1:
        stream = model.streams[0]
    else:
        stream = "cross" if input.target is not None else "encoder"
    if not model.has(stream):
        raise InputError(f"{model.name} has no {stream} attention; it has {', '.join(model.streams)}")
    return stream


def check_own_heads(model: Model, stream: str, image: bool, own_heads: bool) -> None:
    """SelectionError for --own-heads where heads have weights of their own in any case."""
    if own_heads and not (stream != "cross" and model.stack(stream, image).mean_of_heads):
        raise SelectionError(
            f"--own-heads is for a model whose reference gives the mean over heads (WavLM): {model.name} has each "
            "head's own weights in any case",
            "leave it out",
        )


def check_no_model(source: Source, file: str, own_heads: bool = False, input: Input | None = None) -> None:
    """UsageError for options of a model or its input beside attention out of a file. file: what names the file."""
    names = ("adapter", *SIZES, "mechanism")
    asked = {"model": source.asked(), "own-heads": own_heads} | {name: getattr(source, name) for name in names}
    if input is not None:
        asked |= {name: getattr(input, name) for name in ("pair", "target", "chat", "global_tokens")}
    for name, value in asked.items():
        if value is not None and value is not False:
            flag = f"--{name.replace('_', '-')}"
            usage(f"{file} and {flag} exclude each other: the attention in a file is already computed")


def _from_file(input: Input, saved: Saved, source: Source, chosen: Heads, talk: Talk, layers: str) -> Attention:
    from attnviz.io.saved import any_attention
    from attnviz.select import of_pairs

    if input.ways():
        usage(f"--from and {input.ways()[0]}: wanted one of them")
    check_no_model(source, "--from", getattr(chosen, "own_heads", False), input)
    assert saved.saved is not None
    attention, notes = any_attention(saved.saved, key=saved.key, labels=saved.labels, key_labels=saved.key_labels)
    for note in notes:
        talk.warn(note)
    if chosen.stream is not None and chosen.stream != attention.stream:
        raise InputError(f"{attention.model or saved.saved} holds {attention.stream} attention, not {chosen.stream}")
    if source.name is not None:
        attention = replace(attention, model=source.name)
    if of_pairs(chosen.head):
        return attention.select(heads=chosen.head)
    return attention.select(
        layers=_indices(attention, 0, "layer", chosen.layer, layers, attention.layers),
        heads=_indices(attention, 1, "head", chosen.head, "all", attention.heads),
    )


def _indices(
    attention: Attention, axis: int, what: str, asked: str | None, default: str, have: Sequence[int]
) -> list[int] | None:
    """The layers or heads that are asked for, along an axis of a file's weights; None for all that it holds."""
    from attnviz.select import resolve_indices

    if not attention.pairs and len(have) == attention.weights.shape[axis]:
        return resolve_indices(what, asked or default, have)
    if asked in (None, "all"):
        return None
    if not attention.pairs:
        raise InputError(f"its {what}s were averaged: --{what} cannot choose among them")
    return resolve_indices(what, asked, have)
