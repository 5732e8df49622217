"""Positions of one input's tokens for the blocks of a stack: rotary angles, and biases by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.positions import DistanceBias, bias_gate, rotary_tables, stored_rotary_tables
from attnviz.engine.spec import Alibi, Buckets, ImageOffsets, Rotary, Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.images import OffsetBias
    from attnviz.engine.inputs import Inputs
    from attnviz.engine.tensors import Tensors

    Array = NDArray[np.float32]


class Places:
    """Positions of n tokens, the first at `inputs.first`. Angles and biases that layers share are computed once."""

    def __init__(self, spec: Spec, tensors: Tensors, inputs: Inputs, n: int) -> None:
        self.spec, self.tensors, self.inputs, self.n = spec, tensors, inputs, n
        self._angles: dict[Rotary, tuple[Array, Array]] = {}
        by_layer = isinstance(spec.bias, Buckets) and spec.bias.by_layer
        self._shared = None if by_layer else self._by_distance("")

    def bias(self, name: str, x: Array) -> DistanceBias | OffsetBias | None:
        """The bias of a layer; its tensors' names begin with `name`. x: the input of its attention, [n, d_model]."""
        rule, patches, pixels = self.spec.bias, self.spec.patches, self.inputs.pixels
        if isinstance(rule, ImageOffsets):
            from attnviz.engine.images import offset_bias

            assert patches is not None and pixels is not None
            return offset_bias(rule, patches, self.tensors, name, self.spec.n_heads, pixels)
        bias = self._shared or self._by_distance(name)
        if isinstance(rule, Buckets) and rule.gated and bias is not None:
            return bias.gated(bias_gate(self.tensors, name, x, self.spec.n_heads))
        return bias

    def _by_distance(self, name: str) -> DistanceBias | None:
        """The bias by distance of one layer, or of all layers if `name` is empty; None if the Spec has none."""
        rule, table = self.spec.bias, None
        if not isinstance(rule, (Alibi, Buckets)):
            return None
        if isinstance(rule, Buckets):
            table = self.tensors.get(f"{name}bias.table", (rule.rows or rule.n_buckets, self.spec.n_heads))
        first = self.inputs.first
        return DistanceBias(self.spec, table, self.n, first + self.n, first)

    def turns(self, rotary: Rotary | None) -> tuple[Array, Array] | None:
        """Cosines and sines of the tokens' angles, two arrays [n, pairs]; None without rotary positions."""
        if rotary is None:
            return None
        if rotary not in self._angles:
            self._angles[rotary] = self._turned(rotary)
        return self._angles[rotary]

    def _turned(self, rotary: Rotary) -> tuple[Array, Array]:
        if not rotary.by_patch:
            positions = np.arange(self.inputs.first, self.inputs.first + self.n)
            if rotary.stored:
                return stored_rotary_tables(rotary, positions, self.tensors)
            return rotary_tables(rotary, positions)
        from attnviz.engine.images import patch_turns

        patches, pixels = self.spec.patches, self.inputs.pixels
        assert patches is not None and pixels is not None
        return patch_turns(rotary, patches.front, patches.grid(*pixels.shape[1:]))
