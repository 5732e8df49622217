"""Every head of a model on one input, for a page: its maps, and what the page shows beside them.

Maps are whole while they fit. The maps of a long text are pooled to cells as they are computed, and its strongest
links are kept exactly, in the same pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.attention import Attention
from attnviz.engine.collectors import ChosenHeads, HeadMaps, Pooled
from attnviz.errors import InputError, SelectionError
from attnviz.measures.overview import Overview, StrongestLinks
from attnviz.measures.steps_facts import Facts
from attnviz.models.source import Narrowed
from attnviz.page.parts import Details, Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.spec import Spec
    from attnviz.engine.tile import Tile
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model
    from attnviz.select import Chosen

    Progress = Callable[[float], None]
    Array = NDArray[np.float32]

WHOLE = 40_000_000  # weights of all maps together up to which they are whole: 12 x 12 heads of 512 tokens
SHORT, MOST = 512, 130_000_000  # tokens up to which maps are whole while their weights are no more than MOST
LINKS = 100  # strongest links of each head of a long text
NUMBERS = 16_000_000  # of queries and keys together: 32 MB before they are deflated


@dataclass(frozen=True)
class Wish:
    """Wishes for the maps. cells: at most this many a side; None: as many as fit; 0: whole maps.

    pool: what a cell keeps, max or mean. rows, cols: only these queries or keys. own_heads: as for `Model.attend`.
    vectors: queries and keys of every head, too.
    """

    cells: int | None = None
    pool: str = "max"
    rows: tuple[int, int] | None = None
    cols: tuple[int, int] | None = None
    own_heads: bool = False
    vectors: bool = False


def every_head(
    model: Model, inputs: Mapping[str, Any], stream: str, at: Chosen, wish: Wish, progress: Progress | None = None
) -> tuple[Attention, Details]:
    """The attention of a stream, pooled where it is too much, and what is known beside its maps.

    Args:
        inputs: arguments of `Model.prepare` without the stream. at: which layers and heads.
        progress: called with shares of the work, which sum to 1.

    Raises:
        InputError: queries and keys are asked for where scores are no product of them, or where they are too many.
    """
    model_input = model.prepare(**inputs, stream=stream)
    cells = wish.cells
    if cells is None and wish.rows is None and wish.cols is None:
        cells = _fitting(at.count, len(model_input.queries), len(model_input.keys))
    if wish.vectors:
        check_vectors(model, model_input, at, wish.own_heads)
    mean = model_input.spec.mean_of_heads and stream != "cross" and not wish.own_heads
    if cells and not mean and max(len(model_input.queries), len(model_input.keys)) > cells:
        if wish.vectors:
            raise InputError("--neuron needs maps of single tokens; this text is too long for that", "choose heads: -H")
        return _pooled(model, model_input, at, cells, wish.pool, progress)
    half = 0.5 if wish.vectors else 1.0
    attention = model.attend(
        **inputs,
        stream=stream,
        layers=at.beside,
        heads=at.asked,
        cells=cells or None,
        pool=wish.pool,
        rows=wish.rows,
        cols=wish.cols,
        own_heads=wish.own_heads,
        progress=_part(progress, half),
    )
    vectors = _vectors(model, model_input, at, _part(progress, half)) if wish.vectors else None
    return attention, Details(vectors=vectors)


def _fitting(n_maps: int, n_query: int, n_key: int) -> int:
    """The cells a side to which maps of this size are pooled; 0 for none."""
    weights = n_maps * n_query * n_key
    if weights <= WHOLE or (max(n_query, n_key) <= SHORT and weights <= MOST):
        return 0
    return max(32, min(SHORT, int((WHOLE / n_maps) ** 0.5)))


def _part(progress: Progress | None, part: float) -> Progress | None:
    return None if progress is None else lambda share: progress(share * part)


# Long texts


def _pooled(
    model: Model, model_input: ModelInput, at: Chosen, cells: int, pool: str, progress: Progress | None
) -> tuple[Attention, Details]:
    """Cells, the numbers of each head and its strongest links, in one pass."""
    queries, keys, spec = model_input.queries, model_input.keys, model_input.spec
    if model.mechanism is not None and model.mechanism.signed and pool == "max":
        raise SelectionError(f"weights of {model.mechanism.name} have signs: the largest says little", "--pool mean")
    cell = -(-max(len(queries), len(keys)) // cells)

    def kept(layers: Sequence[int], heads: Sequence[int]) -> Pooled:
        return Pooled(layers, heads, len(queries), len(keys), cell, pool)

    maps = HeadMaps(at.layers, at.heads, at.pairs, kept)
    numbers = Overview((spec.n_layers, spec.n_heads), queries, keys)
    links = StrongestLinks(at.layers, at.heads, _linked(keys.special), LINKS)
    every = [np.ones(len(axis), bool) for axis in (queries, keys)]
    beside = [Narrowed(collector, at.layers, every[0], every[1]) for collector in (*numbers.collectors, links)]
    model.observe(model_input, [*maps.each, *beside], progress)
    attention = model_input.attention(
        model.name,
        maps.result(),
        maps.mask,
        at.layers,
        at.heads,
        pairs=at.pairs,
        queries=queries.cells(cell),
        keys=keys.cells(cell),
        grid=None,
        cell=cell,
        reduced=f"{pool} over cells of {cell} x {cell} tokens",
    )
    places = _places(at)
    ordered = model_input.stream != "cross" and len(queries) == len(keys)
    signed = bool(model.mechanism is not None and model.mechanism.signed)
    return attention, Details(
        numbers=numbers.numbers(places, ordered, signed),
        tokens=(queries, keys),
        links=tuple(tuple(links.of(*place)) for place in places),
    )


def _linked(special: Sequence[bool]) -> NDArray[np.bool_]:
    """The keys of links: all but special tokens, or where there are none the first, on which heads rest."""
    linked = ~np.array(special, bool)
    if linked.all() and len(linked) > 1:
        linked[0] = False
    return linked if linked.any() else ~linked


def _places(at: Chosen) -> list[tuple[int, int]]:
    return list(at.pairs) if at.pairs else list(product(at.layers, at.heads))


# Queries and keys


class HeadVectors(ChosenHeads):
    """Keeps queries and keys as heads multiply them: after biases, norms and rotary positions.

    queries: float32 [query, d_head] by (layer, head); keys: float32 [key, d_head] by (layer, key-value head).
    """

    def __init__(self, at: Chosen, spec: Spec, n_query: int, n_key: int) -> None:
        super().__init__(at.layers, at.heads)
        self._wanted_places = frozenset(_places(at))
        self._group, self._shape = spec.n_heads // spec.n_kv_heads, (n_query, n_key)
        self.queries: dict[tuple[int, int], Array] = {}
        self.keys: dict[tuple[int, int], Array] = {}

    def wants(self, layer: int, head: int) -> bool:
        return (layer, head) in self._wanted_places

    def take(self, tile: Tile) -> None:
        assert tile.q is not None and tile.k is not None
        times = len(tile.heads) // len(tile.k)
        for place, head in enumerate(tile.heads):
            self._fill(self.queries, (tile.layer, head), tile.q[place], tile.rows, self._shape[0])
            self._fill(self.keys, (tile.layer, head // self._group), tile.k[place // times], tile.cols, self._shape[1])

    def _fill(
        self, kept: dict[tuple[int, int], Array], at: tuple[int, int], values: Array, tokens: range, count: int
    ) -> None:
        room = kept.get(at)
        if room is None:
            room = kept.setdefault(at, np.zeros((count, values.shape[-1]), np.float32))
        room[tokens.start : tokens.stop] = values

    def result(self, at: Chosen, scaling: Callable[[int], float], note: str) -> Vectors:
        """The vectors of the chosen maps. scaling: layer -> the factor of its scores."""
        places = _places(at)
        shared = list(dict.fromkeys((layer, head // self._group) for layer, head in places))
        return Vectors(
            queries=np.stack([self.queries[place] for place in places]),
            keys=np.stack([self.keys[place] for place in shared]),
            of=tuple(shared.index((layer, head // self._group)) for layer, head in places),
            scaling=tuple(scaling(layer) for layer, _ in places),
            note=note,
        )


def check_vectors(model: Model, model_input: ModelInput, at: Chosen, own_heads: bool) -> None:
    """Raise InputError where scores are no product of queries and keys, or where these are too many numbers."""
    spec = model_input.spec
    if any(spec.variant_of(layer) is not None for layer in at.layers):
        kind = "" if model.mechanism is None else f" ({model.mechanism.name})"
        raise InputError(f"--neuron: this attention{kind} has no scores q . k before a softmax", "leave it out")
    if spec.mean_of_heads and model_input.stream != "cross" and not own_heads:
        raise InputError("--neuron: every head shows the mean over all heads", "add --own-heads")
    shared = len({(layer, head * spec.n_kv_heads // spec.n_heads) for layer, head in _places(at)})
    numbers = (at.count * len(model_input.queries) + shared * len(model_input.keys)) * spec.d_head
    if numbers > NUMBERS:
        raise InputError(
            f"--neuron: queries and keys of {at.count} heads are {numbers / 1e6:.0f} million numbers, too many for a "
            "page",
            "choose heads, as in -l 3 or -H 3.1,5.11",
        )


def _vectors(model: Model, model_input: ModelInput, at: Chosen, progress: Progress | None) -> Vectors:
    vectors = HeadVectors(at, model_input.spec, len(model_input.queries), len(model_input.keys))
    model.observe(model_input, [vectors], progress)
    facts = [Facts.of(model.name, model_input, layer, 0, 0) for layer in at.layers]
    scaling = dict(zip(at.layers, (each.scale for each in facts), strict=True))
    return vectors.result(at, scaling.__getitem__, _added(facts[0], model_input))


def _added(facts: Facts, model_input: ModelInput) -> str:
    """Name the changes of a score between q . k times the scaling and the softmax; '' for nothing."""
    spec, said = facts.spec, []
    if facts.relative:
        said.append("a term for the distance of the two tokens is added before scaling")
    if facts.softcap:
        said.append(f"scores are squashed to ±{facts.softcap:g} by tanh")
    if facts.bias:
        said.append(
            "a bias for the distance of the two tokens is added"
            + (f": {facts.bias}" if facts.bias.startswith("the ") else " (ALiBi)")
        )
    if spec.sinks and model_input.stream != "cross":
        said.append("a learned score outside the text takes part in the softmax")
    if facts.blocks is not None:
        said.append("keys of the first block count more than once in the softmax (Zaheer 2020)")
    if model_input.global_tokens:
        said.append("rows of global tokens have queries and keys of their own, which are not shown")
    return "; ".join(said)
