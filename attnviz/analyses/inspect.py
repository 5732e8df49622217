"""`attnviz inspect`: what is in a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.analyses.base import Result, analysis, option
from attnviz.files.untrusted import uncollected
from attnviz.models.find import imitated
from attnviz.models.tensors import stored_values, tensor_named, tensor_rows
from attnviz.page.parts import Facts, Page, TensorTable, TensorValues

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.measures.tensors import TensorRow
    from attnviz.models.model import Model, Progress


@dataclass(frozen=True)
class Options:
    """One tensor or all."""

    tensor: str | None = option(None, "Show one tensor, by its stored name or by ours.", metavar="NAME")
    headers: bool = option(False, "Read no weights, so no statistics.")


@dataclass(frozen=True)
class ModelTensors(Result):
    """summary, sizes: (name, value) pairs, of the model and of the matrices of one head; tensors: a row each."""

    summary: tuple[tuple[str, str], ...]
    sizes: tuple[tuple[str, str], ...]
    tensors: tuple[TensorRow, ...]

    def title(self) -> str:
        return f"{dict(self.summary)['model']}, {len(self.tensors)} tensors"

    def each_row(self) -> Iterator[dict[str, Any]]:
        statistics = ("mean", "std", "min", "max")
        for row in self.tensors:
            named = {"stored": row.stored, "ours": row.ours, "shape": list(row.shape), "dtype": row.dtype}
            yield named | {name: getattr(row, name) for name in statistics} | {"bytes": row.nbytes or None}

    def printed(self) -> Page:
        return Page(parts=(Facts((*self.summary, *self.sizes)), TensorTable(self.tensors)))


@dataclass(frozen=True, eq=False)
class OneTensor(Result):
    """One tensor, by its name in the file and in attnviz, as it is stored."""

    stored: str
    ours: str
    dtype: str
    values: NDArray[Any]

    def title(self) -> str:
        return self.stored

    def each_row(self) -> Iterator[dict[str, Any]]:
        import numpy as np

        for place, value in np.ndenumerate(self.values):
            yield {"index": list(place), "value": float(value)}

    def printed(self) -> Page:
        return Page(parts=(TensorValues(self.stored, self.ours, self.dtype, self.values),))


@analysis("inspect", Options, Result, subject="whole model", progress_label="tensors")
def inspect(model: Model, options: Options, progress: Progress | None = None) -> ModelTensors | OneTensor:
    """Show what is in a model: its configuration and every tensor.

    A tensor's row: stored name, our name, shape, type, mean, standard deviation, least and largest value.
    --tensor shows one as a map and a histogram; in a pipe the histogram alone, its numbers with --json.

    attnviz inspect minilm
    attnviz inspect path/to/folder --json
    attnviz inspect seeded --tensor layers.0.q.weight
    """
    if options.tensor is not None:
        stored, ours, shape, dtype = tensor_named(model, options.tensor)
        return OneTensor(stored, ours, dtype, stored_values(model, stored, shape))
    with uncollected():  # a file may hold 100,000 tensors
        rows = tuple(_measured(model, options.headers, progress))
    return ModelTensors(tuple(summary(model)), tuple(sizes(model)), rows)


def _measured(model: Model, headers: bool, progress: Progress | None) -> Iterator[TensorRow]:
    """Read one tensor at a time, measure and forget it; read none if only the headers are wanted."""
    from attnviz.measures.tensors import TensorRow

    tensors = list(tensor_rows(model))
    for stored, ours, shape, dtype in tensors:
        n_bytes = model.checkpoint.tensors[stored].nbytes if model.checkpoint is not None else 0
        if headers or 0 in shape:  # nothing to read
            yield TensorRow(stored, ours, shape, dtype, nbytes=n_bytes)
        else:
            yield TensorRow.of(stored, ours, dtype, stored_values(model, stored, shape), nbytes=n_bytes)
        if progress is not None:
            progress(1 / len(tensors))


def summary(model: Model) -> Iterator[tuple[str, str]]:
    """The model's name and size; the titles of tiny's heads; then the configuration as it was read."""
    yield "model", model.name
    for name in ("digest", "revision", "adapter", "adapter_digest", "seed"):
        if model.meta.get(name) not in (None, ""):
            yield name, str(model.meta[name])
    if model.mechanism is not None:
        mechanism, described = model.mechanism.mechanism, model.mechanism.described
        yield "mechanism", f"{mechanism.name}, {described}" if described else mechanism.name
        yield "its formula", mechanism.formula
        yield "its source", f"{mechanism.source}, {mechanism.where}"
    for stream in model.streams:
        yield from _stream(model, stream)
    heads = imitated(model)
    for row in heads:
        near = f"as {row['teacher_layer']}.{row['teacher_head']} of the teacher: js {row['js']}, top-1 {row['top1']}"
        yield f"head {row['layer']}.{row['head']}", f"{row['does']} ({near})"
    if heads:
        yield "other heads", "taught nothing of their own: they carry what these need"
    for key, value in model.config.items():
        if isinstance(value, (str, int, float, bool)):
            yield f"config {key}", str(value)


def _stream(model: Model, stream: str) -> Iterator[tuple[str, str]]:
    n_layers, n_heads = model.size(stream)
    spec = model.stack(stream)
    kv = f", {spec.n_kv_heads} of keys and values" if spec.n_kv_heads not in (0, n_heads) else ""
    value = f", values of {spec.d_value}" if spec.d_value != spec.d_head else ""
    size = f"{n_layers} layers x {n_heads} heads of {spec.d_head}{value}{kv}; width {spec.d_model}"
    yield f"{stream} attention", size
    if spec.latent is not None:
        yield f"{stream} keys and values", f"from a vector of {spec.latent.d_kv} for each token"


def sizes(model: Model) -> Iterator[tuple[str, str]]:
    """The matrices of one head, a stream at a time."""
    for stream in model.streams:
        spec = model.stack(stream)
        for name, width in (("W_Q", spec.d_head), ("W_K", spec.d_head), ("W_V", spec.d_value)):
            yield f"{name} of a {stream} head", f"{spec.d_model} x {width}"
        if spec.output:
            yield f"W_O of a {stream} head", f"{spec.d_value} x {spec.d_model}"
