"""Model: something that attends. `attnviz.load` opens one, `Model.attend` runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.engine.collectors import Dense, HeadMaps, Pooled
from attnviz.engine.forward import run
from attnviz.engine.observer import Collector
from attnviz.engine.texts import run_texts
from attnviz.errors import InputError, SelectionError, one_of
from attnviz.models.base import Transformer
from attnviz.models.inputs import InputArguments, ModelInput, prepare, read
from attnviz.select import HeadChoice, LayerChoice, chosen, chosen_heads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.checkpoints.kept import Kept

Progress = Callable[[float], None]


# A note for models whose reference keeps no weights of single heads.
OF_ALL_HEADS = "every head shows the mean over all heads, as the reference gives it (own heads: --own-heads)"


class Model(Transformer):
    """A transformer ready to attend. Its fields are explained in `Transformer`."""

    def __repr__(self) -> str:
        sizes = ", ".join(f"{s} {self.size(s)[0]} x {self.size(s)[1]}" for s in self.streams)
        return f"<Model {self.name}: {sizes}>"

    def tokens(self, text: str | None = None, pair: str | None = None, ids: Sequence[int] | None = None) -> Tokens:
        """The tokens of a text, or the tokens with these ids."""
        return read(self, text, pair, ids, None)[0]

    def with_mechanism(self, asked: str, layer: int | None = None) -> Model:
        """This model with another kind of attention, as in "additive", "window:3", "lsh:8,rounds=2".

        Args:
            asked: a name that `attnviz mechanisms` lists, and its numbers.
            layer: only there, where the mechanism can be in one layer alone; a negative one counts from the end.

        Raises:
            SelectionError: there is no such mechanism or layer, its numbers make no sense, or this model cannot have
                it; one that already has a mechanism cannot have a second.
        """
        from attnviz.checkpoints.seeded import SeededWeights
        from attnviz.variants import parse
        from attnviz.variants.applied import applied, check_fits

        variant = parse(asked)
        spec = check_fits(self.spec, variant, self.name, self.two_texts, self.mechanism)
        if layer is not None:
            layer = chosen("layer", layer, spec.n_layers)[0]
        draw = SeededWeights(int(self.meta.get("seed", 0)), spec).normal
        says = f"{variant.mechanism.name}: {variant.described}" if variant.values else variant.mechanism.name
        notes = [*self.meta.get("notes", ()), f"{says} ({variant.mechanism.source})"]
        return replace(
            self,
            name=f"{self.name}, {variant.name}",
            spec=applied(spec, variant, draw, layer),
            pictures=None if self.pictures is None else applied(self.pictures, variant, draw, layer),
            mechanism=variant,
            meta={**self.meta, "mechanism": variant.name, "notes": notes},
        )

    def chat(self, text: str, date: str | None = None) -> list[int]:
        """The ids of a text as a user's turn in the model's own chat template, the opening of the answer behind it.

        They are for `ids=`: the template writes special tokens where they belong, so that no more are added.
        date: the day that the template may write, as 2026-01-31; a template that insists on one fails without.
        Raises InputError: the model has no chat template, or jinja2 is not installed.
        """
        from attnviz.tokens.chat import chat_ids

        metadata = self.checkpoint.config if self.checkpoint is not None else None  # of a GGUF file
        return chat_ids(text, self.tokenizer, metadata, self.folder, self.name, date)

    def keep_weights(self, limit: int | None = None) -> None:
        """Set how many bytes unpacked weights of a quantised file may take, for new tokens; None: half of what is free.

        The numbers are the same for any limit. Weights that are kept already are dropped.
        """
        kept = self._kept()
        if kept is not None:
            kept.resize(limit)

    def weights_kept(self) -> str:
        """One line about unpacked weights that are kept; "" for none."""
        kept = self._kept()
        return "" if kept is None else kept.described()

    def _kept(self) -> Kept | None:
        return getattr(getattr(self.tensors, "weights", self.tensors), "kept", None)

    def attend(
        self,
        text: str | None = None,
        pair: str | None = None,
        *,
        layers: LayerChoice = None,
        heads: HeadChoice = None,
        cells: int | None = None,
        pool: str = "max",
        rows: tuple[int, int] | None = None,
        cols: tuple[int, int] | None = None,
        own_heads: bool = False,
        progress: Progress | None = None,
        **inputs: Unpack[InputArguments],
    ) -> Attention:
        """The attention of this model on one input.

        Args:
            text, pair: what is read, tokenized with the model's special tokens.
            target: the decoder's text, for an encoder-decoder (teacher forcing).
            ids, token_types, target_ids: token ids instead, used as they are.
            pixel_values [channel, row, column], input_values [sample], input_features [mel, frame]: image or sound.
            stream: self | encoder | decoder | cross. Default: self; for an encoder-decoder cross with a target,
                else encoder.
            layers, heads: which to keep; all by default. A negative index counts from the end; "0-3" is text for
                several. heads=["3.1", "5.11"]: heads of different layers, in that order (`Attention.pairs`).
            cells, pool: where the text has more tokens than `cells`, pool each head to at most cells x cells as it is
                computed, keeping the largest or the mean weight of each cell: "max" | "mean".
            rows, cols: keep only queries or keys from the first to before the second of these indices.
            global_tokens: positions that attend to every token and that every token attends to, in models that have
                them (Longformer, LED). By default the first token of a text; none for ids.
            own_heads: each head's own weights also where the reference gives the mean over heads for each (WavLM);
                analyses take these always, and other models give nothing else.
            progress: called with shares of the work as they are done; they sum to 1.

        Raises:
            InputError: the input is empty, of the wrong kind or too long for the model.
            SelectionError: no such stream, layer or head.
            CheckpointError: a tensor that is needed is missing, misshapen or holds NaN.
        """
        model_input = self.prepare(text, pair, **inputs)
        at = chosen_heads(layers, heads, model_input.spec.n_layers, model_input.spec.n_heads)
        self._check_layer(model_input, max(at.layers))
        window = (_window("rows", rows, len(model_input.queries)), _window("cols", cols, len(model_input.keys)))
        cell = _cell(cells, pool, *map(len, window))
        if cell > 1 and pool == "max" and self.mechanism is not None and self.mechanism.signed:
            raise SelectionError(
                f"weights of {self.mechanism.name} have signs: the largest says little", "pool by mean"
            )
        cropped = rows is not None or cols is not None
        if cell > 1 and cropped:
            raise SelectionError("a window (rows, cols) is kept at full resolution: it cannot be pooled to cells too")

        def kept(layers: Sequence[int], heads: Sequence[int]) -> Dense | Pooled:
            if cell == 1:
                return Dense(layers, heads, *window)
            return Pooled(layers, heads, len(model_input.queries), len(model_input.keys), cell, pool)

        maps = HeadMaps(at.layers, at.heads, at.pairs, kept)
        collectors: list[Collector] = maps.each
        mean = model_input.spec.mean_of_heads and model_input.stream != "cross" and not own_heads
        if mean:
            from attnviz.engine.mean import MeanOfHeads

            collectors = [MeanOfHeads(collector, model_input.spec.n_heads) for collector in maps.each]
        self.observe(model_input, collectors, progress)
        return model_input.attention(
            self.name,
            maps.result(),
            maps.mask,
            at.layers,
            at.heads,
            pairs=at.pairs,
            queries=(model_input.queries.take(window[0]) if cropped else model_input.queries).cells(cell),
            keys=(model_input.keys.take(window[1]) if cropped else model_input.keys).cells(cell),
            grid=model_input.grid if cell == 1 and not cropped else None,
            cell=cell,
            reduced=f"{pool} over cells of {cell} x {cell} tokens" if cell > 1 else "",
            meta={
                **model_input.meta,
                **({"window": [[w.start, w.stop] for w in window]} if cropped else {}),
                **({"notes": [*model_input.meta.get("notes", ()), OF_ALL_HEADS]} if mean else {}),
            },
        )

    def prepare(self, text: str | None = None, pair: str | None = None, **inputs: Unpack[InputArguments]) -> ModelInput:
        """An input as the engine takes it, with the labels of both axes. Arguments and errors as for `attend`."""
        model_input = prepare(self, text, pair, **inputs)
        positions = getattr(model_input.spec.absolute, "size", None)
        if self.beyond and positions is not None and len(model_input.keys) > positions:
            raise InputError(f"the text has {len(model_input.keys)} tokens; {self.name} reads {positions}", self.beyond)
        return model_input

    def _check_layer(self, model_input: ModelInput, layer: int) -> None:
        """A layer that the file lacks is an error before room is made for its maps: a configuration may claim any."""
        spec = model_input.spec
        prefix = self.spec.passes(model_input.stream, model_input.image)[-1].prefix
        name = f"{prefix}{spec.stored(layer)}{'cross_' if model_input.stream == 'cross' else ''}q.weight"
        if not self.tensors.has(name):
            d_in = spec.latent.d_q if spec.latent is not None and spec.latent.d_q else spec.d_model
            self.tensors.get(name, (spec.n_heads * spec.d_head, d_in))  # its error gives both names

    def observe(
        self, model_input: ModelInput, collectors: Sequence[Collector], progress: Progress | None = None
    ) -> None:
        """One pass over an input, its tiles going to all of these collectors."""
        stack = self.spec.passes(model_input.stream, model_input.image)[-1]
        memory = self.memory(model_input, progress)
        if memory is not None:
            progress = _part(progress, 0.5)
        run(
            model_input.spec,
            self.tensors_of(stack),
            model_input.inputs[stack.stream],
            {model_input.stream: list(collectors)},
            stream=stack.stream,
            memory=memory,
            progress=progress,
        )

    def observe_texts(
        self,
        model_inputs: Sequence[ModelInput],
        collectors: Sequence[Sequence[Collector]],
        progress: Progress | None = None,
        exact: bool = True,
    ) -> None:
        """Show each of several inputs to its own collectors, as `observe` does, bit for bit.

        Texts of one length pass together, which takes less time for short texts. Cross-attention, images and sound pass
        one after the other. Collectors, exact: see `run_texts`.
        """
        groups: dict[tuple[Any, ...], list[int]] = {}
        for i, each in enumerate(model_inputs):
            first, *more = self.spec.passes(each.stream, each.image)
            groups.setdefault((i,) if more else (first.prefix, each.stream, len(each.keys)), []).append(i)
        for indices in groups.values():
            share = _part(progress, len(indices) / len(model_inputs))
            first_input = model_inputs[indices[0]]
            if len(indices) == 1:
                self.observe(first_input, collectors[indices[0]], share)
                continue
            stack = self.spec.passes(first_input.stream, first_input.image)[-1]
            run_texts(
                first_input.spec,
                self.tensors_of(stack),
                [model_inputs[i].inputs[stack.stream] for i in indices],
                [collectors[i] for i in indices],
                stream=stack.stream,
                progress=share,
                exact=exact,
            )

    def memory(self, model_input: ModelInput, progress: Progress | None = None) -> NDArray[np.float32] | None:
        """The output [key, d_model] that cross-attention reads, of the pass before a stream's own; None if it has none.

        progress: called with shares of the work, which sum to 1/2.
        """
        first, *more = self.spec.passes(model_input.stream, model_input.image)
        if not more:
            return None
        source, tensors = model_input.inputs[first.stream], self.tensors_of(first)
        return run(first.spec, tensors, source, {}, stream=first.stream, whole=True, progress=_part(progress, 0.5))


def _part(progress: Progress | None, part: float) -> Progress | None:
    """Progress of a pass that is this part of the work."""
    return None if progress is None else lambda share: progress(share * part)


def _window(what: str, asked: tuple[int, int] | None, n: int) -> range:
    """A range of places, all of them by default."""
    if asked is None:
        return range(n)
    start, stop = asked
    if not 0 <= start < stop <= n:
        raise SelectionError(f"{what} must lie within 0-{n - 1}; got {start}-{stop - 1}")
    return range(start, stop)


def _cell(cells: int | None, pool: str, n_query: int, n_key: int) -> int:
    """The number of tokens per cell, so that a head has at most cells x cells of them."""
    if pool not in ("max", "mean"):
        raise SelectionError(one_of("pool", pool, ("max", "mean")))
    if cells is None:
        return 1
    if isinstance(cells, bool) or not isinstance(cells, (int, np.integer)) or cells < 1:
        raise SelectionError(f"cells must be a whole number from 1; got {cells!r}")
    return -(-max(n_query, n_key) // int(cells))
