"""`attnviz links`: the pairs of tokens that are linked most."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnviz.cli.analyses import BY, TOP, Heads, asked_format, write_rows
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import Sheet
from attnviz.cli.options import Input, Json, Output, Saved, Talk, usage
from attnviz.cli.source import Source
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.measures.lift import Pair
    from attnviz.models.source import AttentionSource

FORMATS = formats.of(formats.FIGURE, formats.ROWS)
LAYERS = "all"  # without --layer
BY_MEANS = "The list is ordered by lift or by weight."
COUNT, WITHIN = 20, 3  # pairs that are shown, over heads and of each
EACH = 3  # of a head in a list over heads, where there are enough of them
AHEAD, FURTHER = 5, 10  # times as many of each head are looked at as are shown, and then times as many again
LONG = 8192  # pairs of a head that are looked at first in a long text; in a shorter one two for each of its tokens
NAMED = 4  # heads whose pairs are counted one by one


def _token(name: str, help: str) -> Any:
    return typer.Option(name, metavar="TOKEN", help=help, rich_help_panel="What to show", show_default=False)


@command
def run(
    *,
    given: Input,
    saved: Saved,
    source: Source,
    heads: Heads,
    from_token: Annotated[
        str | None, _token("--from-token", "Only what this token looks at: its text, text#2 or its index.")
    ] = None,
    to_token: Annotated[str | None, _token("--to-token", "Only what looks at this token.")] = None,
    within: Annotated[
        bool,
        typer.Option("--within", help="The strongest of each head, instead of all.", rich_help_panel="What to show"),
    ] = False,
    each: Annotated[
        str | None,
        typer.Option(
            "--each",
            metavar="N|all",
            help=f"At most so many pairs of a head. Default: {EACH}, or more where few heads have to fill the list.",
            rich_help_panel="What to show",
            show_default=False,
        ),
    ] = None,
    special: Annotated[
        bool, typer.Option("--special", help="Special tokens too.", rich_help_panel="What to show")
    ] = False,
    by: Annotated[str | None, BY] = None,
    top: Annotated[int | None, TOP] = None,
    sheet: Sheet,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """List the strongest links between tokens, and the heads that make them.

    They are ranked by lift: the weight less the mean of its column over the other rows, because a head that sends
    every token to one says nothing about any of them. Over heads a pair stands once, with the head where it is
    strongest, and at most three pairs of a head are listed, or one that looks at every neighbour would fill the list:
    the others are counted below it, and --each all lists them. With both tokens given, every head says how it links
    them. A token that may see one key only has no choice and is ignored; so are special tokens, unless named or asked
    for. With -o a picture: the strongest link of every head, and the list.

    attnviz links "The animal didn't cross the street because it was too tired" -m minilm
    attnviz links "The animal was too tired; it slept" -m minilm --from-token it --to-token animal
    attnviz links "The cat sat on the mat" -m minilm --within --by weight -l 3
    attnviz links --file sample_inputs/paragraph.txt -m minilm --to-token harbour --json
    """
    from attnviz.cli import passages, work

    by = passages.lift_or_weight(by)
    format = asked_format(output, listing, FORMATS)
    attention = passages.passage(given, saved, source, heads, talk)
    from attnviz.select import find_token

    query = None if from_token is None else find_token(attention.queries, from_token, "queries")
    key = None if to_token is None else find_token(attention.keys, to_token, "keys")
    if within and each is not None:
        usage("--within and --each exclude each other: one lists every head by itself, the other all of them together")
    count = top or (WITHIN if within else COUNT)
    most = None if within or (query is not None and key is not None) else _most(each, count, len(attention.places))
    found, shown, left = _found(
        attention, talk, count, most, within, {"by": by, "query": query, "key": key, "special": special}
    )
    shown = shown if within else shown[:top]
    if left and (listing.json or format or not sys.stdout.isatty()):
        talk.note(left)
    if listing.json:
        work.print_json(_rows(attention, shown))
    elif format in ("json", "csv"):
        write_rows(output, format, _rows(attention, shown), "links")
    elif format:
        made = attention.made_by(line)
        drawn = _drawn(attention, found, shown[:COUNT], by, (query, key), left, sheet, format, made, talk)
        work.write(output, format, lambda file: file.write(drawn), "links")
    else:
        _print(attention, shown, by, left)


def _most(each: str | None, count: int, heads: int) -> int | None:
    """--each as a number; None for all."""
    if each is None:
        return max(EACH, -(-count // heads))
    if each == "all":
        return None
    if not each.isascii() or not each.isdigit() or int(each) < 1:
        usage(f"--each wants a whole number from 1 on, or all; got {each!r}")
    return int(each)


def _found(
    attention: AttentionSource, talk: Talk, count: int, most: int | None, within: bool, how: dict[str, Any]
) -> tuple[list[Pair], list[Pair], str]:
    """The pairs of every head, those that are listed, and what is said of those that are not."""
    from attnviz.cli import passages
    from attnviz.heads import links, over_heads, spread

    looked = count if most is None else max(count * AHEAD, min(2 * len(attention.queries), LONG))

    def look(attention: AttentionSource, progress: Any) -> list[Pair]:
        return links(attention, looked, within=True, progress=progress, **how)

    while True:
        found = passages.observed(attention, talk, look, passes=2)
        if most is None:
            return found, found if within else over_heads(found, count, how["by"]), ""
        made = spread(found, count, most, looked, how["by"])
        if made.sure:
            return found, made.pairs, _left(made.left, most)
        looked *= FURTHER  # a head has more than so many pairs, all stronger than some that are listed


def _left(left: dict[tuple[int, int], int], most: int) -> str:
    """`at most 3 pairs of a head: 9 more of 0.0 and 2 of 1.0 are as strong; --each all lists them`."""
    if not left:
        return ""
    ranked = sorted(left.items(), key=lambda item: (-item[1], item[0]))
    said = [f"{number} of {'.'.join(map(_index, at))}" for at, number in ranked[:NAMED]]
    if len(ranked) > NAMED:
        rest = ranked[NAMED:]
        said.append(f"{sum(number for _, number in rest)} of {len(rest)} other head{'s' if len(rest) > 1 else ''}")
    said[0] = said[0].replace(" of ", " more of ", 1)
    listed = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    pairs = f"{most} pair{'s' if most > 1 else ''} of a head"
    return f"at most {pairs}: {listed} are as strong; --each all lists them"


def _index(place: int) -> str:
    return "mean" if place < 0 else str(place)


def _rows(attention: AttentionSource, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    queries, keys = attention.queries.text, attention.keys.text
    return [
        {
            "layer": None if pair.layer < 0 else pair.layer,
            "head": None if pair.head < 0 else pair.head,
            "query": pair.query,
            "query_token": queries[pair.query],
            "key": pair.key,
            "key_token": keys[pair.key],
            "weight": pair.weight,
            "lift": pair.lift,
        }
        for pair in pairs
    ]


def _print(attention: AttentionSource, pairs: Sequence[Pair], by: str, left: str) -> None:
    from attnviz.cli import passages
    from attnviz.render.terminal_columns import number
    from attnviz.render.terminal_rows import print_rows

    rows = []
    for row in _rows(attention, pairs):
        at = ["mean" if row[name] is None else str(row[name]) for name in ("layer", "head")]
        tokens = [row["query_token"], str(row["query"]), row["key_token"], str(row["key"])]
        rows.append([*at, *tokens, number(row["weight"], 2), number(row["lift"], 2)])
    print_rows(
        rows,
        ["layer", "head", "query", "at", "key", "at", "weight", "lift"],
        "rrlrlrrr",
        title=attention.title(),
        subtitle=f"{attention.subtitle()} · the strongest links by {by}",
        notes=[*([left] if left else []), passages.LIFT, *attention.remarks()],
        bold=(2, 4),
    )


def _drawn(
    attention: AttentionSource,
    found: Sequence[Pair],
    shown: Sequence[Pair],
    by: str,
    asked: tuple[int | None, int | None],
    left: str,
    sheet: Sheet,
    format: str,
    made: dict[str, str],
    talk: Talk,
) -> bytes:
    from attnviz.cli import passages
    from attnviz.page.ranked import links
    from attnviz.render.image import to_bytes

    texts = attention.queries.text, attention.keys.text
    named = [text[place] for text, place in zip(texts, asked, strict=True) if place is not None]
    what = f" of “{' → '.join(named)}”" if named else ""
    drawn = sheet.draw(
        links,
        found,
        shown,
        *texts,
        by=by,
        asked=asked,
        **attention.axes(),
        places=attention.places,
        title=f"{attention.title()} · links{what}",
        subtitle=attention.subtitle(),
        notes=[*([left] if left else []), passages.LIFT, *attention.remarks()],
        meta=made,
        talk=talk,
    )
    return to_bytes(drawn, format)
