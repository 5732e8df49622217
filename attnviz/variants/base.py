"""The input of an attention variant, and attention in groups of queries and keys.

Most mechanisms are a softmax over fewer keys. Each states its groups: some queries, the keys that they share, the
hidden pairs, and perhaps a factor. From the same groups come the matrix for a picture and the output at its true cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from attnviz.engine.kernels import softmax_
from attnviz.engine.masks import Mask
from attnviz.errors import SelectionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Bools = NDArray[np.bool_]
    Ints = NDArray[np.intp]
    # Standard normal numbers of a shape, always the same for a name.
    Draw = Callable[[str, tuple[int, ...]], Array]

ROWS = 128  # queries worked on at a time where a mechanism goes through a text in bands
MOST = 1 << 28  # weights of all heads that one layer may hold: 1 GB


@dataclass(frozen=True, eq=False)
class VariantInput:
    """The input of a mechanism in one layer: q [head, query, d_head], k [head, key, d_head].

    scale: the model's factor of q . k. causal: whether queries see no later key.
    """

    layer: int
    q: Array
    k: Array
    scale: float
    causal: bool

    @property
    def n_heads(self) -> int:
        return self.q.shape[0]

    @property
    def n_query(self) -> int:
        return self.q.shape[1]

    @property
    def n_key(self) -> int:
        return self.k.shape[1]

    @property
    def d_head(self) -> int:
        return self.q.shape[2]


class Variant(Protocol):
    """A mechanism that the engine's tiles do not know."""

    def weights(self, inputs: VariantInput) -> tuple[Array, Bools | None]:
        """The matrix it implies [head, query, key]; where attending is allowed, as that or [query, key], None: all."""

    def output(self, inputs: VariantInput, v: Array) -> Array:
        """weights @ v [head, query, d_head], at the cost that the mechanism has."""


@dataclass(frozen=True)
class VariantFunction:
    """A Variant as the engine calls it, its size checked first. See `AttentionFunction` in engine/spec.py."""

    kind: Variant

    def __call__(self, layer: int, q: Array, k: Array, scale: float, causal: bool) -> tuple[Array, Bools | None]:
        if q.shape[0] * q.shape[1] * k.shape[1] > MOST:
            most = int((MOST / q.shape[0]) ** 0.5)
            raise SelectionError(
                f"{q.shape[1]} x {k.shape[1]} tokens are too many: a mechanism is held as a whole, up to {most} tokens"
            )
        return self.kind.weights(VariantInput(layer, q, k, scale, causal))


class Group(NamedTuple):
    """Queries that share their keys: indices rows [r] and cols [c].

    hidden: bool [r, c], True where not allowed. plus: added to the scores. times: multiplied onto the weights.
    """

    rows: Ints
    cols: Ints
    hidden: Bools | None = None
    plus: Array | None = None
    times: Array | None = None


class Grouped:
    """A softmax over q . k within groups; every query is in exactly one."""

    def groups(self, inputs: VariantInput, head: int) -> Iterator[Group]:
        """The groups of one head."""
        raise NotImplementedError

    def weights(self, inputs: VariantInput) -> tuple[Array, Bools | None]:
        shape = (inputs.n_heads, inputs.n_query, inputs.n_key)
        weights, allowed = np.zeros(shape, np.float32), np.zeros(shape, bool)
        for head in range(inputs.n_heads):
            for group in self.groups(inputs, head):
                at = (head, group.rows[:, None], group.cols)
                weights[at] = _shares(inputs, head, group)
                allowed[at] = True if group.hidden is None else ~group.hidden
        return weights, None if allowed.all() else allowed

    def output(self, inputs: VariantInput, v: Array) -> Array:
        out = np.empty((*inputs.q.shape[:2], v.shape[-1]), np.float32)
        for head in range(inputs.n_heads):
            for group in self.groups(inputs, head):
                out[head, group.rows] = _shares(inputs, head, group) @ v[head, group.cols]
        return out


def _shares(inputs: VariantInput, head: int, group: Group) -> Array:
    scores = (inputs.q[head, group.rows] * np.float32(inputs.scale)) @ inputs.k[head, group.cols].T
    if group.plus is not None:
        scores += group.plus
    weights = softmax_(scores, group.hidden)
    return weights if group.times is None else weights * group.times


def bands(mask: Mask, rows: int = ROWS) -> Iterator[tuple[range, range, Bools | None]]:
    """A mask in bands of `rows` queries: the queries, the keys that they can reach, which of them are hidden."""
    for start in range(0, mask.n_query, rows):
        band = range(start, min(start + rows, mask.n_query))
        cols = mask.reachable(band)
        hides = mask.hidden(band, cols)
        yield band, cols, None if hides is None else hides[0]


def places(of: range) -> Ints:
    """A range as indices."""
    return np.arange(of.start, of.stop)


def future(inputs: VariantInput) -> Bools | None:
    """The keys that a causal model hides, bool [query, key]; None where it sees both ways."""
    if not inputs.causal:
        return None
    hides = Mask(inputs.n_query, inputs.n_key, causal=True).hidden(range(inputs.n_query), range(inputs.n_key))
    return None if hides is None else hides[0]
