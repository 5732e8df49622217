"""Every head of one or several attentions, to be looked at one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnviz.page.parts.part import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.axis import Tokens
    from attnviz.measures.overview import HeadNumber

    ExactLink = tuple[int, int, float]


@dataclass(frozen=True, eq=False)
class Vectors:
    """Queries and keys as the heads multiply them: score = q . k * scaling.

    queries: float32 [map, query, d_head]. keys: float32 [key-value head, key, d_head]. of: the index into `keys` of
    each map. scaling: of each map. note: what the model adds to the scores before the softmax, '' for nothing.
    """

    queries: NDArray[np.float32]
    keys: NDArray[np.float32]
    of: tuple[int, ...]
    scaling: tuple[float, ...]
    note: str = ""


@dataclass(frozen=True, eq=False)
class Details:
    """Facts about one attention beside its maps.

    numbers: of each head; None: computed from the maps, unless they are pooled.
    tokens: (queries, keys) of pooled attention. links: (query, key, weight) of each map among these tokens, strongest
    first. picture: uint8 [row, column, 3], whose patches are the last keys. generated: index of the first key that the
    model generated.
    """

    numbers: tuple[HeadNumber, ...] | None = None
    tokens: tuple[Tokens, Tokens] | None = None
    links: tuple[tuple[ExactLink, ...], ...] | None = None
    picture: NDArray[np.uint8] | None = None
    generated: int | None = None
    vectors: Vectors | None = None


@dataclass(frozen=True, eq=False)
class Explorer(Part):
    """All heads of these attentions, for a page in a browser; paper and terminals show a `MapGrid`.

    names: what tells them apart, such as the streams of an encoder-decoder. compared: they are two sides of one
    comparison. details: of each attention, or () for none. start: where the reader starts, as `State` of
    web/types.d.ts names it.
    """

    attentions: tuple[Attention, ...]
    names: tuple[str, ...] = ()
    compared: bool = False
    details: tuple[Details, ...] = ()
    start: Mapping[str, Any] = field(default_factory=dict)
