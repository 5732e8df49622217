"""Measure how close the student's heads are to the teacher's, on text that neither training nor vocabulary has seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import torch
from nets import Bert
from pairs import PAIRS
from pieces import Corpus
from torch import Tensor
from train import rows

REACH = 12  # larger distances count as this one
Heads = Callable[[Tensor], Iterable[Tensor]]  # ids -> log weights, one layer at a time, as Bert returns them


class Positions:
    """Predict each head from position alone: the teacher's mean weight of [CLS], of [SEP] and of every distance."""

    def __init__(self, teacher: Bert, renamed: np.ndarray, corpus: Corpus, tokens: int) -> None:
        sums = [torch.zeros(len(heads), 2 * REACH + 3) for heads in PAIRS.values()]
        counts, seen = torch.zeros(2 * REACH + 3), 0
        for length, order in corpus.batches(seed=1):
            ids = torch.from_numpy(renamed[corpus.ids(length, order)]).long()
            places = self._places(length).flatten()
            counts += len(order) * torch.bincount(places, minlength=len(counts))
            with torch.no_grad():
                for total, logs in zip(sums, rows(teacher, ids, PAIRS), strict=True):
                    total.index_add_(1, places, logs.exp().sum(0).flatten(1))
            seen += ids.numel()
            if seen >= tokens:
                break
        self._means = [total / counts for total in sums]

    def __call__(self, ids: Tensor) -> Iterable[Tensor]:
        places = self._places(ids.shape[1])
        for means in self._means:
            yield means[:, places].log().log_softmax(-1).expand(len(ids), -1, -1, -1)

    @staticmethod
    def _places(length: int) -> Tensor:
        """[query, key]: 0 is [CLS], 1 is [SEP], then distances from -REACH to REACH."""
        at = torch.arange(length)
        found = (at - at[:, None]).clamp(-REACH, REACH) + REACH + 2
        found[:, 0], found[:, -1] = 0, 1
        return found


def measure(
    model: Heads, teacher: Bert, renamed: np.ndarray, corpus: Corpus, tokens: int
) -> tuple[dict[tuple[int, int], dict[str, float]], int]:
    """Two numbers per pair, by (layer, teacher's head), and the number of tokens.

    The numbers are the mean Jensen-Shannon divergence of rows (nats, special keys included), and how often the
    strongest key that is not special is the same, over rows of tokens that are not special. Tokens
    measured: `tokens`, or all of the corpus if it has fewer, in passages of 6 or more.
    """
    same = {layer: tuple(range(len(heads))) for layer, heads in PAIRS.items()}
    names, seen = torch.from_numpy(renamed), 0
    sums: dict[tuple[int, int], np.ndarray] = {(i, h): np.zeros(4) for i, heads in PAIRS.items() for h in heads}
    with torch.no_grad():
        for length, order in corpus.batches(seed=0):
            if length < 6:
                continue
            ids = torch.from_numpy(corpus.ids(length, order)).long()
            pairs = zip(rows(teacher, names[ids], PAIRS), rows(model, ids, same), strict=True)
            for layer, (p_log, q_log) in enumerate(pairs):
                p, q = p_log.exp(), q_log.exp()
                middle = ((p + q) / 2).log()
                js = ((p * (p_log - middle)).sum(-1) + (q * (q_log - middle)).sum(-1)) / 2
                hit = p[:, :, 1:-1, 1:-1].argmax(-1) == q[:, :, 1:-1, 1:-1].argmax(-1)
                for at, head in enumerate(PAIRS[layer]):
                    sums[layer, head] += [js[:, at].sum(), js[:, at].numel(), hit[:, at].sum(), hit[:, at].numel()]
            seen += ids.numel()
            if seen >= tokens:
                break
    return {key: {"js": a / b, "top1": c / d} for key, (a, b, c, d) in sums.items()}, seen


def means(found: dict[tuple[int, int], dict[str, float]]) -> tuple[float, float]:
    """(js, top1) over all pairs."""
    js, top1 = (math.fsum(one[name] for one in found.values()) / len(found) for name in ("js", "top1"))
    return js, top1
