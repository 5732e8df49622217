"""Store the ids into which llama.cpp splits texts, for every kind of tokenizer in GGUF files.

    python scripts/make_gguf_tokens.py LIBLLAMA [SMOLLM2.gguf]

LIBLLAMA: a shared library with llama.cpp's C interface, of autumn 2026 or with the same llama_model_params. Writes
tests/reference_gguf/tokens.json: small vocabularies, trained here on the texts themselves without any splitting, so
that a wrong split shows; the ids of every text for each of them, and for SmolLM2's own vocabulary. Needs gguf and
tokenizers.
"""

from __future__ import annotations

import ctypes as c
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "tests" / "reference_gguf" / "tokens.json"
TEXTS = [
    "The animal didn't cross the street because it was too tired",
    " Hello  world   !",
    "trail  ",
    "a\nb\n\nc\n\n\nd",
    "\t\ttabs\t",
    "I'm we've they'll DON'T won't CAN'T 's 're '' \"\"",
    "1 12 123 1234 12345 3.14159 1,000,000",
    "def f(x):\n    return x**2 + 1  # comment\n\nclass A:\n\tpass\n",
    "naïve café über Ærø ÉCOLE ẞß ñ",
    "日本語のテキスト、中文字符。한국어 텍스트",
    "Привет мир! Как дела? مرحبا بالعالم नमस्ते ก็ไทย",
    "😀😃👨‍👩‍👧‍👦🇬🇧 emoji ✨",
    "x = {'a': [1, 2], \"b\": None}; print(x['a'][0])",
    "http://www.example.com/path?q=1&r=2#frag a_b-c.d/e\\f|g~h`i^j",
    "!!!???...-- - ..\n\n\n...   ",
    "   \n  \n\n \t x",
    "4 ½ months Ⅷ ² ③ ௧",
    "camelCaseWord HTTPServer iPhone McDonald's",
    "<|im_start|>user\nhi<|im_end|>",
    "</s><s> text <unk>",
    "e\u0301 combining a\u030a",
    "a\r\nb\rc",
    "§¶†‡ ©®™ €£¥ = + < > ^ | ~ $",
    "ꙮ ᚠᛇᚻ 𝔘𝔫𝔦 𐍈",
    "unaffable unkindness walked walking",
]


class Parameters(c.Structure):
    """llama_model_params."""

    _fields_ = (
        ("pointers", c.c_void_p * 2),
        ("numbers", c.c_int32 * 5),
        ("more_pointers", c.c_void_p * 4),
        ("vocab_only", c.c_bool),
        ("flags", c.c_bool * 7),
    )


class Llama:
    """llama.cpp's tokenizer of one file."""

    def __init__(self, library: c.CDLL, path: Path) -> None:
        self.library = library
        library.llama_model_default_params.restype = Parameters
        library.llama_model_load_from_file.argtypes = [c.c_char_p, Parameters]
        library.llama_model_load_from_file.restype = c.c_void_p
        library.llama_model_get_vocab.argtypes = [c.c_void_p]
        library.llama_model_get_vocab.restype = c.c_void_p
        library.llama_tokenize.argtypes = [c.c_void_p, c.c_char_p, c.c_int32, c.c_void_p, c.c_int32, c.c_bool, c.c_bool]
        parameters = library.llama_model_default_params()
        parameters.vocab_only = True
        model = library.llama_model_load_from_file(str(path).encode(), parameters)
        assert model, path
        self.vocab = library.llama_model_get_vocab(model)

    def ids(self, text: str) -> list[int]:
        """Ids with the special tokens around a text; special tokens written in it are recognised."""
        data = text.encode()
        found = (c.c_int32 * (len(data) + 8))()
        n = self.library.llama_tokenize(self.vocab, data, len(data), found, len(found), True, True)
        return list(found[:n])


def write(path: Path, metadata: dict[str, Any]) -> None:
    """A GGUF file of a vocabulary alone."""
    tokens = metadata["tokens"]
    assert len(set(tokens)) == len(tokens), sorted(token for token in tokens if tokens.count(token) > 1)
    writer = gguf.GGUFWriter(path, "llama")
    sizes = {"context_length": 64, "embedding_length": 8, "block_count": 1, "feed_forward_length": 8}
    for key, value in {**sizes, "attention.head_count": 2, "rope.dimension_count": 4}.items():
        writer.add_uint32(f"llama.{key}", value)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    for key, value in metadata.items():
        name = f"tokenizer.ggml.{key}"
        if isinstance(value, bool):
            writer.add_bool(name, value)
        elif isinstance(value, int):
            writer.add_uint32(name, value)
        elif isinstance(value, str):
            writer.add_string(name, value)
        else:
            writer.add_array(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def byte_level() -> dict[str, Any]:
    """BPE over bytes, with pieces that cross word boundaries."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=720, initial_alphabet=sorted(alphabet), special_tokens=special, show_progress=False
    )
    backend.train_from_iterator([*TEXTS, *TEXTS], trainer)
    model = json.loads(backend.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    return {
        "model": "gpt2",
        "tokens": tokens,
        "token_type": [3 if token in special else 1 for token in tokens],
        "merges": [" ".join(pair) for pair in model["merges"]],
        "bos_token_id": 0,
        "eos_token_id": 0,
    }


def pieces() -> dict[str, Any]:
    """SentencePiece's BPE: pieces with scores, and bytes for what they lack."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    backend.train_from_iterator(
        [text for text in TEXTS if text.isascii()], trainers.BpeTrainer(vocab_size=260, show_progress=False)
    )
    vocab = backend.get_vocab()
    learned = [token for token in sorted(vocab, key=lambda token: vocab[token]) if token not in ("<s>", "</s>")]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *learned, "<|im_start|>"]
    return {
        "model": "llama",
        "tokens": tokens,
        "scores": [0.0] * 259 + [-float(i) for i in range(len(learned))] + [0.0],
        "token_type": [2, 3, 3] + [6] * 256 + [1] * len(learned) + [4],
        "bos_token_id": 1,
        "eos_token_id": 2,
        "unknown_token_id": 0,
    }


def unigram() -> dict[str, Any]:
    """The likeliest pieces."""
    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(vocab_size=180, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False)
    backend.train_from_iterator([text for text in TEXTS if text.isascii()], trainer)
    learned = json.loads(backend.to_str())["model"]["vocab"][1:]
    front = ["<pad>", "</s>", "<unk>"]
    return {
        "model": "t5",
        "tokens": front + [token for token, _ in learned],
        "scores": [0.0] * 3 + [float(score) for _, score in learned],
        "token_type": [3, 3, 2] + [1] * len(learned),
        "add_space_prefix": True,
        "remove_extra_whitespaces": True,
        "eos_token_id": 1,
        "unknown_token_id": 2,
        "padding_token_id": 0,
        "add_bos_token": False,
        "add_eos_token": True,
    }


def wordpiece() -> dict[str, Any]:
    """Pieces of words, marked where a word begins."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=260, special_tokens=special, show_progress=False)
    backend.train_from_iterator([text.lower() for text in TEXTS[:9]], trainer)
    vocab = backend.get_vocab()
    stored = [
        token if token in special else token[2:] if token.startswith("##") and len(token) > 2 else "▁" + token
        for token in sorted(vocab, key=lambda token: vocab[token])
    ]
    return {
        "model": "bert",
        "tokens": stored,
        "token_type": [3 if token in special else 1 for token in stored],
        "bos_token_id": 2,
        "seperator_token_id": 3,
        "unknown_token_id": 1,
        "padding_token_id": 0,
        "mask_token_id": 4,
    }


def main() -> None:
    """Train the vocabularies, get llama.cpp's ids, write them."""
    sys.path.insert(0, str(ROOT))
    from attnviz.tokens.gguf_splits import SPLITS

    library = c.CDLL(sys.argv[1])
    silent = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)(lambda *_: None)
    library.llama_log_set(silent, None)
    library.llama_backend_init()

    def ids(metadata: dict[str, Any], texts: Sequence[str] = TEXTS) -> list[list[int]]:
        with tempfile.TemporaryDirectory() as folder:
            write(path := Path(folder) / "vocab.gguf", metadata)
            model = Llama(library, path)
            return [model.ids(text) for text in texts]

    base = byte_level()
    stored: dict[str, Any] = {"texts": TEXTS, "gpt2": base}
    stored["pre"] = {pre: ids({**base, "pre": pre}) for pre in SPLITS}
    stored["others"] = [
        {"metadata": metadata, "ids": ids(metadata)}
        for metadata in (
            pieces(),
            {**pieces(), "add_space_prefix": False, "add_bos_token": False, "add_eos_token": True},
            unigram(),
            {**unigram(), "remove_extra_whitespaces": False},
            wordpiece(),
            {**wordpiece(), "normalizer.lowercase": False},
        )
    ]
    if len(sys.argv) > 2:
        model = Llama(library, Path(sys.argv[2]))
        stored["smollm2"] = [model.ids(text) for text in TEXTS]
    # The names that split alike share one list.
    lists = {json.dumps(found): found for found in stored["pre"].values()}
    places = {key: i for i, key in enumerate(lists)}
    stored["pre"] = {pre: places[json.dumps(found)] for pre, found in stored["pre"].items()}
    stored["ids"] = list(lists.values())
    OUTPUT.write_text(json.dumps(stored, ensure_ascii=True, separators=(",", ":")) + "\n")
    print(f"{OUTPUT}: {OUTPUT.stat().st_size:,} bytes, {len(lists)} ways to split")


if __name__ == "__main__":
    main()
