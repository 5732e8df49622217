"""Text -> token ids, and labels a person can read.

labels.py         what a token looks like, whatever the script
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
"""

from attnviz.tokens.files import load_tokenizer
from attnviz.tokens.seeded import SeededTokenizer
from attnviz.tokens.tokenizer import Encoding, RefusedTokenizer, Tokenizer

__all__ = ["Encoding", "RefusedTokenizer", "SeededTokenizer", "Tokenizer", "load_tokenizer"]
