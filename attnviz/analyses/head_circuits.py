"""W_QK and W_OV of a model's heads as they act on the residual stream, from its weights alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.spec import Latent, Norm, Spec
from attnviz.engine.tensors import floats
from attnviz.engine.threads import one_matrix_thread, share
from attnviz.errors import ModelError, SelectionError, one_of
from attnviz.measures.circuits import KINDS, Circuits, Heads, composed, eigen, ends, positive, singular
from attnviz.models.model import Model
from attnviz.models.vocabulary import vocabulary_of
from attnviz.select import HeadChoice, LayerChoice, chosen_heads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tensors import Tensors
    from attnviz.models.model import Progress

    Floats = NDArray[np.float64]

ROWS = 8192  # of a vocabulary, worked on at a time


@dataclass(frozen=True, eq=False)
class ModelHeads:
    """Heads of a model, without a text.

    stream: self; in an encoder-decoder encoder (default), decoder or cross. Two towers: that of text.
    layers, heads: as for `Model.attend`; all by default.
    """

    model: Model
    stream: str | None = None
    layers: LayerChoice = None
    heads: HeadChoice = None


def head_circuits(
    chosen: ModelHeads,
    *,
    composition: bool = True,
    vocabulary: bool = False,
    norms: bool = True,
    progress: Progress | None = None,
) -> Circuits:
    """Spectra, copying scores and composition of heads.

    Args:
        composition: whether to compare heads of different layers.
        vocabulary: also the copying score through embeddings and unembedding.
        norms: fold the weight of the norm in front, and its centring, into what reads the stream.
        progress: called with shares of the work.

    Raises:
        SelectionError: no such stream, layer or head. CheckpointError: as for `attend`.
        ModelError: `vocabulary` of a model that has none.
    """
    model = chosen.model
    stream = chosen.stream or model.streams[0]
    cross = stream == "cross"
    if stream not in model.streams:
        raise SelectionError(one_of(f"stream of {model.name}", stream, model.streams))
    stack = model.spec.passes(stream)[-1]
    spec, tensors = stack.spec, model.tensors_of(stack)
    at = chosen_heads(chosen.layers, chosen.heads, spec.n_layers, spec.n_heads)
    with one_matrix_thread():  # many small products: threads would wait for each other
        layers = [_heads(spec, tensors, i, cross, norms, at.heads) for i in at.layers]
        scales = [spec.scale / (i + 1 if spec.scale_by_layer else 1) for i in at.layers]
        qk = [(heads.q, heads.k) for heads in layers]
        ov = [(heads.o.swapaxes(-1, -2), heads.v) for heads in layers]
        qk_singular = np.stack([singular(*factors) * scale for factors, scale in zip(qk, scales, strict=True)])
        ov_singular = np.stack([singular(*factors) for factors in ov])
        qk_eigen = np.stack([eigen(*factors) * scale for factors, scale in zip(qk, scales, strict=True)])
        ov_eigen = np.stack([eigen(*factors) for factors in ov])
        kinds = () if not composition else ("q",) if cross else KINDS
        between = _composition(layers, at.layers, kinds, progress)
    through = _through(model, spec, tensors, norms) if vocabulary else None
    circuits = Circuits(
        model=model.name,
        stream=stream,
        layers=tuple(at.layers),
        heads=tuple(at.heads),
        qk_singular=qk_singular,
        ov_singular=ov_singular,
        qk_eigen=qk_eigen,
        ov_eigen=ov_eigen,
        copying=positive(ov_eigen),
        matching=positive(qk_eigen),
        vocabulary=None if through is None else np.stack([_copied(heads, through) for heads in layers]),
        composition=between,
        chance=spec.d_model**-0.5,
        folded=_folded(spec, norms, cross),
        left_out=tuple(_left_out(spec, norms, cross)),
        meta=dict(model.meta),
    )
    return circuits.only(at.pairs) if at.pairs else circuits


def _heads(spec: Spec, tensors: Tensors, layer: int, cross: bool, norms: bool, at: list[int]) -> Heads:
    """The weights of a layer's heads as they act on the stream; shared keys and values once for each query head."""
    name, kind = spec.stored(layer), "cross_" if cross else ""
    latent = None if cross else spec.latent

    def projected(part: str, n_heads: int) -> Floats:
        weight = tensors.get(f"{name}{kind}{part}.weight", (n_heads * spec.d_head, spec.d_model))
        by_head = np.asarray(weight, np.float64).reshape(n_heads, spec.d_head, spec.d_model)
        return by_head[[head * n_heads // spec.n_heads for head in at]]

    if latent is not None:
        q, k, v = (part[at] for part in _through_compressed(spec, latent, tensors, name, norms))
    else:
        q, k, v = (
            projected(part, n) for part, n in (("q", spec.n_heads), ("k", spec.n_kv_heads), ("v", spec.n_kv_heads))
        )
    o = _output(spec, tensors, name, kind)[at]
    if norms and spec.norm_before and (layer > 0 or spec.first_norm):
        q = _read_through_norm(spec.norm, tensors, name + ("norm_cross" if cross else "norm1"), q)
        if not cross:  # the encoder's output has passed a norm of its own
            k, v = (_read_through_norm(spec.norm, tensors, name + "norm1", part) for part in (k, v))
    if norms and spec.norm_output and not cross:
        o = o * _gain(spec.norm, tensors, name + "norm1_out", spec.d_model)[:, None]
    if spec.layer_scale and not cross:
        o = o * np.asarray(tensors.get(name + "scale1", (spec.d_model,)), np.float64)[:, None]
    return Heads(q, k, v, o if cross else o * spec.sublayer_scale)


def _through_compressed(
    spec: Spec, rule: Latent, tensors: Tensors, name: str, norms: bool
) -> tuple[Floats, Floats, Floats]:
    """W_Q, W_K and W_V [head, width, d_model] as products of the maps down and up, with the norm's weight between."""

    def down(which: str, width: int) -> Floats:
        return np.asarray(tensors.get(f"{name}{which}.weight", (width, spec.d_model)), np.float64)

    def up(which: str, width: int, small: Floats, norm: str) -> Floats:
        weight = tensors.get(f"{name}{which}.weight", (spec.n_heads * width, len(small)))
        by_head = np.asarray(weight, np.float64).reshape(spec.n_heads, width, len(small))
        if norm and norms:
            by_head = _read_through_norm(rule.norm, tensors, name + norm, by_head)
        return by_head @ small

    own = spec.d_head - rule.d_shared
    both = down("kv_down", rule.d_kv + rule.d_shared)
    latent, shared = both[: rule.d_kv], np.broadcast_to(both[rule.d_kv :], (spec.n_heads, rule.d_shared, spec.d_model))
    q_from, q_norm = (down("q_down", rule.d_q), "q_down_norm") if rule.d_q else (np.eye(spec.d_model), "")
    q = up("q", spec.d_head, q_from, q_norm)
    k = np.concatenate([up("k", own, latent, "kv_norm"), shared], axis=1)
    return q, k, up("v", spec.d_value, latent, "kv_norm")


def _output(spec: Spec, tensors: Tensors, name: str, kind: str) -> Floats:
    """W_O head by head, [head, d_model, d_value]; without one the heads stand side by side."""
    width = spec.n_heads * spec.d_value
    if spec.output:
        weight = np.asarray(tensors.get(f"{name}{kind}o.weight", (spec.d_model, width)), np.float64)
    else:
        weight = np.eye(spec.d_model, width)
    return weight.reshape(spec.d_model, spec.n_heads, spec.d_value).transpose(1, 0, 2)


def _gain(norm: Norm, tensors: Tensors, name: str, d_model: int) -> Floats:
    if not norm.weight:
        return np.ones(d_model)
    weight = np.asarray(tensors.get(f"{name}.weight", (d_model,)), np.float64)
    return weight + 1 if norm.plus_one else weight


def _read_through_norm(norm: Norm, tensors: Tensors, name: str, rows: Floats) -> Floats:
    """Rows [..., d_model] that read through a norm: times its weight, and for a layer norm with its mean taken off."""
    rows = rows * _gain(norm, tensors, name, rows.shape[-1])
    return rows - rows.mean(-1, keepdims=True) if norm.kind == "layer" else rows


def _composition(
    heads: Sequence[Heads], layers: Sequence[int], kinds: Sequence[str], progress: Progress | None
) -> dict[str, NDArray[np.float32]]:
    """The share of every earlier head's output that every head reads, by kind; see `Circuits`."""
    n_layers, n_heads = len(heads), len(heads[0].q)
    composition = {kind: np.full((n_layers, n_heads, n_layers, n_heads), np.nan, np.float32) for kind in kinds}
    if not kinds:
        return composition
    factors = [ends(of_layer) for of_layer in heads]

    def read(reader: int, stop: Event) -> None:
        for writer in range(n_layers):
            if layers[writer] < layers[reader] and not stop.is_set():
                for kind, values in composed(factors[reader], factors[writer], kinds).items():
                    composition[kind][reader, :, writer] = values
        if progress is not None:
            progress(1 / n_layers)

    share(range(n_layers), read)
    return composition


# Through the vocabulary


def _through(model: Model, spec: Spec, tensors: Tensors, norms: bool) -> Floats:
    """E^T U [d_model, d_model] of embeddings E and unembedding U [token, d_model], with the final norm folded in."""
    if len(model.spec.stacks) > 1 or spec.by_word or spec.d_embed != spec.d_model:
        raise ModelError(f"{model.name}: copying through the vocabulary wants a decoder with plain embeddings")
    table = vocabulary_of(model).table
    product = np.zeros((spec.d_model, spec.d_model))
    n = min(table.shape[0], spec.vocab)
    for start in range(0, n, ROWS):
        rows = np.arange(start, min(start + ROWS, n))
        embedded = tensors.rows("embed.tokens", rows, (spec.vocab, spec.d_embed))
        product += embedded.T @ floats(table, slice(start, start + len(rows)))
    if norms and spec.final_norm is not None:
        product = _read_through_norm(spec.final_norm, tensors, "final_norm", product)
    return product


def _copied(heads: Heads, through: Floats) -> Floats:
    """The copying score of U W_OV E^T, whose eigenvalues are also the ones of V E^T U O."""
    small = heads.v @ through @ heads.o
    return positive(np.asarray(np.linalg.eigvals(small), np.complex128))


# Words


def _folded(spec: Spec, norms: bool, cross: bool) -> str:
    if not norms or not (spec.norm_before or spec.norm_output):
        return ""
    parts = []
    if spec.norm_before:
        weight = "the weight" if spec.norm.weight else "nothing"
        centred = " and centring" if spec.norm.kind == "layer" else ""
        parts.append(f"{weight}{centred} of the norm in front" if spec.norm.weight or centred else "")
    if spec.norm_output and not cross:
        parts.append("the weight of the norm behind")
    return " and ".join(part for part in parts if part)


def _left_out(spec: Spec, norms: bool, cross: bool) -> Iterable[str]:
    """The parts of a head that weights alone do not say, or that are not folded."""
    if any(turn is not None for turn in spec.rotary) and not cross:
        places = "W_QK and W_OV are the ones" if spec.rotary_values else "W_QK is that"
        yield f"rotary positions: {places} of two tokens at one place"
    if (spec.bias is not None or spec.relative is not None) and not cross:
        yield "scores by distance"
    if spec.q_bias or spec.k_bias or spec.v_bias or spec.o_bias:
        yield "biases"
    if spec.norm_after or not norms:
        yield "norms"
    else:
        yield "the division of norms"
    if spec.latent is not None:
        yield "the division of the norms of compressed vectors" if norms else "the norms of compressed vectors"
    if spec.qk_norm is not None:
        yield "the norm of queries and keys"
    if spec.d_mlp:
        yield "MLPs between heads"
