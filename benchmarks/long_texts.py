"""Promise 4: length is bounded by time alone.

12 heads of 32 dimensions and 10,240 tokens, pooled to 512 x 512, compared with the floor: the machine's own matrix
product and exponential for the same count of numbers, in the same run. Then SmolLM2's whole window, 8,192 tokens, all
270 heads.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure
import numpy as np

from attnviz.engine.collectors import Pooled
from attnviz.engine.masks import Mask
from attnviz.engine.observer import Observer
from attnviz.engine.project import Heads
from attnviz.engine.tiles import Layer, attend

N, HEADS, D = 10_240, 12, 32


def ours(pooled: bool) -> float:
    """Seconds for all heads, on all cores."""
    rng = np.random.default_rng(0)
    heads = Heads(*(rng.standard_normal((HEADS, N, D)).astype(np.float32) for _ in range(3)))
    layer = Layer("self", 0, D**-0.5, Mask(N, N))
    start = time.perf_counter()
    attend(layer, heads, Observer([Pooled([0], range(HEADS), N, N, -(-N // 512))] if pooled else [], HEADS))
    return time.perf_counter() - start


def floor() -> tuple[float, float]:
    """Seconds for the products Q K^T and A V, and for the exponentials, spread over the cores without any loss."""
    from os import cpu_count

    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    q, k = (rng.standard_normal((N, D)).astype(np.float32) for _ in range(2))
    rows = 64
    scores = np.empty((rows, N), np.float32)
    found = []
    with threadpool_limits(1):
        for work in (
            lambda i: (np.matmul(q[i : i + rows], k.T, out=scores), scores @ k),
            lambda i: np.exp(np.minimum(scores, 0, out=scores), out=scores),
        ):
            start = time.perf_counter()
            for i in range(0, N - rows + 1, rows):
                work(i)
            found.append((time.perf_counter() - start) * HEADS / (cpu_count() or 1))
    return found[0], found[1]


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--times", type=int, default=3)
    made.add_argument("--whole-window", action="store_true", help="also SmolLM2 at 8,192 tokens (minutes)")
    args = made.parse_args()
    print(measure.machine())
    runs = [(ours(True), ours(False), *floor()) for _ in range(args.times)]
    pooled, plain, product, exponential = (measure.median([r[i] for r in runs]) for i in range(4))
    measure.table(
        [
            ["12 heads x 10,240 tokens", "seconds", "of the floor"],
            ["pooled to 512 x 512", pooled, pooled / (product + exponential)],
            ["without pooling", plain, plain / (product + exponential)],
            ["floor: two products + exp", product + exponential, 1.0],
            ["  products", product, ""],
            ["  exp", exponential, ""],
        ]
    )
    if args.whole_window:
        whole_window()


def whole_window() -> None:
    """The user's command."""
    with tempfile.TemporaryDirectory() as folder:
        ids = np.random.default_rng(0).integers(1000, 40000, 8192)
        command = [
            sys.executable, "-m", "attnviz", "heatmap", "--ids", ",".join(map(str, ids)), "-m", str(measure.smollm2()),
            "-l", "all", "--cells", "256", "-o", f"{folder}/all.png",
        ]  # fmt: skip
        subprocess.run([*command[:4], "--help"], capture_output=True, check=True)
        found = measure.run(command)
        size = Path(folder, "all.png").stat().st_size if found.status == 0 else 0
        measure.table(
            [
                ["SmolLM2-135M, 8,192 tokens, 270 heads in one PNG", "wall s", "peak MiB", "picture MB", "exit"],
                ["attnviz", found.wall, found.peak, size / 1e6, found.status],
            ]
        )


if __name__ == "__main__":
    main()
