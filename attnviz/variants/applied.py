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
    "general": lambda asked, draw: General(draw),
    "concat": lambda asked, draw: Additive(draw, "concat"),
    "additive": lambda asked, draw: Additive(draw, "additive"),
    "local-p": lambda asked, draw: LocalP(asked["reach"], draw),
    "dilated": lambda asked, draw: Dilated(asked["reach"], asked["gap"]),
    "bigbird": lambda asked, draw: BigBird(asked["block"], asked["random"], draw),
    "lsh": lambda asked, draw: Hashed(asked["buckets"], asked["rounds"], draw),
    "permutation": lambda asked, draw: Permutation(asked["order"], draw),
    "adaptive-span": lambda asked, draw: AdaptiveSpan(asked["span"], asked["ramp"]),
    "memory": lambda asked, draw: Memory(asked["segment"], asked["memory"]),
    "compressed-memory": lambda asked, draw: CompressedMemory(asked["segment"], asked["memory"], asked["rate"]),
    "linformer": lambda asked, draw: Linformer(asked["rank"], asked["drawn"], draw),
    "performer": lambda asked, draw: Performer(asked["features"], draw),
    "linear": lambda asked, draw: Linear(),
    "mamba": lambda asked, draw: Mamba(draw),
}


def kind(asked: VariantSpec, draw: Draw) -> Variant | None:
    """The object that weighs; None where the engine's own tiles do it."""
    made = KINDS.get(asked.mechanism.name)
    return None if made is None else made(asked, draw)


def applied(spec: Spec, asked: VariantSpec, draw: Draw, layer: int | None = None) -> Spec:
    """The Spec with this mechanism in place of its attention.

    Args:
        spec: of one stack with plain attention; that of the seeded model, or of a loaded one.
        draw: standard normal numbers by name, for what a mechanism draws.
        layer: only in this layer, where the mechanism can be in one alone (not: a scale, causality, positions).

    Raises:
        SelectionError: this Spec cannot have it.
    """
    found = kind(asked, draw)
    own = [spec.variant_of(i) for i in range(spec.n_layers)], [spec.reach_of(i) for i in range(spec.n_layers)]
    if found is not None:
        return replace(spec, variant=_at(layer, own[0], VariantFunction(found)))
    name = asked.mechanism.name
    if name in ("local-m", "window"):
        return replace(spec, reach=_at(layer, own[1], asked["reach"]))
    return _FIELDS[name](spec, asked)


def _at(layer: int | None, own: list[T], value: T) -> tuple[T, ...]:
    """One value for all layers, or for `layer` alone, the others keeping their own."""
    return (value,) if layer is None else tuple(value if i == layer else kept for i, kept in enumerate(own))


def _without_places(spec: Spec) -> Spec:
    return replace(spec, absolute=None)


def _rotary(spec: Spec, asked: VariantSpec) -> Spec:
    if spec.d_head % 2:
        raise SelectionError(
            f"rotary turns pairs of dimensions: a head must have an even number of them; got {spec.d_head}"
        )
    return replace(_without_places(spec), rotary=(Rotary(spec.d_head, interleaved=True),))


def _learned(spec: Spec, asked: VariantSpec) -> Spec:
    size = POSITIONS
    if spec.patches is not None:
        rows, cols = spec.patches.grid(*spec.patches.image)
        size = rows * cols + spec.patches.front
    return replace(spec, absolute=Learned(size))


_FIELDS: dict[str, Callable[[Spec, VariantSpec], Spec]] = {
    "scaled-dot": lambda spec, asked: replace(spec, scale=spec.d_head**-0.5, scale_by_layer=False),
    "full": lambda spec, asked: replace(spec, causal=False, reach=(), blocks=None),
    "dot": lambda spec, asked: replace(spec, scale=1.0, scale_by_layer=False),
    "causal": lambda spec, asked: replace(spec, causal=True),
    "global": lambda spec, asked: replace(spec, reach=(asked["reach"],), global_tokens=True),
    "no-positions": lambda spec, asked: _without_places(spec),
    "sinusoidal": lambda spec, asked: replace(spec, absolute=Sinusoidal()),
    "learned": _learned,
    "rotary": _rotary,
    "alibi": lambda spec, asked: replace(_without_places(spec), bias=Alibi(), causal=True),
    "t5": lambda spec, asked: replace(_without_places(spec), bias=Buckets(bidirectional=not spec.causal)),
    "transformer-xl": lambda spec, asked: replace(_without_places(spec), relative=Segmental()),
    "cross": lambda spec, asked: spec,
    "patches": lambda spec, asked: spec,
}


def check_fits(spec: Stacks, asked: VariantSpec, name: str, random: bool, has: VariantSpec | None = None) -> Spec:
    """The Spec, if it can have this mechanism; SelectionError in one clear line if not.

    name: what the model is called. random: whether it is the seeded one. has: the mechanism that it has already.
    """
    mechanism = asked.mechanism
    if has is not None:
        raise SelectionError(
            f"{name} cannot have {mechanism.name}: {has.mechanism.name} stands there already", "take one at a time"
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
    """What the attention of a model has that would be lost without a word."""
    blocks = ("block-sparse attention", spec.blocks is not None)
    if name in ("local-m", "window", "causal"):  # blocks stand in place of other masks
        found = [blocks]
    elif name in KINDS:
        found = [
            ("biases by distance", spec.bias is not None),
            ("scores by distance", spec.relative is not None),
            blocks,
            ("global tokens", spec.global_tokens),
            ("a window", any(spec.reach_of(i) >= 0 for i in range(spec.n_layers))),
            ("learned sinks", spec.sinks),
            ("capped scores", spec.softcap > 0),
        ]
    else:
        found = []
    return [what for what, there in found if there]


def check_stream(asked: VariantSpec, stream: str | None) -> None:
    """Raises SelectionError if a mechanism means nothing there: between two texts, or within one. None: not said."""
    mechanism = asked.mechanism
    if stream == "cross" and not mechanism.crosses and mechanism.group != "positions":
        able = ", ".join(other.name for other in MECHANISMS.values() if other.crosses)
        raise SelectionError(f"{mechanism.name} is for one text, not for --stream cross", f"two can have {able}")
    if stream == "self" and mechanism.needs == "pair":
        raise SelectionError(f"{mechanism.name} is between two texts, not within one", "leave out --stream self")
