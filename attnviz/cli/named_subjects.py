"""A model or a file of attention, as the first word of a command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.cli.options import Input, Saved, usage
from attnviz.flags import argument, same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.analyses.base import Analysis
    from attnviz.attention import Attention
    from attnviz.cli.source import Source
    from attnviz.models.model import Model
    from attnviz.models.trial_inputs import Trial


@dataclass(frozen=True)
class ModelOrFile:
    """A model or a file of attention, as the first word."""

    which: str | None = argument("The model, as for --model, or a file of attention.", metavar="MODEL|FILE")
    key: str | None = same(Saved, "key")


def open_attention_or_model(analysis: Analysis, values: dict[str, Any]) -> Attention | tuple[Model, Sequence[Trial]]:
    """Attention from a file, or a model with an input for every stream."""
    which, key, given = values["which"].which, values["which"].key, values["given"]
    source = values["source"].named(which)
    if which is not None and _holds_attention(Path(which)):
        if given.given():
            usage(f"{Path(which).name} holds attention, which needs no {given.given()[0]}")
        from attnviz.io.saved import any_attention

        return any_attention(Path(which), key=key, as_is=True)[0]
    if key is not None:
        usage("--key needs a file of attention")
    from attnviz.cli import work
    from attnviz.models.trial_inputs import trials

    model = work.load(source, values["talk"], given)
    return model, list(trials(model, _inputs(given, model, source)))


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


def _inputs(given: Input, model: Model, source: Source) -> dict[str, Any]:
    """The options as keywords of `Model.prepare`."""
    from attnviz.cli import work
    from attnviz.models.trial_inputs import SENTENCE

    arrays, _ = work.image_and_sound(given, model, source)
    text = work.text_of(given) if given.given() else SENTENCE if given.chat else None
    text, ids = work.turn(given, model, text)
    own = {"text": text, "pair": given.pair, "target": given.target, "ids": ids, "global_tokens": given.everywhere()}
    return own | arrays
