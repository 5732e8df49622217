"""Text -> token ids, and labels a person can read.

labels.py a readable label for a token in any script
unknown.py        a text that the vocabulary does not hold
words.py          where the words are; which word a token belongs to
tokenizer.py      Tokenizer: a `tokenizers` pipeline -> Tokens
seeded.py         SeededTokenizer: words and punctuation, no file
chat.py           a text as a turn of a conversation; chat_child.py renders the template
vocabulary.py     VocabularyTokenizer: whole words from a list
files.py          load_tokenizer: which files a folder has
build.py          vocab.txt, vocab.json + merges.txt -> pipeline
sentencepiece.py  a SentencePiece .model -> pipeline
gguf.py           the metadata of a GGUF file -> pipeline
gguf_splits.py    how its texts are cut, as a table

The names load on first use: a GGUF file has no need of what reads folders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnviz.tokens.files import load_tokenizer
    from attnviz.tokens.seeded import SeededTokenizer
    from attnviz.tokens.tokenizer import Encoding, RefusedTokenizer, Tokenizer

__all__ = ["Encoding", "RefusedTokenizer", "SeededTokenizer", "Tokenizer", "load_tokenizer"]

_HOMES = {
    "Encoding": "tokenizer",
    "RefusedTokenizer": "tokenizer",
    "SeededTokenizer": "seeded",
    "Tokenizer": "tokenizer",
    "load_tokenizer": "files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
