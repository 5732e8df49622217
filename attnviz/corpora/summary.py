"""Summary: mean, variance, extremes and quantiles of each head's numbers over many texts, in sums that merge.

A text counts once, however long it is. Memory does not grow with the number of texts: quantiles come from counts in
fixed cells, so that they do not depend on the order of texts, nor on how they were parted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Wide = NDArray[np.float64]

CELLS = 480
GROWTH = 0.04  # the width of a cell as a share of its lower edge, at most


@dataclass(frozen=True)
class Grid:
    """The edges of the cells in which values are counted; values beyond them are in the first or last cell.

    low, high: the outer edges. step: the largest width of a cell; small values have narrower ones (GROWTH).
    """

    low: float
    high: float
    step: float = np.inf

    def edges(self) -> Wide:
        """float64 [CELLS + 1], rising; the last ones are `high` where fewer cells are enough."""
        edges = np.full(CELLS + 1, self.high)
        edge = self.low
        for i in range(CELLS):
            if edge >= self.high:
                break
            edges[i] = edge
            edge += min(self.step, GROWTH * edge)
        assert edge >= self.high, "too few cells"
        return edges


SHARE = Grid(2.0**-14, 1.0, 1 / 240)
NATS = Grid(2.0**-13, 12.0, 1 / 20)  # e^12 keys are 160,000
SIZE = Grid(2.0**-6, 2.0**20)  # tokens or keys


@dataclass(frozen=True, eq=False)
class Summary:
    """Sums over texts of some numbers of each head.

    count [number, layer, head]: texts in which the number means something; mean, and square, the sum of squared
    deviations from it; low, high; cells [number, layer, head, CELLS]: how many texts have a value in each cell.
    """

    count: NDArray[np.int64]
    mean: Wide
    square: Wide
    low: Wide
    high: Wide
    cells: NDArray[np.int64]

    @classmethod
    def of(cls, values: Sequence[Wide], grids: Sequence[Grid]) -> Summary:
        """The summary of some texts, each [number, layer, head], NaN where the number means nothing."""
        table = np.stack(values) if len(values) else np.empty((0, len(grids), 0, 0))
        known = np.isfinite(table)
        count = known.sum(0)
        total = np.where(known, table, 0.0).sum(0)
        mean = total / np.maximum(count, 1)
        apart = np.where(known, table - mean, 0.0)
        low = np.where(known, table, np.inf).min(0, initial=np.inf)
        high = np.where(known, table, -np.inf).max(0, initial=-np.inf)
        cells = np.stack([_counted(table[:, i], known[:, i], grid) for i, grid in enumerate(grids)])
        return cls(count, mean, np.square(apart).sum(0), low, high, cells)

    def merge(self, other: Summary) -> Summary:
        """The summary of both sets of texts (Chan, Golub and LeVeque 1983, eq. 2.1)."""
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        apart = other.mean - self.mean
        mean = np.where(self.count == 0, other.mean, self.mean + apart * share)
        square = self.square + other.square + apart**2 * (self.count * share)
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return Summary(count, mean, square, low, high, self.cells + other.cells)

    def deviation(self) -> Wide:
        """The standard deviation over texts (of a sample, n - 1), [number, layer, head]; NaN for less than two."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.count > 1, np.sqrt(self.square / np.maximum(self.count - 1, 1)), np.nan)

    def quantile(self, share: float, grids: Sequence[Grid]) -> Wide:
        """The value below which this share of texts lies, [number, layer, head]; within its cell by proportion.

        It differs from the true one by less than a cell; NaN where no text counts.
        """
        wanted = share * self.count
        below = np.cumsum(self.cells, -1)
        cell = np.minimum((below < wanted[..., None]).sum(-1), CELLS - 1)
        at = cell[..., None]
        inside = np.take_along_axis(self.cells, at, -1)[..., 0]
        before = np.take_along_axis(below, at, -1)[..., 0] - inside
        part = np.clip((wanted - before) / np.maximum(inside, 1), 0.0, 1.0)
        edges = np.stack([grid.edges() for grid in grids])
        edges[:, 0], edges[:, -1] = -np.inf, np.inf  # the outer cells hold what is beyond them
        rows = np.arange(len(edges))[:, None, None]
        left, right = np.maximum(edges[rows, cell], self.low), np.minimum(edges[rows, cell + 1], self.high)
        with np.errstate(invalid="ignore"):  # without texts the lowest is infinite
            return np.where(self.count > 0, np.clip(left + part * (right - left), self.low, self.high), np.nan)

    def pick(self, numbers: slice | Sequence[int]) -> Summary:
        """Only some of the numbers."""
        return replace(self, **{each.name: getattr(self, each.name)[numbers] for each in fields(self)})


def _counted(values: Wide, known: NDArray[np.bool_], grid: Grid) -> NDArray[np.int64]:
    """[text, layer, head] -> how many values lie in each cell, [layer, head, CELLS]."""
    n_layers, n_heads = values.shape[1:]
    cell = np.clip(np.searchsorted(grid.edges(), values, side="right") - 1, 0, CELLS - 1)
    head = np.arange(n_layers * n_heads).reshape(n_layers, n_heads)
    flat = (head * CELLS + cell)[known]
    return np.bincount(flat, minlength=n_layers * n_heads * CELLS).reshape(n_layers, n_heads, CELLS)


def arrays_of(state: Any, name: str) -> dict[str, NDArray[Any]]:
    """The arrays of a state, as a file of sums holds them: `name.field`."""
    return {f"{name}.{each.name}": np.asarray(getattr(state, each.name)) for each in fields(state)}


def state_of(kind: type, name: str, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """The state of `kind` whose arrays `arrays_of` named."""
    return kind(*(arrays[f"{name}.{each.name}"] for each in fields(kind)))
