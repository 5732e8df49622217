"""Attention of some queries: all of them where the maps are small, else rows spread evenly over the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention import Attention
from attnviz.engine.pairs import OfPairs
from attnviz.measures.rows import Rows

if TYPE_CHECKING:
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model, Progress
    from attnviz.select import Chosen

MOST = 1 << 22  # weights of all heads together up to which every row is kept: 144 heads of 170 tokens
FEWEST = 16  # rows of a long text


def room(n_maps: int, n_key: int, times: int = 1) -> int:
    """How many rows of every head together hold about `MOST` weights, or so many times as many.

    times: more than 1 where heads are not held against each other, which takes time by the square of their number.
    """
    return max(times * MOST // max(n_maps * n_key, 1), FEWEST)


def attend_rows(
    model: Model,
    given: ModelInput,
    at: Chosen,
    rows: Sequence[int],
    progress: Progress | None = None,
) -> Attention:
    """The attention of these queries over all keys, in one pass that keeps nothing else.

    Args:
        given: what `Model.prepare` gives.
        at: which layers and heads. rows: places among the queries, in rising order.

    Returns:
        An Attention whose queries are these rows; `reduced` says so where they are not all.
    """

    def kept(layers: list[int], heads: list[int]) -> Rows:
        return Rows(layers, heads, rows, len(given.keys))

    keep = OfPairs(at.pairs, kept) if at.pairs else kept(at.layers, at.heads)
    model.observe(given, keep.each if isinstance(keep, OfPairs) else [keep], progress)
    every = len(rows) == len(given.queries)
    mask = keep.mask
    same = not at.pairs and bool((mask == mask[:1]).all())
    return Attention(
        weights=keep.result(),
        mask=mask[:1] if same else mask,
        queries=given.queries if every else given.queries.take(rows),
        keys=given.keys,
        layers=tuple(at.layers),
        heads=tuple(at.heads),
        stream=given.stream,
        model=model.name,
        grid=given.grid if every else None,
        reduced="" if every else f"{len(rows)} of {len(given.queries)} queries, evenly spread",
        meta=dict(given.meta) if every else {**given.meta, "sampled": np.asarray(rows).tolist()},
        pairs=at.pairs,
    )
