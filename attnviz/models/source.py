"""AttentionSource: attention as a stream of tiles, from a model and an input or from an Attention, as often as asked.

    source = AttentionSource.of(model, model.prepare("The cat sat on the mat"))
    attnviz.stats(source)

An analysis written for tiles works for both, and a long text costs time instead of memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from attnviz.attention import Attention, joined
from attnviz.engine.collectors import Dense, HeadMaps, Rows
from attnviz.engine.observer import Collector, Need
from attnviz.engine.tile import Tile, all_allowed
from attnviz.errors import InputError
from attnviz.facts import SourceFacts, facts_of
from attnviz.select import chosen_heads, evenly

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.after_attention import AfterAttention
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model, Progress
    from attnviz.select import Chosen, HeadChoice, LayerChoice

TILE_WEIGHTS = 1 << 20  # weights of an Attention per tile
SAMPLE_WEIGHTS = 1 << 22  # weights of all heads together up to which every row is kept: 144 heads of 170 tokens
FEWEST_ROWS = 16  # of a long text


class Tiles(Protocol):
    """Where the tiles of a source come from. Picklable, so that another process can run it."""

    def run(self, collectors: Sequence[Collector], progress: Progress | None = None) -> None:
        """Hand every tile to all collectors; `progress` gets shares that sum to 1."""


@dataclass(frozen=True, eq=False)
class ModelTiles:
    """A model's attention on one input, computed afresh in each run.

    layers: the ones wanted; layers above the last of them are not computed. queries, keys: bool [token], True for the
    tokens that take part.
    """

    model: Model
    model_input: ModelInput
    layers: tuple[int, ...]
    queries: NDArray[np.bool_]
    keys: NDArray[np.bool_]

    def run(self, collectors: Sequence[Collector], progress: Progress | None = None) -> None:
        narrowed = [Narrowed(collector, self.layers, self.queries, self.keys) for collector in collectors]
        self.model.observe(self.model_input, narrowed, progress)


@dataclass(frozen=True, eq=False)
class ArrayTiles:
    """The maps of an Attention, some rows at a time; layers and heads are positions in it.

    An unknown mask is inferred from the weights. Each of several pairs comes as a layer with one head.
    """

    attention: Attention

    @property
    def size(self) -> tuple[int, int]:
        """(layers, heads) that a collector must have room for."""
        n_layers, n_heads = self.attention.weights.shape[:2]
        return (n_heads, 1) if self.attention.pairs else (n_layers, n_heads)

    def run(self, collectors: Sequence[Collector], progress: Progress | None = None) -> None:
        for tile in self:
            for collector in collectors:
                collector.take(tile)
        if progress is not None:
            progress(1.0)

    def __iter__(self) -> Iterator[Tile]:
        attention = self.attention
        n_query, n_key = attention.weights.shape[2:]
        step = max(1, TILE_WEIGHTS // max(n_key, 1))
        for layer, (maps, mask) in enumerate(attention.blocks(attention.effective_mask())):
            for start in range(0, n_query, step):
                rows = range(start, min(start + step, n_query))
                at = slice(rows.start, rows.stop)
                allowed = all_allowed(len(rows), n_key) if mask is None else mask[None, at]
                yield Tile(attention.stream, layer, range(len(maps)), rows, range(n_key), maps[:, at], allowed)


@dataclass(frozen=True, eq=False, kw_only=True)
class AttentionSource(SourceFacts):
    """Attention that can be observed as often as asked, with the facts that every result states.

    tiles: where its tiles come from. size: (layers, heads) that a collector must have room for. at: the positions of
    layers and of heads in such a collector that were asked for, which `pick` takes out; of pairs, the layer and the
    head of each.
    """

    tiles: Tiles
    size: tuple[int, int]
    at: tuple[tuple[int, ...], tuple[int, ...]]

    @classmethod
    def of(
        cls,
        subject: Model | Attention | AttentionSource,
        model_input: ModelInput | None = None,
        *,
        layers: LayerChoice = None,
        heads: HeadChoice = None,
        special: bool = True,
    ) -> AttentionSource:
        """The source of a model's attention on an input, or of an Attention; a source is returned as it is.

        Args:
            subject: a Model, together with `model_input` as `Model.prepare` gives it; or an Attention.
            layers, heads: of a model, as for `Model.attend`; all by default. Layers above the last one are never read.
            special: whether the rows and columns of special tokens take part.

        Raises:
            InputError: the Attention was pooled (cells are no tokens), or no token is left without the special ones.
            SelectionError: no such layer or head.
        """
        if isinstance(subject, AttentionSource):
            return subject
        if isinstance(subject, Attention):
            return _of_attention(subject if special else subject.without_special())
        if model_input is None:
            raise InputError(
                "a model's attention needs an input", "as in AttentionSource.of(model, model.prepare(text))"
            )
        return _of_model(subject, model_input, layers, heads, special)

    @property
    def facts(self) -> SourceFacts:
        """The facts alone: a small value that a result can keep."""
        return facts_of(self)

    @property
    def opened(self) -> tuple[Model, ModelInput] | None:
        """The model and its input, for analyses that need values or weights; None for an Attention."""
        return (self.tiles.model, self.tiles.model_input) if isinstance(self.tiles, ModelTiles) else None

    @property
    def positions(self) -> list[tuple[int, int]]:
        """Where a collector keeps each map, (layer, head), in the order of `places`."""
        return list(zip(*self.at, strict=True)) if self.pairs else list(product(*self.at))

    def observe(self, collectors: Sequence[Any], progress: Progress | None = None) -> None:
        """Hand every tile to these collectors once; `progress` gets shares that sum to 1."""
        self.tiles.run(collectors, progress)

    def pick(self, values: NDArray[Any]) -> NDArray[Any]:
        """[layer, head, ...] of a collector -> the maps asked for; of pairs [1, pair, ...]."""
        return values[tuple(map(list, self.at))][None] if self.pairs else values[np.ix_(*self.at)]

    def collect(self, collector: Any, progress: Progress | None = None) -> Any:
        """Observe once; the collector's result, each array in it [layer, head, ...] reduced to the maps asked for.

        collector: with `result()`, which gives an array, a dict of arrays or a named tuple of arrays.
        """
        self.observe([collector], progress)
        return self._picked(collector.result())

    def _picked(self, result: Any) -> Any:
        if isinstance(result, dict):
            return {name: self._picked(values) for name, values in result.items()}
        if isinstance(result, tuple):
            return type(result)(*map(self.pick, result))
        return self.pick(result)


def _of_attention(attention: Attention) -> AttentionSource:
    if attention.cell > 1:
        raise InputError("cells of pooled attention are no tokens", "analyse the attention that was not pooled")
    tiles = ArrayTiles(attention)
    n_layers, n_heads = tiles.size
    heads = (0,) * n_layers if attention.pairs else tuple(range(n_heads))
    return AttentionSource(
        **vars(facts_of(attention)), tiles=tiles, size=tiles.size, at=(tuple(range(n_layers)), heads)
    )


def _of_model(
    model: Model, model_input: ModelInput, layers: LayerChoice, heads: HeadChoice, special: bool
) -> AttentionSource:
    spec = model_input.spec
    chosen = chosen_heads(layers, heads, spec.n_layers, spec.n_heads)
    at_layers, at_heads = tuple(chosen.layers), tuple(chosen.heads)
    axes = model_input.queries, model_input.keys
    left = [np.array([special or not marked for marked in axis.special], bool) for axis in axes]
    if not all(axis.any() for axis in left):
        raise InputError("only special tokens: nothing is left without them")
    queries, keys = (axis.take(np.flatnonzero(which)) for axis, which in zip(axes, left, strict=True))
    return AttentionSource(
        model=model.name,
        stream=model_input.stream,
        queries=queries,
        keys=keys,
        layers=at_layers,
        heads=at_heads,
        places=chosen.pairs or tuple(product(at_layers, at_heads)),
        reduced="" if all(axis.all() for axis in left) else "special tokens left out",
        meta=model_input.meta,
        pairs=chosen.pairs,
        tiles=ModelTiles(model, model_input, at_layers, *left),
        size=(spec.n_layers, spec.n_heads),
        at=(tuple(i for i, _ in chosen.pairs), tuple(j for _, j in chosen.pairs))
        if chosen.pairs
        else (at_layers, at_heads),
    )


class Narrowed(Collector):
    """A collector that hands another one only some layers, queries and keys of each tile.

    The tokens that are left are counted afresh. layers: the ones handed over; queries, keys: bool, True for the tokens
    that are left. Raises InputError if tokens are missing and the collector asks for more than their tiles.
    """

    def __init__(
        self, collector: Any, layers: Collection[int], queries: NDArray[np.bool_], keys: NDArray[np.bool_]
    ) -> None:
        self._inner, self._layers = collector, frozenset(layers)
        self._left = queries, keys
        self._all = bool(queries.all() and keys.all())
        self.needs: frozenset[Need] = frozenset(collector.needs) - (set() if self._all else {"room"})
        if not self._all and self.needs & {"vectors", "after_attention"}:
            raise InputError("the vectors of all tokens are needed here", "keep the special tokens")
        # The number of tokens left before each token.
        self._before = [np.concatenate([[0], np.cumsum(axis)]) for axis in self._left]

    def wants(self, layer: int, head: int) -> bool:
        return layer in self._layers and bool(self._inner.wants(layer, head))

    def see(self, layer: int, name: str, values: NDArray[np.float32]) -> None:
        self._inner.see(layer, name, values)

    def after_attention(self, layer: int, block: AfterAttention) -> None:
        self._inner.after_attention(layer, block)

    def room(self, layer: int, heads: range, rows: range, cols: range) -> NDArray[np.float32] | None:
        return self._inner.room(layer, heads, rows, cols)

    def take(self, tile: Tile) -> None:
        if self._all:
            self._inner.take(tile)
            return
        (rows, at_rows), (cols, at_cols) = (
            self._places(axis, ends) for axis, ends in enumerate((tile.rows, tile.cols))
        )
        if len(rows) and len(cols):
            self._inner.take(tile.cut(rows, cols, at_rows, at_cols))

    def _places(self, axis: int, ends: range) -> tuple[range, NDArray[np.int64]]:
        """The new places of the tokens left of a run, and where in the run they stand."""
        before = self._before[axis]
        left = self._left[axis][ends.start : ends.stop]
        return range(int(before[ends.start]), int(before[ends.stop])), np.flatnonzero(left)


def affordable_rows(n_maps: int, n_key: int, times: int = 1) -> int:
    """The number of rows whose weights in all heads together are about `times * SAMPLE_WEIGHTS`.

    times: more than 1 for analyses that do not compare every two heads, which takes time by the square of their number.
    """
    return max(times * SAMPLE_WEIGHTS // max(n_maps * n_key, 1), FEWEST_ROWS)


def attend_rows(
    model: Model,
    model_input: ModelInput,
    at: Chosen,
    rows: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Attention:
    """The attention of some queries over all keys, in one pass that keeps nothing else.

    Args:
        model_input: from `Model.prepare`. at: which layers and heads.
        rows: positions among the queries, in rising order; None for all.

    Returns:
        An Attention whose queries are these rows; `reduced` says so where they are not all.
    """
    n_query, n_key = len(model_input.queries), len(model_input.keys)
    rows = range(n_query) if rows is None else rows
    every = len(rows) == n_query

    def make(layers: Sequence[int], heads: Sequence[int]) -> Dense | Rows:
        return Dense(layers, heads, range(n_query), range(n_key)) if every else Rows(layers, heads, rows, n_key)

    maps = HeadMaps(at.layers, at.heads, at.pairs, make)
    model.observe(model_input, maps.each, progress)
    others: dict[str, Any] = {"pairs": at.pairs}
    if not every:
        reduced = f"{len(rows)} of {n_query} queries, evenly spread"
        meta = {**model_input.meta, "sampled": np.asarray(rows).tolist()}
        others |= {"queries": model_input.queries.take(rows), "grid": None, "reduced": reduced, "meta": meta}
    return model_input.attention(model.name, maps.result(), maps.mask, at.layers, at.heads, **others)


class Choice(Protocol):
    """Which maps of a model are wanted, and of what: of words instead of tokens, without special tokens.

    among: (number of layers, number of heads) -> the layers and heads.
    """

    @property
    def words(self) -> bool: ...
    @property
    def no_special(self) -> bool: ...
    def among(self, n_layers: int, n_heads: int) -> Chosen: ...


def attend_some_rows(
    model: Model,
    model_input: ModelInput,
    choice: Choice,
    progress: Progress | None = None,
    *,
    at: Chosen | None = None,
    times: int = 1,
) -> Attention:
    """Whole maps; of a long text as many rows as can be afforded, spread evenly, and of words whole ones.

    at: instead of the layers and heads of the choice. times: as for `affordable_rows`.
    """
    at = at or choice.among(model_input.spec.n_layers, model_input.spec.n_heads)
    most = affordable_rows(at.count, len(model_input.keys), times)
    rows = evenly(model_input.queries, most, choice.words, not choice.no_special)
    return joined(attend_rows(model, model_input, at, rows, progress), choice.words, not choice.no_special)


MOST_WEIGHTS = 500_000_000  # held at once for words: two gigabytes


def attention_source(
    model: Model, model_input: ModelInput, choice: Choice, progress: Progress | None = None
) -> AttentionSource:
    """A model's attention on an input, as a stream of tiles; words are made of whole maps, which are held.

    Raises:
        InputError: maps of more than 500 million weights would have to be held.
    """
    at, special = choice.among(model_input.spec.n_layers, model_input.spec.n_heads), not choice.no_special
    if not choice.words:
        return AttentionSource.of(model, model_input, layers=at.beside, heads=at.asked, special=special)
    size = at.count * len(model_input.queries) * len(model_input.keys)
    if size > MOST_WEIGHTS:
        raise InputError(
            f"words are made of whole maps, which are {size * 4 / 1e9:.1f} GB for this text",
            "leave out --words, or choose fewer layers and heads",
        )
    return AttentionSource.of(joined(attend_rows(model, model_input, at, progress=progress), True, special))
