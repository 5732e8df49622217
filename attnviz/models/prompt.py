"""Prompt: a text that a model can continue, open but not yet read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.engine.decode import Vocabulary, why_not
from attnviz.errors import InputError, ModelError, SelectionError, one_of
from attnviz.models.model import Model
from attnviz.models.vocabulary import vocabulary_of, vocabulary_of_words
from attnviz.select import Chosen, HeadChoice, LayerChoice, chosen_heads

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from attnviz.axis import Tokens
    from attnviz.engine.spec import Spec
    from attnviz.models.inputs import ModelInput


@dataclass(frozen=True, eq=False)
class Prompt:
    """A text that a model can continue, and which of the attention of new tokens is kept.

    model_input: the prompt; of an encoder-decoder what its encoder reads, and how the decoder's text begins.
    spec: of the stack that chooses the next token. stream: whose attention is kept: self, cross or decoder.
    vocabulary: from that stack's output to a score for every token. names: the tokens by their ids, for a model that
    reads words; () for one with a vocabulary of its own. chosen: which layers and heads are kept; every: whether
    all of them are. words, special: whether results have words, and special tokens.
    """

    model: Model
    model_input: ModelInput
    spec: Spec
    stream: str
    vocabulary: Vocabulary
    names: tuple[str, ...]
    chosen: Chosen
    every: bool
    words: bool = False
    special: bool = True

    @classmethod
    def of(
        cls,
        model: Model,
        text: str | None = None,
        *,
        target: str | None = None,
        ids: ArrayLike | None = None,
        target_ids: ArrayLike | None = None,
        stream: str | None = None,
        layers: LayerChoice = None,
        heads: HeadChoice = None,
        words: bool = False,
        special: bool = True,
        **inputs: Any,
    ) -> Prompt:
        """Open a prompt; nothing is computed yet.

        Args:
            text: the prompt; for an encoder-decoder what its encoder reads.
            target, target_ids: how the decoder's text begins, for an encoder-decoder; its start token by default.
            ids: token ids instead of a text, used as they are.
            stream: whose attention is kept: self; for an encoder-decoder cross (default) or decoder.
            layers, heads: which of it, as for `Model.attend`; all by default.
            words, special: whether results have words instead of pieces, and special tokens.
            inputs: image or sound, as for `Model.attend`.

        Raises:
            ModelError: the model cannot continue a text. InputError, SelectionError, CheckpointError: as for `attend`.
        """
        stream = _stream(model, stream)
        spec = model.spec.generator.spec
        vocabulary = None if spec.by_word else vocabulary_of(model)
        if reason := why_not(spec):
            hint = "--causal makes the seeded model see only what came before" if model.meta.get("random") else ""
            raise ModelError(f"{model.name} cannot continue a text: {reason}", hint)
        model_input = _model_input(model, text, target, ids, target_ids, inputs)
        names: tuple[str, ...] = ()
        if vocabulary is None:
            names = tuple(dict.fromkeys(model_input.queries.text))
            vocabulary = vocabulary_of_words(model, spec, names)
        chosen, every = chosen_heads(layers, heads, spec.n_layers, spec.n_heads), layers is None and heads is None
        return cls(model, model_input, spec, stream, vocabulary, names, chosen, every, words, special)

    @property
    def crosses(self) -> bool:
        """Whether new tokens are a decoder's, which reads the prompt through cross-attention."""
        return self.model.spec.reads_target

    @property
    def context(self) -> Tokens:
        """The tokens of the prompt: in an encoder-decoder the tokens that its encoder reads."""
        return self.model_input.keys if self.crosses else self.model_input.queries

    @property
    def read(self) -> Tokens:
        """The first keys of the rows that are kept: the prompt, or how the decoder's text begins."""
        return self.model_input.keys if self.stream == "cross" else self.model_input.queries


def _stream(model: Model, asked: str | None) -> str:
    if not model.spec.reads_target:
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
    """The model's input, with the decoder's beginning where there is a decoder."""
    if not model.spec.reads_target:
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
