"""The predictions of every layer, and what each part of a model adds to a token's logit.

The logit lens (Nostalgebraist 2020, "interpreting GPT: the logit lens") sends the residual stream after each layer
through the final norm and the output head, as if the layers above it were not there:

    lens_n = head(norm(x_n)),  x_0 the embeddings, x_n the residual stream after n blocks

Direct logit attribution (Elhage 2021, "A Mathematical Framework for Transformer Circuits", section "Residual stream"):
the last residual stream is the sum of what the embeddings, the heads and the MLPs wrote into it, and a linear head maps
each of these parts to a logit of its own, once the divisor of the final norm is held at its value in this pass:

    logit(t) = u_t . norm(x_0 + sum_parts o_p) + c_t = sum_parts g . o_p + biases,  g = C(w u_t) / s

w: the weight of the final norm. s: the standard deviation of the last stream, and C(v) = v - mean(v); for an RMS norm s
is the root mean square, and C(v) = v.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.engine.observer import Collector, Need
from attnviz.engine.ops import norm_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.decode import Vocabulary
    from attnviz.engine.spec import Norm, Spec
    from attnviz.engine.tensors import Tensors
    from attnviz.engine.tile import Tile

    Array = NDArray[np.float32]
    Vector = NDArray[np.float64]

AT_ONCE = 1 << 22  # scores of a vocabulary that are held at once: 16 MB
ROWS = 1024  # rows of W_O that are multiplied at once in float64


class Vectors(Collector):
    """Sees vectors, and no tiles."""

    needs: frozenset[Need] = frozenset({"vectors"})

    def wants(self, layer: int, head: int) -> bool:
        return False

    def take(self, tile: Tile) -> None:
        """No tiles are wanted."""


# The logit lens


class Lens(Vectors):
    """The likeliest tokens after each layer, at some positions; the residual stream itself is not kept.

    ids, logprobs: [n_layers + 1, position, top], the likeliest token first.
    """

    def __init__(
        self, spec: Spec, tensors: Tensors, vocabulary: Vocabulary, positions: Sequence[int], top: int
    ) -> None:
        self._spec, self._tensors, self._vocabulary = spec, tensors, vocabulary
        self._positions = list(positions)
        shape = spec.n_layers + 1, len(self._positions), min(top, vocabulary.table.shape[0])
        self.ids = np.zeros(shape, np.intp)
        self.logprobs = np.zeros(shape)
        self._layer = 0

    def see(self, layer: int, name: str, values: Array) -> None:
        """The input of a block is what the blocks below it have written."""
        if name == "input" and layer == self._layer:
            x = values[self._positions]
            norm = self._spec.final_norm
            self._read(layer, x if norm is None else norm_of(norm, self._tensors, "final_norm", x))
            self._layer += 1

    def finish(self, output: Array) -> None:
        """Take the stack's output [n, d_model], after its final norm: the last layer."""
        self._read(self._spec.n_layers, output[self._positions])

    def _read(self, layer: int, x: Array) -> None:
        top, step = self.ids.shape[-1], max(1, AT_ONCE // self._vocabulary.table.shape[0])
        for start in range(0, len(x), step):
            scores = self._vocabulary.scores(x[start : start + step])
            ids = likeliest(scores, top)
            self.ids[layer, start : start + step] = ids
            self.logprobs[layer, start : start + step] = log_softmax(scores, ids)


def log_softmax(scores: Array, ids: NDArray[np.intp] | None = None) -> Vector:
    """The logarithm of the softmax of each row, float64, in nats; of the columns `ids` [row, n] alone, or of all."""
    largest = scores.max(-1, keepdims=True)
    total = np.exp(scores - largest).sum(-1, keepdims=True, dtype=np.float64)
    chosen = scores if ids is None else np.take_along_axis(scores, ids, -1)
    logprobs: Vector = (chosen - largest).astype(np.float64) - np.log(total)
    return logprobs


def likeliest(scores: NDArray[np.floating[Any]], top: int) -> NDArray[np.intp]:
    """Columns of the `top` largest numbers of each row [row, column], the largest first; of equal ones the first."""
    top = min(top, scores.shape[-1])
    least = np.partition(scores, -top, axis=-1)[:, -top]
    ids = np.empty((len(scores), top), np.intp)
    for i, (row, bound) in enumerate(zip(scores, least, strict=True)):
        columns = np.flatnonzero(row >= bound)
        ids[i] = columns[(-row[columns]).argsort(kind="stable")[:top]]
    return ids


# Direct logit attribution


@dataclass(frozen=True, eq=False, kw_only=True)
class Parts:
    """A logit, or the difference of two, as a sum of parts.

    heads, cross: [layer, head]; cross is None for a stack without cross-attention. mlp: [layer], None for a stack
    without MLPs. bias: [layer], the biases of W_O and of norms. embedding: what the stream holds before layer 0.
    head_bias: the biases of the final norm and of the output head. logit: the model's own, before any softcap.
    """

    heads: Vector
    cross: Vector | None
    mlp: Vector | None
    bias: Vector
    embedding: float
    head_bias: float
    logit: float

    def total(self) -> float:
        """The sum of all parts, which is the logit."""
        return float(sum(value for _, _, value in self))

    def __iter__(self) -> Iterator[tuple[int | None, int | str, float]]:
        """(layer, part, contribution) of every part; layer is None before the first and after the last."""
        yield None, "embedding", self.embedding
        for layer, own in enumerate(self.heads):
            yield from ((layer, head, float(value)) for head, value in enumerate(own))
            for head, value in enumerate([] if self.cross is None else self.cross[layer]):
                yield layer, f"cross {head}", float(value)
            if self.mlp is not None:
                yield layer, "mlp", float(self.mlp[layer])
            yield layer, "bias", float(self.bias[layer])
        yield None, "bias", self.head_bias


def why_not(spec: Spec, vocabulary: Vocabulary) -> str:
    """The reason why a logit is no sum of parts; "" if it is."""
    if vocabulary.transformed is not None:
        return "its output head has a layer and an activation of its own"
    if spec.norm_after and not spec.parallel:
        return "its residual stream passes through a norm in every layer (post-norm)"
    if spec.convolution_after_first:
        return "a convolution mixes its residual stream"
    return ""


class AtPosition(Vectors):
    """Keeps the vectors of a pass at one position: (layer, name) -> [d]."""

    NAMES = frozenset({"input", "heads", "output", "mlp"})

    def __init__(self, position: int) -> None:
        self._position = position
        self.kept: dict[tuple[int, str], Array] = {}

    def see(self, layer: int, name: str, values: Array) -> None:
        if name in self.NAMES:
            self.kept.setdefault((layer, name), values[self._position].copy())


@dataclass(eq=False)
class Attribution:
    """Splits a logit at one position, once a pass has shown its vectors to `watching`.

    cross: the stack has cross-attention, whose heads are parts of their own.
    """

    spec: Spec
    tensors: Tensors
    position: int
    own: AtPosition = field(init=False)
    cross: AtPosition | None = field(init=False)

    def __post_init__(self) -> None:
        self.own = AtPosition(self.position)
        self.cross = AtPosition(self.position) if self.spec.cross else None

    def watching(self, stream: str) -> dict[str, list[Collector]]:
        """The collectors of a pass over the stack."""
        collectors: dict[str, list[Collector]] = {stream: [self.own]}
        return collectors if self.cross is None else {**collectors, "cross": [self.cross]}

    def parts(self, output: Array, vocabulary: Vocabulary, token: int, against: int | None = None) -> Parts:
        """Split the logit of a token, or its lead over another.

        output: the stack's output [n, d_model]. vocabulary: a linear head.
        """
        spec, (vector, bias) = self.spec, vocabulary.direction(token)
        if against is not None:
            other, its_bias = vocabulary.direction(against)
            vector, bias = vector - other, bias - its_bias
        parts = Parts(
            heads=np.zeros((spec.n_layers, spec.n_heads)),
            cross=None if self.cross is None else np.zeros((spec.n_layers, spec.n_heads)),
            mlp=np.zeros(spec.n_layers) if spec.d_mlp else None,
            bias=np.zeros(spec.n_layers),
            embedding=0.0,
            head_bias=bias,
            logit=float(vector @ output[self.position].astype(np.float64)) + bias,
        )
        gradient, head_bias = vector, bias
        if spec.final_norm is not None:
            head_bias += self._norm_bias(spec.final_norm, "final_norm", vector)
            gradient = self._backward(spec.final_norm, "final_norm", self._block(spec.n_layers - 1)[1], vector)
        for i in reversed(range(spec.n_layers)):
            gradient = self._split(i, gradient, parts)
        return replace(parts, embedding=float(gradient @ self._vector(self.own, 0, "input")), head_bias=head_bias)

    def _split(self, i: int, gradient: Vector, parts: Parts) -> Vector:
        """Fill in what block i adds, given the gradient of the logit after it; the gradient before it."""
        spec, name = self.spec, self.spec.stored(i)
        for step in reversed(self._block(i)[0]):
            if step.part == "mlp" and parts.mlp is not None:
                parts.mlp[i] = gradient @ self._vector(self.own, i, "mlp")
            elif step.part == "cross" and parts.cross is not None and self.cross is not None:
                parts.cross[i], bias = self._heads(self.cross, i, name + "cross_o", gradient)
                parts.bias[i] += bias
            else:
                closed, norm_bias = self._closing(i, name, gradient)
                parts.heads[i], bias = self._heads(self.own, i, name + "o", closed)
                parts.bias[i] += norm_bias + bias
            if step.norm:
                parts.bias[i] += self._norm_bias(spec.norm, step.norm, gradient)
                gradient = self._backward(spec.norm, step.norm, step.x, gradient)
        return gradient

    # The residual stream, part by part

    def _block(self, i: int) -> tuple[list[_Step], Vector]:
        """The sublayers of block i in order, and the residual stream after it."""
        spec, name = self.spec, self.spec.stored(i)
        through = spec.residual_from_norm and spec.norm_before and not spec.parallel
        added = [("heads", f"{name}norm1" if i > 0 or spec.first_norm else "", self._closed(i, name))]
        if self.cross is not None:
            added.append(("cross", f"{name}norm_cross", self._vector(self.cross, i, "output")))
        if spec.d_mlp:
            added.append(("mlp", f"{name}norm2", self._vector(self.own, i, "mlp")))
        steps, x = [], self._vector(self.own, i, "input")
        for part, norm, output in added:
            steps.append(_Step(part, x, norm if through else ""))
            x = (self._normed(spec.norm, norm, x) if steps[-1].norm else x) + output
        return steps, x

    def _closed(self, i: int, name: str) -> Vector:
        """Attention's output as it is added to the stream: normalised and scaled where the model does so."""
        output = self._vector(self.own, i, "output")
        if self.spec.norm_output:
            output = self._normed(self.spec.norm, f"{name}norm1_out", output)
        return output * self._scale(name)

    def _closing(self, i: int, name: str, gradient: Vector) -> tuple[Vector, float]:
        """The gradient in front of what attention's output passes before the sum, and the share of its bias."""
        gradient = gradient * self._scale(name)
        if not self.spec.norm_output:
            return gradient, 0.0
        norm, whole = f"{name}norm1_out", self._vector(self.own, i, "output")
        return self._backward(self.spec.norm, norm, whole, gradient), self._norm_bias(self.spec.norm, norm, gradient)

    def _heads(self, kept: AtPosition, i: int, name: str, gradient: Vector) -> tuple[Vector, float]:
        """The contribution of each head [head], and of the bias of W_O."""
        spec, heads = self.spec, self._vector(kept, i, "heads")
        if not spec.output:
            return (gradient * heads).reshape(spec.n_heads, -1).sum(-1), 0.0
        weight = self.tensors.get(f"{name}.weight", (spec.d_model, len(heads)))
        read = np.zeros(len(heads))
        for start in range(0, spec.d_model, ROWS):
            read += gradient[start : start + ROWS] @ weight[start : start + ROWS].astype(np.float64)
        bias = float(gradient @ self.tensors.get(f"{name}.bias", (spec.d_model,))) if spec.o_bias else 0.0
        return (read * heads).reshape(spec.n_heads, -1).sum(-1), bias

    def _scale(self, name: str) -> Vector | float:
        """The factors of attention's output."""
        spec = self.spec
        if not spec.layer_scale:
            return spec.sublayer_scale
        return spec.sublayer_scale * self.tensors.get(f"{name}scale1", (spec.d_model,)).astype(np.float64)

    # Norms in float64

    def _backward(self, norm: Norm, name: str, whole: Vector, gradient: Vector) -> Vector:
        """J^T gradient, of the norm of `whole` with its divisor held."""
        gradient = gradient * self._weight(norm, name)
        if norm.kind != "rms":
            gradient = gradient - gradient.mean()
        return gradient / _size(norm, whole)

    def _normed(self, norm: Norm, name: str, x: Vector) -> Vector:
        centred = x if norm.kind == "rms" else x - x.mean()
        y = centred / _size(norm, x) * self._weight(norm, name)
        return y + self.tensors.get(f"{name}.bias", x.shape) if norm.bias else y

    def _norm_bias(self, norm: Norm, name: str, gradient: Vector) -> float:
        return float(gradient @ self.tensors.get(f"{name}.bias", gradient.shape)) if norm.bias else 0.0

    def _weight(self, norm: Norm, name: str) -> Vector | float:
        if not norm.weight:
            return 1.0
        weight = self.tensors.get(f"{name}.weight", (self.spec.d_model,)).astype(np.float64)
        return weight + 1 if norm.plus_one else weight

    def _vector(self, kept: AtPosition, i: int, name: str) -> Vector:
        return kept.kept[i, name].astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Step:
    """One sublayer: which part it is, the stream before it, and the norm that the stream passes through, or ""."""

    part: str
    x: Vector
    norm: str


def _size(norm: Norm, whole: Vector) -> float:
    """The divisor of a norm: the standard deviation, or the root mean square."""
    centred = whole if norm.kind == "rms" else whole - whole.mean()
    return float(np.sqrt(np.mean(centred**2) + norm.eps))
