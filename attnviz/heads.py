"""What every head does, in numbers: statistics, roles, links, and one token's view.

    attention = attnviz.load("minilm").attend("The cat sat on the mat")
    attnviz.heads.statistics(attention)["entropy"]       # [layer, head]

Each takes an Attention, or an AttentionSource (models/source.py) for texts whose maps would not fit into memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.collectors import Statistics
from attnviz.errors import InputError, SelectionError, one_of
from attnviz.measures.lift import Pair
from attnviz.measures.links import Columns, Strongest
from attnviz.measures.roles import Roles, RoleSums, Scores
from attnviz.models.source import AttentionSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.models.model import Model, Progress

STATISTICS = ("entropy", "span", "distance", "confidence", "previous", "next", "self", "first", "special")


def statistics(source: Attention | AttentionSource, progress: Progress | None = None) -> dict[str, NDArray[np.float64]]:
    """Numbers of every head, each [layer, head]: means over all query rows, special and first tokens included.

    entropy: -sum_j A_ij ln A_ij, in nats (Clark et al. 2019, section 3.2). span: e^entropy of each row, the number of
    keys over which a uniform row with its entropy would spread. distance: sum A_ij |i - j| / sum A_ij over the whole
    head, in tokens (Vig and Belinkov 2019, section 4.1). confidence: largest weight of a row (Voita et al. 2019,
    section 4). previous, next: weight on the token before or after, over the rows that have one. self, first, special:
    weight on the same token, the first one, and all special ones together (Clark et al. 2019, section 3.1).

    NaN where it means nothing: neighbours and distance in cross-attention, previous and next of a single token.

    Args:
        source: what is to be measured; without its special tokens if they are not to count.
        progress: called with shares of the work, which sum to 1.
    """
    source = AttentionSource.of(source)
    found = source.collect(Statistics(*source.size, np.array(source.keys.special, bool)), progress)
    if not source.ordered:
        undefined = ["distance", "previous", "next", "self"]
    else:
        undefined = ["previous", "next"] if len(source.queries) < 2 else []
    for name in undefined:
        found[name] = np.full_like(found[name], np.nan)
    return {name: found[name] for name in STATISTICS}


def links(
    source: Attention | AttentionSource,
    count: int = 20,
    *,
    by: str = "lift",
    query: int | None = None,
    key: int | None = None,
    within: bool = False,
    special: bool = True,
    progress: Progress | None = None,
) -> list[Pair]:
    """The pairs of tokens that are linked most, strongest first.

    A weight's lift is the weight less the mean of its column over the other rows that may see it: a head that sends
    every token to one says nothing about any of them. Queries that may see one key only have no choice and are passed
    over, unless they are named or there are no others.

    Args:
        source: what is to be looked at, twice.
        count: how many; with `within` of each head, in the order of layers and heads. Of equals the first in that
            order.
        by: lift | weight.
        query, key: positions; None for any. With both every head is listed: which one links these two most?
        within: the pairs of each head by itself. Else a pair stands once, with the head where it is strongest.
        special: whether special tokens that nobody named may take part.
        progress: called with shares of the work, which sum to 2.

    Raises:
        SelectionError: `by` is neither.
    """
    if by not in ("lift", "weight"):
        raise SelectionError(one_of("by", by, ("lift", "weight")))
    source = AttentionSource.of(source)
    rows = _taking_part(source.queries.special, query, special)
    cols = _taking_part(source.keys.special, key, special)
    collector = Columns(*source.size, len(source.keys))
    source.observe([collector], progress)
    columns = collector.state()
    found = Strongest(columns, count, by, rows, cols, forced=query is not None)
    source.observe([found], progress)
    pairs = _pairs(source, found)
    if not pairs and query is None:
        found = Strongest(columns, count, by, rows, cols, forced=True)
        source.observe([found])
        pairs = _pairs(source, found)
    return pairs if within else over_heads(pairs, count, by)


def over_heads(pairs: Sequence[Pair], count: int | None = None, by: str = "lift") -> list[Pair]:
    """The `count` strongest of all heads' pairs, each once; all heads of a single pair."""

    def rank(pair: Pair) -> float:
        return -(pair.lift if by == "lift" else pair.weight)

    ranked = sorted(pairs, key=rank)  # of equals the first in order of layer and head
    if len({(pair.query, pair.key) for pair in ranked}) == 1:
        return ranked
    kept: dict[tuple[int, int], Pair] = {}
    for pair in ranked:
        kept.setdefault((pair.query, pair.key), pair)
    return list(kept.values())[:count]


@dataclass(frozen=True)
class Spread:
    """A list in which several heads stand.

    pairs: strongest first. left: how many pairs of a (layer, head) were left out though they are as strong as those
    listed. sure: False if a longer look at the heads could change this.
    """

    pairs: list[Pair]
    left: dict[tuple[int, int], int]
    sure: bool


def spread(found: Sequence[Pair], count: int, each: int, looked: int, by: str = "lift") -> Spread:
    """The `count` strongest of all heads' pairs, each with the head where it is strongest, at most `each` of a head.

    Args:
        found: the pairs of every head, strongest first, as `links(within=True)` gives them.
        looked: how many of each head were asked for.
    """
    listed: list[Pair] = []
    left: dict[tuple[int, int], int] = {}
    taken: dict[tuple[int, int], int] = {}
    for pair in over_heads(found, None, by):
        if len(listed) == count:
            break
        at = (pair.layer, pair.head)
        if taken.get(at, 0) < each:
            listed.append(pair)
            taken[at] = taken.get(at, 0) + 1
        else:
            left[at] = left.get(at, 0) + 1
    least = getattr(listed[-1], by) if len(listed) == count else -np.inf
    own: dict[tuple[int, int], list[Pair]] = {}
    for pair in found:
        own.setdefault((pair.layer, pair.head), []).append(pair)
    # A head with more pairs than were asked for may be the stronger one at a pair that is listed with another.
    sure = all(len(pairs) < looked or getattr(pairs[-1], by) <= least for pairs in own.values())
    return Spread(listed, left, sure)


def _taking_part(special: Sequence[bool], named: int | None, with_special: bool) -> NDArray[np.bool_]:
    if named is not None:
        return np.arange(len(special)) == named
    kept = np.array([with_special or not one for one in special], bool)
    return kept if kept.any() else ~kept


def _pairs(source: AttentionSource, found: Strongest) -> list[Pair]:
    pairs = []
    for (layer, head), (name, called) in zip(source.positions, source.places, strict=True):
        best = found.best[layer][head]
        at = (-1 if name is None else name, -1 if called is None else called)
        pairs += [
            Pair(*at, int(query), int(key), float(weight), float(lift))
            for weight, lift, query, key in zip(*best, strict=True)
        ]
    return pairs


@dataclass(frozen=True, eq=False)
class View:
    """What one query looks at: weights and lifts, float [layer, head, key]; seen, bool [layer, head, key]."""

    query: int
    weights: NDArray[np.float32]
    lifts: NDArray[np.float64]
    seen: NDArray[np.bool_]

    def best(self, by: str = "lift") -> NDArray[np.int64]:
        """The key that each head lifts (or weighs) most, [layer, head]; of equals the first."""
        values = self.lifts if by == "lift" else self.weights
        return np.where(self.seen, values, -np.inf).argmax(-1)

    def ranked(self, by: str = "lift") -> list[tuple[int, int, int]]:
        """(key, layer, head) for every key that is seen: the place where it stands out most, strongest first.

        Layers and heads are positions. Of equals the first.
        """
        values = np.where(self.seen, self.lifts if by == "lift" else self.weights, -np.inf)
        flat = values.reshape(-1, values.shape[-1])
        places, peaks = flat.argmax(0), flat.max(0)
        order = [key for key in np.argsort(-peaks, kind="stable").tolist() if peaks[key] > -np.inf]
        return [(key, *divmod(int(places[key]), values.shape[1])) for key in order]


def focus(source: Attention | AttentionSource, query: int, progress: Progress | None = None) -> View:
    """One query's view over all layers and heads; what `links` does for all of them. The source is looked at once."""
    source = AttentionSource.of(source)
    return View(query, **source.collect(Columns(*source.size, len(source.keys), query), progress))


def roles(
    source: Attention | AttentionSource | Sequence[AttentionSource], progress: Progress | None = None
) -> dict[str, Scores]:
    """For each role of `attnviz.measures.roles.ROLES` score, threshold and number of queries, each [layer, head].

    A head has the role where the score reaches the threshold; the score is NaN where no query could do it. Of several
    sources of one model, as `repeated_tokens` makes them, the scores are means over all queries.
    """
    sources = [AttentionSource.of(each) for each in (source if isinstance(source, Sequence) else [source])]
    states = []
    for each in sources:
        collector = Roles(*each.size, each.queries, each.keys, each.ordered)
        each.observe([collector], progress)
        states.append(collector.state())
    if not states:
        raise InputError("there is nothing to look at")
    sums = reduce(RoleSums.merge, states)
    return {name: Scores(*map(sources[0].pick, values)) for name, values in sums.result().items()}


def repeated_tokens(
    model: Model,
    *,
    length: int = 50,
    draws: int = 1,
    seed: int = 0,
    stream: str | None = None,
    layers: Sequence[int] | None = None,
    heads: Sequence[int | str] | str | None = None,
) -> list[AttentionSource]:
    """Random tokens, drawn evenly from the vocabulary, that come twice in the same order (Olsson et al. 2022).

    Nothing is to be known of them but that they repeat, so that what a head gives to copies and to what came after
    them is its own doing. The special tokens of a text stand around them.

    Args:
        length: how many are drawn, fewer where a model has no places for twice as many. draws: how many such texts.
        seed: of the draws.
        stream, layers, heads: as for `Model.attend`.

    Raises:
        InputError: the model has no tokenizer, or the stream is not one of a single text.
    """
    if model.tokenizer is None:
        raise InputError(f"{model.name} has no tokenizer: its vocabulary is not known")
    if stream not in (None, "self", "encoder"):
        raise InputError(f"repeated random tokens are for self-attention of one text, not for {stream} attention")
    around, spec = model.tokens("a"), model.stack(stream)
    first = next((i for i, special in enumerate(around.special) if not special), 0)
    last = next((i for i, special in enumerate(reversed(around.special)) if not special), 0)
    places = spec.max_positions or 2 * length + len(around)
    length = max(min(length, (places - first - last) // 2), 1)
    random, found = np.random.default_rng(seed), []
    for _ in range(draws):
        if min(around.ids) < 0 or spec.by_word:  # words instead of ids
            drawn = [f"w{i}" for i in random.integers(0, 10**6, length)]
            given = model.prepare(" ".join([*drawn, *drawn]), stream=stream)
        else:
            picked = _plain_ids(model, random, spec.vocab, length)
            whole = [*around.ids[:first], *picked, *picked, *around.ids[len(around) - last :]]
            given = model.prepare(ids=whole, stream=stream)
        found.append(AttentionSource.of(model, given, layers=layers, heads=heads))
    return found


def _plain_ids(model: Model, random: np.random.Generator, vocab: int, count: int) -> list[int]:
    """Ids of tokens that are not special."""
    drawn = random.integers(0, vocab, 2 * count + 8).tolist()
    special = model.tokens(ids=drawn).special
    plain = [one for one, named in zip(drawn, special, strict=True) if not named]
    return plain[:count] if len(plain) >= count else drawn[:count]
