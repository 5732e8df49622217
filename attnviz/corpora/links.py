"""The strongest links of each head over all texts: the weights that stand out most, by their lift.

The lift of a weight is how much more the query gives this key than the other queries do (measures/lift.py).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.engine.observer import Collector
from attnviz.measures.lift import lift

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.axis import Tokens
    from attnviz.engine.tile import Tile

MOST_TOKENS = 2048  # of a text whose links are looked for: one head's map is held, 32 MB with its lifts
LETTERS = 40  # of a token's text


@dataclass(frozen=True, eq=False)
class TopLinks:
    """The strongest links of each head, strongest first, all [layer, head, link].

    text: the text's number, -1 where there are fewer links. lift, weight; query, key: positions; query_token,
    key_token: their texts.
    """

    text: NDArray[np.int64]
    lift: NDArray[np.float32]
    weight: NDArray[np.float32]
    query: NDArray[np.int64]
    key: NDArray[np.int64]
    query_token: NDArray[np.str_]
    key_token: NDArray[np.str_]

    def merge(self, other: TopLinks) -> TopLinks:
        """The strongest of both; of equal links the one of the earlier text, query and key."""
        most = max(self.lift.shape[-1], other.lift.shape[-1])
        both: dict[str, NDArray[Any]] = {
            each.name: np.concatenate([getattr(self, each.name), getattr(other, each.name)], -1)
            for each in fields(self)
        }
        order = np.lexsort((both["key"], both["query"], both["text"], -both["lift"]), axis=-1)[..., :most]
        return TopLinks(**{name: np.take_along_axis(values, order, -1) for name, values in both.items()})


def no_links(n_layers: int, n_heads: int, count: int) -> TopLinks:
    """As many empty places."""
    empty: dict[str, Any] = {"lift": np.float32(-np.inf), "weight": np.float32(0)}
    empty |= dict.fromkeys(("query_token", "key_token"), np.array("", f"<U{LETTERS}"))
    shape = (n_layers, n_heads, count)
    return TopLinks(*(np.full(shape, empty.get(each.name, np.int64(-1))) for each in fields(TopLinks)))


class LinksOfText(Collector):
    """A collector of one text's strongest links per head, special tokens left out.

    Args:
        count: how many links of each head. text: the text's number. queries, keys: its tokens.
        so_far: the links of other texts, which a link must reach to be kept.
    """

    def __init__(
        self,
        n_layers: int,
        n_heads: int,
        count: int,
        text: int,
        queries: Tokens,
        keys: Tokens,
        so_far: TopLinks | None = None,
    ) -> None:
        self.links = no_links(n_layers, n_heads, count)
        self._least = self.links.lift[..., -1] if so_far is None else so_far.lift[..., -1]
        self._text, self._queries, self._keys = text, queries, keys
        self._rows = np.flatnonzero(~np.array(queries.special, bool))
        self._cols = np.flatnonzero(~np.array(keys.special, bool))
        self._few = max(len(queries), len(keys)) <= MOST_TOKENS and len(self._rows) and len(self._cols)
        self._open: dict[tuple[int, int], tuple[NDArray[np.float32], NDArray[np.bool_]]] = {}

    def take(self, tile: Tile) -> None:
        if not self._few:
            return
        shape = (len(self._queries), len(self._keys))
        if tile.weights.shape[1:] == shape:
            self._keep(tile.layer, tile.heads, tile.weights, tile.allowed)
            return
        rows, cols = slice(tile.rows.start, tile.rows.stop), slice(tile.cols.start, tile.cols.stop)
        for place, head in enumerate(tile.heads):
            at = (tile.layer, head)
            weights, allowed = self._open.setdefault(at, (np.zeros(shape, np.float32), np.zeros(shape, bool)))
            weights[rows, cols], allowed[rows, cols] = tile.weights[place], tile.attending(place)
            if tile.rows.stop == shape[0]:  # tiles of one head come in row order
                self._keep(tile.layer, range(head, head + 1), weights[None], allowed[None])
                del self._open[at]

    def _keep(self, layer: int, heads: range, weights: NDArray[np.float32], allowed: NDArray[np.bool_]) -> None:
        """weights [head, query, key], allowed [1 or head, query, key], whole."""
        choice = allowed & (allowed.sum(-1, keepdims=True) > 1)
        inside = np.ix_(np.arange(len(weights)), self._rows, self._cols)
        rank = lift(weights, allowed)[inside].astype(np.float32)
        if not choice.all():
            rank[~np.broadcast_to(choice, weights.shape)[inside]] = -np.inf
        rank = rank.reshape(len(heads), -1)
        least = self._least[layer, heads.start : heads.stop, None]
        for place in np.flatnonzero((rank >= np.maximum(least, np.float32(-2))).any(-1)):
            self._keep_head(layer, heads[place], rank[place], float(least[place, 0]), weights[place])

    def _keep_head(self, layer: int, head: int, rank: NDArray[np.float32], least: float, map: Any) -> None:
        """rank: of the tokens that are not special, [query * key], -inf for what is no link."""
        places = np.flatnonzero(rank >= max(least, -2.0))
        places = places[np.argsort(-rank[places], kind="stable")][: self.links.lift.shape[-1]]
        row, col = np.divmod(places, len(self._cols))
        query, key = self._rows[row], self._cols[col]
        at, links = (layer, head, slice(0, len(places))), self.links
        links.text[at], links.lift[at], links.weight[at] = self._text, rank[places], map[query, key]
        links.query[at], links.key[at] = query, key
        links.query_token[at] = [self._queries.text[i] for i in query]
        links.key_token[at] = [self._keys.text[j] for j in key]
