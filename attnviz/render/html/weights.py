"""Attention maps as small whole numbers.

A stored number is a whole multiple of its map's step: value = low + code * step, rounded, so that no value moves by
more than half a step. The step is at most 1/252 of the map's largest value by size, so that no value moves by more
than 1/504 of it, and 0 is stored exactly.

Where there is room the step of all maps is halved, up to eight times. A finer step is tried on a sample of rows of
every map, deflated as the page is; it is taken while the page's maps stay under 9 MB and the step is not yet 1/252 of
the end of the colours, which sinks do not set; and beyond that while they stay under 0.5 MB. Nothing else decides, so
that equal maps get equal steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.render.html.blocks import deflated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from attnviz.render.html.blocks import Blocks

    Indices = Sequence[int]

COARSEST = 252  # steps from 0 to a map's largest value by size
SMALL, LARGE = 500_000, 9_000_000  # estimated bytes up to which a page is made finer than needed, and as fine as drawn
_FINEST = 8  # doublings of COARSEST: 64,512 steps, which two bytes hold; half as many where values have signs
_TINY = 1e-37  # a step below which its inverse is too large for 4 bytes
_SAMPLE = 1 << 20  # cells of all maps together from which their size is estimated
THUMB, THUMBS_FROM = 48, 64  # cells a side of a small picture; tokens from which on maps have one


@dataclass(frozen=True)
class Range:
    """The values of one map: its lowest (0 if none is negative), its largest, and its largest to keys that are no
    resting place."""

    low: float
    peak: float
    reach: float

    def step(self, finer: int) -> float:
        """The step after that many doublings of COARSEST; 1 for a map of zeros."""
        return max(self.peak, -self.low) / (COARSEST << finer) or 1.0

    def start(self, finer: int) -> float:
        """The value of code 0: a whole number of steps at or below the lowest."""
        step = self.step(finer)
        return -float(np.ceil(-self.low / step - 1e-9)) * step if self.low < 0 else 0.0


def ranges(maps: Sequence[NDArray[np.float32]], rests: Sequence[int]) -> list[Range]:
    """The range of each map [query, key]. rests: keys where attention rests."""
    spans = []
    for values in maps:
        if not values.size:
            spans.append(Range(0.0, 0.0, 0.0))
            continue
        columns = values.max(axis=0)
        low = float(values.min())
        if not (np.isfinite(low) and np.isfinite(columns).all()):
            known = _known(values)
            columns, low = known.max(axis=0), float(known.min())
        others = np.delete(columns, list(rests)) if len(rests) < len(columns) else columns
        spans.append(Range(min(low, 0.0), max(float(columns.max()), 0.0), max(float(others.max()), 0.0)))
    return spans


def doublings(maps: Sequence[NDArray[np.float32]], spans: Sequence[Range], end: float, share: float = 1.0) -> int:
    """The number of times the coarsest step is halved, for all maps alike.

    Args:
        end: the end of the colours of pictures. share: these maps' share of the page.
    """
    span = max((max(each.peak, -each.low) for each in spans), default=0.0)
    drawn = int(np.ceil(np.log2(max(span / end, 1.0)))) if end > 0 else 0
    finest = _FINEST - 1 if any(each.low < 0 for each in spans) else _FINEST
    cells, rows = sum(values.size for values in maps), []
    for values in maps:
        some = values[:: -(-cells // _SAMPLE)]
        rows.append(some if np.isfinite(some).all() else _known(some))
    sampled = sum(some.size for some in rows)
    chosen = 0
    for finer in range(1, finest + 1):
        bytes_ = sum(len(deflated(_codes(some, each, finer))) for some, each in zip(rows, spans, strict=True))
        if bytes_ * cells / max(sampled, 1) * 4 / 3 > share * (LARGE if finer <= drawn else SMALL):
            break
        chosen = finer
    return chosen


def packed(
    maps: Sequence[NDArray[np.float32]],
    rests: Sequence[int],
    mask: dict[str, Any] | str,
    end: float,
    blocks: Blocks,
    share: float = 1.0,
    plain: tuple[Indices, Indices] | None = None,
) -> dict[str, Any]:
    """Maps as a page's JSON describes them (`Maps` in web/types.d.ts); their codes go into blocks.

    Args:
        maps: [query, key] each, in the order of the places. rests: keys where attention rests.
        mask: as in `Maps`. end: the end of the colours of pictures. share: these maps' share of the page.
        plain: (queries, keys) that are seen without special tokens and resting places; None where there are none.
    """
    spans = ranges(maps, rests)
    finer = doublings(maps, spans, end, share)
    at = []
    for values, each in zip(maps, spans, strict=True):
        codes = _codes(values, each, finer)
        block, first = blocks.add(codes)
        at.append({"block": block, "at": first, "bytes": 2 if len(codes) > values.size else 1})
    return {
        "at": at,
        "step": [each.step(finer) for each in spans],
        "low": [each.start(finer) for each in spans],
        "peak": [each.peak for each in spans],
        "reach": [each.reach for each in spans],
        "mask": mask,
        "thumbs": _thumbs(maps, spans, plain, blocks),
    }


def packed_vectors(vectors: NDArray[np.float32], blocks: Blocks) -> dict[str, Any]:
    """Vectors [head, token, d] as `Vectors` of web/types.d.ts describes them, in 65,535 steps from a head's lowest
    number to its largest: no number moves by more than half a step."""
    at, low, steps = [], [], []
    for values in vectors:
        least, most = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
        step = (most - least) / 65535 or 1.0
        codes = np.rint((values.astype(np.float64) - least) / step).astype("<u2").reshape(-1, 1).view(np.uint8)
        block, first = blocks.add(codes[:, 0].tobytes() + codes[:, 1].tobytes())
        at.append({"block": block, "at": first, "bytes": 2})
        low.append(least)
        steps.append(step)
    return {"at": at, "low": low, "step": steps}


def _known(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values with 0 for what is no number."""
    return np.where(np.isfinite(values), values, np.float32(0.0))


def _codes(values: NDArray[np.float32], each: Range, finer: int) -> bytes:
    """The codes of a map: a byte each, or all low bytes before all high bytes."""
    step = each.step(finer)
    most = round((each.peak - each.start(finer)) / step)
    exact = np.float32 if step > _TINY else np.float64
    scaled = values * exact(1.0 / step)
    scaled += exact(0.5 - each.start(finer) / step)
    if not np.isfinite(scaled).all():
        scaled[~np.isfinite(values)] = 0.5 - each.start(finer) / step
    if most < 256:
        return scaled.astype(np.uint8).tobytes()
    planes = scaled.astype("<u2").reshape(-1, 1).view(np.uint8)
    return planes[:, 0].tobytes() + planes[:, 1].tobytes()


def _thumbs(
    maps: Sequence[NDArray[np.float32]], spans: Sequence[Range], plain: tuple[Indices, Indices] | None, blocks: Blocks
) -> dict[str, Any] | None:
    """Small pictures of large maps (`SmallPictures` in web/types.d.ts), of all tokens and of plain ones alone."""
    if not maps or max(maps[0].shape) <= THUMBS_FROM:
        return None
    signed = any(each.low < 0 for each in spans)
    most, largest = 127 if signed else 255, [max(each.peak, -each.low) or 1.0 for each in spans]
    cells = [_known(values) for values in maps]

    def pictures(cells: Sequence[NDArray[np.float32]]) -> dict[str, Any]:
        codes = [np.rint(most * _pooled(each, signed) / end) for each, end in zip(cells, largest, strict=True)]
        return blocks.numbers((np.stack(codes) + (127 if signed else 0)).astype(np.uint8))

    return {
        "all": pictures(cells),
        "plain": None if plain is None else pictures([each[np.ix_(*plain)] for each in cells]),
        "zero": 127 if signed else 0,
        "part": [end / most for end in largest],
    }


def _pooled(values: NDArray[np.float32], signed: bool) -> NDArray[np.float32]:
    """The largest value of each cell of a small picture, by size if values have signs."""
    rows, cols = (np.unique(np.linspace(0, size, THUMB, endpoint=False).astype(int)) for size in values.shape)
    high: NDArray[np.float32] = np.maximum.reduceat(np.maximum.reduceat(values, rows, axis=0), cols, axis=1)
    if not signed:
        return np.maximum(high, 0)
    low = np.minimum.reduceat(np.minimum.reduceat(values, rows, axis=0), cols, axis=1)
    return np.where(-low > high, low, high)
