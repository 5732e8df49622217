"""A model's tensors: all of them listed, one of them by name."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from attnviz.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.models.model import Model

TensorHeader = tuple[str, str, tuple[int, ...], str]  # stored name, our name, shape, dtype


def tensor_rows(model: Model) -> Iterator[TensorHeader]:
    """The header of every tensor; no values are read."""
    if model.checkpoint is None:
        for name, shape in model.tensors.names():  # type: ignore[attr-defined]
            yield name, name, shape, "F32"
        return
    ours = model.tensors.canonical()  # type: ignore[attr-defined]
    for stored in model.checkpoint.tensors.values():
        yield stored.name, ours.get(stored.name, ""), stored.shape, stored.dtype


def tensor_named(model: Model, name: str) -> TensorHeader:
    """One tensor by its stored name or by ours. Raises ConfigError, with the nearest names, if there is none."""
    for header in tensor_rows(model):
        if name in (header[0], *header[1].split(", ")):
            return header
    near = get_close_matches(name, [header[0] for header in tensor_rows(model)], n=3, cutoff=0.4)
    raise ConfigError(f"{model.name} has no tensor {name!r}", f"the nearest: {', '.join(near)}" if near else "")


def stored_values(model: Model, stored: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """A tensor's values, by its stored name and shape."""
    return model.tensors.get(stored, shape) if model.checkpoint is None else model.checkpoint.read(stored)
