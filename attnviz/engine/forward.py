"""One pass: embeddings, then block after block, the residual stream [n, d_model] flowing through.

Work that nothing asked for is not done: after the last wanted layer only queries and keys are computed, and layers
beyond it are never read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.attention import Layer, attend
from attnviz.engine.embed import convolve, embed
from attnviz.engine.inputs import Inputs
from attnviz.engine.masks import Mask
from attnviz.engine.mlp import mlp
from attnviz.engine.ops import activate_, finite, linear, norm_of
from attnviz.engine.places import Places
from attnviz.engine.project import Heads, norm_turned, project, turn
from attnviz.engine.spec import Spec
from attnviz.engine.tensors import Tensors
from attnviz.engine.threads import SHARED_ROWS, one_matrix_thread
from attnviz.engine.tile import Collector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.after_attention import AfterAttention, Scaled
    from attnviz.engine.cache import Cache
    from attnviz.engine.positions import RelativeScores

    Array = NDArray[np.float32]


def run(
    spec: Spec,
    tensors: Tensors,
    inputs: Inputs,
    collectors: Mapping[str, Sequence[Collector]],
    *,
    stream: str = "self",
    memory: Array | None = None,
    whole: bool = False,
    cache: Cache | None = None,
    progress: Callable[[float], None] | None = None,
) -> Array | None:
    """Send one input through a stack; collectors of `stream` (and of "cross", given memory) see its attention.

    memory: the encoder's output [key, d_model], for a spec with cross-attention. whole: run every layer and return
    the stack's output [n, d_model], after its final norm; otherwise stop at the last wanted layer and return None.
    cache: keys and values of the tokens before `inputs.first`, to which those of this input are added; the attention
    of these tokens to all so far is then what collectors see, their rows counted from `inputs.first`. It wants `whole`.
    progress: called with shares of the work as they are done; they sum to 1.
    """
    last = spec.n_layers - 1 if whole else _last_wanted(spec, collectors, (stream, "cross"))
    if last < 0:
        return None
    x = finite(embed(spec, tensors, inputs, _shown(collectors, (stream, "cross"), -1)), "the embeddings")
    stack = _Stack(spec, tensors, inputs, collectors, stream, memory, len(x), cache)
    shared = max(len(x), 0 if memory is None else len(memory)) >= SHARED_ROWS
    first = x
    with one_matrix_thread() if shared else nullcontext():
        for i in range(last + 1):
            y = stack.block(i, x, finish=whole or i < last)
            if progress is not None:
                progress(1 / (last + 1))
            if y is None:
                return None
            y = finite(y, f"the outputs of layer {i}")
            x = stack.convolved(first, y) if i == 0 and spec.convolution_after_first else y
    if spec.final_norm is not None:
        x = norm_of(spec.final_norm, tensors, "final_norm", x)
    return x


def _shown(
    collectors: Mapping[str, Sequence[Collector]], streams: Iterable[str], layer: int
) -> Callable[[str, Array], None] | None:
    """Shows a layer's arrays to those that want to see them; None if nobody does."""
    watchers = [c for s in streams for c in collectors.get(s, ()) if "vectors" in c.needs]

    def see(name: str, values: Array) -> None:
        for watcher in watchers:
            watcher.see(layer, name, values)  # type: ignore[attr-defined]

    return see if watchers else None


def _last_wanted(spec: Spec, collectors: Mapping[str, Sequence[Collector]], streams: Iterable[str]) -> int:
    """The last layer that any collector of these streams wants, -1 for none."""
    found = [c for s in streams for c in collectors.get(s, ())]
    for i in reversed(range(spec.n_layers)):
        if any(c.wants(i, h) for c in found for h in range(spec.n_heads)):
            return i
    return -1


class _Stack:
    """What stays the same from block to block while one input passes."""

    def __init__(
        self,
        spec: Spec,
        tensors: Tensors,
        inputs: Inputs,
        collectors: Mapping[str, Sequence[Collector]],
        stream: str,
        memory: Array | None,
        n: int,
        cache: Cache | None = None,
    ) -> None:
        self.spec, self.tensors, self.inputs, self.collectors = spec, tensors, inputs, collectors
        self.stream, self.memory, self.n, self.cache = stream, memory, n, cache
        self.first = inputs.first
        self._places = Places(spec, tensors, inputs, n)

    def block(self, i: int, x: Array, finish: bool) -> Array | None:
        """One block; None if nothing after this layer's last wanted attention was asked for."""
        spec, name = self.spec, self.spec.stored(i)
        has_norm = spec.norm_before and (i > 0 or spec.first_norm)
        see = _shown(self.collectors, (self.stream,), i)
        if see is not None:
            see("input", x)
        read = self._norm(name + "norm1", x) if has_norm else x
        wants_cross = spec.cross and any(
            c.wants(i, h) for c in self.collectors.get("cross", ()) for h in range(spec.n_heads)
        )
        asking = [c for c in self.collectors.get(self.stream, ()) if "after_attention" in c.needs]
        asking = [c for c in asking if any(c.wants(i, h) for h in range(spec.n_heads))]
        out = self._attention(i, name, read, finish or wants_cross or bool(asking))
        for collector in asking:
            assert out is not None
            collector.after_attention(i, self._after_attention(i, name, x, read, out))  # type: ignore[attr-defined]
        if out is None or not (finish or wants_cross):
            return None
        if spec.parallel or not spec.cross:
            return self._rest(i, name, x, read, out)
        x = self._added(name, x, read, out)
        read = self._norm(name + "norm_cross", x) if spec.norm_before else x
        see = _shown(self.collectors, ("cross",), i)
        if see is not None:
            see("input", x)
        out = self._cross(i, name, read, finish)
        if out is None:
            return None
        x = x + out
        if spec.norm_after:
            x = self._norm(name + "norm_cross", x)
        return self._fed(i, name, x)

    def _rest(self, i: int, name: str, x: Array, read: Array, out: Array) -> Array:
        """Finish a block that has no cross-attention.

        x: the block's input; read: x after the first norm; out: the attention output. All, and the result, are
        [n, d_model].
        """
        if not self.spec.parallel:
            return self._fed(i, name, self._added(name, x, read, out))
        spec, out = self.spec, self._closed(name, 1, out)
        other = read if spec.parallel == "shared" else self._norm(name + "norm2", x)
        out += self._closed(name, 2, mlp(spec, self.tensors, name, other, spec.has_experts(i)))
        return x + out

    def _added(self, name: str, x: Array, read: Array, out: Array) -> Array:
        x = (read if self.spec.residual_from_norm else x) + self._closed(name, 1, out)
        return self._norm(name + "norm1", x) if self.spec.norm_after else x

    def _fed(self, i: int, name: str, x: Array) -> Array:
        spec = self.spec
        if not spec.d_mlp:
            return x
        read = self._norm(name + "norm2", x) if spec.norm_before else x
        out = self._closed(name, 2, mlp(spec, self.tensors, name, read, spec.has_experts(i)))
        x = (read if spec.residual_from_norm else x) + out
        return self._norm(name + "norm2", x) if spec.norm_after else x

    def convolved(self, first: Array, x: Array) -> Array:
        """The output of layer 0 plus a convolution over the embeddings, normalised. Source: He 2021, section 3.3."""
        spec, kernel, d_model = self.spec, self.spec.convolution_after_first, self.spec.d_model
        groups = spec.convolution_groups
        weight = self.tensors.get("convolution.weight", (d_model, d_model // groups, kernel))
        bias = self.tensors.get("convolution.bias", (d_model,))
        y = convolve(np.ascontiguousarray(first.T), weight, bias, pad=(kernel - 1) // 2, groups=groups)
        y = activate_(spec.convolution_activation, np.ascontiguousarray(y.T))
        return norm_of(spec.norm, self.tensors, "convolution.norm", x + y)

    def _norm(self, name: str, x: Array) -> Array:
        return norm_of(self.spec.norm, self.tensors, name, x)

    def _closed(self, name: str, which: int, out: Array) -> Array:
        """A sublayer's output as it goes into the sum: normalised and scaled where the model does so."""
        if self.spec.norm_output:
            out = self._norm(f"{name}norm{which}_out", out)
        if self.spec.layer_scale:
            out *= self.tensors.get(f"{name}scale{which}", (self.spec.d_model,))
        if self.spec.sublayer_scale != 1:
            out *= np.float32(self.spec.sublayer_scale)
        return out

    def _after_attention(self, i: int, name: str, x: Array, read: Array, out: Array) -> AfterAttention:
        """What follows this block's heads. out: W_O's output, which stays as it is."""
        from attnviz.engine.after_attention import AfterAttention, Scaled

        spec, tensors = self.spec, self.tensors

        def scaled(norm: str, whole: Array) -> Scaled:
            weight = tensors.get(f"{norm}.weight", (spec.d_model,)) if spec.norm.weight else None
            return Scaled(spec.norm, whole, weight)

        residual = read if spec.residual_from_norm and not spec.parallel else x
        total = residual + self._closed(name, 1, out.copy())
        weight, bias = self._o(name, "o") if spec.output else (None, None)

        def finish(heads: Array, rows: NDArray[np.intp]) -> Array:
            return self._rest(i, name, x[rows], read[rows], heads if weight is None else linear(heads, weight, bias))

        return AfterAttention(
            residual=residual,
            weight=weight,
            inner=scaled(name + "norm1_out", out) if spec.norm_output else None,
            scale=self._scale(name),
            outer=scaled(name + "norm1", total) if spec.norm_after and not spec.parallel else None,
            added=self._norm(name + "norm1", total) if spec.norm_after and not spec.parallel else total,
            finish=None if spec.cross else finish,
        )

    def _scale(self, name: str) -> Array | None:
        """What attention's output is multiplied with before the sum, [d_model]; None for nothing."""
        spec = self.spec
        if not spec.layer_scale and spec.sublayer_scale == 1:
            return None
        scale = np.full(spec.d_model, spec.sublayer_scale, np.float32)
        return scale * self.tensors.get(name + "scale1", (spec.d_model,)) if spec.layer_scale else scale

    # Attention

    def _relative(self, name: str, heads: Heads) -> tuple[Heads, Callable[[range], RelativeScores] | None]:
        if self.spec.relative is None:
            return heads, None
        from attnviz.engine.relative import relative_scores

        return relative_scores(self.spec, self.tensors, name, heads, self.inputs)

    def _attention(self, i: int, name: str, x: Array, finish: bool) -> Array | None:
        spec, n, see = self.spec, self.n, _shown(self.collectors, (self.stream,), i)
        wants_v = finish or self._needs_values(self.stream)
        if see is not None:
            see("read", x)
        heads = project(spec, self.tensors, name, x, None, wants_v, see=see)
        rotary = spec.rotary_of(i)
        heads = turn(heads, self._places.turns(rotary), rotary, spec.rotary_values)
        if see is not None and spec.rotary_values and heads.v is not None:
            see("v", heads.v)  # what weights multiply
        heads = norm_turned(spec, self.tensors, name, heads, see)
        if self.cache is not None:
            heads = self.cache.grown(i, heads)
        heads, relative = self._relative(name, heads)
        everywhere = None
        if spec.global_tokens and self.inputs.global_tokens:
            see_global = None if see is None else lambda which, values: see(f"global_{which}", values)
            whole = project(spec, self.tensors, name, x, None, wants_v, kind="global_", see=see_global)
            everywhere = replace(whole, q=whole.q[:, list(self.inputs.global_tokens)])
        blocks = spec.blocks if spec.blocks is not None and spec.blocks.used(n) else None
        layer = Layer(
            stream=self.stream,
            index=i,
            scale=spec.scale / (i + 1) if spec.scale_by_layer else spec.scale,
            # Blocks take the place of a causal mask, as in the reference.
            mask=Mask(n, n, block=blocks.size)
            if blocks is not None
            else Mask(n, self.first + n, spec.causal, spec.reach_of(i), self.inputs.global_tokens, first=self.first),
            softcap=spec.softcap,
            sinks=self.tensors.get(name + "sinks", (spec.n_heads,)) if spec.sinks else None,
            bias=self._places.bias(name, x),
            relative=relative,
            everywhere=everywhere,
            first_block_times=1 + blocks.n_random if blocks is not None else 1,
            variant=spec.variant_of(i),
        )
        if see is not None and layer.sinks is not None:
            see("sinks", layer.sinks)
        return self._output(name, "o", heads, layer, finish)

    def _cross(self, i: int, name: str, x: Array, finish: bool) -> Array | None:
        spec, memory = self.spec, self.memory
        assert memory is not None
        wants_v = finish or self._needs_values("cross")
        see = _shown(self.collectors, ("cross",), i)
        if see is not None:
            see("read", x)
            see("memory", memory)
        held = None if self.cache is None else self.cache.memory(i)
        heads = project(spec, self.tensors, name, x, memory, wants_v, kind="cross_", see=see, held=held)
        if self.cache is not None:
            self.cache.remember(i, heads)
        mask = Mask(self.n, len(memory))
        layer = Layer(stream="cross", index=i, scale=spec.scale, mask=mask, variant=spec.variant_of(i))
        return self._output(name, "cross_o", heads, layer, finish)

    def _output(self, name: str, which: str, heads: Heads, layer: Layer, finish: bool) -> Array | None:
        """Through the tiles, then the heads side by side through W_O: [n, d_model]."""
        spec, see = self.spec, _shown(self.collectors, (layer.stream,), layer.index)
        out = attend(layer, heads, self.collectors.get(layer.stream, ()))
        if out is None or not (finish or see is not None):
            return None
        if see is not None:
            see("heads", out)
        if spec.output:
            weight, bias = self._o(name, which)
            out = linear(out, weight, bias)
            if see is not None:
                see("o.weight", weight)
                if bias is not None:
                    see("o.bias", bias)
        if see is not None:
            see("output", out)
        return out if finish else None

    def _o(self, name: str, which: str) -> tuple[Array, Array | None]:
        spec = self.spec
        weight = self.tensors.get(f"{name}{which}.weight", (spec.d_model, spec.n_heads * spec.d_value))
        return weight, self.tensors.get(f"{name}{which}.bias", (spec.d_model,)) if spec.o_bias else None

    def _needs_values(self, stream: str) -> bool:
        return any({"v", "outputs"} & set(c.needs) for c in self.collectors.get(stream, ()))
