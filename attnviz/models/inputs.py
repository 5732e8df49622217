"""The input of a model: a text, ids, an image or sound, as the arrays that its stacks read, and both axes' labels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from attnviz import __version__
from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.engine.inputs import Inputs
from attnviz.engine.spec import Learned, Patches, Segmental, Spec
from attnviz.errors import AttnvizWarning, InputError, SelectionError, no_tokenizer, one_of
from attnviz.tokens.fitting import too_long
from attnviz.tokens.unknown import WHAT_TO_DO, unknown_note, warn_of_unknown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from attnviz.models.base import Transformer


@dataclass(frozen=True, eq=False)
class ModelInput:
    """An input ready to run: which stream, what its stack does, labels of both axes, and what each stack reads."""

    stream: str
    spec: Spec
    queries: Tokens
    keys: Tokens
    inputs: Mapping[str, Inputs]
    image: bool
    grid: tuple[int, int] | None
    meta: Mapping[str, Any]

    @property
    def global_tokens(self) -> tuple[int, ...]:
        """The places that see all and are seen by all in this stream."""
        return self.inputs[self.stream].global_tokens if self.stream in self.inputs else ()

    def attention(
        self,
        model: str,
        weights: NDArray[np.float32],
        mask: NDArray[np.bool_],
        layers: Iterable[int],
        heads: Iterable[int],
        **more: Any,
    ) -> Attention:
        """An Attention of this input: its tokens, stream, grid and meta beside these weights.

        model: its name. more: further fields of the Attention, or replacements of the input's own.
        """
        own = {"queries": self.queries, "keys": self.keys, "stream": self.stream, "grid": self.grid}
        fields = {**own, "meta": dict(self.meta), **more}
        return Attention(weights, mask, layers=tuple(layers), heads=tuple(heads), model=model, **fields)


@dataclass(frozen=True, eq=False)
class Arrays:
    """Image and sound as they were given: pixels [channel, row, column], sound [sample], features [mel, frame]."""

    pixels: NDArray[np.float32] | None = None
    sound: NDArray[np.float32] | None = None
    features: NDArray[np.float32] | None = None


class InputArguments(TypedDict, total=False):
    """The arguments of an input besides its text, as `Model.attend` explains them."""

    target: str | None
    ids: ArrayLike | None
    token_types: ArrayLike | None
    target_ids: ArrayLike | None
    pixel_values: ArrayLike | None
    input_values: ArrayLike | None
    input_features: ArrayLike | None
    stream: str | None
    global_tokens: Iterable[int] | None


def prepare(
    model: Transformer,
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
) -> ModelInput:
    """An input as the engine takes it. Arguments and errors as for `Model.attend`."""
    has_target = target is not None or target_ids is not None
    if has_target and not model.spec.reads_target:
        raise InputError(f"{model.name} has no decoder to read a target", "leave out --target (target=, target_ids=)")
    stream = _stream(model, stream, has_target)
    if stream == "cross" and model.two_texts:
        return _between(model, text, pair)
    arrays = Arrays(*(_array(v) for v in (pixel_values, input_values, input_features)))
    image = arrays.pixels is not None
    if model.mechanism is not None and model.mechanism.mechanism.needs == "image" and not image:
        raise InputError("patches are of an image; none was given", "name one with --image FILE")
    spec = model.stack(stream, image)
    keys, source = _source(model, text, pair, ids, token_types, arrays)
    source = replace(source, global_tokens=_global(model, global_tokens, len(keys), text is not None and ids is None))
    inputs = {model.streams[0]: source}
    read_tokens = queries = keys
    if stream in ("decoder", "cross"):
        queries, inputs["decoder"] = _target(model, target, target_ids)
        keys = keys if stream == "cross" else queries
    patches = model.stack("encoder", image).patches
    return ModelInput(
        stream,
        spec,
        queries,
        keys,
        inputs,
        image,
        grid=None if patches is None or source.pixels is None else patches.grid(*source.pixels.shape[1:]),
        meta={**model.meta, **_notes(model, spec, source, read_tokens), "version": __version__},
    )


def _between(model: Transformer, text: str | None, pair: str | None) -> ModelInput:
    """A text that attends to its pair: the pair goes through the layers alone, then the text, seeing both."""
    if text is None or pair is None:
        raise InputError("cross-attention is between two texts", 'the second is given with --pair TEXT (pair="...")')
    keys, memory = _source(model, pair, None, None, None, Arrays())
    queries, source = _source(model, text, None, None, None, Arrays())
    spec = model.stack("cross")
    meta = {**model.meta, **_notes(model, spec, source, queries), "version": __version__}
    inputs = {"encoder": memory, "decoder": source}
    return ModelInput("cross", spec, queries, keys, inputs, image=False, grid=None, meta=meta)


def _notes(model: Transformer, spec: Spec, source: Inputs, tokens: Tokens) -> dict[str, Any]:
    """Notes for a picture about these numbers besides the model. tokens: the tokens of the source."""
    notes, n = list(model.meta.get("notes", ())), len(tokens)
    lost = unknown_note(tokens, _unknown(model), model.name)
    if lost:
        notes.append(f"{lost}; {WHAT_TO_DO}")
    if spec.blocks is not None and spec.blocks.used(n) and spec.blocks.n_random:
        notes.append(f"keys of the first block count {1 + spec.blocks.n_random} times, as in the reference")
    if spec.sinks:
        notes.append("a learned sink outside the text takes a share of each row")
    if source.global_tokens:
        notes.append("global tokens: " + ", ".join(map(str, source.global_tokens)))
    meta: dict[str, Any] = {"notes": notes} if notes else {}
    return {**meta, "sinks": True} if spec.sinks else meta


def _unknown(model: Transformer) -> Collection[int]:
    """The ids by which a model's tokenizer stands for what it does not know."""
    ids: Collection[int] = getattr(model.tokenizer, "unknown_ids", ())
    return ids


def _stream(model: Transformer, stream: str | None, has_target: bool) -> str:
    name = model.mechanism.mechanism.name if model.mechanism is not None else ""
    if stream is None and name == "cross":
        return "cross"
    if model.mechanism is not None:
        from attnviz.variants.applied import check_stream

        check_stream(model.mechanism, stream)
    if stream is None:
        return "cross" if has_target else model.streams[0]
    if not model.has(stream):
        raise SelectionError(one_of(f"stream of {model.name}", stream, model.streams))
    return stream


def read(
    model: Transformer, text: str | None, pair: str | None, ids: ArrayLike | None, token_types: ArrayLike | None
) -> tuple[Tokens, NDArray[np.intp] | None, NDArray[np.intp] | None]:
    """Tokens, ids and token types of what is read."""
    if ids is not None:
        numbers = _id_array("ids", ids)
        types = None if token_types is None else _id_array("token_types", token_types)
        if types is not None and len(types) != len(numbers):
            raise InputError(f"token_types must be as many as ids, {len(numbers)}; got {len(types)}")
        return _described(model, numbers), numbers, types
    if text is None:
        raise InputError("nothing to read: neither a text nor ids were given")
    if model.tokenizer is None:
        raise no_tokenizer(model.name)
    encoding = model.tokenizer.encode(text, pair)
    warn_of_unknown(encoding.tokens, _unknown(model), model.name)
    first = model.stack("encoder")
    # Scores by segment belong to trained models; words drawn at random know none.
    typed = first.n_types or (isinstance(first.relative, Segmental) and not first.by_word)
    types = np.array(encoding.type_ids, np.intp) if typed else None
    return encoding.tokens, np.array(encoding.tokens.ids, np.intp), types


def _described(model: Transformer, ids: NDArray[np.intp]) -> Tokens:
    if model.tokenizer is not None:
        return model.tokenizer.describe(ids.tolist())
    return Tokens.plain([str(i) for i in ids], ids.tolist())


def _source(
    model: Transformer,
    text: str | None,
    pair: str | None,
    ids: ArrayLike | None,
    token_types: ArrayLike | None,
    arrays: Arrays,
) -> tuple[Tokens, Inputs]:
    """The input of the first stack, and its labels."""
    spec = model.stack("encoder", arrays.pixels is not None)
    if spec.patches is not None:
        if arrays.pixels is None:
            raise InputError(f"{model.name} reads images; none was given", "name one with --image FILE")
        return _patch_labels(spec.patches, arrays.pixels), Inputs(pixels=arrays.pixels)
    if spec.convolutions is not None:
        sound = arrays.sound if spec.convolutions.channels == 1 else arrays.features
        if sound is None:
            raise InputError(f"{model.name} reads sound; none was given", "name a WAV file with --audio FILE")
        frames = spec.convolutions.frames(sound.shape[-1])
        return Tokens.plain([str(i) for i in range(frames)]), Inputs(sound=sound)
    if ids is None and model.tokenizer is not None:
        split = model.tokenizer.encode
        for part, what in ((text, "text"), (pair, "pair text")):
            _refuse_early(model, spec, part, what, lambda part: split(part).tokens)
    tokens, numbers, types = read(model, text, pair, ids, token_types)
    _check_length(model, spec, len(tokens))
    return tokens, Inputs(numbers, types, tokens.text if spec.by_word else ())


def _target(model: Transformer, target: str | None, target_ids: ArrayLike | None) -> tuple[Tokens, Inputs]:
    """The input of the decoder, and its labels."""
    spec = model.stack("decoder")
    if target_ids is not None:
        numbers = _id_array("target_ids", target_ids)
        tokens = _described(model, numbers)
    elif target is not None:
        if model.tokenizer is None:
            raise InputError(
                f"{model.name} has no tokenizer, so it cannot read a target",
                "from Python: give target_ids=[...] instead",
            )
        start, split = model.spec.start_id, model.tokenizer.encode_target
        _refuse_early(model, spec, target, "target", lambda part: split(part, start).tokens)
        tokens = split(target, start).tokens
        numbers = np.array(tokens.ids, np.intp)
    else:
        raise InputError("decoder and cross attention need the decoder's text", "give it with --target TEXT")
    _check_length(model, spec, len(tokens))
    return tokens, Inputs(numbers)


def _global(model: Transformer, asked: Iterable[int] | None, n: int, is_text: bool) -> tuple[int, ...]:
    """Global tokens, checked, for a model that knows them."""
    knows = model.stack("encoder").global_tokens
    if asked is None and model.mechanism is not None and model.mechanism.mechanism.name == "global":
        return tuple(range(min(model.mechanism["tokens"], n)))
    if asked is None:
        return (0,) if knows and is_text and n else ()
    places = tuple(sorted({int(i) for i in asked}))
    if places and not knows:
        raise InputError(f"{model.name} has no global tokens")
    if places and not 0 <= places[0] <= places[-1] < n:
        raise SelectionError(f"global tokens must be from 0 to {n - 1}; got {list(places)}")
    return places


def _refuse_early(model: Transformer, spec: Spec, text: str | None, what: str, split: Callable[[str], Tokens]) -> None:
    """Raises InputError for a text whose beginning alone has more tokens than the model has learned positions for.

    The engine refuses any text that is too long; here that is known before a long one is split and embedded.
    """
    table = spec.absolute
    if not isinstance(text, str) or not isinstance(table, Learned) or table.computed:
        return
    most = table.size - table.offset
    first = too_long(split, text, most)
    if first:
        too_many = f"the {what} has more than {most:,} tokens (its first {first:,} characters alone)"
        if model.beyond:
            raise InputError(f"{too_many}; {model.name} reads {most}", model.beyond)
        raise InputError(
            f"{too_many}; this model's learned positions end at {most}",
            "use a shorter text, or a model that reads longer ones",
        )


def _check_length(model: Transformer, spec: Spec, n: int) -> None:
    if n == 0:
        raise InputError("there are no tokens to attend to")
    if spec.trained_positions and n > spec.trained_positions:
        message = f"{n} tokens are more than the {spec.trained_positions} that {model.name} was trained for"
        warnings.warn(message, AttnvizWarning, stacklevel=6)


def _array(values: ArrayLike | None) -> NDArray[np.float32] | None:
    """Finite float32 numbers, None for nothing."""
    if values is None:
        return None
    array = np.asarray(values, np.float32)
    if array.size == 0 or not np.isfinite(array).all():
        raise InputError("image and sound must hold numbers, and no NaN or infinity among them")
    return array


def _patch_labels(patches: Patches, pixels: NDArray[np.float32]) -> Tokens:
    """`[class]` and the other tokens in front, then `row,column` of each patch."""
    if pixels.ndim != 3:
        raise InputError(f"pixel_values must be [channel, row, column]; got {list(pixels.shape)}")
    rows, cols = patches.grid(*pixels.shape[1:])
    front = [f"[{name}]" for name in patches.prefix]
    front += [f"[register {i}]" for i in range(patches.registers)]
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
