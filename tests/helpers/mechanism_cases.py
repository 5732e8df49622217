"""Mechanisms with parameters, and queries, keys and values of large variance to test them on."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pytest

from attnviz.variants.base import VariantInput

N, D, HEADS, LAYER = 13, 6, 2, 3
SCALE = D**-0.5
WIDE = 1.6  # standard deviation of q and k: scores then have a standard deviation of 2.5, and attention is peaked


def draw(name, shape):
    """Standard normal numbers by name."""
    return np.random.default_rng(crc32(name.encode())).standard_normal(shape).astype(np.float32)


def given(causal=False, n_query=N, n_key=N, seed=0):
    rng = np.random.default_rng(seed)
    q, k = (WIDE * rng.standard_normal((HEADS, n, D)).astype(np.float32) for n in (n_query, n_key))
    return VariantInput(LAYER, q, k, SCALE, causal)


def values(n):
    return np.random.default_rng(9).standard_normal((HEADS, n, D)).astype(np.float32)


ASKED = (
    *("general", "concat", "additive", "local-p", "local-p:4", "dilated", "dilated:1,gap=5", "dilated:3,gap=1"),
    *("bigbird", "bigbird:2", "bigbird:2,random=0", "bigbird:1,random=3", "bigbird:3,random=2"),
    *("lsh", "lsh:2", "lsh:8,rounds=3", "lsh:1", "permutation", "permutation:0", "permutation:7"),
    *("adaptive-span", "adaptive-span:3", "adaptive-span:1,ramp=4", "adaptive-span:2,ramp=1"),
    *("memory", "memory:3,memory=0", "memory:2,memory=5", "memory:20", "compressed-memory", "compressed-memory:3,4,3"),
    *("compressed-memory:2,0,3", "compressed-memory:4,1,1", "compressed-memory:20"),
    *("linformer", "linformer:13", "linformer:1", "linformer:5,drawn=1"),
    *("performer", "performer:3", "linear", "mamba"),
)


CASES = [
    pytest.param(asked, causal, id=f"{asked}{'-causal' if causal else ''}")
    for asked in ASKED
    for causal in (False, True)
    if not (causal and asked.startswith("linformer"))  # it has no causal form
]
