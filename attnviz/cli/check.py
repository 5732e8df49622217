"""`attnviz check`: is this attention sane?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnviz.cli.expand import command
from attnviz.cli.options import Input, Json, Talk, usage
from attnviz.cli.source import Source

if TYPE_CHECKING:
    from attnviz.measures.check import Finding
    from attnviz.models.model import Model

SENTENCE = "The animal didn't cross the street because it was too tired, so the driver waited for it."
TARGET = "The driver waited because the animal was too tired to cross."
N_IDS, N_TARGET, FRAMES = 24, 12, 32  # of an input made up for a model that cannot read a sentence
STYLES = {"ok": "green", "healthy": "green", "suspicious": "yellow", "broken": "bold red"}


@command
def run(
    *,
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL|FILE", help="The model, as for --model, or a file of attention.", show_default=False
        ),
    ] = None,
    given: Input,
    source: Source,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="NAME",
            help="Which array, if a file has several.",
            rich_help_panel="Input",
            show_default=False,
        ),
    ] = None,
    reference: Annotated[
        bool,
        typer.Option(
            "--reference/--no-reference",
            help="Compare with transformers where it and torch are installed. Default: yes.",
            show_default=False,
            rich_help_panel="What to show",
        ),
    ] = True,
    output: Json,
    talk: Talk,
) -> None:
    """Say whether attention is sane: a model's on a text, or that in a file.

    Rows that sum to 1, nothing behind the mask, scores scaled as configured; heads that are dead (uniform), one-hot,
    given to a first or special token, or equal. Without a text a model gets a sentence; one without a tokenizer,
    random ids. The last line is the verdict: healthy, suspicious, or broken (exit status 1), and why.

    attnviz check minilm
    attnviz check path/to/folder "The cat sat on the mat"
    attnviz check attention.npz --json
    """
    from attnviz.measures.check import verdict

    source = source.named(which)
    place = Path(which) if which is not None else None
    if place is not None and _holds_attention(place):
        if given.given():
            usage(f"{place.name} holds attention, which needs no {given.given()[0]}")
        streams = [_from_file(place, key)]
    else:
        if key is not None:
            usage("--key needs a file of attention")
        streams = list(_from_model(source, given, reference, talk))
    word, why = verdict(found for _, findings in streams for found in findings)
    if output.json:
        _print_json(streams, word, why)
    else:
        _print(streams, word, why)
    if word == "broken":
        raise typer.Exit(1)


Stream = tuple[str, "list[Finding]"]


def _holds_attention(place: Path) -> bool:
    """Whether a file is attention, and not weights, beside which lies a config.json."""
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


def _from_file(place: Path, key: str | None) -> Stream:
    from attnviz.checking import check
    from attnviz.io.saved import any_attention

    found, _ = any_attention(place, key=key, as_is=True)
    checked = check(found)
    return _called(found.model, found.stream, checked.size), list(checked.findings)


def _called(model: str, stream: str, size: Sequence[int]) -> str:
    n_layers, n_heads, n_query, n_key = size
    return f"{model} {stream}: {n_layers} x {n_heads} heads, {n_query} x {n_key} tokens"


# A model


@dataclass(frozen=True)
class Asked:
    """One pass to check: its stream, arguments of `Model.attend`, and the same as ids, {} where there are none."""

    stream: str
    given: dict[str, Any]
    by_ids: dict[str, Any]


def _from_model(source: Source, given: Input, reference: bool, talk: Talk) -> Iterator[Stream]:
    from attnviz.cli import work
    from attnviz.cli.eager import installed

    model = work.load(source, talk, given)
    eager = _open_eager(source, model, talk) if reference and installed() else None
    for asked in _passes(model, given, source):
        yield _examined(model, asked, eager, talk)


def _open_eager(source: Source, model: Model, talk: Talk) -> Any:
    """transformers' own model of the same folder, or the words why there is none."""
    from attnviz.cli.eager import NAME, Eager, NotComparedError
    from attnviz.models.find import DEFAULT, find

    if model.checkpoint is None:
        return None
    if getattr(source, "adapter", None) is not None:
        return "it would have to merge the adapter first"
    talk.detail(f"opening the same folder with {NAME}")
    try:
        return Eager(find(source.model or DEFAULT, source.offline).path)
    except NotComparedError as error:
        return str(error)


def _examined(model: Model, asked: Asked, eager: Any, talk: Talk) -> Stream:
    """One pass of the model, and beside it the reference where there is one."""
    from attnviz.checking import check
    from attnviz.render.progress import progress

    with progress("attention", total=1, quiet=talk.quiet) as advance:
        checked = check(model, **asked.given, stream=asked.stream, progress=advance)
    findings = list(checked.findings)
    if eager is not None and asked.by_ids:
        findings.append(_compared(model, asked, eager, checked.size))
    return _called(model.name, asked.stream, checked.size), findings


def _compared(model: Model, asked: Asked, eager: Any, size: Sequence[int]) -> Finding:
    from attnviz.checking import MOST_WEIGHTS
    from attnviz.cli.eager import NAME, NotComparedError
    from attnviz.measures.check import against

    blocks = model.stack(asked.stream, "pixel_values" in asked.given).blocks
    try:
        if isinstance(eager, str):
            raise NotComparedError(eager)
        if math.prod(size) > MOST_WEIGHTS:
            raise NotComparedError("it would hold all maps of this text at once; give a shorter one")
        if blocks is not None and blocks.used(size[3]):
            raise NotComparedError("it counts random blocks in another way")
        theirs = eager.attention(asked.by_ids, asked.stream)
    except NotComparedError as error:
        return against(None, None, NAME, str(error))
    return against(model.attend(**asked.by_ids, stream=asked.stream), theirs, NAME)


# What a model is given


def _passes(model: Model, given: Input, source: Source) -> Iterator[Asked]:
    """Every stream of the model, and of two towers both, on the user's input or on one made up."""
    from attnviz.cli import work

    arrays, _ = work.image_and_sound(given, model, source)
    towers = getattr(model.spec, "image", None) is not None
    for image in (False, True) if towers and not given.given() else (given.image is not None,):
        for stream in model.streams:
            yield _asked(model, given, arrays, stream, image)


def _asked(model: Model, given: Input, arrays: dict[str, Any], stream: str, image: bool) -> Asked:
    spec = model.stack("encoder", image)
    arguments: dict[str, Any]
    if spec.patches is not None or spec.convolutions is not None:
        arguments = by_ids = arrays or _noise(spec)
    else:
        arguments, by_ids = _texts(model, given)
        everywhere = given.everywhere()
        arguments = arguments if everywhere is None else {**arguments, "global_tokens": everywhere}
    if stream in ("decoder", "cross") or (stream == "encoder" and given.target is not None):
        target = _target(model, given)
        arguments, by_ids = arguments | target, by_ids | _target_ids(model, target)
    elif stream == "encoder":
        by_ids = by_ids | _target_ids(model, _target(model, given))  # the other program runs both stacks
    return Asked(stream, arguments, by_ids)


def _texts(model: Model, given: Input) -> tuple[dict[str, Any], dict[str, Any]]:
    """(as the user would give it, as ids)."""
    import numpy as np

    from attnviz.cli import work
    from attnviz.errors import AttnvizError

    text, numbers = work.turn(given, model, work.text_of(given) if given.given() else SENTENCE)
    if numbers is not None:
        return ({"ids": np.array(numbers)},) * 2
    try:
        tokens = model.tokens(text, given.pair)
    except AttnvizError:
        if given.given():
            raise
        return ({"ids": _random_ids(model.stack("encoder"), N_IDS)},) * 2
    arguments = {"text": text, "pair": given.pair}
    if min(tokens.ids, default=-1) < 0 or model.stack("encoder").by_word:
        return arguments, {}
    types = (
        {"token_types": np.array(tokens.segments)} if any(tokens.segments) and model.stack("encoder").n_types else {}
    )
    return arguments, {"ids": np.array(tokens.ids), **types}


def _target(model: Model, given: Input) -> dict[str, Any]:
    from attnviz.errors import AttnvizError

    if given.target is not None:
        return {"target": given.target}
    try:
        model.tokens(TARGET)
    except AttnvizError:
        return {"target_ids": _random_ids(model.stack("decoder"), N_TARGET)}
    return {"target": TARGET}


def _target_ids(model: Model, target: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    if "target_ids" in target:
        return target
    assert model.tokenizer is not None
    start = getattr(model.spec, "start_id", None)
    return {"target_ids": np.array(model.tokenizer.encode_target(target["target"], start).tokens.ids)}


def _random_ids(spec: Any, n: int) -> Any:
    """Ids away from the first ones, which are special in many vocabularies; always the same."""
    import numpy as np

    n = min(n, spec.max_positions or n)
    return np.random.default_rng(0).integers(min(10, spec.vocab - 1), spec.vocab, n)


def _noise(spec: Any) -> dict[str, Any]:
    """An image or a sound of normal noise; always the same."""
    import numpy as np

    random = np.random.default_rng(0)
    if spec.patches is not None:
        return {"pixel_values": random.standard_normal((spec.patches.channels, *spec.patches.image), np.float32)}
    n = _samples(spec)
    if spec.convolutions.channels == 1:
        return {"input_values": random.standard_normal(n, np.float32)}
    return {"input_features": random.standard_normal((spec.convolutions.channels, n), np.float32)}


def _samples(spec: Any) -> int:
    """How much sound gives FRAMES frames; all that a model has places for, where that is not too much to hold."""
    from attnviz.checking import MOST_WEIGHTS

    places = spec.max_positions or FRAMES
    wanted = places if spec.n_layers * spec.n_heads * places**2 <= MOST_WEIGHTS else min(FRAMES, places)
    n = 1
    while spec.convolutions.frames(n) < wanted:
        n += 1
    while spec.convolutions.frames(n + 1) == wanted:  # up to a whole frame, as processors cut it
        n += 1
    return n


# What is printed


def _print_json(streams: list[Stream], word: str, why: str) -> None:
    from attnviz.cli import work

    rows = [
        {"about": about, "check": found.check, "word": found.word, "value": found.value, "text": found.text}
        for about, findings in streams
        for found in findings
    ]
    work.print_json([*rows, {"about": "", "check": "verdict", "word": word, "value": None, "text": why}])


def _print(streams: list[Stream], word: str, why: str) -> None:
    from attnviz.render.terminal_listing import print_listing, print_verdict

    for about, findings in streams:
        print(about)
        rows = [((found.word, found.check), found.text) for found in findings]
        print_listing(rows, styles=[STYLES.get(found.word, "") for found in findings])
        print()
    print_verdict(word, why, style=STYLES[word])
