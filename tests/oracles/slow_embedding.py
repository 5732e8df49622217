"""The input of the first block, computed one token, patch or frame at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oracles.slow_formulas import ACTIVATIONS, Rows, Vector, add, convolve, dot, normal, sinusoid, turned
from oracles.slow_images import squares

from attnviz.engine.spec import Convolutions, Learned, Norm, Patches, PositionalConvolution, Sinusoidal, Spec


@dataclass
class StackInput:
    """The input of one stack."""

    ids: Sequence[int] = ()
    types: Sequence[int] | None = None
    words: Sequence[str] = ()
    pixels: Any = None  # [channel][row][column]
    sound: Any = None  # [channel][frame]
    global_tokens: tuple[int, ...] = ()


class Embedding:
    """Tensors, and the input of the first block. tensors: get(name, shape), rows(name, keys, shape) and has(name)."""

    def __init__(self, spec: Spec, tensors: Any, inputs: StackInput) -> None:
        self.spec, self.tensors, self.inputs = spec, tensors, inputs

    # Tensors

    def get(self, name: str, *shape: int) -> Any:
        return self.tensors.get(name, shape).tolist()

    def row(self, name: str, key: int | str, *shape: int) -> Vector:
        return self.tensors.rows(name, [key], shape)[0].tolist()

    def linear(self, name: str, xs: Rows, d_out: int, has_bias: bool) -> Rows:
        weight = self.get(f"{name}.weight", d_out, len(xs[0]))
        bias = self.get(f"{name}.bias", d_out) if has_bias else [0.0] * d_out
        return [add([dot(row, x) for row in weight], bias) for x in xs]

    def norm(self, rule: Norm, name: str, x: Vector) -> Vector:
        weight = self.get(f"{name}.weight", len(x)) if rule.weight else None
        return normal(rule, x, weight, self.get(f"{name}.bias", len(x)) if rule.bias else None)

    # Inputs

    def embedded(self) -> Rows:
        spec = self.spec
        if spec.patches is not None:
            xs = self.patches(spec.patches)
        elif spec.convolutions is not None:
            xs = self.frames(spec.convolutions)
        else:
            xs = self.token_rows()
        for step in spec.embed_order:
            if step == "add":
                xs = self.with_places(xs)
            elif step == "norm" and spec.embed_norm is not None:
                xs = [self.norm(spec.embed_norm, "embed.norm", x) for x in xs]
            elif step == "project" and (spec.d_embed != spec.d_model or spec.project_square):
                xs = self.linear("embed.project", xs, spec.d_model, spec.project_bias)
        return xs

    def token_rows(self) -> Rows:
        """Embeddings times a scale. Rives 2021: masked tokens are 0, the rest are scaled as if 12 % were masked."""
        spec = self.spec
        keys = self.inputs.words if spec.by_word else self.inputs.ids
        n_masked = sum(key == spec.mask_dropout for key in keys) if spec.mask_dropout >= 0 else 0
        times = spec.embed_scale
        if spec.mask_dropout >= 0:
            times *= 0.88 / (1 - n_masked / len(keys))
        xs = []
        for key in keys:
            row = self.row("embed.tokens", key, spec.vocab, spec.d_embed)
            masked = spec.mask_dropout >= 0 and key == spec.mask_dropout
            xs.append([0.0 if masked else times * v for v in row])
        return xs

    def with_places(self, xs: Rows) -> Rows:
        spec, inputs, width = self.spec, self.inputs, len(xs[0])
        types = inputs.types
        if spec.n_types:
            types = [0] * len(xs) if types is None else types
            xs = [add(x, self.row("embed.types", t, spec.n_types, width)) for x, t in zip(xs, types, strict=True)]
        elif spec.types_are_tokens and types is not None:
            xs = [add(x, self.row("embed.tokens", t, spec.vocab, width)) for x, t in zip(xs, types, strict=True)]
        if spec.n_tasks:
            xs = [add(x, self.row("embed.tasks", 0, spec.n_tasks, width)) for x in xs]
        rule = spec.absolute
        if isinstance(rule, Learned) and rule.computed is not None and not self.tensors.has("embed.positions"):
            rule = rule.computed
        if isinstance(rule, Sinusoidal):
            # A formula that replaces a stored table counts every token.
            places = self.places(Learned(0), len(xs)) if rule is spec.absolute else range(len(xs))
            xs = [add(x, sinusoid(rule, place, width)) for x, place in zip(xs, places, strict=True)]
        elif isinstance(rule, Learned) and spec.patches is not None:
            places = squares(spec.patches, self.get("embed.positions", rule.size, width), inputs.pixels)
            xs = [add(x, place) for x, place in zip(xs, places, strict=True)]
        elif isinstance(rule, Learned):
            positions = self.places(rule, len(xs))
            xs = [add(x, self.row("embed.positions", p, rule.size, width)) for x, p in zip(xs, positions, strict=True)]
        if spec.positional_convolution is not None:
            xs = self.with_convolution(spec.positional_convolution, xs)
        return xs

    def places(self, rule: Learned, n: int) -> list[int]:
        """Row p + offset for the p-th token; padding has a row before all of them and does not count."""
        if self.spec.pad_positions < 0:
            return [p + rule.offset for p in range(n)]
        found, counted = [], 0
        for token in self.inputs.ids:
            is_pad = token == self.spec.pad_positions
            found.append(rule.offset - 1 if is_pad else counted + rule.offset)
            counted += not is_pad
        return found

    def patches(self, rule: Patches) -> Rows:
        pixels, (high, wide) = self.inputs.pixels, rule.size
        weight = self.get("embed.patches.weight", self.spec.d_model, rule.channels, high, wide)
        bias = self.get("embed.patches.bias", self.spec.d_model) if rule.bias else [0.0] * self.spec.d_model
        xs = [self.get(f"embed.{name}", self.spec.d_model) for name in rule.prefix]
        xs += self.get("embed.registers", rule.registers, self.spec.d_model) if rule.registers else []
        for top in range(0, len(pixels[0]) - high + 1, high):
            for left in range(0, len(pixels[0][0]) - wide + 1, wide):
                x = list(bias)
                for out in range(self.spec.d_model):
                    for c in range(rule.channels):
                        for r in range(high):
                            x[out] += dot(weight[out][c][r], pixels[c][top + r][left : left + wide])
                xs.append(x)
        return xs

    def frames(self, rule: Convolutions) -> Rows:
        xs = self.inputs.sound  # [channel][frame]
        for i, (width, kernel, stride) in enumerate(zip(rule.dims, rule.kernels, rule.strides, strict=True)):
            name = f"embed.conv.{i}"
            weight = self.get(f"{name}.weight", width, len(xs), kernel)
            xs = convolve(xs, weight, self.get(f"{name}.bias", width) if rule.bias else None, stride, rule.pad)
            if rule.norm == "layer":
                xs = turned([self.norm(Norm(eps=rule.eps), f"{name}.norm", x) for x in turned(xs)])
            elif rule.norm == "group" and i == 0:
                slope, shift = self.get(f"{name}.norm.weight", width), self.get(f"{name}.norm.bias", width)
                xs = [[slope[c] * v + shift[c] for v in normal(Norm(eps=rule.eps), x)] for c, x in enumerate(xs)]
            xs = [[ACTIVATIONS[rule.activation](v) for v in x] for x in xs]
        xs = turned(xs)
        if rule.project:
            if rule.project_norm:
                xs = [self.norm(Norm(eps=self.spec.norm.eps), "embed.project.norm", x) for x in xs]
            xs = self.linear("embed.project", xs, self.spec.d_model, True)
        return xs

    def with_convolution(self, rule: PositionalConvolution, xs: Rows) -> Rows:
        """Baevski 2020, section 2.

        Salimans 2016, eq. 2: weight = length * direction / |direction|, one length per place of the kernel.
        """
        width, act, moved = len(xs[0]), ACTIVATIONS[rule.activation], xs
        if rule.batch_norm:  # Ioffe 2015, algorithm 2
            kinds = ("weight", "bias", "mean", "variance")
            w, b, mean, var = (self.get(f"embed.positions.norm.{kind}", width) for kind in kinds)
            moved = [[(v - mean[c]) / math.sqrt(var[c] + 1e-5) * w[c] + b[c] for c, v in enumerate(x)] for x in xs]
        names = [f"embed.positions.{i}" for i in range(rule.stack)] or ["embed.positions"]
        for name in names:
            weight, bias = self.place_weight(rule, name, width), self.get(f"{name}.bias", width)
            ys = turned(convolve(turned(moved), weight, bias, pad=rule.kernel // 2, groups=rule.groups))
            ys = [normal(Norm(), y) for y in ys] if rule.stack else ys
            moved = [[act(v) for v in y] for y in ys[: len(xs)]]
        return [add(x, y) for x, y in zip(xs, moved, strict=True)]

    def place_weight(self, rule: PositionalConvolution, name: str, width: int) -> Any:
        """[out][channel of the group][kernel]."""
        shape = (width, width // rule.groups, rule.kernel)
        if self.tensors.has(f"{name}.weight"):
            return self.get(f"{name}.weight", *shape)
        direction = self.get(f"{name}.direction", *shape)
        length = self.get(f"{name}.length", 1, 1, rule.kernel)[0][0]
        for t in range(rule.kernel):
            size = math.sqrt(sum(row[t] ** 2 for out in direction for row in out))
            for out in direction:
                for row in out:
                    row[t] *= length[t] / size
        return direction
