"""Attention as the papers have it, one function per step. Start here to read the engine.

    scores     s_ij = scale * q_i . k_j                       Vaswani 2017, section 3.2.1, eq. 1
    cap        s_ij = cap * tanh(s_ij / cap)                  Bello 2016, appendix A
    positions  s_ij = s_ij + b(i, j)                          Dai 2019, Raffel 2020, Press 2021, He 2021
    mask       s_ij = -inf where i may not attend to j        Vaswani 2017, section 3.2.3
    softmax    w_ij = exp(s_ij) / sum_j exp(s_ij)
    mix        o_i  = sum_j w_ij v_j

Shapes: q [..., head, row, d_head], k [..., kv head, col, d_head], v [..., kv head, col, d_value]. Head h reads the keys
and values of kv head h // (heads / kv heads), Ainslie 2023. `...` is an axis of texts where there are several. Rows
are queries, columns are keys: all of a short text's, some of a long one's (tiles.py).

Functions ending in `_` work in place on their first argument and return it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.kernels import dot_products, exponentials_, hide_, weighted_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.observer import Record

    Array = NDArray[np.float32]

# A term b(i, j): its name among the stages (tile.py), and a function that adds it to scores [..., head, row, col].
Term = tuple[str, Callable[["Array"], None]]


@dataclass(frozen=True, eq=False)
class Rule:
    """The settings of each step; a scale alone is plain attention.

    unscaled, scaled: terms that depend on positions, added before the scores are scaled, and after.
    softcap: 0 for no cap. hidden [row, col] or [1 or head, row, col]: True where attending is not allowed; spans: the
    runs of columns that hold any True. repeats: terms for keys that count several times. sinks [head, 1, 1]: the score
    of a key outside the text. bounded [...]: see `exponentials_`.
    """

    scale: float
    unscaled: Sequence[Term] = ()
    scaled: Sequence[Term] = ()
    softcap: float = 0.0
    hidden: NDArray[np.bool_] | None = None
    spans: tuple[slice, ...] = ()
    repeats: Sequence[Term] = ()
    sinks: Array | None = None
    bounded: NDArray[np.bool_] | bool = False


def attention(rule: Rule, q: Array, k: Array, v: Array | None, record: Record) -> tuple[Array, Array, Array | None]:
    """The formula: e and total, whose quotient is the weights, and the outputs o; None without v."""
    s = scores(rule, q, k, record)  #         [..., head, row, col]
    s = cap_(rule, s, record)  #              [..., head, row, col]
    s = add_(rule.scaled, s, record)  #       [..., head, row, col]
    s = mask_(rule, s, record)  #             [..., head, row, col]
    e, total = exponentiate_(rule, s)  #      [..., head, row, col], [..., head, row, 1]
    o = mix(e, total, v) if v is not None else None  # [..., head, row, d_value]
    return e, total, o


def scores(rule: Rule, q: Array, k: Array, record: Record) -> Array:
    """scale * (q_i . k_j + unscaled terms), [..., head, row, col]."""
    scale = np.float32(rule.scale)
    if not rule.unscaled and record.stages is None:
        return dot_products(q * scale, k)  # scales row x d_head numbers instead of row x col
    s = dot_products(q, k)
    record("raw", s)
    add_(rule.unscaled, s, record)
    s *= scale
    record("scaled", s)
    return s


def add_(terms: Sequence[Term], s: Array, record: Record) -> Array:
    """s_ij + b(i, j), for each term."""
    for name, add in terms:
        add(s)
        record(name, s)
    return s


def cap_(rule: Rule, s: Array, record: Record) -> Array:
    """cap * tanh(s_ij / cap): scores stay within the cap."""
    if rule.softcap:
        cap = np.float32(rule.softcap)
        s /= cap
        np.tanh(s, out=s)
        s *= cap
        record("capped", s)
    return s


def mask_(rule: Rule, s: Array, record: Record) -> Array:
    """s_ij + ln(m) where key j counts m times for i (Zaheer 2020), and -inf where i may not attend to j."""
    record.scores_with(s, rule.hidden)
    add_(rule.repeats, s, record)
    return s if rule.hidden is None else hide_(s, rule.hidden, rule.spans)


def exponentiate_(rule: Rule, s: Array) -> tuple[Array, Array]:
    """e_ij = exp(s_ij - c_i) and sum_j e_ij; c_i keeps exp within float32 and cancels in e / total."""
    total = exponentials_(s, rule.sinks, masked=rule.hidden is not None, bounded=rule.bounded)
    return s, total


def mix(e: Array, total: Array, v: Array) -> Array:
    """sum_j w_ij v_j. The division comes last: an output has fewer numbers than a row of weights."""
    outputs = weighted_sums(e, v)
    outputs /= total
    return outputs
