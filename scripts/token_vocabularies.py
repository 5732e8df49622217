"""Small vocabularies for the comparison of tokenizers, trained on our own texts; each is one file or two."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable

import sentencepiece as spm
from token_texts import CODE, CORPUS
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

SIZE = 330
_BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def word_piece(lower: bool, special: Iterable[str] = _BERT) -> bytes:
    """vocab.txt."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lower)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=SIZE, special_tokens=list(special), show_progress=False)
    backend.train_from_iterator(CORPUS, trainer)
    vocab = backend.get_vocab()
    return "".join(f"{token}\n" for token in sorted(vocab, key=vocab.get)).encode()


def byte_level(special: Iterable[str]) -> tuple[bytes, bytes]:
    """vocab.json and merges.txt of a BPE over bytes."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE + 100,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=list(special),
        show_progress=False,
    )
    backend.train_from_iterator([*CORPUS, *CODE], trainer)
    return _bpe_files(backend)


def clip() -> tuple[bytes, bytes]:
    """vocab.json and merges.txt with </w>, as CLIP has them: <|startoftext|> and <|endoftext|> last, "!" first."""
    backend = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    split = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    backend.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(split), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False
    )
    backend.train_from_iterator(CORPUS, trainer)
    state = json.loads(backend.to_str())["model"]
    names = [*alphabet, *(char + "</w>" for char in alphabet)]
    names += [token for token in sorted(state["vocab"], key=state["vocab"].get) if token not in set(names)]
    names += ["<|startoftext|>", "<|endoftext|>"]
    return _vocab_json(names), _merges(state["merges"])


def _bpe_files(backend: Tokenizer) -> tuple[bytes, bytes]:
    state = json.loads(backend.to_str())["model"]
    return _vocab_json(sorted(state["vocab"], key=state["vocab"].get)), _merges(state["merges"])


def _vocab_json(names: Iterable[str]) -> bytes:
    return json.dumps({name: i for i, name in enumerate(names)}, ensure_ascii=False).encode()


def _merges(merges: Iterable) -> bytes:
    pairs = (merge if isinstance(merge, str) else " ".join(merge) for merge in merges)
    return ("#version: 0.2\n" + "".join(f"{pair}\n" for pair in pairs)).encode()


def sentence_piece(lines: Iterable[str] = CORPUS, size: int = SIZE, **options) -> bytes:
    """A .model; the text is taken as it is unless a normalisation is asked for."""
    out = io.BytesIO()
    wanted = {
        "model_type": "unigram",
        "normalization_rule_name": "identity",
        "character_coverage": 0.995,
        "hard_vocab_limit": False,
        "minloglevel": 2,
        "num_threads": 1,
        **options,
    }
    spm.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=out, vocab_size=size, **wanted)
    return out.getvalue()


def all_models() -> dict[str, bytes]:
    """Every vocabulary by the name that folders refer to."""
    files = {"uncased.txt": word_piece(True), "cased.txt": word_piece(False)}
    files["mpnet.txt"] = word_piece(True, ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"])
    files["gpt2.json"], files["gpt2.merges"] = byte_level(["<|endoftext|>"])
    files["roberta.json"], files["roberta.merges"] = byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    files["deberta.json"], files["deberta.merges"] = byte_level(_BERT)
    files["clip.json"], files["clip.merges"] = clip()
    no = -1
    files["plain.model"] = sentence_piece(control_symbols=["<sep>", "<cls>"], size=SIZE)
    files["nfkc.model"] = sentence_piece(
        normalization_rule_name="nmt_nfkc", pad_id=0, eos_id=1, unk_id=2, bos_id=no, size=SIZE
    )
    albert = ["[CLS]", "[SEP]", "[MASK]"]
    signs = ["(", ")", '"', "-", ".", "–", "£", "€"]
    files["albert.model"] = sentence_piece(
        pad_id=0, unk_id=1, bos_id=no, eos_id=no, control_symbols=albert, user_defined_symbols=signs
    )
    files["xlnet.model"] = sentence_piece(
        control_symbols=["<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"], user_defined_symbols=signs
    )
    files["deberta.model"] = sentence_piece(
        pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]",
        unk_piece="[UNK]",
    )  # fmt: skip
    files["bigbird.model"] = sentence_piece(
        pad_id=0, eos_id=1, bos_id=2, unk_id=3, control_symbols=["[SEP]", "[MASK]", "[CLS]"]
    )
    files["rembert.model"] = sentence_piece(
        pad_id=0, unk_id=1, bos_id=no, eos_id=no, control_symbols=albert, pad_piece="[PAD]", unk_piece="[UNK]"
    )
    bpe = {
        "model_type": "bpe",
        "byte_fallback": True,
        "remove_extra_whitespaces": False,
        "lines": [*CORPUS, *CODE],
        "size": SIZE + 200,
        "split_digits": True,
        "allow_whitespace_only_pieces": True,
    }
    files["llama.model"] = sentence_piece(**bpe)
    files["no_prefix.model"] = sentence_piece(**bpe, add_dummy_prefix=False)
    spaces = ["▁" * n for n in (2, 3, 4, 8)]
    files["yi.model"] = sentence_piece(
        **bpe, bos_piece="<|startoftext|>", eos_piece="<|endoftext|>",
        user_defined_symbols=["<|im_start|>", "<|im_end|>", *spaces],
    )  # fmt: skip
    files["gemma.model"] = sentence_piece(
        **bpe, add_dummy_prefix=False, pad_id=0, eos_id=1, bos_id=2, unk_id=3, bos_piece="<bos>", eos_piece="<eos>",
        user_defined_symbols=["<start_of_turn>", "<end_of_turn>", "\n", "\n\n", *spaces],
    )  # fmt: skip
    files["bytes.model"] = sentence_piece(byte_fallback=True, pad_id=3, size=SIZE + 256)
    files["marian.spm"] = sentence_piece()
    files["marian.json"] = _marian_numbers(files["marian.spm"])
    files["m2m.json"] = _m2m_numbers(files["plain.model"])
    return files


def _m2m_numbers(model: bytes) -> bytes:
    """vocab.json of M2M-100: special tokens, then the model's own pieces."""
    pieces = spm.SentencePieceProcessor(model_proto=model)
    names = [pieces.id_to_piece(i) for i in range(pieces.get_piece_size())]
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    return _vocab_json([*special, *(name for name in names if name not in special)])


def _marian_numbers(model: bytes) -> bytes:
    """vocab.json of Marian: pieces of the model in another order, and characters that the model lacks."""
    pieces = spm.SentencePieceProcessor(model_proto=model)
    names = [pieces.id_to_piece(i) for i in range(pieces.get_piece_size())]
    own = [name for name in names if name not in ("<s>", "</s>", "<unk>")]
    extra = ["ñ", "ш", "▁£", "👍", "天気図"]
    return _vocab_json(["</s>", "<unk>", *reversed(own), *extra, ">>de<<", ">>fr<<", "<pad>"])
