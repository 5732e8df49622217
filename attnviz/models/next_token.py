"""The prediction of a model at one position: the scores of all tokens, and tokens by the names that a person writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.errors import InputError, ModelError, SelectionError, shown
from attnviz.models.vocabulary import vocabulary_of, vocabulary_of_words
from attnviz.select import find_token

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnviz.axis import Tokens
    from attnviz.engine.decode import Vocabulary
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model

MASKS = ("[MASK]", "<mask>")


@dataclass(frozen=True, eq=False)
class NextToken:
    """A model's output head, and its tokens by name.

    names: the tokens by their ids, for a model that reads words; () for one with a vocabulary of its own. masked:
    whether the head predicts the token at a position, not the one that follows it.
    """

    model: Model
    vocabulary: Vocabulary
    names: tuple[str, ...] = ()
    masked: bool = False

    @classmethod
    def of(cls, model: Model, model_input: ModelInput) -> NextToken:
        """The output head of a model. model_input: of the stack that the head follows.

        Raises ModelError: the model has no output head.
        """
        spec = model_input.spec
        if model_input.image and spec.patches is not None:
            raise ModelError(f"{model.name} has no output head for images")
        names = tuple(dict.fromkeys(model_input.queries.text)) if spec.by_word else ()
        if names:
            head = cls(model, vocabulary_of_words(model, spec, names), names)
        else:
            vocabulary = vocabulary_of(model, masked=True)
            head = cls(model, vocabulary, masked=vocabulary.how.masked)
        if not head.masked and not spec.causal:
            hint = "--causal makes the seeded model see only what came before" if model.meta.get("random") else ""
            raise ModelError(f"{model.name} predicts no next token: its tokens attend to later tokens", hint)
        return head

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The stack's output at some positions [n, d_model] -> the score of every token [n, token]."""
        return self.vocabulary.scores(rows)

    def position(self, tokens: Tokens, query: str | None) -> int | None:
        """The position whose prediction counts: the one that is named, else the mask, else the last.

        None for a masked-language model if the text has no mask. Raises SelectionError: several masks, or no such
        token.
        """
        if query is not None:
            return find_token(tokens, query, "tokens")
        if not self.masked:
            return len(tokens) - 1
        masks = [i for i, (text, id) in enumerate(zip(tokens.text, tokens.ids, strict=True)) if self._is_mask(text, id)]
        if len(masks) > 1:
            listed = ", ".join(f"#{i}" for i in masks)
            raise SelectionError(
                f"the text has {len(masks)} masks, at {listed}", f"choose one with --query, as in --query '#{masks[0]}'"
            )
        return masks[0] if masks else None

    def _is_mask(self, text: str, id: int) -> bool:
        return text in MASKS or id == self.model.config.get("mask_token_id")

    def label(self, id: int) -> str:
        """A token as a person reads it."""
        if self.names:
            return self.names[id]
        return str(id) if self.model.tokenizer is None else self.model.tokenizer.describe([id]).text[0]

    def find(self, wanted: str) -> int:
        """The id of a token that is named by its text, or by #ID.

        A text is read as it would stand after a space, its first token counts. Whole numbers are the id where the
        vocabulary has no token of that text. Raises SelectionError: no such token, or a number that could be several.
        """
        numbered = re.fullmatch(r"#?(\d{1,9})", wanted)
        if numbered and wanted.startswith("#"):
            return self._by_id(int(numbered[1]))
        if re.fullmatch(r"#\d+", wanted):
            raise SelectionError(self._no_id(shown(wanted[1:])))
        if not wanted.strip():
            raise SelectionError(f"wanted a token; got {shown(wanted)}")
        if self.names or self.model.tokenizer is None:
            return self._by_name(wanted, numbered is not None)
        first, count = self._first(wanted)
        if numbered and count > 1:
            raise SelectionError(
                f"{wanted} is several tokens, or the id of one",
                f"write #{wanted} for the id, or the first digits alone",
            )
        if first in getattr(self.model.tokenizer, "unknown_ids", ()):
            raise SelectionError(f"{shown(wanted)} is not in the vocabulary of {self.model.name}")
        return self._by_id(first)

    def _by_id(self, id: int) -> int:
        if id >= self.vocabulary.table.shape[0]:
            raise SelectionError(self._no_id(str(id)))
        return id

    def _no_id(self, id: str) -> str:
        """The error of an id beyond the vocabulary."""
        return f"token id {id} is not there; {self.model.name} has 0-{self.vocabulary.table.shape[0] - 1}"

    def _by_name(self, wanted: str, number: bool) -> int:
        """The id in a model without a tokenizer: from a word of the text, or from a number."""
        if wanted in self.names:
            return self.names.index(wanted)
        if number:
            return self._by_id(int(wanted))
        if self.names:
            listed = ", ".join(self.names[:20])
            raise SelectionError(f"{shown(wanted)} is not among the words of the text", f"there are: {listed}")
        raise SelectionError(f"{self.model.name} has no tokenizer to read {shown(wanted)}", "give the token's id: #123")

    def _first(self, wanted: str) -> tuple[int, int]:
        """The first token of a text, after a space or without one, whichever has fewer tokens; and how many it has."""
        readings = [self._ids(text) for text in dict.fromkeys((f" {wanted.lstrip(' ')}", wanted))]
        ids = min(filter(None, readings), key=len, default=None)
        if ids is None:
            raise SelectionError(f"{shown(wanted)} has no token in the vocabulary of {self.model.name}")
        return ids[0], len(ids)

    def _ids(self, text: str) -> Sequence[int]:
        """The ids of a text without the special tokens that the model adds."""
        assert self.model.tokenizer is not None
        try:
            tokens = self.model.tokenizer.encode(text).tokens
        except InputError:
            return ()
        return [id for id, special in zip(tokens.ids, tokens.special, strict=True) if not special]
