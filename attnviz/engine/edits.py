"""Changes to a pass, to see what depends on a head or on a link.

An Edit is asked twice in every layer: which links are cut, before the softmax, and what the heads' outputs are, before
W_O. A link that is cut has the score -inf, so that the row's other keys share its weight (attention knockout, Geva
2023, "Dissecting recall of factual associations", section 3). A head that is removed adds zeros to the sum over heads,
or the same vector at every position (zero and mean ablation, Michel 2019, "Are sixteen heads really better than one?",
section 2.3).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Place = tuple[int, int]


class Edit:
    """A change to a pass; this one changes nothing. Layers, heads, rows and columns are true indices."""

    cuts = False  # whether any link is cut

    def cut(self, stream: str, layer: int, heads: range, rows: range, cols: range) -> NDArray[np.bool_] | None:
        """Links that are cut: bool [1 or head, row, col], or None for none."""
        return None

    def replace_(self, stream: str, layer: int, outputs: Array) -> None:
        """Change the outputs of the heads, [..., n, n_heads, d_value], in place."""


@dataclass(frozen=True)
class HeadsRemoved(Edit):
    """Some heads add nothing that depends on the position.

    each: (layer, head) of the heads that are removed; one collection, or one for each text of a pass of several.
    mean: a removed head gives its mean over the text's positions instead of zeros.
    """

    each: Sequence[Collection[Place]]
    stream: str = "self"
    mean: bool = False

    def replace_(self, stream: str, layer: int, outputs: Array) -> None:
        if stream != self.stream:
            return
        texts = outputs if outputs.ndim == 4 else outputs[None]
        for text, places in zip(texts, self.each, strict=True):
            heads = sorted(head for at, head in places if at == layer)
            if heads:
                text[:, heads] = text[:, heads].mean(0, dtype=np.float64) if self.mean else 0.0


@dataclass(frozen=True)
class LinksCut(Edit):
    """No weight from some queries to some keys.

    queries, keys: positions; a query keeps its links to all other keys. heads: layer -> the heads in which the links
    are cut; None for all heads of all layers.
    """

    queries: frozenset[int]
    keys: frozenset[int]
    stream: str = "self"
    heads: Mapping[int, frozenset[int]] | None = None
    cuts = True

    def cut(self, stream: str, layer: int, heads: range, rows: range, cols: range) -> NDArray[np.bool_] | None:
        chosen = frozenset(heads) if self.heads is None else self.heads.get(layer, frozenset()) & frozenset(heads)
        at_rows = [row - rows.start for row in self.queries if row in rows]
        at_cols = [col - cols.start for col in self.keys if col in cols]
        if stream != self.stream or not (chosen and at_rows and at_cols):
            return None
        links = np.zeros((len(rows), len(cols)), bool)
        links[np.ix_(at_rows, at_cols)] = True
        if len(chosen) == len(heads):
            return links[None]
        cut: NDArray[np.bool_] = links & np.array([head in chosen for head in heads])[:, None, None]
        return cut
