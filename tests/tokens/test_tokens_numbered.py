"""M2M-100's tokenizer: a SentencePiece model whose pieces vocab.json numbers, and a token for each language after them.

The expected ids are from transformers 5.23 for the same files.
"""

from __future__ import annotations

import json
import shutil

import pytest
from helpers.paths import TOKENS

from attnviz.errors import CheckpointError
from attnviz.tokens import sentencepiece
from attnviz.tokens.files import load_tokenizer

MODEL = TOKENS / "files" / "plain.model"


@pytest.fixture
def folder(tmp_path):
    """Every piece except each fifth has a number; the first four are the special tokens."""
    shutil.copy(MODEL, tmp_path / "sentencepiece.bpe.model")
    known = (sentencepiece.NORMAL, sentencepiece.USER)
    pieces = [text for text, _, kind in sentencepiece.parse(MODEL.read_bytes(), "").pieces if kind in known]
    names = ["<s>", "<pad>", "</s>", "<unk>", *(piece for i, piece in enumerate(pieces) if i % 5)]
    (tmp_path / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))

    def made(**options):
        options = {"tokenizer_class": "M2M100Tokenizer", **options}
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(options))
        return tmp_path

    return made


def ids(folder, *texts):
    return list(load_tokenizer(folder, {}).encode(*texts).tokens.ids)


LONG = [3, 6, 102, 161, 9, 58, 13, 38, 3, 7, 3, 135, 13, 3, 8, 117, 3, 3, 11, 34, 95, 3, 3]
EXPECTED = {
    ("the cat",): [181, 3, 77, 2],
    ("  two   spaces, (and) Größe 你",): [181, *LONG, 2],
    ("a </s> b <s> c",): [181, 28, 2, 3, 0, 3, 93, 2],
    ("the cat", "on it"): [181, 3, 77, 24, 37, 2],
}


@pytest.mark.parametrize(("texts", "wanted"), EXPECTED.items())
def test_ids(folder, texts, wanted):
    assert ids(folder(), *texts) == wanted


def test_the_language_of_a_text(folder):
    assert ids(folder(src_lang="de", tgt_lang="fr"), "the cat") == [179, 3, 77, 2]


def test_languages_of_another_list_are_refused(folder):
    with pytest.raises(CheckpointError, match="wmt21"):
        ids(folder(language_codes="wmt21"), "the cat")
