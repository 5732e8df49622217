"""The source that a question and an answer point at: a score from attention, and a baseline from words.

W [layer, head, query, key] is the attention of one pass over sources, question and answer; c is the number of tokens
before the question. For each head and each key j < c

    column_j  = mean of W[i, j] over the later rows i > j
    usual_j   = max(column_j, median of W[i, j] over the rows i >= c)
    lift_rj   = max(0, W[r, j] - usual_j) * df_j ** -0.5

where df_j is the number of sources that hold the token j. The largest lift over some rows gives each head a vector over
keys. The 6 % of heads with the largest entry are added, each weighed by that entry, summed by source and normalised: q
for the rows of the question's own tokens, a for the rows of the answer's. The score is proportional to
(q + 0.05) (a + 0.05).

Source: a study of prompts with known sources. Its first formula took the mean of the rows and weighed the heads alike;
docs/analysis/context.md has both in one table, what else was tried, and what the score is not. Lift as what a key gets
beyond its usual share follows `attnviz.measures.lift`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.observer import Collector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tile import Tile

    Array = NDArray[np.float32]
    Numbers = NDArray[np.float64]

HEADS_SHARE = 0.06  # of all heads: the heads with the largest entry, which are added up
FLOOR = 0.05  # added to both halves, so that one half alone never decides
RARITY = -0.5  # the power of a token's number of sources
UNSURE = 0.5  # of the tuned prompts with a top share below it, nearly half are wrong; above it 3 %


@dataclass(frozen=True, eq=False)
class Keys:
    """The keys of the context, c of them.

    source: int [c], the source of each key, -1 for none. rarity: float32 [c], df ** -0.5 for a token that df sources
    hold; 0 for keys that belong to no source, and for the first key of the text.
    """

    source: NDArray[np.intp]
    rarity: Array
    n_sources: int

    @classmethod
    def of(cls, source: Sequence[int], texts: Sequence[str], n_sources: int, *, first: bool = True) -> Keys:
        """From the source and the text of each token. first: whether the first key starts the text, and is left out."""
        names = [text.strip().lower() for text in texts]
        df = Counter(name for name, _ in {(name, at) for name, at in zip(names, source, strict=True) if at >= 0})
        rarity = np.array([df[name] ** RARITY if at >= 0 else 0.0 for name, at in zip(names, source, strict=True)])
        if first and len(rarity):
            rarity[0] = 0.0
        return cls(np.asarray(source, np.intp), rarity.astype(np.float32), n_sources)


class PointedAt(Collector):
    """Keeps the most that a row of a group gives each key beyond its usual share: float32 [group, layer, head, c].

    A group is the question's rows, or the answer's; 0 for a group without rows. Whole maps are never held: sums of
    columns and the rows from `begin` on are kept per head until the head's last tile has passed. Beside the result this
    takes 4 * (n - begin) * c bytes for each head in work: all heads of one layer of a short text, one head per thread
    of a long one.

    keys: of the context. begin: the first row after the context. n: rows of the whole text. groups: rows, each from
    `begin` on. crossed: cross-attention, whose rows and keys are two texts. The usual share of a key is an even share
    there, 1 / keys: columns of a few rows that read the same fact would say that the fact is usual.
    """

    def __init__(
        self,
        n_layers: int,
        n_heads: int,
        n: int,
        begin: int,
        keys: Keys,
        groups: Sequence[Sequence[int]],
        *,
        crossed: bool = False,
    ) -> None:
        self._n, self._begin, self._keys, self._crossed = n, begin, keys, crossed
        self._groups = [np.asarray(rows, np.intp) - begin for rows in groups]
        self._open: dict[tuple[int, int], _Columns] = {}
        self.lifts = np.zeros((len(groups), n_layers, n_heads, len(keys.source)), np.float32)

    def take(self, tile: Tile) -> None:
        at = tile.layer, tile.heads.start
        if at not in self._open:
            shape = len(tile.heads), self._n - self._begin, len(self._keys.source)
            self._open[at] = _Columns(np.zeros((shape[0], shape[2])), np.zeros(shape, np.float32))
        self._add(self._open[at], tile)
        if tile.rows.stop == self._n:
            heads = slice(tile.heads.start, tile.heads.stop)
            self.lifts[:, tile.layer, heads] = self._lifts(self._open.pop(at), tile.cols.stop)

    def _add(self, columns: _Columns, tile: Tile) -> None:
        """Add a tile's rows to the sums of columns, and keep the rows that follow the context."""
        cols = slice(tile.cols.start, min(tile.cols.stop, len(self._keys.source)))
        if cols.stop <= cols.start:
            return
        weights = tile.weights[:, :, : cols.stop - cols.start]
        columns.sums[:, cols] += weights.sum(1)
        own = np.arange(max(tile.rows.start, cols.start), min(tile.rows.stop, cols.stop))
        if not self._crossed and len(own):
            columns.sums[:, own] -= weights[:, own - tile.rows.start, own - cols.start]
        first = max(self._begin, tile.rows.start)
        if first < tile.rows.stop:
            rows = slice(first - self._begin, tile.rows.stop - self._begin)
            columns.tail[:, rows, cols] = weights[:, first - tile.rows.start :]

    def _lifts(self, columns: _Columns, n_keys: int) -> Array:
        """[group, head, c] from the finished sums and rows of some heads. n_keys: of cross-attention."""
        if self._crossed:
            usual = np.full_like(columns.tail[:, 0], 1.0 / n_keys)
        else:
            later = self._n - 1 - np.arange(columns.sums.shape[1])
            means = (columns.sums / np.maximum(later, 1)).astype(np.float32)
            usual = np.maximum(means, np.median(columns.tail, axis=1))
        lifts = np.zeros((len(self._groups), *usual.shape), np.float32)
        for largest, rows in zip(lifts, self._groups, strict=True):
            for row in rows:
                np.maximum(largest, columns.tail[:, row] - usual, out=largest)
        return lifts * self._keys.rarity


@dataclass(frozen=True, eq=False)
class _Columns:
    """Some heads of a layer while their tiles pass.

    sums: float64 [head, c], of the rows so far without a token's own. tail: float32 [head, row after the context, c].
    """

    sums: Numbers
    tail: Array


def pointed(lifts: Array, keys: Keys, share: float = HEADS_SHARE) -> tuple[Numbers, Numbers]:
    """Add the heads that point most clearly, each weighed by its largest entry, and sum by source.

    lifts: [layer, head, c]. share: of all heads. Returns float64 [source], which sums to 1 (even where no head points
    anywhere), and float64 [c], the same by token.
    """
    heads = lifts.reshape(-1, lifts.shape[-1])
    count = max(1, round(share * len(heads)))
    peaks = heads.max(-1, initial=0.0).astype(np.float64)
    best = (-peaks).argsort(kind="stable")[:count]
    tokens = peaks[best] @ heads[best]
    inside = keys.source >= 0
    sums = np.bincount(keys.source[inside], tokens[inside], keys.n_sources)
    total = sums.sum()
    if not total:
        return np.full(keys.n_sources, 1.0 / keys.n_sources), tokens
    return sums / total, tokens / total


def combined(question: Numbers | None, answer: Numbers | None, floor: float = FLOOR) -> Numbers:
    """The score [source], which sums to 1: both halves multiplied, or the only half as it is."""
    if question is None or answer is None:
        only = answer if question is None else question
        assert only is not None
        return only
    product: Numbers = (question + floor) * (answer + floor)
    return product / product.sum()


def shared_words(asked: Sequence[str], sources: Sequence[Sequence[str]]) -> Numbers:
    """The baseline without a model: the share of the rare words of question and answer that each source holds, 0 to 1.

    A word that df of N sources hold counts ln((N + 1) / df); words that no source holds count nothing (Sparck Jones
    1972). asked: words of question and answer; sources: words of each source; all in lower case.
    """
    held = [set(words) for words in sources]
    df = Counter(word for words in held for word in words)
    rarity = {word: log((len(sources) + 1) / df[word]) for word in sorted(set(asked)) if df[word]}
    total = sum(rarity.values()) or 1.0
    return np.array([sum(value for word, value in rarity.items() if word in words) / total for words in held])
