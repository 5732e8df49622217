"""A vocabulary of whole words: the tokenizer of weights in an .npz."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from attnviz.axis import Tokens
from attnviz.errors import InputError
from attnviz.tokens.seeded import SeededTokenizer
from attnviz.tokens.tokenizer import Encoding


class VocabularyTokenizer(SeededTokenizer):
    """Split a text as SeededTokenizer does; a word's id is its index in the list."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._names = tuple(tokens)
        self._ids = {name: i for i, name in enumerate(tokens)}

    def encode(self, text: str, pair: str | None = None) -> Encoding:
        """Tokens with their ids. Raises InputError for a word that is not in the list."""
        encoding = super().encode(text, pair)
        unknown = [word for word in encoding.tokens.text if word not in self._ids]
        if unknown:
            listed = ", ".join(self._names[:20]) + (", ..." if len(self._names) > 20 else "")
            raise InputError(f"{unknown[0]!r} is not in this model's vocabulary", f"it has: {listed}")
        ids = tuple(self._ids[word] for word in encoding.tokens.text)
        return replace(encoding, tokens=replace(encoding.tokens, ids=ids))

    def describe(self, ids: Sequence[int]) -> Tokens:
        """The words of these ids; an id beyond the list is shown as its number."""
        return Tokens.plain([self._names[i] if i < len(self._names) else str(i) for i in ids], ids)
