"""The seeded model's tokenizer: words and punctuation, no file, no special tokens."""

from __future__ import annotations

from collections.abc import Sequence

from attnviz.axis import Tokens
from attnviz.errors import InputError
from attnviz.tokens.labels import visible
from attnviz.tokens.tokenizer import Encoding, checked_text
from attnviz.tokens.words import find_words


class SeededTokenizer:
    """Split a text into words by `words.py`; case is kept, so that `The` and `the` are two words.

    There is no vocabulary: an id is the index of a distinct word, in the order of first appearance in this text (and
    its pair). The model draws a word's embedding from the seed and the word (`tokens.text`), never from the id.
    """

    n_vocab: int | None = None

    def encode(self, text: str, pair: str | None = None) -> Encoding:
        """Tokens of the text, followed by the pair's. Raises InputError if one of them is empty."""
        texts = [checked_text(text)] + ([checked_text(pair, "the pair text")] if pair is not None else [])
        places = [(segment, span) for segment, part in enumerate(texts) for span in find_words(part)]
        labels = tuple(visible(texts[segment][start:end]) for segment, (start, end) in places)
        segments = tuple(segment for segment, _ in places)
        order: dict[str, int] = {}
        tokens = Tokens(
            text=labels,
            ids=tuple(order.setdefault(label, len(order)) for label in labels),
            words=tuple(range(len(labels))),
            special=(False,) * len(labels),
            segments=segments,
            spans=tuple(span for _, span in places),
        )
        return Encoding(tokens, segments)

    def encode_target(self, text: str, start_id: int | None = None) -> Encoding:
        """Raise InputError: a model of whole words has one stack."""
        raise InputError("this model has no decoder to give a target to", "leave out the target")

    def describe(self, ids: Sequence[int]) -> Tokens:
        """Label ids by their number: they have no text."""
        return Tokens.plain([str(int(i)) for i in ids], ids)
