"""Promise 6: 12 x 12 heads of 64 tokens in one PNG, beside 144 matplotlib Axes; the same process, warm."""

from __future__ import annotations

import io
import time

import measure
import numpy as np

from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.page.heatmap import heatmap
from attnviz.render.image import to_bytes

N = 64


def ours(attention: Attention) -> bytes:
    return to_bytes(heatmap(attention), "png")


def axes(attention: Attention) -> bytes:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(12, 12, figsize=(24, 24), dpi=150)
    for layer in range(12):
        for head in range(12):
            axis = grid[layer, head]
            axis.imshow(attention.weights[layer, head], vmin=0, vmax=1, cmap="viridis")
            axis.set_title(f"{layer}.{head}")
            axis.set_xticks(range(N), attention.key_tokens, rotation=90, fontsize=2)
            axis.set_yticks(range(N), attention.query_tokens, fontsize=2)
    out = io.BytesIO()
    figure.savefig(out)
    plt.close(figure)
    return out.getvalue()


def main() -> None:
    args = measure.parser(__doc__).parse_args()
    print(measure.machine())
    weights = np.random.default_rng(0).dirichlet(np.full(N, 0.05), (12, 12, N)).astype(np.float32)
    tokens = Tokens.plain([f"token{i}" for i in range(N)])
    attention = Attention(weights, np.ones((1, N, N), bool), tokens, tokens, tuple(range(12)), tuple(range(12)))
    ours(attention), axes(attention)
    pairs = []
    for _ in range(min(args.times, 3)):
        times = []
        for work in (ours, axes):
            start = time.perf_counter()
            work(attention)
            times.append(time.perf_counter() - start)
        pairs.append(times)
    mine, theirs = (measure.median([p[i] for p in pairs]) for i in (0, 1))
    measure.table(
        [
            ["144 heads x 64 tokens", "seconds", "times ours"],
            ["attnviz", mine, 1.0],
            ["144 matplotlib Axes", theirs, measure.median([b / a for a, b in pairs])],
        ]
    )


if __name__ == "__main__":
    main()
