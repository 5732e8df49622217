"""How tokens mix in a model, layer after layer: rollout, and the means over heads that flow is made of.

attnviz.mixing.rollout(attnviz.load("minilm"), "The cat sat on the mat").weights   # [layer, 1, query, key]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from attnviz.analysis.rollout import Rollout, check_kind, check_residual
from attnviz.attention import Attention
from attnviz.errors import InputError
from attnviz.model import _chosen

if TYPE_CHECKING:
    from attnviz.given import Given
    from attnviz.model import Model, Progress

MOST_KEPT = 200_000_000  # numbers that are held at once


def rollout(
    model: Model,
    text: str | None = None,
    pair: str | None = None,
    *,
    layers: Iterable[int] | int | None = None,
    heads: Iterable[int] | int | None = None,
    residual: float = 0.5,
    progress: Progress | None = None,
    **inputs: Any,
) -> Attention:
    """Rollout of a text through a model, in one pass; no layer's maps are kept, so that long texts can be followed.

    Args:
        text, pair, inputs: as for `Model.attend`.
        layers: whose rollouts to keep, all by default. heads: which are averaged in each layer, all by default.
        residual: share of the residual stream in each layer, 0 to 1 (`analysis.rollout.with_residual`).

    Returns:
        An Attention with weights [layer, 1, query, key]; see `analysis.rollout.rollout`.

    Raises:
        As `Model.attend`; InputError for cross-attention and for more numbers than can be kept.
    """
    return rollout_of(model, model.prepare(text, pair, **inputs), layers, heads, residual, progress)


def rollout_of(
    model: Model,
    given: Given,
    layers: Iterable[int] | int | None = None,
    heads: Iterable[int] | int | None = None,
    residual: float = 0.5,
    progress: Progress | None = None,
) -> Attention:
    """The same for a prepared input."""
    check_kind(given.stream)
    check_residual(residual)
    at_layers = _chosen("layer", layers, given.spec.n_layers)
    at_heads = _chosen("head", heads, given.spec.n_heads)
    keep = _kept(model, given, at_layers, at_heads, residual, progress)
    share = "" if residual == 0.5 else f", residual {residual:g}"
    return _attention(model, given, keep, at_layers, at_heads, f"rollout{share}")


def means(
    model: Model, given: Given, last: int, heads: Iterable[int] | int | None = None, progress: Progress | None = None
) -> Attention:
    """The mean over heads of layers 0 to `last`, of a prepared input; no head's map is kept."""
    check_kind(given.stream)
    at_heads = _chosen("head", heads, given.spec.n_heads)
    at_layers = list(range(last + 1))
    keep = _kept(model, given, at_layers, at_heads, None, progress)
    return _attention(model, given, keep, at_layers, at_heads, "")


def _kept(
    model: Model,
    given: Given,
    layers: Sequence[int],
    heads: Sequence[int],
    residual: float | None,
    progress: Progress | None,
) -> Rollout:
    """What a pass leaves in a Rollout: of rollouts or, without a residual, of means."""
    n = len(given.keys)
    if len(layers) * n * n > MOST_KEPT:
        raise InputError(
            f"{len(layers)} layers of {n:,} x {n:,} tokens are more than can be held at once",
            "choose some with --layer, as in --layer -1",
        )
    keep = Rollout(layers, heads, n, residual)
    model.observe(given, [keep], progress)
    return keep


def _attention(
    model: Model, given: Given, keep: Rollout, layers: Sequence[int], heads: Sequence[int], measure: str
) -> Attention:
    weights = keep.result()[:, None]
    return Attention(
        weights=weights,
        mask=keep.mask,
        queries=given.queries,
        keys=given.keys,
        layers=tuple(layers),
        heads=tuple(heads),
        stream=given.stream,
        model=model.name,
        reduced=f"mean over {len(heads)} heads" if len(heads) > 1 else "",
        meta={**given.meta, **({"measure": measure} if measure else {})},
    )
