"""Statistics of a tensor: a row of the list of a model's tensors, and a histogram."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 1 << 20  # numbers per step, so that a large tensor is not copied as a whole


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
        own = numbers(values)
        size = values.nbytes if nbytes is None else nbytes
        return cls(stored, ours, values.shape, dtype, own.mean, own.std, own.min, own.max, size)


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
    own = numbers(values)
    if own.min is None or own.max is None:
        return Histogram(np.zeros(0, np.int64), np.zeros(1))
    if not own.max > own.min or not math.isfinite(own.max - own.min):
        return Histogram(np.array([own.size - own.nan - own.infinite], np.int64), np.array([own.min, own.max]))
    edges = np.linspace(own.min, own.max, bins + 1)
    counts = np.zeros(bins, np.int64)
    for part in _chunks(values):
        counts += np.histogram(part[np.isfinite(part)], edges)[0]
    return Histogram(counts, edges)


def _chunks(values: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    flat = values.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        yield flat[start : start + CHUNK].astype(np.float64)
