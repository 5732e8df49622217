"""The tokenizer inside a GGUF file, splitting texts as llama.cpp does.

Nothing is built when a file is opened: labels for ids come from the list of tokens, and the pipeline is made when the
first text is split. Special tokens that are written out in a text (`<|im_start|>`) are recognised, as they are in a
tokenizer.json and as llama.cpp's own programs do by default.

Source: the meaning of the keys `tokenizer.ggml.*` in llama.cpp (llama-vocab.cpp).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attnviz.errors import AttnvizWarning, CheckpointError
from attnviz.families._recipes import around
from attnviz.tokens.gguf_splits import SPLITS
from attnviz.tokens.sentencepiece import BPE, CONTROL, NORMAL, UNIGRAM, UNKNOWN, USER
from attnviz.tokens.tokenizer import Style, Tokenizer, short

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

_KEY = "tokenizer.ggml."
# llama.cpp's defaults for special tokens of each kind that the file does not name.
_DEFAULTS: Mapping[str, Mapping[str, int]] = {
    "gpt2": {"bos": 11, "eos": 11},
    "llama": {"bos": 1, "eos": 2, "unknown": 0},
    "bert": {"bos": 101, "seperator": 102, "unknown": 100, "mask": 103},
    "t5": {"eos": 1, "unknown": 2},
}
_STYLES = {
    "gpt2": Style(byte_level=True),
    "llama": Style(metaspace=True, byte_fallback=True),
    "bert": Style(prefix="##"),
    "t5": Style(metaspace=True, byte_fallback=True),
}
# Tokens that end a text or a turn; they are special even in files that list them as plain tokens.
_ENDS = frozenset(
    "<|eot_id|> <|eom_id|> <|im_end|> <|end|> <|return|> <|call|> <|endoftext|> <|end_of_text|> <end_of_turn> <EOT> "
    "<end_of_utterance> <｜end▁of▁sentence｜>".split()
)


def load_gguf_tokenizer(metadata: Mapping[str, Any], source: str) -> GgufTokenizer | None:
    """The tokenizer in a GGUF file's metadata, or None if there is none (the model then takes only ids).

    Raises CheckpointError if its lists contradict each other. A tokenizer that cannot be built is reported when a text
    is split.
    """
    kind = str(metadata.get(_KEY + "model", "none"))
    if kind in ("none", "no_vocab") or not isinstance(metadata.get(_KEY + "tokens"), list):
        return None
    return GgufTokenizer(metadata, source)


class GgufTokenizer(Tokenizer):
    """Texts to Tokens and ids to labels, from a GGUF file's metadata.

    metadata: the file's keys; lists of text as lists, lists of numbers as arrays. source: the file's name.
    """

    def __init__(self, metadata: Mapping[str, Any], source: str) -> None:
        self._metadata, self._source = metadata, source
        self._target, self._rename, self._names = None, None, None
        self.kind = str(metadata[_KEY + "model"])
        self._tokens = self._token_names(metadata[_KEY + "tokens"])
        special = [i for i in self._not_normal if self._types[i] in (CONTROL, UNKNOWN, USER)]
        self._added = {self._tokens[i] for i in special}
        self._unknown = {self._tokens[i] for i in special if self._types[i] == UNKNOWN}
        self._unknown |= {self.special_name("unknown") or ""}  # BERT's files list it as a control token
        self._special = {self._tokens[i] for i in special if self._types[i] == CONTROL} - self._unknown
        self._style = _STYLES.get(self.kind, Style())

    @property
    def n_vocab(self) -> int:
        """The number of ids that the tokenizer knows."""
        return len(self._tokens)

    def special_name(self, kind: str) -> str | None:
        """The text of the bos, eos, unknown, seperator (sic), padding or mask token, or None."""
        i = self._special_id(kind)
        return None if i is None else self._tokens[i]

    @cached_property
    def _types(self) -> list[int]:
        """The kind of each token, as SentencePiece numbers them."""
        kinds = self._numbers("token_type", NORMAL)
        for i, name in enumerate(self._metadata[_KEY + "tokens"]):
            if name in _ENDS:
                kinds[i] = CONTROL
        return kinds

    @cached_property
    def _not_normal(self) -> list[int]:
        return [i for i, kind in enumerate(self._types) if kind != NORMAL]

    @cached_property
    def _backend(self) -> Backend:  # type: ignore[override]
        make = {"gpt2": self._byte_level, "llama": self._pieces, "bert": self._wordpiece, "t5": self._pieces}
        if self.kind not in make:
            raise CheckpointError(f"{self._source}: {_KEY}model {self.kind!r} is not known", _WITH_IDS)
        try:
            backend = make[self.kind]()
            backend.add_tokens(self._added_tokens())
            self._surround(backend)
        except BaseException as error:  # a panic of the library's derives from BaseException
            if isinstance(error, (CheckpointError, KeyboardInterrupt, SystemExit, MemoryError)):
                raise
            raise CheckpointError(f"{self._source}: its tokenizer cannot be built: {short(error)}") from None
        return backend

    # The four kinds of tokenizers.

    def _byte_level(self) -> Backend:
        """BPE over bytes that are written as printable characters (GPT-2 and most models since)."""
        from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

        split = SPLITS.get(self._pre)
        if split is None:
            raise CheckpointError(
                f"{self._source}: {_KEY}pre {self._pre!r} is not a way to split texts that attnviz knows", _WITH_IDS
            )
        vocab = self._vocab
        backend = Tokenizer(models.BPE(vocab, self._merges(vocab), ignore_merges=split.whole_words))
        cuts: list[Any] = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in split.patterns]
        cuts.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
        backend.pre_tokenizer = pre_tokenizers.Sequence(cuts)
        backend.decoder = decoders.ByteLevel()
        return backend

    def _pieces(self) -> Backend:
        """SentencePiece: pieces joined by rising score (llama), or the likeliest pieces (t5)."""
        from attnviz.families._recipes import Recipe
        from attnviz.tokens import sentencepiece as spm

        unknown, types = self._special_id("unknown"), list(self._types)
        if unknown is not None and UNKNOWN not in types:
            types[unknown] = UNKNOWN
        scores = self._scores(types)
        charsmap = self._metadata.get(_KEY + "precompiled_charsmap")
        joined = self.kind == "llama"
        model = spm.Model(
            list(zip(self._tokens, scores, types, strict=True)),
            kind=BPE if joined else UNIGRAM,
            byte_fallback=joined,
            charsmap=b"" if charsmap is None or joined else charsmap.astype("u1").tobytes(),
            dummy_prefix=self._flag("add_space_prefix", joined),
            trim_spaces=not joined and self._flag("remove_extra_whitespaces", False),
        )
        return spm.build(model, Recipe(), {}, self._source, own=True)

    def _wordpiece(self) -> Backend:
        from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

        unknown = self.special_name("unknown") or "[UNK]"
        lower = self._flag("normalizer.lowercase", True)
        backend = Tokenizer(models.WordPiece(self._vocab, unk_token=unknown, max_input_chars_per_word=10_000))
        backend.normalizer = normalizers.BertNormalizer(
            lowercase=lower, strip_accents=self._flag("normalizer.strip_accents", lower)
        )
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.WordPiece(prefix="##")
        return backend

    # Parts of the pipelines.

    def _token_names(self, tokens: Sequence[str]) -> list[str]:
        """Tokens by id. WordPiece is stored with a mark at the beginning of words instead of inside them."""
        types = self._types
        if len(types) != len(tokens):
            raise CheckpointError(f"{self._source}: {len(tokens)} tokens, but {len(types)} token types")
        if self.kind == "bert":
            return [
                name if kind == CONTROL else name[1:] if name.startswith("▁") else "##" + name
                for name, kind in zip(tokens, types, strict=True)
            ]
        return [name or f"[EMPTY_{i}]" for i, name in enumerate(tokens)]

    @cached_property
    def _vocab(self) -> dict[str, int]:
        return dict(zip(self._tokens, range(len(self._tokens)), strict=True))

    @property
    def _pre(self) -> str:
        """The rule for splitting that the file names. Old files without a name get the oldest rule."""
        name = self._metadata.get(_KEY + "pre")
        if name is None:
            warnings.warn(
                f"{self._source} does not say how texts are split (tokenizer.ggml.pre); some tokens may be wrong",
                AttnvizWarning,
                stacklevel=2,
            )
            return "default"
        return str(name)

    def _merges(self, vocab: Mapping[str, int]) -> list[tuple[str, str]]:
        """Pairs in the order in which they are joined; a pair that makes no token is skipped."""
        lines = self._metadata.get(_KEY + "merges")
        if not isinstance(lines, list):
            raise CheckpointError(f"{self._source} has no {_KEY}merges")
        pairs = [_pair(line) for line in lines]
        return [(a, b) for a, b in pairs if a in vocab and b in vocab and a + b in vocab]

    def _scores(self, types: Sequence[int]) -> list[float]:
        """The score of each piece. In unigram models, pieces that no text can have must not set the lowest score."""
        scores = [float(score) for score in self._numbers("scores", 0)]
        if self.kind == "llama":
            return scores
        lowest = min((s for s, kind in zip(scores, types, strict=True) if kind == NORMAL), default=0.0)
        return [0.0 if kind == USER else max(s, lowest) for s, kind in zip(scores, types, strict=True)]

    def _added_tokens(self) -> list[Any]:
        """Tokens that are found in a text before it is split."""
        from tokenizers import AddedToken

        trailing = self._trailing_space()
        return [
            AddedToken(name, normalized=False, special=name in self._special, rstrip=name in trailing)
            for i in self._not_normal
            if self._types[i] in (CONTROL, UNKNOWN, USER) and (name := self._tokens[i])
        ]

    def _trailing_space(self) -> set[str]:
        """Special tokens that take the white space after them: Phi-3's, recognised by the model's name."""
        name = str(self._metadata.get("general.name", "")).lower()
        if "phi-3" not in name and "phi3" not in name:
            return set()
        return self._added - {"<unk>", "<s>", "<|endoftext|>"}

    def _surround(self, backend: Backend) -> None:
        """The special tokens around a text."""
        from attnviz.tokens.build import set_template

        names = {kind: self.special_name(kind) or "" for kind in ("bos", "eos", "seperator")}
        if self.kind == "bert":
            single, pair = "{bos}:0 $A:0 {seperator}:0", "{bos}:0 $A:0 {seperator}:0 $B:1 {seperator}:1"
        else:
            bos = self.kind == "llama" or (self.kind == "gpt2" and SPLITS[self._pre].bos)
            bos, eos = self._flag("add_bos_token", bos), self._flag("add_eos_token", self.kind == "t5")
            single, pair = around(bos and bool(names["bos"]), eos and bool(names["eos"]))
        set_template(backend, single, pair, names, self._source)

    def _special_id(self, kind: str) -> int | None:
        """The id of a special token; None if the vocabulary lacks it."""
        number = self._metadata.get(f"{_KEY}{kind}_token_id", _DEFAULTS.get(self.kind, {}).get(kind))
        return number if isinstance(number, int) and 0 <= number < len(self._tokens) else None

    def _flag(self, key: str, default: bool) -> bool:
        value = self._metadata.get(_KEY + key, default)
        return value if isinstance(value, bool) else default

    def _numbers(self, key: str, default: int) -> list[Any]:
        """A list of numbers, one per token."""
        n = len(self._metadata[_KEY + "tokens"])
        numbers = self._metadata.get(_KEY + key)
        if numbers is None:
            return [default] * n
        if not hasattr(numbers, "tolist") or len(numbers) < n:
            raise CheckpointError(f"{self._source}: {_KEY}{key} must be {n} numbers, one per token")
        return numbers.tolist()[:n]

    def _name(self, i: int) -> str | None:
        return self._tokens[i] if 0 <= i < len(self._tokens) else None


_WITH_IDS = "give token ids instead: --ids 101,2054,102 (ids=[...] in Python)"


def _pair(line: str) -> tuple[str, str]:
    """`"Ġ t"` -> its two pieces; a space at the beginning belongs to the first."""
    cut = line.find(" ", 1)
    return (line[:cut], line[cut + 1 :]) if cut > 0 else (line, "")
