"""What a tensor holds, in a few numbers: a row of the list of a model's tensors, a histogram, and its map."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page.figure import Box, Figure, MapPanel, Scale
from attnviz.page.scale import INKS, round_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 1 << 20  # numbers looked at in one go, so that a large tensor is not copied as a whole
SIGNED = INKS


@dataclass(frozen=True)
class Numbers:
    """Statistics of a tensor's finite numbers (None if it has none), and how many are not.

    std: population standard deviation. zeros, nan, infinite: counts.
    """

    size: int
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None
    zeros: int = 0
    nan: int = 0
    infinite: int = 0


@dataclass(frozen=True)
class TensorRow:
    """A line of the list of tensors. ours: our name, '' if we have none. dtype: as its file calls it.

    nbytes: bytes in the file, 0 if unknown.
    """

    stored: str
    ours: str
    shape: tuple[int, ...]
    dtype: str
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None
    nbytes: int = 0

    @classmethod
    def of(cls, stored: str, ours: str, dtype: str, values: NDArray[Any], *, nbytes: int | None = None) -> TensorRow:
        """The row of these values."""
        found = numbers(values)
        size = values.nbytes if nbytes is None else nbytes
        return cls(stored, ours, values.shape, dtype, found.mean, found.std, found.min, found.max, size)


@dataclass(frozen=True, eq=False)
class Histogram:
    """counts int [bin], edges float [bin + 1]: bin i holds what is at least edges[i] and below edges[i + 1]."""

    counts: NDArray[np.int64]
    edges: NDArray[np.float64]


def numbers(values: NDArray[Any]) -> Numbers:
    """Mean, standard deviation, least and largest of an array of any shape and number type, in float64.

    Chunks are combined by the pairwise update of Chan, Golub and LeVeque 1979.
    """
    count, mean, spread = 0, 0.0, 0.0
    low, high = math.inf, -math.inf
    zeros = nan = infinite = 0
    for part in _chunks(values):
        finite = part[np.isfinite(part)]
        not_numbers = int(np.isnan(part).sum())
        nan += not_numbers
        infinite += part.size - finite.size - not_numbers
        if not finite.size:
            continue
        zeros += int((finite == 0).sum())
        part_mean = float(finite.mean())
        part_spread = float(np.square(finite - part_mean).sum())
        total = count + finite.size
        shift = part_mean - mean
        spread += part_spread + shift * shift * count * finite.size / total
        mean += shift * finite.size / total
        count = total
        low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if not count:
        return Numbers(values.size, nan=nan, infinite=infinite)
    return Numbers(values.size, mean, math.sqrt(spread / count), low, high, zeros, nan, infinite)


def histogram(values: NDArray[Any], bins: int = 15) -> Histogram:
    """Equal bins from the least to the largest finite number; the last bin holds its upper edge too.

    Numbers that are all the same have one bin. No finite number: no bin.
    """
    found = numbers(values)
    if found.min is None or found.max is None:
        return Histogram(np.zeros(0, np.int64), np.zeros(1))
    if not found.max > found.min or not math.isfinite(found.max - found.min):
        edges = np.array([found.min, found.max])
        return Histogram(np.array([found.size - found.nan - found.infinite], np.int64), edges)
    edges = np.linspace(found.min, found.max, bins + 1)
    counts = np.zeros(bins, np.int64)
    for part in _chunks(values):
        counts += np.histogram(part[np.isfinite(part)], edges)[0]
    return Histogram(counts, edges)


def tensor_map(name: str, values: NDArray[Any]) -> Figure:
    """A tensor as one map of signed colours, symmetric about 0; not-a-number and infinite cells are hidden.

    One axis is drawn as a row; of more than two, all but the first are laid out one after another as columns.
    """
    rows = values.shape[0] if values.ndim > 1 else 1
    flat = values.reshape(rows, values.size // max(rows, 1)).astype(np.float32, copy=False)
    finite = np.isfinite(flat)
    whole = bool(finite.all())
    shown = flat if whole else np.where(finite, flat, 0)
    top = round_up(float(max(abs(shown.min(initial=0.0)), abs(shown.max(initial=0.0)))))
    notes = []
    if values.ndim > 2:
        notes.append(f"columns: axes 1 to {values.ndim - 1}, the last one fastest")
    panel = MapPanel(
        title=name,
        values=shown,
        hidden=None if whole else ~finite,
        row_labels=tuple(map(str, range(flat.shape[0]))),
        col_labels=tuple(map(str, range(flat.shape[1]))),
        box=Box(0.0, 0.0, 0.0, 0.0),
    )
    scale = Scale("linear", -top, top, SIGNED, "value")
    return Figure(0.0, 0.0, (panel,) if flat.size else (), scale, title=name, notes=tuple(notes))


def _chunks(values: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    flat = values.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        yield flat[start : start + CHUNK].astype(np.float64)
