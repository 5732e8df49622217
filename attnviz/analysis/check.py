"""Is this attention sane? What a map must be, and what a healthy one rarely is.

It must have rows that sum to 1 and nothing behind the mask; heads that are all uniform, all one-hot or copies of each
other are possible, but seldom meant.

Every check is a `Finding` with one of four words: ok; note, a fact worth knowing that is normal in some models;
suspicious, possible but seldom meant; broken, which attention cannot be. `verdict` sums them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention import Attention

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.analysis.scores import ScoreFacts

OK, NOTE, SUSPICIOUS, BROKEN = "ok", "note", "suspicious", "broken"

ROW_TOLERANCE = 2e-3  # of a row's sum: float16 and bfloat16 files stay within it
HIDDEN_TOLERANCE = 1e-6
DEAD = 0.99  # entropy of a row, as a share of the uniform row's: weights within about a fifth of each other
ONE_HOT = 0.99  # a row's largest weight
SINK = 0.5  # what the first and the special tokens together take of a row
MOST = 0.5  # a share of heads that is more than a model has by nature
FEW_TWINS = 0.1
LEAST_KEYS = 4  # rows with fewer keys say nothing about a head
AHEAD = 1e-3  # share of all mass on later tokens that looks like a leak, not like a choice
REFERENCE_TOLERANCE = 1e-3

_GOOD = {"rows": "rows sum to what they should", "mask": "the mask holds", "future": "no token sees a later one"}


@dataclass(frozen=True)
class Finding:
    """One check: its name, its word (ok, note, suspicious, broken), the number behind it, and a line for people."""

    check: str
    word: str
    value: float
    text: str


def examine(attention: Attention, below_one: bool = False) -> list[Finding]:
    """Every check that needs nothing but the weights.

    below_one: a learned sink outside the text takes a share of each row, so that rows may sum to less than 1.
    """
    found = [_numbers(attention)]
    if found[0].word == BROKEN:
        return found
    found += [_rows(attention, below_one), _hidden(attention)]
    if attention.meta.get("random"):
        found.append(Finding("weights", NOTE, 0.0, "random: these maps say nothing about language"))
    return [*found, *_heads(attention)]


def verdict(found: Iterable[Finding]) -> tuple[str, str]:
    """(healthy | suspicious | broken, why) from all findings; why is one line."""
    found = list(found)
    for word in (BROKEN, SUSPICIOUS):
        worst = [f"{f.check}: {f.text}" for f in found if f.word == word]
        if worst:
            return word, "; ".join(dict.fromkeys(worst))
    fine = {f.check for f in found if f.word == OK}
    good = [text for check, text in _GOOD.items() if check in fine]
    shares = [f.value for f in found if f.check == "reference" and f.word == OK]
    return "healthy", ", ".join([*good, *([f"the reference agrees to {max(shares):.1g}"] if shares else [])])


# What a map must be


def _numbers(attention: Attention) -> Finding:
    weights = attention.weights
    odd = int(weights.size - np.count_nonzero(np.isfinite(weights)))
    if odd:
        return Finding(
            "numbers", BROKEN, odd, f"{odd} of {weights.size} weights are NaN or infinite{_where(attention)}"
        )
    least, most = float(weights.min()), float(weights.max())
    if least < -HIDDEN_TOLERANCE:
        return Finding(
            "numbers", BROKEN, least, f"a weight of {least:.3g}: are these scores, not yet through the softmax?"
        )
    if most > 1 + ROW_TOLERANCE and attention.cell == 1:
        return Finding("numbers", BROKEN, most, f"a weight of {most:.3g}: more than a whole row may hold")
    return Finding("numbers", OK, most, f"finite, from {least:.3g} to {most:.3g}")


def _where(attention: Attention) -> str:
    """`, the first in layer 3, head 1`."""
    layer, head = np.argwhere(~np.isfinite(attention.weights))[0][:2].tolist()
    layers, heads = attention.layers, attention.heads
    full = len(layers) == attention.weights.shape[0] and len(heads) == attention.weights.shape[1]
    return f", the first in layer {layers[layer]}, head {heads[head]}" if full else ""


def _rows(attention: Attention, below_one: bool) -> Finding:
    if attention.cell > 1:
        return Finding("rows", NOTE, 0.0, "not checked: cells were pooled")
    sums = attention.weights.sum(-1, dtype=np.float64)
    judged, empty = sums != 0, sums == 0
    if attention.mask is not None:
        judged = np.broadcast_to(np.logical_or.reduce(attention.mask, axis=-1)[:, None], sums.shape)
        empty = np.zeros_like(judged)
    if not judged.any():
        return Finding("rows", BROKEN, 0.0, "every weight is 0")
    low, high = float(sums[judged].min()), float(sums[judged].max())
    off = max(1 - low, high - 1)
    partly = below_one or "left out" in attention.reduced or "tokens" in attention.reduced or "window" in attention.meta
    if high > 1 + ROW_TOLERANCE or (low < 1 - ROW_TOLERANCE and not partly):
        wrong = np.abs(sums - 1)[judged] > ROW_TOLERANCE
        text = f"{int(wrong.sum())} of {int(judged.sum())} rows do not sum to 1, but to {low:.3g} to {high:.3g}"
        return Finding("rows", BROKEN, off, text + _columns(attention))
    if empty.any():
        n = int(empty.sum())
        same = bool((empty == empty[:1, :1]).all())
        text = f"{n} of {empty.size} rows hold nothing" + (": padding? leave it out" if same else "")
        return Finding("rows", NOTE if same else SUSPICIOUS, n / empty.size, text)
    if low < 1 - ROW_TOLERANCE:
        why = "a learned sink takes the rest" if below_one else "some keys were left out"
        return Finding("rows", OK, off, f"sum to {low:.3g} to {high:.3g}: {why}")
    return Finding("rows", OK, off, f"sum to 1 within {max(off, 0.0):.1g}")


def _columns(attention: Attention) -> str:
    sums = attention.weights.sum(-2, dtype=np.float64)
    swapped = bool((np.abs(sums - 1) <= ROW_TOLERANCE).all())
    return "; the columns do: are queries and keys swapped?" if swapped else ""


def _hidden(attention: Attention) -> Finding:
    weights, mask = attention.weights, attention.mask
    if mask is None:
        return _ahead(attention)
    behind = max(
        float(np.where(mask[layer % len(mask)], 0.0, maps).max(initial=0.0)) for layer, maps in enumerate(weights)
    )
    if behind > HIDDEN_TOLERANCE:
        return Finding("mask", BROKEN, behind, f"a weight of {behind:.3g} where attending is not allowed")
    return Finding("mask", OK, behind, "nothing behind it" if not mask.all() else "all may see all")


def _ahead(attention: Attention) -> Finding:
    """Without a mask: what falls on later tokens."""
    n_query, n_key = attention.weights.shape[2:]
    if n_query != n_key or n_key < LEAST_KEYS or attention.stream == "cross":
        return Finding("mask", NOTE, 0.0, "not known")
    later = np.triu(np.ones((n_query, n_key), bool), 1)
    shares = np.where(later, attention.weights, 0).sum((2, 3), dtype=np.float64) / n_query  # [layer, head]
    none, share = int((shares == 0).sum()), float(shares.mean())
    if none == shares.size:
        return Finding("mask", OK, 0.0, "nothing on later tokens: causal")
    if share < AHEAD:
        text = f"almost causal, but {share:.2g} of the mass is on later tokens: a mask that leaks?"
        return Finding("mask", SUSPICIOUS, share, text)
    if none:
        text = (
            f"not known; {none} of {shares.size} heads put nothing on later tokens, the others {share:.2g} on average"
        )
        return Finding("mask", NOTE, share, text)
    return Finding("mask", OK, share, "none to be seen: attends both ways")


# What heads are like


@dataclass(frozen=True, eq=False)
class HeadFacts:
    """Means over the rows that can see LEAST_KEYS keys or more, all [layer, head].

    uniform: entropy as a share of the uniform row's. top: the largest weight. sink: mass on the first and the special
    tokens. focus: largest share of rows whose largest weight is on one and the same key. rows: how many were judged.
    """

    uniform: NDArray[np.float64]
    top: NDArray[np.float64]
    sink: NDArray[np.float64]
    focus: NDArray[np.float64]
    rows: int


def head_facts(attention: Attention) -> HeadFacts:
    """What each head of an Attention is like."""
    n_layers, n_heads, n_query, n_key = attention.weights.shape
    masks = attention.mask
    if masks is None:
        causal = n_query == n_key and not np.triu(attention.weights, 1).any()
        masks = (np.tri(n_query, n_key, dtype=bool) if causal else np.ones((n_query, n_key), bool))[None]
    found = np.zeros((4, n_layers, n_heads))
    first = np.array(attention.keys.special, bool)
    first[0] = True
    judged = 0
    for layer, maps in enumerate(attention.weights):
        counts = masks[layer % len(masks)].sum(-1)
        rows = (counts >= LEAST_KEYS) & (maps.sum(-1) > 0).all(0)
        if not rows.any():
            continue
        judged += int(rows.sum())
        part = maps[:, rows].astype(np.float64)
        part /= part.sum(-1, keepdims=True)
        logs = np.log(part, out=np.zeros_like(part), where=part > 0)
        at = part.argmax(-1)
        found[0, layer] = (-(part * logs).sum(-1) / np.log(counts[rows])).mean(-1)
        found[1, layer] = part.max(-1).mean(-1)
        found[2, layer] = part[..., first].sum(-1).mean(-1)
        found[3, layer] = [np.bincount(keys, minlength=n_key).max() / len(keys) for keys in at]
    return HeadFacts(found[0], found[1], found[2], found[3], judged)


def twins(attention: Attention) -> int:
    """How many heads are the same map as an earlier one, to 1e-5."""
    seen = set()
    maps = attention.weights.reshape(-1, *attention.weights.shape[2:])
    for one in maps:
        seen.add(np.rint(one * 1e5).astype(np.int32).tobytes())
    return len(maps) - len(seen)


def _heads(attention: Attention) -> Iterator[Finding]:
    facts = head_facts(attention)
    if not facts.rows:
        yield Finding("heads", NOTE, 0.0, f"not judged: no row sees {LEAST_KEYS} keys; give a longer text")
        return
    n = facts.uniform.size
    dead = facts.uniform >= DEAD
    fixed = (facts.top >= ONE_HOT) & (facts.focus >= ONE_HOT)
    pointed = (facts.top >= ONE_HOT) & ~fixed
    sinks = facts.sink > SINK
    yield _share("dead", dead, "nearly uniform", "scores too small, or weights that were never trained?")
    yield _share("one-hot", pointed, "one-hot in every row", "scores too large: was 1 / sqrt(d_head) left out?")
    word = SUSPICIOUS if fixed.sum() > 0.9 * n and n > 1 else NOTE if sinks.any() else OK
    text = (
        _of(int(sinks.sum()), n, "given mostly to the first or a special token")
        + f" (on average {facts.sink.mean():.0%})"
    )
    if word == SUSPICIOUS:
        text = _of(int(fixed.sum()), n, "given to one and the same token, whatever the query")
    yield Finding("sinks", word, float(sinks.mean()), text)
    same = twins(_without(attention, dead | fixed))
    word = OK if not same else SUSPICIOUS if same > max(1, FEW_TWINS * n) else NOTE
    yield Finding("equal", word, same / n, _of(same, n, "the same as another"))


def _without(attention: Attention, gone: NDArray[np.bool_]) -> Attention:
    """The heads that are not `gone`, all in one layer: dead ones are alike by being dead."""
    from dataclasses import replace

    kept = attention.weights[~gone][None]
    return replace(attention, weights=kept, mask=None, layers=(0,), heads=tuple(range(kept.shape[1])))


def _share(name: str, which: NDArray[np.bool_], what: str, why: str) -> Finding:
    count, n = int(which.sum()), which.size
    if count > MOST * n:
        return Finding(name, SUSPICIOUS, count / n, f"{_of(count, n, what)}: {why}")
    return Finding(name, NOTE if count else OK, count / n, _of(count, n, what))


def _of(count: int, n: int, what: str) -> str:
    return f"{count or 'none'} of {n} heads {'is' if count == 1 else 'are'} {what}"


# What needs the model too


def scores(facts: ScoreFacts, d_head: int, asked: Sequence[float]) -> list[Finding]:
    """Whether scores are q . k times what the model asks for, and how far they spread.

    d_head: size of a head. asked: the factor of each layer.
    """
    if not np.isfinite(facts.largest).all():
        return [Finding("scores", BROKEN, float("nan"), "scores are NaN or infinite")]
    spread, largest = float(np.median(facts.spread)), float(facts.largest.max())
    size = Finding(
        "scores", OK, spread, f"spread by {spread:.2g} within a row (median of heads), at most {largest:.3g}"
    )
    plain = facts.linear > 1 - 1e-6  # nothing but a factor, to the precision of float32
    if not plain.any():
        return [size, Finding("scale", NOTE, 0.0, "a bias or a cap comes on top of q . k: not to be told apart")]
    factors = np.where(plain, facts.factor, np.nan)
    off = float(np.nanmax(np.abs(factors / np.asarray(asked)[:, None] - 1)))
    usual, typical = d_head**-0.5, float(np.nanmedian(factors))
    if off > 0.01:
        text = f"q . k times {typical:.4g}, where the configuration asks for {asked[0]:.4g}"
        return [size, Finding("scale", BROKEN, typical, text)]
    if abs(typical / usual - 1) > 0.01:
        text = f"q . k times {typical:.4g}, as the configuration asks; 1 / sqrt({d_head}) would be {usual:.4g}"
        return [size, Finding("scale", NOTE, typical, text)]
    return [size, Finding("scale", OK, typical, f"q . k times {typical:.4g}, which is 1 / sqrt({d_head})")]


def future(first: Attention, second: Attention) -> Finding:
    """Two texts that differ in their last token only: in a causal model nothing before it may differ.

    Raises ValueError through NumPy if their shapes differ.
    """
    earlier = slice(0, -1)
    change = float(np.abs(first.weights[:, :, earlier] - second.weights[:, :, earlier]).max(initial=0.0))
    if change > 1e-4:
        return Finding("future", BROKEN, change, f"another last token changes earlier rows by {change:.2g}")
    return Finding("future", OK, change, "another last token changes nothing before it")


def against(attention: Attention, reference: NDArray[np.float32] | None, name: str, why: str = "") -> Finding:
    """The largest difference to what another program gives. reference None: it gave nothing, `why` says the reason."""
    if reference is None:
        return Finding("reference", NOTE, float("nan"), f"not compared with {name}: {why}")
    if reference.shape != attention.weights.shape:
        got, ours = list(reference.shape), list(attention.weights.shape)
        return Finding("reference", NOTE, float("nan"), f"not compared with {name}: it gives {got}, not {ours}")
    change = float(np.abs(reference.astype(np.float64) - attention.weights).max())
    if not change <= REFERENCE_TOLERANCE:
        return Finding("reference", BROKEN, change, f"differs from {name} by up to {change:.2g}")
    return Finding("reference", OK, change, f"agrees with {name} to {change:.1g}")
