"""The amount of work that code takes, in the machine's own measure.

CPU time of this process and its ended children, over that of a fixed piece of work done right afterwards: a slow
machine, or one that is busy with something else, gives nearly the same number, unlike seconds on a clock.
"""

from __future__ import annotations

import resource
from collections.abc import Callable

FASTEST = 0.001  # seconds that the loop takes on no machine of today
_WHOSE = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def spent() -> float:
    """CPU seconds so far, of all threads and of all children that have ended."""
    usages = [resource.getrusage(who) for who in _WHOSE]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def units(seconds: float) -> float:
    """CPU seconds as multiples of a loop of 100,000 turns, the slowest of three: some 5 ms on a machine of today."""
    return seconds / max(cost(_loop) for _ in range(3))


def less(seconds: float, limit: float) -> bool:
    """Whether CPU seconds are fewer than `limit` loops; the loop is run where the fastest machine would not say so."""
    return seconds < limit * FASTEST or units(seconds) < limit


def usual(seconds: float) -> float:
    """CPU seconds as on an idle machine of today."""
    return units(seconds) * 0.004


def cost(work: Callable[[], object]) -> float:
    """CPU seconds that the work takes."""
    start = spent()
    work()
    return spent() - start


def _loop() -> float:
    total = 0.0
    for i in range(100_000):
        total += i * 0.5
    return total
