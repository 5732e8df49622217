"""Mechanisms that choose the keys of a query: by place, by hashing, by an order, by a span, or by segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.masks import Mask
from attnviz.engine.ops import sigmoid
from attnviz.errors import SelectionError
from attnviz.variants.base import ROWS, Group, Grouped, VariantInput, bands, places

if TYPE_CHECKING:
    from attnviz.variants.base import Array, Bools, Draw, Ints


@dataclass(frozen=True)
class LocalP(Grouped):
    """A window around a place that the query predicts. Luong 2015, section 3.2, eq. 9-10 (local-p).

    p_i = S sigmoid(v^T tanh(W q_i)); a_ij = align(q_i, k_j) exp(-(j - p_i)^2 / (2 sigma^2)), sigma = reach / 2, with
    align the softmax over |j - p_i| <= reach. Rows are not renormalised after the Gaussian. S is the number of keys; in
    a causal model of those so far, i + 1, so that some lie within reach.
    """

    reach: int
    draw: Draw

    def centres(self, inputs: VariantInput, head: int) -> Array:
        """p_i of every query, from 0 to S: [query]."""
        d, name = inputs.d_head, f"layers.{inputs.layer}.local-p.{head}"
        matrix = self.draw(f"{name}.matrix", (d, d)) / np.float32(np.sqrt(d))
        vector = self.draw(f"{name}.vector", (d,)) * np.float32(2 / np.sqrt(d))
        share = sigmoid(np.tanh(inputs.q[head] @ matrix.T) @ vector)
        return share * (np.arange(1, inputs.n_query + 1, dtype=np.float32) if inputs.causal else inputs.n_key)

    def groups(self, inputs: VariantInput, head: int) -> Iterator[Group]:
        centres = self.centres(inputs, head)
        order = np.argsort(centres, kind="stable")
        # Queries in the order of their centres: the queries of a run look at nearly the same keys.
        for start in range(0, len(order), ROWS):
            rows = order[start : start + ROWS]
            middle = centres[rows, None]
            first = max(0, int(np.ceil(middle.min() - self.reach)))
            last = min(inputs.n_key - 1, int(np.floor(middle.max() + self.reach)))
            cols = np.arange(first, last + 1)
            away = cols - middle
            hidden = np.abs(away) > self.reach
            if inputs.causal:
                hidden |= cols > rows[:, None]
            times = np.exp(-(away**2) / (2 * (self.reach / 2) ** 2)).astype(np.float32)
            yield Group(rows, cols, hidden, times=times)


@dataclass(frozen=True)
class Dilated(Grouped):
    """A window with gaps. Beltagy 2020, section 3.1: a plain window over every `gap`-th token."""

    reach: int
    gap: int

    def groups(self, inputs: VariantInput, head: int) -> Iterator[Group]:
        for first in range(min(self.gap, inputs.n_key)):
            own = np.arange(first, inputs.n_key, self.gap)
            for rows, cols, hidden in bands(Mask(len(own), len(own), inputs.causal, self.reach)):
                yield Group(own[places(rows)], own[places(cols)], hidden)


@dataclass(frozen=True)
class BigBird(Grouped):
    """Blocks that see the first and the last block, their neighbours and some at random. Zaheer 2020, section 2."""

    block: int
    random: int
    draw: Draw

    def seen(self, layer: int, head: int, count: int) -> Bools:
        """Which of `count` blocks see which, [block, block]; the fixed blocks are the engine's."""
        hides = Mask(count, count, block=1).hidden(range(count), range(count))
        assert hides is not None
        seen = ~hides[0]
        for row in range(1, count - 1):
            chance = self.draw(f"layers.{layer}.bigbird.{head}.{row}", (count,))
            others = np.flatnonzero(~seen[row])
            seen[row, others[np.argsort(chance[others], kind="stable")[: self.random]]] = True
        return seen

    def groups(self, inputs: VariantInput, head: int) -> Iterator[Group]:
        n, size = inputs.n_key, self.block
        token = np.arange(n)
        for row, blocks in enumerate(self.seen(inputs.layer, head, -(-n // size))):
            rows = token[row * size : (row + 1) * size]
            cols = np.concatenate([token[b * size : (b + 1) * size] for b in np.flatnonzero(blocks)])
            yield Group(rows, cols, cols > rows[:, None] if inputs.causal else None)


@dataclass(frozen=True)
class Hashed(Grouped):
    """Queries see the keys of their own bucket. Kitaev 2020, section 2, with the hash of Andoni 2015.

    h(x) = argmax [x R; -x R] with R [d, buckets / 2] drawn. Several rounds: keys that share a bucket in any of them,
    each counted once (appendix A).
    """

    buckets: int
    rounds: int
    draw: Draw

    def __post_init__(self) -> None:
        if self.buckets > 1 and self.buckets % 2:
            raise SelectionError(
                f"lsh wants one bucket or an even number: it hashes to directions and their opposites; "
                f"got {self.buckets}"
            )

    def hashes(self, inputs: VariantInput, head: int) -> tuple[Ints, Ints]:
        """The buckets of queries and of keys, [round, query] and [round, key]."""
        if self.buckets > inputs.n_key:
            raise SelectionError(
                f"lsh wants no more buckets than tokens, {inputs.n_key}; got {self.buckets}", "as in lsh:2"
            )
        q, k = inputs.q[head], inputs.k[head]
        if self.buckets == 1:
            return np.zeros((self.rounds, len(q)), np.intp), np.zeros((self.rounds, len(k)), np.intp)

        def hashed(x: Array, turned: Array) -> Ints:
            x = x @ turned
            return np.concatenate([x, -x], axis=-1).argmax(-1)

        names = [f"layers.{inputs.layer}.lsh.{head}.{round}" for round in range(self.rounds)]
        drawn = [self.draw(name, (inputs.d_head, self.buckets // 2)) for name in names]
        return np.stack([hashed(q, turned) for turned in drawn]), np.stack([hashed(k, turned) for turned in drawn])

    def groups(self, inputs: VariantInput, head: int) -> Iterator[Group]:
        of_query, of_key = self.hashes(inputs, head)
        keys = [_Sorted(buckets) for buckets in of_key]
        # Queries that share their buckets in all rounds, side by side.
        order = np.lexsort(of_query)
        changes = np.flatnonzero((np.diff(of_query[:, order], axis=1) != 0).any(0)) + 1
        for rows in np.split(order, changes):
            near = np.unique(np.concatenate([keys[r].of(of_query[r, rows[0]]) for r in range(self.rounds)]))
            cols = np.union1d(near, rows)
            # A token sees itself, wherever its key went.
            hidden = ~np.isin(cols, near, assume_unique=True) & (cols != rows[:, None])
            if inputs.causal:
                hidden |= cols > rows[:, None]
            yield Group(rows, cols, hidden)


class _Sorted:
    """The keys of each bucket, found without a look at the other buckets."""

    def __init__(self, buckets: Ints) -> None:
        self.order = np.argsort(buckets, kind="stable")
        self.buckets = buckets[self.order]

    def of(self, bucket: int) -> Ints:
        """Indices of its keys, rising."""
        return self.order[slice(*np.searchsorted(self.buckets, (bucket, bucket + 1)))]


@dataclass(frozen=True)
class Permutation(Grouped):
    """Keys that come no later in a random order. Yang 2019, sections 2.2 and 2.3, the content stream.

    order 0: as written, which is a causal mask. Any other order replaces a causal model's mask.
    """

    order: int
    draw: Draw

    def ranks(self, n: int) -> Ints:
        """The place of each token in the order, [n]."""
        if self.order == 0:
            return np.arange(n)
        return np.argsort(np.argsort(self.draw(f"permutation.{self.order}", (n,)), kind="stable"), kind="stable")

    def groups(self, inputs: VariantInput, head: int) -> Iterator[Group]:
        by_rank = np.argsort(self.ranks(inputs.n_key), kind="stable")
        for rows, cols, hidden in bands(Mask(inputs.n_key, inputs.n_key, causal=True)):
            yield Group(by_rank[places(rows)], by_rank[places(cols)], hidden)


@dataclass(frozen=True)
class AdaptiveSpan(Grouped):
    """A span per head, with a soft end. Sukhbaatar 2019, section 2.2.

    a_ij = m(|i - j|) exp(s_ij) / sum, with m(x) = clip((ramp + span - x) / ramp, 0, 1). span 0: they rise from head
    to head up to half the text, where the paper learns them.
    """

    span: int
    ramp: int

    def span_of(self, head: int, inputs: VariantInput) -> float:
        """z, in tokens."""
        return float(self.span or inputs.n_key * (head + 1) / (2 * inputs.n_heads))

    def groups(self, inputs: VariantInput, head: int) -> Iterator[Group]:
        n = inputs.n_key
        span = self.span_of(head, inputs)
        reach = int(np.ceil(span + self.ramp)) - 1  # m is above 0 up to there
        for rows, cols, hidden in bands(Mask(n, n, inputs.causal, min(reach, n))):
            away = np.abs(places(cols) - places(rows)[:, None])
            share = np.clip((self.ramp + span - away) / self.ramp, 1e-30, 1)
            yield Group(places(rows), places(cols), hidden, plus=np.log(share).astype(np.float32))


@dataclass(frozen=True)
class Memory(Grouped):
    """Segments that see themselves and what came just before. Dai 2019, section 3.2.

    A segment's tokens see its earlier tokens, and the `memory` tokens before it, as they were computed when their own
    segment was read; so one pass over the whole text with this mask gives the same numbers.
    """

    segment: int
    memory: int

    def groups(self, inputs: VariantInput, head: int) -> Iterator[Group]:
        n = inputs.n_key
        mask = Mask(n, n, causal=True)
        for start in range(0, n, self.segment):
            rows = range(start, min(start + self.segment, n))
            cols = range(max(0, start - self.memory), rows.stop)
            hides = mask.hidden(rows, cols)
            yield Group(places(rows), places(cols), None if hides is None else hides[0])
