"""A variant of a family's tiny case, and the functions that its tables use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Variant:
    """One case: its differences from the family's tiny case."""

    name: str
    note: str
    length: int = 13
    target: int = 7
    architecture: str = ""
    gain: float = 1.6
    inputs: dict[str, Any] = field(default_factory=dict)  # image=(h, w), pads=[i], globals=[i], types=False, ...
    config: dict[str, Any] = field(default_factory=dict)
    reads: str = ""


def v(name: str, note: str, **options: Any) -> Variant:
    """A variant: the keywords that are not Variant's own are configuration."""
    own = {
        key: options.pop(key)
        for key in tuple(options)
        if key in ("length", "target", "architecture", "gain", "inputs", "reads")
    }
    return Variant(name, note, config=options, **own)


def without(variants: list[Variant], *names: str) -> list[Variant]:
    """The variants without the ones of these names."""
    return [variant for variant in variants if variant.name not in names]


def rope(kind: str, theta: float = 10000.0, **more: Any) -> dict[str, Any]:
    """rope_parameters of a kind."""
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **more}}
