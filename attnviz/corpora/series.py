"""Heads of the checkpoints of a run on the same texts: sums of statistics, of roles, and of distances from one of them.

Sums of several texts merge, so that a corpus is measured as one text is. Checkpoints are opened one after the other;
the maps of the reference are kept as far as they are small, and computed again where they are not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.corpora.texts import Text
from attnviz.engine.collectors import Rows
from attnviz.errors import InputError
from attnviz.measures.distance import ReferenceSums, reference_sums
from attnviz.measures.roles import Roles, RoleSums
from attnviz.measures.statistics import Statistics, StatisticSums
from attnviz.models.repeated import repeated_tokens
from attnviz.models.source import AttentionSource, affordable_rows
from attnviz.select import evenly

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.axis import Tokens
    from attnviz.models.model import Model, Progress

TIMES = 4  # times `models.source.SAMPLE_WEIGHTS`: of one text, 67 MB of maps on either side, as `attnviz diff` compares
KEPT = 1 << 26  # weights of the reference that are kept at once: 256 MB


@dataclass(frozen=True, eq=False)
class Reading:
    """The input of every checkpoint: the inputs of `Model.prepare`, random tokens that come twice, or a corpus.

    texts: gives the texts of a corpus from the first on, as often as asked; None without one. stream: as for
    `Model.attend`. special: whether special tokens take part.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    random: bool = False
    texts: Callable[[], Iterator[Text]] | None = None
    stream: str | None = None
    special: bool = True

    def items(self) -> Iterator[Text]:
        """The texts; one alone without a corpus."""
        if self.texts is None:
            yield Text(0, "", "")
        else:
            yield from self.texts()

    def source(self, model: Model, item: Text) -> AttentionSource | None:
        """A model's attention on one of the texts; None for a text of a corpus that it cannot read."""
        if self.random:
            return repeated_tokens(model, stream=self.stream)
        if self.texts is None:
            return AttentionSource.of(model, model.prepare(**self.inputs, stream=self.stream), special=self.special)
        if item.fault:
            return None
        try:
            return AttentionSource.of(model, model.prepare(item.text, stream=self.stream), special=self.special)
        except InputError:
            return None

    @cached_property
    def _read(self) -> tuple[str, int]:
        inputs = {name: value for name, value in self.inputs.items() if value is not None}
        about = [inputs, self.random, self.texts is not None, self.stream, self.special]
        digest, count = hashlib.sha256(json.dumps(about, sort_keys=True, default=list).encode()), 0
        for item in self.items():
            line = json.dumps([item.text, bool(item.fault)])
            digest.update(line.encode("utf-8", "surrogatepass"))
            count += 1
        if not count:
            raise InputError("there are no texts")
        return digest.hexdigest()[:16], count

    @property
    def digest(self) -> str:
        """16 hex digits over all that is read. Raises InputError for a corpus without texts."""
        return self._read[0]

    @property
    def count(self) -> int:
        """The number of texts. Raises InputError if there are none."""
        return self._read[1]


@dataclass(frozen=True, eq=False)
class Numbers:
    """Sums over all texts for one checkpoint.

    texts: how many it could read; longest: the most query tokens of one; tokens: of all. ordered: whether queries and
    keys are the same tokens. split: a hash over the texts' tokens, which is the same for the same tokenizer.
    """

    statistics: StatisticSums
    roles: RoleSums
    texts: int
    longest: int
    tokens: int
    ordered: bool
    split: str


class _Sums:
    """The Numbers of a checkpoint as its texts come."""

    def __init__(self) -> None:
        self._statistics: StatisticSums | None = None
        self._roles: RoleSums | None = None
        self._texts = self._longest = self._tokens = 0
        self._ordered = True
        self._digest = hashlib.sha256()

    def add(self, item: Text, source: AttentionSource, statistics: Statistics, roles: Roles) -> None:
        first, second = statistics.state(), roles.state()
        self._statistics = first if self._statistics is None else self._statistics.merge(first)
        self._roles = second if self._roles is None else self._roles.merge(second)
        self._texts += 1
        self._longest = max(self._longest, len(source.queries))
        self._tokens += len(source.queries)
        self._ordered = self._ordered and source.ordered
        self._digest.update(json.dumps([item.number, _of(source.queries), _of(source.keys)]).encode())

    def result(self, name: str) -> Numbers:
        if self._statistics is None or self._roles is None:
            raise InputError(f"{name} can read none of the texts")
        split = self._digest.hexdigest()[:16]
        counts = self._texts, self._longest, self._tokens
        return Numbers(self._statistics, self._roles, *counts, self._ordered, split)


def _of(tokens: Tokens) -> list[Any]:
    return [list(tokens.ids), list(tokens.text), list(tokens.special)]


@dataclass(frozen=True, eq=False)
class _Maps:
    """Some rows of all heads' maps of one text, float32 [layer, head, row, key], and the tokens of the text."""

    weights: NDArray[np.float32]
    queries: Tokens
    keys: Tokens


def _observed(source: AttentionSource, collectors: Sequence[Any], maps: bool, progress: Progress | None) -> _Maps:
    """One pass: the collectors see all of it, and the maps are returned if they are wanted."""
    n_layers, n_heads = source.size
    rows = evenly(source.queries, affordable_rows(n_layers * n_heads, len(source.keys), TIMES)) if maps else []
    kept = Rows(range(n_layers), range(n_heads), rows, len(source.keys)) if maps else None
    source.observe([*collectors, *([kept] if kept is not None else [])], progress)
    weights = np.empty((0, 0, 0, 0), np.float32) if kept is None else kept.weights
    return _Maps(weights, source.queries, source.keys)


class Reference:
    """The maps of the checkpoint from which distances are measured, text by text."""

    def __init__(self, name: str, model: Model, reading: Reading) -> None:
        self.name, self._model, self._reading = name, model, reading
        self._kept: dict[int, _Maps] = {}
        self._left = KEPT

    def maps(self, item: Text) -> _Maps | None:
        """The maps of a text; None for a text that the reference cannot read."""
        if item.number in self._kept:
            return self._kept[item.number]
        source = self._reading.source(self._model, item)
        if source is None:
            return None
        maps = _observed(source, [], True, None)
        if maps.weights.size <= self._left:
            self._kept[item.number] = maps
            self._left -= maps.weights.size
        return maps


class Differs(InputError):
    """A checkpoint whose sizes or tokens are not the other checkpoints'."""


def measure(
    name: str,
    model: Model,
    reading: Reading,
    reference: Reference | None = None,
    progress: Progress | None = None,
    total: int = 1,
) -> tuple[Numbers, ReferenceSums | None]:
    """The numbers of one checkpoint, and its distances from the reference if there is one.

    Args:
        total: how many texts there are; `progress` gets shares of all of them that sum to 1.

    Raises:
        Differs: it does not split the texts as the reference does. InputError: it cannot read any of them.
        CheckpointError: its files are at fault.
    """
    sums, apart = _Sums(), None
    for item in reading.items():
        source = reading.source(model, item)
        theirs = None if reference is None else reference.maps(item)
        if source is not None:
            statistics = Statistics(*source.size, source.keys.special)
            roles = Roles(*source.size, source.queries, source.keys, source.ordered)
            mine = _observed(source, [statistics, roles], theirs is not None, None)
            sums.add(item, source, statistics, roles)
        if reference is not None:
            if (source is None) != (theirs is None) or (theirs is not None and not _same(source, theirs)):
                where = f" at {item.where}" if item.where else ""
                raise Differs(f"{name} splits the text{where} otherwise than {reference.name}")
            if theirs is not None:
                more = reference_sums(mine.weights, theirs.weights)
                apart = more if apart is None else apart.merge(more)
        if progress is not None:
            progress(1 / total)
    return sums.result(name), apart


def _same(source: AttentionSource | None, maps: _Maps) -> bool:
    pairs = () if source is None else ((source.queries, maps.queries), (source.keys, maps.keys))
    return all(mine.ids == theirs.ids and mine.text == theirs.text for mine, theirs in pairs)
