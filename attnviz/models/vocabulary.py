"""The scores of a vocabulary: what turns a stack's output into the next token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attnviz.engine.decode import Vocabulary
from attnviz.engine.spec import Unembed
from attnviz.errors import ModelError

if TYPE_CHECKING:
    from attnviz.engine.spec import Spec
    from attnviz.models.model import Model


def vocabulary_of(model: Model, masked: bool = False) -> Vocabulary:
    """The output head of a loaded model, which continues a text.

    masked: accept a masked-language head too, which scores the token at a position instead of the one that follows it
    (`how.masked`). Raises ModelError for a model without a head.
    """
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
    if how is None and masked:
        raise ModelError(
            f"{model.name} has no output head, which turns a layer's vectors into scores of tokens",
            "decoders (gpt2, llama, ...), encoder-decoders (t5, ...) and masked-language models (bert, ...) have",
        )
    if how is None or (how.masked and not masked):
        raise ModelError(
            f"{model.name} cannot continue a text: its family has nothing that chooses a next token",
            "decoders (gpt2, llama, ...) and encoder-decoders (t5, bart, ...) have",
        )
    more = weights.also(names)
    if not more.has("unembed.weight"):
        raise ModelError(
            f"{model.name} lacks the matrix that chooses a next token: {_stored(names, 'unembed.weight')}",
            "the file was saved without its language model head",
        )
    for name in ("unembed.dense.weight", "unembed.bias"):  # a table tied to the embeddings is there in any file
        if how.masked and name in names and not more.has(name):
            raise ModelError(
                f"{model.name} lacks its masked-language head: {_stored(names, name)}",
                "the file was saved without it, as files for embeddings of sentences are",
            )
    return Vocabulary.of(how, model.spec.generator.spec, more)


def _stored(names: Mapping[str, Any], name: str) -> str:
    source = names[name]
    forms = source if isinstance(source, list) else [source]
    return " or ".join(form if isinstance(form, str) else form[0] for form in forms)


def vocabulary_of_words(model: Model, spec: Spec, names: tuple[str, ...]) -> Vocabulary:
    """A model without a vocabulary chooses among the words of its prompt, by vectors drawn for them."""
    drawn = "unembed.weight" if model.checkpoint is None else "embed.tokens"
    table = model.tensors.rows(drawn, names, (spec.vocab, spec.d_embed))
    return Vocabulary(Unembed(scale=spec.d_embed**-0.5), table)
