"""A model goes on with a text, and what its heads look at meanwhile.

found = attnviz.models.generate.generate(attnviz.load("model.gguf"), "The capital of France is", max_new=12)
found.text, found.attention, found.retrieval, found.lookback
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.axis import Tokens
from attnviz.engine.collectors import one_mask
from attnviz.engine.decode import Choice, Step, Vocabulary, greedy, why_not
from attnviz.engine.forward import run
from attnviz.engine.inputs import Inputs
from attnviz.engine.spec import EncoderDecoder, Spec, Unembed
from attnviz.engine.tensors import Scoped
from attnviz.errors import InputError, ModelError, SelectionError, one_of
from attnviz.files.untrusted import read_object
from attnviz.measures.generated import Generated, Tally
from attnviz.models.model import Model
from attnviz.select import chosen_heads

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Progress

MAX_SETTINGS = 10_000_000  # bytes of a generation_config.json
MOST_WEIGHTS = 1 << 28  # numbers of new tokens' attention that are held: 1 GB
# Settings of a model's makers that greedy decoding does not follow, and the values at which they do nothing.
_PASSED_OVER: Mapping[str, tuple[Any, ...]] = {
    "num_beams": (1,),
    "no_repeat_ngram_size": (0,),
    "repetition_penalty": (1.0, 1),
    "min_length": (0,),
    "min_new_tokens": (0,),
    "do_sample": (False,),
}


def generate(
    model: Model,
    text: str | None = None,
    *,
    max_new: int = 20,
    target: str | None = None,
    ids: ArrayLike | None = None,
    target_ids: ArrayLike | None = None,
    stream: str | None = None,
    layers: Iterable[int] | int | None = None,
    heads: Iterable[int | str] | int | str | None = None,
    progress: Progress | None = None,
    **inputs: Any,
) -> Generated:
    """Go on with a prompt greedily, or answer it with a decoder.

    Args:
        text: the prompt; for an encoder-decoder what its encoder reads.
        max_new: new tokens at most; a token that ends the text stops it before.
        target, target_ids: how the decoder's text begins, for an encoder-decoder; its start token by default.
        ids: token ids instead of a text, used as they are.
        stream: whose attention is kept: self; for an encoder-decoder cross (default) or decoder.
        layers, heads: which of it, as for `Model.attend`; all by default.
        progress: called with shares of the work.
        inputs: image or sound, as for `Model.attend`.

    Raises:
        ModelError: the model cannot go on with a text. InputError, SelectionError, CheckpointError: as for `attend`.
    """
    if isinstance(max_new, bool) or not isinstance(max_new, (int, np.integer)) or max_new < 1:
        raise SelectionError(f"max_new must be a whole number from 1; got {max_new!r}")
    stream = _stream(model, stream)
    spec = model.stack("decoder" if isinstance(model.spec, EncoderDecoder) else "self")
    vocabulary = None if spec.by_word else vocabulary_of(model)
    if reason := why_not(spec):
        hint = "--causal makes the seeded model see only what came before" if model.meta.get("random") else ""
        raise ModelError(f"{model.name} cannot go on with a text: {reason}", hint)
    model_input = _model_input(model, text, target, ids, target_ids, inputs)
    names: tuple[str, ...] = ()
    if vocabulary is None:
        names = tuple(dict.fromkeys(model_input.queries.text))
        vocabulary = _of_words(model, spec, names)
    choice, passed_over = settings(model)
    if isinstance(model.spec, EncoderDecoder) and len(model_input.queries) > 1:
        choice = replace(choice, first=None)  # the decoder's text has begun already
    most = int(max_new)
    room = None if spec.max_positions is None else spec.max_positions - len(model_input.queries) + 1
    if room is not None and room < 1:
        raise InputError(
            f"{model.name} has no place for a token after these {len(model_input.queries)}: its positions end at "
            f"{spec.max_positions}"
        )
    keeper = _Keeper(model, model_input, spec, stream, layers, heads, most if room is None else min(most, room))
    for step in _steps(model, model_input, spec, vocabulary, keeper.most, choice, names):
        keeper.take(step)
        if progress is not None:
            progress(1 / keeper.most)
    if progress is not None:
        progress(1 - len(keeper.ids) / keeper.most)
    ended = "end" if keeper.ids[-1] in choice.stop else "count" if len(keeper.ids) == most else "positions"
    return keeper.result(names, ended, passed_over)


def _stream(model: Model, asked: str | None) -> str:
    if not isinstance(model.spec, EncoderDecoder):
        if asked not in (None, "self"):
            raise SelectionError(one_of("stream", asked, ("self",)))
        return "self"
    if asked not in (None, "cross", "decoder"):
        raise SelectionError(one_of("stream of new tokens", asked, ("cross", "decoder")))
    return asked or "cross"


def _model_input(
    model: Model,
    text: str | None,
    target: str | None,
    ids: ArrayLike | None,
    target_ids: ArrayLike | None,
    inputs: Mapping[str, Any],
) -> ModelInput:
    """What is read, with the decoder's beginning where there is a decoder."""
    if not isinstance(model.spec, EncoderDecoder):
        if target is not None or target_ids is not None:
            raise InputError(f"{model.name} has no decoder to give a target to", "leave out the target")
        return model.prepare(text, ids=ids, **inputs)
    if target is None and target_ids is None:
        if model.spec.start_id is None:
            raise ModelError(
                f"{model.name} does not say which token begins an answer",
                "begin it yourself: target_ids=[2] (--target TEXT)",
            )
        target_ids = [model.spec.start_id]
    return model.prepare(text, ids=ids, target=target, target_ids=target_ids, stream="cross", **inputs)


def _steps(
    model: Model,
    model_input: ModelInput,
    spec: Spec,
    vocabulary: Vocabulary,
    most: int,
    choice: Choice,
    names: tuple[str, ...],
) -> Iterator[Step]:
    """The engine's steps; an encoder reads its text once."""
    if isinstance(model.spec, EncoderDecoder):
        encoder, decoder = Scoped(model.tensors, "encoder."), Scoped(model.tensors, "decoder.")
        memory = run(model.spec.encoder, encoder, model_input.inputs["encoder"], {}, stream="encoder", whole=True)
        yield from greedy(
            spec, decoder, _read, vocabulary, model_input.queries.ids, most, choice, stream="decoder", memory=memory
        )
        return

    def words(ids: Sequence[int], first: int) -> Inputs:
        return Inputs(np.array(ids, np.intp), words=tuple(names[i] for i in ids), first=first)

    start = model_input.queries.ids if not names else [names.index(word) for word in model_input.queries.text]
    yield from greedy(spec, model.tensors, words if names else _read, vocabulary, start, most, choice)


def _read(ids: Sequence[int], first: int) -> Inputs:
    return Inputs(np.array(ids, np.intp), first=first)


class _Keeper:
    """Keeps what was asked for of each step."""

    def __init__(
        self,
        model: Model,
        model_input: ModelInput,
        spec: Spec,
        stream: str,
        layers: Iterable[int] | int | None,
        heads: Iterable[int | str] | int | str | None,
        most: int,
    ) -> None:
        self.model, self.model_input, self.stream = model, model_input, stream
        at = chosen_heads(layers, heads, spec.n_layers, spec.n_heads)
        self.layers, self.heads, self.pairs = at.layers, at.heads, at.pairs
        self.ids: list[int] = []
        self.most = most
        self._probabilities: list[float] = []
        self._rows: list[NDArray[np.float32]] = []
        self._allowed: list[NDArray[np.bool_]] = []
        self.prompt = model_input.keys if stream == "cross" else model_input.queries
        size = len(self.layers) * len(self.heads) * most * (len(self.prompt) + most)
        if size > MOST_WEIGHTS:
            raise InputError(
                f"attention of {most} new tokens to {len(self.prompt)} and more is too much to hold: {size:,} numbers",
                "choose fewer layers or heads (-l, -H), or fewer new tokens",
            )
        crosses = isinstance(model.spec, EncoderDecoder)
        self._tallied = "cross" if crosses else stream
        context = model_input.keys.ids if crosses else model_input.queries.ids
        self._tally = Tally(context, spec.n_layers, spec.n_heads, one_text=not crosses)

    def take(self, step: Step) -> None:
        self.ids.append(step.id)
        self._probabilities.append(step.probability)
        self._tally.add(step.rows[self._tallied], step.id)
        self._rows.append(step.rows[self.stream][np.ix_(self.layers, self.heads)])
        self._allowed.append(step.allowed[self.stream][self.layers])

    def result(self, names: tuple[str, ...], ended: str, passed_over: tuple[str, ...]) -> Generated:
        new = Tokens.plain([names[i] for i in self.ids], self.ids) if names else _described(self.model, self.ids)
        weights, mask = self._maps()
        keys = self.prompt if self.stream == "cross" else _behind(self.prompt, new.take(range(len(new) - 1)))
        note = "each row is that of the token before, from which the token was chosen"
        notes = [*self.model_input.meta.get("notes", ()), note]
        meta = {**self.model_input.meta, "notes": notes, "generated": len(new)}
        fields = {"queries": new, "keys": keys, "stream": self.stream, "grid": None, "meta": meta}
        attention = self.model_input.attention(self.model.name, weights, mask, self.layers, self.heads, **fields)
        attention = attention.select(heads=self.pairs) if self.pairs else attention
        return Generated(
            prompt=self.prompt,
            new=new,
            text=_spelled(self.model, new),
            probabilities=tuple(self._probabilities),
            ended=ended,
            attention=attention,
            retrieval=self._tally.retrieval(),
            lookback=self._tally.lookback(),
            copied=self._tally.copied,
            passed_over=passed_over,
        )

    def _maps(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """All rows together, those of earlier tokens with nothing behind them."""
        n_key = self._rows[-1].shape[-1]
        weights = np.zeros((len(self.layers), len(self.heads), len(self._rows), n_key), np.float32)
        mask = np.zeros((len(self.layers), len(self._rows), n_key), bool)
        for i, (row, allowed) in enumerate(zip(self._rows, self._allowed, strict=True)):
            weights[:, :, i, : row.shape[-1]] = row
            mask[:, i, : row.shape[-1]] = allowed
        return weights, one_mask(mask)


def _described(model: Model, ids: Sequence[int]) -> Tokens:
    if model.tokenizer is None:
        return Tokens.plain([str(i) for i in ids], ids)
    return model.tokenizer.describe(ids)


def _spelled(model: Model, new: Tokens) -> str:
    spelled = getattr(model.tokenizer, "spelled", None)
    return str(spelled(new.ids)) if spelled is not None else " ".join(new.text)


def _behind(first: Tokens, rest: Tokens) -> Tokens:
    """The tokens of one text and those that follow it; words are counted through."""
    start = max(first.words, default=-1) + 1
    return Tokens(
        text=first.text + rest.text,
        ids=first.ids + rest.ids,
        words=first.words + tuple(word + start if word >= 0 else -1 for word in rest.words),
        special=first.special + rest.special,
        segments=first.segments + (first.segments[-1],) * len(rest),
    )


# What turns a stack's output into the next token


def vocabulary_of(model: Model) -> Vocabulary:
    """The scores of a loaded model's vocabulary. Raises ModelError for a family that goes on with no text."""
    from attnviz.checkpoints.weights import Weights
    from attnviz.families import _unembed
    from attnviz.families._config import Config

    weights = getattr(model.tensors, "weights", model.tensors)
    checkpoint = model.checkpoint
    if not isinstance(weights, Weights) or checkpoint is None:
        raise ModelError(f"{model.name} has no vocabulary to choose from")
    metadata = checkpoint.config or {}
    if "general.architecture" in metadata:
        how, names = _unembed.of_gguf(Config(model.config), metadata, checkpoint.tensors, model.spec)
    else:
        how, names = _unembed.of_config(Config(model.config), model.spec)
    if how is None:
        raise ModelError(
            f"{model.name} cannot go on with a text: its family has nothing that chooses a next token",
            "decoders (gpt2, llama, ...) and encoder-decoders (t5, bart, ...) have",
        )
    more = weights.also(names)
    if not more.has("unembed.weight"):
        raise ModelError(
            f"{model.name} lacks the matrix that chooses a next token: {_stored(names)}",
            "the file was saved without its language model head",
        )
    decoder = model.spec.decoder if isinstance(model.spec, EncoderDecoder) else model.spec
    assert isinstance(decoder, Spec)
    return Vocabulary.of(how, decoder, more)


def _stored(names: Mapping[str, Any]) -> str:
    source = names["unembed.weight"]
    forms = source if isinstance(source, list) else [source]
    return " or ".join(form if isinstance(form, str) else form[0] for form in forms)


def _of_words(model: Model, spec: Spec, names: tuple[str, ...]) -> Vocabulary:
    """A model without a vocabulary chooses among the words of its prompt, by vectors drawn for them."""
    drawn = "unembed.weight" if model.checkpoint is None else "embed.tokens"
    table = model.tensors.rows(drawn, names, (spec.vocab, spec.d_embed))
    return Vocabulary(Unembed(scale=spec.d_embed**-0.5), table)


# What the makers of a model ask for


def settings(model: Model) -> tuple[Choice, tuple[str, ...]]:
    """Which tokens end a text and which are not chosen, as the model's files say; and what greedy decoding passes over.

    generation_config.json goes before config.json; a GGUF file names its ends in its metadata.
    """
    found = {**model.config, **_generation_config(model)}
    metadata = (model.checkpoint.config if model.checkpoint is not None else None) or {}
    stop = _ids(found.get("eos_token_id"))
    for name in ("eos", "eot"):
        stop += _ids(metadata.get(f"tokenizer.ggml.{name}_token_id"))
    bad = found.get("bad_words_ids")
    bad = bad if isinstance(bad, list) else []
    never = _ids(found.get("suppress_tokens")) + [i for one in bad if len(_ids(one)) == 1 for i in _ids(one)]
    first = _ids(found.get("forced_bos_token_id")) if isinstance(model.spec, EncoderDecoder) else []
    passed = [
        f"{name} {found[name]}"
        for name, nothing in _PASSED_OVER.items()
        if found.get(name) is not None and found[name] not in nothing
    ]
    choice = Choice(
        stop=tuple(dict.fromkeys(stop)),
        never=tuple(dict.fromkeys(never)),
        never_first=tuple(_ids(found.get("begin_suppress_tokens"))),
        first=first[0] if first else None,
    )
    return choice, tuple(passed)


def _ids(value: Any) -> list[int]:
    """One id or a list of them; nothing for anything else."""
    values = value if isinstance(value, (list, tuple)) else [value]
    plain = [int(one) for one in values if isinstance(one, (int, np.integer)) and not isinstance(one, bool)]
    return [one for one in plain if one >= 0] if len(plain) == len(values) else []


def _generation_config(model: Model) -> dict[str, Any]:
    file = None if model.folder is None else model.folder / "generation_config.json"
    if file is None or not file.is_file():
        return {}
    return read_object(file, MAX_SETTINGS, ModelError)
