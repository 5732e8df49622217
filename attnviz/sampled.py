"""Attention of some queries: all of them where the maps are small, else rows spread evenly over the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnviz.analysis.rows import Rows
from attnviz.attention import Attention

if TYPE_CHECKING:
    from attnviz.given import Given
    from attnviz.model import Model, Progress

MOST = 1 << 22  # weights of all heads together up to which every row is kept: 144 heads of 170 tokens
FEWEST = 16  # rows of a long text


def room(n_layers: int, n_heads: int, n_key: int, times: int = 1) -> int:
    """How many rows of every head together hold about `MOST` weights, or so many times as many.

    times: more than 1 where heads are not held against each other, which takes time by the square of their number.
    """
    return max(times * MOST // max(n_layers * n_heads * n_key, 1), FEWEST)


def attend_rows(
    model: Model,
    given: Given,
    layers: Sequence[int],
    heads: Sequence[int],
    rows: Sequence[int],
    progress: Progress | None = None,
) -> Attention:
    """The attention of these queries over all keys, in one pass that keeps nothing else.

    Args:
        given: what `Model.prepare` gives.
        layers, heads: true indices. rows: places among the queries, in rising order.

    Returns:
        An Attention whose queries are these rows; `reduced` says so where they are not all.
    """
    keep = Rows(layers, heads, rows, len(given.keys))
    model.observe(given, [keep], progress)
    every = len(rows) == len(given.queries)
    same = bool((keep.mask == keep.mask[:1]).all())
    return Attention(
        weights=keep.weights,
        mask=keep.mask[:1] if same else keep.mask,
        queries=given.queries if every else given.queries.take(rows),
        keys=given.keys,
        layers=tuple(layers),
        heads=tuple(heads),
        stream=given.stream,
        model=model.name,
        grid=given.grid if every else None,
        reduced="" if every else f"{len(rows)} of {len(given.queries)} queries, evenly spread",
        meta=dict(given.meta) if every else {**given.meta, "sampled": np.asarray(rows).tolist()},
    )
