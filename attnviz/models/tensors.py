"""A model's tensors: all of them listed, one of them by name."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from attnviz.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.models.model import Model


def tensor_rows(model: Model) -> Iterator[tuple[str, str, tuple[int, ...], str]]:
    """(stored name, our name, shape, dtype) of every tensor, from headers only."""
    if model.checkpoint is None:
        for name, shape in model.tensors.names():  # type: ignore[attr-defined]
            yield name, name, shape, "F32"
        return
    ours = model.tensors.canonical()  # type: ignore[attr-defined]
    for stored in model.checkpoint.tensors.values():
        yield stored.name, ours.get(stored.name, ""), stored.shape, stored.dtype


def tensor_values(model: Model, name: str) -> NDArray[Any]:
    """One tensor as it is stored, by its stored name or by ours. Raises ConfigError if there is none."""
    for stored, ours, shape, _ in tensor_rows(model):
        if name in (stored, *ours.split(", ")):
            if model.checkpoint is None:
                return model.tensors.get(stored, shape)
            return model.checkpoint.read(stored)
    near = get_close_matches(name, [row[0] for row in tensor_rows(model)], n=3, cutoff=0.4)
    raise ConfigError(f"{model.name} has no tensor {name!r}", f"the nearest: {', '.join(near)}" if near else "")
