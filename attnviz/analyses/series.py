"""`attnviz series`: the numbers of every head over the checkpoints of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import AttentionResult, analysis, option, top_option
from attnviz.corpora.measures import column
from attnviz.facts import dotted, randomness
from attnviz.measures.roles import NAMES as ROLES
from attnviz.measures.statistics import STATISTICS, names
from attnviz.page.numbers import number
from attnviz.page.parts import Board, Boards, Curves, Page, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.corpora.follow import Followed, Watched
    from attnviz.facts import SourceFacts
    from attnviz.models.model import Progress

DRIFT = "drift"
MEANING = "drift: Jensen-Shannon distance between a head's rows and the last checkpoint's, 0 to 0.83"
NAMED, PRINTED, COLUMNS = 5, 12, 7  # heads named in a picture and in a terminal, and steps beside one another there
SPAN = 100  # steps that span this factor are spaced by their logarithm


def _choices() -> tuple[str, ...]:
    return (*names(), *ROLES, DRIFT)


@dataclass(frozen=True)
class Options:
    """The number that is drawn, and how."""

    by: str | None = option(None, "The number that is drawn and listed. Default: entropy.", choices=_choices)
    top: int | None = top_option()
    steps: str | None = option(
        None, "How steps are spaced. Default: log where they span a factor of 100.", choices=("linear", "log")
    )


@dataclass(frozen=True, eq=False)
class HeadSeries(AttentionResult):
    """followed: the run. values: by column, [checkpoint, layer, head] of the heads asked for."""

    facts: SourceFacts
    followed: Followed
    values: dict[str, NDArray[np.float64]]
    options: Options

    @property
    def steps(self) -> tuple[float, ...]:
        """The steps of the checkpoints, rising."""
        return self.followed.steps

    @property
    def messages(self) -> Sequence[str]:  # type: ignore[override]
        return self.followed.skipped

    def each_row(self) -> Any:
        """One row per checkpoint and head."""
        for k, (step, name) in enumerate(zip(self.steps, self.followed.names, strict=True)):
            for at, (layer, head) in self.facts.named:
                own = {key: float(values[(k, *at)]) for key, values in self.values.items()}
                yield {"step": _whole(step), "checkpoint": name, "layer": layer, "head": head, **own}

    def page(self) -> Page:
        values, label = self._lines(self._by), self._label()
        order = self._ranked()
        curves = Curves(
            self.steps, values, self.facts.names(), [layer or 0 for layer, _ in self.facts.places], label,
            self.followed.run.unit, self._log(), tuple(order[: self.options.top or NAMED]), self._threshold(),
        )  # fmt: skip
        boards = [Board(values, label, heading=label)]
        if self._by != DRIFT:
            drift = "distance from the last"
            boards.append(Board(self._lines(DRIFT), "distance", heading=drift))
        axes = "layer.head", self.followed.run.unit
        grid = Boards(tuple(boards), self.facts.names(), [_short(step) for step in self.steps], axes)
        return self.sheet(curves, grid, title=f"{self.title()} · {self._by}")

    def printed(self) -> Page:
        heads = self._heads()
        title = f"{self.title()} · {self._by}"
        return self.sheet(self._checkpoints(), title=title, following=(Page("Heads by change", "", (heads,)),))

    def subtitle(self) -> str:
        followed = self.followed
        unit = {"step": "steps", "epoch": "epochs"}.get(followed.run.unit, "places")
        ends = f"{unit} {_short(self.steps[0])} to {_short(self.steps[-1])}"
        tokens = f"{followed.tokens:,} tokens"
        text = f"{followed.texts:,} texts, {tokens}" if followed.texts > 1 else tokens
        many = "1 checkpoint" if len(self.steps) == 1 else f"{len(self.steps)} checkpoints"
        return dotted(many, ends if len(self.steps) > 1 else "", text, randomness(self.facts.meta))

    def notes(self) -> Sequence[str]:
        order = ["the names have no steps: checkpoints are numbered in the order of their names"]
        return [MEANING, *(order if self.followed.run.unit == "order" else []), *self.facts.remarks()]

    # Numbers

    @property
    def _by(self) -> str:
        return self.options.by or "entropy"

    def _lines(self, name: str) -> NDArray[np.float64]:
        """One number as [head, checkpoint], heads in the order of their names."""
        values = self.values[_key(name)]
        return values.reshape(len(values), -1).T

    def _ranked(self) -> list[int]:
        """Positions of the heads whose number changed most, the one with the widest range first."""
        values = self._lines(self._by)
        known = np.isfinite(values)
        high, low = np.where(known, values, -np.inf).max(-1), np.where(known, values, np.inf).min(-1)
        change = np.where(known.any(-1), high - low, -1.0)
        return [i for i in np.argsort(-change, kind="stable").tolist() if change[i] >= 0]

    def _log(self) -> bool:
        if self.options.steps is not None:
            return self.options.steps == "log"
        positive = [step for step in self.steps if step > 0]
        return bool(positive) and positive[-1] >= positive[0] * SPAN

    def _label(self) -> str:
        if self._by == DRIFT:
            return "distance from the last checkpoint"
        return next((each.label for each in STATISTICS if each.name == self._by), f"{self._by} score")

    def _threshold(self) -> float | None:
        """The least score with which a head has the role that is drawn, the lowest of all."""
        if self._by not in ROLES:
            return None
        return float(self.followed.roles[self._by].threshold.min())

    # Tables

    def _checkpoints(self) -> Table:
        """A line per checkpoint: the spread of the number over heads, and the mean distance."""
        values, drift = self._lines(self._by), self._lines(DRIFT)
        names, rows = self.facts.names(), []
        for k, step in enumerate(self.steps):
            column_of = values[:, k]
            known = column_of[np.isfinite(column_of)]
            cells = ["", "", "", ""]
            if known.size:
                cells = [number(float(value), 2) for value in (np.median(known), known.min(), known.max())]
                cells.append(names[int(np.nanargmax(column_of))])
            rows.append([_short(step), self.followed.names[k], *cells, number(float(drift[:, k].mean()), 3)])
        header = (self.followed.run.unit, "checkpoint", "median", "lowest", "highest", "head", "drift")
        return Table(header, rows, "rlrrrlr")

    def _heads(self) -> Table:
        """A line per head, the one that changed most first: its number at some of the steps."""
        values, names = self._lines(self._by), self.facts.names()
        count = len(self.steps)
        some = sorted({round(i * (count - 1) / (COLUMNS - 1)) for i in range(COLUMNS)})
        rows = [
            [names[i], *(number(value, 2) if value == value else "" for value in values[i, some].tolist())]
            for i in self._ranked()[: self.options.top or PRINTED]
        ]
        return Table(("head", *(_short(self.steps[k]) for k in some)), rows, "l" + "r" * len(some), bold=(0,))


def _key(name: str) -> str:
    """The column of a number: roles have names of their own, as in a corpus."""
    return column(name) if name in ROLES else name


def _whole(step: float) -> float | int:
    return int(step) if step == int(step) else step


def _short(step: float) -> str:
    """`500`, `143,000`, `1.5`."""
    return f"{int(step):,}" if step == int(step) else f"{step:g}"


@analysis("series", Options, HeadSeries, subject="checkpoints", progress_label="checkpoints")
def series(watched: Watched, options: Options, progress: Progress | None = None) -> HeadSeries:
    """Follow every head through training: statistics, roles and the distance from the last checkpoint.

    PATH names checkpoints: folders or weight files, or a pattern in quotes; they are ordered by the step in their
    names. All read the same TEXT, a corpus, or random tokens that come twice, on which induction heads show. One that
    is being written is skipped. With --cache DIR another run measures only what is new. With -o a picture: the number
    over the steps, a line per head, and boards of heads and steps. .json and .csv have every number.

    attnviz series 'run/checkpoint-*' "The cat sat on the mat"
    attnviz series 'run/step-*' --random --by induction -o induction.png
    attnviz series 'run/checkpoint-*' --corpus sample_inputs/mails.txt --by drift -o drift.pdf
    attnviz series run/step1000 run/step2000 "The cat sat on the mat" --cache run/numbers --json
    """
    from attnviz.corpora.follow import follow

    followed = follow(watched, progress)
    at = watched.among(*followed.distance.shape[1:])
    places = at.pairs or tuple(product(at.layers, at.heads))
    facts = replace(
        followed.facts, layers=tuple(at.layers), heads=tuple(at.heads), places=tuple(places), pairs=tuple(at.pairs)
    )
    rows, cols = (list(indices) for indices in zip(*places, strict=True))

    def picked(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(values[:, rows, cols].reshape(len(values), *facts.shape), np.float64)

    values = {name: picked(each) for name, each in followed.statistics.items()}
    values |= {column(name): picked(scores.score) for name, scores in followed.roles.items()}
    return HeadSeries(facts, followed, values | {DRIFT: picked(followed.distance)}, options)
