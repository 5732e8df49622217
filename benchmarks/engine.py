"""Promise 3: all attention of a text, warm, in one process with torch eager: same weights, same ids.

Run it with a Python that has attnviz, torch and transformers; without torch only our own times are printed. The numbers
of both are compared in the same run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import measure
import numpy as np

import attnviz
from attnviz.engine.collectors import Dense

LENGTHS = {"all-MiniLM-L6-v2": (16, 128, 512), "SmolLM2-135M": (16, 128, 512, 2048)}


def ours(model: attnviz.Model, ids: list[int]) -> Callable[[], np.ndarray]:
    """All weights of all layers and heads, dense."""
    given = model.prepare(ids=ids)
    n = range(len(ids))

    def work() -> np.ndarray:
        keep = Dense(range(model.n_layers), range(model.n_heads), n, n)
        model.observe(given, [keep])
        return keep.weights

    return work


def torch_model(name: str) -> object | None:
    """The model in transformers, eager, float32; None if transformers is not installed."""
    try:
        import torch
        import transformers
    except ImportError:
        return None
    transformers.logging.set_verbosity_error()
    if name == "all-MiniLM-L6-v2":
        return transformers.AutoModel.from_pretrained(measure.minilm(), attn_implementation="eager").eval()
    file = measure.smollm2()
    made = transformers.AutoModel.from_pretrained(file.parent, gguf_file=file.name, attn_implementation="eager")
    return made.to(torch.float32).eval()


def theirs(model: object, ids: list[int]) -> Callable[[], np.ndarray]:
    import torch

    tensor = torch.tensor([ids])

    def work() -> np.ndarray:
        with torch.no_grad():
            return [a[0] for a in model(tensor, output_attentions=True).attentions]  # type: ignore[operator]

    return work


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--times", type=int, default=7)
    made.add_argument("--longest", type=int, default=2048)
    args = made.parse_args()
    print(measure.machine())
    rows: list[list[object]] = [["model", "tokens", "ours ms", "torch eager ms", "torch / ours", "largest difference"]]
    for name, lengths in LENGTHS.items():
        model = attnviz.load(measure.minilm() if name == "all-MiniLM-L6-v2" else measure.smollm2())
        peer = torch_model(name)
        for n in lengths:
            if n > args.longest:
                continue
            ids = np.random.default_rng(n).integers(1000, 20000, n).tolist()
            a = ours(model, ids)
            b = theirs(peer, ids) if peer is not None else None
            first = a()
            difference: object = ""
            if b is not None:
                difference = max(float(abs(x - y.numpy()).max()) for x, y in zip(first, b(), strict=True))
            del first
            times = args.times if n < 1000 else 3
            pairs = [(timed(a), timed(b) if b is not None else float("nan")) for _ in range(times)]
            mine, other = (measure.median([p[i] for p in pairs]) * 1e3 for i in (0, 1))
            rows.append([name, n, mine, other, measure.median([y / x for x, y in pairs]), difference])
    measure.table(rows)


if __name__ == "__main__":
    main()
