"""Model: something that attends. `load` finds one, `Model.attend` runs it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from attnviz import __version__
from attnviz.attention import STREAMS, Attention, Tokens
from attnviz.engine.collect import Collector, Dense, Pooled
from attnviz.engine.embed import Inputs
from attnviz.engine.run import Tensors, run
from attnviz.engine.spec import EncoderDecoder, Patches, Segmental, Spec, Towers
from attnviz.errors import AttnvizWarning, ConfigError, InputError, SelectionError, one_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from attnviz.checkpoints.base import Checkpoint
    from attnviz.mechanisms import Asked
    from attnviz.tokens import Encoding

Progress = Callable[[float], None]


def load(
    source: str | Path = "seeded",
    *,
    seed: int = 0,
    n_layers: int = 2,
    n_heads: int = 4,
    d_model: int = 64,
    causal: bool = False,
    name: str | None = None,
    offline: bool = False,
    quiet: bool = False,
    adapter: str | Path | None = None,
    ignore_keys: Iterable[str] = (),
    mechanism: str | None = None,
) -> Model:
    """Open a model; nothing is read but its configuration and the headers of its weights.

    Args:
        source: "seeded", an alias ("minilm"), a folder with config.json and weights, a weight file, or org/name.
        seed, n_layers, n_heads, d_model, causal: the seeded model's random weights and sizes.
        name: what pictures call the model instead of its own name.
        offline: never touch the network.
        quiet: no progress bars while a model is fetched from the Hub.
        adapter: a folder with a PEFT LoRA adapter, merged into the weights as they are read.
        ignore_keys: configuration keys to pass over although nobody knows what they do to attention.
        mechanism: another kind of attention in place of the model's own, as in "window:3"; see `with_mechanism`.

    Raises:
        ModelError: it cannot be found, or its files cannot be used.
        SelectionError: there is no such mechanism, or this model cannot have it.
    """
    from attnviz import sources

    if str(source) == "seeded":
        if adapter is not None:
            raise sources.no_adapter("seeded")
        model = sources.seeded(seed, n_layers, n_heads, d_model, causal)
    else:
        ignored = tuple(ignore_keys)
        change = sources.adapter(adapter, ignored)
        model = sources.from_place(sources.find(source, offline, quiet), ignored, change)
    if mechanism is not None:
        model = model.with_mechanism(mechanism)
    return replace(model, name=name) if name else model


class Tokenizer(Protocol):
    """What a model asks of a tokenizer."""

    def encode(self, text: str, pair: str | None = None) -> Encoding:
        """Tokens with the special ones that the model wants, and token types."""

    def encode_target(self, text: str, start_id: int | None = None) -> Encoding:
        """The decoder's text: start token in front, no end token."""

    def describe(self, ids: Sequence[int]) -> Tokens:
        """Labels for ids."""


@dataclass(frozen=True, eq=False)
class Model:
    """A transformer ready to attend.

    name: what pictures call it. spec: what it does. tensors: its numbers. tokenizer: None if it only takes ids.
    config: its configuration as it was read. meta: what a result says about it (digest, seed, ...).
    folder: where its files lie, preprocessor_config.json for images and sound among them.
    pictures: what a model of text does with an image by the same numbers. two_texts: whether its text may attend to
    its pair, as stream "cross". mechanism: what stands in place of its own attention.
    """

    name: str
    spec: Spec | EncoderDecoder | Towers
    tensors: Tensors
    tokenizer: Tokenizer | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None
    folder: Path | None = None
    pictures: Spec | None = None
    two_texts: bool = False
    mechanism: Asked | None = None

    @property
    def streams(self) -> tuple[str, ...]:
        """The kinds of attention it has."""
        return STREAMS[1:] if isinstance(self.spec, EncoderDecoder) else STREAMS[:1]

    def stack(self, stream: str | None = None, image: bool = False) -> Spec:
        """What the stack behind a stream does; of two towers that of images if `image`, else that of text."""
        if isinstance(self.spec, Towers):
            return self.spec.image if image else self.spec.text
        if isinstance(self.spec, EncoderDecoder):
            return self.spec.encoder if (stream or "encoder") == "encoder" else self.spec.decoder
        if stream == "cross" and self.two_texts:
            return replace(self.spec, cross=True)
        return self.pictures if image and self.pictures is not None else self.spec

    def size(self, stream: str | None = None, image: bool = False) -> tuple[int, int]:
        """(n_layers, n_heads) of a stream; of its only or first one by default."""
        spec = self.stack(stream, image)
        return spec.n_layers, spec.n_heads

    n_layers = property(lambda self: self.size()[0])
    n_heads = property(lambda self: self.size()[1])

    def __repr__(self) -> str:
        sizes = ", ".join(f"{s} {self.size(s)[0]} x {self.size(s)[1]}" for s in self.streams)
        return f"<Model {self.name}: {sizes}>"

    def tokens(self, text: str | None = None, pair: str | None = None, ids: Sequence[int] | None = None) -> Tokens:
        """How the model splits a text, or what these ids stand for."""
        return self._read(text, pair, ids, None)[0]

    def has(self, stream: str) -> bool:
        """Whether it can be asked for this stream; beside `streams` that is cross-attention between a text and its pair."""
        return stream in self.streams or (stream == "cross" and self.two_texts)

    def with_mechanism(self, asked: str, layer: int | None = None) -> Model:
        """This model with another kind of attention, as in "additive", "window:3", "lsh:8,rounds=2".

        Args:
            asked: a name that `attnviz mechanisms` lists, and its numbers.
            layer: only there, where the mechanism can be in one layer alone.

        Raises:
            SelectionError: there is no such mechanism, its numbers make no sense, or this model cannot have it.
        """
        from attnviz.checkpoints.seeded import SeededWeights
        from attnviz.mechanisms import parse
        from attnviz.mechanisms.applied import applied, check_fits

        found = parse(asked)
        spec = check_fits(self.spec, found, self.name, self.two_texts)
        draw = SeededWeights(int(self.meta.get("seed", 0)), spec).normal
        says = f"{found.mechanism.name}: {found.described}" if found.values else found.mechanism.name
        notes = [*self.meta.get("notes", ()), f"{says} ({found.mechanism.source})"]
        return replace(
            self,
            name=f"{self.name}, {found.name}",
            spec=applied(spec, found, draw, layer),
            pictures=None if self.pictures is None else applied(self.pictures, found, draw, layer),
            mechanism=found,
            meta={**self.meta, "mechanism": found.name, "notes": notes},
        )

    def chat(self, text: str) -> list[int]:
        """The ids of a text as a user's turn in the model's own chat template, the opening of the answer behind it.

        They are for `ids=`: the template writes special tokens where they belong, so that none is to be added.
        Raises InputError: the model has no chat template, or jinja2 is not installed.
        """
        from attnviz.tokens.chat import chat_text, template_in_folder, template_in_gguf

        written = getattr(self.tokenizer, "ids_as_written", None)
        metadata = self.checkpoint.config if self.checkpoint is not None else None  # of a GGUF file
        if written is not None and metadata is not None:
            template, names = template_in_gguf(metadata, self.name)
        elif written is not None and self.folder is not None:
            template, names = template_in_folder(self.folder, self.name)
        else:
            raise InputError(f"{self.name} has no chat template")
        return list(written(chat_text(text, template, names)))

    def attend(
        self,
        text: str | None = None,
        pair: str | None = None,
        *,
        target: str | None = None,
        ids: ArrayLike | None = None,
        token_types: ArrayLike | None = None,
        target_ids: ArrayLike | None = None,
        pixel_values: ArrayLike | None = None,
        input_values: ArrayLike | None = None,
        input_features: ArrayLike | None = None,
        stream: str | None = None,
        layers: Iterable[int] | int | None = None,
        heads: Iterable[int] | int | None = None,
        cells: int | None = None,
        pool: str = "max",
        rows: tuple[int, int] | None = None,
        cols: tuple[int, int] | None = None,
        global_tokens: Iterable[int] | None = None,
        progress: Progress | None = None,
    ) -> Attention:
        """The attention of this model on one input.

        Args:
            text, pair: what is read, tokenized with the model's special tokens.
            target: the decoder's text, for an encoder-decoder (teacher forcing).
            ids, token_types, target_ids: token ids instead, used as they are.
            pixel_values [channel, row, column], input_values [sample], input_features [mel, frame]: image or sound.
            stream: self | encoder | decoder | cross. Default: self; for an encoder-decoder cross with a target,
                else encoder.
            layers, heads: which to keep; all by default. A negative index counts from the end.
            cells, pool: where the text has more tokens than `cells`, pool each head to at most cells x cells as it is
                computed, keeping the largest or the mean weight of each cell: "max" | "mean".
            rows, cols: keep only queries or keys from the first to before the second of these indices.
            global_tokens: places that see all and are seen by all, where the model knows such (Longformer). By default
                the first token of a text; none for ids.
            progress: called with shares of the work as they are done; they sum to 1.

        Raises:
            InputError: the input is empty, of the wrong kind or too long for the model.
            SelectionError: no such stream, layer or head.
            CheckpointError: a tensor that is needed is missing, misshapen or holds NaN.
        """
        given = self.prepare(
            text,
            pair,
            target=target,
            ids=ids,
            token_types=token_types,
            target_ids=target_ids,
            pixel_values=pixel_values,
            input_values=input_values,
            input_features=input_features,
            stream=stream,
            global_tokens=global_tokens,
        )
        at_layers = _chosen("layer", layers, given.spec.n_layers)
        at_heads = _chosen("head", heads, given.spec.n_heads)
        self._check_layer(given, max(at_layers))
        window = (_window("rows", rows, len(given.queries)), _window("cols", cols, len(given.keys)))
        cell = _cell(cells, pool, *map(len, window))
        keep: Dense | Pooled
        if cell == 1:
            keep = Dense(at_layers, at_heads, *window)
        elif rows is None and cols is None:
            keep = Pooled(at_layers, at_heads, len(given.queries), len(given.keys), cell, pool)
        else:
            raise SelectionError("a window (rows, cols) is kept at full resolution: it cannot be pooled to cells too")
        self.observe(given, [keep], progress)
        cropped = rows is not None or cols is not None
        return Attention(
            weights=keep.result(),
            mask=keep.mask,
            queries=(given.queries.take(window[0]) if cropped else given.queries).cells(cell),
            keys=(given.keys.take(window[1]) if cropped else given.keys).cells(cell),
            layers=tuple(at_layers),
            heads=tuple(at_heads),
            stream=given.stream,
            model=self.name,
            grid=given.grid if cell == 1 and not cropped else None,
            cell=cell,
            reduced=f"{pool} over cells of {cell} x {cell} tokens" if cell > 1 else "",
            meta={
                **given.meta,
                **({"window": [[w.start, w.stop] for w in window]} if cropped else {}),
            },
        )

    def prepare(
        self,
        text: str | None = None,
        pair: str | None = None,
        *,
        target: str | None = None,
        ids: ArrayLike | None = None,
        token_types: ArrayLike | None = None,
        target_ids: ArrayLike | None = None,
        pixel_values: ArrayLike | None = None,
        input_values: ArrayLike | None = None,
        input_features: ArrayLike | None = None,
        stream: str | None = None,
        global_tokens: Iterable[int] | None = None,
    ) -> Given:
        """An input as the engine takes it, with the labels of both axes. Arguments and errors as for `attend`."""
        stream = self._stream(stream, target is not None or target_ids is not None)
        if stream == "cross" and self.two_texts:
            return self._between(text, pair)
        arrays = Arrays(*(_array(v) for v in (pixel_values, input_values, input_features)))
        image = arrays.pixels is not None
        if self.mechanism is not None and self.mechanism.mechanism.needs == "image" and not image:
            raise InputError("patches are of an image; none was given", "name one with --image FILE")
        spec = self.stack(stream, image)
        keys, source = self._source(text, pair, ids, token_types, arrays)
        source = replace(source, global_tokens=self._global(global_tokens, len(keys), text is not None and ids is None))
        inputs = {"encoder" if isinstance(self.spec, EncoderDecoder) else "self": source}
        queries = keys
        if stream in ("decoder", "cross"):
            queries, inputs["decoder"] = self._target(target, target_ids)
            keys = keys if stream == "cross" else queries
        patches = self.stack("encoder", image).patches
        return Given(
            stream,
            spec,
            queries,
            keys,
            inputs,
            image,
            grid=None if patches is None or source.pixels is None else patches.grid(*source.pixels.shape[1:]),
            meta={**self.meta, **self._notes(spec, source, len(keys)), "version": __version__},
        )

    def _between(self, text: str | None, pair: str | None) -> Given:
        """A text that attends to its pair: the pair goes through the layers alone, then the text, seeing both."""
        if text is None or pair is None:
            raise InputError(
                "cross-attention is between two texts", 'the second is given with --pair TEXT (pair="...")'
            )
        keys, memory = self._source(pair, None, None, None, Arrays())
        queries, source = self._source(text, None, None, None, Arrays())
        spec = self.stack("cross")
        meta = {**self.meta, **self._notes(spec, source, len(keys)), "version": __version__}
        inputs = {"encoder": memory, "decoder": source}
        return Given("cross", spec, queries, keys, inputs, image=False, grid=None, meta=meta)

    def _check_layer(self, given: Given, layer: int) -> None:
        """A layer that the file lacks is an error before room is made for its maps: a configuration may claim any."""
        spec = given.spec
        stack = "" if isinstance(self.spec, Spec) else "image." if given.image else "text."
        if isinstance(self.spec, EncoderDecoder):
            stack = "encoder." if given.stream == "encoder" else "decoder."
        name = f"{stack}{spec.stored(layer)}{'cross_' if given.stream == 'cross' else ''}q.weight"
        if not self.tensors.has(name):
            self.tensors.get(name, (spec.n_heads * spec.d_head, spec.d_model))  # its error gives both names

    def observe(self, given: Given, collectors: Sequence[Collector], progress: Progress | None = None) -> None:
        """One pass over an input, its tiles going to all of these collectors."""
        wanted = {given.stream: list(collectors)}
        if isinstance(self.spec, Spec) and given.stream == "cross":
            memory = run(self.spec, self.tensors, given.inputs["encoder"], {}, whole=True)
            run(given.spec, self.tensors, given.inputs["decoder"], wanted, memory=memory, progress=progress)
            return
        if isinstance(self.spec, Spec):
            run(given.spec, self.tensors, given.inputs["self"], wanted, progress=progress)
            return
        if isinstance(self.spec, Towers):
            tower = Scoped(self.tensors, "image." if given.image else "text.")
            run(given.spec, tower, given.inputs["self"], wanted, progress=progress)
            return
        encoder, decoder = Scoped(self.tensors, "encoder."), Scoped(self.tensors, "decoder.")
        read = given.inputs["encoder"]
        if given.stream == "encoder":
            run(self.spec.encoder, encoder, read, wanted, stream="encoder", progress=progress)
            return
        half: Progress | None = None if progress is None else lambda share: progress(share / 2)
        memory = run(self.spec.encoder, encoder, read, {}, stream="encoder", whole=True, progress=half)
        run(self.spec.decoder, decoder, given.inputs["decoder"], wanted, stream="decoder", memory=memory, progress=half)

    def _notes(self, spec: Spec, source: Inputs, n: int) -> dict[str, Any]:
        """What a picture should say about these numbers beside the model."""
        notes = list(self.meta.get("notes", ()))
        if spec.blocks is not None and spec.blocks.used(n) and spec.blocks.n_random:
            notes.append(f"keys of the first block count {1 + spec.blocks.n_random} times, as in the reference")
        if spec.sinks:
            notes.append("a learned sink outside the text takes a share of each row")
        if source.global_tokens:
            notes.append("global tokens: " + ", ".join(map(str, source.global_tokens)))
        said: dict[str, Any] = {"notes": notes} if notes else {}
        return {**said, "sinks": True} if spec.sinks else said

    # From an input to a stack's arrays

    def _stream(self, stream: str | None, has_target: bool) -> str:
        name = self.mechanism.mechanism.name if self.mechanism is not None else ""
        if stream is None and name == "cross":
            return "cross"
        if self.mechanism is not None and stream == "cross":
            from attnviz.mechanisms.applied import check_stream

            check_stream(self.mechanism, stream)
        if stream is None:
            return "self" if self.streams == ("self",) else "cross" if has_target else "encoder"
        if not self.has(stream):
            raise SelectionError(one_of(f"stream of {self.name}", stream, self.streams))
        return stream

    def _read(
        self, text: str | None, pair: str | None, ids: ArrayLike | None, token_types: ArrayLike | None
    ) -> tuple[Tokens, NDArray[np.intp] | None, NDArray[np.intp] | None]:
        """Tokens, ids and token types of what is read."""
        if ids is not None:
            numbers = _id_array("ids", ids)
            types = None if token_types is None else _id_array("token_types", token_types)
            if types is not None and len(types) != len(numbers):
                raise InputError(f"token_types must be as many as ids, {len(numbers)}; got {len(types)}")
            return self._described(numbers), numbers, types
        if text is None:
            raise InputError("nothing to read: neither a text nor ids were given")
        if self.tokenizer is None:
            raise InputError(
                f"{self.name} has no tokenizer, so it cannot read a text",
                "give token ids instead: --ids 101,2054,102 (ids=[...] in Python)",
            )
        encoding = self.tokenizer.encode(text, pair)
        first = self.stack("encoder")
        types = np.array(encoding.type_ids, np.intp) if first.n_types or isinstance(first.relative, Segmental) else None
        return encoding.tokens, np.array(encoding.tokens.ids, np.intp), types

    def _described(self, ids: NDArray[np.intp]) -> Tokens:
        if self.tokenizer is not None:
            return self.tokenizer.describe(ids.tolist())
        return Tokens.plain([str(i) for i in ids], ids.tolist())

    def _source(
        self,
        text: str | None,
        pair: str | None,
        ids: ArrayLike | None,
        token_types: ArrayLike | None,
        arrays: Arrays,
    ) -> tuple[Tokens, Inputs]:
        """What the first stack reads, and its labels."""
        spec = self.stack("encoder", arrays.pixels is not None)
        if spec.patches is not None:
            if arrays.pixels is None:
                raise InputError(f"{self.name} reads images; none was given", "name one with --image FILE")
            return _patch_labels(spec.patches, arrays.pixels), Inputs(pixels=arrays.pixels)
        if spec.convolutions is not None:
            sound = arrays.sound if spec.convolutions.channels == 1 else arrays.features
            if sound is None:
                raise InputError(f"{self.name} reads sound; none was given", "name a WAV file with --audio FILE")
            frames = spec.convolutions.frames(sound.shape[-1])
            return Tokens.plain([str(i) for i in range(frames)]), Inputs(sound=sound)
        tokens, numbers, types = self._read(text, pair, ids, token_types)
        self._check_length(spec, len(tokens))
        return tokens, Inputs(numbers, types, tokens.text if spec.by_word else ())

    def _target(self, target: str | None, target_ids: ArrayLike | None) -> tuple[Tokens, Inputs]:
        """What the decoder reads, and its labels."""
        assert isinstance(self.spec, EncoderDecoder)
        if target_ids is not None:
            numbers = _id_array("target_ids", target_ids)
            tokens = self._described(numbers)
        elif target is not None:
            if self.tokenizer is None:
                raise InputError(f"{self.name} has no tokenizer, so it cannot read a target", "give target_ids instead")
            tokens = self.tokenizer.encode_target(target, self.spec.start_id).tokens
            numbers = np.array(tokens.ids, np.intp)
        else:
            raise InputError("decoder and cross attention need the decoder's text", "give it with --target TEXT")
        self._check_length(self.spec.decoder, len(tokens))
        return tokens, Inputs(numbers)

    def _global(self, asked: Iterable[int] | None, n: int, is_text: bool) -> tuple[int, ...]:
        """Global tokens, checked, for a model that knows them."""
        knows = isinstance(self.spec, Spec) and self.spec.global_tokens
        if asked is None:
            named = self.mechanism is not None and self.mechanism.mechanism.name == "global"
            first = self.mechanism["tokens"] if self.mechanism is not None and named else 1
            return tuple(range(min(first, n))) if knows and is_text else ()
        found = tuple(sorted({int(i) for i in asked}))
        if found and not knows:
            raise InputError(f"{self.name} has no global tokens")
        if found and not 0 <= found[0] <= found[-1] < n:
            raise SelectionError(f"global tokens must be from 0 to {n - 1}; got {list(found)}")
        return found

    def _check_length(self, spec: Spec, n: int) -> None:
        if n == 0:
            raise InputError("there are no tokens to attend to")
        if spec.trained_positions and n > spec.trained_positions:
            message = f"{n} tokens are more than the {spec.trained_positions} that {self.name} was trained for"
            warnings.warn(message, AttnvizWarning, stacklevel=4)


@dataclass(frozen=True, eq=False)
class Given:
    """An input ready to run: which stream, what its stack does, labels of both axes, and what each stack reads."""

    stream: str
    spec: Spec
    queries: Tokens
    keys: Tokens
    inputs: Mapping[str, Inputs]
    image: bool
    grid: tuple[int, int] | None
    meta: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Arrays:
    """Image and sound as they were given: pixels [channel, row, column], sound [sample], features [mel, frame]."""

    pixels: NDArray[np.float32] | None = None
    sound: NDArray[np.float32] | None = None
    features: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Scoped:
    """A stack's tensors among those of a model: every name behind a prefix."""

    tensors: Tensors
    prefix: str

    def get(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        return self.tensors.get(self.prefix + name, shape)

    def rows(self, name: str, ids: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
        return self.tensors.rows(self.prefix + name, ids, shape)

    def has(self, name: str) -> bool:
        return self.tensors.has(self.prefix + name)


def _chosen(what: str, wanted: Iterable[int] | int | None, count: int) -> list[int]:
    """True indices, in the order asked for, from None (all), one index or several."""
    if wanted is None:
        return list(range(count))
    asked = [int(wanted)] if isinstance(wanted, (int, np.integer)) else [int(i) for i in wanted]
    if not asked:
        raise SelectionError(f"no {what} was named")
    found: dict[int, None] = {}
    for index in asked:
        if not -count <= index < count:
            shown = f"{what}s 0-{count - 1}" if count > 1 else f"only {what} 0"
            raise SelectionError(f"{what} {index} is not there; the model has {shown}")
        found[index % count] = None
    return list(found)


def _window(what: str, asked: tuple[int, int] | None, n: int) -> range:
    """A range of places, all of them by default."""
    if asked is None:
        return range(n)
    start, stop = asked
    if not 0 <= start < stop <= n:
        raise SelectionError(f"{what} must lie within 0-{n - 1}; got {start}-{stop - 1}")
    return range(start, stop)


def _cell(cells: int | None, pool: str, n_query: int, n_key: int) -> int:
    """How many tokens go into a cell, so that a head has at most cells x cells of them."""
    if pool not in ("max", "mean"):
        raise SelectionError(one_of("pool", pool, ("max", "mean")))
    if cells is None:
        return 1
    if isinstance(cells, bool) or not isinstance(cells, (int, np.integer)) or cells < 1:
        raise SelectionError(f"cells must be a whole number from 1; got {cells!r}")
    return -(-max(n_query, n_key) // int(cells))


def _array(values: ArrayLike | None) -> NDArray[np.float32] | None:
    """Finite float32 numbers, None for nothing."""
    if values is None:
        return None
    array = np.asarray(values, np.float32)
    if array.size == 0 or not np.isfinite(array).all():
        raise InputError("image and sound must hold numbers, and no NaN or infinity among them")
    return array


def _patch_labels(patches: Patches, pixels: NDArray[np.float32]) -> Tokens:
    """`[class]` and the like in front, then `row,column` of each patch."""
    if pixels.ndim != 3:
        raise InputError(f"pixel_values must be [channel, row, column]; got {list(pixels.shape)}")
    rows, cols = patches.grid(*pixels.shape[1:])
    front = [f"[{name}]" for name in patches.prefix]
    plain = Tokens.plain([*front, *(f"{r},{c}" for r in range(rows) for c in range(cols))])
    return replace(plain, special=(True,) * len(front) + (False,) * (rows * cols))


def _id_array(what: str, values: ArrayLike) -> NDArray[np.intp]:
    """Whole numbers, one axis, none negative."""
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise InputError(f"{what} must be a list of whole numbers, at least one; got {_described_value(array)}")
    if int(array.min()) < 0:
        raise InputError(f"{what} must not be negative; got {int(array.min())}")
    return array.astype(np.intp)


def _described_value(array: NDArray[Any]) -> str:
    return f"an array of shape {list(array.shape)} and type {array.dtype}" if array.size else "nothing"


def tensor_rows(model: Model) -> Iterator[tuple[str, str, tuple[int, ...], str]]:
    """(stored name, our name, shape, dtype) of every tensor, from headers only."""
    if model.checkpoint is None:
        for name, shape in model.tensors.names():  # type: ignore[attr-defined]
            yield name, name, shape, "F32"
        return
    ours = model.tensors.canonical()  # type: ignore[attr-defined]
    for stored in model.checkpoint.tensors.values():
        yield stored.name, ours.get(stored.name, ""), stored.shape, stored.dtype


def tensor_values(model: Model, name: str) -> NDArray[Any]:
    """One tensor as it is stored, by its stored name or by ours. Raises ConfigError if there is none."""
    for stored, ours, shape, _ in tensor_rows(model):
        if name in (stored, *ours.split(", ")):
            if model.checkpoint is None:
                return model.tensors.get(stored, shape)
            return model.checkpoint.read(stored)
    from difflib import get_close_matches

    near = get_close_matches(name, [row[0] for row in tensor_rows(model)], n=3, cutoff=0.4)
    raise ConfigError(f"{model.name} has no tensor {name!r}", f"the nearest: {', '.join(near)}" if near else "")
