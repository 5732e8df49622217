"""A SentencePiece .model as a pipeline of the `tokenizers` library.

The file is one protocol buffer, read by hand: three of its messages are needed, and every length is checked against the
bytes that are there. Source: sentencepiece_model.proto of google/sentencepiece.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attnviz.errors import CheckpointError
from attnviz.families._recipes import Recipe
from attnviz.tokens import spaces
from attnviz.tokens.budget import check_charsmap
from attnviz.tokens.spaces import BPE, UNIGRAM, Model

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

    from attnviz.tokens.added import Added

NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = range(1, 7)
_LONGEST_PIECE, _LONGEST = 512, 8_000_000  # limits of characters: of one piece, and of all pieces


def parse(data: bytes, source: str) -> Model:
    """Read a .model file. Raises CheckpointError if it is not one."""
    try:
        return _parse(data)
    except (ValueError, IndexError, struct.error) as error:
        raise CheckpointError(f"{source} is not a SentencePiece model: {error}") from None


def _parse(data: bytes) -> Model:
    pieces: list[tuple[str, float, int]] = []
    trainer: dict[int, Any] = {}
    normaliser: dict[int, Any] = {}
    for number, value in _fields(data):
        if number == 1:
            pieces.append(_piece(_message(value)))
        elif number == 2:
            trainer = dict(_fields(_message(value)))
        elif number == 3:
            normaliser = dict(_fields(_message(value)))
    if not pieces:
        raise ValueError("it has no pieces")
    length = sum(len(text) for text, _, _ in pieces)
    if length > _LONGEST:
        raise ValueError(f"its pieces have {length:,} characters; at most {_LONGEST:,} are read")
    return Model(
        pieces,
        kind=int(trainer.get(3, UNIGRAM)),
        byte_fallback=bool(trainer.get(35, 0)),
        charsmap=_message(normaliser.get(2, b"")),
        dummy_prefix=bool(normaliser.get(3, 1)),
        trim_spaces=bool(normaliser.get(4, 1)),
    )


def _piece(data: bytes) -> tuple[str, float, int]:
    fields = dict(_fields(data))
    text = _message(fields.get(1, b"")).decode("utf-8")
    score = fields.get(2, b"\0\0\0\0")
    value = struct.unpack("<f", score)[0] if isinstance(score, bytes) else math.nan
    if len(text) > _LONGEST_PIECE or not math.isfinite(value):
        raise ValueError(f"piece {text[:20]!r} has {len(text)} characters and the score {value}")
    return text, value, int(fields.get(3, NORMAL))


def _message(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number is where a text belongs")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field number and value of each field: an int for a varint, bytes for everything else."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"a field of kind {wire} at byte {at}")
        if size > len(data) - at:
            raise ValueError(f"a field claims {size} bytes where {len(data) - at} are left")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a number runs over its end")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def build(model: Model, recipe: Recipe, options: Mapping[str, Any], source: str, own: bool = False) -> Backend:
    """The pipeline of a model, with the family's numbering of pieces; no token is added to it yet.

    own: prepare texts and join pieces as SentencePiece does, not as a family's fast tokenizer does.
    """
    from tokenizers import Tokenizer, decoders, models

    if model.kind not in (UNIGRAM, BPE):
        raise CheckpointError(f"{source} must be a unigram or BPE model; got kind {model.kind}")
    check_charsmap(model.charsmap, source)
    pieces = _numbered(model, recipe, options)
    unknown = next((i for i, (_, _, kind) in enumerate(pieces) if kind == UNKNOWN), None)
    if unknown is None:
        raise CheckpointError(f"{source} has no unknown piece")
    if all(kind in (CONTROL, UNKNOWN, UNUSED) for _, _, kind in model.pieces):
        raise CheckpointError(f"{source} has no piece that a text may hold")
    byte_fallback = model.byte_fallback and (own or recipe.bytes)
    if model.kind == UNIGRAM:
        scores = [(text, score) for text, score, _ in pieces]
        backend = Tokenizer(models.Unigram(scores, unk_id=unknown, byte_fallback=byte_fallback))
    else:
        vocab = {text: i for i, (text, _, _) in enumerate(pieces)}
        merges = _merges_by_score(pieces) if own else _merges(pieces)
        name = pieces[unknown][0]
        backend = Tokenizer(models.BPE(vocab, merges, unk_token=name, fuse_unk=True, byte_fallback=byte_fallback))
    backend.normalizer, split = spaces.own(model) if own else spaces.prepared(model, recipe, options)
    if split is not None:
        backend.pre_tokenizer = split
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return backend


def added_pieces(model: Model, recipe: Recipe, options: Mapping[str, Any]) -> list[Added]:
    """The pieces that are found before a text is split: control pieces, which are special, and user-defined pieces."""
    from attnviz.tokens.added import Added

    marked = [
        Added(text, special=kind == CONTROL or text in recipe.turns)
        for text, _, kind in model.pieces
        if kind in (CONTROL, USER) and text
    ]
    return marked + family_pieces(recipe, options)


def family_pieces(recipe: Recipe, options: Mapping[str, Any]) -> list[Added]:
    """The pieces that a family adds before and after a model's pieces: languages, sentinels."""
    from attnviz.tokens.added import Added

    names = (*recipe.front, *_back(recipe, options))
    return [Added(text, special=True) for text in names if text != "<unk>" and not text.endswith("NOTUSED")]


def _numbered(model: Model, recipe: Recipe, options: Mapping[str, Any]) -> list[tuple[str, float, int]]:
    """The pieces in the order of the model's embedding table."""
    own = model.pieces[recipe.skip :]
    if recipe.spaces == "marked":  # Gemma writes a tab instead of the byte piece of a tab
        own = [("\t", score, NORMAL) if text == "<0x09>" else (text, score, kind) for text, score, kind in own]
    if recipe.commas:
        # These families split "1," again after SentencePiece; a piece that costs 100 more is never chosen.
        own = [(text, score - 100 * _is_number_comma(text), kind) for text, score, kind in own]
    front = [(text, 0.0, UNKNOWN if text == "<unk>" else CONTROL) for text in recipe.front]
    if any(text.startswith("<unk_") for text in recipe.front):
        # Pegasus numbers its own unknown piece after the reserved ones.
        front = [(text, -100.0 if text.startswith("<unk_") else 0.0, CONTROL) for text in recipe.front]
    have = {text for text, _, _ in (*front, *own)}
    back = [(name, 0.0, CONTROL) for name in _back(recipe, options) if name not in have]
    return front + own + back


def _back(recipe: Recipe, options: Mapping[str, Any]) -> list[str]:
    """The names of the pieces that the family adds after the model's pieces."""
    if recipe.back == ("extra_ids",):
        return [f"<extra_id_{i}>" for i in reversed(range(_extra_ids(options)))]
    return list(recipe.back)


def _extra_ids(options: Mapping[str, Any]) -> int:
    count = options.get("extra_ids", 100)
    return count if isinstance(count, int) and 0 <= count <= 10_000 else 100


def _is_number_comma(text: str) -> bool:
    return len(text) > 1 and text[-1] == "," and text[-2].isdigit()


def _merges(pieces: list[tuple[str, float, int]]) -> list[tuple[str, str]]:
    """BPE's merges: every way to join two pieces of any kind into a third; best score first, then the longer left."""
    known = {text for text, _, _ in pieces}
    ways = [
        (score, cut, text)
        for text, score, _ in pieces
        for cut in range(len(text) - 1, 0, -1)
        if text[:cut] in known and text[cut:] in known
    ]
    ways.sort(key=lambda way: (-way[0], -way[1], way[1] - len(way[2])))
    return [(text[:cut], text[cut:]) for _, cut, text in ways]


def _merges_by_score(pieces: list[tuple[str, float, int]]) -> list[tuple[str, str]]:
    """BPE's merges in SentencePiece's order: a user-defined piece is found before merging, not merged."""
    ids = {text: i for i, (text, _, kind) in enumerate(pieces) if kind in (NORMAL, USER, UNUSED)}
    ways = []
    for text, score, kind in pieces:
        if kind != NORMAL:
            continue
        for cut in range(1, len(text)):
            left, right = ids.get(text[:cut]), ids.get(text[cut:])
            if left is not None and right is not None:
                ways.append((-score, left, right, text[:cut], text[cut:]))
    return [(left, right) for *_, left, right in sorted(ways)]
