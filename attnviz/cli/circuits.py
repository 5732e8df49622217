"""`attnviz circuits`: what heads can do, from weights alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnviz.cli.analyses import BY, TOP, asked_format, write_rows
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import Sheet
from attnviz.cli.options import Json, Output, Selection, Talk, usage
from attnviz.cli.source import Unchanged
from attnviz.flags import same
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.measures.circuits import Circuits

FORMATS = formats.of(formats.FIGURE, formats.ROWS)
LAYERS = "all"  # without --layer
BY_MEANS = "What is shown: head, pair (which reads what which wrote) or spectrum."
SHOWS = ("head", "pair", "spectrum")


@dataclass(frozen=True)
class Which:
    """Which layers and heads of which stack."""

    layer: str | None = same(Selection, "layer", default=None)
    head: str = same(Selection, "head", default="all")
    stream: str | None = same(Selection, "stream", default=None)

    def __post_init__(self) -> None:
        Selection(layer=self.layer, head=self.head, stream=self.stream)


@command
def run(
    *,
    which: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="The model, as for --model.", show_default=False),
    ] = None,
    source: Unchanged,
    chosen: Which,
    by: Annotated[str | None, BY] = None,
    vocabulary: Annotated[
        bool,
        typer.Option(
            "--vocabulary",
            help="Also the copying score through embeddings and unembedding.",
            rich_help_panel="What to show",
        ),
    ] = False,
    norms: Annotated[
        bool,
        typer.Option(
            "--norms/--no-norms",
            help="Fold the weight and the centring of the norm in front into the matrices. Default: yes.",
            show_default=False,
            rich_help_panel="What to show",
        ),
    ] = True,
    top: Annotated[int | None, TOP] = None,
    sheet: Sheet,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """Say what heads can do, from weights alone: W_QK, W_OV and composition.

    W_QK attends, W_OV writes (Elhage 2021). copying: sum of W_OV's eigenvalues / sum of their moduli, 1 where a head
    raises what it attends to, -1 where it lowers it; matching: the same of W_QK, 1 where a head attends to what is like
    the query. --by pair: composition, how much a later head's queries (q), keys (k) or values (v) read of what an
    earlier head writes. No text is needed.

    attnviz circuits minilm
    attnviz circuits model.gguf --by pair --top 20
    attnviz circuits model.gguf -o circuits.png
    attnviz circuits minilm -l 3 -H 1 --by spectrum --json
    """
    from attnviz.cli import work
    from attnviz.errors import one_of

    source = source.named(which)
    by = by or "head"
    if by not in SHOWS:
        usage(one_of("--by", by, SHOWS))
    format = asked_format(output, listing, FORMATS)
    found = _found(source, chosen, by, vocabulary, norms, talk)
    if listing.json or format in ("json", "csv"):
        rows = _ROWS[by](found)[:top]
        if listing.json:
            work.print_json(rows)
        else:
            write_rows(output, format, rows, "circuits")
    elif format:
        drawn = _drawn(found, by, format, sheet, work.facts(line, found.model, found.meta), talk)
        work.write(output, format, lambda file: file.write(drawn), "circuits")
    else:
        from attnviz.render.terminal_circuits import print_circuits

        print_circuits(found, by, _ROWS[by](found)[: top or 20])


def _found(source: Unchanged, chosen: Which, by: str, vocabulary: bool, norms: bool, talk: Talk) -> Circuits:
    from attnviz.circuits import circuits
    from attnviz.cli import work
    from attnviz.render.progress import progress
    from attnviz.select import resolve_heads

    model = work.load(source, talk)
    at = resolve_heads(chosen.layer or LAYERS, chosen.head, *model.size(chosen.stream))
    with progress("circuits", total=1, quiet=talk.quiet) as advance:
        return circuits(
            model,
            stream=chosen.stream,
            layers=at.beside,
            heads=at.asked,
            composition=by != "spectrum",
            vocabulary=vocabulary,
            norms=norms,
            progress=advance,
        )


def _heads(found: Circuits) -> list[dict[str, Any]]:
    """A head each, those that copy most first."""
    rows = []
    for at, (layer, head) in enumerate(found.places):
        i, j = divmod(at, found.copying.shape[1])
        row: dict[str, Any] = {
            "layer": layer,
            "head": head,
            "copying": float(found.copying[i, j]),
            "matching": float(found.matching[i, j]),
            "ov_norm": float(found.ov_norm[i, j]),
            "qk_norm": float(found.qk_norm[i, j]),
        }
        if found.vocabulary is not None:
            row["vocabulary"] = float(found.vocabulary[i, j])
        rows.append(row | _reads(found, i, j))
    return sorted(rows, key=lambda row: -row["copying"])


def _reads(found: Circuits, i: int, j: int) -> dict[str, Any]:
    """The earlier head of which this one reads most."""
    import numpy as np

    best: dict[str, Any] = {"reads": None, "from_layer": None, "from_head": None, "composition": float("nan")}
    for kind, values in found.composition.items():
        own = np.nan_to_num(values[i, j], nan=-1.0).reshape(-1)
        most = int(own.argmax())
        if own[most] >= 0 and not own[most] <= best["composition"]:
            place = dict(zip(("from_layer", "from_head"), found.places[most], strict=True))
            best = {"reads": kind, **place, "composition": float(own[most])}
    return best


def _pairs(found: Circuits) -> list[dict[str, Any]]:
    """A reading and a writing head each, the closest first."""
    import numpy as np

    rows = []
    for kind, values in found.composition.items():
        square = values.reshape(len(found.places), len(found.places))  # reading head, writing head
        for reader, writer in np.argwhere(~np.isnan(square)).tolist():
            ends = dict(zip(("layer", "head"), found.places[reader], strict=True))
            source = dict(zip(("from_layer", "from_head"), found.places[writer], strict=True))
            value = float(square[reader, writer])
            rows.append({"reads": kind, **ends, **source, "composition": value, "over_chance": value / found.chance})
    return sorted(rows, key=lambda row: -row["composition"])


def _spectrum(found: Circuits) -> list[dict[str, Any]]:
    """A singular value and an eigenvalue each, largest first within a head."""
    n_heads = found.copying.shape[1]
    sides = (("QK", found.qk_singular, found.qk_eigen), ("OV", found.ov_singular, found.ov_eigen))
    return [
        {
            "layer": layer,
            "head": head,
            "circuit": circuit,
            "index": k,
            "singular": float(singular[at // n_heads, at % n_heads, k]),
            "real": float(eigen[at // n_heads, at % n_heads, k].real),
            "imaginary": float(eigen[at // n_heads, at % n_heads, k].imag),
        }
        for at, (layer, head) in enumerate(found.places)
        for circuit, singular, eigen in sides
        for k in range(singular.shape[-1])
    ]


_ROWS = {"head": _heads, "pair": _pairs, "spectrum": _spectrum}


def _drawn(found: Circuits, by: str, format: str, sheet: Sheet, made: dict[str, str], talk: Talk) -> bytes:
    from attnviz.page.circuits import heads_of, pairs_of, spectrum_of
    from attnviz.render.image import to_bytes

    draw = {"head": heads_of, "pair": pairs_of, "spectrum": spectrum_of}[by]
    return to_bytes(sheet.draw(draw, found, meta=made, talk=talk), format)
