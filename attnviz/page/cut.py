"""Cut: which entries of a long vector or of many rows are shown, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

DOTS = 9.0  # points, room for an ellipsis


@dataclass(frozen=True)
class Cut:
    """The entries shown along one side of a block, and where they lie.

    total: how many entries there are. runs: neighbours, each with the distance of its first cell from the block's edge
    in points. cell: the side of a cell in points. length: of the whole side, ellipses included.
    """

    total: int
    runs: tuple[tuple[range, float], ...]
    cell: float
    length: float

    @classmethod
    def whole(cls, total: int, length: float) -> Cut:
        """All entries, over so many points together."""
        return cls.of(range(total), total, length / total)

    @classmethod
    def fitting(cls, total: int, room: float, cell: float) -> Cut:
        """All entries if they fit `room` points, else the first ones and the last."""
        if total * cell <= room:
            return cls.of(range(total), total, cell)
        count = max(2, int((room - DOTS) / cell))
        return cls.of([*range(count - 1), total - 1], total, cell)

    @classmethod
    def of(cls, indices: Sequence[int], total: int, cell: float, gap: float = DOTS) -> Cut:
        """Chosen entries, in order, with `gap` points wherever some are left out."""
        bounds = [-1, *indices, total]
        runs: list[tuple[range, float]] = []
        at = 0.0
        for before, index in pairwise(bounds):
            at += gap if index - before > 1 else 0.0
            if index == total:
                break
            if runs and index - before == 1:
                runs[-1] = (range(runs[-1][0].start, index + 1), runs[-1][1])
            else:
                runs.append((range(index, index + 1), at))
            at += cell
        return cls(total, tuple(runs), cell, at)

    @property
    def indices(self) -> list[int]:
        """The entries that are shown."""
        return [index for run, _ in self.runs for index in run]

    def middle(self, index: int) -> float:
        """The distance of an entry's middle from the block's edge."""
        return next(at + (index - run.start + 0.5) * self.cell for run, at in self.runs if index in run)

    def gaps(self) -> list[float]:
        """The middles of the ellipses."""
        ends = [(0.0, 0.0), *((at, at + len(run) * self.cell) for run, at in self.runs), (self.length, self.length)]
        return [(end + start) / 2 for (_, end), (start, _) in pairwise(ends) if start - end > 1.0]
