"""A model of two layers in which one head alone copies a fact: the item beside the name that a question asks for.

Tokens are names and items. Head 0 of layer 0 writes the name of the token before into each position; head 0 of layer 1
attends from a name, or from what follows it, to the positions that follow that name, and copies the item there into the
output. The other heads attend evenly and write nothing. `robert` is another word for `bob`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

NAMES = ("ann", "bob", "carl", "dan", "eve")
ITEMS = ("bus", "car")
TOKENS = (*NAMES, "robert", *ITEMS, "is", "?")
SOURCES = ("ann bus", "bob bus", "carl car", "dan car", "eve car")  # `bus` is in two of them
FACT = 1  # the source that a question for robert rests on
_PLACES, _SHARP, _LOUD = 32, 10.0, 12.0
_NAME, _BEFORE = range(0, 5), range(5, 10)
_ITEM, _OWN = range(10, 12), range(12, 12 + len(TOKENS))
_AT = range(_OWN.stop, _OWN.stop + _PLACES)


def saved(place: Path) -> Path:
    """Write the model; return its file."""
    d, n_heads, d_head = _AT.stop, 2, _PLACES
    embedding, positions = np.zeros((len(TOKENS), d), np.float32), np.zeros((_PLACES, d), np.float32)
    for i, token in enumerate(TOKENS):
        name = NAMES.index("bob" if token == "robert" else token) if token in (*NAMES, "robert") else None
        if name is not None:
            embedding[i, _NAME[name]] = 1
        if token in ITEMS:
            embedding[i, _ITEM[ITEMS.index(token)]] = 1
        embedding[i, _OWN[i]] = 1
    positions[range(_PLACES), _AT] = 1
    arrays = {"embedding": embedding, "positions": positions, "tokens": np.array(TOKENS)}
    for layer in ("", ".1"):
        for name in "QKV":
            arrays[f"W_{name}{layer}"] = np.zeros((d, n_heads * d_head), np.float32)
        arrays[f"W_O{layer}"] = np.zeros((n_heads * d_head, d), np.float32)
    for place_before in range(_PLACES - 1):  # layer 0: to the token before
        arrays["W_Q"][_AT[place_before + 1], place_before] = _SHARP
        arrays["W_K"][_AT[place_before], place_before] = _SHARP
    for name, before in zip(_NAME, _BEFORE, strict=True):
        arrays["W_V"][name, name] = 1
        arrays["W_O"][name, before] = 1
        arrays["W_Q.1"][name, name] = arrays["W_Q.1"][before, name] = _SHARP
        arrays["W_K.1"][before, name] = _SHARP
    for i, item in enumerate(_ITEM):  # layer 1: what follows that name, into the output
        arrays["W_V.1"][item, i] = 1
        arrays["W_O.1"][i, item] = _LOUD
    file = place / "copying.npz"
    np.savez(file, n_heads=n_heads, causal=True, **arrays)
    return file
