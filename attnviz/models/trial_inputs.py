"""Inputs to try a model with: a user's own, or one made up, for every stream of the model.

A model without an input is tried with a sentence; one without a tokenizer with random ids; one that reads images or
sound with noise. All of it is the same in every run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import AttnvizError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.spec import Spec
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model

SENTENCE = "The animal didn't cross the street because it was too tired, so the driver waited for it."
TARGET = "The driver waited because the animal was too tired to cross."
N_IDS, N_TARGET, FRAMES = 24, 12, 32  # of an input made up for a model that cannot read a sentence
MOST_WEIGHTS = 100_000_000  # that are held at once
_TEXT = ("text", "pair", "ids", "token_types")
_ARRAYS = ("pixel_values", "input_values", "input_features")


@dataclass(frozen=True, eq=False)
class Trial:
    """One pass through a model.

    model_input: as `Model.prepare` gives it. by_ids: keywords of `Model.attend` that mean the same without a
    tokenizer, for another program to read; {} where there are none.
    """

    model_input: ModelInput
    by_ids: Mapping[str, Any]


def trials(model: Model, inputs: Mapping[str, Any]) -> Iterator[Trial]:
    """One Trial per stream of the model, for two towers per tower.

    Args:
        inputs: keywords of `Model.prepare`; what they leave open is made up. `stream`: this stream alone.

    Raises:
        InputError, SelectionError: as `Model.prepare`.
    """
    own = {name: value for name, value in inputs.items() if value is not None}
    stream = own.pop("stream", None)
    both = "image" in model.spec.stacks and not own.keys() & {*_TEXT, *_ARRAYS}
    for image in (False, True) if both else ("pixel_values" in own,):
        for name in model.streams if stream is None else (stream,):
            yield _trial(model, own, name, image)


def _trial(model: Model, own: Mapping[str, Any], stream: str, image: bool) -> Trial:
    spec = model.stack("encoder", image)
    if spec.patches is not None or spec.convolutions is not None:
        keywords = by_ids = {name: own[name] for name in (*_TEXT, *_ARRAYS) if name in own} or _noise(spec)
    else:
        keywords, by_ids = _texts(model, own)
        keywords |= {name: own[name] for name in ("global_tokens",) if name in own}
    if stream in ("decoder", "cross") or (stream == "encoder" and own.keys() & {"target", "target_ids"}):
        target = _target(model, own)
        keywords, by_ids = keywords | target, by_ids | _target_ids(model, target)
    elif stream == "encoder":
        by_ids = by_ids | _target_ids(model, _target(model, own))  # another program runs both stacks
    return Trial(model.prepare(**keywords, stream=stream), by_ids)


def _texts(model: Model, own: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keywords for a text: (as the user gave it, as ids)."""
    if "ids" in own:
        ids = {name: np.asarray(own[name]) for name in ("ids", "token_types") if name in own}
        return {**ids}, ids
    text, pair = own.get("text", SENTENCE), own.get("pair")
    try:
        tokens = model.tokens(text, pair)
    except AttnvizError:
        if "text" in own:
            raise
        ids = {"ids": _random_ids(model.stack("encoder"), N_IDS)}
        return {**ids}, ids
    spec, keywords = model.stack("encoder"), {"text": text, "pair": pair}
    if min(tokens.ids, default=-1) < 0 or spec.by_word:
        return keywords, {}
    types = {"token_types": np.array(tokens.segments)} if any(tokens.segments) and spec.n_types else {}
    return keywords, {"ids": np.array(tokens.ids), **types}


def _target(model: Model, own: Mapping[str, Any]) -> dict[str, Any]:
    """The decoder's input: a text, or ids for a model without a tokenizer."""
    named = {name: own[name] for name in ("target", "target_ids") if name in own}
    if named:
        return named
    try:
        model.tokens(TARGET)
    except AttnvizError:
        return {"target_ids": _random_ids(model.stack("decoder"), N_TARGET)}
    return {"target": TARGET}


def _target_ids(model: Model, target: Mapping[str, Any]) -> dict[str, Any]:
    if "target_ids" in target:
        return {"target_ids": np.asarray(target["target_ids"])}
    assert model.tokenizer is not None
    tokens = model.tokenizer.encode_target(target["target"], model.spec.start_id).tokens
    return {"target_ids": np.array(tokens.ids)}


def _random_ids(spec: Spec, count: int) -> NDArray[Any]:
    """Ids away from the first ones, which are special in many vocabularies."""
    count = min(count, spec.max_positions or count)
    return np.random.default_rng(0).integers(min(10, spec.vocab - 1), spec.vocab, count)


def _noise(spec: Spec) -> dict[str, Any]:
    """An image or a sound of normal noise."""
    random = np.random.default_rng(0)
    if spec.patches is not None:
        return {"pixel_values": random.standard_normal((spec.patches.channels, *spec.patches.image), np.float32)}
    assert spec.convolutions is not None
    count = _samples(spec)
    if spec.convolutions.channels == 1:
        return {"input_values": random.standard_normal(count, np.float32)}
    return {"input_features": random.standard_normal((spec.convolutions.channels, count), np.float32)}


def _samples(spec: Spec) -> int:
    """The number of samples for FRAMES frames, or for all of a model's positions where their maps can be held."""
    assert spec.convolutions is not None
    places = spec.max_positions or FRAMES
    wanted = places if spec.n_layers * spec.n_heads * places**2 <= MOST_WEIGHTS else min(FRAMES, places)
    count = 1
    while spec.convolutions.frames(count) < wanted:
        count += 1
    while spec.convolutions.frames(count + 1) == wanted:  # up to a whole frame, as processors cut it
        count += 1
    return count
