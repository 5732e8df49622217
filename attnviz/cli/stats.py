"""`attnviz stats`: numbers of every head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from attnviz.cli.analyses import BY, TOP, Heads, asked_format, write_rows
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import Sheet
from attnviz.cli.options import Input, Json, Output, Saved, Talk, usage
from attnviz.cli.source import Source
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.models.source import AttentionSource

FORMATS = formats.of(formats.FIGURE, formats.ROWS)
LAYERS = "all"  # without --layer
BY_MEANS = (
    "The number that the list is ordered by and the picture shows: entropy, span, distance, confidence, "
    "previous, next, self, first or special."
)
NAMES = ("entropy", "span", "distance", "confidence", "previous", "next", "self", "first", "special")


@command
def run(
    *,
    given: Input,
    saved: Saved,
    source: Source,
    heads: Heads,
    by: Annotated[str | None, BY] = None,
    top: Annotated[int | None, TOP] = None,
    sheet: Sheet,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """Measure every head: entropy, span, distance, confidence, weight on neighbours and special tokens.

    Each number is the mean over all queries, special tokens included unless --no-special. entropy in nats;
    span: e^entropy, how many keys; distance in tokens; confidence: a row's largest weight; previous, next, self,
    first, special: the weight on these tokens. With -o a picture: one number as a board of layers and heads, and
    against depth. Long texts are measured as they pass.

    attnviz stats "The animal didn't cross the street because it was too tired" -m minilm
    attnviz stats "The cat sat on the mat" -m minilm --by special --top 10
    attnviz stats "The cat sat on the mat" -m minilm --by distance -o distance.pdf
    attnviz stats --file sample_inputs/paragraph.txt -m minilm --json
    """
    from attnviz.cli import passages, work

    if by is not None and by not in NAMES:
        from attnviz.errors import one_of

        usage(one_of("--by", by, NAMES))
    format = asked_format(output, listing, FORMATS)
    from attnviz.heads import statistics

    attention = passages.passage(given, saved, source, heads, talk)
    found = passages.observed(attention, talk, statistics)
    rows = _rows(attention, found, by)[:top]
    if listing.json:
        work.print_json(rows)
    elif format in ("json", "csv"):
        write_rows(output, format, rows, "stats")
    elif format:
        drawn = _drawn(attention, found, by or "entropy", sheet, format, attention.made_by(line), talk)
        work.write(output, format, lambda file: file.write(drawn), "stats")
    else:
        _print(attention, rows)


def _rows(attention: AttentionSource, found: dict[str, Any], by: str | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"layer": layer, "head": head} | {name: float(found[name][at]) for name in NAMES}
        for at, (layer, head) in attention.named
    ]
    if by is not None:
        rows.sort(key=lambda row: -row[by] if row[by] == row[by] else 1.0)
    return rows


def _print(attention: AttentionSource, rows: list[dict[str, Any]]) -> None:
    from attnviz.render.terminal_rows import print_rows

    notes = [
        "entropy in nats, distance in tokens, span in keys; the others from 0 to 1",
        "means over all queries" + ("" if "left out" in attention.reduced else ", special and first tokens included"),
        *attention.remarks(),
    ]
    print_rows(
        [[_text(name, value) for name, value in row.items()] for row in rows],
        ["layer", "head", *NAMES],
        "r" * (2 + len(NAMES)),
        title=attention.title(),
        subtitle=attention.subtitle(),
        notes=notes,
    )


def _text(name: str, value: float | None) -> str:
    if name in ("layer", "head"):
        return "mean" if value is None else str(value)
    if value is None or value != value:
        return ""
    return f"{value:.2f}"


def _drawn(
    attention: AttentionSource,
    found: dict[str, Any],
    by: str,
    sheet: Sheet,
    format: str,
    made: dict[str, str],
    talk: Talk,
) -> bytes:
    from attnviz.page.stats import figure
    from attnviz.render.image import to_bytes

    special = "" if "left out" in attention.reduced else ", special and first tokens included"
    drawn = sheet.draw(
        figure,
        found,
        by,
        **attention.axes(),
        title=f"{attention.title()} · {by}",
        subtitle=f"{attention.subtitle()} · means over all queries{special}",
        notes=attention.remarks(),
        meta=made,
        talk=talk,
    )
    return to_bytes(drawn, format)
