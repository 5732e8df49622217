"""One layer's scores that depend on content and distance, from its queries, keys and tables.

Every function returns what `Layer` needs: a function from a range of heads to the scores to add. k may have more tokens
than q; the queries are then the last tokens of a longer text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.kernels import by_head, linear
from attnviz.engine.ops import norm_of
from attnviz.engine.positions import RelativeScores, disentangled_places, segmental_table
from attnviz.engine.project import Heads
from attnviz.engine.spec import Disentangled, DistanceVectors, Segmental, Spec
from attnviz.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.inputs import Inputs
    from attnviz.engine.tensors import Tensors

    Array = NDArray[np.float32]
    ScoresByHead = Callable[[range], RelativeScores]


def relative_scores(
    spec: Spec, tensors: Tensors, name: str, heads: Heads, inputs: Inputs
) -> tuple[Heads, ScoresByHead | None]:
    """The heads with the biases of their queries, and a function for the scores to add; None if there are none."""
    rule = spec.relative
    if isinstance(rule, Segmental):
        return _segmental(rule, spec, tensors, name, heads, inputs)
    if isinstance(rule, Disentangled):
        return heads, _disentangled(rule, spec, tensors, name, heads)
    if isinstance(rule, DistanceVectors):
        return heads, _by_distance(rule, spec, tensors, name, heads)
    return heads, None


def _segmental(
    rule: Segmental, spec: Spec, tensors: Tensors, name: str, heads: Heads, inputs: Inputs
) -> tuple[Heads, ScoresByHead]:
    """Queries with the content bias, and the scores by distance and segment."""
    n, shape = heads.q.shape[1], (spec.n_heads, spec.d_head)
    weight = tensors.get(name + "r.weight", (spec.n_heads * spec.d_head, spec.d_model))
    table = by_head(linear(segmental_table(rule, n, n, spec.d_model), weight), spec.n_heads)
    places = heads.q + tensors.get(name + "position_bias", shape)[:, None]
    types = inputs.types
    if types is not None:
        segments = heads.q + tensors.get(name + "segment_bias", shape)[:, None]
        pair = tensors.get(name + "segments", (2, *shape))

    def relative(part: range) -> RelativeScores:
        at = slice(part.start, part.stop)
        scores = RelativeScores(n).by_query(places[at], table[at])
        return scores if types is None else scores.by_segment(segments[at], pair[:, at], types)

    return replace(heads, q=heads.q + tensors.get(name + "content_bias", shape)[:, None]), relative


def _disentangled(rule: Disentangled, spec: Spec, tensors: Tensors, name: str, heads: Heads) -> ScoresByHead:
    """Scores of content against position and position against content."""
    n = heads.q.shape[-2]
    table = tensors.get("relative.table", (2 * rule.span, spec.d_model))
    if rule.norm is not None:
        table = norm_of(rule.norm, tensors, "relative.norm", table)
    width = spec.n_heads * spec.d_head

    def projected(which: str) -> Array:
        own = which if rule.share_key else f"position_{which}"
        has_bias = rule.key_bias if which == "k" else True
        bias = tensors.get(f"{name}{own}.bias", (width,)) if has_bias else None
        return by_head(linear(table, tensors.get(f"{name}{own}.weight", (width, spec.d_model)), bias), spec.n_heads)

    keys = projected("k") if rule.c2p else None
    queries = projected("q") if rule.p2c else None
    places = disentangled_places(rule, n, n)

    def relative(part: range) -> RelativeScores:
        at, scores = slice(part.start, part.stop), RelativeScores(n, places)
        if keys is not None:
            scores.by_query(heads.q[..., at, :, :], keys[at])
        if queries is not None:
            scores.by_key(heads.k[..., at, :, :], queries[at])
        return scores

    return relative


def _by_distance(rule: DistanceVectors, spec: Spec, tensors: Tensors, name: str, heads: Heads) -> ScoresByHead:
    """q . a(query - key), and with `by_key` also k . a(query - key). Source: Shaw 2018, eq. 4; Huang 2020, method 4."""
    n_query, n_key = heads.q.shape[-2], heads.k.shape[-2]
    if n_key > rule.size:
        raise InputError(
            f"the text has {n_key} tokens; this model's distances end at {rule.size}",
            "use a shorter text, or a model that reads longer ones",
        )
    # The rows of the distances that occur: query - key, rising from 1 - n_key.
    rows = np.arange(rule.size - n_key, rule.size + n_key - 1)
    table = tensors.rows(name + "distances", rows, (2 * rule.size - 1, spec.d_head))[None]
    if not rule.scaled:
        table = table / np.float32(spec.scale)
    places = 2 * n_key - n_query - 1 - np.arange(-(n_query - 1), n_key)

    def relative(part: range) -> RelativeScores:
        scores = RelativeScores(n_query, places).by_query(heads.q[..., part.start : part.stop, :, :], table)
        if rule.by_key:
            k = heads.of(part).k
            scores.by_key(k.repeat(len(part) // k.shape[-3], axis=-3), table)
        return scores

    return relative
