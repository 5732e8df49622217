"""`attnviz roles`: what heads are called in the literature, and the score behind each word."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnviz.analyses.base import AttentionResult, analysis, option, top_option
from attnviz.errors import InputError
from attnviz.facts import dotted
from attnviz.measures.roles import BY_RANDOM, ROLES, Role, Scores, role_scores
from attnviz.page.parts import Board, Boards, Listing, Page

if TYPE_CHECKING:
    from attnviz.facts import SourceFacts
    from attnviz.models.model import Progress
    from attnviz.models.source import AttentionSource

NAMED = 12  # heads of a role that a terminal names, without --top


@dataclass(frozen=True)
class Options:
    """On which texts, and how many heads are named."""

    random: bool = option(
        False, "On random tokens that come twice, as the literature has it. In this command: with TEXT, on both."
    )
    top: int | None = top_option()


@dataclass(frozen=True, eq=False)
class Block:
    """Roles on one kind of text. on: text | random. scores: by role, each [layer, head]."""

    on: str
    facts: SourceFacts
    roles: tuple[Role, ...]
    scores: Mapping[str, Scores]

    def with_role(self, role: Role) -> list[tuple[int, int]]:
        """Positions of the heads that have the role, the highest score first."""
        score, threshold, _ = self.scores[role.name]
        at = zip(*(score >= threshold).nonzero(), strict=True)
        return sorted(((int(i), int(j)) for i, j in at), key=lambda place: -score[place])

    def least(self, role: Role) -> str:
        """`0.40`: the lowest of all heads' thresholds."""
        return f"{float(self.scores[role.name].threshold.min()):.2f}"

    def highest(self, role: Role) -> float:
        """The highest score of a role that no head has, cut to two digits: rounded, 0.399 would look like 0.40."""
        score = self.scores[role.name].score
        return math.floor(float(score[score == score].max()) * 100) / 100

    def known(self, role: Role) -> bool:
        """Whether any query could do it."""
        score = self.scores[role.name].score
        return bool((score == score).any())

    def board(self, role: Role, on: str = "") -> Board:
        """The scores of a role, its heads outlined. on: behind its name."""
        score, threshold, _ = self.scores[role.name]
        heads = self.with_role(role)
        heading = f"{role.name}{on} ≥ {self.least(role)} · {len(heads)}"
        return Board(score, "score", heading, high=1.0, marks=tuple(heads), least=threshold)

    def listing(self, top: int | None) -> Listing:
        """The heads of each role by name, and how many have none. top: how many are named."""
        names = dict(zip((at for at, _ in self.facts.named), self.facts.names(), strict=True))
        with_any = {at for role in self.roles for at in self.with_role(role)}
        rows = [_row(self, role, names, top) for role in self.roles]
        rows.append((("none", "", "", str(len(names) - len(with_any))), f"of {len(names)} heads"))
        header = ("role", "from", "queries", "heads", "layer.head and score, the highest first")
        return Listing(header, rows, between=", ", fold=NAMED if top is None else None)


@dataclass(frozen=True, eq=False)
class HeadRoles(AttentionResult):
    """blocks: the roles on the text, on random tokens, or on both."""

    facts: SourceFacts
    blocks: tuple[Block, ...]
    options: Options

    def each_row(self) -> Iterator[dict[str, Any]]:
        for block in self.blocks:
            for role in block.roles:
                score, threshold, queries = block.scores[role.name]
                for at, (layer, head) in block.facts.named:
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

    def page(self) -> Page:
        boards, notes = [], ["outlined: heads that have the role, and how many"]
        notes += ["random: on random tokens that come twice"] if len(self.blocks) > 1 else []
        for block in self.blocks:
            on = ", random" if block.on == "random" and len(self.blocks) > 1 else ""
            boards += [block.board(role, on) for role in block.roles if block.known(role)]
            notes += [f"{role.name}: {role.without}" for role in block.roles if not block.known(role)]
        if not boards:
            raise InputError("no role can be told of so short a text", "give a longer one, or --random")
        maps, title = Boards(tuple(boards), **self.facts.axes()), f"{self.title()} · roles"
        return self.sheet(maps, title=title, subtitle=_subtitle(self.blocks[0]), notes=notes)

    def printed(self) -> Page:
        first, *others = map(self._printed, self.blocks)
        return replace(first, following=tuple(others))

    def _printed(self, block: Block) -> Page:
        listing = block.listing(self.options.top)
        return Page(block.facts.title(), _subtitle(block), (listing,), tuple(block.facts.remarks()))


def _row(
    block: Block, role: Role, names: Mapping[tuple[int, int], str], top: int | None
) -> tuple[tuple[str, ...], str]:
    """A role's name, least score, queries and number of heads; and the heads by name."""
    heads = block.with_role(role)
    score, _, queries = block.scores[role.name]
    named = [f"{names[at]} {score[at]:.2f}" for at in heads[:top]]
    named += [f"and {len(heads) - len(named)} more"] if len(named) < len(heads) else []
    if not named:
        named = [role.without if (score != score).all() else f"none; the highest is {block.highest(role):.2f}"]
    return (role.name, block.least(role), str(int(queries.max())), str(len(heads))), ", ".join(named)


def _subtitle(block: Block) -> str:
    on = "repeated random tokens" if block.on == "random" else ""
    return dotted(block.facts.subtitle(), on)


@analysis("roles", Options, HeadRoles, subject="text or random tokens")
def roles(sources: Mapping[str, AttentionSource], options: Options, progress: Progress | None = None) -> HeadRoles:
    """Say which heads are previous-token, induction, sink, positional or other known heads, with scores.

    previous-token, next-token, duplicate-token, induction, sink, delimiter, positional, broad: each has a score from 0
    to 1, a mean over queries, and a threshold, which rises where a head with even weights would come near. Copies are
    rare in a short text: --random takes 50 random tokens twice, where nothing but the repetition can be known. With -o
    a picture: the scores of every head, heads with the role outlined.

    attnviz roles "The animal didn't cross the street because it was too tired" -m minilm
    attnviz roles --random -m path/to/model.gguf
    attnviz roles --file sample_inputs/repeated.txt --random -m minilm -o roles.pdf
    attnviz roles "The cat sat on the mat" --json
    """
    blocks = []
    for on, source in sources.items():
        chosen = ROLES if on == "text" else tuple(role for role in ROLES if role.name in BY_RANDOM)
        blocks.append(Block(on, source.facts, chosen, role_scores([source], progress)))
    return HeadRoles(blocks[0].facts, tuple(blocks), options)
