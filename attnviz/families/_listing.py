"""List the families from their own files: no name of one is written here, so that the list agrees with the code.

A family is described by the Spec of an empty configuration, where every key has its default. If all published models
set a key whose default is off, the family's file has `TYPICAL`, a configuration to describe instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

from attnviz.engine.spec import (
    Alibi,
    Buckets,
    Disentangled,
    DistanceVectors,
    ImageOffsets,
    Learned,
    Rotary,
    Segmental,
    Sinusoidal,
    Spec,
    Stacks,
)
from attnviz.families import family, model_types
from attnviz.families._config import Config

_PLACES = {
    Learned: "learned",
    Sinusoidal: "sinusoidal",
    Rotary: "rotary",
    Alibi: "alibi",
    Buckets: "buckets",
    Segmental: "transformer-xl",
    Disentangled: "disentangled",
    DistanceVectors: "relative keys",
    ImageOffsets: "image-offsets",
}


@dataclass(frozen=True)
class Description:
    """A model_type and what attnviz knows of it.

    family: the name of the file that serves it. title: one line about the model. reads: text, image, sound. streams:
    self, or encoder, decoder, cross. positions: the kinds of position encoding. mask: which keys a query may see: all
    or causal, followed by window, some-windows, blocks or global-tokens.
    """

    model_type: str
    family: str
    title: str
    reads: tuple[str, ...]
    streams: tuple[str, ...]
    positions: tuple[str, ...]
    mask: tuple[str, ...]


def descriptions() -> Iterator[Description]:
    """Every known model_type, in order."""
    return map(describe, model_types())


def describe(model_type: str) -> Description:
    """Describe one model_type."""
    module = family(model_type)
    return described(model_type, module, module.spec(Config(getattr(module, "TYPICAL", {}))))


def described(model_type: str, module: ModuleType, spec: Stacks) -> Description:
    """The Spec that a family reads from one configuration."""
    stacks = [stack.spec for stack in spec.stacks.values()]
    return Description(
        model_type,
        module.__name__.rpartition(".")[2],
        (module.__doc__ or "").partition("\n")[0],
        # A decoder with cross-attention has a target as its own text, which is not what the model reads.
        _all(_reads(stack) for stack in stacks if not stack.cross),
        spec.streams,
        _all(word for stack in stacks for word in _positions(stack)),
        _all(word for stack in stacks for word in _mask(stack)),
    )


def _reads(spec: Spec) -> str:
    return "image" if spec.patches is not None else "sound" if spec.convolutions is not None else "text"


def _positions(spec: Spec) -> Iterator[str]:
    turning = next((turns for turns in spec.rotary if turns is not None), None)
    for part in (spec.absolute, turning, spec.bias, spec.relative):
        if part is not None:
            computed = isinstance(part, Learned) and part.computed is not None
            yield _PLACES[Sinusoidal if computed else type(part)]
    if spec.positional_convolution is not None:
        yield "convolution"


def _mask(spec: Spec) -> Iterator[str]:
    yield "causal" if spec.causal else "all"
    limited = [spec.reach_of(layer) >= 0 for layer in range(spec.n_layers)]
    if any(limited):
        yield "window" if all(limited) else "some-windows"
    if spec.blocks is not None:
        yield "blocks"
    if spec.global_tokens:
        yield "global-tokens"


def _all(words: Iterator[str]) -> tuple[str, ...]:
    """Each word once, in the order of their first appearance."""
    return tuple(dict.fromkeys(words))
