"""The teacher's weights for every training passage, stored on disk, so that the teacher runs once per passage.

A file for each length of passage: [passage, pair, query, key], each weight p as round(255 sqrt(p)) in one byte.
Precision is highest for small weights: the error of p is at most 0.004, near 0 under 0.00001.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from pieces import Corpus
from torch import Tensor

LEAST = 1e-7  # replaces a weight of 0, which has no logarithm


def write(place: Path, corpus: Corpus, rows: Callable[[Tensor], list[Tensor]]) -> None:
    """Label every passage, one length at a time; existing labels stay. rows: the teacher's log weights."""
    place.mkdir(exist_ok=True)
    start, seen = time.monotonic(), 0
    for length, passages in sorted(corpus.by_length.items()):
        file, count = _file(place, length), max(1, 1800 // length)
        seen += length * len(passages)
        if file.exists():
            continue
        found = []
        for i in range(0, len(passages), count):
            with torch.no_grad():
                logs = torch.cat(rows(torch.from_numpy(np.stack(passages[i : i + count])).long()), 1)
            found.append((logs / 2).exp().mul(255).round().to(torch.uint8).numpy())
        partial = file.with_suffix(".partial")
        with partial.open("wb") as out:
            np.save(out, np.concatenate(found))
        partial.replace(file)
        took = time.monotonic() - start
        print(f"labelled {seen / 1e6:.2f}M of {corpus.tokens / 1e6:.2f}M tokens  {took:.0f} s", flush=True)


class Labels:
    """The stored labels of a corpus, by length and number of the passage."""

    def __init__(self, place: Path, corpus: Corpus, sizes: list[int]) -> None:
        """sizes: the number of pairs per layer."""
        self._sizes = sizes
        self._kept = {n: np.load(_file(place, n), mmap_mode="r") for n in corpus.by_length}
        for length, passages in corpus.by_length.items():
            wanted = (len(passages), sum(sizes), length, length)
            if self._kept[length].shape != wanted:
                raise SystemExit(f"{_file(place, length)} is not of these texts: remove {place}")

    def rows(self, length: int, order: list[int]) -> list[Tensor]:
        """Log weights of the teacher, one layer at a time: [sequence, pair, query, key]."""
        p = (torch.from_numpy(self._kept[length][order]).float() / 255).square() + LEAST
        return list((p / p.sum(-1, keepdim=True)).log().split(self._sizes, 1))


def _file(place: Path, length: int) -> Path:
    return place / f"{length}.npy"
