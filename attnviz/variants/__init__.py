"""Attention's relatives: what each one changes, as exact small implementations on the reader's own sentence.

    table.py      every mechanism: name, formula, source, cost, what is simplified, its numbers; loads no NumPy
    applied.py    a mechanism put into a Spec: what the engine can do is a field of it, the rest an object below
    base.py       the input of such an object, and attention in groups of queries and keys
    scoring.py    general, concat, additive
    sparse.py     local-p, dilated, bigbird, lsh, permutation, adaptive-span, memory
    compressed.py compressed-memory
    approximate.py    linformer, performer, linear
    state_space.py    mamba
    scaling.py    the time of each over growing n

Each object gives the matrix of weights that it implies (`weights`, for pictures) and the same outputs at the cost that
its paper promises (`output`, for `--scaling`); tests hold the two together.
"""

from __future__ import annotations

from attnviz.variants.table import GROUPS, MECHANISMS, Mechanism, VariantSpec, parse

__all__ = ["GROUPS", "MECHANISMS", "Mechanism", "VariantSpec", "parse"]
