"""`attnviz roles`: what heads are called in the literature, and the score behind each word."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnviz.cli.analyses import TOP, Heads, asked_format, write_rows
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import Sheet
from attnviz.cli.options import Input, Json, Output, Saved, Talk, usage
from attnviz.cli.source import Source
from attnviz.errors import InputError
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.measures.roles import Role, Scores
    from attnviz.models.source import AttentionSource

FORMATS = formats.of(formats.FIGURE, formats.ROWS)
LAYERS = "all"  # without --layer
NAMED = 12  # heads of a role that a terminal names, without --top


@dataclass(frozen=True, eq=False)
class Block:
    """Roles on one kind of text. on: text | random. scores: of each role."""

    on: str
    attention: AttentionSource
    roles: tuple[Role, ...]
    scores: dict[str, Scores]


@command
def run(
    *,
    given: Input,
    saved: Saved,
    source: Source,
    heads: Heads,
    random: Annotated[
        bool,
        typer.Option(
            "--random",
            help="On random tokens that come twice, as the literature has it; with TEXT, on both.",
            rich_help_panel="What to show",
        ),
    ] = False,
    top: Annotated[int | None, TOP] = None,
    sheet: Sheet,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """Say which heads are previous-token, induction, sink, positional heads and the like, with scores.

    previous-token, next-token, duplicate-token, induction, sink, delimiter, positional, broad: each has a score from 0
    to 1, the mean of so many queries, and a threshold, which is higher where an even head would come near. Copies are
    rare in a short text: --random takes 50 random tokens twice, where nothing but the repetition can be known. With -o
    a picture: the scores of every head, those that have the role outlined.

    attnviz roles "The animal didn't cross the street because it was too tired" -m minilm
    attnviz roles --random -m path/to/model.gguf
    attnviz roles --file sample_inputs/repeated.txt --random -m minilm -o roles.pdf
    attnviz roles "The cat sat on the mat" --json
    """
    from attnviz.cli import work

    if random and saved.saved is not None:
        usage("--random needs a model: what is in a file has been computed")
    format = asked_format(output, listing, FORMATS)
    blocks = list(_blocks(given, saved, source, heads, random, talk))
    if listing.json:
        work.print_json(row for block in blocks for row in _rows(block))
    elif format in ("json", "csv"):
        write_rows(output, format, [row for block in blocks for row in _rows(block)], "roles")
    elif format:
        drawn = _drawn(blocks, sheet, format, blocks[0].attention.made_by(line), talk)
        work.write(output, format, lambda file: file.write(drawn), "roles")
    else:
        for place, block in enumerate(blocks):
            if place:
                print()
            _print(block, top)


def _blocks(given: Input, saved: Saved, source: Source, heads: Heads, random: bool, talk: Talk) -> Iterator[Block]:
    from attnviz.cli import passages
    from attnviz.heads import roles
    from attnviz.measures.roles import BY_RANDOM, ROLES

    found: Any
    if given.given() or saved.saved is not None or not random:
        attention = passages.passage(given, saved, source, heads, talk)
        found = passages.observed(attention, talk, roles)
        yield Block("text", attention, ROLES, found)
    if random:
        attention = passages.repeated(source, heads, talk)
        chosen = tuple(role for role in ROLES if role.name in BY_RANDOM)
        found = passages.observed(attention, talk, roles)
        yield Block("random", attention, chosen, found)


def _rows(block: Block) -> Iterator[dict[str, Any]]:
    for role in block.roles:
        score, threshold, queries = block.scores[role.name]
        for at, (layer, head) in block.attention.named:
            yield {
                "on": block.on,
                "role": role.name,
                "layer": layer,
                "head": head,
                "score": float(score[at]),
                "threshold": float(threshold[at]),
                "queries": int(queries[at]),
                "holds": bool(score[at] >= threshold[at]),
            }


def _with_role(block: Block, role: Role) -> list[tuple[int, int]]:
    """Heads that have it, by place, the one with the highest score first."""
    score, threshold, _ = block.scores[role.name]
    found = zip(*(score >= threshold).nonzero(), strict=True)
    return sorted(((int(i), int(j)) for i, j in found), key=lambda at: -score[at])


def _least(block: Block, role: Role) -> str:
    """`0.40`, or the lowest of the thresholds of all heads."""
    return f"{float(block.scores[role.name].threshold.min()):.2f}"


def _below(block: Block, role: Role) -> float:
    """The highest score of a role that no head has, cut to two places: rounded, 0.399 would look like a 0.40."""
    score = block.scores[role.name].score
    return math.floor(float(score[score == score].max()) * 100) / 100


def _print(block: Block, top: int | None) -> None:
    import sys

    from attnviz.render.terminal_listing import print_listing
    from attnviz.render.terminal_rows import print_footing, print_heading

    top = NAMED if top is None and sys.stdout.isatty() else top
    names = dict(zip((at for at, _ in block.attention.named), block.attention.names(), strict=True))
    lines = []
    named: set[tuple[int, int]] = set()
    for role in block.roles:
        found = _with_role(block, role)
        named |= set(found)
        score = block.scores[role.name].score
        shown = [f"{names[at]} {score[at]:.2f}" for at in found[:top]]
        shown += [f"and {len(found) - len(shown)} more"] if len(shown) < len(found) else []
        if not shown:
            shown = [role.without if (score != score).all() else f"none; the highest is {_below(block, role):.2f}"]
        queries = int(block.scores[role.name].queries.max())
        lines.append(((role.name, _least(block, role), str(queries), str(len(found))), ", ".join(shown)))
    total = len(block.attention.places)
    lines.append((("none", "", "", str(total - len(named))), f"of {total} heads"))
    on = "repeated random tokens" if block.on == "random" else ""
    subtitle = " · ".join(part for part in (block.attention.subtitle(), on) if part)
    print_heading(block.attention.title(), subtitle)
    header = ("role", "from", "queries", "heads", "layer.head and score, the highest first")
    print_listing(lines, header, between=", ")
    print_footing(block.attention.remarks())


def _drawn(blocks: Sequence[Block], sheet: Sheet, format: str, made: dict[str, str], talk: Talk) -> bytes:
    from attnviz.page.board import boards
    from attnviz.page.board_values import Board
    from attnviz.render.image import to_bytes

    shown, left_out = [], []
    for block in blocks:
        for role in block.roles:
            score, threshold, _ = block.scores[role.name]
            if (score != score).all():
                left_out.append(f"{role.name}: {role.without}")
                continue
            found = _with_role(block, role)
            on = ", random" if block.on == "random" and len(blocks) > 1 else ""
            heading = f"{role.name}{on} ≥ {_least(block, role)} · {len(found)}"
            shown.append(Board(score, "score", heading, high=1.0, marks=tuple(found), least=threshold))
    if not shown:
        raise InputError("no role can be told of so short a text", "give a longer one, or --random")
    attention = blocks[0].attention
    title = f"{attention.title()} · roles"
    on = "repeated random tokens" if blocks[0].on == "random" else ""
    said = ["outlined: heads that have the role, and how many"]
    said += ["random: on random tokens that come twice"] if len(blocks) > 1 else []
    drawn = sheet.draw(
        boards,
        shown,
        **attention.axes(),
        title=title,
        subtitle=" · ".join(part for part in (attention.subtitle(), on) if part),
        notes=[*said, *left_out, *attention.remarks()],
        meta=made,
        talk=talk,
    )
    return to_bytes(drawn, format)
