"""A mechanism put into a Spec: a field where the engine has one for it, else an object that weighs instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from attnviz.engine.spec import Alibi, Buckets, Learned, Rotary, Segmental, Sinusoidal, Spec, Stacks
from attnviz.errors import SelectionError
from attnviz.variants.approximate import Linear, Linformer, Performer
from attnviz.variants.base import Variant, VariantFunction
from attnviz.variants.compressed import CompressedMemory
from attnviz.variants.scoring import Additive, General
from attnviz.variants.sparse import AdaptiveSpan, BigBird, Dilated, Hashed, LocalP, Memory, Permutation
from attnviz.variants.state_space import Mamba
from attnviz.variants.table import MECHANISMS, VariantSpec

if TYPE_CHECKING:
    from attnviz.variants.base import Draw

T = TypeVar("T")

POSITIONS = 512  # rows of the learned table

KINDS: dict[str, Callable[[VariantSpec, Draw], Variant]] = {
    "general": lambda variant, draw: General(draw),
    "concat": lambda variant, draw: Additive(draw, "concat"),
    "additive": lambda variant, draw: Additive(draw, "additive"),
    "local-p": lambda variant, draw: LocalP(variant["reach"], draw),
    "dilated": lambda variant, draw: Dilated(variant["reach"], variant["gap"]),
    "bigbird": lambda variant, draw: BigBird(variant["block"], variant["random"], draw),
    "lsh": lambda variant, draw: Hashed(variant["buckets"], variant["rounds"], draw),
    "permutation": lambda variant, draw: Permutation(variant["order"], draw),
    "adaptive-span": lambda variant, draw: AdaptiveSpan(variant["span"], variant["ramp"]),
    "memory": lambda variant, draw: Memory(variant["segment"], variant["memory"]),
    "compressed-memory": lambda variant, draw: CompressedMemory(variant["segment"], variant["memory"], variant["rate"]),
    "linformer": lambda variant, draw: Linformer(variant["rank"], variant["drawn"], draw),
    "performer": lambda variant, draw: Performer(variant["features"], draw),
    "linear": lambda variant, draw: Linear(),
    "mamba": lambda variant, draw: Mamba(draw),
}


def kind(variant: VariantSpec, draw: Draw) -> Variant | None:
    """The object that weighs; None where the engine's own tiles do it."""
    build = KINDS.get(variant.mechanism.name)
    return None if build is None else build(variant, draw)


def applied(spec: Spec, variant: VariantSpec, draw: Draw, layer: int | None = None) -> Spec:
    """The Spec with this mechanism instead of its attention.

    Args:
        spec: of one stack with plain attention, of the seeded model or of a loaded model.
        draw: standard normal numbers by name, for what a mechanism draws.
        layer: only in this layer, where the mechanism can be in one alone (not: a scale, causality, positions).

    Raises:
        SelectionError: this Spec cannot have it.
    """
    layers, name = range(spec.n_layers), variant.mechanism.name
    if (function := kind(variant, draw)) is not None:
        return replace(spec, variant=_at(layer, [spec.variant_of(i) for i in layers], VariantFunction(function)))
    if name in ("local-m", "window"):
        return replace(spec, reach=_at(layer, [spec.reach_of(i) for i in layers], variant["reach"]))
    return _FIELDS[name](spec, variant)


def _at(layer: int | None, own: list[T], value: T) -> tuple[T, ...]:
    """One value for all layers, or for `layer` alone; the other layers keep their own."""
    return (value,) if layer is None else (*own[:layer], value, *own[layer + 1 :])


def _rotary(spec: Spec, variant: VariantSpec) -> Spec:
    if spec.d_head % 2:
        raise SelectionError(
            f"rotary turns pairs of dimensions: a head must have an even number of them; got {spec.d_head}"
        )
    return replace(spec, absolute=None, rotary=(Rotary(spec.d_head, interleaved=True),))


def _learned(spec: Spec, variant: VariantSpec) -> Spec:
    size = POSITIONS
    if spec.patches is not None:
        rows, cols = spec.patches.grid(*spec.patches.image)
        size = rows * cols + spec.patches.front
    return replace(spec, absolute=Learned(size))


_FIELDS: dict[str, Callable[[Spec, VariantSpec], Spec]] = {
    "scaled-dot": lambda spec, variant: replace(spec, scale=spec.d_head**-0.5, scale_by_layer=False),
    "full": lambda spec, variant: replace(spec, causal=False, reach=(), blocks=None),
    "dot": lambda spec, variant: replace(spec, scale=1.0, scale_by_layer=False),
    "causal": lambda spec, variant: replace(spec, causal=True),
    "global": lambda spec, variant: replace(spec, reach=(variant["reach"],), global_tokens=True),
    "no-positions": lambda spec, variant: replace(spec, absolute=None),
    "sinusoidal": lambda spec, variant: replace(spec, absolute=Sinusoidal()),
    "learned": _learned,
    "rotary": _rotary,
    "alibi": lambda spec, variant: replace(spec, absolute=None, bias=Alibi(), causal=True),
    "t5": lambda spec, variant: replace(spec, absolute=None, bias=Buckets(bidirectional=not spec.causal)),
    "transformer-xl": lambda spec, variant: replace(spec, absolute=None, relative=Segmental()),
    "cross": lambda spec, variant: spec,
    "patches": lambda spec, variant: spec,
}


def check_fits(spec: Stacks, variant: VariantSpec, name: str, random: bool, has: VariantSpec | None = None) -> Spec:
    """The Spec, if it can have this mechanism; SelectionError in one clear line if not.

    name: what the model is called. random: whether it is the seeded one. has: the mechanism that it has already.
    """
    mechanism = variant.mechanism
    if has is not None:
        raise SelectionError(
            f"{name} cannot have {mechanism.name}: it already has {has.mechanism.name}", "take one at a time"
        )
    if mechanism.needs != "any" and not random:
        why = "its weights were not trained for it" if mechanism.needs == "seeded" else "its input is its own affair"
        able = ", ".join(other.name for other in MECHANISMS.values() if other.needs == "any")
        raise SelectionError(f"{name} cannot have {mechanism.name}: {why}", f"the seeded model can; {name}: {able}")
    if not isinstance(spec, Spec):
        raise SelectionError(f"{name} cannot have {mechanism.name}: it has two stacks", "the seeded model can have it")
    lost = _lost(spec, mechanism.name)
    if lost:
        raise SelectionError(
            f"{name} cannot have {mechanism.name}: its attention has {' and '.join(lost)}, which it would lose",
            "the seeded model can have it",
        )
    return spec


def _lost(spec: Spec, name: str) -> list[str]:
    """Features of a model's attention that would be lost silently."""
    features = {
        "biases by distance": spec.bias is not None,
        "scores by distance": spec.relative is not None,
        "block-sparse attention": spec.blocks is not None,
        "global tokens": spec.global_tokens,
        "a window": any(spec.reach_of(i) >= 0 for i in range(spec.n_layers)),
        "learned sinks": spec.sinks,
        "capped scores": spec.softcap > 0,
    }
    if name in ("local-m", "window", "causal"):  # blocks replace all other masks
        features = {"block-sparse attention": features["block-sparse attention"]}
    elif name not in KINDS:
        features = {}
    return [feature for feature, present in features.items() if present]


def check_stream(variant: VariantSpec, stream: str | None) -> None:
    """Raise SelectionError if a mechanism has no meaning between two texts, or within one. stream: None if open."""
    mechanism = variant.mechanism
    if stream == "cross" and not mechanism.crosses and mechanism.group != "positions":
        able = ", ".join(other.name for other in MECHANISMS.values() if other.crosses)
        raise SelectionError(f"{mechanism.name} is for one text, not for --stream cross", f"two can have {able}")
    if stream == "self" and mechanism.needs == "pair":
        raise SelectionError(f"{mechanism.name} is between two texts, not within one", "leave out --stream self")
