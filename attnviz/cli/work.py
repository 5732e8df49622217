"""What the commands have in common: from options to an Attention, and from a result to a file."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

from attnviz import cli
from attnviz.cli.expand import Line
from attnviz.cli.options import Input, Joined, Output, Saved, Selection, Talk, usage
from attnviz.cli.source import Source, Unchanged
from attnviz.errors import AttnvizWarning, InputError, OutputError, SelectionError, shown
from attnviz.files.text import names_a_file
from attnviz.render import formats

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model
    from attnviz.models.tokenize import Splitter


def load(source: Unchanged, talk: Talk, given: Input | None = None, stream: str | None = None) -> Model:
    """The model that the options name, with another kind of attention if they do.

    given, stream: what it is to read and show: without a name, the seeded model where the learned one cannot.
    """
    import attnviz

    start = time.perf_counter()
    drawn = stream == "cross" or (given is not None and given.image is not None)
    model = attnviz.load(
        "seeded" if source.model is None and drawn else source.model,
        seed=source.seed,
        n_layers=source.n_layers,
        n_heads=source.n_heads,
        d_model=source.d_model,
        causal=source.causal,
        name=source.name,
        offline=source.offline,
        quiet=talk.quiet,
        adapter=source.adapter,
        ignore_keys=source.ignore_key,
        mechanism=source.mechanism if isinstance(source, Source) else None,
    )
    if source.model is None and model.meta.get("random"):
        talk.note("seeded: random weights, for what no learned model can do; -m names another model")
    talk.detail(f"{model.name}: {_sizes(model)}, opened in {time.perf_counter() - start:.2f} s")
    if model.meta.get("unread_keys"):
        talk.detail(f"configuration keys that are not read by the model: {', '.join(model.meta['unread_keys'])}")
    return model


def opened(source: Source, talk: Talk, given: Input, stream: str | None) -> Model:
    """The model that the options name, for what was given. UsageError, before any work, if nothing was."""
    _check_given(given)
    return load(source, talk, given, stream)


def splitter(source: Unchanged, talk: Talk, given: Input) -> Model | Splitter:
    """What splits the texts of the model that the options name; no weights are opened where they say nothing of it."""
    from attnviz.models import tokenize

    sizes = (source.seed, source.n_layers, source.n_heads, source.d_model, source.causal, source.adapter)
    if given.image is not None or any(value is not None for value in sizes):
        return load(source, talk, given)
    start = time.perf_counter()
    found = tokenize.splitter(source.model, source.offline, talk.quiet)
    talk.detail(f"{found.name}: its tokenizer, opened in {time.perf_counter() - start:.2f} s")
    return found if source.name is None else replace(found, name=source.name)


def attention(
    given: Input,
    saved: Saved,
    source: Source,
    chosen: Selection,
    talk: Talk,
    layers: str,
    cells: int | None = None,
) -> Attention:
    """The attention that the options ask for, computed or read from a file.

    layers, cells: what --layer and --cells mean where they are not given.
    """
    return attention_and_picture(given, saved, source, chosen, talk, layers, cells)[0]


def attention_and_picture(
    given: Input,
    saved: Saved,
    source: Source,
    chosen: Selection,
    talk: Talk,
    layers: str,
    cells: int | None = None,
    model: Model | None = None,
) -> tuple[Attention, NDArray[np.uint8] | None]:
    """The same, and the picture as the model saw it, uint8 [row, column, 3], if --image was given.

    model: one that has been opened already, from the same options.
    """
    if chosen.mean not in (None, "heads", "layers"):
        usage(f"--mean wants heads or layers; got {chosen.mean!r}")
    if saved.saved is not None:
        found, picture = _from_file(given, saved, source, chosen, talk, layers), None
    else:
        found, picture = _computed(given, source, chosen, talk, layers, cells, model)
    found = joined(found, chosen)
    return found if chosen.mean is None else found.mean(chosen.mean), picture


def prepared(
    given: Input, source: Source, stream: str | None, talk: Talk, model: Model | None = None
) -> tuple[Model, ModelInput]:
    """A model and an input ready to be observed, for a command that wants more than attention.

    model: one that has been opened already, from the same options.
    """
    text = text_of(given)
    model = model or load(source, talk, given, stream)
    stream = _known_stream(model, stream or _stream(model, given))
    arrays, _ = image_and_sound(given, model, source)
    text, ids = turn(given, model, text)
    ready = model.prepare(
        text, given.pair, target=given.target, ids=ids, stream=stream, global_tokens=given.everywhere(), **arrays
    )
    return model, ready


def joined(found: Attention, how: Joined) -> Attention:
    """With --words and --no-special applied."""
    from attnviz.attention import joined

    return joined(found, how.words, not how.no_special)


def narrowed(
    found: Attention, chosen: Selection, marks: Sequence[str] = ()
) -> tuple[Attention, int | None, list[tuple[int, int]]]:
    """With --tokens applied; the place of --query in what is left, and the cells that `marks` name in it."""
    from attnviz.attention import narrowed

    return narrowed(found, chosen.tokens, chosen.query, marks)


def only(found: Attention, row: int | None) -> Attention:
    """Only one query's row, if there is one asked for."""
    from attnviz.attention import crop

    return found if row is None else crop(found, (row, row), None)


def _check_given(given: Input, what: str = "a text") -> None:
    if not given.given():
        usage(f"wanted {what}: TEXT or --file PATH", 'as in attnviz heatmap "The cat sat on the mat"')


def text_of(given: Input, what: str = "a text") -> str | None:
    """The text; None if the input is ids. UsageError if nothing was given."""
    _check_given(given, what)
    text = given.read()
    if given.text is not None and names_a_file(given.text):
        said = f"{shown(given.text)} is a file, and here its name is the text"
        warnings.warn(f"{said}: --image, --file or --from reads it", AttnvizWarning, 2)
    if text is not None and not text.strip():
        raise InputError("the text is empty")
    return text


def made(line: Line, attention: Attention) -> dict[str, str]:
    """What made a file, for the file to carry: see `facts.made_by`."""
    from attnviz.facts import made_by

    return made_by(line, attention.model, attention.meta)


def check_output(output: Output, format: str) -> None:
    """Fail now rather than after the work: an impossible place, or a terminal that would get a binary file."""
    from attnviz.files.output import check_folder, check_place

    if output.output == "-":
        if sys.stdout.isatty() and format not in formats.PLAIN:
            raise OutputError(f"{format} is not for a terminal", "redirect it, as in ... -o - > file, or give -o PATH")
    elif output.output is None:
        check_folder(".", f"attention.{format}")
    else:
        check_place(output.output)


def write(output: Output, format: str, writer: Callable[[IO[bytes]], object], stem: str = "attention") -> None:
    """Write a result where the options say, and print the path of the file."""
    from attnviz.files.output import write_free, writing

    if output.output == "-":
        sys.stdout.flush()
        writer(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    if output.output is None:
        place = str(write_free(".", stem, f".{format}", writer))
    else:
        place = output.output
        with writing(place) as file:
            writer(file)
    if "stdout" not in cli.CLOSED:  # the file is there, whether or not its name can be said
        print(place)


def print_json(rows: Any) -> None:
    """A flat list of objects, one per line; not-a-number is null."""
    from attnviz.render.rows import json_pieces

    sys.stdout.writelines(json_pieces(rows))


def _computed(
    given: Input,
    source: Source,
    chosen: Selection,
    talk: Talk,
    layers: str,
    cells: int | None,
    model: Model | None,
) -> tuple[Attention, NDArray[np.uint8] | None]:
    from attnviz.render.progress import progress
    from attnviz.select import resolve_heads

    text = text_of(given)
    model = model or load(source, talk, given, chosen.stream)
    stream = _known_stream(model, chosen.stream or _stream(model, given))
    if chosen.own_heads and not (stream != "cross" and model.stack(stream, given.image is not None).mean_of_heads):
        raise SelectionError(
            f"--own-heads is for a model whose reference gives the mean over heads (WavLM): {model.name} has each "
            "head's own weights in any case",
            "leave it out",
        )
    n_layers, n_heads = model.size(stream, given.image is not None)
    at = resolve_heads(chosen.layer or layers, chosen.head, n_layers, n_heads)
    arrays, picture = image_and_sound(given, model, source)
    text, ids = turn(given, model, text)
    start = time.perf_counter()
    with progress("attention", total=1, quiet=talk.quiet) as advance:
        found = model.attend(
            text,
            given.pair,
            target=given.target,
            ids=ids,
            global_tokens=given.everywhere(),
            stream=stream,
            layers=at.beside,
            heads=at.asked,
            cells=chosen.pooled(cells),
            pool=chosen.pool,
            rows=chosen.window("rows"),
            cols=chosen.window("cols"),
            own_heads=chosen.own_heads,
            progress=advance,
            **arrays,
        )
    talk.detail(f"{found!r} in {time.perf_counter() - start:.2f} s")
    return found, picture


def turn(given: Input, model: Model | Splitter, text: str | None) -> tuple[str | None, list[int] | None]:
    """(text, ids) as the model is to read them: with --chat the ids that its template makes of the text."""
    if given.chat and text is not None:
        return None, model.chat(text, given.chat_date)
    return text, given.numbers()


def image_and_sound(given: Input, model: Model, source: Unchanged) -> tuple[dict[str, Any], NDArray[np.uint8] | None]:
    """--image and --audio as `Model.attend` takes them, and the picture as the model sees it."""
    ignore = source.ignore_key
    if given.image is not None:
        if model.stack("encoder", image=True).patches is None:
            raise InputError(f"{model.name} does not read images")
        from attnviz.inputs.images import read_image

        with warnings.catch_warnings():
            if model.meta.get("random"):  # nobody trained it, so that no other way to read an image is missed
                warnings.simplefilter("ignore", AttnvizWarning)
            picture = read_image(given.image, model.config, model.folder, ignore)
        return {"pixel_values": picture.pixel_values}, picture.shown
    if given.audio is not None:
        if model.stack("encoder").convolutions is None:
            raise InputError(f"{model.name} does not read sound")
        from attnviz.inputs.sound import read_sound

        sound = read_sound(given.audio, model.config, model.folder, ignore)
        if sound.input_features is not None:
            return {"input_features": sound.input_features}, None
        return {"input_values": sound.input_values}, None
    return {}, None


def _known_stream(model: Model, stream: str) -> str:
    if not model.has(stream):
        raise InputError(f"{model.name} has no {stream} attention; it has {', '.join(model.streams)}")
    return stream


def _stream(model: Model, given: Input) -> str:
    """What the input suggests: a model with one stack has one stream; a target asks for cross-attention."""
    if model.mechanism is not None and model.mechanism.mechanism.name == "cross":
        return "cross"
    if len(model.streams) == 1:
        return model.streams[0]
    return "cross" if given.target is not None else "encoder"


def _from_file(given: Input, saved: Saved, source: Source, chosen: Selection, talk: Talk, layers: str) -> Attention:
    from attnviz.io.saved import any_attention
    from attnviz.select import of_pairs, resolve_indices

    if given.given():
        usage(f"--from and {given.given()[0]}: wanted one of them")
    if source.mechanism is not None:
        usage("--from and --mechanism exclude each other: what is in a file has been computed")
    if chosen.own_heads:
        usage("--from and --own-heads exclude each other: what is in a file has been computed")
    assert saved.saved is not None
    found, notes = any_attention(saved.saved, key=saved.key, labels=saved.labels, key_labels=saved.key_labels)
    for note in notes:
        talk.warn(note)
    if chosen.stream is not None and chosen.stream != found.stream:
        raise InputError(f"{found.model or saved.saved} holds {found.stream} attention, not {chosen.stream}")
    if source.name is not None:
        found = replace(found, model=source.name)
    at_layers = at_heads = None
    if of_pairs(chosen.head):
        return found.select(heads=chosen.head)
    if found.pairs:
        return _of_pairs(found, chosen)
    if len(found.layers) == found.weights.shape[0]:
        at_layers = resolve_indices("layer", chosen.layer or layers, found.layers)
    elif chosen.layer not in (None, "all"):
        raise InputError("its layers were averaged: --layer cannot choose among them")
    if len(found.heads) == found.weights.shape[1]:
        at_heads = resolve_indices("head", chosen.head, found.heads)
    elif chosen.head != "all":
        raise InputError("its heads were averaged: --head cannot choose among them")
    return found.select(layers=at_layers, heads=at_heads)


def _of_pairs(found: Attention, chosen: Selection) -> Attention:
    """Of pairs in a file those whose layer and head the options name, all of them by default."""
    from attnviz.select import resolve_indices

    layers, heads = (
        None if text in (None, "all") else resolve_indices(what, text, have)
        for what, text, have in (("layer", chosen.layer, found.layers), ("head", chosen.head, found.heads))
    )
    return found.select(layers=layers, heads=heads)


def _sizes(model: Model) -> str:
    sizes = (
        f"{stream} {n_layers} x {n_heads}" for stream in model.streams for n_layers, n_heads in [model.size(stream)]
    )
    return ", ".join(sizes)
