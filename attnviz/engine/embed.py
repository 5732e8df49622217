"""The input of the first block: token, patch or frame embeddings with their positions, [n, d_model]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.inputs import Inputs
from attnviz.engine.kernels import linear, normalise
from attnviz.engine.observer import QUIET, Tap
from attnviz.engine.ops import activate_, norm_of
from attnviz.engine.positions import sinusoidal
from attnviz.engine.spec import Convolutions, Learned, Norm, PositionalConvolution, Sinusoidal, Spec
from attnviz.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tensors import Tensors

    Array = NDArray[np.float32]
    Ints = NDArray[np.intp]


def embed(spec: Spec, tensors: Tensors, inputs: Inputs, tap: Tap = QUIET) -> Array:
    """The input of the first block, [n, d_model]. tap: called with the name and the array of every stage."""
    if spec.patches is not None:
        from attnviz.engine.images import embed_patches

        x = embed_patches(spec, spec.patches, tensors, inputs)
    elif spec.convolutions is not None:
        x = _frames(spec, spec.convolutions, tensors, inputs)
    else:
        x = _tokens(spec, tensors, inputs)
    tap("tokens", x)
    for step in spec.embed_order:
        if step == "add":
            x = _add_places(spec, tensors, inputs, x)
        elif step == "norm" and spec.embed_norm is not None:
            x = norm_of(spec.embed_norm, tensors, "embed.norm", x)
        elif step == "project" and (spec.d_embed != spec.d_model or spec.project_square):
            weight = tensors.get("embed.project.weight", (spec.d_model, spec.d_embed))
            x = linear(x, weight, tensors.get("embed.project.bias", (spec.d_model,)) if spec.project_bias else None)
        tap(step, x)
    return x


def _tokens(spec: Spec, tensors: Tensors, inputs: Inputs) -> Array:
    key = inputs.words if spec.by_word else inputs.ids
    if key is None:
        raise InputError("this model reads text; neither text nor ids were given")
    if spec.no_padding >= 0 and inputs.ids is not None and (inputs.ids == spec.no_padding).any():
        raise InputError(
            f"the text holds {spec.no_padding}, the id of padding, for which this model hides its last tokens",
            "leave padding out of the ids",
        )
    x = tensors.rows("embed.tokens", key, (spec.vocab, spec.d_embed)).astype(np.float32, copy=True)
    if spec.mask_dropout >= 0 and inputs.ids is not None:
        # Rives 2021 trained with 12 % of tokens masked (80 % of a chosen 15 %); rescaling keeps the embedding's size.
        masked = inputs.ids == spec.mask_dropout
        if masked.all():
            raise InputError(
                "every token is the mask token, whose embedding this model leaves out", "give at least one other token"
            )
        x[masked] = 0
        x *= np.float32((1 - 0.15 * 0.8) / (1 - masked.mean()))
    if spec.embed_scale != 1:
        x *= np.float32(spec.embed_scale)
    return x


def _add_places(spec: Spec, tensors: Tensors, inputs: Inputs, x: Array) -> Array:
    """Embeddings x [n, width] plus token types and absolute positions; x is changed in place and returned."""
    n, first = x.shape[0], inputs.first
    if spec.n_types:
        types = inputs.types if inputs.types is not None else np.zeros(n, np.intp)
        x += tensors.rows("embed.types", types, (spec.n_types, x.shape[-1]))
    elif spec.types_are_tokens and inputs.types is not None:
        x += tensors.rows("embed.tokens", inputs.types, (spec.vocab, x.shape[-1]))
    if spec.n_tasks:
        x += tensors.rows("embed.tasks", np.zeros(1, np.intp), (spec.n_tasks, x.shape[-1]))
    if isinstance(spec.absolute, Sinusoidal):
        x += sinusoidal(spec.absolute, _counted(spec, inputs, n), x.shape[-1])
    elif isinstance(spec.absolute, Learned) and spec.absolute.computed and not tensors.has("embed.positions"):
        x += sinusoidal(spec.absolute.computed, np.arange(first, first + n), x.shape[-1])
    elif isinstance(spec.absolute, Learned) and spec.patches is not None:
        from attnviz.engine.images import add_patch_places

        add_patch_places(spec.patches, spec.absolute, tensors, inputs, x)
    elif isinstance(spec.absolute, Learned):
        places = _places(spec, spec.absolute, inputs, n)
        x += tensors.rows("embed.positions", places, (spec.absolute.size, x.shape[-1]))
    if spec.positional_convolution is not None:
        x += _positional_convolution(spec.positional_convolution, tensors, x)
    return x


def _places(spec: Spec, table: Learned, inputs: Inputs, n: int) -> Ints:
    """The row of the position table that each token reads, [n]."""
    last = inputs.first + n
    if last + table.offset > table.size:
        raise InputError(
            f"the text has {last} tokens; this model's learned positions end at {table.size - table.offset}",
            "use a shorter text, or a model that reads longer ones",
        )
    return _counted(spec, inputs, n) + table.offset


def _counted(spec: Spec, inputs: Inputs, n: int) -> Ints:
    """The position of each token, [n], counted from 0; -1 for padding if it is not counted."""
    if spec.pad_positions < 0 or inputs.ids is None:
        return np.arange(inputs.first, inputs.first + n)
    real = inputs.ids != spec.pad_positions
    return np.where(real, inputs.first + np.cumsum(real) - 1, -1)


# Sound.

COPIED = 1 << 22  # Numbers of a convolution's overlapping windows that are copied at once: 16 MiB.


def convolve(x: Array, weight: Array, bias: Array | None, stride: int = 1, pad: int = 0, groups: int = 1) -> Array:
    """A 1-D convolution: x [channel, n], weight [out, channel / groups, kernel] -> [out, n']."""
    if pad:
        x = np.pad(x, ((0, 0), (pad, pad)))
    n_out, per_group, kernel = weight.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=1)[:, ::stride]  # [channel, n', kernel]
    n = windows.shape[1]
    out = np.empty((n_out, n), np.float32)
    step = n_out // groups
    at_once = max(1, min(n, COPIED // (per_group * kernel)))
    laid_out = np.empty((at_once, per_group, kernel), np.float32)
    for g in range(groups):
        rows = slice(g * step, (g + 1) * step)
        flat = weight[rows].reshape(step, -1)
        for start in range(0, n, at_once):
            some = windows[g * per_group : (g + 1) * per_group, start : start + at_once].transpose(1, 0, 2)
            part = laid_out[: len(some)]
            part[:] = some
            np.matmul(flat, part.reshape(len(some), -1).T, out=out[rows, start : start + at_once])
    if bias is not None:
        out += bias[:, None]
    return out


def _frames(spec: Spec, rule: Convolutions, tensors: Tensors, inputs: Inputs) -> Array:
    """Sound through the convolutions, [frame, d_model]."""
    x = _sound(rule, inputs)
    for i, (width, kernel, stride) in enumerate(zip(rule.dims, rule.kernels, rule.strides, strict=True)):
        weight = tensors.get(f"embed.conv.{i}.weight", (width, x.shape[0], kernel))
        bias = tensors.get(f"embed.conv.{i}.bias", (width,)) if rule.bias else None
        if x.shape[1] + 2 * rule.pad < kernel:
            raise InputError("the sound is too short for this model: it gives no frame")
        x = convolve(x, weight, bias, stride, rule.pad)
        if rule.norm == "layer":
            for at in range(0, x.shape[1], 1 << 14):  # 16,384 frames at a time save memory
                frames = x[:, at : at + (1 << 14)]
                frames[:] = _affine(tensors, f"embed.conv.{i}.norm", rule.eps, frames.T).T
        elif rule.norm == "group" and i == 0:
            scale, shift = (tensors.get(f"embed.conv.0.norm.{name}", (width,))[:, None] for name in ("weight", "bias"))
            for at in range(0, width, 16):  # a channel is a group, normalised over time; 16 at a time
                part = slice(at, at + 16)
                x[part] = normalise(Norm(eps=rule.eps), x[part], None) * scale[part] + shift[part]
        x = activate_(rule.activation, np.ascontiguousarray(x))
    x = np.ascontiguousarray(x.T)
    if rule.project:
        if rule.project_norm:
            x = _affine(tensors, "embed.project.norm", spec.norm.eps, x)
        weight = tensors.get("embed.project.weight", (spec.d_model, x.shape[-1]))
        x = linear(x, weight, tensors.get("embed.project.bias", (spec.d_model,)))
    return x


def _sound(rule: Convolutions, inputs: Inputs) -> Array:
    if inputs.sound is None:
        raise InputError("this model reads sound; none was given", "name a WAV file with --audio FILE")
    x = inputs.sound[None] if inputs.sound.ndim == 1 else inputs.sound
    if x.ndim != 2 or x.shape[0] != rule.channels:
        wanted = "[sample]" if rule.channels == 1 else f"[{rule.channels}, frame]"
        raise InputError(f"sound must be {wanted}; got {list(inputs.sound.shape)}")
    return x


def _affine(tensors: Tensors, name: str, eps: float, x: Array) -> Array:
    return norm_of(Norm(eps=eps), tensors, name, x)


def _positional_convolution(rule: PositionalConvolution, tensors: Tensors, x: Array) -> Array:
    """Position embeddings [n, d_model] from wide grouped convolutions over frames. Source: Baevski 2020, section 2."""
    d_model = x.shape[-1]
    if rule.batch_norm:
        weight, bias, mean, variance = (
            tensors.get(f"embed.positions.norm.{part}", (d_model,)) for part in ("weight", "bias", "mean", "variance")
        )
        x = (x - mean) / np.sqrt(variance + np.float32(1e-5)) * weight + bias
    for i in range(max(rule.stack, 1)):
        name = f"embed.positions.{i}" if rule.stack else "embed.positions"
        weight = _positional_weight(rule, tensors, name, d_model)
        bias = tensors.get(f"{name}.bias", (d_model,))
        y = convolve(np.ascontiguousarray(x.T), weight, bias, pad=rule.kernel // 2, groups=rule.groups)
        y = y[:, : x.shape[0]]  # an even kernel gives one frame too many
        if rule.stack:
            y = normalise(Norm(), np.ascontiguousarray(y.T), None).T
        x = activate_(rule.activation, np.ascontiguousarray(y)).T
    return x


def _positional_weight(rule: PositionalConvolution, tensors: Tensors, name: str, d_model: int) -> Array:
    """The weight [d_model, d_model / groups, kernel], stored whole or as direction and length by position."""
    shape = (d_model, d_model // rule.groups, rule.kernel)
    if tensors.has(f"{name}.weight"):
        return tensors.get(f"{name}.weight", shape)
    direction = tensors.get(f"{name}.direction", shape)
    length = tensors.get(f"{name}.length", (1, 1, rule.kernel))
    return direction * (length / np.sqrt(np.square(direction).sum((0, 1), keepdims=True)))
