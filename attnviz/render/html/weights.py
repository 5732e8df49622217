"""Attention maps as small whole numbers.

A stored number is a whole multiple of its map's step: value = low + code * step, rounded, so that no value moves by
more than half a step. The step is never more than 1/250 of the map's largest value, so that no value moves by more
than 1/500 of it. Where there is room the step is finer: as fine as 1/250 of the end of the colours that pictures of
this map have, which sinks do not set, in a page of some megabytes; and finer still in a small page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from attnviz.render.html.blocks import Blocks

COARSEST = 250  # steps from a map's low end to its largest value
SMALL, LARGE = 500_000, 9_000_000  # estimated bytes up to which a page is made finer than needed, and as fine as drawn
_FINEST = 8  # doublings of COARSEST: 64,000 steps, which two bytes hold
_SAMPLE = 1 << 16  # cells of a map from which its size is estimated
THUMB, THUMBS_FROM = 48, 64  # cells a side of a small picture; tokens from which on maps have one


@dataclass(frozen=True)
class Range:
    """The values of one map: its lowest, its largest, and its largest to keys that are no resting place."""

    low: float
    peak: float
    reach: float


def ranges(maps: Sequence[NDArray[np.float32]], rests: Sequence[int]) -> list[Range]:
    """The range of each map [query, key]. rests: keys where attention rests."""
    found = []
    for values in maps:
        other = np.delete(values, list(rests), axis=1) if len(rests) < values.shape[1] else values
        low = min(float(values.min(initial=0.0)), 0.0)
        found.append(Range(low, float(values.max(initial=0.0)), float(other.max(initial=0.0))))
    return found


def doublings(maps: Sequence[NDArray[np.float32]], found: Sequence[Range], end: float) -> int:
    """The number of times the coarsest step is halved, for all maps alike. end: the end of the colours of pictures."""
    span = max((each.peak - each.low for each in found), default=0.0)
    drawn = max(0, min(_FINEST, int(np.ceil(np.log2(max(span / end, 1.0)))))) if end > 0 else 0
    chosen = 0
    for finer in range(1, _FINEST + 1):
        most = LARGE if finer <= drawn else SMALL
        if sum(_estimate(values, each, finer) for values, each in zip(maps, found, strict=True)) > most:
            break
        chosen = finer
    return chosen


def _step(each: Range, finer: int) -> float:
    return (each.peak - each.low) / (COARSEST << finer) or 1.0


def _codes(values: NDArray[np.float32], each: Range, step: float) -> NDArray[np.uint16]:
    known = np.where(np.isfinite(values), values, each.low).astype(np.float64)
    return np.rint((known - each.low) / step).astype(np.uint16)


def _estimate(values: NDArray[np.float32], each: Range, finer: int) -> float:
    """Bytes of a map as it is stored, from the entropy of a sample of its codes; base64 included."""
    cells = values.reshape(-1)
    sample = cells[:: max(1, cells.size // _SAMPLE)]
    counts = np.bincount(_codes(sample, each, _step(each, finer)))
    share = counts[counts > 0] / sample.size
    return float(-(share * np.log2(share)).sum()) / 8 * cells.size * 1.25 * 4 / 3


def packed(
    maps: Sequence[NDArray[np.float32]], rests: Sequence[int], mask: dict[str, Any] | str, end: float, blocks: Blocks
) -> dict[str, Any]:
    """Maps as a page's JSON describes them (`Maps` in web/types.d.ts); their codes go into blocks.

    Args:
        maps: [query, key] each, in the order of the places. rests: keys where attention rests.
        mask: as in `Maps`. end: the end of the colours of pictures.
    """
    found = ranges(maps, rests)
    finer = doublings(maps, found, end)
    at, steps = [], []
    for values, each in zip(maps, found, strict=True):
        step = _step(each, finer)
        codes = _codes(values, each, step)
        wide = codes.max(initial=0) > 255
        planes = (codes & 255, codes >> 8) if wide else (codes,)
        block, first = blocks.add(b"".join(plane.astype(np.uint8).tobytes() for plane in planes))
        at.append({"block": block, "at": first, "bytes": len(planes)})
        steps.append(step)
    return {
        "at": at,
        "step": steps,
        "low": [each.low for each in found],
        "peak": [each.peak for each in found],
        "reach": [each.reach for each in found],
        "mask": mask,
        "thumbs": _thumbs(maps, found, blocks),
    }


def _thumbs(maps: Sequence[NDArray[np.float32]], found: Sequence[Range], blocks: Blocks) -> dict[str, Any] | None:
    """Small pictures of large maps: the largest value of each cell, as 255 parts of the map's largest."""
    if not maps or max(maps[0].shape) <= THUMBS_FROM:
        return None
    pictures = []
    for values, each in zip(maps, found, strict=True):
        rows, cols = (np.unique(np.linspace(0, size, THUMB, endpoint=False).astype(int)) for size in values.shape)
        cells = np.maximum.reduceat(np.maximum.reduceat(values, rows, axis=0), cols, axis=1)
        pictures.append(np.rint(255 * np.clip(cells, 0, None) / (each.peak or 1.0)).astype(np.uint8))
    return blocks.numbers(np.stack(pictures))
