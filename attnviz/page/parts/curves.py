"""Curves: one number of each head over the steps of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.page.parts.part import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Curves(Part):
    """A line per head over steps, coloured by layer.

    steps: rising. values: [head, step], NaN where there is no number. names: of the heads; layers: of each. label: of
    the number; unit: of the steps. log: whether steps are spaced by their logarithm. stressed: positions of the heads
    that are drawn thick and named. threshold: a value with a line across, None for none.
    """

    steps: Sequence[float]
    values: NDArray[Any]
    names: Sequence[str]
    layers: Sequence[int]
    label: str
    unit: str = "step"
    log: bool = False
    stressed: tuple[int, ...] = ()
    threshold: float | None = None

    def place(self, step: float) -> float:
        """Where a step stands, from 0 to 1; by the logarithm, a first step of 0 stands a little before the next."""
        first, last = self.steps[0], self.steps[-1]
        if first == last:
            return 0.5
        if not self.log:
            return (step - first) / (last - first)
        from math import log

        positive = [each for each in self.steps if each > 0]
        span = log(positive[-1] / positive[0]) or 1.0
        before = 0.08 if first <= 0 else 0.0
        if step <= 0:
            return 0.0
        return before + (1 - before) * (log(step / positive[0]) / span if len(positive) > 1 else 1.0)
