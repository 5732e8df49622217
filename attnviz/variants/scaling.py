"""The time of each mechanism over growing n, on this machine: one head, one thread, outputs and no matrix."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnviz.variants.applied import kind
from attnviz.variants.base import Variant, VariantInput
from attnviz.variants.sparse import Dilated
from attnviz.variants.table import parse

if TYPE_CHECKING:
    from attnviz.variants.base import Draw

SIZES = tuple(2**power for power in range(7, 14))  # 128 to 8192 tokens
D_HEAD = 64
LONGEST = 0.35  # seconds: a mechanism that took longer is not measured with twice the tokens
PATIENCE = 0.08  # seconds within which a measurement is repeated; the shortest time counts
FITTED = 4  # the last sizes, over which the exponent is fitted: in short texts the set-up takes its part

# Windows, blocks, buckets and ranks of a size as models have them, the same for every n; {} is n / 64.
_SETTINGS = (
    "full causal general concat additive window:64 local-p:64 dilated:64,gap=2 bigbird:32,random=3 lsh:{} permutation "
    "adaptive-span:64,ramp=32 memory:64,memory=64 compressed-memory:64,memory=64,rate=4 linformer:64 performer:64 "
    "linear mamba"
)
_BY_NAME = {setting.partition(":")[0]: setting for setting in _SETTINGS.split()}


def measured_names() -> tuple[str, ...]:
    """The mechanisms that are measured: positions and scaling cost what full attention does, local-m what window."""
    return tuple(_BY_NAME)


def measure(
    name: str,
    draw: Draw,
    sizes: Sequence[int] = SIZES,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[str, tuple[float, ...]]:
    """One mechanism over growing n, until a text takes longer than `LONGEST`.

    Returns:
        The mechanism with its numbers at the longest text, and the seconds for each of the first sizes.
    """
    from threadpoolctl import threadpool_limits

    setting, seconds = name, []
    with threadpool_limits(1, "blas"):
        for n in sizes:
            setting = _BY_NAME[name].format(max(2, n // 64))
            seconds.append(_shortest(_variant(setting, draw), name == "causal", n, draw, clock))
            if seconds[-1] > LONGEST:
                break
    return setting, tuple(seconds)


def fitted(n: Sequence[int], seconds: Sequence[float]) -> float:
    """p of the least-squares fit log t = log c + p log n over the last `FITTED` sizes; NaN for fewer than 2."""
    if len(n) < 2:
        return float("nan")
    x, y = np.log(n[-FITTED:]), np.log(seconds[-FITTED:])
    x = x - x.mean()
    return float((x * (y - y.mean())).sum() / (x * x).sum())


def _variant(setting: str, draw: Draw) -> Variant:
    """The object that computes: the engine's own masks in bands, where the engine has the mechanism."""
    spec = parse(setting)
    if spec.mechanism.name == "window":
        return Dilated(spec["reach"], 1)
    return kind(spec, draw) or Dilated(-1, 1)


def _shortest(variant: Variant, causal: bool, n: int, draw: Draw, clock: Callable[[], float]) -> float:
    q, k, v = (draw(f"scaling.{which}.{n}", (1, n, D_HEAD)) for which in "qkv")
    inputs = VariantInput(0, q, k, D_HEAD**-0.5, causal)
    best, begun = float("inf"), clock()
    while True:
        start = clock()
        variant.output(inputs, v)
        stop = clock()
        best = min(best, stop - start)
        if stop - begun > PATIENCE:
            return max(best, 1e-9)
