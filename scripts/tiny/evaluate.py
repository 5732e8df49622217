"""How near the student's heads are to the teacher's, on text that neither training nor vocabulary has seen."""

from __future__ import annotations

import math

import numpy as np
import torch
from nets import Bert
from pieces import Corpus
from train import PAIRS, rows


def measure(
    model: Bert, teacher: Bert, renamed: np.ndarray, corpus: Corpus, tokens: int
) -> dict[tuple[int, int], dict[str, float]]:
    """For each pair, by (layer, teacher's head): mean Jensen-Shannon divergence of rows (nats, special keys included),
    and how often the strongest key that is not special is the same, over rows of tokens that are not special.
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
    return {key: {"js": a / b, "top1": c / d} for key, (a, b, c, d) in sums.items()}


def means(found: dict[tuple[int, int], dict[str, float]]) -> tuple[float, float]:
    """(js, top1) over all pairs."""
    js, top1 = (math.fsum(one[name] for one in found.values()) / len(found) for name in ("js", "top1"))
    return js, top1
