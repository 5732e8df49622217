"""`attnviz inspect`: what is in a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnviz.cli.expand import command
from attnviz.cli.options import Json, Talk
from attnviz.cli.source import Source

if TYPE_CHECKING:
    from attnviz.models.model import Model
    from attnviz.page.tensor import TensorRow


@command
def run(
    *,
    which: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="The model, as for --model.", show_default=False),
    ] = None,
    source: Source,
    tensor: Annotated[
        str | None,
        typer.Option(
            "--tensor",
            metavar="NAME",
            help="Show one tensor, by its stored name or by ours.",
            rich_help_panel="What to show",
            show_default=False,
        ),
    ] = None,
    headers: Annotated[
        bool,
        typer.Option("--headers", help="Read no weights, so no statistics.", rich_help_panel="What to show"),
    ] = False,
    output: Json,
    talk: Talk,
) -> None:
    """Show what is in a model: its configuration and every tensor.

    A tensor's row: stored name, our name, shape, type, mean, standard deviation, least and largest value.
    --tensor shows one as a map and a histogram; in a pipe the histogram alone, its numbers with --json.

    attnviz inspect minilm
    attnviz inspect path/to/folder --json
    attnviz inspect seeded --tensor layers.0.q.weight
    """
    from attnviz.cli import work
    from attnviz.files.untrusted import uncollected

    with uncollected():  # a file may hold 100,000 tensors
        model = work.load(source.named(which), talk)
        if tensor is not None:
            _one(model, tensor, output.json)
        elif output.json:
            work.print_json(map(_object, _rows(model, headers, talk)))
        else:
            from attnviz.render.terminal_inspect import print_inspect

            print_inspect(list(facts(model)), list(_rows(model, headers, talk)), list(sizes(model)))


def facts(model: Model) -> Iterator[tuple[str, str]]:
    """What the model is and how large; what tiny's heads do; then its configuration as it was read."""
    from attnviz.models.find import imitated

    yield "model", model.name
    for name in ("digest", "revision", "adapter", "adapter_digest", "seed"):
        if model.meta.get(name) not in (None, ""):
            yield name, str(model.meta[name])
    if model.mechanism is not None:
        one, described = model.mechanism.mechanism, model.mechanism.described
        yield "mechanism", f"{one.name}, {described}" if described else one.name
        yield "its formula", one.formula
        yield "its source", f"{one.source}, {one.where}"
    for stream in model.streams:
        n_layers, n_heads = model.size(stream)
        spec = model.stack(stream)
        kv = f", {spec.n_kv_heads} of keys and values" if spec.n_kv_heads not in (0, n_heads) else ""
        value = f", values of {spec.d_value}" if spec.d_value != spec.d_head else ""
        yield (
            f"{stream} attention",
            f"{n_layers} layers x {n_heads} heads of {spec.d_head}{value}{kv}; width {spec.d_model}",
        )
        if spec.latent is not None:
            yield f"{stream} keys and values", f"from a vector of {spec.latent.d_kv} for each token"
    for row in imitated(model):
        near = f"as {row['teacher_layer']}.{row['teacher_head']} of the teacher: js {row['js']}, top-1 {row['top1']}"
        yield f"head {row['layer']}.{row['head']}", f"{row['does']} ({near})"
    if imitated(model):
        yield "other heads", "taught nothing of their own: they carry what these need"
    for key, value in model.config.items():
        if isinstance(value, (str, int, float, bool)):
            yield f"config {key}", str(value)


def _object(row: TensorRow) -> dict[str, Any]:
    """A row as `--json` prints it."""
    names = ("stored", "ours", "shape", "dtype", "mean", "std", "min", "max")
    return {name: getattr(row, name) for name in names} | {"bytes": row.nbytes or None}


def sizes(model: Model) -> Iterator[tuple[str, str]]:
    """The matrices of one head, a stream at a time."""
    for stream in model.streams:
        spec = model.stack(stream)
        for name, width in (("W_Q", spec.d_head), ("W_K", spec.d_head), ("W_V", spec.d_value)):
            yield f"{name} of a {stream} head", f"{spec.d_model} x {width}"
        if spec.output:
            yield f"W_O of a {stream} head", f"{spec.d_value} x {spec.d_model}"


def _rows(model: Model, headers: bool, talk: Talk) -> Iterator[TensorRow]:
    """A tensor at a time is read, measured and forgotten; with `headers` none is read."""
    from attnviz.models.tensors import tensor_rows
    from attnviz.page.tensor import TensorRow
    from attnviz.render.progress import progress

    tensors = list(tensor_rows(model))
    with progress("tensors", total=len(tensors), quiet=talk.quiet) as advance:
        for stored, ours, shape, dtype in tensors:
            n_bytes = model.checkpoint.tensors[stored].nbytes if model.checkpoint is not None else 0
            if headers or 0 in shape:  # nothing to read
                yield TensorRow(stored, ours, shape, dtype, nbytes=n_bytes)
            else:
                yield TensorRow.of(stored, ours, dtype, _values(model, stored, shape), nbytes=n_bytes)
            advance(1)


def _values(model: Model, stored: str, shape: tuple[int, ...]) -> Any:
    """A tensor by its stored name, without a search."""
    return model.tensors.get(stored, shape) if model.checkpoint is None else model.checkpoint.read(stored)


def _one(model: Model, name: str, as_json: bool) -> None:
    from attnviz.cli import work
    from attnviz.models.tensors import tensor_rows, tensor_values

    values = tensor_values(model, name)
    if as_json:
        import numpy as np

        work.print_json({"index": list(place), "value": float(value)} for place, value in np.ndenumerate(values))
        return

    from attnviz.render.terminal_inspect import print_tensor

    stored, ours, _, dtype = next(row for row in tensor_rows(model) if name in (row[0], *row[1].split(", ")))
    print_tensor(stored, values, ours=ours, dtype=dtype)
