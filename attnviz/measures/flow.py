"""Flow: how much of an input token can reach a position, if every layer's weights are the widths of pipes.

Nodes are (layer, token); an edge goes from (l, i) to (l - 1, j) with the capacity A'_l[i, j], where A' is the mean over
heads with the residual stream added (`with_residual`). flow_l[i, j] is the largest flow from (l, i) to the input token
j. Source: Abnar and Zuidema 2020, section 3.

Largest flows are found by push-relabel (Goldberg and Tarjan 1988): flow is pushed along edges that lead one step nearer
to the sink, by exact distances that are computed again as edges fill up. Only the value is wanted, so what cannot reach
the sink stays where it is. A source begins by giving every node its share, as in a rollout, which fits all pipes but
those into the sink. No flow is larger than what leaves its source, or what enters its sink from where the source leads
to; where that much has arrived, it is done. Many pairs of tokens go side by side, and all nodes of a layer at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import InputError
from attnviz.facts import facts_of
from attnviz.measures.rollout import check, named, with_residual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention

    Wide = NDArray[np.float64]
    Whole = NDArray[np.int64]

MOST = 128  # tokens: a network of n tokens has n^2 edges a layer, and there are n^2 pairs to be joined
_BESIDE = 1 << 19  # pipes that are worked on together
_CRUMB = 1e-11  # what is less is not run after
_NONE = 1e-12  # a pipe with less room is full
_FAR = np.int16(30_000)  # the distance of what cannot reach the sink


def largest_flows(
    attention: Attention,
    layers: Sequence[int] | None = None,
    queries: Sequence[int] | None = None,
    residual: float = 0.5,
    progress: Callable[[float], None] | None = None,
) -> Attention:
    """The largest flow from positions after a layer to input tokens.

    Args:
        attention: all layers from 0 of one stream, a text to itself, with the mean over heads alone or with its heads.
        layers: after which layers, by their indices; all by default.
        queries: from these tokens only, by their indices; all other rows are 0.
        residual: share of the residual stream in each layer, as in `mean_attention`.
        progress: called with shares of the work as they are done; they sum to 1.

    Returns:
        An Attention whose weights are float32 [layer, 1, query, key], 0 to 1: exact to 1e-9 before they are rounded.
        Rows do not sum to 1.

    Raises:
        SelectionError: layers are missing. InputError: cross-attention, pooled, or more than `MOST` tokens.
    """
    check(facts_of(attention))
    check_size(len(attention.queries))
    wanted = list(attention.layers if layers is None else layers)
    capacities = [with_residual(heads.mean(0, dtype=np.float64), residual) for heads in attention.weights]
    values = flows(capacities, wanted, queries, progress)
    whole = np.zeros((len(capacities), 1, *values.shape[1:]), np.float32)
    whole[wanted, 0] = values
    return named(attention, whole, "flow", residual).select(layers=wanted)


def check_size(n: int) -> None:
    """Raises InputError for more than `MOST` tokens."""
    if n > MOST:
        raise InputError(
            f"flow of {n} tokens is too much work: {n * n:,} largest flows a layer, each over {n * n:,} edges a layer; "
            f"up to {MOST} tokens can be done",
            "take rollout, which has no such limit, or give a shorter text",
        )


def flows(
    capacities: Sequence[NDArray[Any]],
    layers: Sequence[int] | None = None,
    queries: Sequence[int] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Wide:
    """The largest flow from each token above a layer to each token below the first.

    Args:
        capacities: [layer][query, key] from 0 up; not negative, each row with a sum of 1 at most.
        layers, queries: which are wanted, all by default; rows of other queries are 0.

    Returns:
        float64 [wanted layer, query, key].
    """
    wide = np.stack([np.asarray(capacity, np.float64) for capacity in capacities])
    depth, n = wide.shape[:2]
    wanted = list(range(depth) if layers is None else layers)
    rows = np.arange(n) if queries is None else np.unique(np.asarray(queries, np.intp))
    values = np.zeros((len(wanted), n, n))
    works = np.array([max(layer, 1) for layer in wanted], np.float64)
    for place, (layer, share) in enumerate(zip(wanted, works / works.sum(), strict=True)):
        for done in _layer(wide[: layer + 1], rows, values[place]):
            if progress is not None:
                progress(done * share)
    return values


def _layer(wide: Wide, rows: NDArray[np.intp], values: Wide) -> Iterator[float]:
    """The flows of these queries after the last layer, into `values` [query, key]; yields shares of the work."""
    if len(wide) == 1:
        values[rows] = wide[0, rows]
    elif len(wide) == 2:  # every path has an edge of its own on either side
        values[rows] = np.minimum(wide[1, rows][:, :, None], wide[0][None]).sum(1)
    if len(wide) <= 2:
        yield 1.0
        return
    walk = [wide[-1]]  # what comes to each node [source, token], from the uppermost layer of nodes down
    for capacity in wide[-2:0:-1]:
        walk.append(walk[-1] @ capacity)
    come = np.stack(walk[::-1], 1)  # [source, layer of nodes, token]
    most = _most(wide)
    pairs = np.stack(np.meshgrid(rows, np.arange(wide.shape[1]), indexing="ij"), -1).reshape(-1, 2)
    step = max(1, _BESIDE // wide[1:-1].size)
    for start in range(0, len(pairs), step):
        query, key = pairs[start : start + step].T
        values[query, key] = _Network(wide[1:-1], wide[0][:, key].T, come[query], most[query, key]).solved()
        yield len(query) / len(pairs)


def _most(wide: Wide) -> Wide:
    """An upper limit of each flow [query, key]: what its source gives out, and what can enter its sink from there."""
    leads = np.eye(wide.shape[1], dtype=bool)  # [query, token above layer 0]: from where to where flow can go
    for capacity in wide[1:]:
        leads = (capacity > 0) @ leads
    return np.minimum(wide[-1].sum(-1, keepdims=True), leads @ wide[0])


class _Network:
    """Some pairs side by side; arrays begin with [pair], and hold the pairs that are not done yet: `at` says which.

    Nodes are [layer, token] from layer 0, which has pipes to the sink, up to the layer that the source feeds. room,
    used [pair, layer, query, key]: of the pipes from layer + 1 to layer, what can still go through and what does. gap:
    room of the pipes into the sink. excess: what has come to a node and not gone on; arrived: what is in the sink.
    """

    def __init__(self, inner: Wide, last: Wide, come: Wide, most: Wide) -> None:
        """inner [layer, query, key], last [pair, token]: widths of pipes. come [pair, layer, token]: what comes to a
        node where each goes on in the shares of its row. most [pair]: what no flow exceeds."""
        self.at, self.depth, self.most = np.arange(len(most)), len(inner), most
        self.used = come[:, 1:, :, None] * inner
        self.room = np.maximum(inner - self.used, 0.0)
        gone = np.minimum(come[:, 0], last)
        self.gap, self.arrived = last - gone, gone.sum(-1)
        self.excess = np.zeros_like(come)
        self.excess[:, 1:] = come[:, 1:] * np.maximum(1 - inner.sum(-1), 0)  # where a row gives out less than 1
        self.excess[:, 0] = come[:, 0] - gone

    def solved(self) -> Wide:
        """The largest flow of each pair."""
        values = np.empty(len(self.most))
        while len(self.at):
            height = self._distances()
            way = self.excess.sum((1, 2), where=height < _FAR) > _CRUMB
            going = way & (self.arrived < self.most - _CRUMB)
            values[self.at[~going]] = self.arrived[~going]
            if not going.all():
                for name in ("at", "most", "used", "excess", "arrived", "room", "gap"):
                    setattr(self, name, getattr(self, name)[going])
                height = height[going]
            if len(self.at):
                self._sweep(height)
        return values

    def _distances(self) -> NDArray[np.int16]:
        """Exact distances to the sink by pipes with room: [source, layer, token]; up and down until nothing changes."""
        ahead, back = self.room > _NONE, self.used > _NONE
        height = np.full(self.excess.shape, _FAR)
        height[:, 0][self.gap > _NONE] = 1
        while True:
            before = height.copy()
            for layer in range(self.depth):
                _lower(height[:, layer + 1], ahead[:, layer], height[:, layer, None, :], 2)
            for layer in range(self.depth - 1, -1, -1):
                _lower(height[:, layer], back[:, layer], height[:, layer + 1, :, None], 1)
            if np.array_equal(before, height):
                return height

    def _sweep(self, height: NDArray[np.int16]) -> None:
        """Every node pushes what it can: layers downwards, and upwards again for what has to go back first."""
        for layer in (*range(self.depth, -1, -1), *range(1, self.depth + 1), *range(self.depth - 1, -1, -1)):
            if (self.excess[:, layer] > _NONE).any():
                self._push(layer, height)

    def _push(self, layer: int, height: NDArray[np.int16]) -> None:
        own = height[:, layer]
        have = np.where(own < _FAR, self.excess[:, layer], 0.0)
        if layer == 0:
            gone = np.where(own == 1, np.minimum(have, self.gap), 0.0)
            self.gap -= gone
            self.arrived += gone.sum(-1)
        else:
            moved = np.where(own[:, :, None] == height[:, layer - 1, None, :] + 1, self.room[:, layer - 1], 0.0)
            gone = _share_(have, moved, 2)
            self.room[:, layer - 1] -= moved
            self.used[:, layer - 1] += moved
            self.excess[:, layer - 1] += moved.sum(-2)
        self.excess[:, layer] -= gone
        have -= gone
        if layer < self.depth:
            up = own[:, None, :] == height[:, layer + 1, :, None] + 1
            if up.any():
                moved = np.where(up, self.used[:, layer], 0.0)  # [source, query above, key here]
                self.excess[:, layer] -= _share_(have, moved, 1)
                self.room[:, layer] += moved
                self.used[:, layer] -= moved
                self.excess[:, layer + 1] += moved.sum(-1)


def _lower(own: NDArray[np.int16], open_: NDArray[np.bool_], other: NDArray[np.int16], axis: int) -> None:
    """The distances of a layer's nodes by their open pipes to the nodes of a layer beside it."""
    nearest = np.where(open_, other, _FAR).min(axis)
    np.minimum(own, np.minimum(nearest, _FAR - 1) + 1, out=own)


def _share_(have: Wide, room: Wide, axis: int) -> Wide:
    """room [source, node, pipe] (or [source, pipe, node], by its axis of pipes) -> what goes through each, in place.

    Nodes push all that they have [source, node], as far as there is room, in shares. Returns what has gone.
    """
    total = room.sum(axis)
    share = np.divide(have, total, out=np.zeros_like(total), where=total > _NONE)
    np.minimum(share, 1.0, out=share)
    room *= np.expand_dims(share, axis)
    return total * share
