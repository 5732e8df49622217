"""Roles: what a head is called in the literature, and the score behind each word.

A score is a mean over the queries that could do it, in a text or in repeated random tokens, where nothing but the
repetition can be known (Olsson et al. 2022). A head has the role where its score reaches the threshold, and twice what
a head would have that spreads its weight evenly: in a short text that is a lot.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from attnviz.engine.collectors import Summing, Sums
from attnviz.engine.ops import entropy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.axis import Tokens
    from attnviz.engine.tile import Tile
    from attnviz.measures.tile_source import Progress, TileSource


@dataclass(frozen=True)
class Role:
    """A word for heads, the least score for it, what is measured (from 0 to 1), why it may not be, and a source."""

    name: str
    threshold: float
    score: str
    without: str
    source: str


ROLES = (
    Role("previous-token", 0.4, "weight on the token before", "no token may see the one before", "Clark et al. 2019"),
    Role("next-token", 0.4, "weight on the token after", "no token may see the one after", "Clark et al. 2019"),
    Role("duplicate-token", 0.4, "weight on earlier copies of the token", "no token comes twice", "TransformerLens"),
    Role(
        "induction",
        0.4,
        "weight on what came after earlier copies of the token",
        "no token comes twice with one between",
        "Olsson et al. 2022",
    ),
    Role("sink", 0.3, "weight on the first token", "no other token may see the first", "Xiao 2023; Gu et al. 2024"),
    Role(
        "delimiter",
        0.5,
        "weight on separators and punctuation",
        "there are no separators and no punctuation",
        "Clark et al. 2019",
    ),
    Role(
        "positional",
        0.9,
        "how often the largest weight lies at one and the same distance",
        "no token may see two",
        "Voita et al. 2019",
    ),
    Role("broad", 0.8, "entropy as a share of the uniform row's", "no token may see two", "Clark et al. 2019"),
)
# Roles that repeated random tokens can show: there all copies lie at one distance, and no sign parts anything.
BY_RANDOM = ("previous-token", "next-token", "duplicate-token", "induction", "sink", "broad")
NAMES = tuple(role.name for role in ROLES)
CHANCE = 2.0  # how many times as much as an even head a head must give


class Scores(NamedTuple):
    """One role, all [layer, head]: the score, NaN where no query could do it; the threshold; the number of queries."""

    score: NDArray[np.float64]
    threshold: NDArray[np.float64]
    queries: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RoleSums(Sums):
    """Sums over the queries that could do a role, float64 [role, layer, head].

    scores: of the scores. chances: of the scores that a head with even weights would have. counts: of the queries.
    """

    scores: NDArray[np.float64]
    chances: NDArray[np.float64]
    counts: NDArray[np.float64]

    def result(self) -> dict[str, Scores]:
        """The scores of each role."""
        by_role = {}
        for role, scores, chances, counts in zip(ROLES, self.scores, self.chances, self.counts, strict=True):
            with np.errstate(invalid="ignore"):
                score, chance = scores / counts, chances / counts
            threshold = np.maximum(role.threshold, np.minimum(CHANCE * chance, (1 + role.threshold) / 2))
            undefined = counts == 0
            by_role[role.name] = Scores(
                np.where(undefined, np.nan, score),
                np.where(undefined, role.threshold, threshold),
                counts.astype(np.int64),
            )
        return by_role


class Roles(Summing):
    """A collector (see engine/collectors.py) of the scores of every head (`RoleSums.result`).

    Args:
        n_layers, n_heads: how many there are.
        queries, keys: the tokens.
        ordered: whether queries and keys are the same tokens; if not, copies and neighbours mean nothing.
    """

    def __init__(self, n_layers: int, n_heads: int, queries: Tokens, keys: Tokens, ordered: bool = True) -> None:
        shape = (len(ROLES), n_layers, n_heads)
        self._sums = RoleSums(np.zeros(shape), np.zeros(shape), np.zeros(shape))
        self._ordered = ordered
        self._codes = _codes(keys)
        self._plain = ~np.array(queries.special, bool)
        self._delimiters = _delimiters(keys)
        # How often the largest weight of a row is so far from it; and how many rows have a key there that they may see.
        self._peaks = np.zeros((n_layers, n_heads, len(queries) + len(keys)), np.int64)
        self._zero = len(queries)

    def take(self, tile: Tile) -> None:
        allowed = tile.allowed
        seen = allowed.sum(-1)  # [1 or head, row]
        for name, pattern in self._patterns(tile.rows, tile.cols).items():
            self._add(name, tile, pattern, allowed, seen)
        choice = seen > 1
        share = np.where(choice, entropy(tile.weights) / np.log(np.maximum(seen, 2)), 0.0)
        at = (NAMES.index("broad"), tile.layer, slice(tile.heads.start, tile.heads.stop))
        self._sums.scores[at] += share.sum(-1)
        self._sums.counts[at] += choice.sum(-1)
        if self._ordered:
            self._positions(tile, choice)

    def _patterns(self, rows: range, cols: range) -> dict[str, NDArray[np.bool_]]:
        """Where the weight of each role lies, [row, col]."""
        row, col = np.arange(rows.start, rows.stop)[:, None], np.arange(cols.start, cols.stop)[None]
        patterns = {
            "sink": np.broadcast_to(col == 0, (len(rows), len(cols))) & (row > 0 if self._ordered else True),
            "delimiter": np.broadcast_to(self._delimiters[cols.start : cols.stop], (len(rows), len(cols))),
        }
        if not self._ordered:
            return patterns
        mine = self._codes[rows.start : rows.stop, None]
        plain = self._plain[rows.start : rows.stop, None]
        theirs, before = self._codes[cols.start : cols.stop], np.roll(self._codes, 1)[cols.start : cols.stop]
        earlier = (col < row) & plain
        return patterns | {
            "previous-token": col == row - 1,
            "next-token": col == row + 1,
            "duplicate-token": (theirs == mine) & earlier,
            "induction": (before == mine) & earlier & (col > 0),
        }

    def _add(
        self, name: str, tile: Any, pattern: NDArray[np.bool_], allowed: NDArray[np.bool_], seen: NDArray[np.int64]
    ) -> None:
        possible = pattern & allowed  # [1 or head, row, col]
        many = possible.sum(-1)
        could = many > 0
        at = (NAMES.index(name), tile.layer, slice(tile.heads.start, tile.heads.stop))
        if could.any():
            flat = pattern.astype(np.float32).reshape(-1)
            self._sums.scores[at] += tile.weights.reshape(len(tile.weights), -1) @ flat
            self._sums.counts[at] += could.sum(-1)
            self._sums.chances[at] += (many / np.maximum(seen, 1)).sum(-1)

    def _positions(self, tile: Any, choice: NDArray[np.bool_]) -> None:
        at = self._sums.counts[NAMES.index("positional"), tile.layer]
        peaks = tile.weights.argmax(-1) + tile.cols.start - np.arange(tile.rows.start, tile.rows.stop) + self._zero
        for place, head in enumerate(tile.heads):
            rows = choice[place if len(choice) > 1 else 0]
            self._peaks[tile.layer, head] += np.bincount(peaks[place][rows], minlength=self._peaks.shape[-1])
            at[head] += rows.sum()

    def state(self) -> RoleSums:
        """The sums; the most frequent distance of each head in this text has become its positional score."""
        if not self._ordered:
            return self._sums
        n = self._zero
        offsets = np.arange(self._peaks.shape[-1]) - n
        room = np.maximum(n - np.abs(offsets), 1)  # how many rows have a key so far away
        fair = (n - np.abs(offsets)) * 2 >= n
        shares = np.where(fair, np.minimum(self._peaks / room, 1.0), 0.0)
        scores, at = self._sums.scores.copy(), NAMES.index("positional")
        rows = self._sums.counts[at]
        scores[at] = np.where(rows > 0, shares.max(-1), 0.0) * rows
        return replace(self._sums, scores=scores)


def _codes(tokens: Tokens) -> NDArray[np.int64]:
    """One number per token, the same for the same token."""
    known: dict[tuple[int, str], int] = {}
    pairs = zip(tokens.ids, tokens.text, strict=True)
    return np.array([known.setdefault(token, len(known)) for token in pairs], np.int64)


def _delimiters(tokens: Tokens) -> NDArray[np.bool_]:
    """True for special tokens and punctuation, except the first token, whose weight counts towards the sink role."""
    both = zip(tokens.special, tokens.text, strict=True)
    delimiters = np.array([special or _is_punctuation(text) for special, text in both], bool)
    delimiters[:1] = False
    return delimiters


def _is_punctuation(text: str) -> bool:
    bare = text.removeprefix("##").strip(" ·␣▁")
    return bool(bare) and all(unicodedata.category(char).startswith("P") for char in bare)


def role_scores(sources: Sequence[TileSource], progress: Progress | None = None) -> dict[str, Scores]:
    """For each role of ROLES its scores in one or several sources of one model, each [layer, head].

    A head has the role where the score reaches the threshold; the score is NaN where no query could do it. Over several
    sources, as `repeated_tokens` makes them, scores are means over all queries.

    Args:
        sources: AttentionSources with the same layers and heads. progress: called with shares that sum to 1 per source.
    """
    states = []
    for source in sources:
        collector = Roles(*source.size, source.queries, source.keys, source.ordered)
        source.observe([collector], progress)
        states.append(collector.state())
    sums = reduce(RoleSums.merge, states)
    return {name: Scores(*map(sources[0].pick, scores)) for name, scores in sums.result().items()}
