"""Measure how often the score of `attnviz context` names the right source, beside variants of it and baselines.

    python scripts/study_context.py MODEL.gguf [--parts NAME...] [--cut NAME...] [-n N] [--save FILE.json]

Parts are draws of prompts: tuned (30 of each shape of context_shapes.TUNED), first and second (8 and 20 of each of
context_shapes.REPORTED) and fresh (12 of each of context_fresh.FRESH). The formula was chosen with the first three; the
fresh shapes ran once, after it. --cut: in these parts each source is also cut off (knockout) and left out, one pass a
source. -n: another number of prompts of each shape. The tables of docs/analysis/context.md come from

    python scripts/study_context.py MODEL.gguf
    python scripts/study_context.py MODEL.gguf --parts fresh --cut fresh -n 6

which take six and eight minutes of one core. --save also writes every prompt's scores.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from context_fresh import FRESH
from context_shapes import REPORTED, TUNED, Shape
from context_variants import scored

import attnviz

PARTS: Mapping[str, tuple[Sequence[Shape], int, int]] = {  # shapes, prompts of each, seed
    "tuned": (TUNED, 30, 0),
    "first": (REPORTED, 8, 0),
    "second": (REPORTED, 20, 1),
    "fresh": (FRESH, 12, 2),
}
BINS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
NOT_MEASURED = "not measured"


class Record(NamedTuple):
    """One prompt: its shape, the index of the right source, and name -> scores of the sources."""

    shape: str
    right: int
    scores: dict[str, np.ndarray]

    def correct(self, name: str) -> float:
        """1 if the right source has the highest score; a share of 1 where several have it."""
        scores = self.scores[name]
        best = np.flatnonzero(scores >= scores.max() - 1e-12)
        return float(self.right in best) / len(best)

    def top_share(self) -> float:
        """The score's own certainty."""
        return float(self.scores["score"].max())

    def fall(self, name: str) -> float:
        """The fall of the source with the highest score, by a way to take it away."""
        return float(self.scores[name][self.scores["score"].argmax()])


def drawn(model: attnviz.Model, part: str, n: int | None, cut: bool) -> list[Record]:
    """The scores of every prompt of a part; shapes are announced on standard error."""
    shapes, count, seed = PARTS[part]
    records = []
    for shape in shapes:
        start, numbers = time.process_time(), random.Random(f"{seed} {shape.__name__}")
        for _ in range(n or count):
            case = shape(numbers)
            records.append(Record(shape.__name__, case.right, scored(model, case, cut)))
        print(f"{part}, {shape.__name__}: {time.process_time() - start:.0f} s", file=sys.stderr, flush=True)
    return records


def by_shape(records: Sequence[Record], name: str) -> dict[str, float]:
    """shape -> the share of prompts whose right source is named."""
    shapes = dict.fromkeys(record.shape for record in records)
    return {
        shape: float(np.mean([record.correct(name) for record in records if record.shape == shape])) for shape in shapes
    }


def accuracy(records: Sequence[Record], name: str, reworded: bool | None = None) -> str:
    """The mean over shapes. reworded: over the shapes with answers in other words, or the literal ones, alone."""
    if name not in records[0].scores:
        return NOT_MEASURED
    shapes = by_shape(records, name).items()
    rates = [rate for shape, rate in shapes if reworded in (None, shape.startswith("reworded"))]
    return f"{np.mean(rates):.3f}" if rates else "-"


def auc(records: Sequence[Record], name: str) -> str:
    """Say how well the top share, or the top source's fall, tells right from wrong (area under the ROC curve)."""
    if name not in records[0].scores:
        return NOT_MEASURED
    values = [record.top_share() if name == "score" else record.fall(name) for record in records]
    right = np.array([record.correct("score") > 0.5 for record in records])
    good, bad = np.array(values)[right], np.array(values)[~right]
    if not len(good) or not len(bad):
        return NOT_MEASURED
    return f"{(good[:, None] > bad).mean() + 0.5 * (good[:, None] == bad).mean():.2f}"


def certainty(records: Sequence[Record], low: float, high: float) -> str:
    """Say how often the score is right where its top share lies between two numbers."""
    some = [record.correct("score") for record in records if low <= record.top_share() < high]
    return f"{np.mean(some):.2f} of {len(some)}" if some else "-"


def table(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """Aligned text, as the docs show it."""
    width = max(map(len, [title, *rows]))
    sizes = [max(len(cell) for cell in column) for column in zip(columns, *rows.values(), strict=True)]
    lines = [(title, columns), *rows.items()]
    return "\n".join(
        f"    {name:<{width}}  " + "  ".join(f"{cell:>{size}}" for cell, size in zip(cells, sizes, strict=True))
        for name, cells in lines
    )


def printed(results: Mapping[str, Sequence[Record]]) -> str:
    """All tables."""
    names = list(dict.fromkeys(name for records in results.values() for name in records[0].scores))
    columns = list(results)
    parts = results.values()
    tables = [
        table("right, mean over shapes", columns, {name: [accuracy(part, name) for part in parts] for name in names}),
        table(
            "answers in other words", columns, {name: [accuracy(part, name, True) for part in parts] for name in names}
        ),
        table("literal answers", columns, {name: [accuracy(part, name, False) for part in parts] for name in names}),
        table(
            "score by its top share",
            columns,
            {
                f"{low:g} to {high:g}": [certainty(part, low, high + (high == 1)) for part in parts]
                for low, high in pairwise(BINS)
            },
        ),
        table(
            "AUC of",
            columns,
            {
                title: [auc(part, name) for part in parts]
                for title, name in (
                    ("the top share", "score"),
                    ("the top source's fall under knockout", "knockout"),
                    ("the top source's fall if left out", "leaving one out"),
                )
            },
        ),
    ]
    for part, records in results.items():
        shapes = list(by_shape(records, "score"))
        rows = {name: [f"{by_shape(records, name)[s]:.2f}" for s in shapes] for name in records[0].scores}
        tables.append(table(part, shapes, rows))
    counts = ", ".join(f"{part} {len(records)} prompts" for part, records in results.items())
    return "\n\n".join([counts, *tables])


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--cut", nargs="*", choices=PARTS, default=[])
    parser.add_argument("-n", type=int)
    parser.add_argument("--save", type=Path)
    asked = parser.parse_args()
    model = attnviz.load(asked.model)
    results = {part: drawn(model, part, asked.n, part in asked.cut) for part in asked.parts}
    if asked.save:
        rows = {part: [record._asdict() for record in records] for part, records in results.items()}
        asked.save.write_text(json.dumps(rows, default=np.ndarray.tolist))
    print(printed(results))


if __name__ == "__main__":
    main()
