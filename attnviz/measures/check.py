"""Is this attention sane? Properties that a map must have, and properties that a healthy one rarely has.

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
from attnviz.measures.maps import FEW, LEAST_KEYS, LEAST_ROWS, Maps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.measures.scores import ScoreFacts

OK, NOTE, SUSPICIOUS, BROKEN = "ok", "note", "suspicious", "broken"

ROW_TOLERANCE = 2e-3  # of a row's sum: float16 and bfloat16 files stay within it
HIDDEN_TOLERANCE = 1e-6
DEAD = 0.99  # entropy of a row, as a share of the uniform row's: weights within about a fifth of each other
ONE_HOT = 0.99  # a row's largest weight
COLLAPSED = 0.95  # mass on the same FEW keys; of trained models on texts of 9 tokens and more, 0.87 was the most
SINK = 0.5  # what the first and the special tokens together take of a row
MOST = 0.5  # a share of heads that is more than a model has by nature
FEW_TWINS = 0.1
AHEAD = 1e-3  # share of all mass on later tokens that looks like a leak, not like a choice
REFERENCE_TOLERANCE = 1e-3
SINK_OUTSIDE = "a learned sink takes the rest"  # why a row may sum to less than 1

_GOOD = {"rows": "rows sum to what they should", "mask": "the mask holds", "future": "no token sees a later one"}


@dataclass(frozen=True)
class Finding:
    """One check: its name, its word (ok, note, suspicious, broken), the number behind it, and a line for people."""

    check: str
    word: str
    value: float
    text: str


@dataclass(frozen=True)
class About:
    """Facts about maps besides their weights.

    places: (layer, head) of each map, as `Attention.places`. known: whether the mask is. cell: tokens
    to a cell of pooled maps. less: why rows may sum to less than 1, "" if they may not. random: nobody trained it.
    """

    stream: str = "self"
    places: tuple[tuple[int | None, int | None], ...] = ()
    known: bool = True
    cell: int = 1
    less: str = ""
    random: bool = False


def judge(maps: Maps, about: About) -> list[Finding]:
    """Every check that needs nothing but the weights, of maps that were looked at tile by tile."""
    findings = [_numbers(maps, about)]
    if findings[0].word == BROKEN:
        return findings
    findings += [_rows(maps, about), _hidden(maps, about)]
    if about.random:
        findings.append(Finding("weights", NOTE, 0.0, "random: these maps say nothing about language"))
    return [*findings, *_heads(maps, about)]


def verdict(findings: Iterable[Finding]) -> tuple[str, str]:
    """(healthy | suspicious | broken, why) from all findings; why is one line."""
    findings = list(findings)
    for word in (BROKEN, SUSPICIOUS):
        worst = [f"{f.check}: {f.text}" for f in findings if f.word == word]
        if worst:
            return word, "; ".join(dict.fromkeys(worst))
    fine = {f.check for f in findings if f.word == OK}
    good = [text for check, text in _GOOD.items() if check in fine]
    shares = [f.value for f in findings if f.check == "reference" and f.word == OK]
    return "healthy", ", ".join([*good, *([f"the reference agrees to {max(shares):.1g}"] if shares else [])])


# What a map must be


def _numbers(maps: Maps, about: About) -> Finding:
    odd, size = int(maps.odd.sum()), maps.odd.size * maps.n_query * maps.n_key
    if odd:
        return Finding("numbers", BROKEN, odd, f"{odd} of {size} weights are NaN or infinite{_where(maps, about)}")
    least, most = float(maps.least.min()), float(maps.most.max())
    if least < -HIDDEN_TOLERANCE:
        return Finding(
            "numbers", BROKEN, least, f"a weight of {least:.3g}: are these scores, not yet through the softmax?"
        )
    if most > 1 + ROW_TOLERANCE and about.cell == 1:
        return Finding("numbers", BROKEN, most, f"a weight of {most:.3g}: more than a whole row may hold")
    return Finding("numbers", OK, most, f"finite, from {least:.3g} to {most:.3g}")


def _where(maps: Maps, about: About) -> str:
    """`, the first in layer 3, head 1`."""
    layer, head = about.places[int(np.flatnonzero(maps.odd)[0])]
    return "" if layer is None or head is None else f", the first in layer {layer}, head {head}"


def _rows(maps: Maps, about: About) -> Finding:
    if about.cell > 1:
        return Finding("rows", NOTE, 0.0, "not checked: cells were pooled")
    sums = maps.row_sums
    judged = maps.row_seen if about.known else sums != 0
    empty = np.zeros_like(judged) if about.known else sums == 0
    if not judged.any():
        return Finding("rows", BROKEN, 0.0, "every weight is 0")
    low, high = float(sums[judged].min()), float(sums[judged].max())
    off = max(1 - low, high - 1)
    if high > 1 + ROW_TOLERANCE or (low < 1 - ROW_TOLERANCE and not about.less):
        wrong = np.abs(sums - 1)[judged] > ROW_TOLERANCE
        text = f"{int(wrong.sum())} of {int(judged.sum())} rows do not sum to 1, but to {low:.3g} to {high:.3g}"
        return Finding("rows", BROKEN, off, text + _columns(maps))
    if empty.any():
        n = int(empty.sum())
        same = bool((empty == empty[:1, :1]).all())
        text = f"{n} of {empty.size} rows hold nothing" + (": padding? leave it out" if same else "")
        return Finding("rows", NOTE if same else SUSPICIOUS, n / empty.size, text)
    if low < 1 - ROW_TOLERANCE:
        return Finding("rows", OK, off, f"sum to {low:.3g} to {high:.3g}: {about.less}")
    return Finding("rows", OK, off, f"sum to 1 within {max(off, 0.0):.1g}")


def _columns(maps: Maps) -> str:
    swapped = bool((np.abs(maps.column_sums - 1) <= ROW_TOLERANCE).all())
    return "; the columns do: are queries and keys swapped?" if swapped else ""


def _hidden(maps: Maps, about: About) -> Finding:
    if not about.known:
        return _ahead(maps, about)
    behind = float(maps.behind.max())
    if behind > HIDDEN_TOLERANCE:
        return Finding("mask", BROKEN, behind, f"a weight of {behind:.3g} where attending is not allowed")
    return Finding("mask", OK, behind, "nothing behind it" if maps.limited.any() else "all may see all")


def _ahead(maps: Maps, about: About) -> Finding:
    """Without a mask: what falls on later tokens."""
    if maps.n_query != maps.n_key or maps.n_key < LEAST_KEYS or about.stream == "cross":
        return Finding("mask", NOTE, 0.0, "not known")
    shares = maps.later / maps.n_query  # [layer, head]
    none, share = int((shares == 0).sum()), float(shares.mean())
    if none == shares.size:
        return Finding("mask", OK, 0.0, "nothing on later tokens: causal")
    if share < AHEAD:
        text = f"almost causal, but {share:.2g} of the mass is on later tokens: a mask that leaks?"
        return Finding("mask", SUSPICIOUS, share, text)
    if none:
        text = (
            f"not known; {none} of {shares.size} heads put nothing on later tokens, all of them {share:.2g} on average"
        )
        return Finding("mask", NOTE, share, text)
    return Finding("mask", OK, share, "none to be seen: attends both ways")


# What heads are like


def _heads(maps: Maps, about: About) -> Iterator[Finding]:
    facts = maps.head_facts()
    if not facts.rows:
        yield Finding("heads", NOTE, 0.0, f"not judged: no row sees {LEAST_KEYS} keys; give a longer text")
        return
    n = facts.uniform.size
    if facts.rows < LEAST_ROWS * n:
        few = f"fewer than {LEAST_ROWS} rows see {LEAST_KEYS} keys"
        yield Finding("heads", NOTE, 0.0, f"not judged: {few}; give a longer text")
        return
    dead = facts.uniform >= DEAD
    fixed = (facts.top >= ONE_HOT) & (facts.focus >= ONE_HOT)
    pointed = (facts.top >= ONE_HOT) & ~fixed
    sinks = facts.sink > SINK
    yield _collapsed((facts.few >= COLLAPSED) & ~sinks, fixed & ~sinks, about)
    yield _share("dead", dead, "nearly uniform", "scores too small, or weights that were never trained?")
    yield _share("one-hot", pointed, "one-hot in every row", "scores too large: was 1 / sqrt(d_head) left out?")
    whole = (facts.few >= COLLAPSED) & sinks
    word = SUSPICIOUS if whole.sum() > 0.9 * n and n > 1 else NOTE if sinks.any() else OK
    text = (
        _of(int(sinks.sum()), n, "given mostly to the first or a special token")
        + f" (on average {facts.sink.mean():.0%})"
    )
    if word == SUSPICIOUS:
        text = _of(int(whole.sum()), n, "given to the first or special tokens alone, whatever the query")
    yield Finding("sinks", word, float(sinks.mean()), text)
    # Dead heads are alike by being dead; several heads on nothing but the first token are what decoders have.
    same, odd = maps.twins(but=dead), maps.twins(but=dead | (fixed & sinks))
    word = OK if not same else SUSPICIOUS if odd > max(1, FEW_TWINS * n) else NOTE
    yield Finding("equal", word, same / n, _of(same, n, "the same as another"))


def _collapsed(few: NDArray[np.bool_], single: NDArray[np.bool_], about: About) -> Finding:
    """Heads whose every row is on the same ordinary tokens. few, single: bool [layer, head], on FEW and on one token.

    One head on one token is already suspicious: no head of a trained model was seen to do that.
    """
    count, n = int((few | single).sum()), few.size
    what = f"given to the same {'token' if (single == few).all() else f'{FEW} tokens'}, whatever the query"
    if not count:
        return Finding("collapsed", OK, 0.0, _of(0, n, what))
    word = SUSPICIOUS if single.any() or count > FEW_TWINS * n else NOTE
    return Finding("collapsed", word, count / n, _of(count, n, what) + _first(few | single, about))


def _first(which: NDArray[np.bool_], about: About) -> str:
    """`, the first is 3.1`, layer and head; "" where the maps are means."""
    layer, head = about.places[int(np.flatnonzero(which)[0])]
    return "" if layer is None or head is None else f", the first is {layer}.{head}"


def _share(name: str, which: NDArray[np.bool_], what: str, why: str) -> Finding:
    count, n = int(which.sum()), which.size
    if count > MOST * n:
        return Finding(name, SUSPICIOUS, count / n, f"{_of(count, n, what)}: {why}")
    return Finding(name, NOTE if count else OK, count / n, _of(count, n, what))


def _of(count: int, n: int, what: str) -> str:
    return f"{count or 'none'} of {n} {'head' if n == 1 else 'heads'} {'is' if 1 in (count, n) else 'are'} {what}"


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
        return [size, Finding("scale", NOTE, 0.0, "a bias or a cap comes on top of q . k: the two cannot be separated")]
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


def future(first: NDArray[np.float32], second: NDArray[np.float32]) -> Finding:
    """Weights [layer, head, query, key] of two texts that differ in their last token only.

    In a causal model no row before the last one may differ.

    Raises ValueError through NumPy if their shapes differ.
    """
    earlier = slice(0, -1)
    change = float(np.abs(first[:, :, earlier] - second[:, :, earlier]).max(initial=0.0))
    if change > 1e-4:
        return Finding("future", BROKEN, change, f"another last token changes earlier rows by {change:.2g}")
    return Finding("future", OK, change, "another last token changes nothing before it")


def against(attention: Attention | None, reference: NDArray[np.float32] | None, name: str, why: str = "") -> Finding:
    """The largest difference to what another program gives. None: nothing to compare, `why` says the reason."""
    if attention is None or reference is None:
        return Finding("reference", NOTE, float("nan"), f"not compared with {name}: {why}")
    if reference.shape != attention.weights.shape:
        got, ours = list(reference.shape), list(attention.weights.shape)
        return Finding("reference", NOTE, float("nan"), f"not compared with {name}: it gives {got}, not {ours}")
    change = float(np.abs(reference.astype(np.float64) - attention.weights).max())
    if not change <= REFERENCE_TOLERANCE:
        return Finding("reference", BROKEN, change, f"differs from {name} by up to {change:.2g}")
    return Finding("reference", OK, change, f"agrees with {name} to {change:.1g}")
