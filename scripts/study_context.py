"""Measure how often the score of `attnviz context` names the right source, beside variants of it and baselines.

    python scripts/study_context.py MODEL.gguf [--tuned N] [--reported N] [--knockout] [--seed N]

N prompts of each shape of context_shapes.py. Variants are chosen on the tuned shapes; the reported ones are run once.
One pass per prompt serves every variant: lifts of single rows are kept, before they are weighed by rarity. --knockout
also cuts each source of a reported prompt off. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from context_shapes import REPORTED, TUNED, Case, Shape

import attnviz
from attnviz.measures.context import FLOOR, HEADS_SHARE, Keys, PointedAt, shared_words
from attnviz.models.context import Asked
from attnviz.models.passages import words_of


@dataclass(frozen=True)
class Variant:
    """A way to make a score from the lifts of single rows.

    rows: of the answer, own or predicting; both: the question's rows as well. power: of df. share: of heads. floor: in
    the product. strongest: how a head's rows are joined, mean or max. even: the mean weight of all heads instead.
    """

    share: float = HEADS_SHARE
    power: float = -0.5
    floor: float = FLOOR
    answer: bool = True
    question: bool = True
    predicting: bool = False
    joined: str = "mean"
    together: bool = False  # one choice of heads for both halves: by the sum of their largest entries
    weighed: bool = False  # the strongest heads are averaged by their largest entry
    root: float = 0.0  # sums by source are divided by the number of its tokens to this power


VARIANTS: Mapping[str, Variant] = {
    "score": Variant(),
    "3 % of heads": Variant(share=0.03),
    "10 % of heads": Variant(share=0.1),
    "20 % of heads": Variant(share=0.2),
    "all heads": Variant(share=1.0),
    "without df": Variant(power=0.0),
    "df ** -1": Variant(power=-1.0),
    "df ** -0.75": Variant(power=-0.75),
    "floor 0.02": Variant(floor=0.02),
    "floor 0.15": Variant(floor=0.15),
    "largest row, not their mean": Variant(joined="max"),
    "one choice of heads": Variant(together=True),
    "heads weighed": Variant(weighed=True),
    "by length ** 0.5": Variant(root=0.5),
    "own and predicting rows": Variant(predicting=True),
    "question rows alone": Variant(answer=False),
    "answer rows alone": Variant(question=False),
    "heads weighed, df ** -1": Variant(weighed=True, power=-1.0),
    "heads weighed, df ** -1, 10 %": Variant(weighed=True, power=-1.0, share=0.1),
    "heads weighed, largest row": Variant(weighed=True, joined="max"),
    "heads weighed, df ** -1, length ** 0.5": Variant(weighed=True, power=-1.0, root=0.5),
}


@dataclass(frozen=True, eq=False)
class Pass:
    """The lifts of one prompt: float32 [row, head, c] of question, answer and predicting rows; df [c], source [c]."""

    question: np.ndarray
    answer: np.ndarray
    predicting: np.ndarray
    df: np.ndarray
    source: np.ndarray
    n_sources: int

    def half(self, rows: np.ndarray, variant: Variant, peaks: np.ndarray | None = None) -> np.ndarray:
        """A half of the score by source, which sums to 1. peaks: of the heads, where they are chosen together."""
        heads = self.heads(rows, variant)
        peaks = heads.max(-1) if peaks is None else peaks
        best = (-peaks).argsort(kind="stable")[: max(1, round(variant.share * len(heads)))]
        tokens = (heads[best] * (peaks[best, None] if variant.weighed else 1.0)).mean(0)
        inside = self.source >= 0
        sums = np.bincount(self.source[inside], tokens[inside], self.n_sources)
        sums /= np.bincount(self.source[inside], minlength=self.n_sources) ** variant.root
        return sums / sums.sum() if sums.sum() else np.full(self.n_sources, 1 / self.n_sources)

    def heads(self, rows: np.ndarray, variant: Variant) -> np.ndarray:
        """[head, c]: the rows joined, weighed by rarity."""
        joined = rows.mean(0) if variant.joined == "mean" else rows.max(0)
        return joined * self.df**variant.power

    def score(self, variant: Variant) -> np.ndarray:
        """The score by source."""
        answer = np.concatenate([self.answer, self.predicting]) if variant.predicting else self.answer
        halves = [rows for rows, used in ((self.question, variant.question), (answer, variant.answer)) if used]
        peaks = sum(self.heads(rows, variant).max(-1) for rows in halves) if variant.together else None
        shares = [self.half(rows, variant, peaks) for rows in halves]
        if len(shares) == 1:
            return shares[0]
        product = (shares[0] + variant.floor) * (shares[1] + variant.floor)
        return product / product.sum()


class Weights(PointedAt):
    """The rows' weights themselves, without what is usual: for the mean of all heads."""

    def _lifts(self, columns, n_keys):  # type: ignore[no-untyped-def]
        return np.stack([columns.tail[:, rows].mean(1) for rows in self._groups])


def passed(model: attnviz.Model, case: Case, knockout: bool) -> tuple[Pass, dict[str, np.ndarray]]:
    """One pass over a prompt, and the baselines: mean of all heads, shared words, falls of knockouts."""
    prompt = Asked(model, case.question, case.sources, answer=case.answer).opened()
    spec, source, texts = model.spec, prompt.source[: prompt.begin], prompt.tokens.text[: prompt.begin]
    keys = Keys.of(source, texts, len(case.sources))
    inside = (keys.rarity > 0).astype(np.float32)
    groups = [*prompt.question, *prompt.answer, *(i - 1 for i in prompt.answer)]
    size = spec.n_layers, spec.n_heads, prompt.n, prompt.begin
    lifts = PointedAt(*size, replace(keys, rarity=inside), [[row] for row in groups])
    plain = Weights(*size, keys, [[*prompt.question, *prompt.answer]])
    prompt.observe([lifts, plain], checked=knockout)
    rows = lifts.lifts.reshape(len(groups), -1, len(source))
    q, a = len(prompt.question), len(prompt.answer)
    df = np.where(inside > 0, np.maximum(keys.rarity, 1e-9) ** -2.0, 1.0)
    owners = np.asarray(source)
    mean = np.bincount(owners[owners >= 0], plain.lifts.mean((0, 1, 2))[owners >= 0], len(case.sources))
    held = [words_of(text) for text in case.sources]
    asked, said = words_of(case.question), words_of(case.answer)
    others = {"mean of all heads": mean, "shared words": shared_words(asked + said, held)}
    others["shared words, answer only"] = shared_words(said, held)
    if knockout:
        others["knockout"] = np.array([prompt.knockout(i) for i in range(len(case.sources))])
    return Pass(rows[:q], rows[q : q + a], rows[q + a :], df, owners, len(case.sources)), others


def right(scores: np.ndarray, case: Case) -> float:
    """1 if the right source has the highest score; a share of 1 where several have it."""
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    return float(case.right in best) / len(best)


def studied(
    model: attnviz.Model, shapes: Sequence[Shape], n: int, seed: int, knockout: bool, note: Callable[[str], object]
) -> dict[str, dict[str, list[tuple[float, float, float]]]]:
    """name -> shape -> (right, top share, fall of the top source or NaN) of each prompt."""
    results: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for shape in shapes:
        start, numbers = time.process_time(), random.Random(f"{seed} {shape.__name__}")
        for _ in range(n):
            case = shape(numbers)
            lifts, others = passed(model, case, knockout)
            scores = {name: lifts.score(variant) for name, variant in VARIANTS.items()} | others
            for name, values in scores.items():
                fall = others["knockout"][values.argmax()] if knockout else np.nan
                found = right(values, case), float(values.max()), float(fall)
                results.setdefault(name, {}).setdefault(shape.__name__, []).append(found)
        note(f"{shape.__name__}: {time.process_time() - start:.0f} s")
    return results


def accuracy(of_shapes: Mapping[str, Sequence[tuple[float, float, float]]]) -> float:
    """The mean over shapes of the share of prompts that are right."""
    return float(np.mean([np.mean([found for found, *_ in each]) for each in of_shapes.values()]))


def certainty(of_shapes: Mapping[str, Sequence[tuple[float, float, float]]]) -> list[str]:
    """Lines: how often the score is right by its top share, and how well share and fall tell right from wrong."""
    rows = np.array([row for each in of_shapes.values() for row in each])
    lines = []
    for low, high in ((0.5, 1.01), (0.3, 0.5), (0.0, 0.3)):
        some = rows[(rows[:, 1] >= low) & (rows[:, 1] < high), 0]
        lines.append(f"| {low:g} to {min(high, 1):g} | {len(some)} | {some.mean() if len(some) else np.nan:.2f} |")
    for name, column in (("top share", 1), ("fall of the top source", 2)):
        good, bad = rows[rows[:, 0] > 0.5, column], rows[rows[:, 0] <= 0.5, column]
        above = (good[:, None] > bad).mean() + 0.5 * (good[:, None] == bad).mean() if len(good) and len(bad) else np.nan
        lines.append(f"AUC of the {name}: {above:.2f} ({len(good)} right, {len(bad)} wrong)")
    return lines


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--tuned", type=int, default=12)
    parser.add_argument("--reported", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--knockout", action="store_true")
    asked = parser.parse_args()
    model, note = attnviz.load(asked.model), lambda text: print(text, flush=True)
    parts = {"tuned": (TUNED, asked.tuned, False), "reported": (REPORTED, asked.reported, asked.knockout)}
    results = {
        name: studied(model, shapes, n, asked.seed, knockout, note)
        for name, (shapes, n, knockout) in parts.items()
        if n
    }
    names = list(dict.fromkeys(name for part in results.values() for name in part))
    print(f"\n| | {' | '.join(results)} |\n|---|{'---|' * len(results)}")
    for name in names:
        cells = [f"{accuracy(part[name]):.3f}" if name in part else "" for part in results.values()]
        print(f"| {name} | {' | '.join(cells)} |")
    for part, found in results.items():
        shapes = list(found["score"])
        print(f"\n{part}: | | {' | '.join(shapes)} |")
        for name in names:
            if name in found:
                print(f"| {name} | {' | '.join(f'{np.mean([x for x, *_ in found[name][s]]):.2f}' for s in shapes)} |")
    if "reported" in results:
        print("\n| top share | prompts | right |\n|---|---|---|")
        print("\n".join(certainty(results["reported"]["score"])))


if __name__ == "__main__":
    main()
