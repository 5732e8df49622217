"""Several texts of one length in one pass: many short texts, one after the other, leave a machine idle.

Every array has an axis of texts in front. Each matrix product is one per text, of the same size as if the text were
alone, so that its numbers are the same; what is saved is reading every weight again for each text. Where the last
digits do not matter, all texts are one product, which saves as much again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from attnviz.engine.forward import run
from attnviz.engine.inputs import Inputs
from attnviz.engine.kernels import one_product
from attnviz.engine.observer import Collector, Need
from attnviz.engine.spec import Buckets, Segmental, Spec
from attnviz.engine.tensors import Tensors
from attnviz.engine.tiles import WHOLE_LAYER, hand_over, takers
from attnviz.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnviz.engine.tile import Tile

    Array = NDArray[np.float32]


def together(spec: Spec) -> bool:
    """Whether texts of one length can pass through a stack together.

    Not where positions, masks or weights depend on a text's own tokens, and not images or sound, whose inputs are large
    enough alone.
    """
    apart = (
        spec.patches is not None
        or spec.convolutions is not None
        or spec.global_tokens
        or spec.blocks is not None
        or spec.convolution_after_first
        or isinstance(spec.relative, Segmental)
        or (isinstance(spec.bias, Buckets) and spec.bias.gated)
        or any(variant is not None for variant in spec.variant)
    )
    return not apart


def run_texts(
    spec: Spec,
    tensors: Tensors,
    texts: Sequence[Inputs],
    collectors: Sequence[Sequence[Collector]],
    *,
    stream: str = "self",
    progress: Callable[[float], None] | None = None,
    exact: bool = True,
) -> None:
    """Show the attention of several texts of one length to collectors, bit for bit as `run` does with each text alone.

    As many texts pass at once as fill a tile with one layer of all their heads.

    Args:
        collectors: the collectors of each text, which see their text alone. All texts have the same kinds of
            collectors, in one order, which want the same layers and heads and need neither vectors nor after_attention.
        progress: called with shares of the work as they are done; they sum to 1.
        exact: if False, each weight multiplies the rows of all texts in one product (`kernels.one_product`): the last
            digits then differ from the numbers of the text alone.

    Raises:
        InputError: a collector needs more than tiles, or the texts differ in length.
    """
    if any(each.needs & _ALONE for several in collectors for each in several):
        raise InputError("the vectors of a text are seen when it passes alone", "send one text at a time")
    lengths = {len(text.ids) if text.ids is not None else len(text.words) for text in texts}
    if len(lengths) != 1 or len(collectors) != len(texts):
        wanted = f"texts of one length with collectors for each; got {len(texts)} texts of lengths {sorted(lengths)}"
        raise InputError(f"run_texts wants {wanted} and {len(collectors)} lists of collectors")
    n = lengths.pop()
    at_once = max(1, WHOLE_LAYER // (spec.n_heads * n * n)) if together(spec) else 1
    for start in range(0, len(texts), at_once):
        some = slice(start, start + at_once)
        count = len(texts[some])
        share = None if progress is None else lambda part, count=count: progress(part * count / len(texts))
        if count == 1:
            run(spec, tensors, texts[start], {stream: collectors[start]}, stream=stream, progress=share)
        else:
            watching = {stream: [EachText(several) for several in zip(*collectors[some], strict=True)]}
            with nullcontext() if exact else one_product():
                run(spec, tensors, texts[some], watching, stream=stream, progress=share)


_ALONE: frozenset[Need] = frozenset({"vectors", "after_attention"})


class EachText(Collector):
    """Hands each text's part of a tile to that text's own collector."""

    def __init__(self, collectors: Sequence[Collector]) -> None:
        self.collectors = collectors
        self.needs: frozenset[Need] = frozenset().union(*(each.needs for each in collectors)) - {"room"}

    def wants(self, layer: int, head: int) -> bool:
        return any(each.wants(layer, head) for each in self.collectors)

    def take(self, tile: Tile) -> None:
        for text, collector in zip(tile.texts(), self.collectors, strict=True):
            hand_over(text, takers(tile.layer, tile.heads, [collector]))
