"""One pass: embeddings, then block after block, the residual stream x [n, d_model] flowing through.

Work that nothing asked for is not done: after the last attention that a collector wants, the pass ends, and layers
beyond it are never read. Several texts of one length pass together (texts.py): x is [text, n, d_model] then, and every
other array has the same axis in front.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.block import Sublayer, parallel, post_norm, pre_norm
from attnviz.engine.embed import convolve, embed
from attnviz.engine.inputs import Inputs
from attnviz.engine.kernels import linear
from attnviz.engine.masks import Mask
from attnviz.engine.mlp import mlp
from attnviz.engine.observer import Collector, Observer, Tap
from attnviz.engine.ops import activate_, finite, norm_of
from attnviz.engine.places import Places
from attnviz.engine.project import Heads, Projector, turn
from attnviz.engine.spec import Spec
from attnviz.engine.tensors import Matrix, Tensors, matrix_of
from attnviz.engine.threads import SHARED_ROWS, one_matrix_thread
from attnviz.engine.tiles import Layer, attend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.after_attention import AfterAttention, Scaled
    from attnviz.engine.block import Function
    from attnviz.engine.cache import Cache
    from attnviz.engine.edits import Edit
    from attnviz.engine.positions import RelativeScores

    Array = NDArray[np.float32]


def run(
    spec: Spec,
    tensors: Tensors,
    inputs: Inputs | Sequence[Inputs],
    collectors: Mapping[str, Sequence[Collector]],
    *,
    stream: str = "self",
    memory: Array | None = None,
    whole: bool = False,
    cache: Cache | None = None,
    edit: Edit | None = None,
    begin: tuple[int, Array] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Array | None:
    """Send an input through a stack; collectors of `stream` (and of "cross", given memory) see its attention.

    Args:
        inputs: one text, image or sound; or several texts of one length, for a spec that `texts.together` allows: all
            arrays then have an axis of texts in front.
        memory: the encoder's output [key, d_model], for a spec with cross-attention.
        whole: run every layer and return the stack's output [n, d_model], after its final norm; otherwise stop at the
            last wanted layer and return None.
        cache: keys and values of the tokens before `inputs.first`, which receives the keys and values of this input.
            Collectors then see the attention of the new tokens to all tokens so far; their rows are counted from
            `inputs.first`. One text, and `whole`.
        edit: cuts links and replaces outputs of heads.
        begin: a layer, and the residual stream [n, d_model] or [text, n, d_model] that is its input: layers below it
            are not run. With an axis of texts, inputs is the one text that all of them are.
        progress: called with shares of the work as they are done, which sum to 1; not called if no layer is wanted.
    """
    watching = {name: Observer(collectors.get(name, ()), spec.n_heads) for name in (stream, "cross")}
    last = spec.n_layers - 1 if whole else max(each.last_of(spec.n_layers) for each in watching.values())
    if last < 0:
        return None
    texts = [inputs] if isinstance(inputs, Inputs) else inputs
    if begin is None:
        tap = Tap(-1, [watcher for each in watching.values() for watcher in each.watchers])
        embeddings = [embed(spec, tensors, text, tap) for text in texts]
        x = finite(embeddings[0] if isinstance(inputs, Inputs) else np.stack(embeddings), "the embeddings")
    start, x = (0, x) if begin is None else begin
    first = x
    stack = _Stack(
        spec=spec,
        tensors=tensors,
        inputs=texts[0],
        watching=watching,
        stream=stream,
        n=x.shape[-2],
        last=None if whole else last,
        memory=memory,
        cache=cache,
        edit=edit,
    )
    shared = max(x.size, 0 if memory is None else memory.size) // spec.d_model >= SHARED_ROWS
    with one_matrix_thread() if shared else nullcontext():
        try:
            for i in range(start, last + 1):
                x = finite(stack.block(i, x), f"the outputs of layer {i}")
                if i == 0 and spec.convolution_after_first:
                    x = stack.convolved(first, x)
                if progress is not None:
                    progress(1 / (last + 1 - start))
        except _Enough:
            if progress is not None:
                progress(1 / (last + 1 - start))
            return None
    return x if spec.final_norm is None else norm_of(spec.final_norm, tensors, "final_norm", x)


class _Enough(Exception):
    """Raised inside the last wanted block, once its last wanted attention has been handed over."""


@dataclass(frozen=True, eq=False)
class _Stack:
    """One input on its way through a stack: everything that stays the same from block to block.

    inputs: of the first text. n: tokens of a text. last: the layer in which the pass ends with its last wanted
    attention; None: it runs to the end.
    """

    spec: Spec
    tensors: Tensors
    inputs: Inputs
    watching: Mapping[str, Observer]
    stream: str
    n: int
    last: int | None
    memory: Array | None
    cache: Cache | None
    edit: Edit | None = None

    @cached_property
    def _places(self) -> Places:
        return Places(self.spec, self.tensors, self.inputs, self.n)

    def block(self, i: int, x: Array) -> Array:
        """One block: [n, d_model] -> [n, d_model]."""
        name = self.spec.stored(i)
        sublayers = [self._attention(i, name, x)]
        if self.spec.cross and not self.spec.parallel:
            sublayers.append(self._cross_attention(i, name))
        return self._shaped(x, [*sublayers, *self._mlp(i, name)])

    def _shaped(self, x: Array, sublayers: Sequence[Sublayer]) -> Array:
        spec = self.spec
        if spec.parallel:
            return parallel(x, sublayers, shared=spec.parallel == "shared")
        if spec.norm_after:
            return post_norm(x, sublayers)
        return pre_norm(x, sublayers, spec.residual_from_norm)

    # Sublayers

    def _attention(self, i: int, name: str, x: Array) -> Sublayer:
        """Self-attention of a block whose input is x."""
        ends = i == self.last and not self.watching["cross"].wanting(i)
        observer = self.watching[self.stream]
        asking = observer.asking(i)
        unseen = ends and not asking

        def attention(read: Array) -> Array:
            heads, layer = self._heads(i, name, read, wants_v=not unseen)
            out = self._output(name + "o", layer, heads, unseen)
            if asking:
                block = self._after_attention(i, name, x, read, out)
                for collector in asking:
                    collector.after_attention(i, block)
            if ends:
                raise _Enough
            return self._closed(name, 1, out)

        normed = self.spec.norm_after or (self.spec.norm_before and (i > 0 or self.spec.first_norm))
        return Sublayer(self._norm(name + "norm1") if normed else _same, attention, observer.tap(i))

    def _cross_attention(self, i: int, name: str) -> Sublayer:
        """Attention to the other stack's output."""
        ends, observer = i == self.last, self.watching["cross"]

        def attention(read: Array) -> Array:
            heads, layer = self._cross_heads(i, name, read, wants_v=not ends)
            out = self._output(name + "cross_o", layer, heads, ends)
            if ends:
                raise _Enough
            return out

        normed = self.spec.norm_before or self.spec.norm_after
        return Sublayer(self._norm(name + "norm_cross") if normed else _same, attention, observer.tap(i))

    def _mlp(self, i: int, name: str) -> list[Sublayer]:
        """The MLP, or nothing where a model has none."""
        spec, tap = self.spec, self.watching[self.stream].tap(i)
        if not spec.d_mlp:
            return []

        def function(read: Array) -> Array:
            out = self._closed(name, 2, mlp(spec, self.tensors, name, read, spec.has_experts(i)))
            tap("mlp", out)
            return out

        normed = spec.norm_before or spec.norm_after
        return [Sublayer(self._norm(name + "norm2") if normed else _same, function)]

    def _norm(self, name: str) -> Function:
        return lambda x: norm_of(self.spec.norm, self.tensors, name, x)

    def _closed(self, name: str, which: int, out: Array) -> Array:
        """A sublayer's output as it goes into the sum: normalised and scaled where the model does so."""
        if self.spec.norm_output:
            out = self._norm(f"{name}norm{which}_out")(out)
        if self.spec.layer_scale:
            out *= self.tensors.get(f"{name}scale{which}", (self.spec.d_model,))
        if self.spec.sublayer_scale != 1:
            out *= np.float32(self.spec.sublayer_scale)
        return out

    def convolved(self, first: Array, x: Array) -> Array:
        """The output of layer 0 plus a convolution over the embeddings, normalised. Source: He 2021, section 3.3."""
        spec, kernel, d_model = self.spec, self.spec.convolution_after_first, self.spec.d_model
        groups = spec.convolution_groups
        weight = self.tensors.get("convolution.weight", (d_model, d_model // groups, kernel))
        bias = self.tensors.get("convolution.bias", (d_model,))
        y = convolve(np.ascontiguousarray(first.T), weight, bias, pad=(kernel - 1) // 2, groups=groups)
        y = activate_(spec.convolution_activation, np.ascontiguousarray(y.T))
        return norm_of(spec.norm, self.tensors, "convolution.norm", x + y)

    # Attention

    def _heads(self, i: int, name: str, x: Array, wants_v: bool) -> tuple[Heads, Layer]:
        """Queries, keys and values of self-attention, and what the layer does with them."""
        spec, inputs, observer = self.spec, self.inputs, self.watching[self.stream]
        tap, wants_v = observer.tap(i), wants_v or observer.needs("v", "outputs", "vectors")
        tap("read", x)
        projector = Projector(spec, self.tensors, name, tap=tap)
        heads = projector.project(x, None, wants_v)
        rotary = spec.rotary_of(i)
        heads = turn(heads, self._places.turns(rotary), rotary, spec.rotary_values)
        if spec.rotary_values:
            tap("v", heads.v)
        heads = projector.norm_turned(heads)
        if self.cache is not None:
            heads = self.cache.grown(i, heads)
        heads, relative = self._relative(name, heads)
        global_heads = None
        if spec.global_tokens and inputs.global_tokens:
            whole = Projector(spec, self.tensors, name, "global_", tap=tap.under("global_")).project(x, None, wants_v)
            global_heads = replace(whole, q=whole.q[:, list(inputs.global_tokens)])
        sinks = self.tensors.get(name + "sinks", (spec.n_heads,)) if spec.sinks else None
        tap("sinks", sinks)
        mask, times = self._mask(i)
        return heads, Layer(
            stream=self.stream,
            index=i,
            scale=spec.scale / (i + 1) if spec.scale_by_layer else spec.scale,
            mask=mask,
            softcap=spec.softcap,
            sinks=sinks,
            bias=self._places.bias(name, x),
            relative=relative,
            global_heads=global_heads,
            first_block_times=times,
            variant=spec.variant_of(i),
            edit=self.edit,
        )

    def _mask(self, i: int) -> tuple[Mask, int]:
        """The mask of a layer, and how often the keys of the first block count."""
        spec, n, first = self.spec, self.n, self.inputs.first
        if spec.blocks is not None and spec.blocks.used(n):  # instead of a causal mask, as in the reference
            return Mask(n, n, block=spec.blocks.size), 1 + spec.blocks.n_random
        return Mask(n, first + n, spec.causal, spec.reach_of(i), self.inputs.global_tokens, first=first), 1

    def _relative(self, name: str, heads: Heads) -> tuple[Heads, Callable[[range], RelativeScores] | None]:
        if self.spec.relative is None:
            return heads, None
        from attnviz.engine.relative import relative_scores

        return relative_scores(self.spec, self.tensors, name, heads, self.inputs)

    def _cross_heads(self, i: int, name: str, x: Array, wants_v: bool) -> tuple[Heads, Layer]:
        """Queries from x, keys and values from the other stack's output."""
        spec, memory, observer = self.spec, self.memory, self.watching["cross"]
        assert memory is not None
        tap, wants_v = observer.tap(i), wants_v or observer.needs("v", "outputs", "vectors")
        tap("read", x)
        tap("memory", memory)
        known = None if self.cache is None else self.cache.memory(i)
        projector = Projector(spec, self.tensors, name, "cross_", tap)
        heads = projector.project(x, memory, wants_v, known)
        if self.cache is not None:
            self.cache.remember(i, heads)
        mask = Mask(self.n, memory.shape[-2])
        variant = spec.variant_of(i)
        return heads, Layer(stream="cross", index=i, scale=spec.scale, mask=mask, variant=variant, edit=self.edit)

    def _output(self, name: str, layer: Layer, heads: Heads, unseen: bool) -> Array:
        """Through the tiles, then the heads side by side through W_O: [n, d_model].

        unseen: only collectors that see vectors need the output. Raises _Enough if no collector sees vectors.
        """
        observer = self.watching[layer.stream]
        tap = observer.tap(layer.index)
        out = attend(layer, heads, observer)
        if out is None or (unseen and not tap.watchers):
            raise _Enough
        if self.edit is not None:
            self.edit.replace_(layer.stream, layer.index, out.reshape(*out.shape[:-1], self.spec.n_heads, -1))
        tap("heads", out)
        if self.spec.output:
            weight, bias = self._o(name)
            out = linear(out, weight, bias)
            if tap.watchers:
                tap("o.weight", self._o_whole(name))
                tap("o.bias", bias)
        tap("output", out)
        return out

    def _o(self, name: str) -> tuple[Array | Matrix, Array | None]:
        """W_O, for products, and its bias."""
        spec = self.spec
        weight = matrix_of(self.tensors, f"{name}.weight", (spec.d_model, spec.n_heads * spec.d_value))
        return weight, self.tensors.get(f"{name}.bias", (spec.d_model,)) if spec.o_bias else None

    def _o_whole(self, name: str) -> Array:
        return self.tensors.get(f"{name}.weight", (self.spec.d_model, self.spec.n_heads * self.spec.d_value))

    # What follows the heads

    def _after_attention(self, i: int, name: str, x: Array, read: Array, out: Array) -> AfterAttention:
        """The part of block i after its heads. x: its input; read: x after the first norm; out: W_O's output."""
        from attnviz.engine.after_attention import AfterAttention, Scaled

        spec, tensors = self.spec, self.tensors

        def scaled(norm: str, whole: Array) -> Scaled:
            weight = tensors.get(f"{norm}.weight", (spec.d_model,)) if spec.norm.weight else None
            return Scaled(spec.norm, whole, weight)

        residual = read if spec.residual_from_norm and not spec.parallel else x
        total = residual + self._closed(name, 1, out.copy())
        weight, bias = self._o(name + "o") if spec.output else (None, None)
        closing = spec.norm_after and not spec.parallel

        def finish(heads: Array, rows: NDArray[np.intp]) -> Array:
            changed = heads if weight is None else linear(heads, weight, bias)
            norm = self._norm(name + "norm1") if spec.norm_after else lambda x: read[rows]
            attention = Sublayer(norm, lambda _: self._closed(name, 1, changed))
            return self._shaped(x[rows], [attention, *self._mlp(i, name)])

        return AfterAttention(
            residual=residual,
            weight=self._o_whole(name + "o") if spec.output else None,
            inner=scaled(name + "norm1_out", out) if spec.norm_output else None,
            scale=self._scale(name),
            outer=scaled(name + "norm1", total) if closing else None,
            added=self._norm(name + "norm1")(total) if closing else total,
            finish=None if spec.cross else finish,
        )

    def _scale(self, name: str) -> Array | None:
        """The factors of the attention output before the sum, [d_model]; None for no factors."""
        spec = self.spec
        if not spec.layer_scale and spec.sublayer_scale == 1:
            return None
        scale = np.full(spec.d_model, spec.sublayer_scale, np.float32)
        return scale * self.tensors.get(name + "scale1", (spec.d_model,)) if spec.layer_scale else scale


def _same(x: Array) -> Array:
    """The norm of a block that has none."""
    return x
