"""What rollout and flow have in common: which layers, heads and tokens, and where a result goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from attnviz.cli.analyses import Heads
from attnviz.cli.expand import Line
from attnviz.cli.looks import Page, Shade
from attnviz.cli.options import Json, Output, Selection, Talk, usage
from attnviz.flags import same
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.attention import Attention

FORMATS = formats.of(formats.FIGURE, formats.ARRAYS, formats.ROWS)
residual_option = typer.Option(
    "--residual",
    metavar="SHARE",
    help="Share of the residual stream in each layer, 0 to 1.",
    rich_help_panel="What to show",
    show_default=True,
)


@dataclass(frozen=True)
class Places(Heads):
    """Which layers, heads (those that are averaged) and tokens."""

    query: str | None = same(Selection, "query", default=None)
    tokens: str | None = same(Selection, "tokens", default=None)

    def of_layers(self, name: str) -> None:
        """UsageError for heads of different layers: `name` follows a text through every layer, by its heads' mean."""
        from attnviz.select import of_pairs

        if of_pairs(self.head):
            usage(
                f"{name} follows the mean over heads through every layer: --head {self.head} leaves some out",
                "name heads of all layers, as in -H 0-3",
            )

    def selection(self) -> Selection:
        """The same, as the commands of maps have it."""
        return Selection(
            words=self.words,
            no_special=self.no_special,
            layer=self.layer,
            head=self.head,
            stream=self.stream,
            query=self.query,
            tokens=self.tokens,
        )


def give(
    found: Attention,
    name: str,
    places: Places,
    shade: Shade,
    page: Page,
    output: Output,
    listing: Json,
    format: str,
    talk: Talk,
    line: Line,
) -> None:
    """Print a result, or write it as a picture or as numbers; `name` is what its numbers are called."""
    from attnviz.cli import work

    found, row, marks = work.narrowed(found, places.selection(), page.mark)
    if listing.json or format in ("json", "csv"):
        from attnviz.io.data import rows

        renamed = (_renamed(one, name) for one in rows(work.only(found, row)))
        if listing.json:
            work.print_json(renamed)
        else:
            from attnviz.cli.analyses import write_rows

            write_rows(output, format, list(renamed), name)
    elif format == "npz":
        kept = work.only(found, row)
        work.write(output, format, lambda file: formats.write(format, kept, file, made=work.made(line, kept)), name)
    elif format:
        _draw(found, row, marks, name, shade, page, output, format, talk, line)
    else:
        from attnviz.render.terminal import print_attention

        print_attention(
            found, scale=shade.scale, vmax=shade.limit(), cmap=shade.cmap, decimals=shade.decimals, query=row
        )


def _renamed(row: dict[str, Any], name: str) -> dict[str, Any]:
    """Without a head, which is a mean, and with the number under its own name."""
    return {name if key == "weight" else key: value for key, value in row.items() if key != "head"}


def _draw(
    found: Attention,
    row: int | None,
    marks: list[tuple[int, int]],
    name: str,
    shade: Shade,
    page: Page,
    output: Output,
    format: str,
    talk: Talk,
    line: Line,
) -> None:
    from attnviz.cli import work
    from attnviz.page.heatmap import heatmap
    from attnviz.render.image import to_bytes

    figure = heatmap(
        found,
        scale=shade.scale,
        vmax=shade.limit(),
        cmap=shade.cmap,
        marks=marks,
        decimals=shade.decimals,
        query=row,
        meta=work.made(line, found),
        **page.options(),
    )
    drawn = to_bytes(figure, format)
    work.write(output, format, lambda file: file.write(drawn), name)
    if page.bare:
        talk.note(figure.caption)
