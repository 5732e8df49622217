"""What commands that compare and measure heads have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from attnviz.cli.options import Joined, Json, Output, Selection, usage
from attnviz.flags import same

if TYPE_CHECKING:
    from attnviz.select import Chosen

TOP = typer.Option(
    "--top",
    metavar="N",
    min=1,
    help="How many to show. Default: as many as are easily read.",
    rich_help_panel="What to show",
    show_default=False,
)

BY = typer.Option(
    "--by",
    metavar="WHAT",
    help="{by}",
    rich_help_panel="What to show",
    show_default=False,
)


@dataclass(frozen=True)
class Heads(Joined):
    """Which layers and heads, of tokens or of words."""

    layer: str | None = same(Selection, "layer", default=None)
    head: str = same(Selection, "head", default="all")
    stream: str | None = same(Selection, "stream", default=None)

    def __post_init__(self) -> None:
        self.selection()

    def among(self, n_layers: int, n_heads: int) -> Chosen:
        """The layers and heads of a model of that size; all layers where none is named."""
        from attnviz.select import resolve_heads

        return resolve_heads(self.layer or "all", self.head, n_layers, n_heads)

    def selection(self) -> Selection:
        """The same, as the commands of maps have it."""
        return Selection(layer=self.layer, head=self.head, stream=self.stream)


def asked_format(output: Output, listing: Json, formats: tuple[str, ...]) -> str:
    """The format of the file that is wanted, '' for none: then the terminal gets the result."""
    if output.output is None and output.format is None:
        return ""
    if listing.json:
        usage("--json prints to standard output: leave out -o, or write a file that ends in .json")
    from attnviz.cli import work

    format = output.chosen(formats, "png")
    work.check_output(output, format)
    return format


def write_rows(output: Output, format: str, rows: Sequence[dict[str, Any]], stem: str) -> None:
    """Write rows as .json or .csv."""
    from attnviz.cli import work
    from attnviz.render import formats

    work.write(output, format, lambda file: formats.write(format, rows, file), stem)
