"""Attention made by hand, and loops written from papers' formulas, for the tests of analyses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from attnviz.attention import Attention
from attnviz.axis import Tokens


def made(
    heads: Sequence[np.ndarray], text: Sequence[str] = (), causal: bool = False, special: Sequence[int] = (), **more
) -> Attention:
    """One layer of these heads [query, key]."""
    weights = np.asarray(heads, np.float32)[None]
    n = weights.shape[-1]
    tokens = Tokens.plain(text or [f"t{i}" for i in range(n)])
    tokens = replace(tokens, special=tuple(i in special for i in range(n)))
    mask = np.tri(n, dtype=bool)[None] if causal else np.ones((1, n, n), bool)
    return Attention(weights, mask, tokens, tokens, (0,), tuple(range(len(heads))), model="made", **more)


def random_map(random: np.random.Generator, n: int, causal: bool = False, sharp: float = 3.0) -> np.ndarray:
    """Peaked weights [query, key] whose rows sum to 1."""
    scores = random.standard_normal((n, n)) * sharp
    if causal:
        scores[~np.tri(n, dtype=bool)] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def slow_statistics(weights: np.ndarray, special: Sequence[bool]) -> dict[str, float]:
    """The numbers of one head [query, key], in plain loops."""
    n = len(weights)
    rows = [[float(x) for x in row] for row in weights]
    entropies = [-sum(x * np.log(x) for x in row if x > 0) for row in rows]
    away = sum(rows[i][j] * abs(i - j) for i in range(n) for j in range(n))
    return {
        "entropy": sum(entropies) / n,
        "span": sum(np.exp(h) for h in entropies) / n,
        "distance": away / sum(map(sum, rows)),
        "confidence": sum(map(max, rows)) / n,
        "previous": sum(rows[i][i - 1] for i in range(1, n)) / (n - 1),
        "next": sum(rows[i][i + 1] for i in range(n - 1)) / (n - 1),
        "self": sum(rows[i][i] for i in range(n)) / n,
        "first": sum(row[0] for row in rows) / n,
        "special": sum(row[j] for row in rows for j in range(n) if special[j]) / n,
    }
