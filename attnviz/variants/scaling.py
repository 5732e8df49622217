"""How long each mechanism takes over growing n, on this machine: one head, one thread, outputs and no matrix."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.variants.applied import kind
from attnviz.variants.base import Variant, VariantInput
from attnviz.variants.sparse import Dilated
from attnviz.variants.table import MECHANISMS, parse

if TYPE_CHECKING:
    from attnviz.variants.base import Draw

SIZES = tuple(2**power for power in range(7, 14))  # 128 to 8192 tokens
D_HEAD = 64
LONGEST = 0.35  # seconds: a mechanism that took longer is not tried with twice the tokens
PATIENCE = 0.08  # seconds within which a measurement is repeated; the shortest time counts
FITTED = 4  # the last sizes, over which the exponent is fitted: in short texts the set-up counts as well

# With windows, blocks, buckets and ranks of a size as models have them, the same for every n.
_AS: dict[str, Callable[[int], str]] = {
    "full": lambda n: "full",
    "causal": lambda n: "causal",
    "general": lambda n: "general",
    "concat": lambda n: "concat",
    "additive": lambda n: "additive",
    "window": lambda n: "window:64",
    "local-p": lambda n: "local-p:64",
    "dilated": lambda n: "dilated:64,gap=2",
    "bigbird": lambda n: "bigbird:32,random=3",
    "lsh": lambda n: f"lsh:{max(2, n // 64)}",
    "permutation": lambda n: "permutation",
    "adaptive-span": lambda n: "adaptive-span:64,ramp=32",
    "memory": lambda n: "memory:64,memory=64",
    "compressed-memory": lambda n: "compressed-memory:64,memory=64,rate=4",
    "linformer": lambda n: "linformer:64",
    "performer": lambda n: "performer:64",
    "linear": lambda n: "linear",
    "mamba": lambda n: "mamba",
}


@dataclass(frozen=True)
class Measured:
    """Seconds for each number of tokens, and the exponent p of a fit c n^p to the longer texts.

    setting: the mechanism with its numbers at the longest text. cost: what its paper says.
    """

    name: str
    group: str
    setting: str
    cost: str
    n: tuple[int, ...]
    seconds: tuple[float, ...]
    exponent: float


def measured_names() -> tuple[str, ...]:
    """The mechanisms that are measured: positions and scaling cost what full attention does, local-m what window."""
    return tuple(_AS)


def measure(
    name: str,
    draw: Draw,
    sizes: Sequence[int] = SIZES,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """One mechanism over growing n, until a text takes longer than `LONGEST`."""
    from threadpoolctl import threadpool_limits

    seconds: list[float] = []
    with threadpool_limits(1, "blas"):
        for n in sizes:
            seconds.append(_shortest(_kind(_AS[name](n), draw), name == "causal", n, draw, clock))
            if seconds[-1] > LONGEST:
                break
    done = tuple(sizes[: len(seconds)])
    mechanism = MECHANISMS[name]
    exponent = fitted(done, seconds)
    return Measured(name, mechanism.group, _AS[name](done[-1]), mechanism.cost, done, tuple(seconds), exponent)


def fitted(n: Sequence[int], seconds: Sequence[float]) -> float:
    """p of the least-squares fit log t = log c + p log n over the last `FITTED` sizes; NaN for fewer than 2."""
    if len(n) < 2:
        return float("nan")
    x, y = np.log(n[-FITTED:]), np.log(seconds[-FITTED:])
    x = x - x.mean()
    return float((x * (y - y.mean())).sum() / (x * x).sum())


def _kind(setting: str, draw: Draw) -> Variant:
    """What computes: the engine's own masks in bands, where the engine has the mechanism."""
    asked = parse(setting)
    if asked.mechanism.name == "window":
        return Dilated(asked["reach"], 1)
    return kind(asked, draw) or Dilated(-1, 1)


def _shortest(made: Variant, causal: bool, n: int, draw: Draw, clock: Callable[[], float]) -> float:
    q, k, v = (draw(f"scaling.{which}.{n}", (1, n, D_HEAD)) for which in "qkv")
    inputs = VariantInput(0, q, k, D_HEAD**-0.5, causal)
    best, begun = float("inf"), clock()
    while True:
        start = clock()
        made.output(inputs, v)
        stop = clock()
        best = min(best, stop - start)
        if stop - begun > PATIENCE:
            return max(best, 1e-9)
