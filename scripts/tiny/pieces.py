"""The small model's vocabulary: a part of the teacher's, so that both read the same pieces.

Special tokens, the teacher's plain single characters and their ## forms, then the pieces that are most frequent in the
training texts. With all characters there, greedy longest match works unchanged.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from texts import SOURCES, held_out, paragraphs, sentences
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LONGEST = 128


def tokenizer(vocabulary: list[str]) -> Tokenizer:
    """BERT's tokenization of English, with these pieces; no special tokens are added."""
    made = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(vocabulary)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    return made


def choose(teacher: dict[str, int], folder: Path, size: int) -> list[str]:
    """The vocabulary, in the order special, characters, frequent pieces."""
    whole = tokenizer([piece for piece, _ in sorted(teacher.items(), key=lambda item: item[1])])
    counts: Counter[str] = Counter()
    for name, source in SOURCES.items():
        if source.use == "train":
            for batch in _batches(p for p in paragraphs(name, folder) if not held_out(p)):
                for encoding in whole.encode_batch(batch, add_special_tokens=False):
                    counts.update(encoding.tokens)
    plain = {chr(code) for code in range(33, 127)} | set("£€–—‘’“”…é")
    characters = [p for c in sorted(plain) for p in (c, f"##{c}") if p in teacher]
    taken = {*SPECIAL, *characters}
    frequent = [p for p, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if p not in taken]
    return [*SPECIAL, *characters, *frequent][:size]


def _batches(texts: Iterable[str], size: int = 1000) -> Iterator[list[str]]:
    held: list[str] = []
    for text in texts:
        held.append(text)
        if len(held) == size:
            yield held
            held = []
    if held:
        yield held


class Corpus:
    """Passages of one to many sentences as ids [CLS] ... [SEP], by their length, so that a batch needs no padding."""

    def __init__(self, passages: list[np.ndarray]) -> None:
        self.by_length: dict[int, list[np.ndarray]] = {}
        for ids in passages:
            self.by_length.setdefault(len(ids), []).append(ids)
        self.tokens = sum(len(ids) for ids in passages)

    def batches(self, seed: int, tokens: int = 1800) -> Iterator[tuple[int, list[int]]]:
        """One epoch: every passage once, in batches of one length: (length, numbers of the passages)."""
        draw = random.Random(seed)
        batches = []
        for length, passages in sorted(self.by_length.items()):
            order = draw.sample(range(len(passages)), len(passages))
            count = max(1, tokens // length)
            batches += [(length, order[i : i + count]) for i in range(0, len(order), count)]
        draw.shuffle(batches)
        yield from batches

    def ids(self, length: int, order: list[int]) -> np.ndarray:
        """[sequence, place]"""
        return np.stack([self.by_length[length][i] for i in order])


def corpus(vocabulary: list[str], folder: Path, names: Iterable[str], held: bool | None, seed: int = 0) -> Corpus:
    """Passages of these sources.

    held: only paragraphs held out (True), only the remaining ones (False), or all (None).
    """
    reader, draw, passages = tokenizer(vocabulary), random.Random(seed), []
    cls, sep = vocabulary.index("[CLS]"), vocabulary.index("[SEP]")
    for name in names:
        wanted = (p for p in paragraphs(name, folder) if held is None or held_out(p) == held)
        for paragraph in wanted:
            parts = [e.ids for e in reader.encode_batch(sentences(paragraph), add_special_tokens=False)]
            passages += [np.array([cls, *ids, sep], np.int32) for ids in _passages(parts, draw)]
    return Corpus(passages)


def _passages(parts: list[list[int]], draw: random.Random) -> Iterator[list[int]]:
    """Sequences of whole sentences up to a random length; sentences that are too long are cut."""
    most, held = _most(draw), []
    for ids in parts:
        while len(ids) > LONGEST - 2:
            yield ids[: LONGEST - 2]
            ids = ids[LONGEST - 2 :]
        if held and len(held) + len(ids) > most:
            yield held
            most, held = _most(draw), []
        held = held + ids
        if len(held) > LONGEST - 2:
            yield held[: LONGEST - 2]
            held = []
    if len(held) >= 4:
        yield held


def _most(draw: random.Random) -> int:
    return draw.choice((8, 14, 14, 22, 22, 30, 30, 46, 62, 94, 126))
