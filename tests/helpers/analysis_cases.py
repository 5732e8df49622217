"""Attention made by hand, for the tests of analyses."""

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
