"""A run followed from its first checkpoint to its last: numbers of each, and its distance from the last one.

A checkpoint that cannot be opened, because training is writing it at the moment, is skipped with a reason. Numbers that
an earlier run kept are read again instead of measured.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.corpora.kept import Kept, fingerprint
from attnviz.corpora.series import Differs, Numbers, Reading, Reference, measure
from attnviz.errors import AttnvizWarning, ModelError
from attnviz.facts import SourceFacts, facts_of
from attnviz.measures.roles import Scores
from attnviz.measures.statistics import meaningless
from attnviz.models.load import load
from attnviz.select import Chosen, chosen_heads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.corpora.checkpoints import Checkpoint, Run
    from attnviz.models.model import Model, Progress

PAST = "leave it out: --skip-different"


@dataclass(frozen=True, eq=False)
class Watched:
    """A run, what its checkpoints read, and which heads are shown.

    folder: keeps the numbers of each checkpoint, so that another call measures only what is new; None keeps nothing.
    skip_different: whether checkpoints of other sizes or other tokens are left out. layers, heads: as for
    `Model.attend`. name: instead of the run's.
    """

    run: Run
    reading: Reading
    folder: Path | None = None
    skip_different: bool = False
    ignore_keys: tuple[str, ...] = ()
    layers: Any = None
    heads: Any = None
    name: str | None = None

    def among(self, n_layers: int, n_heads: int) -> Chosen:
        """The layers and heads of a model of that size."""
        return chosen_heads(self.layers, self.heads, n_layers, n_heads)


@dataclass(frozen=True, eq=False)
class Followed:
    """The numbers of a run, for all layers and heads.

    steps, names: of the checkpoints, rising. statistics: by name, [checkpoint, layer, head], NaN where one means
    nothing. roles: by name, all [checkpoint, layer, head]. distance: Jensen-Shannon distance from the last checkpoint,
    [checkpoint, layer, head]. facts: of the last checkpoint on the first text. skipped: one line for each checkpoint
    that was left out. texts, tokens: how many were read; measured: how many checkpoints were not kept already.
    """

    run: Run
    steps: tuple[float, ...]
    names: tuple[str, ...]
    statistics: dict[str, NDArray[np.float64]]
    roles: dict[str, Scores]
    distance: NDArray[np.float64]
    facts: SourceFacts
    skipped: tuple[str, ...]
    texts: int
    tokens: int
    measured: int


@dataclass(frozen=True, eq=False)
class _Opened:
    """A checkpoint that could be opened: its size, and the fingerprint of its files, '' without files."""

    checkpoint: Checkpoint
    size: tuple[int, int]
    contents: str


class _Following:
    """The work of `follow`; skipped: lines about what was left out."""

    def __init__(self, watched: Watched, progress: Progress | None) -> None:
        self.watched, self.reading, self._progress = watched, watched.reading, progress
        self.kept = None if watched.folder is None else Kept(watched.folder, watched.reading.digest)
        if self.kept is not None:
            self.kept.open()
        self.skipped: list[str] = []
        self.measured = 0
        self._reference: Reference | None = None
        self.total = watched.reading.count

    def model(self, checkpoint: Checkpoint) -> Model:
        return checkpoint.model or load(checkpoint.place, ignore_keys=self.watched.ignore_keys, offline=True)

    def opened(self, run: Run) -> list[_Opened]:
        """The checkpoints that can be opened, all of one size."""
        found = []
        for checkpoint in run.checkpoints:
            try:
                model = self.model(checkpoint)
                size = model.size(self.reading.stream)
                found.append(_Opened(checkpoint, size, fingerprint(model, checkpoint.place)))
            except (ModelError, OSError) as error:
                self._skip(checkpoint.name, error)
        if not found:
            raise ModelError(f"no checkpoint can be opened: {self.skipped[0]}")
        sizes = Counter(each.size for each in reversed(found))
        common = sizes.most_common(1)[0][0]
        for each in found:
            if each.size != common:
                own, others = ("{} x {}".format(*size) for size in (each.size, common))
                self._differs(Differs(f"{each.checkpoint.name} has {own} heads, the other checkpoints {others}"))
        return [each for each in found if each.size == common]

    def numbers(self, each: _Opened, reference: _Opened | None) -> tuple[Numbers, Any]:
        """A checkpoint's numbers and its distances from the reference, if there is one, kept or measured."""
        known = apart = None
        if self.kept is not None and each.contents:
            known = self.kept.numbers(each.contents, each.size)
            if reference is not None and reference.contents:
                apart = self.kept.distances(each.contents, reference.contents, each.size)
        if known is not None and (reference is None or apart is not None):
            self._advance(1.0)
            return known, apart
        model = self.model(each.checkpoint)
        theirs = None if reference is None else self._maps_of(reference)
        known, apart = measure(each.checkpoint.name, model, self.reading, theirs, self._advance, self.total)
        if each.contents and fingerprint(model, each.checkpoint.place) != each.contents:
            raise ModelError("its files have changed while they were read")
        self.measured += 1
        if self.kept is not None and each.contents:
            self.kept.keep_numbers(each.contents, known)
            if reference is not None and reference.contents and apart is not None:
                self.kept.keep_distances(each.contents, reference.contents, apart)
        return known, apart

    def last(self, opened: list[_Opened]) -> Numbers:
        """The numbers of the last checkpoint that can be read; later ones leave the list."""
        while opened:
            try:
                return self.numbers(opened[-1], None)[0]
            except (ModelError, OSError) as error:
                self._skip(opened.pop().checkpoint.name, error)
        raise ModelError(f"no checkpoint can be read: {self.skipped[0]}")

    def against(self, each: _Opened, reference: _Opened, last: Numbers) -> tuple[Numbers, NDArray[np.float64]] | None:
        """A checkpoint's numbers and distances [layer, head] from the last one; None if it is left out."""
        name = each.checkpoint.name
        try:
            numbers, apart = self.numbers(each, reference)
            if numbers.split != last.split:
                raise Differs(f"{name} splits the texts otherwise than {reference.checkpoint.name}")
        except Differs as error:
            self._differs(error)
            return None
        except (ModelError, OSError) as error:
            self._skip(name, error)
            return None
        return numbers, apart.result()

    def facts(self, reference: _Opened) -> SourceFacts:
        """The facts of the last checkpoint on the first text that it can read."""
        model = self.model(reference.checkpoint)
        sources = (self.reading.source(model, item) for item in self.reading.items())
        return next(facts_of(source) for source in sources if source is not None)

    def _maps_of(self, reference: _Opened) -> Reference:
        if self._reference is None:
            self._reference = Reference(reference.checkpoint.name, self.model(reference.checkpoint), self.reading)
        return self._reference

    def _advance(self, share: float) -> None:
        if self._progress is not None:
            self._progress(share)

    def _skip(self, name: str, error: Exception) -> None:
        self.skipped.append(f"{name} is skipped: {error}")

    def _differs(self, error: Differs) -> None:
        if not self.watched.skip_different:
            raise Differs(str(error), PAST)
        self.skipped.append(str(error))


def follow(watched: Watched, progress: Progress | None = None) -> Followed:
    """Measure every checkpoint of a run on the same texts. progress: gets shares that sum to 1.

    Raises:
        Differs: a checkpoint has other sizes or splits the texts otherwise, and `skip_different` is not set.
        InputError: the texts cannot be read. SelectionError: no such layer, head or stream.
        ModelError: no checkpoint can be opened.
    """
    run = watched.run
    count = len(run.checkpoints)
    share = None if progress is None else lambda part: progress(part / count)
    work = _Following(watched, share)
    work.skipped += [f"{name} is skipped: there is no step in its name" for name in run.left_out]
    opened = work.opened(run)
    watched.among(*opened[0].size)  # raises before any work
    last = work.last(opened)
    *before, reference = opened
    there, numbers, apart = [], [], []
    for each in before:
        with warnings.catch_warnings():  # which the last checkpoint has given on the same texts
            warnings.simplefilter("ignore", AttnvizWarning)
            result = work.against(each, reference, last)
        if result is not None:
            there.append(each.checkpoint)
            numbers.append(result[0])
            apart.append(result[1])
    there.append(reference.checkpoint)
    numbers.append(last)
    apart.append(np.zeros(reference.size))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AttnvizWarning)
        facts = work.facts(reference)
    facts = replace(facts, model=watched.name or run.name or reference.checkpoint.name)
    return Followed(
        run,
        tuple(each.step for each in there),
        tuple(each.name for each in there),
        _statistics(numbers),
        _roles(numbers),
        np.stack(apart),
        facts,
        tuple(work.skipped),
        last.texts,
        last.tokens,
        work.measured,
    )


def _statistics(numbers: list[Numbers]) -> dict[str, NDArray[np.float64]]:
    """By name, [checkpoint, layer, head]."""
    each = [one.statistics.result() for one in numbers]
    values = {name: np.stack([one[name] for one in each]) for name in each[0]}
    for name in meaningless(numbers[-1].ordered, numbers[-1].longest):
        values[name] = np.full_like(values[name], np.nan)
    return values


def _roles(numbers: list[Numbers]) -> dict[str, Scores]:
    """By name, all [checkpoint, layer, head]."""
    each = [one.roles.result() for one in numbers]
    return {name: Scores(*map(np.stack, zip(*(one[name] for one in each), strict=True))) for name in each[0]}
