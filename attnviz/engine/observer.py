"""Collectors watch a pass, and an observer hands them what they ask for.

An observer is always there. Without collectors it does nothing, so that the arithmetic never asks whether anybody is
watching. NEEDS and VECTORS list everything that can be watched, with its shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.after_attention import AfterAttention
    from attnviz.engine.tile import Tile

    Array = NDArray[np.float32]

# What a collector may name in `needs`, beside the weights that it always gets.
Need = Literal["scores", "stages", "v", "outputs", "vectors", "after_attention", "room"]
NEEDS: Mapping[Need, str] = {
    "scores": "Tile.scores [head, row, col], before softmax; -inf where attending is not allowed",
    "stages": "Tile.stages, the scores after each operation on them (tile.py)",
    "v": "Tile.v [kv head, col, d_value]",
    "outputs": "Tile.outputs [head, row, d_value], the weighted sums of the values",
    "vectors": "see(), called with the arrays of VECTORS",
    "after_attention": "after_attention(), called with what a block does with its heads' outputs",
    "room": "room(), called for memory of the collector's own that weights are written to at once",
}

# The arrays that a collector with "vectors" sees, in the order in which they come. An array with "?" is there only in
# models that have it. The arrays from q.weight to k_turned come once more with `global_` in front for global tokens.
VECTORS: Mapping[str, str] = {
    # Layer -1: the embeddings, then their stages as the Spec orders them.
    "tokens": "[n, d_embed]",
    "add": "[n, d]? with positions and token types",
    "norm": "[n, d]?",
    "project": "[n, d]?",
    # Each layer.
    "input": "[n, d_model], the residual stream",
    "read": "[n, d_model], what queries are made from",
    "memory": "[key, d_model]? what keys and values are made from in cross-attention",
    "q_down.weight": "[d_q, d_model]?",
    "q_down.bias": "[d_q]?",
    "kv_down.weight": "[d_kv + d_shared, d_model]?",
    "kv_down.bias": "[d_kv + d_shared]?",
    "q.weight": "[n_heads * d_head, d_in]",
    "q.bias": "[n_heads * d_head]?",
    "k.weight": "[n_kv_heads * d_head, d_in]",
    "k.bias": "[n_kv_heads * d_head]?",
    "v.weight": "[n_kv_heads * d_value, d_in]",
    "v.bias": "[n_kv_heads * d_value]?",
    "compressed": "[n, d_kv]? what keys and values are made from, normalised",
    "compressed_q": "[n, d_q]? what queries are made from, normalised",
    "q": "[n_heads, n, d_head]",
    "k": "[n_kv_heads, key, d_head]",
    "v": "[n_kv_heads, key, d_value]; once more where rotary positions turn values",
    "q_normed": "[n_heads, n, d_head]?",
    "k_normed": "[n_kv_heads, key, d_head]?",
    "q_turned": "[n_heads, n, d_head]? turned by rotary positions, where a norm follows",
    "k_turned": "[n_kv_heads, key, d_head]?",
    "sinks": "[n_heads]?",
    "heads": "[n, n_heads * d_value], the outputs side by side",
    "o.weight": "[d_model, n_heads * d_value]?",
    "o.bias": "[d_model]?",
    "output": "[n, d_model]",
    "mlp": "[n, d_model]? the MLP's output as it is added to the residual stream",
}


class Collector:
    """Keeps something of the attention that passes by. Subclasses say what they want, and take it."""

    needs: frozenset[Need] = frozenset()

    def wants(self, layer: int, head: int) -> bool:
        """Whether tiles of this layer and head are to be handed over."""
        return True

    def take(self, tile: Tile) -> None:
        """Look at one tile. Do not keep its arrays, and start no pass here: the next tile reuses them."""
        raise NotImplementedError

    def see(self, layer: int, name: str, values: Array) -> None:
        """Look at one array of VECTORS, which must not be kept."""

    def after_attention(self, layer: int, block: AfterAttention) -> None:
        """Ask what the block does with its heads' outputs, once all tiles of the layer have been taken."""

    def room(self, layer: int, heads: range, rows: range, cols: range) -> Array | None:
        """The collector's own memory for exactly these weights [head, row, col], or None.

        A tile whose weights were written there is handed over nevertheless.
        """
        return None


@dataclass(frozen=True)
class Tap:
    """Shows the arrays of one layer to the collectors that see vectors, if there are any."""

    layer: int = -1
    watchers: Sequence[Collector] = ()
    prefix: str = ""

    def __call__(self, name: str, values: Array | None) -> None:
        """Show an array; None is an array that this model does not have."""
        if values is not None:
            for watcher in self.watchers:
                watcher.see(self.layer, self.prefix + name, values)

    def under(self, prefix: str) -> Tap:
        """A tap for arrays whose names begin with a prefix."""
        return replace(self, prefix=prefix)


QUIET = Tap()


class Observer:
    """The collectors of one stream during a pass."""

    def __init__(self, collectors: Sequence[Collector] = (), n_heads: int = 0) -> None:
        self.collectors, self.n_heads = collectors, n_heads
        self.watchers = [each for each in collectors if "vectors" in each.needs]

    def wanting(self, layer: int) -> list[Collector]:
        """The collectors that want some head of a layer."""
        return [each for each in self.collectors if any(each.wants(layer, head) for head in range(self.n_heads))]

    def last_of(self, n_layers: int) -> int:
        """The last layer that any collector wants; -1 for none."""
        return next((i for i in reversed(range(n_layers)) if self.wanting(i)), -1)

    def needs(self, *names: Need) -> bool:
        """Whether any collector needs one of the names."""
        return any(not each.needs.isdisjoint(names) for each in self.collectors)

    def asking(self, layer: int) -> list[Collector]:
        """The collectors that ask what follows the heads of a layer."""
        return [each for each in self.wanting(layer) if "after_attention" in each.needs]

    def tap(self, layer: int) -> Tap:
        """The tap of a layer."""
        return Tap(layer, self.watchers)


class Record:
    """Copies of one tile's scores on their way to weights. Keeps only what is needed.

    stages: see `Tile`, None if nobody needs them. scores: before softmax, -inf where attending is not allowed.
    """

    def __init__(self, needs: frozenset[Need] = frozenset()) -> None:
        self.stages: dict[str, Array] | None = {} if "stages" in needs else None
        self._scores_wanted = "scores" in needs
        self.scores: Array | None = None

    def __call__(self, name: str, scores: Array) -> None:
        """Keep a stage."""
        if self.stages is not None:
            self.stages[name] = scores.copy()

    def scores_with(self, scores: Array, hidden: NDArray[np.bool_] | None) -> None:
        """Keep the scores, with -inf where `hidden` is True."""
        if self._scores_wanted:
            self.scores = scores.copy() if hidden is None else np.where(hidden, np.float32(-np.inf), scores)
