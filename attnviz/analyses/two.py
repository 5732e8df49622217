"""Two sources of attention, made comparable: two texts, models, layers or files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from attnviz.attention import Attention, joined
from attnviz.measures.align import NONE, align
from attnviz.models.source import affordable_rows, attend_rows, attend_some_rows
from attnviz.select import Chosen, evenly

if TYPE_CHECKING:
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model, Progress
    from attnviz.models.source import Choice

    Side = tuple[Model, ModelInput]

TIMES = 4  # times `models.source.SAMPLE_WEIGHTS`: 67 MB on either side


@dataclass(frozen=True, eq=False)
class TwoMaps:
    """Attention of equally many layers and heads on both sides. notes: changes that made them comparable."""

    first: Attention
    second: Attention
    notes: tuple[str, ...] = ()

    def joined(self, choice: Choice) -> TwoMaps:
        """Both sides in words, and without special tokens, as chosen."""
        first, second = (joined(side, choice.words, not choice.no_special) for side in (self.first, self.second))
        return replace(self, first=first, second=second)


def two_passes(first: Side, second: Side, choice: Choice, progress: Progress | None = None) -> TwoMaps:
    """Run two models or inputs and keep the same layers and heads; in long texts some rows, the same in both.

    progress: gets shares that sum to 2.
    """
    sizes = [(side.spec.n_layers, side.spec.n_heads) for _, side in (first, second)]
    n_layers, n_heads = map(min, zip(*sizes, strict=True))
    both = " and ".join(f"{layers} x {heads} heads" for layers, heads in sizes)
    some = f"the models have {both}: the first {n_layers} layers and {n_heads} heads of both are compared"
    at, queries = choice.among(n_layers, n_heads), (first[1].queries, second[1].queries)
    most = affordable_rows(at.count, max(len(first[1].keys), len(second[1].keys)), TIMES)
    rows: tuple[Sequence[int], Sequence[int]] = range(len(queries[0])), range(len(queries[1]))
    if max(map(len, rows)) > most:
        pairs = [pair for pair in align(*queries) if NONE not in pair]
        common = queries[0].take(i for i, _ in pairs)
        chosen = [pairs[place] for place in evenly(common, most, choice.words, not choice.no_special)]
        rows = [i for i, _ in chosen], [j for _, j in chosen]
    maps = [attend_rows(*side, at, places, progress) for side, places in zip((first, second), rows, strict=True)]
    return TwoMaps(maps[0], maps[1], (some,) if sizes[0] != sizes[1] else ()).joined(choice)


def two_layers(
    side: Side, layers: Sequence[int], layers_b: Sequence[int], choice: Choice, progress: Progress | None = None
) -> TwoMaps:
    """Layers of one pass against other layers, head by head; some rows of a long text. choice: names the heads."""
    heads = choice.among(side[1].spec.n_layers, side[1].spec.n_heads).heads
    at = Chosen(sorted({*layers, *layers_b}), heads)
    attention = attend_some_rows(*side, choice, progress, at=at, times=TIMES)
    return TwoMaps(attention.select(layers), attention.select(layers_b))
