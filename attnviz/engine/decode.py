"""Greedy decoding: the likeliest next token, again and again, each from a pass over the newest token alone.

A Cache holds the keys and values of earlier tokens. A pass computes scores for the rows of new tokens only, with the
arithmetic of every other pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.cache import Cache
from attnviz.engine.forward import run
from attnviz.engine.inputs import Inputs
from attnviz.engine.kernels import linear, softmax_
from attnviz.engine.observer import Collector
from attnviz.engine.ops import activate_, norm_of
from attnviz.engine.positions import same_turns
from attnviz.engine.spec import Spec, Transform, Unembed
from attnviz.engine.tensors import Matrix, Tensors, floats, matrix_of
from attnviz.engine.tile import Tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]


@dataclass(frozen=True)
class Choice:
    """Limits on the choice of the likeliest next token.

    stop: tokens that end the text. never: tokens that are not chosen; never_first: not as the first one.
    first: the first token, whatever is likely.
    """

    stop: Collection[int] = ()
    never: Sequence[int] = ()
    never_first: Sequence[int] = ()
    first: int | None = None


@dataclass(frozen=True, eq=False)
class Step:
    """One new token: its id, its probability, and for each stream the row that it was chosen from.

    rows: stream -> float32 [layer, head, key] over the keys so far, of the token before it; allowed: the same, bool
    [layer, key].
    """

    id: int
    probability: float
    rows: dict[str, Array]
    allowed: dict[str, NDArray[np.bool_]]


class Newest(Collector):
    """Keeps the last row alone: float32 [layer, head, key]."""

    def __init__(self, n_layers: int, n_heads: int, n_query: int, n_key: int) -> None:
        self._last = n_query
        self.weights = np.zeros((n_layers, n_heads, n_key), np.float32)
        self.allowed = np.zeros((n_layers, n_key), bool)

    def take(self, tile: Tile) -> None:
        if tile.rows.stop == self._last:
            heads, cols = slice(tile.heads.start, tile.heads.stop), slice(tile.cols.start, tile.cols.stop)
            self.weights[tile.layer, heads, cols] = tile.weights[:, -1]
            self.allowed[tile.layer, cols] = tile.attending_any[-1]


class Vocabulary:
    """Scores for every token of a vocabulary, from a stack's output.

    table: [token, width]; bias: [token] or None; project: [width, d_model] or None. transformed: the steps of a
    masked-language head before its table, [n, d_model] -> [n, width]; None for a linear head.
    """

    def __init__(
        self,
        how: Unembed,
        table: Array | Matrix,
        bias: Array | None = None,
        project: Array | Matrix | None = None,
        transformed: Callable[[Array], Array] | None = None,
    ) -> None:
        self.how, self.table, self.bias, self.project, self.transformed = how, table, bias, project, transformed

    @classmethod
    def of(cls, how: Unembed, spec: Spec, tensors: Tensors) -> Vocabulary:
        """As a checkpoint stores it."""
        table = matrix_of(tensors, "unembed.weight", (-1, spec.d_embed if how.transform is None else -1))
        bias = tensors.get("unembed.bias", (table.shape[0],)) if tensors.has("unembed.bias") else None
        if how.transform is not None:
            return cls(how, table, bias, transformed=_transformed(how.transform, spec, tensors, table.shape[1]))
        project: Array | Matrix | None = None
        if spec.d_embed != spec.d_model:
            project = matrix_of(tensors, "unembed.project.weight", (spec.d_embed, spec.d_model))
        return cls(how, table, bias, project)

    def direction(self, id: int) -> tuple[NDArray[np.float64], float]:
        """The vector [d_model] whose product with a stack's output, plus the number, is a token's logit before softcap.

        For a linear head: transformed is None.
        """
        row = floats(self.table, slice(id, id + 1))[0].astype(np.float64) * self.how.scale
        vector = row if self.project is None else row @ floats(self.project).astype(np.float64)
        return vector, 0.0 if self.bias is None else float(self.bias[id])

    def scores(self, x: Array) -> Array:
        """x [d_model] or [n, d_model], after the final norm -> a score for each token, [token] or [n, token]."""
        rows = x.reshape(-1, x.shape[-1])
        if self.transformed is not None:
            rows = self.transformed(rows)
        elif self.project is not None:
            rows = linear(rows, self.project)
        scores = linear(rows * np.float32(self.how.scale), self.table, self.bias).reshape(*x.shape[:-1], -1)
        if self.how.softcap:
            cap = np.float32(self.how.softcap)
            scores = np.tanh(scores / cap) * cap
        return scores


def _transformed(transform: Transform, spec: Spec, tensors: Tensors, width: int) -> Callable[[Array], Array]:
    """The steps of a masked-language head before its table: norm(act(dense(x))), [n, d_model] -> [n, width]."""
    weight = matrix_of(tensors, "unembed.dense.weight", (width, spec.d_model))
    bias = tensors.get("unembed.dense.bias", (width,)) if tensors.has("unembed.dense.bias") else None

    def transformed(x: Array) -> Array:
        y = activate_(transform.activation, linear(x, weight, bias))
        return norm_of(transform.norm, tensors, "unembed.norm", y)

    return transformed


def why_not(spec: Spec) -> str:
    """The reason why a stack cannot continue a text; "" if it can."""
    if not spec.causal:
        return "its tokens attend to later tokens"
    if any(variant is not None for variant in spec.variant):
        return "its weights are computed from a whole text at once"
    whole = (spec.blocks, spec.relative, spec.positional_convolution, spec.convolution_after_first or None)
    if any(part is not None for part in whole) or spec.global_tokens:
        return "its vectors of a text change with the tokens that follow"
    return ""


def greedy(
    spec: Spec,
    tensors: Tensors,
    read: Callable[[Sequence[int], int], Inputs],
    vocabulary: Vocabulary,
    ids: Sequence[int],
    most: int,
    choice: Choice,
    *,
    stream: str = "self",
    memory: Array | None = None,
) -> Iterator[Step]:
    """New tokens one by one, at most so many, the one that ends the text among them.

    ids: the text so far, at least one token. read: makes a stack's input of ids and the place of the first of them.
    stream, memory: as for `run`.
    """
    cache, text, seen = Cache(), list(ids), 0
    streams = (stream, "cross") if spec.cross and memory is not None else (stream,)
    for place in range(most):
        if seen and not all(turn is None or same_turns(turn, seen, len(text)) for turn in set(spec.rotary)):
            cache.forget_text()
            seen = 0
        new = text[seen:]
        keys = {stream: len(text), "cross": 0 if memory is None else len(memory)}
        newest = {s: Newest(spec.n_layers, spec.n_heads, len(new), keys[s]) for s in streams}
        collectors = {s: [one] for s, one in newest.items()}
        x = run(
            spec, tensors, read(new, seen), collectors, stream=stream, memory=memory, whole=True, cache=cache
        )  # fmt: skip
        assert x is not None
        seen = len(text)
        chosen, probability = _chosen(vocabulary.scores(x[-1]), choice, place)
        text.append(chosen)
        yield Step(
            chosen,
            probability,
            {s: one.weights for s, one in newest.items()},
            {s: one.allowed for s, one in newest.items()},
        )
        if chosen in choice.stop:
            return


def _chosen(scores: Array, choice: Choice, place: int) -> tuple[int, float]:
    """The likeliest token that may be chosen, and its probability among all tokens that may be chosen."""
    never = [*choice.never, *(choice.never_first if place == 0 else ())]
    scores[[i for i in never if i < len(scores)]] = -np.inf
    at = choice.first if place == 0 and choice.first is not None else int(scores.argmax())
    return at, float(softmax_(scores[None])[0, at])
