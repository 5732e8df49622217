"""Transformer: what a model is, without what it does with an input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex

from attnviz.axis import Tokens
from attnviz.engine.spec import Spec, Stack, Stacks
from attnviz.engine.tensors import Scoped, Tensors

if TYPE_CHECKING:
    from attnviz.checkpoints.base import Checkpoint
    from attnviz.tokens import Encoding
    from attnviz.variants import VariantSpec


class Tokenizer(Protocol):
    """The methods of a tokenizer that a model calls."""

    def encode(self, text: str, pair: str | None = None) -> Encoding:
        """Tokens with the special ones that the model wants, and token types."""

    def encode_target(self, text: str, start_id: int | None = None) -> Encoding:
        """The decoder's text: start token in front, no end token."""

    def describe(self, ids: Sequence[int]) -> Tokens:
        """Labels for ids."""


class Opening(Protocol):
    """Where a model was opened, so that another process can open it again."""

    def restored(self, fields: Mapping[str, Any]) -> Transformer:
        """The model with these fields, and with the fields of FROM_FILES read again."""


# Fields of a model that are read again when it is opened again in another process; the rest is sent.
FROM_FILES = frozenset({"tensors", "tokenizer", "config", "checkpoint", "folder"})


@dataclass(frozen=True, eq=False, repr=False)
class Transformer:
    """A transformer: what its stacks do, its tensors, its tokenizer.

    name: what pictures call it. spec: what it does. tensors: its numbers. tokenizer: None if it only takes ids.
    config: its configuration as it was read. meta: what a result says about it (digest, seed, ...).
    folder: where its files lie, preprocessor_config.json for images and sound among them.
    alone: what the attention of its only stack is called, where it is not an encoder-decoder: self or encoder.
    pictures: what a model of text does with an image by the same numbers. two_texts: whether its text may attend to
    its pair, as stream "cross". mechanism: what replaces its own attention. beyond: advice for a text longer than
    the model's positions. opening: where its files lie; None for the seeded model.
    """

    name: str
    spec: Stacks
    tensors: Tensors
    tokenizer: Tokenizer | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None
    folder: Path | None = None
    alone: str = "self"
    pictures: Spec | None = None
    two_texts: bool = False
    mechanism: VariantSpec | None = None
    beyond: str = ""
    opening: Opening | None = None

    @property
    def streams(self) -> tuple[str, ...]:
        """The kinds of attention it has."""
        return self.spec.streams if self.spec.reads_target else (self.alone,)

    def stack(self, stream: str | None = None, image: bool = False) -> Spec:
        """The Spec of a stream's stack; in a model of two towers that of images if `image`, else that of text."""
        if image and self.pictures is not None:
            return self.pictures
        return self.spec.passes(stream, image)[-1].spec

    def tensors_of(self, stack: Stack) -> Tensors:
        """The tensors of one of its stacks."""
        return Scoped(self.tensors, stack.prefix)

    def size(self, stream: str | None = None, image: bool = False) -> tuple[int, int]:
        """(n_layers, n_heads) of a stream; of its only or first one by default."""
        spec = self.stack(stream, image)
        return spec.n_layers, spec.n_heads

    n_layers = property(lambda self: self.size()[0])
    n_heads = property(lambda self: self.size()[1])

    def has(self, stream: str) -> bool:
        """Whether it can be asked for this stream: one of `streams`, or cross-attention between a text and its pair."""
        return stream in self.streams or (stream == "cross" and self.two_texts)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """Pickle without weights and tokenizer: both are read again from where the model was opened."""
        if self.opening is None:
            return super().__reduce_ex__(protocol)
        return self.opening.restored, ({name: value for name, value in vars(self).items() if name not in FROM_FILES},)
