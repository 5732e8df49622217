"""`attnviz generate`: a model goes on with a text, and what its heads look at meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnviz.cli.analyses import BY, TOP, Heads, asked_format, write_rows
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import DPI_OF_MAPS, FRAME_MS, Sheet
from attnviz.cli.options import Input, Json, Output, Talk, usage
from attnviz.cli.source import Writer
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.models.generate import Generated

FORMATS = formats.of(formats.FIGURE, formats.FRAMES, formats.ARRAYS, formats.ROWS)
LAYERS = "all"  # without --layer
DPI = DPI_OF_MAPS
BY_MEANS = (
    "What is shown: head (retrieval and lookback of each), token (each new one and what it looked at), map or text."
)
PICTURES = formats.of(formats.FIGURE, formats.FRAMES)
ANIMATIONS = formats.of(formats.FRAMES)
MOST = 12  # heads in a picture when nobody chooses any
SHOWS = ("head", "token", "map", "text")


@command
def run(
    *,
    given: Input,
    source: Writer,
    max_new: Annotated[
        int,
        typer.Option(
            "--max-new",
            metavar="N",
            min=1,
            help="New tokens at most; one that ends the text stops it before.",
            rich_help_panel="What to show",
        ),
    ] = 20,
    heads: Heads,
    by: Annotated[str | None, BY] = None,
    top: Annotated[int | None, TOP] = None,
    sheet: Sheet,
    frame_ms: int = FRAME_MS,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """Go on with a text, token by token, and say what each head looked at meanwhile.

    The likeliest token is taken each time. Decoders go on with TEXT; encoder-decoders answer it, and --target begins
    their answer. retrieval: the share of copied tokens that a head's strongest weight lay on (Wu 2024); lookback: how
    much it attends to the prompt rather than to new tokens (Chuang 2024). -o draws the attention of new tokens to all
    before them, of the 12 leading heads unless -l, -H or --top choose others, or with --by head boards of both numbers;
    .gif and .apng show it token by token, .npz holds it for --from. The seeded model chooses among its prompt's words.

    attnviz generate "The capital of France is" -m model.gguf --max-new 12
    attnviz generate "The capital of France is" -m model.gguf -l 12 -H 3 -o new.png
    attnviz generate "the cat saw the dog and" --max-new 8 -o new.gif
    attnviz generate "the cat saw the dog and" --by token
    attnviz generate "My cat is called Mimi. My cat is called" -m model.gguf --json
    """
    from attnviz.cli import work

    if by is not None and by not in SHOWS:
        from attnviz.errors import one_of

        usage(one_of("--by", by, SHOWS))
    if max_new < 1:
        usage(f"--max-new wants a whole number from 1; got {max_new}")
    if given.pair is not None:
        usage("--pair: one text is gone on with", "put both into TEXT")
    format = asked_format(output, listing, FORMATS)
    if format in PICTURES and by in ("token", "text"):
        usage(f"--by {by} has no picture", "--by map or --by head have")
    if format in ANIMATIONS and by == "head":
        usage(f"a .{format} shows maps, token by token", "leave out --by head")
    found = _generated(given, source, max_new, heads, talk)
    if listing.json or format in ("json", "csv"):
        rows = _tokens(found) if by == "token" else _heads(found)[:top]
        if listing.json:
            work.print_json(rows)
        else:
            write_rows(output, format, rows, "generated")
    elif format:
        made = work.facts(line, found.attention.model, found.attention.meta)
        if format in PICTURES and (by or "map") == "map":
            found = _leading(found, heads, top or MOST)
        drawn = _bytes(found, format, by or "map", heads, sheet, made, talk, frame_ms)
        work.write(output, format, lambda file: file.write(drawn), "generated")
    else:
        _print(found, by or "head", top or 12, heads)


def _generated(given: Input, source: Writer, max_new: int, heads: Heads, talk: Talk) -> Generated:
    from attnviz.cli import work
    from attnviz.models.generate import generate
    from attnviz.render.progress import progress
    from attnviz.select import resolve_heads

    text = work.text_of(given)
    if source.model == "seeded" and not source.causal:
        source = replace(source, causal=True)
        talk.note("seeded: a model that goes on with a text sees only what came before (--causal)")
    model = work.load(source, talk, given, heads.stream)
    stream = heads.stream or ("cross" if "cross" in model.streams else None)
    at = resolve_heads(heads.layer or LAYERS, heads.head, *model.size(stream))
    arrays, _ = work.image_and_sound(given, model, source)
    text, ids = work.turn(given, model, text)
    with progress("new tokens", total=1, quiet=talk.quiet) as advance:
        found = generate(
            model,
            text,
            max_new=max_new,
            target=given.target,
            ids=ids,
            stream=stream,
            layers=at.beside,
            heads=at.asked,
            progress=advance,
            **arrays,
        )
    if found.passed_over:
        talk.note(f"greedy: the model's own settings are passed over: {', '.join(found.passed_over)}")
    if found.ended == "positions":
        talk.note(f"ended after {len(found.new)} tokens: the model has no more positions")
    return found


def _heads(found: Generated) -> list[dict[str, Any]]:
    """A head each, those that fetch most first."""
    rows: list[dict[str, Any]] = [
        {"layer": i, "head": j, "retrieval": float(found.retrieval[i, j]), "lookback": float(found.lookback[i, j])}
        for i, j in found.attention.places
    ]

    def rank(row: dict[str, Any]) -> tuple[float, float, int, int]:
        first, second = (-value if value == value else 1.0 for value in (row["retrieval"], row["lookback"]))
        return first, second, row["layer"], row["head"]

    return sorted(rows, key=rank)


def _leading(found: Generated, heads: Heads, most: int) -> Generated:
    """The heads that lead the table, if nobody chose any; the picture says so."""
    at = found.attention
    if heads.layer is not None or heads.head != "all" or len(at.places) <= most:
        return found
    ranked = _heads(found)
    fetching = [row for row in ranked if row["retrieval"] > 0]
    by = "retrieval" if fetching else "lookback" if (found.lookback == found.lookback).any() else ""
    best = [f"{row['layer']}.{row['head']}" for row in (fetching or ranked)[:most]]
    which = f"those with the highest {by}" if by else "the first"
    said = f"{len(best)} of {len(at.places)} heads, {which}; -l all draws all"
    kept = at.meta.get("notes") or []
    notes = [*([kept] if isinstance(kept, str) else kept), said]
    chosen = at.select(heads=best)
    return replace(found, attention=replace(chosen, meta={**chosen.meta, "notes": notes}))


def _tokens(found: Generated) -> list[dict[str, Any]]:
    """A new token each, with the weight that stands out most in its rows."""
    from attnviz.measures.lift import strongest

    listed = []
    for i, (token, id) in enumerate(zip(found.new.text, found.new.ids, strict=True)):
        best = strongest(found.attention, query=i)
        seen = {"key": best.key, "key_token": found.attention.key_tokens[best.key]}
        where = {"layer": best.layer, "head": best.head, "weight": best.weight, "lift": best.lift}
        listed.append({"index": i, "token": token, "id": id, "probability": found.probabilities[i], **seen, **where})
    return listed


def _print(found: Generated, by: str, top: int, heads: Heads) -> None:
    from attnviz.cli import work
    from attnviz.render.terminal_generated import print_heads, print_text, print_tokens

    if by == "map":
        from attnviz.render.terminal import print_attention

        print_attention(work.joined(found.attention, heads))
        return
    print_text(found.text)
    if by != "text":
        print()
    if by == "head":
        print_heads(_heads(found)[:top], _said(found))
    elif by == "token":
        print_tokens(_tokens(found))


def _said(found: Generated) -> Sequence[str]:
    """What the numbers are."""
    new = len(found.new)
    copied = f"retrieval: of {found.copied} of {new} new tokens that are in the prompt, the share it looked at most"
    back = "lookback: its mean weight on the prompt against that on new tokens, from 0 to 1"
    return [copied, *([back] if (found.lookback == found.lookback).any() else [])]


def _bytes(
    found: Generated,
    format: str,
    by: str,
    heads: Heads,
    sheet: Sheet,
    made: dict[str, str],
    talk: Talk,
    frame_ms: int,
) -> bytes:
    from attnviz.cli import work

    attention = work.joined(found.attention, heads)
    if format == "npz":
        import io

        from attnviz.io.data import write_npz

        file = io.BytesIO()
        write_npz(attention, file, made=made)
        return file.getvalue()
    from attnviz.render.image import to_bytes

    if by == "head":
        from attnviz.page.generated import boards_of

        return to_bytes(sheet.draw(boards_of, found, meta=made, talk=talk), format)
    if format in ANIMATIONS:
        from attnviz.page.frames import by_query

        pictures = by_query(attention, meta=made, **sheet.options())
        return formats.encode(format, pictures, milliseconds=frame_ms)
    from attnviz.page.heatmap import heatmap

    figure = heatmap(attention, meta=made, **sheet.options())
    if sheet.bare:
        talk.note(figure.caption)
    return to_bytes(figure, format)
