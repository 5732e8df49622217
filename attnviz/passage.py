"""Passage: attention that passes by, tile after tile, as often as asked, made by a model or there already.

    passage = attnviz.passage.of_model(model, model.prepare("The cat sat on the mat"))
    attnviz.heads.statistics(passage)

So an analysis is written once, and a long text costs time, not memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.attention import Attention, Tokens
from attnviz.engine.collectors import Dense
from attnviz.engine.pairs import OfPairs
from attnviz.errors import InputError
from attnviz.measures.parts import Only, parts
from attnviz.select import Chosen, chosen_heads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from attnviz.models.inputs import Given
    from attnviz.models.model import Model, Progress


@dataclass(frozen=True, eq=False)
class Passage:
    """Attention that can be observed, and what is known of it beside its weights.

    queries, keys: the tokens of both axes. layers, heads: true indices of those asked for; where they were averaged,
    all that went in. places: (layer, head) of each map. size: (layers, heads) that a collector must have room for;
    `pick` takes those at the layers and heads of `at` out of its [layer, head, ...]. reduced, meta, pairs: as of an
    Attention. Where there are pairs, `at` has the layer and the head of each.
    """

    model: str
    stream: str
    queries: Tokens
    keys: Tokens
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    places: tuple[tuple[int | None, int | None], ...]
    size: tuple[int, int]
    run: Callable[[Sequence[Any], Progress | None], None]
    at: tuple[tuple[int, ...], tuple[int, ...]]
    reduced: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    pairs: tuple[tuple[int, int], ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """(layers, heads) of what `pick` gives; (1, pairs) of pairs."""
        return (1, len(self.at[0])) if self.pairs else (len(self.at[0]), len(self.at[1]))

    @property
    def ordered(self) -> bool:
        """Whether queries and keys are the same tokens in one order, so that distance and neighbours mean something."""
        return self.stream != "cross" and len(self.queries) == len(self.keys)

    @property
    def named(self) -> list[tuple[tuple[int, int], tuple[int | None, int | None]]]:
        """Each map's position in what `pick` gives, and its (layer, head)."""
        return list(zip(np.ndindex(self.shape), self.places, strict=True))

    @property
    def positions(self) -> list[tuple[int, int]]:
        """Where a collector keeps each map, (layer, head), in the order of `places`."""
        return list(zip(*self.at, strict=True)) if self.pairs else list(product(*self.at))

    def observe(self, collectors: Sequence[Any], progress: Progress | None = None) -> None:
        """Let everything pass by these collectors once; `progress` gets shares that sum to 1."""
        self.run(collectors, progress)

    def pick(self, values: NDArray[Any]) -> NDArray[Any]:
        """[layer, head, ...] of a collector -> those asked for; of pairs [1, pair, ...]."""
        return values[tuple(map(list, self.at))][None] if self.pairs else values[np.ix_(*self.at)]


def of(source: Attention | Passage) -> Passage:
    """A Passage of either."""
    return of_attention(source) if isinstance(source, Attention) else source


def of_attention(attention: Attention) -> Passage:
    """Attention that is there. Raises InputError if it was pooled: cells are no tokens."""
    if attention.cell > 1:
        raise InputError("cells of pooled attention are no tokens", "analyse the attention that was not pooled")
    n_layers, n_heads = attention.weights.shape[:2]
    size = (n_heads, 1) if attention.pairs else (n_layers, n_heads)  # each pair passes like a layer of one head

    def run(collectors: Sequence[Any], progress: Progress | None) -> None:
        for part in parts(attention):
            for collector in collectors:
                collector.take(part)
        if progress is not None:
            progress(1.0)

    return Passage(
        attention.model,
        attention.stream,
        attention.queries,
        attention.keys,
        attention.layers,
        attention.heads,
        attention.places,
        size,
        run,
        (tuple(range(size[0])), (0,) * n_heads if attention.pairs else tuple(range(n_heads))),
        attention.reduced,
        attention.meta,
        attention.pairs,
    )


def of_model(
    model: Model,
    given: Given,
    layers: Sequence[int] | None = None,
    heads: Sequence[Any] | str | None = None,
    special: bool = True,
) -> Passage:
    """What a model makes of an input (see `Model.prepare`); computed afresh each time that it is observed.

    Args:
        layers, heads: as for `Model.attend`; all by default. Layers above the last one are never read.
        special: whether the rows and columns of special tokens take part.

    Raises:
        InputError: nothing but special tokens, and they are to be left out.
    """
    spec = given.spec
    chosen = chosen_heads(layers, heads, spec.n_layers, spec.n_heads)
    at_layers, at_heads = tuple(chosen.layers), tuple(chosen.heads)
    places = chosen.pairs or tuple(product(at_layers, at_heads))
    at = (tuple(i for i, _ in places), tuple(j for _, j in places)) if chosen.pairs else (at_layers, at_heads)
    kept = [np.array([special or not one for one in axis.special], bool) for axis in (given.queries, given.keys)]
    if not all(one.any() for one in kept):
        raise InputError("only special tokens: nothing is left without them")
    queries, keys = (
        axis.take(np.flatnonzero(one)) for axis, one in zip((given.queries, given.keys), kept, strict=True)
    )

    def run(collectors: Sequence[Any], progress: Progress | None) -> None:
        model.observe(given, [Only(one, at_layers, *kept) for one in collectors], progress)

    left_out = len(queries) < len(given.queries) or len(keys) < len(given.keys)
    return Passage(
        model.name,
        given.stream,
        queries,
        keys,
        at_layers,
        at_heads,
        places,
        (spec.n_layers, spec.n_heads),
        run,
        at,
        "special tokens left out" if left_out else "",
        given.meta,
        chosen.pairs,
    )


def held(model: Model, given: Given, at: Chosen, progress: Progress | None = None) -> Attention:
    """The maps themselves, as `Model.attend` gives them, for what cannot be told from tiles."""

    def kept(layers: list[int], heads: list[int]) -> Dense:
        return Dense(layers, heads, range(len(given.queries)), range(len(given.keys)))

    keep = OfPairs(at.pairs, kept) if at.pairs else kept(at.layers, at.heads)
    model.observe(given, keep.each if isinstance(keep, OfPairs) else [keep], progress)
    return Attention(
        weights=keep.result(),
        mask=keep.mask,
        queries=given.queries,
        keys=given.keys,
        layers=tuple(at.layers),
        heads=tuple(at.heads),
        stream=given.stream,
        model=model.name,
        grid=given.grid,
        meta=dict(given.meta),
        pairs=at.pairs,
    )
