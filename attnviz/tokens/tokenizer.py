"""Tokenizer: a pipeline of the `tokenizers` library that returns Tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attnviz.axis import Tokens
from attnviz.errors import CheckpointError, InputError
from attnviz.tokens.budget import check_growth, normalisers, without_panics
from attnviz.tokens.labels import decode_together, readable
from attnviz.tokens.words import Span, find_words, trimmed, word_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>\Z")
_UNKNOWN = ("<unk>", "[UNK]")
_MASKS = ("<mask>", "[MASK]")


@dataclass(frozen=True)
class Encoding:
    """A model's input: tokens, and the token type of each (BERT's token_type_ids)."""

    tokens: Tokens
    type_ids: tuple[int, ...]


class Tokenizer:
    """Texts to Tokens and ids to labels, through one `tokenizers` pipeline.

    backend: the pipeline. Its padding and truncation are switched off: texts are never padded or cut.
    source: the file's name, for messages.
    target: another tokenizer for the decoder's text, in models with two (Marian).
    rename: token -> id, in models that renumber the pipeline's tokens (Marian).
    """

    def __init__(
        self,
        backend: Backend,
        source: str = "tokenizer",
        target: Tokenizer | None = None,
        rename: Mapping[str, int] | None = None,
    ) -> None:
        backend.no_padding()
        backend.no_truncation()
        self._backend = backend
        self._source = source
        self._target = target
        self._rename = rename
        self._names = {i: name for name, i in rename.items()} if rename is not None else None
        added = backend.get_added_tokens_decoder().values()
        self._added = {token.content for token in added}
        self._unknown = {*_UNKNOWN, getattr(backend.model, "unk_token", None) or _UNKNOWN[0]}
        self._special = {token.content for token in added if token.special} - self._unknown
        self._style = Style.of(backend)

    @property
    def n_vocab(self) -> int:
        """The number of ids that the tokenizer knows; a model's embedding table may have more rows."""
        return len(self._rename) if self._rename is not None else int(self._backend.get_vocab_size())

    @property
    def unknown_ids(self) -> frozenset[int]:
        """The ids of tokens for text that the vocabulary does not hold."""
        return frozenset(i for name in self._unknown if (i := self.token_id(name)) is not None)

    def encode(self, text: str, pair: str | None = None) -> Encoding:
        """Split the text (and its pair), with the special tokens that the tokenizer file adds.

        segments: 0 for the text, 1 for the pair; a special token has the segment of the text that it closes. words:
        counted through both texts; -1 for special tokens and white space. spans: characters in the token's own text,
        (0, 0) for special tokens. Raises InputError if a text is empty, CheckpointError if the tokenizer cannot split
        it.
        """
        texts = [checked_text(text)] + ([checked_text(pair, "the pair text")] if pair is not None else [])
        raw = self._run(texts[0], texts[1] if pair is not None else None)
        if self._rename is None:
            ids, names = raw.ids, [self._backend.id_to_token(i) or f"#{i}" for i in raw.ids]
        else:
            # Characters that the pipeline does not know appear unchanged in `tokens`; some of them have an id.
            ids = [self._renamed(name) for name in raw.tokens]
            names = [name if name in self._rename or self._backend.token_to_id(name) is not None else "<unk>"
                     for name in raw.tokens]  # fmt: skip
        pieces = [self._piece(name) for name in names]
        special = [bool(part) for part in raw.special_tokens_mask]
        if all(special):
            raise InputError("the tokenizer leaves nothing of the text", "is it made of control characters only?")
        segments = _segments(raw.sequence_ids)
        own, _ = decode_together(pieces)
        spans = [(0, 0) if special[i] else trimmed(texts[segments[i]], span) for i, span in enumerate(raw.offsets)]
        words, counted = [-1] * len(pieces), 0
        for segment, part in enumerate(texts):
            places = [i for i in range(len(pieces)) if segments[i] == segment and not special[i]]
            word_spans = find_words(part)
            for i, word in zip(places, word_of(word_spans, [spans[i] for i in places]), strict=True):
                words[i] = word + counted if word >= 0 else -1
            counted += len(word_spans)
        tokens = Tokens(
            text=tuple(readable(pieces)),
            ids=tuple(ids),
            words=tuple(_led(words, pieces, own)),
            special=tuple(special),
            segments=tuple(segments),
            spans=tuple(spans),
        )
        return Encoding(tokens, tuple(raw.type_ids))

    def encode_target(self, text: str, start_id: int | None = None) -> Encoding:
        """Split the decoder's text for teacher forcing: its start token in front, the final end token dropped.

        start_id: the config's decoder_start_token_id; None moves the last special token to the front, as mBART does.
        If the tokenizer already adds the start token (Whisper), no second one is added.
        """
        if self._target is not None:
            return self._target.encode_target(text, start_id)
        encoding = self.encode(text)
        tokens, keep = encoding.tokens, list(range(len(encoding.tokens)))
        last = tokens.ids[-1] if tokens.special[-1] else None
        if last is not None:
            keep.pop()
        start = start_id if start_id is not None else last
        if start is not None and (not keep or tokens.ids[0] != start or not tokens.special[0]):
            tokens, keep = _joined(self.describe([start]), tokens), [0, *(i + 1 for i in keep)]
        return Encoding(tokens.take(keep), (0,) * len(keep))

    def describe(self, ids: Sequence[int]) -> Tokens:
        """Labels for ids alone. An unknown id is shown as `#id` and is one word.

        special: all special tokens of the file, except the unknown and the mask token, which represent text. words: by
        the rule for texts, applied to the text that the tokens spell. spans: unknown.
        """
        names = [self._name(int(i)) for i in ids]
        pieces = [f"#{i}" if name is None else self._piece(name) for name, i in zip(names, ids, strict=True)]
        own, tails = decode_together(pieces)
        special = [name in self._special and name not in _MASKS for name in names]
        shown = [
            " " if s else piece if isinstance(piece, str) else part
            for s, piece, part in zip(special, pieces, own, strict=True)
        ]
        text, spans = self._style.spell(shown, tails, [isinstance(piece, str) for piece in pieces])
        words = [-1 if s else w for s, w in zip(special, word_of(find_words(text), spans), strict=True)]
        return Tokens(
            text=tuple(readable(pieces)),
            ids=tuple(int(i) for i in ids),
            words=tuple(_led(words, pieces, own)),
            special=tuple(special),
            segments=(0,) * len(pieces),
        )

    def spelled(self, ids: Sequence[int]) -> str:
        """The text that ids spell, without special tokens; an incomplete character becomes a replacement character."""
        names = [self._name(int(i)) for i in ids]
        ordinary = [name for name in names if name is not None and name not in self._special]
        style = self._style
        if style.suffix:
            return "".join(
                style.spelled(name).decode() + " " * name.endswith(style.suffix) for name in ordinary
            ).rstrip()
        if style.prefix:
            own = [style.spelled(name).decode() for name in ordinary]
            return style.spell(own, [""] * len(own), [False] * len(own))[0]
        pieces = [piece if isinstance(piece, bytes) else piece.encode() for piece in map(self._piece, ordinary)]
        return b"".join(pieces).decode("utf-8", "replace")

    def ids_as_written(self, text: str) -> list[int]:
        """The ids of a text in which special tokens are written out, such as a chat template's; no token is added."""
        raw = self._as_written(text)
        return list(raw.ids) if self._rename is None else [self._renamed(name) for name in raw.tokens]

    def tokens_as_written(self, text: str) -> Tokens:
        """The tokens of a text in which special tokens are written out, each with its span; no token is added."""
        spans = tuple(trimmed(text, span) for span in self._as_written(text).offsets)
        return replace(self.describe(self.ids_as_written(text)), spans=spans)

    def _as_written(self, text: str) -> Any:
        try:
            with without_panics():
                check_growth(text, self._steps, self._source)
                return self._backend.encode(text, add_special_tokens=False)
        except BaseException as error:  # a panic of the library's derives from BaseException
            if isinstance(error, (CheckpointError, KeyboardInterrupt, SystemExit, MemoryError)):
                raise
            raise CheckpointError(f"{self._source} cannot split the text: {short(error)}") from None

    def token_id(self, name: str) -> int | None:
        """The id of a token by its text in the file, or None."""
        return self._rename.get(name) if self._rename is not None else self._backend.token_to_id(name)

    @cached_property
    def _steps(self) -> list[Any]:
        return normalisers(self._backend)

    def _run(self, text: str, pair: str | None) -> Any:
        backend = self._backend
        try:
            with without_panics():
                for part in (text, pair or ""):
                    check_growth(part, self._steps, self._source)
                return backend.encode(text, pair)
        except BaseException as error:  # a panic of the library's derives from BaseException
            if isinstance(error, (CheckpointError, KeyboardInterrupt, SystemExit, MemoryError)):
                raise
            raise CheckpointError(f"{self._source} cannot split the text: {short(error)}") from None

    def _piece(self, name: str) -> bytes | str:
        """The bytes that a token spells; for a special or unknown token its name, as str."""
        if name in self._special or name in self._unknown:
            return name
        # An added token spells its own text; only several spaces are written with the mark for spaces (Yi, Gemma).
        return name.encode() if name in self._added and name.strip("▁") else self._style.spelled(name)

    def _name(self, i: int) -> str | None:
        if self._names is not None:
            return self._names.get(i)
        return self._backend.id_to_token(i) if 0 <= i < 2**32 else None

    def _renamed(self, name: str) -> int:
        assert self._rename is not None
        return self._rename.get(name, self._rename.get("<unk>", 0))


class RefusedTokenizer:
    """A tokenizer for files that do not say how a text is split: it refuses texts and only labels ids."""

    n_vocab: int | None = None

    def __init__(self, error: CheckpointError) -> None:
        self._error = error

    def encode(self, text: str, pair: str | None = None) -> Encoding:
        """Raise CheckpointError."""
        raise self._error

    def encode_target(self, text: str, start_id: int | None = None) -> Encoding:
        """Raise CheckpointError."""
        raise self._error

    def describe(self, ids: Sequence[int]) -> Tokens:
        """Label ids by their number."""
        return Tokens.plain([str(int(i)) for i in ids], ids)


@dataclass(frozen=True)
class Style:
    """A pipeline's notation of tokens."""

    byte_level: bool = False  # every byte of the text as a printable character (GPT-2)
    metaspace: bool = False  # ▁ for a space (SentencePiece)
    byte_fallback: bool = False  # <0xE6> for a byte
    prefix: str = ""  # before a piece that continues a word (WordPiece: ##)
    suffix: str = ""  # after a piece that ends a word (</w>)

    @classmethod
    def of(cls, backend: Backend) -> Style:
        parts = (backend.normalizer, backend.pre_tokenizer, backend.decoder, backend.post_processor)
        made_of = b"".join(part.__getstate__() for part in parts if part is not None).decode()
        model = backend.model
        return cls(
            byte_level='"ByteLevel"' in made_of,
            metaspace='"Metaspace"' in made_of or "▁" in made_of,
            byte_fallback='"ByteFallback"' in made_of or bool(getattr(model, "byte_fallback", False)),
            prefix=getattr(model, "continuing_subword_prefix", None) or "",
            suffix=getattr(model, "end_of_word_suffix", None) or "",
        )

    def spelled(self, name: str) -> bytes:
        """The bytes of the text that a token spells; a prefix is kept, a suffix dropped."""
        if self.suffix and name.endswith(self.suffix):
            name = name[: -len(self.suffix)]
        if self.byte_level and all(char in _BYTES for char in name):
            return bytes(_BYTES[char] for char in name)
        if self.byte_fallback and (match := _BYTE.match(name)):
            return bytes([int(match[1], 16)])
        return (name.replace("▁", " ") if self.metaspace else name).encode()

    def spell(self, shown: Sequence[str], tails: Sequence[str], apart: Sequence[bool]) -> tuple[str, list[Span]]:
        """The text that these tokens spell, and the span of each in it.

        apart: True for a name that belongs to no word around it. A token that only continues a character (a tail) has
        that character's span.
        """
        text = ""
        spans: list[Span] = []
        for i, part in enumerate(shown):
            goes_on = bool(self.prefix) and part.startswith(self.prefix) and len(part) > len(self.prefix)
            if apart[i] or (i and apart[i - 1]) or (self.prefix and not goes_on):
                text += " "
            start = len(text) - bool(tails[i] and text)
            text += part[len(self.prefix) :] if goes_on else part
            spans.append((start, len(text)))
        return text, [trimmed(text, span) for span in spans]


def _alphabet() -> dict[str, int]:
    """The character that byte-level BPE writes for each byte: its Latin-1 character, or one from 256 on."""
    inked = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(inked)]
    return {chr(byte): byte for byte in inked} | {chr(256 + n): byte for n, byte in enumerate(others)}


_BYTES = _alphabet()


def _segments(sequences: Sequence[int | None]) -> list[int]:
    """The text of each token; a special token takes that of the text before it."""
    segments, last = [], 0
    for sequence in sequences:
        last = last if sequence is None else sequence
        segments.append(last)
    return segments


def _led(words: list[int], pieces: Sequence[bytes | str], own: Sequence[str]) -> list[int]:
    """A single space right before a word's first piece belongs to that word: the pipeline split it off the piece."""
    led = list(words)
    for i in range(len(words) - 1):
        after = own[i + 1][:1] if isinstance(pieces[i + 1], bytes) else "x"
        if own[i] == " " and after and not after.isspace():
            led[i] = words[i + 1]
    return led


def _joined(first: Tokens, rest: Tokens) -> Tokens:
    return Tokens(
        text=first.text + rest.text,
        ids=first.ids + rest.ids,
        words=(-1,) * len(first) + rest.words,
        special=(True,) * len(first) + rest.special,
        segments=first.segments + rest.segments,
        spans=((0, 0),) * len(first) + rest.spans,
    )


def checked_text(text: object, what: str = "the text") -> str:
    """Check that a text can be tokenized. Raises InputError otherwise."""
    if not isinstance(text, str):
        raise InputError(f"{what} must be a string; got {type(text).__name__}")
    if not text.strip():
        raise InputError(f"{what} is empty", "give at least one word")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = f"U+{ord(text[error.start]):04X}"
        raise InputError(
            f"{what} holds half a character ({code}) at character {error.start}", "save it as UTF-8"
        ) from None
    return text


def short(error: object, limit: int = 160) -> str:
    """The message of a library's exception, on one line."""
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= limit else line[: limit - 1] + "…"
