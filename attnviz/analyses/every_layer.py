"""A text's attention in every layer, for analyses that follow it from layer 0: rollout, flow and norms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from attnviz.attention import Attention, joined
from attnviz.errors import InputError, SelectionError
from attnviz.measures.rollout import Rollout, check, check_residual
from attnviz.models.source import ArrayTiles
from attnviz.select import of_pairs, places_of

if TYPE_CHECKING:
    from attnviz.analyses.base import Request
    from attnviz.models.model import Progress
    from attnviz.models.source import AttentionSource
    from attnviz.select import LayerChoice

MOST_KEPT = 200_000_000  # numbers that are held at once: 1.6 GB of them


@dataclass(frozen=True, eq=False)
class EveryLayer:
    """Attention in every layer of a text, and which of the numbers computed from it are wanted.

    Words are joined and special tokens left out afterwards: the layers are followed with all tokens.

    source: all layers and tokens, the chosen heads. layers: the ones wanted, None for all.
    single: whether heads were chosen. words, special: whether words are joined, and special tokens shown.
    """

    source: AttentionSource
    layers: tuple[int, ...] | None = None
    single: bool = False
    words: bool = False
    special: bool = True

    @classmethod
    def of(cls, source: AttentionSource, layers: LayerChoice, *, single: bool, words: bool, special: bool) -> Self:
        """Some layers of attention in all layers. Raises SelectionError for a layer that is not there."""
        places = places_of("layer", layers, source.layers, len(source.layers) if source.pairs else source.shape[0])
        wanted = None if places is None else tuple(source.layers[place] for place in places)
        return cls(source, wanted, single, words, special)

    def wanted(self, layers: tuple[int, ...] | None = None) -> list[int]:
        """The true indices of the layers wanted. layers: used where none were selected; by default all."""
        return list(self.layers or layers or self.source.layers)

    def joined(self, attention: Attention) -> Attention:
        """With words joined and special tokens left out, as wanted."""
        return joined(attention, self.words, self.special)


def refuse_single_heads(name: str, request: Request) -> None:
    """Raise SelectionError for heads of different layers: `name` follows the mean over heads through every layer."""
    if isinstance(request.heads, str) and of_pairs(request.heads):
        raise SelectionError(
            f"{name} follows the mean over heads through every layer: --head {request.heads} leaves some out",
            "name heads of all layers, as in -H 0-3",
        )


def mean_attention(
    source: AttentionSource,
    layers: Sequence[int],
    residual: float | None = None,
    measure: str = "",
    progress: Progress | None = None,
) -> Attention:
    """The mean over heads in some layers, or the rollout after them, in one pass that keeps no head's map.

    Args:
        source: every layer of a text's attention to itself, from 0. layers: the ones kept, by their indices.
        residual: share of the residual stream in a rollout; None for the means themselves.
        measure: what the numbers are called, where they are no weights.

    Returns:
        An Attention with weights [layer, 1, query, key].

    Raises:
        SelectionError: layers are missing, or `residual` is not from 0 to 1. InputError: cross-attention, or more
            numbers than can be held.
    """
    check(source)
    if residual is not None:
        check_residual(residual)
    n, heads = len(source.keys), source.at[1]
    if len(layers) * n * n > MOST_KEPT:
        raise InputError(
            f"{len(layers)} layers of {n:,} x {n:,} tokens are more than can be held at once",
            "choose some with --layer, as in --layer -1",
        )
    rollout = Rollout(layers, heads, n, residual)
    source.observe([rollout], progress)
    weights = rollout.result()[:, None]
    unmasked = isinstance(source.tiles, ArrayTiles) and source.tiles.attention.mask is None
    mean = f"mean over {len(heads)} heads" if len(heads) > 1 else ""
    return Attention(
        weights,
        None if unmasked else rollout.mask,
        source.queries,
        source.keys,
        tuple(layers),
        source.heads,
        stream=source.stream,
        model=source.model,
        reduced="; ".join(filter(None, (source.reduced, mean))),
        meta={**source.meta, **({"measure": measure} if measure else {})},
    )
