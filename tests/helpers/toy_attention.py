"""Attention drawn at random over a few words, and the texts of a Figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from attnviz.attention import Attention
from attnviz.axis import Tokens

SENTENCE = ("[CLS]", "the", "animal", "was", "tired", "[SEP]")


def attention(n_layers=1, n_heads=1, tokens=SENTENCE, keys=None, seed=0, causal=False, peak=1.0, **more):
    """Random weights whose rows sum to 1; small `peak`: a few large weights per row."""
    keys = tokens if keys is None else keys
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(len(keys), peak), (n_layers, n_heads, len(tokens))).astype(np.float32)
    mask = None
    if causal:
        mask = np.tri(len(tokens), len(keys), dtype=bool)[None]
        weights = weights * mask + 1e-9
        weights = np.where(mask, weights / (weights * mask).sum(-1, keepdims=True), 0).astype(np.float32)
    named = {"layers": tuple(range(n_layers)), "heads": tuple(range(n_heads)), "model": "toy"}
    return Attention(weights, mask, special(tokens), special(keys), **(named | more))


def special(texts):
    plain = Tokens.plain(texts)
    return replace(plain, special=tuple(text in ("[CLS]", "[SEP]") for text in plain.text))


def words(n):
    return tuple(f"w{i}" for i in range(n))


def texts(figure, role):
    return [label.text for label in figure.labels if label.role == role]
